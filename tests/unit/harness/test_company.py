"""Whose worker a file of the cluster's tests is, and whether it is alone there."""

from __future__ import annotations

from cluster import company
from harness.paths import REPO

LISTS = (company.FIRST, company.BESIDE, company.OWN_CLUSTER)


def test_every_file_that_is_named_is_there_and_of_one_company() -> None:
    there = {file.name for file in (REPO / "tests" / "cluster").glob("test_*.py")}
    named = [file for files in LISTS for file in files]
    assert sorted(named) == sorted({*named} & there)


def test_one_worker_has_the_estate_from_its_first_file_to_its_end() -> None:
    estate = {company.worker(file) for file in (*company.FIRST, "test_prove.py", "test_unmaking.py")}
    others = {company.worker(file) for files in LISTS[1:] for file in files}
    assert (len(estate), len(others), estate & others) == (1, 2, set())


def test_what_nobody_listed_comes_last_and_is_alone() -> None:
    assert not company.shared("test_new.py")
    assert company.place("test_new.py") > max(company.place(file) for files in LISTS for file in files)
