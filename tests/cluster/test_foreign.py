"""The program of docs/ten-minutes.md, and more beside it, on a cluster that is somebody else's: deployed, proven, and
nothing else there is touched.

A second App comes by files, as a GitOps controller brings them, and calls the first where both say so.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import argocd, corporate, flux, gitops, neighbours, upstream_node
from cluster.argocd import ArgoCD
from cluster.flux import Flux
from cluster.foreign import CALLS, NAME, OTHERS, TEAM, UPGRADE, Foreign, granted, of_others, proven
from cluster.furnished import standing
from cluster.live import eventually
from cluster.neighbours import ADMITTING, ALONE, CALLEE, CALLER, CALLING, DEPLOYED, asked
from garrison.manifest import Manifest, identity
from garrison.words import Ref
from harness import docker, node, ways
from harness.documents import blocks
from harness.errors import HarnessError
from images.lying import lying
from servers import audited

Standing = tuple[dict[gitops.Identity, Manifest], dict[str, Any]]
FRONT = Ref("stand", "front")
SPACES = ("shop", "stock", "stand", "till")
JOB = """shop.job("once", image=lock["prober"], command=("python3", "-c", "print('{word}')"))"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with standing(tmp_path_factory.mktemp("foreign")) as made:
        yield made


@pytest.fixture(scope="module")
def before(foreign: Foreign) -> dict[str, Any]:
    return of_others(foreign)


@pytest.fixture(scope="module")
def deployed(foreign: Foreign, before: dict[str, Any]) -> Foreign:
    assert before
    done = foreign.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--parallel=48")
    assert done.returncode == 0, done.stdout + done.stderr
    return foreign


@pytest.fixture(scope="module")
def bakery(deployed: Foreign) -> Foreign:
    """The other team's repository; nothing of it is deployed yet."""
    return neighbours.beside(deployed)


@pytest.fixture(scope="module")
def keeper(bakery: Foreign, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flux]:
    """The controller that deploys it."""
    with flux.keeping(bakery, tmp_path_factory.mktemp("flux")) as made:
        yield made


@pytest.fixture(scope="module")
def by_files(bakery: Foreign, keeper: Flux) -> list[Manifest]:
    """What stands on the cluster of it, with its own half of the call; the first App still knows nothing of it."""
    return neighbours.changed(bakery, CALLING, keeper)


@pytest.fixture(scope="module")
def argo(foreign: Foreign, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """The controller that deploys the first App, once Pulumi has taken it away."""
    with argocd.keeping(foreign, tmp_path_factory.mktemp("argocd")) as made:
        yield made


@pytest.fixture(scope="module")
def agreed(deployed: Foreign, by_files: list[Manifest]) -> Foreign:
    """The first App, with its half of the call."""
    assert by_files
    (deployed.folder / DEPLOYED).write_text((deployed.folder / ADMITTING).read_text())
    done = deployed.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--parallel=48")
    assert done.returncode == 0, done.stdout + done.stderr
    return deployed


@pytest.fixture(scope="module")
def by_pulumi(agreed: Foreign, by_files: list[Manifest]) -> Standing:
    """What stands of the first App, in the cluster and in the store, as Pulumi made it."""
    wanted = gitops.rendered(agreed, DEPLOYED)
    return gitops.standing(agreed, wanted, {identity(item) for item in by_files}), gitops.kept(agreed)


def test_its_node_is_of_the_image_that_a_registry_gave_by_digest(foreign: Foreign) -> None:
    """A stand-in for kind's own, in which Kubernetes' own tags of etcd and CoreDNS are looked for."""
    said = docker.image(f"{NAME}-control-plane")
    assert said == foreign.node_image and "/kindest/node@sha256:" in said
    pods = foreign.get("pods", "--namespace=kube-system")["items"]
    asked = {container["image"] for pod in pods for container in pod["spec"]["containers"]}
    assert len(upstream_node.versions()) == 2
    assert asked >= upstream_node.versions().keys()


def test_a_node_image_under_a_digest_that_is_not_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lying(b'{"schemaVersion": 2}') as host:
        (tmp_path / "lock").write_text(f'"{ways.KIND.partition("@")[0]}" = "{host}/kindest/node@sha256:{"1" * 64}"')
        monkeypatch.setenv(ways.UPSTREAM, str(tmp_path / "lock"))
        with pytest.raises(HarnessError, match=r"^pulling .*digest"):
            node.ensure()


def test_a_store_that_lacks_a_right_is_said_at_preview_and_nothing_is_made(foreign: Foreign) -> None:
    """The control is what comes later: with the policy as it is printed, all is deployed."""
    place = f"sys/policies/acl/{foreign.store.name('deployer')}"
    whole: Any = foreign.keeper.read(place)
    assert whole
    lines = [line for line in whole["data"]["policy"].splitlines() if "kv-shop/data/" not in line]
    foreign.keeper.write_data(place, data={"policy": "\n".join(lines)})
    done = foreign.run("pulumi", "preview", "--non-interactive")
    assert done.returncode != 0
    assert "kv-shop/data/" in done.stdout + done.stderr, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    foreign.keeper.write_data(place, data={"policy": whole["data"]["policy"]})


def test_a_right_that_is_missing_is_said_and_nothing_is_made(foreign: Foreign) -> None:
    """The control, too, is what comes later."""
    (role,) = (item for item in granted(foreign) if item["kind"] == "Role" and item["metadata"]["namespace"] == "stock")
    fewer = [rule for rule in role["rules"] if rule["resources"] != ["networkpolicies"]]
    assert len(fewer) == len(role["rules"]) - 1
    foreign.apply([{**role, "rules": fewer}])
    done = foreign.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "in namespace stock: may not create, delete, get, patch networkpolicies.networking.k8s.io" in said, said
    assert said.count("may not ") == 1
    assert "Traceback" not in said
    assert foreign.get("validatingadmissionpolicies")["items"] == [], "not even what comes first"
    foreign.apply([role])


def test_it_is_deployed_with_images_by_digest_from_the_registry(deployed: Foreign) -> None:
    pods = [pod for space in SPACES for pod in deployed.get("pods", f"--namespace={space}")["items"]]
    asked = {c["image"] for pod in pods for c in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ()))}
    assert len(pods) == 9
    assert all(image.startswith(f"{deployed.bao.host}:") and "@sha256:" in image for image in asked), asked


