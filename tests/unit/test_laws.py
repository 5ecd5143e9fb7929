"""The laws of a declaration: they hold for every graph, typed in Python or read from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from garrison import App, Graph, IntentError, Resources, Service, render
from garrison.derive.secrets import store_objects
from garrison.manifest import compact, identity
from garrison.model.calls import Operation
from unit.estates import DIGEST, HOSTILE, empty_app, hostile_apps, lawful, shop_app

IMAGE = "registry.example/s" + DIGEST


def refused(app: App) -> str:
    with pytest.raises(IntentError) as caught:
        app.graph()
    for problem in caught.value.problems:
        assert problem.where.partition(":")[0].endswith(".py"), problem
        assert problem.remedy
    return str(caught.value)


# --- whatever holds together renders without a meeting ---------------------------------------------------------------


@settings(max_examples=100)
@given(hostile_apps())
def test_what_the_laws_let_pass_meets_nowhere(app: App) -> None:
    graph = lawful(app).graph()
    manifests = render(graph)
    identities = [identity(item) for item in manifests]
    assert len(identities) == len(set(identities)), "two objects of one identity"
    paths = [item.path for item in store_objects(graph)]
    assert len(paths) == len(set(paths)), "two things in the store under one path"
    assert not [i for i in identities if i[1:2] + i[3:] == ("ServiceAccount", "default")]
    for item in manifests:
        if item["kind"] == "Deployment":
            _pod_meets_nowhere(item["spec"]["template"]["spec"])
    assert Graph.from_json(graph.to_json()) == graph


def _pod_meets_nowhere(pod: dict[str, Any]) -> None:
    for container in [*pod["initContainers"], *pod["containers"]]:
        names = [variable["name"] for variable in container.get("env", [])]
        assert len(names) == len(set(names))
        assert not [name for name in names if name[0].isdigit()]
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(mounts) == len(set(mounts))
    volumes = [volume["name"] for volume in pod["volumes"]]
    assert len(volumes) == len(set(volumes))


@given(hostile_apps())
def test_every_variable_file_and_callee_declared_is_found(app: App) -> None:
    """Nothing is lost on the way: as many addresses as callees, as many files as secrets."""
    graph = lawful(app).graph()
    for item in render(graph):
        if item["kind"] == "Deployment":
            ref = next(s.ref for s in graph.services if str(s.ref) == "/".join(_name(item)))
            names = [v["name"] for v in item["spec"]["template"]["spec"]["containers"][0]["env"]]
            assert sum(n.endswith("_URL") for n in names) == len(graph.calls_from.get(ref, ()))
            files = len(graph.reads_by.get(ref, ())) + len(graph.uses_by.get(ref, ()))
            assert sum(n.endswith("_FILE") for n in names) == files


def _name(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


# --- names -----------------------------------------------------------------------------------------------------------

Case = Callable[[App], object]


def _service(app: App, place: str = "more/more") -> Service:
    namespace, name = place.split("/")
    return app.namespace(namespace).service(name, image=IMAGE, port=8080)


def _two_callees(app: App) -> None:
    caller = _service(app, "web/front")
    for home in ("left", "right"):
        caller.calls(_service(app, f"{home}/catalog"), "GET /x")


def _two_callees_alike(app: App) -> None:
    home = app.namespace("web")
    caller = home.service("front", image=IMAGE, port=8080)
    caller.calls(home.service("a-b", image=IMAGE, port=8080), "GET /x")
    caller.calls(_service(app, "left/a-b"), "GET /x")


def _two_databases(app: App) -> None:
    caller = _service(app)
    for home in ("left", "right"):
        caller.uses(app.namespace(home).postgres("books"), role="reader")


def _reader_and_writer(app: App) -> None:
    caller = _service(app)
    caller.uses("bank/ledger", role="reader")
    caller.uses("bank/ledger", role="writer")


def _reads(*paths: str) -> Case:
    def case(app: App) -> None:
        service = _service(app)
        for path in paths:
            service.reads(path)

    return case


def _secret_and_database(app: App) -> None:
    caller = _service(app)
    caller.uses("bank/ledger", role="reader")
    caller.reads("ledger")


COLLISIONS: dict[str, tuple[Case, str]] = {
    "default": (lambda app: _service(app, "more/default"), "in every namespace already"),
    "default-deny": (lambda app: _service(app, "more/default-deny"), "in every namespace already"),
    "database default": (lambda app: app.namespace("more").postgres("default"), "in every namespace already"),
    "two callees": (_two_callees, "CATALOG_URL"),
    "two callees with a dash": (_two_callees_alike, "A_B_URL"),
    "two databases": (_two_databases, "BOOKS_FILE"),
    "reader and writer": (_reader_and_writer, "LEDGER_FILE"),
    "secret and database": (_secret_and_database, "LEDGER_FILE"),
    "dash and underscore": (_reads("psp/api-key", "psp/api_key"), "PSP_API_KEY_FILE"),
    "slash and dash": (_reads("psp/key", "psp-key"), "PSP_KEY_FILE"),
    "file and folder": (_reads("psp", "psp/api-key"), "both as a file and as a folder"),
    "folder and file, deep": (_reads("a/b/c/d", "a/b"), "both as a file and as a folder"),
    "digit": (_reads("1password/token"), "no shell can read"),
    "service and database": (lambda app: _service(app, "more/x") and app.namespace("m").postgres("x"), ""),
    **{
        word: (lambda app, word=word: app.namespace("more").postgres(word), "PostgreSQL's own word")  # type: ignore[misc]
        for word in ("all", "postgres", "template0", "template1", "replication", "sameuser", "samerole", "pg")
    },
}


@pytest.mark.parametrize("name", COLLISIONS)
def test_names_that_would_meet_are_refused(name: str) -> None:
    case, says = COLLISIONS[name]
    app = shop_app()
    app.graph()  # the control
    case(app)
    if not says:
        app.graph()  # the control: another namespace, so they do not meet
    else:
        assert says in refused(app)


def test_a_service_and_a_database_share_no_name() -> None:
    app = shop_app()
    home = app.namespace("more")
    home.service("x", image=IMAGE, port=8080)
    home.postgres("x")
    assert "'more/x' was declared before (see " in refused(app)


# --- operations ------------------------------------------------------------------------------------------------------


def _overlap(mine: tuple[str, ...], theirs: str) -> App:
    app = empty_app()
    home = app.namespace("shop")
    callee = home.service("catalog", image=IMAGE, port=8080)
    home.service("one", image=IMAGE, port=8080).calls(callee, *mine)
    home.service("two", image=IMAGE, port=8080).calls(callee, theirs)
    return app


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("GET /items/{id}", "GET /items/export"),
        ("GET /{a}", "GET /admin"),
        ("GET /{a}/x", "GET /y/{b}"),
        ("GET /{a}/{b}", "GET /y/{b}"),
    ],
)
def test_a_template_reaches_nothing_that_another_caller_alone_was_given(mine: str, theirs: str) -> None:
    said = refused(_overlap((mine,), theirs))
    assert "reaches" in said
    assert "(see " in said
    assert "'shop/one'" in said


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (("GET /items/{id}", "GET /items/export"), "GET /items/export"),  # said, so meant
        (("GET /items/{id}",), "GET /items/{name}"),  # what a variable is called does not matter
        (("GET /items/{id}",), "POST /items/export"),
        (("GET /items/{id}",), "GET /items/export/all"),
        (("GET /items/{id}",), "GET /items"),
        (("GET /a/{x}",), "GET /b/{x}"),
    ],
)
def test_the_control_of_overlaps(mine: tuple[str, ...], theirs: str) -> None:
    assert len(_overlap(mine, theirs).graph().calls) == 2


@pytest.mark.parametrize(
    ("template", "request_", "covered"),
    [
        ("GET /items/{id}", "GET /items/1", True),
        ("GET /items/{id}", "GET /items/", False),
        ("GET /items/{id}", "GET /items/1/2", False),
        ("GET /items/{id}", "POST /items/1", False),
        ("GET /items/{id}", "GET /items/{other}", True),
        ("GET /items/1", "GET /items/{id}", False),
        ("GET /", "GET /", True),
        ("GET /", "GET /x", False),
    ],
)
def test_what_an_operation_covers(template: str, request_: str, covered: bool) -> None:
    assert Operation.parse(template).covers(Operation.parse(request_)) is covered


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu": "1", "cpu_limit": "500m"}, "more than its limit"),
        ({"memory": "1Gi", "memory_limit": "1023Mi"}, "more than its limit"),
        ({"cpu": "0"}, "not a Kubernetes quantity"),
        ({"memory": "0Mi"}, "not a Kubernetes quantity"),
        ({"memory": "128m"}, "not a Kubernetes quantity"),
        ({"memory": "128K"}, "not a Kubernetes quantity"),
        ({"cpu": "1Gi"}, "not a Kubernetes quantity"),
        ({"cpu": "-1"}, "not a Kubernetes quantity"),
        ({"cpu": "\u0661"}, "not a Kubernetes quantity"),
    ],
)
def test_quantities_are_more_than_none_and_below_their_limit(change: dict[str, str], says: str) -> None:
    usual = {"cpu": "25m", "memory": "96Mi", "cpu_limit": "500m", "memory_limit": "192Mi"}
    app = empty_app()
    app.namespace("n").service("good", image=IMAGE, port=8080, resources=Resources(**usual))
    app.graph()  # the control
    app.namespace("m").service("s", image=IMAGE, port=8080, resources=Resources(**usual | change))
    assert says in refused(app)


def test_a_service_has_as_many_callees_as_ports() -> None:
    app = empty_app()
    home = app.namespace("n")
    hub = home.service("hub", image=IMAGE, port=8080)
    for number in range(501):
        hub.calls(home.service(f"s{number}", image=IMAGE, port=8080), "GET /x")
    assert "more than 500 callees" in refused(app)


def test_what_no_config_map_holds_is_refused_before_anything_is_applied() -> None:
    app = empty_app()
    home = app.namespace("n")
    hub = home.service("hub", image=IMAGE, port=8080)
    caller = home.service("caller", image=IMAGE, port=8080)
    caller.calls(hub, *(f"GET /{'x' * 900}/{number}" for number in range(1200)))
    graph = app.graph()
    with pytest.raises(IntentError, match=r"n/hub-proxy: would be a ConfigMap of .* bytes"):
        render(graph)


# --- values of any type ----------------------------------------------------------------------------------------------

GARBAGE: tuple[Any, ...] = (
    None,
    True,
    2.5,
    8080.0,
    "8080",
    0,
    -1,
    10**30,
    b"x",
    [],
    ["a"],
    {},
    {"a": 1},
    (),
    ("a", "b"),
    object(),
    App,
)
SAY: dict[str, Case | Callable[[App, Any], object]] = {
    "namespace": lambda app, value: app.namespace(value),
    "namespaces": lambda app, value: app.namespaces(value, "fine"),
    "service name": lambda app, value: app.namespace("n").service(value, image=IMAGE, port=8080),
    "app service name": lambda app, value: app.service(value, image=IMAGE, port=8080),
    "image": lambda app, value: app.service("x", image=value, port=8080),
    "replicas": lambda app, value: app.service("x", image=IMAGE, port=8080, replicas=value),
    "resources": lambda app, value: app.service("x", image=IMAGE, port=8080, resources=value),
    "quantity": lambda app, value: app.service("x", image=IMAGE, port=8080, resources=Resources(value, "1", "1", "1")),
    "database": lambda app, value: app.postgres(value),
    "storage": lambda app, value: app.postgres("x", storage=value),
    "lease": lambda app, value: app.postgres("x", lease_seconds=value),
    "callee": lambda app, value: app.service("x", image=IMAGE, port=8080).calls(value, "GET /x"),
    "operation": lambda app, value: app.service("x", image=IMAGE, port=8080).calls("shop/orders", value),
    "used": lambda app, value: app.service("x", image=IMAGE, port=8080).uses(value, role="reader"),
    "role": lambda app, value: app.service("x", image=IMAGE, port=8080).uses("bank/ledger", role=value),
    "read": lambda app, value: app.service("x", image=IMAGE, port=8080).reads(value),
    "verbs": lambda app, value: app.service("x", image=IMAGE, port=8080).may(value, "pods"),
    "resource": lambda app, value: app.service("x", image=IMAGE, port=8080).may("get", value),
    "names": lambda app, value: app.service("x", image=IMAGE, port=8080).may("get", "pods", value),
    "group": lambda app, value: app.service("x", image=IMAGE, port=8080).may("get", "pods", group=value),
}
FITS = [("names", "8080"), ("storage", "8080"), ("replicas", None)]  # a name; a quantity of bytes; two


@pytest.mark.parametrize("value", GARBAGE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("place", SAY)
def test_a_value_of_a_wrong_type_is_a_problem_with_a_line(place: str, value: Any) -> None:
    if (place, value) in FITS:
        return
    app = shop_app()
    SAY[place](app, value)  # type: ignore[call-arg]
    assert "test_laws.py:" in refused(app)


@pytest.mark.parametrize("port", [v for v in GARBAGE if v not in (None, 0)] + [8080.0, 8443, 15101, 15600, 65536])
def test_a_port_is_a_whole_number_that_is_free(port: Any) -> None:
    app = shop_app()
    app.service("x", image=IMAGE, port=port)
    assert "port" in refused(app)


@pytest.mark.parametrize("value", [v for v in GARBAGE if v != {}], ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("place", ["name", "trust_domain", "images"])
def test_the_app_itself_as_well(place: str, value: Any) -> None:
    said: dict[str, Any] = {"name": "estate", "trust_domain": "estate.example", "images": {}} | {place: value}
    app = App(said["name"], trust_domain=said["trust_domain"], images=said["images"])
    app.postgres("x")
    assert "test_laws.py:" in refused(app)


def test_a_handle_of_the_wrong_kind_is_a_problem() -> None:
    app = shop_app()
    service, database = app.service("x", image=IMAGE, port=8080), app.postgres("y")
    service.calls(database, "GET /x")  # type: ignore[arg-type]
    service.uses(service, role="reader")  # type: ignore[arg-type]
    said = refused(app)
    assert "callee=Database" in said
    assert "database=Service" in said


# --- any graph that was edited ---------------------------------------------------------------------------------------

WORDS = (
    "",
    "*",
    "x\n",
    "a b",
    'x" { capabilities = ["sudo"] } path "*',
    "'; DROP TABLE x; --",
    "$(id)",
    "\ud800",
    "{{ .x }}",
)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, (*place, key))
    yield place


def _everything() -> Any:
    app = shop_app()
    app.service("web", image=IMAGE, port=8080).may("get", "configmaps", "flags")
    return json.loads(app.graph().to_json())


def _with(data: Any, place: tuple[Any, ...], value: Any) -> str:
    if not place:
        return json.dumps(value)
    *way, last = place
    inner = data
    for key in way:
        inner = inner[key]
    inner[last] = value
    return json.dumps(data)


JSON: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 2.5, -1, 0, 10**30, [], [[]], {}, {"a": 1}, *WORDS, *HOSTILE]
)


@settings(max_examples=500)
@given(st.sampled_from(list(_leaves(_everything()))), JSON)
def test_an_edited_graph_is_refused_in_words_or_holds_together(place: tuple[Any, ...], value: Any) -> None:
    text = _with(_everything(), place, value)
    try:
        graph = Graph.from_json(text)
    except ValueError as refusal:
        assert isinstance(refusal, IntentError) or place in ((), ("schema",))
        problems = refusal.problems if isinstance(refusal, IntentError) else ()
        assert all(problem.where and problem.remedy for problem in problems)
        return
    said = compact([*render(graph), *(o.body for o in store_objects(graph))])
    assert not [word for word in WORDS[1:] if compact(word)[1:-1] in said and word not in ("*", "a b")]


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("reads", 0, "path"), "*", "reads[0]"),
        (("reads", 0, "path"), WORDS[4], "reads[0]"),
        (("services", 0, "port"), "eighty", "services[0].port: 'eighty' is not a whole number"),
        (("services", 0, "replicas"), None, "services[0].replicas"),
        (("services", 1, "image"), "orders:latest", "services[1]"),
        (("images",), [], "no pinned image for 'envoy'"),
        (("namespaces", 0), "kube-system", "namespaces[0]"),
        (("calls", 0, "callee", "name"), "nobody", "calls[0]"),
        (("uses", 0, "role"), "admin", "uses[0]"),
        (("uses", 0, "service"), {"namespace": "shop", "name": "ghost"}, "uses[0]"),
        (("databases", 0, "ref", "name"), "template1", "databases[0]"),
        (("trust_domain",), "a b", "trust_domain"),
    ],
)
def test_a_graph_from_json_is_held_to_the_laws_of_a_program(place: tuple[Any, ...], value: Any, says: str) -> None:
    Graph.from_json(json.dumps(_everything()))  # the control
    with pytest.raises(IntentError) as caught:
        Graph.from_json(_with(_everything(), place, value))
    assert says in str(caught.value)


def test_an_object_says_nothing_twice() -> None:
    text = shop_app().graph().to_json()
    with pytest.raises(ValueError, match="said twice"):
        Graph.from_json(text.replace('"port": 8080', '"port": 8080, "port": 8081', 1))


def test_nesting_without_end_is_not_json() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        Graph.from_json("[" * 100_000)


def test_a_graph_made_by_hand_holds_together_as_well() -> None:
    with pytest.raises(IntentError, match="no pinned image"):
        Graph("estate", "estate.example")
    with pytest.raises(IntentError, match="namespaces"):
        Graph("estate", "estate.example", namespaces=["n"])  # type: ignore[arg-type]


def test_what_the_laws_looked_up_does_not_stay_in_the_graph() -> None:
    """It would be of the rows as they were said: not in order, and those of one pair not merged."""
    app = empty_app()
    shop = app.namespace("shop")
    desk, stock, audit = (
        shop.service(name, image=f"r/{name}{DIGEST}", port=8080) for name in ("desk", "stock", "audit")
    )
    desk.serves("GET /", at=app.host("api.estate.example"), to=app.users().anyone())
    for callee, operation in ((stock, "GET /b"), (audit, "GET /c"), (stock, "GET /a")):
        desk.calls(callee, operation, token="forward")
    graph = app.graph()
    assert graph.calls_from == Graph.from_json(graph.to_json()).calls_from
    assert graph.calls_from[desk.ref] == graph.calls
