"""What one cluster is, beside the graph: the two together are the whole truth.

`render(graph, cluster)` is pure, Pulumi registers both, and whatever judges (the proof, the policy pack, admission,
`garrison check --live --app`) starts from the same two values. No object is changed after it was derived from them.
"""

from garrison.cluster.dns import Dns
from garrison.cluster.egress import Egress
from garrison.cluster.entrance import Entrance
from garrison.cluster.issuer import Issuer
from garrison.cluster.layout import Layout
from garrison.cluster.store import Store
from garrison.cluster.value import EVERYBODY, SCHEMA, SCOPES, AdmissionScope, Cluster, is_person

__all__ = [
    "EVERYBODY",
    "SCHEMA",
    "SCOPES",
    "AdmissionScope",
    "Cluster",
    "Dns",
    "Egress",
    "Entrance",
    "Issuer",
    "Layout",
    "Store",
    "is_person",
]
