"""Graphs to expect things of: the five services of the example, and whatever hypothesis thinks of."""

from __future__ import annotations

from hypothesis import strategies as st

from garrison.graph import Call, Database, Graph, Operation, Read, Ref, Resources, Service, Use

BOUNDS = Resources("1m", "1Mi", "1", "1Mi")
IMAGES = tuple(
    (name, f"registry.example/{name}@sha256:{'0' * 64}") for name in ("envoy", "openbao", "postgres", "prober")
)


def service(text: str, port: int = 8080) -> Service:
    return Service(Ref.parse(text), "registry.example/app@sha256:" + "0" * 64, port, 2, BOUNDS)


def call(caller: str, callee: str, *operations: str) -> Call:
    declared = tuple(sorted(Operation(*text.split(" ")) for text in operations))
    return Call(Ref.parse(caller), Ref.parse(callee), declared)


def database(text: str) -> Database:
    return Database(Ref.parse(text), "registry.example/postgres@sha256:" + "0" * 64, "1Gi")


def estate() -> Graph:
    ledger = Ref("bank", "ledger")
    payments = Ref("bank", "payments")
    return Graph(
        "estate",
        "estate.example",
        namespaces=("bank", "insurance", "shop"),
        services=tuple(
            map(service, ("bank/payments", "insurance/claims", "insurance/cover", "shop/catalog", "shop/orders"))
        ),
        calls=(
            call("insurance/claims", "bank/payments", "POST /refunds"),
            call("insurance/claims", "insurance/cover", "GET /covers/{id}"),
            call("shop/orders", "bank/payments", "POST /charges"),
            call("shop/orders", "insurance/cover", "POST /quotes"),
            call("shop/orders", "shop/catalog", "GET /items/{id}"),
        ),
        databases=(database("bank/ledger"),),
        uses=(Use(payments, ledger, "writer"),),
        reads=(Read(payments, "psp/api-key"),),
        images=IMAGES,
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph that the validation would let pass, up to six services."""
    names = draw(
        st.lists(
            st.sampled_from([f"{n}/{s}" for n in ("a", "b", "c") for s in ("x", "y", "z")]), max_size=6, unique=True
        )
    )
    refs = sorted(Ref.parse(name) for name in names)
    pairs = [(a, b) for a in refs for b in refs if a != b]
    paths = ("/", "/items", "/items/{id}", "/items/{id}/lines/{line}")
    operations = [Operation(method, path) for method in ("DELETE", "GET", "POST") for path in paths]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    some = st.lists(st.sampled_from(operations), min_size=1, max_size=4, unique=True)
    calls = tuple(sorted(Call(a, b, tuple(sorted(draw(some)))) for a, b in chosen))
    store = Ref("a", "store-of-a")
    users = draw(st.lists(st.sampled_from(refs), unique=True)) if refs else []
    readers = draw(st.lists(st.sampled_from(refs), unique=True)) if refs else []
    return Graph(
        "any",
        "any.example",
        namespaces=tuple(sorted({"a", *(ref.namespace for ref in refs)})),
        services=tuple(service(str(ref)) for ref in refs),
        calls=calls,
        databases=(database(str(store)),) if users else (),
        uses=tuple(sorted(Use(user, store, "reader") for user in users)),
        reads=tuple(sorted(Read(reader, f"keys/{reader.name}") for reader in readers)),
        images=IMAGES,
    )
