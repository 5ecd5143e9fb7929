# What all steps share; sourced by each. Everything a step reads or writes is named here and can be set outside.
# shellcheck shell=sh
set -eu
cd "$(dirname "$0")/../.."

export REPORTS="${REPORTS:-build/reports}"          # one file STEP/CHECK.json for each check
export IMAGES="${IMAGES:-build/images}"             # archives and bills of materials, from `build`
export SIGNATURES="${SIGNATURES:-build/signatures}" # from `sign`
export LOCK="${LOCK:-stacks/images.lock}"           # the images, by digest
export APP="${APP:-stacks/estate.py}"               # the program

# In Garrison's own checkout the pinned environment of the harness runs it, elsewhere the installed command.
own() { [ -f tests/harness/bootstrap.py ]; }
if own; then
  garrison() { PYTHONPATH=tests python3 -m harness.bootstrap -m garrison "$@"; }
fi

# need TOOL...: in PATH, with its SHA-256. The harness builds them from their modules, verified by go.sum; elsewhere you
# install them. `garrison scan` runs none whose SHA-256 is neither given here nor listed in scan.toml.
need() {
  own || return 0
  tools=$(PYTHONPATH=tests python3 -m harness.bootstrap -m harness build "$@")
  for tool in "$@"; do
    sum=$(sha256sum < "$tools/$tool")
    export "GARRISON_$(printf %s "$tool" | tr a-z A-Z)_SHA256=${sum%% *}"
  done
  export PATH="$tools:$PATH"
}

# check [--json] STEP/CHECK -- COMMAND...: run it and write its report. All checks of a step run; one that fails
# fails the step.
failed=0
check() { garrison ci run --lock "$LOCK" "$@" || failed=1; }
