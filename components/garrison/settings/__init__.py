"""The settings of a stack: what is different from cluster to cluster, as one checked, frozen value.

Pure: plain text in, every problem at once out. `deployment.configuration` reads them from the stack that Pulumi runs,
`cluster_of` from a stack's file, for everything that judges without Pulumi.
"""

from garrison.settings.reading import CHARTS, MACHINE, PREFIX, cluster_of, parse, settings_of
from garrison.settings.value import Settings, SettingsError

__all__ = ["CHARTS", "MACHINE", "PREFIX", "Settings", "SettingsError", "cluster_of", "parse", "settings_of"]
