"""Serves the policy pack to Pulumi's engine; `pack` starts it."""

from pulumi_policy import PolicyPack

from garrison_policies.pack import policies

PolicyPack("garrison", policies())  # serves until the engine ends it
