"""The page about public applications is what the programs and the tables say."""

from __future__ import annotations

from examples import document, upstream
from examples.document import FIVE, SIX, computed, page, reasoned
from examples.tables import APPS, LATER, ONE_POD, awaited, edges, rows
from examples.test_upstream import CHART, here
from harness.paths import REPO


def test_the_page_is_what_the_programs_say() -> None:
    """Renewed with `python -m examples.document > docs/applications.md`."""
    assert (REPO / "docs" / "applications.md").read_text() == page()


def test_all_are_all() -> None:
    assert sum(workloads for _, workloads, _ in SIX.values()) + sum(workloads for workloads, _ in FIVE.values()) == 189
    assert sum(all_edges for _, _, all_edges in SIX.values()) + sum(all_edges for _, all_edges in FIVE.values()) == 365
    assert set(SIX) == set(APPS) == set(document.REFUSED)


def test_the_table_of_edges_has_them_all() -> None:
    for app in APPS:
        assert sum(edge.shown != ONE_POD for edge in edges(app)) == SIX[app][2]


def test_a_program_that_loads_declares_everything() -> None:
    for app in APPS:
        row = computed(app)
        if not awaited(app):
            assert row.workloads[1:] == (SIX[app][1], SIX[app][1])
            assert row.edges[1:] == (SIX[app][2], SIX[app][2])
    assert computed("online_boutique").workloads[1] == 12


def test_what_is_reasoned_names_words_and_applications_that_there_are() -> None:
    for row in rows("reasoned.tsv"):
        assert row["app"] in FIVE
        assert row["word"] in {*LATER, "never"}
    assert all(reasoned(name).workloads[1] <= FIVE[name][0] for name in FIVE)


@here
def test_the_six_are_as_large_as_their_manifests() -> None:
    for app in APPS:
        assert len(upstream.workloads(app)) + len(CHART.get(app, ())) == SIX[app][1]
