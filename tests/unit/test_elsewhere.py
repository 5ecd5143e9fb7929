"""Two Apps on one cluster: what each program says of the other, what it becomes, and that half of it opens nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garrison import App, Graph, IntentError, Problem, Service, render
from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.declare.elsewhere import seen
from garrison.declare.program import graph_of
from garrison.derive.mesh import config
from garrison.explain import diagram, drawing
from garrison.explain.allowed import allowed as sentences
from garrison.explain.changes import as_table, changes
from garrison.explain.choice import Choice, chosen
from garrison.model.calls import Call, Operation
from garrison.model.elsewhere import Foreign
from garrison.words import Ref
from garrison_policies.places import whole
from unit.estates import DIGEST, IMAGES
from unit.neighbours import ORDERS, PAYMENTS, alone, bank, shop, together
from unit.netmodel import Pod, allowed, pods

CALLER, CALLEE = Ref.parse(ORDERS), Ref.parse(PAYMENTS)
IMAGE = "registry.example/s" + DIGEST
HERE = Path(__file__).name


def refused(said: Callable[[], object]) -> list[Problem]:
    """The problems, each at a line of this file."""
    with pytest.raises(IntentError) as caught:
        said()
    problems = list(caught.value.problems)
    assert all(re.search(rf"(^|/){HERE}:[0-9]+$|neighbours.py:[0-9]+$", problem.where) for problem in problems), (
        problems
    )
    return problems


def words(said: Callable[[], object]) -> str:
    (problem,) = refused(said)
    return f"{problem.what}; {problem.remedy}"


def app(name: str, domain: str = "estate.example") -> App:
    return App(name, trust_domain=domain, images=IMAGES)


def server(name: str, **more: Any) -> App:
    """An App of one service in the namespace of its name."""
    made = app(name)
    made.namespace(name).service("s", image=IMAGE, **{"port": 8080, **more})
    return made


# --- each half is useless alone ---------------------------------------------------------------------------------------


def reached(*graphs: Graph) -> set[tuple[str, str]]:
    """Who gets to whose mesh port across the two Apps, by everything that both derive."""
    manifests = [item for graph in graphs for item in render(graph)]
    found = pods(manifests)
    return {
        (f"{a[0]}/{a[1]}", f"{b[0]}/{b[1]}")
        for a in found
        for b in found
        if a[0] != b[0] and allowed(manifests, found[a], found[b], d.MTLS_PORT)
    }


def test_the_network_lets_through_what_both_say_and_nothing_of_what_one_says() -> None:
    (shop_alone, bank_alone), (calling, admitting) = alone(), together()
    assert reached(calling, admitting) == {(ORDERS, PAYMENTS)}
    assert reached(calling, bank_alone) == set(), "the caller's half alone"
    assert reached(shop_alone, admitting) == set(), "the callee's half alone"
    assert reached(shop_alone, bank_alone) == set()


def test_the_model_of_the_halves_can_say_yes() -> None:
    """Each half is a half: with the other App's policies away it is what lets the call through."""
    calling, admitting = together()
    orders, payments = (
        pods(render(graph))[ref.namespace, ref.name]
        for graph, ref in zip((calling, admitting), (CALLER, CALLEE), strict=True)
    )
    assert allowed(render(calling), orders, payments, d.MTLS_PORT)
    assert allowed(render(admitting), orders, payments, d.MTLS_PORT)
    assert not allowed(render(alone()[0]), orders, payments, d.MTLS_PORT)
    assert not allowed(render(alone()[1]), orders, payments, d.MTLS_PORT)


def test_no_other_port_and_nobody_else_of_the_other_app() -> None:
    manifests = [item for graph in together() for item in render(graph)]
    orders, payments = (pods(manifests)[ref.namespace, ref.name] for ref in (CALLER, CALLEE))
    for port in (8080, d.HEALTH_PORT, d.DATABASE_PORT):
        assert not allowed(manifests, orders, payments, port)
    assert not allowed(manifests, payments, orders, d.MTLS_PORT), "not back"
    for name in ("catalog", "payments", "stranger"):
        assert not allowed(manifests, Pod.named("shop", **{d.NAME: name}), payments, d.MTLS_PORT)


