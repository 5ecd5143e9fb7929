"""The secret store as Pulumi resources: what has to exist in it, never what is secret in it.

Pulumi's state sees paths, policies and statements. Values are made inside the store, and the logins used here live for
as long as there is something to do, ten minutes at most.
"""

from garrison.deployment.vault.connection import StoreConnection, StoreError
from garrison.deployment.vault.resources import GeneratedSecret, StoreResource, StoreRights

__all__ = ["GeneratedSecret", "StoreConnection", "StoreError", "StoreResource", "StoreRights"]
