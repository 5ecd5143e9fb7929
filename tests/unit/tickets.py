"""A large application for tests and for docs/graph.svg: a ticket shop of 64 workloads in the form in which such grow.

One gateway, forty services that call much of each other, a worker, and a store of its own for each of twenty-two.
"""

from __future__ import annotations

from typing import Final

from garrison import App
from garrison.explain import drawing
from unit.estates import DIGEST, IMAGES

# Who calls whom: a line for each caller.
CALLS: Final = """
gateway: admin-basic admin-order admin-route admin-travel admin-user assurance auth basic cancel config consign
gateway: consign-price contacts execute food inside-payment notification order order-other payment preserve
gateway: preserve-other price rebook route route-plan seat security station train travel travel-plan travel2 user
gateway: verification-code voucher wait-order
admin-basic: config contacts price station train
admin-order: order order-other
admin-route: route
admin-travel: travel travel2
admin-user: user
auth: verification-code
basic: price route station train
cancel: inside-payment notification order order-other user
consign: consign-price
delivery: food
execute: order order-other
food: station-food train-food travel
inside-payment: order order-other payment
preserve: assurance basic consign contacts food notification order seat security station travel user
preserve-other: assurance basic consign contacts food notification order-other seat security station travel2 user
rebook: inside-payment order order-other route seat station travel travel2
route-plan: route station travel travel2
seat: config order order-other travel travel2
security: order order-other
ticket-info: basic
travel: basic order route seat ticket-info train
travel-plan: route-plan seat ticket-info train travel travel2
travel2: basic order-other route seat ticket-info train
user: auth
voucher: order order-other
wait-order: contacts order preserve
"""
SPACES: Final = {
    "front": "gateway",
    "identity": "admin-user auth contacts security user verification-code",
    "money": "assurance inside-payment payment price",
    "orders": "admin-order cancel consign consign-price execute order order-other preserve preserve-other rebook "
    "voucher wait-order",
    "station": "delivery food notification station-food train-food",
    "travel": "admin-basic admin-route admin-travel basic config route route-plan seat station ticket-info train "
    "travel travel-plan travel2",
}
STORES: Final = """
assurance auth config consign consign-price contacts delivery food inside-payment notification order order-other
payment price route security station train travel travel2 user voucher
"""
WORKER: Final = "delivery"


def tickets(*, in_one: bool = False) -> App:
    """The application, in six namespaces or in one."""
    app = App("tickets", trust_domain="tickets.example", images=IMAGES)
    homes = {name: space for space, names in SPACES.items() for name in names.split()}
    spaces = {space: app.namespace("tickets" if in_one else space) for space in (["front"] if in_one else SPACES)}
    made = {}
    for name, home in homes.items():
        port = None if name == WORKER else 8080
        made[name] = spaces["front" if in_one else home].service(name, image=name + DIGEST, port=port)
    for line in CALLS.strip().splitlines():
        caller, _, callees = line.partition(": ")
        for callee in callees.split():
            made[caller].calls(made[callee], f"GET /{callee}/{{id}}", f"POST /{callee}")
    for name in STORES.split():
        space = spaces["front" if in_one else homes[name]]
        store = space.service(
            f"{name}-mongo", image="mongo" + DIGEST, port=27017, protocol="tcp", volumes={"/data": "1Gi"}
        )
        made[name].connects(store)
    made["payment"].reads("psp/api-key")
    www = app.host("www.tickets.example", login=app.users())
    made["gateway"].serves("GET /{rest...}", at=www, public="the shop is for everybody")
    return app


if __name__ == "__main__":
    print(drawing.svg(tickets().graph()), end="")