def proxy(graph: Graph, ref: Ref) -> str:
    return config(graph, Cluster(), graph.by_ref[ref])["envoy.json"]


def test_the_caller_names_whom_it_talks_to_and_the_callee_who_may_do_what() -> None:
    calling, admitting = together()
    ways = [
        one for one in json.loads(proxy(calling, CALLER))["static_resources"]["clusters"] if one["name"] == PAYMENTS
    ]
    tls = json.dumps(ways)
    assert '"exact": "spiffe://estate.example/ns/bank/sa/payments"' in tls
    assert "payments.bank.svc.cluster.local" in tls
    rule = re.search(
        r'"policies":(\{.*?\}),"action"|"action":"ALLOW","policies":(\{"bank/audit".*)', proxy(admitting, CALLEE)
    )
    assert rule
    assert '"shop/orders"' in rule[0]
    assert "spiffe://estate.example/ns/shop/sa/orders" in rule[0]
    assert "shop" not in proxy(alone()[1], CALLEE)


def test_nothing_of_the_other_app_is_made_or_changed() -> None:
    def places(graph: Graph) -> set[tuple[str, str, str]]:
        found = [
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in render(graph)
        ]
        return {*found}

    for before, after in zip(alone(), together(), strict=True):
        assert places(before) == places(after), "not one object more"
        assert {space for _, space, _ in places(after)} == {"", *after.namespaces}
        assert {name for kind, _, name in places(after) if kind == "Namespace"} == {*after.namespaces}


def test_what_changes_is_the_two_ends_alone() -> None:
    for ref, before, after in zip((CALLER, CALLEE), alone(), together(), strict=True):
        was = render(before)
        changed = [item for item in render(after) if item not in was]
        assert {(item["kind"], item["metadata"]["name"]) for item in changed} == {
            ("NetworkPolicy", ref.name),
            ("ConfigMap", f"{ref.name}-proxy"),
            ("Deployment", ref.name),  # its sidecar begins anew with that
        }


# --- every way to call, and every caller ------------------------------------------------------------------------------


def test_grpc_tcp_further_ports_and_jobs_go_over_too() -> None:
    there = app("b")
    home = there.namespace("b")
    cart = home.service("cart", image=IMAGE, port=7070, protocol="grpc")
    queue = home.service("queue", image=IMAGE, port=4222, protocol="tcp")
    numbers = cart.port("metrics", 9090)
    home.service("asks", image=IMAGE)
    here = app("a")
    worker = here.namespace("a").service("w", image=IMAGE)
    nightly = here.namespace("jobs").job("nightly", image=IMAGE, schedule="30 2 * * *")
    caller = there.elsewhere(here.graph())
    caller.service("a/w").calls(cart, "shop.Cart/Get", timeout=60)
    caller.service("a/w").connects(queue)
    caller.job("jobs/nightly").calls(numbers, "GET /metrics")
    callee = here.elsewhere(there.graph())
    worker.calls(callee.service("b/cart"), "shop.Cart/Get", env="CART_ADDR", timeout=60)
    worker.connects(callee.service("b/queue"), alias="queue:4222")
    nightly.calls(callee.service("b/cart").port("metrics"), "GET /metrics")
    graphs = here.graph(), there.graph()
    assert reached(*graphs) == {("a/w", "b/cart"), ("a/w", "b/queue"), ("jobs/nightly", "b/cart")}
    assert '"http2_protocol_options"' in proxy(graphs[0], Ref("a", "w")), "gRPC stays HTTP/2, told by their graph alone"
    assert "spiffe://estate.example/ns/jobs/sa/nightly" in proxy(graphs[1], Ref("b", "cart"))


