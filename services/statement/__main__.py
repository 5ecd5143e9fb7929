"""Starts the job: `python -m statement`."""

import sys

from statement.app import main

sys.exit(main())