def test_the_calls_of_the_page_end_as_it_says(deployed: Foreign) -> None:
    """A call that works, and beside it an operation, a direction and a pod that nobody declared."""
    works, operation, direction, intruder = CALLS
    asked = deployed.run("bash", "-c", works + operation)
    assert asked.stdout == "200 a kettle\n403 RBAC: access denied\n", asked.stderr
    back, made = (deployed.run("bash", "-c", call) for call in (direction, intruder))
    assert back.returncode and re.search("TimeoutError|ConnectionRefusedError", back.stderr), back.stderr
    assert made.returncode and 'pods "intruder" is forbidden' in made.stderr, made.stderr


def test_the_application_has_its_secret_from_the_companys_store(deployed: Foreign) -> None:
    kept = deployed.keeper.secrets.kv.v2.read_secret_version(
        "prod/psp/api-key", mount_point="kv-shop", raise_on_deleted_version=True
    )
    value = kept["data"]["data"]["value"]
    script = "import os, pathlib; print(pathlib.Path(os.environ['API_KEY_FILE']).read_text())"
    place = ("exec", "--namespace=stock", "deploy/catalog", "--container=app", "--")
    assert deployed.kubectl(*place, "python3", "-c", script).strip() == value


def test_the_deployer_can_do_nothing_else(deployed: Foreign) -> None:
    """Each beside the administrator's word that it can be done, but for the doing."""
    binding = ("clusterrolebinding", "mine", "--clusterrole=cluster-admin", "--user=mallory")
    for command in (
        ("get", "secrets", f"--namespace={OTHERS}"),
        ("get", "secrets", "--namespace=stock"),
        ("create", *binding, "--dry-run=server"),
        ("run", "x", "--image=x", f"--namespace={OTHERS}", "--dry-run=server"),
        ("create", "token", "catalog", "--namespace=stock"),
        ("create", "namespace", "another", "--dry-run=server"),
    ):
        refused = subprocess.run(
            ["kubectl", *command], env=deployed.deploying, text=True, capture_output=True, check=False
        )
        assert "(Forbidden)" in refused.stderr or "is forbidden" in refused.stderr, (command, refused)
        deployed.kubectl(*command)
    deployed.apply(granted(deployed))  # as after every change that needs other rights; under the rules now in force