def test_both_ways_at_once() -> None:
    """Two Apps that call each other: each graph has both halves, and reading one another has no end of it."""

    def half(name: str, other: Graph | None = None, *, calls: bool = False) -> App:
        made = app(name)
        here = made.namespace(name).service("s", image=IMAGE, port=8080)
        if other:
            there = made.elsewhere(other).service(f"{other.name}/s")
            there.calls(here, f"GET /{name}")
            if calls:
                here.calls(there, f"GET /{other.name}")
        return made

    admitting = half("b", half("a").graph()).graph()
    first = half("a", admitting, calls=True).graph()
    second = half("b", first, calls=True).graph()
    assert reached(first, admitting) == {("a/s", "b/s")}
    assert reached(first, second) == {("a/s", "b/s"), ("b/s", "a/s")}


# --- what is refused, at its line -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is no graph: the graph is not JSON"),
        ("{", "is no graph: the graph is not JSON"),
        ("[" * 100_000, "is no graph: the graph is not JSON"),
        ("{}", "is no graph: the graph is not of schema"),
        ("[1]", "is no graph: the graph is not of schema"),
        ('{"deployment": {"resources": 7}}', "is no graph"),
        ('{"graph": 7}', "is no graph"),
        ("\udcff", "is no graph"),
    ],
)
def test_a_file_that_is_no_graph_is_one_problem(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "bank.json"
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    assert said in words(lambda: shop().elsewhere(file))
    assert "garrison graph --format json" in words(lambda: shop().elsewhere(file))


def test_a_folder_or_anything_else_is_no_graph(tmp_path: Path) -> None:
    assert "cannot be read" in words(lambda: shop().elsewhere(tmp_path))
    assert "neither a file nor a Graph" in words(lambda: shop().elsewhere(7))  # type: ignore[arg-type]


HOSTILE = (
    'x","admin":"true',
    "../../etc",
    "a\nb",
    "*",
    "Payments",
    "",
    "a" * 64,
    "payments.bank",
    "default",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_graph_with_other_names_than_names_is_refused_before_anything_is_taken_of_it(
    tmp_path: Path, name: str
) -> None:
    data = json.loads(bank().graph().to_json())
    data["services"][1]["ref"]["name"] = name
    data["calls"][0]["callee"]["name"] = name
    (tmp_path / "bank.json").write_text(json.dumps(data))
    assert "bank.json does not hold together" in words(lambda: shop().elsewhere(tmp_path / "bank.json"))


@pytest.mark.parametrize("where", ["name", "trust_domain", "namespaces", "workloads", "ports", "admits"])
@pytest.mark.parametrize("text", ['"]}', "*", "a b", "spiffe://x", "kube-system", "openbao"])
def test_no_graph_holds_what_no_other_graph_could_have_said(where: str, text: str) -> None:
    """However a graph came to be: what it has of another App is held to the same forms."""
    if where in ("name", "trust_domain") and text in ("kube-system", "openbao"):
        return  # names of Apps, and domains, as good as others: the domain is not ours
    graph = together()[0]
    other = graph.elsewhere[0]
    fields: dict[str, dict[str, Any]] = {
        "name": {"name": text},
        "trust_domain": {"trust_domain": text},
        "namespaces": {"namespaces": ("bank", text)},
        "workloads": {"workloads": (*other.workloads, Foreign(Ref(text, "x")), Foreign(Ref("bank", text)))},
        "ports": {"workloads": (Foreign(Ref("bank", "audit"), ((text, "http"),)), *other.workloads[1:])},
        "admits": {"admits": (Call(CALLER, Ref("bank", text), (Operation("GET", text),)),)},
    }
    if where == "ports" and text in ("kube-system", "openbao"):
        return  # a port may be called so
    with pytest.raises(IntentError):
        replace(graph, elsewhere=(replace(other, **fields[where]),))
    assert replace(graph, elsewhere=(other,)) == graph, "the control"


def test_whoever_does_not_exist_there_is_refused_with_who_does() -> None:
    there = shop().elsewhere(bank().graph())
    assert (
        words(lambda: there.service("bank/paymets"))
        == "App 'bank' has no service 'bank/paymets'; did you mean 'bank/payments'?"
    )
    assert "it has none" in words(lambda: there.job("bank/payments"))
    assert "takes no 'image'" in words(lambda: there.service("bank/payments", image=IMAGE))  # type: ignore[call-arg]


def test_what_the_callee_does_not_admit_is_refused_with_what_it_has_to_say() -> None:
    said = words(shop(alone()[1]).graph)
    assert "App 'bank' does not let 'shop/orders' do this at 'bank/payments': POST /charges" in said
    assert "elsewhere(...).service('shop/orders').calls(payments, ...)" in said
    admitting = bank(alone()[0], "GET /charges/{id}").graph()
    assert shop(admitting, "GET /charges/{other}").graph(), "whatever the variable is called"
    assert shop(admitting, "GET /charges/1").graph(), "less than is admitted"
    assert "GET /charges\n" not in words(shop(admitting, "GET /charges/{id}", "DELETE /charges/{id}").graph)
    assert "DELETE /charges/{id}" in words(shop(admitting, "GET /charges/{id}", "DELETE /charges/{id}").graph)
    assert "GET /charges/{rest...}" in words(shop(admitting, "GET /charges/{rest...}").graph), "more than is admitted"


def test_a_call_is_admitted_to_the_app_that_is_named_and_to_no_other_of_its_names() -> None:
    """An App that calls itself otherwise, with a workload of the same name, is not the one that was admitted."""
    data = json.loads(shop().graph().to_json()) | {"name": "shopp"}
    another = app("shopp")
    another.namespace("shop").service("orders", image=IMAGE, port=8080).calls(
        another.elsewhere(together()[1]).service(PAYMENTS), "POST /charges"
    )
    assert Graph.from_json(json.dumps(data)).name == "shopp"
    assert "does not let" in words(another.graph)


def test_another_trust_domain_is_refused_with_what_to_do_instead() -> None:
    there = App("bank", trust_domain="bank.example", images=IMAGES)
    there.namespace("bank").service("payments", image=IMAGE, port=8080)
    here = shop()
    here.elsewhere(there.graph())
    said = words(here.graph)
    assert "'bank.example', this one of 'estate.example'" in said
    assert "app.external(...)" in said


def test_a_namespace_or_a_name_that_both_have_is_refused() -> None:
    there = app("bank")
    there.namespaces("bank", "shop")
    here = shop()
    here.elsewhere(there.graph())
    assert "namespace 'shop' is both of App 'shop' and of App 'bank'" in words(here.graph)
    twin = app("shop")
    twin.namespace("other")
    here = shop()
    here.elsewhere(twin.graph())
    assert "App 'shop' is there already" in words(here.graph)
    third = app("third")
    third.namespace("bank")
    here = shop()
    here.elsewhere(bank().graph())
    here.elsewhere(third.graph())
    assert "both of App 'bank' and of App 'third'" in words(here.graph)


def test_only_one_of_them_has_an_edge_or_a_way_out() -> None:
    def serving(name: str) -> App:
        made = server(name)
        made.users()
        made.host(f"api.{name}.example")
        return made

    here = serving("a")
    here.elsewhere(serving("b").graph())
    assert [p.what for p in refused(here.graph)] == [
        f"namespace {n!r} is both of App 'a' and of App 'b'" for n in ("edge", "users")
    ]
    alone_out, both_out = server("a"), server("b")
    for one in (alone_out, both_out):
        one.namespace(f"{one.name}2").service("t", image=IMAGE).calls(one.external("api.psp.example"), "GET /v1")
    alone_out.elsewhere(both_out.graph())
    assert "only one of two Apps on a cluster can have hosts outside" in words(alone_out.graph)
    assert seen(server("b").graph(), "a").namespaces == ("b",), "the control: who has none clashes with nobody"


def test_users_tokens_do_not_go_over() -> None:
    here = shop()
    orders = Service(CALLER, here)
    orders.serves("POST /orders", at=here.host("api.shop.example"), to=here.users().group("customers"))
    assert here.graph(), "the control"
    orders.calls(here.elsewhere(together()[1]).service(PAYMENTS), "POST /charges", token="forward")
    assert "would forward users' tokens to 'bank/payments', whose App has other issuers" in words(here.graph)


def test_protocols_have_to_fit() -> None:
    there = app("b")
    home = there.namespace("b")
    home.service("web", image=IMAGE, port=8080)
    home.service("queue", image=IMAGE, port=4222, protocol="tcp")
    home.service("worker", image=IMAGE)
    home.job("nightly", image=IMAGE)
    graph = there.graph()

    def said(name: str, how: Callable[[Any, Any], None], kind: str = "service") -> str:
        here = app("a")
        caller = here.namespace("a").service("c", image=IMAGE)
        how(caller, getattr(here.elsewhere(graph), kind)(name))
        return "; ".join(f"{p.what}; {p.remedy}" for p in refused(here.graph))

    assert "connects to 'b/web', which speaks http" in said("b/web", lambda c, x: c.connects(x))
    assert "which speaks tcp: nobody could check an operation" in said("b/queue", lambda c, x: c.calls(x, "GET /"))
    assert "'b/worker' has no port '', and is elsewhere" in said("b/worker", lambda c, x: c.calls(x, "GET /"))
    assert "'b/nightly' has no port '', and is elsewhere" in said("b/nightly", lambda c, x: c.calls(x, "GET /"), "job")
    assert "has no port 'metrics'" in said("b/web", lambda c, x: c.calls(x.port("metrics"), "GET /"))


def test_what_is_for_neither_program_to_say() -> None:
    here = shop()
    there = here.elsewhere(bank().graph())
    there.service(PAYMENTS).calls(there.service("bank/audit"), "GET /")
    assert "'bank/payments' and 'bank/audit' are both elsewhere" in words(here.graph)
    assert "takes no 'env'" in words(lambda: there.service(PAYMENTS).calls("shop/orders", "GET /", env="X"))  # type: ignore[call-arg]
    graph = together()[1]
    across = next(call for call in graph.calls if call.caller == CALLER)
    with pytest.raises(IntentError, match="for its own program to say"):
        replace(graph, calls=(*graph.calls, replace(across, alias="payments:80")))


def test_nobody_from_elsewhere_leaves_by_our_gateway() -> None:
    here = shop()
    psp = here.external("api.psp.example")
    there = here.elsewhere(bank().graph()).service(PAYMENTS)
    there.calls(psp, "POST /charges")  # type: ignore[arg-type]
    assert "would leave by the egress gateway of this App" in words(here.graph)


def test_another_apps_workload_is_given_nothing_else() -> None:
    """It is an end of calls alone: no secret, no lease, no right of this App, also not in a graph made by hand."""
    handle = shop().elsewhere(bank().graph()).service(PAYMENTS)
    assert not [verb for verb in ("reads", "uses", "may", "serves") if hasattr(handle, verb)]
    data = json.loads(together()[0].to_json())
    data["reads"] = [{"path": "psp/key", "service": {"namespace": "bank", "name": "payments"}}]
    with pytest.raises(IntentError, match="which nobody declared"):
        Graph.from_json(json.dumps(data))


def test_an_address_of_theirs_is_no_setting() -> None:
    here = app("shop")
    here.namespace("shop").service("orders", image=IMAGE, env={"PAYMENTS_URL": "http://payments.bank:8080"})
    assert here.graph(), "as long as nobody knows what it is"
    here.elsewhere(bank().graph())
    assert "names 'bank/payments'" in words(here.graph)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_graph_is_read_as_it_was_written_registered_or_exported(tmp_path: Path) -> None:
    graph = json.loads(together()[1].to_json())
    outputs = {"graph": graph, "cluster": json.loads(Cluster().to_json()), "adjusted": []}
    stack = {"version": 3, "deployment": {"resources": [{"type": "garrison:index:Estate", "outputs": outputs}]}}
    for number, form in enumerate((graph, outputs, stack)):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(form))
        here = shop()
        there = here.elsewhere(file)
        assert there.service(PAYMENTS).ref == CALLEE
        assert here.graph().elsewhere == together()[0].elsewhere
    stack["deployment"]["resources"] *= 2  # type: ignore[index]
    (tmp_path / "two.json").write_text(json.dumps(stack))
    assert "has 2 estates" in words(lambda: shop().elsewhere(tmp_path / "two.json"))


def test_a_path_that_is_a_text_is_beside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "bank.json").write_text(together()[1].to_json())
    (folder / "shop.py").write_text(
        "from garrison import App\n"
        f"app = App('shop', trust_domain='estate.example', images={IMAGES!r})\n"
        f"orders = app.service('orders', image={IMAGE!r}, port=8080)\n"
        "orders.calls(app.elsewhere('bank.json').service('bank/payments'), 'POST /charges')\n"
    )
    monkeypatch.chdir(tmp_path)
    graph = graph_of(folder / "shop.py")
    assert [str(call.callee) for call in graph.calls] == [PAYMENTS]
    (folder / "bank.json").unlink()
    with pytest.raises(IntentError, match=r"program/shop.py:4: bank.json cannot be read"):
        graph_of(folder / "shop.py")


