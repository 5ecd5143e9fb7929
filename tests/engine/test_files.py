"""What `garrison render -o` writes is what Pulumi registers: object by object, and in an order that holds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.test_resources import Recorder, kubernetes
from engine.test_resources import run as under_pulumi
from garrison import App, cli
from garrison.declare.program import load
from garrison.manifest import Manifest, identity
from garrison.settings import Settings, settings_of
from garrison_stack import files
from garrison_stack.pulumi_program import register
from garrison_stack.whole import Whole, whole
from harness import build
from unit.estates import any_app, shop_app
from unit.served import served_app

REPO = Path(__file__).parents[2]
KIND = REPO / "stacks" / "Pulumi.kind.yaml"


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
        patch.setenv("GARRISON_CHARTS", str(build.obtain("charts")))
        for name in ("GARRISON_SIGNED_IMAGES", "GARRISON_EXCEPTIONS", "GARRISON_SETTINGS"):
            patch.delenv(name, raising=False)
        yield


def example() -> App:
    return load(REPO / "stacks" / "estate.py")


def foreign() -> App:
    return served_app(foreign=True)


def there(**more: Any) -> Settings:
    return Settings(charts=build.obtain("charts"), api_server=("10.0.0.0/24",), **more)


def on_kind() -> Settings:
    return settings_of(KIND, {"GARRISON_CHARTS": str(build.obtain("charts"))})


def bare() -> Settings:
    """A cluster that has everything already."""
    return Settings(
        install_cert_manager=False,
        install_trust_manager=False,
        issuer="corporate",
        install_openbao=False,
        openbao_address="https://store.example:8200",
        openbao_ca=Path("/ca.pem"),
        api_server=("10.0.0.0/24",),
    )


CASES: list[tuple[Callable[[], App], Callable[[], Settings]]] = [
    (example, on_kind),
    (shop_app, bare),
    (any_app, there),
    (foreign, lambda: there(generated_secrets=("a/b", "psp/api-key"))),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0].__name__)
def what(request: pytest.FixtureRequest, _machine: None) -> Whole:
    app, settings = request.param
    return whole(app(), settings())


@pytest.fixture(scope="module")
def recorder(what: Whole) -> Recorder:
    """What Pulumi registers of it."""
    return under_pulumi(lambda: register(what))


@pytest.fixture(scope="module")
def contents(what: Whole) -> dict[str, str]:
    return files.contents(what, "clusters/kind/deploy")


def loaded(text: str) -> Iterator[Manifest]:
    return yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def objects(contents: dict[str, str]) -> list[Manifest]:
    names = [name for name in contents if name.endswith(files.OBJECTS)]
    return [item for name in names for item in loaded(contents[name])]


def plain(item: Manifest) -> Manifest:
    """Without what is for controllers alone: notes, and the kind of claims, which the API server writes itself."""
    for claim in item.get("spec", {}).get("volumeClaimTemplates", ()):
        assert (claim.pop("apiVersion"), claim.pop("kind")) == ("v1", "PersistentVolumeClaim")
    notes = {k: v for k, v in item["metadata"]["annotations"].items() if k not in files.NOTES}
    rest = {k: v for k, v in item["metadata"].items() if k != "annotations"}
    return {**item, "metadata": rest | ({"annotations": notes} if notes else {})}


def test_object_by_object_it_is_what_pulumi_registers(recorder: Recorder, contents: dict[str, str]) -> None:
    by_pulumi = {identity(item): item for item in kubernetes(recorder)}
    in_files = {identity(item): plain(item) for item in objects(contents)}
    assert len(by_pulumi) > 30
    assert in_files.keys() == by_pulumi.keys(), "nothing more and nothing less"
    for key, item in by_pulumi.items():
        assert in_files[key] == item, key


def test_the_store_gets_what_pulumi_gives_it(recorder: Recorder, contents: dict[str, str]) -> None:
    said = json.loads(contents["store.json"])
    servers = {one["server"].partition("/")[2]: one for one in said["servers"]}
    for kind, key in (("StoreObject", "objects"), ("GeneratedSecret", "generated")):
        found: dict[str, list[Any]] = {}
        for args in (args for args in recorder.seen if args.typ.endswith(f":{kind}")):
            whose = str(args.inputs["connection"]["service"])
            wanted = args.inputs["path"] if kind == "GeneratedSecret" else _written(args.inputs)
            found.setdefault(whose, []).append(wanted)
        assert {name: one[key] for name, one in servers.items() if one[key]} == found, "in the same order"
    keys = [args.name for args in recorder.seen if args.typ.endswith(":SealKey")]
    assert sorted(said["keys"]) == sorted(keys)
    addresses = {args.inputs["connection"].get("address") for args in _stored(recorder)}
    assert addresses <= {said.get("address"), None}


def _stored(recorder: Recorder) -> list[Any]:
    return [args for args in recorder.seen if args.typ.endswith((":StoreObject", ":StoreRights"))]


def _written(inputs: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps({"path": inputs["path"], "body": inputs["body"]}))
    return whole


def test_no_file_has_a_secret(contents: dict[str, str]) -> None:
    assert not [item for item in objects(contents) if item["kind"] == "Secret"]


def test_each_thing_comes_after_what_it_needs(contents: dict[str, str]) -> None:
    found = objects(contents)
    waves = {identity(item): int(item["metadata"]["annotations"][files.WAVE]) for item in found}
    assert list(waves.values()) == sorted(waves.values()), "the folders are in the order of the waves"
    spaces = {item["metadata"]["name"]: waves[identity(item)] for item in found if item["kind"] == "Namespace"}
    defined = {
        item["spec"]["names"]["kind"]: waves[identity(item)]
        for item in found
        if item["kind"] == "CustomResourceDefinition"
    }
    guards = max(waves[identity(item)] for item in found if item["kind"].startswith("ValidatingAdmissionPolicy"))
    later = ("Deployment", "StatefulSet", "Job", "CronJob", "Service")
    for item in found:
        here = waves[identity(item)]
        if (space := item["metadata"].get("namespace")) in spaces:
            assert here >= spaces[space], "made in one go in the order of Kubernetes' kinds, or later"
            assert here > spaces[space] or item["kind"] not in later
        if item["kind"] in defined:
            assert here > defined[item["kind"]], "a kind is known first"
        if not item["kind"].startswith("ValidatingAdmission"):
            assert here > guards, "nothing is made that nobody guards"


def test_flux_waits_for_what_argo_waits_for(what: Whole, contents: dict[str, str]) -> None:
    steps = list(loaded(contents[files.FLUX]))
    seen: list[str] = []
    for number, step in enumerate(steps, 1):
        needed = [one["name"] for one in step["spec"]["dependsOn"]]
        assert set(needed) <= set(seen), "each after those it needs"
        assert needed or number == 1, "one beginning"
        seen.append(step["metadata"]["name"])
        folder = step["spec"]["path"].removeprefix("./clusters/kind/deploy/")
        assert f"{folder}/{files.OBJECTS}" in contents
    awaited = {step["metadata"]["name"]: step["spec"]["wait"] for step in steps}
    name = what.estate.graph.name
    assert [one for one in awaited if not awaited[one]] == [f"{name}-estate-entrances"]
    assert not [step for step in steps if f"{name}-estate-entrances" in str(step["spec"]["dependsOn"])]
    listed = yaml.safe_load(contents[files.ALL])["resources"]
    assert listed == [file for file in contents if file.endswith(files.OBJECTS)]
    assert len(listed) == len(steps)


def test_what_holds_data_outlives_its_file_and_nothing_else_does() -> None:
    contents = files.contents(whole(shop_app(), there()), "deploy")
    kept = {
        f"{item['kind']} {item['metadata']['name']}"
        for item in objects(contents)
        if item["metadata"]["annotations"].get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
    }
    definitions = {one for one in kept if one.startswith("CustomResourceDefinition")}
    assert len(definitions) > 5
    spaces = {f"Namespace {name}" for name in ("bank", "cert-manager", "openbao")}
    assert kept - definitions == spaces | {"StatefulSet ledger", "StatefulSet openbao", "Certificate garrison-root"}
    assert "Namespace shop" in {f"{item['kind']} {item['metadata']['name']}" for item in objects(contents)}, (
        "the control"
    )
    unkept = files.contents(whole(shop_app(), there(keep_data=False)), "deploy")
    assert "prune: disabled" not in str(unkept)


def test_a_job_is_replaced() -> None:
    found = objects(files.contents(whole(any_app(), there()), "deploy"))
    jobs = [item for item in found if item["kind"] == "Job"]
    assert jobs
    assert {item["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] for item in jobs} == {
        "Force=true,Replace=true"
    }


# --- the folder ------------------------------------------------------------------------------------------------------


def render(folder: Path, *more: str) -> int:
    return cli.main(
        ["render", "--app", str(REPO / "stacks/estate.py"), "--cluster", str(KIND), "-o", str(folder), *more]
    )


def test_kustomize_takes_the_folder(tmp_path: Path) -> None:
    assert render(tmp_path / "deploy") == 0
    command = [str(build.binary("kubectl")), "kustomize", str(tmp_path / "deploy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    built = {identity(item): item for item in loaded(done.stdout)}
    written = objects({str(f): f.read_text() for f in sorted((tmp_path / "deploy").glob(f"*/{files.OBJECTS}"))})
    assert built == {identity(item): item for item in written}


def test_the_folder_is_written_anew_and_no_other_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deploy"
    assert render(folder) == 0
    (folder / "99-old").mkdir()
    before = sorted(path.name for path in folder.iterdir())
    assert render(folder, "--path", "clusters/kind") == 0
    assert sorted(path.name for path in folder.iterdir()) == [name for name in before if name != "99-old"]
    assert "path: ./clusters/kind/01-admission-policies" in (folder / "flux.yaml").read_text()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    assert render(mine) == 2
    assert "holds something else than an earlier render" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "/nowhere")
    assert render(folder) == 2
    assert "helm is not in PATH" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deploy", "mine"], "nothing is left beside them"
    assert (folder / "store.json").is_file()
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
