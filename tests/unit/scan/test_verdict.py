"""Thresholds and ignores: what fails, what is told, and that an ignore cannot outlive its reason."""

from __future__ import annotations

import datetime
import json

import pytest

from unit.scan.world import OS_PACKAGES, VULNERABLE, World, report

TODAY = datetime.datetime.now(datetime.UTC).date()
LATER = TODAY + datetime.timedelta(days=30)
IGNORE = f'[[ignore]]\nid = "CVE-2022-0778"\nowner = "platform"\nreason = "not reachable"\nexpires = {LATER}\n'
SECRET = {
    "RuleID": "private-key",
    "Severity": "HIGH",
    "Title": "Asymmetric Private Key",
    "StartLine": 1,
    "Match": "MIIE",
}
ROOT = {"ID": "DS-0002", "Severity": "HIGH", "Title": "Image user should not be 'root'", "Status": "FAIL"}
FORBIDDEN = {"Name": "AGPL-3.0", "PkgName": "x", "Category": "forbidden", "Severity": "CRITICAL"}
RESULTS = {
    "vulnerability": {**OS_PACKAGES, "Vulnerabilities": [VULNERABLE]},
    "secret": {"Target": "/key.pem", "Class": "secret", "Secrets": [SECRET]},
    "misconfiguration": {"Target": "Dockerfile", "Class": "config", "Misconfigurations": [ROOT]},
    "licence": {"Target": "OS Packages", "Class": "license", "Licenses": [FORBIDDEN]},
}


def found(world: World, *kinds: str) -> None:
    world.says(image=report(OS_PACKAGES, *(RESULTS[kind] for kind in kinds)))