def test_a_graph_with_others_is_json_and_comes_back() -> None:
    for graph in together():
        assert Graph.from_json(graph.to_json()) == graph
        assert Graph.from_json(graph.to_json()).to_json() == graph.to_json()
    assert "elsewhere" not in json.loads(alone()[0].to_json()), "who knows of nobody writes what earlier versions read"


# --- what people see --------------------------------------------------------------------------------------------------


def test_each_side_says_who_may_newly_call_whom() -> None:
    for other, before, after in zip(("bank", "shop"), alone(), together(), strict=True):
        found = changes(before, after, before=Cluster(), after=Cluster())
        line = f"shop/orders may POST /charges at bank/payments, as far as App {other} says it too"
        assert found.gained == (line,)
        assert found.declared == (f"+ App elsewhere {other}",)
        assert as_table(found).startswith(f"+ {line}\n")
        assert line in map(str, sentences(after))
        back = changes(after, before, before=Cluster(), after=Cluster())
        assert (back.gained, back.lost) == ((), (line,))


def test_what_the_other_app_does_by_itself_is_no_change_here() -> None:
    calling, admitting = together()
    there = bank(alone()[0])
    there.add(replace(there.statements[1], ref=Ref("bank", "more")))  # type: ignore[call-arg]
    more = shop(there.graph()).graph()
    assert more != calling, "who is there is part of what is known"
    assert not changes(calling, more, before=Cluster(), after=Cluster())
    there.namespace("vault")
    wider = changes(calling, shop(there.graph()).graph(), before=Cluster(), after=Cluster())
    assert wider.declared == ("~ App elsewhere bank: namespaces ('bank',) -> ('bank', 'vault')",)
    assert not wider.objects
    assert seen(admitting, "shop").namespaces == ("bank",)


