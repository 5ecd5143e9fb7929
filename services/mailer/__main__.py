"""Starts the worker: `python -m mailer`."""

from mailer.app import main

main()
