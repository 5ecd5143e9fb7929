"""What `pulumi up` does is `run`; everything that declares is in estate.py."""

from pathlib import Path

from garrison_stack import run

run(Path(__file__).with_name("estate.py"))
