"""The proof of the way out on real Envoys: its own probes, its own tool, and every cut of the drill in turn."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from garrison import defaults as d
from garrison.prove.drill.cuts import GATEWAY_KINDS
from garrison.prove.expect.expected import expected
from garrison.prove.expect.outside import externals
from garrison.prove.judge import classify
from garrison.prove.judge.verdict import leaked
from garrison.prove.look import opening
from garrison.prove.look.forge import NOBODY, KeyPair
from garrison.prove.look.world import Place, World, specs
from garrison.prove.model import FREE_PORT, Connect, Kind, Probe, Request, Result
from harness.ports import free_port
from prober.batch import run
from servers.egresses import CHARGE, PSP, Bench, gateway, stand
from servers.proxies import Application, eventually

FORGED = {"foreign domain": "far", "foreign authority": "forged", "undeclared identity": "nobody"}
Gateways = Mapping[str, int]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with stand(tmp_path_factory.mktemp("egress")) as made:
        eventually(lambda: made.call(CHARGE)[0] == 200, "the provider is found")
        yield made


@pytest.fixture(scope="module")
def beside() -> Iterator[int]:
    """What the copy of the gateway has beside it: the probe tool, which answers everything."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def weakened(config: Mapping[str, str], cut: str) -> dict[str, str]:
    return opening.without(cut, config) if cut else dict(config)


@pytest.fixture(scope="module", params=["", *GATEWAY_KINDS])
def cut(
    request: pytest.FixtureRequest, out: Bench, beside: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Gateways]]:
    """The gateway and both of its copies, without one of its protections."""
    config = weakened(out.config, request.param)
    moved = [(f'"port_value":{FREE_PORT}', f'"port_value":{beside}')]
    moved += [(f'"end":{FREE_PORT + 1},"start":{FREE_PORT}', f'"end":{beside + 1},"start":{beside}')]
    steered = opening.steered(config)
    for old, new in moved:
        assert request.param or old in steered["envoy.json"]
        steered["envoy.json"] = steered["envoy.json"].replace(old, new)
    with ExitStack() as stack:
        ports = {}
        for name, texts in (("", config), ("mistaken", opening.mistaken(config)), ("steered", steered)):
            folder, ports[name] = tmp_path_factory.mktemp("cut") / "gateway", free_port()
            stack.enter_context(gateway(out, folder, texts, ports[name]))
        yield request.param, ports


def probes(out: Bench) -> list[Probe]:
    """Of everybody at the provider, whether the network would have stopped it or not."""
    return [
        probe
        for probe in expected(out.graph)
        if probe.target.role == "external"
        and probe.target.name.startswith(PSP)
        and probe.source.role == "service"
        and not isinstance(probe.attempt, Connect)
        and probe.kind != Kind.IMPOSTOR
    ]


def found(out: Bench, ports: Gateways, some: Sequence[Probe]) -> list[Result]:
    """As the probe tool sees it, here instead of in a pod."""
    observations = run([_attempt(out, ports, probe) for probe in some], 5.0)
    pairs = zip(some, observations, strict=True)
    return [Result(probe, classify.read(probe.attempt, observation)) for probe, observation in pairs]


def _attempt(out: Bench, ports: Gateways, probe: Probe) -> dict[str, Any]:
    there = (Place("127.0.0.1"),)
    pairs = {name: _pair(out.folder / "id" / folder) for name, folder in FORGED.items()}
    forged = {(name, ref): pair for name, pair in pairs.items() for ref in (*out.graph.by_ref, NOBODY)}
    here = World(
        out.graph,
        dict.fromkeys(externals(out.graph), there),
        forged=forged,  # type: ignore[arg-type]
        gateways={"mistaken": there, "steered": there},
    )
    (spec,) = specs(probe, here).values()
    text = json.dumps(spec)
    for path in (d.IDENTITY_DIR, d.TRUST_DIR):
        text = text.replace(path, str(out.folder / "id" / probe.source.name))
    attempt: dict[str, Any] = json.loads(text)
    by = probe.attempt.by if isinstance(probe.attempt, Request) else ""
    own = {"payments": out.sidecar, "reports": out.own}
    attempt["port"] = ports[by] if attempt["port"] == d.MTLS_PORT else own[probe.source.name]
    return attempt


def _pair(folder: Path) -> KeyPair:
    return KeyPair((folder / "tls.crt").read_text(), (folder / "tls.key").read_text())


def test_every_probe_finds_what_it_must_and_each_cut_is_noticed_by_its_kind(
    out: Bench, cut: tuple[str, Gateways]
) -> None:
    name, ports = cut
    eventually(lambda: _answers(out, ports), "the gateway has found the provider")
    results = found(out, ports, probes(out))
    kinds = {probe.kind for probe in probes(out)}
    assert kinds >= {kind for kind, _ in GATEWAY_KINDS.values()} | {Kind.DECLARED, Kind.DIRECT, Kind.NO_TLS}
    for result in results:
        where = f"{result.probe.source} {result.probe.kind} {result.probe.attempt}: {result.seen}"
        if not result.probe.layers or not name:
            assert result.ok or result.probe.layers == {"network"}, where
        if not name and result.probe.layers == {"network"}:
            assert result.seen.verdict == "refused", where
    noticed = {result.probe.kind for result in results if "network" not in result.probe.layers and leaked(result)}
    assert (GATEWAY_KINDS[name][0] in noticed) if name else not noticed, results


def _answers(out: Bench, ports: Gateways) -> bool:
    direct = next(p for p in probes(out) if p.kind == Kind.DIRECT and isinstance(p.attempt, Request))
    return found(out, ports, [direct])[0].ok