def test_pictures_have_the_other_apps_end_in_a_frame_of_its_own() -> None:
    calling, admitting = together()
    assert '    bank.payments[["payments<br/>of App bank"]]' in diagram.mermaid(calling)
    assert 'shop.orders -- "POST /charges" --> bank.payments' in diagram.mermaid(calling)
    assert '    shop.orders[["orders<br/>of App shop"]]' in diagram.mermaid(admitting)
    assert "audit" not in diagram.mermaid(calling), "who has no call with us is not drawn"
    picture = drawing.svg(calling)
    assert "of App bank" in picture
    assert "workload of another App" in picture, "in the legend"
    for name in (PAYMENTS, "payments"):
        assert [call.callee for call in chosen(calling, Choice(to=name)).calls] == [CALLEE]
    assert [call.caller for call in chosen(admitting, Choice(of="orders")).calls] == [CALLER]


def test_each_apps_guard_has_its_own_name_and_its_own_namespaces() -> None:
    spaces = []
    for graph in together():
        (policy, _) = whole.of_the_estate(graph, Cluster())
        assert policy["metadata"]["name"] == f"garrison-estate-{graph.name}"
        (selected,) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
        assert selected["operator"] == "In"
        spaces.append({*selected["values"]})
    assert spaces == [{"shop"}, {"bank"}]