@pytest.mark.parametrize("kind", RESULTS)
def test_each_kind_of_finding_fails_until_its_threshold_is_above_it(
    world: World, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.scan() == 0
    found(world, kind)
    assert world.scan() == 1
    told = capsys.readouterr().out
    assert kind in told
    assert "not clean: 1 failing" in told
    if kind != "licence":  # nothing is above critical
        world.settings(f'[thresholds]\n{kind} = "critical"\n')
        assert world.scan() == 0
        assert "1 below the thresholds" in capsys.readouterr().out


def test_a_finding_without_severity_counts_as_the_settings_say(world: World) -> None:
    vague = {**OS_PACKAGES, "Vulnerabilities": [{**VULNERABLE, "Severity": "UNKNOWN"}]}
    world.says(image=report(vague))
    assert world.scan() == 1
    world.settings('[thresholds]\nunknown = "low"\n')
    assert world.scan() == 0


def test_what_passed_is_no_finding(world: World) -> None:
    passed = {**RESULTS["misconfiguration"], "Misconfigurations": [{**ROOT, "Status": "PASS"}]}
    world.says(image=report(OS_PACKAGES, passed))
    assert world.scan() == 0


def test_a_system_out_of_support_fails(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    old = report()
    old["Metadata"]["OS"]["EOSL"] = True
    world.says(image=old)
    assert world.scan() == 1
    assert "gets no security updates any more" in capsys.readouterr().out


@pytest.mark.parametrize("user", ["", "root", "0", "0:1000", "00"])
def test_an_image_that_runs_as_root_fails(world: World, user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.scan() == 0
    rooted = report()
    rooted["Metadata"]["ImageConfig"]["config"] = {"User": user} if user else {}
    world.says(image=rooted)
    assert world.scan() == 1
    assert "runs as root" in capsys.readouterr().out


def test_errors_that_take_nothing_away_are_no_errors(world: World) -> None:
    world.behaves(r"printf '2026\tERROR\t[misconfig] Falling back to embedded checks\n' >&2")
    world.settings()
    assert world.scan() == 0


def test_a_secret_is_never_repeated(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found(world, "secret")
    for form in ("table", "json", "sarif"):
        assert world.scan(None, "--format", form) == 1
        out = capsys.readouterr().out
        assert "private-key" in out
        assert "MIIE" not in out


def test_an_ignore_covers_what_it_names_and_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found(world, "vulnerability")
    assert world.scan() == 1
    world.settings(IGNORE)
    assert world.scan() == 0
    assert "platform, 30 days left: not reachable" in capsys.readouterr().out
    found(world, "vulnerability", "secret")
    assert world.scan() == 1, "and nothing else"


@pytest.mark.parametrize("line", ['where = "libc6"', 'target = "other*"'])
def test_an_ignore_for_another_place_covers_nothing_and_is_told(
    world: World, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found(world, "vulnerability")
    world.settings(IGNORE + 'where = "open*"\n')
    assert world.scan() == 0
    world.settings(f"{IGNORE}{line}\n")
    assert world.scan() == 1
    assert "nothing it covers was found; remove it" in capsys.readouterr().err


def test_an_ignore_ends_on_its_day(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found(world, "vulnerability")
    world.settings(IGNORE.replace(str(LATER), str(TODAY)))
    assert world.scan() == 0
    world.settings(IGNORE.replace(str(LATER), str(TODAY - datetime.timedelta(days=1))))
    assert world.scan() == 1
    assert "HIGH  ignore-expired" in capsys.readouterr().out
    world.says(image=report())
    assert world.scan() == 1, "an expired ignore fails even where it hides nothing any more"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('owner = "platform"\n', "", "owner is missing"),
        ('owner = "platform"', 'owner = " "', "write a text"),
        ('reason = "not reachable"\n', "", "reason is missing"),
        (f"expires = {LATER}\n", "", "expires is missing"),
        (f"expires = {LATER}", f'expires = "{LATER}"', "without quotes"),
        (f"expires = {LATER}", "expires = 2999-01-01", "or an earlier day"),
        ('id = "CVE-2022-0778"', 'id = "CVE-*"', "name one finding"),
        ("owner", "ovner", "did you mean 'owner'"),
    ],
)
def test_an_ignore_nobody_answers_for_is_refused(
    world: World, old: str, new: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found(world, "vulnerability")
    world.settings(IGNORE)
    assert world.scan() == 0
    world.settings(IGNORE.replace(old, new))
    assert world.scan() == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[thresholds]\nvulnerability = "hihg"', "write one of low"),
        ('[thresholds]\nvulnerabilty = "high"', "did you mean 'vulnerability'"),
        ("[threshold]\n", "did you mean 'thresholds'"),
        ("thresholds = 3\n", "is not a table"),
        ("[broken", "cannot be read"),
    ],
)
def test_bad_settings_are_refused_not_replaced_by_defaults(
    world: World, more: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.settings('[thresholds]\nvulnerability = "high"\n')
    assert world.scan() == 0
    file = world.folder / "scan.toml"
    world.settings()
    file.write_text(f"{more}\n{file.read_text()}" if more.startswith("thresholds") else f"{file.read_text()}{more}\n")
    assert world.scan() == 2
    assert says in capsys.readouterr().err


def test_a_withdrawn_release_is_refused_whatever_its_checksum(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.scan() == 0
    file = world.folder / "scan.toml"
    file.write_text(file.read_text().replace("0.69.3", "0.69.4"))
    assert world.scan() == 2
    assert "a malicious release" in capsys.readouterr().err


def test_the_report_for_machines_says_the_same(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found(world, "vulnerability", "licence")
    assert world.scan(None, "--format", "json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["report"], said["clean"]) == ("scan", False)
    failing = {finding["id"]: (finding["severity"], finding["fixed"]) for finding in said["failing"]}
    assert failing == {"AGPL-3.0": ("critical", ""), "CVE-2022-0778": ("high", "3.0.2-1")}


def test_sarif_has_what_fails_and_what_is_ignored(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found(world, "vulnerability", "licence")
    world.settings(IGNORE)
    assert world.scan(None, "--format", "sarif") == 1
    run = json.loads(capsys.readouterr().out)["runs"][0]
    suppressed = {one["ruleId"]: "suppressions" in one for one in run["results"]}
    assert suppressed == {"AGPL-3.0": False, "CVE-2022-0778": True}
    (place,) = run["results"][0]["locations"]
    assert place["logicalLocations"] == [{"fullyQualifiedName": "licence x", "kind": "object"}]


def test_what_is_in_a_folder_is_pointed_at_in_its_file(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.folder / "sources").mkdir()
    lock = {**OS_PACKAGES, "Class": "lang-pkgs", "Target": "requirements.lock", "Vulnerabilities": [VULNERABLE]}
    key = {**RESULTS["secret"], "Target": "key.pem", "Secrets": [{**SECRET, "StartLine": 3}]}
    world.says(filesystem=report(lock, key, kind="filesystem"))
    assert world.scan(world.folder / "sources", "--format", "sarif") == 1
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    places = {one["ruleId"]: one["locations"][0]["physicalLocation"] for one in results}
    folder = world.folder / "sources"
    assert places == {
        "CVE-2022-0778": {"artifactLocation": {"uri": f"{folder}/requirements.lock"}, "region": {"startLine": 1}},
        "private-key": {"artifactLocation": {"uri": f"{folder}/key.pem"}, "region": {"startLine": 3}},
    }
