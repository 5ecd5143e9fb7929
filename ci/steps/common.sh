# What all steps share; sourced by each. Everything a step reads or writes is named here and can be set outside.
# shellcheck shell=sh
set -eu
cd "$(dirname "$0")/../.."

export REPORTS="${REPORTS:-build/reports}"          # one file STEP/CHECK.json for each check
export IMAGES="${IMAGES:-build/images}"             # archives and bills of materials, from `build`
export SIGNATURES="${SIGNATURES:-build/signatures}" # from `sign`
export TOOLS="${TOOLS:-build/tools}"                # from `toolchain`
export LOCK="${LOCK:-stacks/images.lock}"           # the images, by digest
export APP="${APP:-stacks/estate.py}"               # the program
GARRISON_HOME="${GARRISON_HOME:-/opt/garrison}"     # where `install` puts Garrison

# In Garrison's own checkout the pinned environment of the harness runs it, elsewhere the installed command.
own() { [ -f tests/harness/bootstrap.py ]; }
if own; then
  garrison() { PYTHONPATH=tests python3 -m harness.bootstrap -m garrison "$@"; }
fi

# files TOOL...: the files of these tools, by ci/tools.tsv; a tool that it does not list is a mistake.
files() {
  for tool in "$@"; do
    awk -F'\t' -v tool="$tool" '$1 == tool { print $2; found = 1 } END { exit !found }' ci/tools.tsv || {
      echo "$tool: ci/tools.tsv lists no such tool" >&2
      return 2
    }
  done
}

# need TOOL...: in PATH, and `garrison scan` and `sign` run them only with a SHA-256 that is given here or listed in
# scan.toml. In this checkout the harness builds them, verified by go.sum; elsewhere `tools` has installed them.
need() {
  if own; then
    tools=$(PYTHONPATH=tests python3 -m harness.bootstrap -m harness build "$@")
    export PATH="$tools:$PATH"
  elif [ -d "$GARRISON_HOME" ]; then
    export PATH="$GARRISON_HOME/bin:$PATH" # Pulumi runs the program with the first python3
  fi
  for tool in "$@"; do
    if own; then sum=$(sha256sum < "$tools/$tool"); else sum=$(grep " $tool\$" ci/tools.sha256 || true); fi
    [ -z "$sum" ] || export "GARRISON_$(printf %s "$tool" | tr a-z A-Z)_SHA256=${sum%% *}"
  done
}

# check [--json] STEP/CHECK -- COMMAND...: run it and write its report. All checks of a step run; one that fails
# fails the step.
failed=0
check() { garrison ci run --lock "$LOCK" "$@" || failed=1; }
