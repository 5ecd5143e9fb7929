"""The proof with the real embedded issuer: throwaway people, their tokens and sessions, through a real edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from garrison.deployment.vault import StoreConnection, people
from garrison.deployment.vault.probing import STEM, Probing, probing
from garrison.prove.expect.edge import trials
from garrison.prove.judge.entry import probe_of
from garrison.prove.judge.report import sentence
from garrison.prove.look.entry import Entry
from garrison.prove.look.tickets import NEEDS_KEY, Embedded, Forging
from garrison.prove.look.trying import Trying, possible
from garrison.prove.model import Result
from garrison.prove.trials import Try
from servers.edges import CLUSTER
from servers.test_login import Place, place  # noqa: F401 a fixture
from unit.served import DESK, WWW

RUN = "abc123"


@dataclass(frozen=True)
class Bench:
    place: Place
    probing: Probing
    entry: Entry
    tokens: Forging


@pytest.fixture(scope="module")
def bench(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:  # noqa: F811
    users = place.users
    ca = Path(users.bao.ca_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAO_TOKEN", users.people.token)
        left = f"{STEM}killed-1"
        people.add(users.people, left, ["customers"], {})
        people.add(users.people, "garrison-probes", ["customers"], {})  # somebody's own name
        with probing(RUN, StoreConnection(address=users.bao.address, ca_file=str(ca))) as made:
            assert left not in {one.name for one in people.everybody(users.people)}, "what a killed run left"
            entry = Entry("127.0.0.1", place.edge.port, ca, 10.0, CLUSTER.entrance.port)
            embedded = Embedded(users.graph, CLUSTER, made, entry)
            yield Bench(place, made, entry, Forging(embedded))
        assert "garrison-probes" in {one.name for one in people.everybody(users.people)}
        assert not [one.name for one in people.everybody(users.people) if one.name.startswith(STEM)]


def test_everything_that_the_issuer_can_be_brought_to_give_is_tried_and_as_expected(bench: Bench) -> None:
    chosen = [trial for trial in trials(bench.place.users.graph) if trial.kind != Try.LIMIT]
    can, cannot = possible(chosen, bench.tokens)
    assert {(left.trial.kind, left.why) for left in cannot} == {
        *((kind, NEEDS_KEY) for kind in (Try.WRONG_ISSUER, Try.REMOVED_KEY, Try.NO_EXPIRY)),
        (Try.SCOPE_FOR_GROUP, "the issuer gives nobody a token with a scope"),
        *((left.trial.kind, left.why) for left in cannot if left.trial.host == DESK or "desk" in left.trial.detail),
    }
    trying = Trying(bench.entry, bench.tokens)
    results = [Result(probe_of(trial, bench.entry.port), trying.one(trial)) for trial in can]
    assert [sentence(result) for result in results if not result.ok] == []
    tried = {result.probe.kind for result in results}
    assert {Try.EXPIRED, Try.NOT_YET, Try.WRONG_AUDIENCE, Try.NO_GROUP, Try.WRONG_CLAIM, Try.NO_SESSION} <= tried
    assert {Try.OTHER_HOST, Try.FALSE_SESSION, Try.PUBLIC_KEY_AS_SECRET} <= tried
    assert [r for r in results if r.probe.source.name == WWW and not r.probe.layers and r.ok], "a session, by login"
