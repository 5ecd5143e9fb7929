"""`python -m garrison`."""

import sys

from garrison.cli import main

sys.exit(main())