def test_the_application_writes_with_a_lease_of_the_companys_store(deployed: Foreign) -> None:
    """One for each of its pods, below the prefix; it may write, and change nothing of how that is kept."""
    leases = "sys/leases/lookup/pg-shop/creds/prod.till.ledger.writer"
    assert len(corporate.listed(deployed.keeper, leases)) >= 2, "and those of the proof"
    place = ("exec", "--namespace=till", "deploy/back", "--container=app", "--", "python3", "-c", corporate.CASHIER)
    assert deployed.kubectl(*place, "INSERT INTO sale VALUES ('one', 250)").strip() == "done"
    assert "42501 must be owner of table sale" in deployed.kubectl(*place, "DROP TABLE sale")
    assert "23505" in deployed.kubectl(*place, "INSERT INTO sale VALUES ('one', 250)"), "it was kept"
    assert {name: len(found) for name, found in corporate.kept(deployed.keeper).items()} == corporate.FILLED


def test_of_the_companys_machines_the_stores_alone_reaches_a_database(deployed: Foreign) -> None:
    (ledger,) = deployed.get("pods", "--namespace=till", "--selector=app.kubernetes.io/name=ledger")["items"]
    (old,) = deployed.get("pods", f"--namespace={OTHERS}")["items"]
    databases, others = ((pod["status"]["podIP"], port) for pod, port in ((ledger, 5432), (old, 8080)))
    assert corporate.reaches(NAME, *databases, network="host"), "the control: from the address in `storeRanges`"
    assert corporate.reaches(NAME, *others, network=NAME), "the control: from beside it, to a pod of somebody else's"
    assert not corporate.reaches(NAME, *databases, network=NAME)


def test_a_second_app_is_brought_by_files_and_its_half_of_a_call_opens_nothing(
    deployed: Foreign, bakery: Foreign, by_files: list[Manifest]
) -> None:
    assert neighbours.says(bakery, ALONE, CALLING)[0] == (
        "+ bakery/oven may POST /sales at till/back, as far as App kiosk says it too"
    )
    assert {item["metadata"].get("namespace", CALLER.namespace) for item in by_files} == {CALLER.namespace}
    assert asked(deployed, FRONT)[0] == 200, "the control: whom the callee lets in gets there"
    status, said = asked(bakery, CALLER)
    assert (status, said.startswith("upstream connect error")) == (503, True), said
    assert not neighbours.reaches(bakery, CALLER, CALLEE), "by the callee's network policy"


def test_with_both_halves_the_call_passes_and_nothing_beside_it(agreed: Foreign, bakery: Foreign) -> None:
    eventually(lambda: asked(bakery, CALLER)[0] == 200, "an answer of the other App")
    assert neighbours.reaches(bakery, CALLER, CALLEE)
    status, said = asked(bakery, CALLER, "GET", "/sales/1")
    assert (status, "RBAC: access denied" in said) == (403, True), "an operation of the same callee, for others"
    assert asked(agreed, FRONT, "GET", "/sales/1")[0] == 200, "the control: them"


def test_it_is_proven(agreed: Foreign) -> None:
    found = proven(agreed, DEPLOYED)
    assert {probe["target"] for probe in found} >= {"till/back", "stand/front", "stock/catalog", "shop/orders"}
    at_ledger = {(probe["kind"], probe["observed"]) for probe in found if "till/ledger" in probe["target"]}
    assert at_ledger >= {
        ("leased credentials", "allowed"),
        *((kind, "refused") for kind in ("expired lease", "open session of an ended lease", "database port")),
        *((kind, "refused") for kind in ("wrong authority", "wrong certificate", "plaintext")),
    }


def test_the_second_one_is_proven_beside_it(agreed: Foreign, bakery: Foreign) -> None:
    assert agreed
    found = {(probe["kind"], probe["observed"]) for probe in proven(bakery, CALLING) if probe["target"] == "till/back"}
    assert {("declared operation", "allowed"), ("undeclared operation", "refused")} <= found
    done = bakery.run("garrison", "check", "--live", "--app", CALLING, "--cluster", str(bakery.stack))
    assert (done.returncode, "the cluster is what calling.py derives" in done.stderr) == (0, True), done


def test_what_is_others_is_what_it_was_and_may_still_be_made(deployed: Foreign, before: dict[str, Any]) -> None:
    assert of_others(deployed) == before
    old = deployed.get("deployment", "old", f"--namespace={OTHERS}")
    again = {**old, "metadata": {"name": "older", "namespace": OTHERS}, "status": {}}
    deployed.apply([again])
    done = deployed.run("kubectl", "run", "intruder", "--image=x", "--namespace=stock", "--privileged")
    assert done.returncode != 0
    assert "privileged" in done.stderr or "deployer" in done.stderr or "digest" in done.stderr, done.stderr


def test_the_callees_half_alone_opens_nothing_either(agreed: Foreign, bakery: Foreign, keeper: Flux) -> None:
    """The caller is the first to stop: its repository goes back by one commit."""
    neighbours.changed(bakery, ALONE, keeper)
    assert not neighbours.reaches(bakery, CALLER, CALLEE), "by the caller's network policy"
    assert asked(agreed, FRONT)[0] == 200


