"""`python3 -m prober` runs a batch from standard input; `python3 -m prober serve HOST PORT` answers HTTP and waits."""

from __future__ import annotations

import json
import sys

from prober.batch import run
from prober.serve import serve


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"] and len(arguments) == 3 and arguments[2].isdigit():
        return serve(arguments[1], int(arguments[2]))
    if arguments:
        print("usage: prober < batch.json | prober serve HOST PORT", file=sys.stderr)
        return 2
    try:
        batch = json.load(sys.stdin)
        attempts, timeout = list(batch["attempts"]), float(batch["timeout"])
    except (ValueError, KeyError, TypeError) as error:
        print(f"prober: the batch on standard input is not readable: {error!r}", file=sys.stderr)
        return 2
    json.dump({"observations": run(attempts, timeout)}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
