"""Serves the policy pack to Pulumi's engine; `pack` starts it."""

import signal

from pulumi_policy import PolicyPack

from garrison_policies.places.preview import policies

# The engine ends a pack with SIGINT and waits five seconds for it. Whatever runs in the background of a shell inherits
# that signal as ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
PolicyPack("garrison", policies())  # serves until the engine ends it