def test_nothing_is_left_to_do_and_all_of_it_goes_away_again(
    deployed: Foreign, bakery: Foreign, keeper: Flux, by_pulumi: Standing, before: dict[str, Any]
) -> None:
    assert len(by_pulumi[0]) > 30
    assert all(gitops.kept(bakery).values())
    keeper.removed(bakery, gitops.FOLDER)
    gitops.forgotten(bakery)
    assert not any(gitops.kept(bakery).values())
    bakery.keeper.secrets.kv.v2.delete_metadata_and_all_versions("prod/recipes/key", mount_point="kv-shop")
    upgrade = UPGRADE.replace("Pulumi.prod.yaml", deployed.stack.name)
    export, look = blocks(upgrade, "sh before") + blocks(upgrade, "sh after")
    script = f"{export}\n{look.strip()} --expect-no-changes --non-interactive"
    done = deployed.deploys("bash", "-ec", script)
    assert done.returncode == 0 and done.stdout.startswith("Nothing changes.\n"), done.stdout + done.stderr
    done = deployed.run("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive")
    assert done.returncode == 0, done.stdout + done.stderr
    spaces = {item["metadata"]["name"] for item in deployed.get("namespaces")["items"]}
    assert {*SPACES, CALLER.namespace} & spaces == set()
    assert {name: len(found) for name, found in corporate.kept(deployed.keeper).items()} == corporate.EMPTY
    deployed.kubectl("delete", "deployment", "older", f"--namespace={OTHERS}", "--ignore-not-found")
    assert of_others(deployed) == before
    assert audited.unlisted(audited.asked(deployed.bao.log(), TEAM), deployed.store) == []


def test_by_files_the_same_comes_of_it_object_by_object(foreign: Foreign, argo: ArgoCD, by_pulumi: Standing) -> None:
    """The first App again, on the same cluster, as its files say it; what holds data is noted in them."""
    settings = yaml.safe_load(foreign.stack.read_text())
    settings["config"]["garrison:keepData"] = True
    foreign.stack.write_text(yaml.safe_dump(settings))
    wanted = gitops.rendered(foreign, DEPLOYED)
    assert gitops.standing(foreign, wanted) == {}, "nothing is left of Pulumi's"
    assert not any(gitops.kept(foreign).values())
    with gitops.storing(foreign):
        argo.pushed(foreign, gitops.FOLDER)
    found = gitops.standing(foreign, wanted)
    assert found.keys() == by_pulumi[0].keys() == {identity(item) for item in wanted}
    assert {key: item for key, item in found.items() if item != by_pulumi[0][key]} == {}
    assert gitops.kept(foreign) == by_pulumi[1]
    assert all(by_pulumi[1].values())


def test_what_holds_data_outlives_its_file(foreign: Foreign, argo: ArgoCD) -> None:
    """A commit without the database: all that belongs to it goes, and not the database."""
    program = (foreign.folder / DEPLOYED).read_text()
    uses = next(line for line in program.splitlines() if ".postgres(" in line)
    (foreign.folder / DEPLOYED).write_text(program.replace(uses, JOB.format(word="one")))
    gitops.rendered(foreign, DEPLOYED)
    left = [one for one in argo.pushed(foreign, gitops.FOLDER) if one.get("requiresPruning")]
    assert [(one["kind"], one["namespace"], one["name"]) for one in left] == [("StatefulSet", "till", "ledger")]
    assert foreign.get("pods", "--namespace=till", "--selector=app.kubernetes.io/name=ledger")["items"]
    assert "ledger" not in {one["metadata"]["name"] for one in foreign.get("service", "--namespace=till")["items"]}


def test_a_changed_job_takes_the_place_of_the_one_before(foreign: Foreign, argo: ArgoCD) -> None:
    """What a Job runs cannot be changed where it is."""

    def says(word: str) -> bool:
        logs = foreign.run("kubectl", "logs", "--namespace=shop", "job/once", "--container=app")
        return logs.stdout == f"{word}\n"

    eventually(partial(says, "one"), "the job of the commit before")
    program = (foreign.folder / DEPLOYED).read_text()
    (foreign.folder / DEPLOYED).write_text(program.replace(JOB.format(word="one"), JOB.format(word="two")))
    gitops.rendered(foreign, DEPLOYED)
    argo.pushed(foreign, gitops.FOLDER)
    eventually(partial(says, "two"), "the one that is declared now")
