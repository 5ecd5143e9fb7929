"""A second App on somebody else's cluster: of another repository, deployed by files, and a caller of the first one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Final

import yaml

from cluster import flux, gitops
from cluster.flux import Flux
from cluster.foreign import Foreign
from garrison.manifest import Manifest
from garrison.words import Ref

CALLER: Final = Ref("bakery", "oven")
CALLEE: Final = Ref("till", "back")
BAKERY: Final = '''
"""Of another team, in another repository."""

from pathlib import Path

from garrison import App, images

lock = images(Path(__file__).parent / "images.lock")
app = App("bakery", trust_domain="kiosk.example", images=lock)
serve = ("python3", "-m", "prober", "serve", "127.0.0.1", "8080")
oven = app.service("oven", image=lock["prober"], port=8080, command=serve)
oven.reads("recipes/key", env="KEY_FILE")
'''
CALLS: Final = 'oven.calls(app.elsewhere("kiosk.json").service("till/back"), "POST /sales")\n'
ADMITS: Final = 'app.elsewhere("bakery.json").service("bakery/oven").calls(back, "POST /sales")\n'
ALONE, CALLING, DEPLOYED, ADMITTING = "alone.py", "calling.py", "__main__.py", "admitting.py"
# What is said once for a cluster is said by the first App's stack.
SECOND: Final = {"installAdmission": False, "admissionScope": "estate", "generatedSecrets": ["recipes/key"]}
ASKING: Final = """
import os, sys, urllib.error, urllib.request
method, path = sys.argv[1:]
request = urllib.request.Request(os.environ["BACK_URL"] + path, data=b"{}", method=method)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""
CONNECTING: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 8443), timeout=3)
except OSError:
    print("closed")
else:
    print("open")
"""


def beside(kiosk: Foreign) -> Foreign:
    """The other repository, and in both what each will say; the graphs have changed hands. Nothing is deployed."""
    made = replace(kiosk, folder=kiosk.folder.with_name("bakery"))
    made.folder.mkdir()
    shutil.copy(kiosk.folder / "images.lock", made.folder)
    (made.folder / ALONE).write_text(BAKERY)
    (made.folder / CALLING).write_text(BAKERY + CALLS)
    config = yaml.safe_load(kiosk.stack.read_text())["config"]
    said = {f"garrison:{key}": value for key, value in (SECOND | {"deployers": deployers()}).items()}
    rest = {key: value for key, value in config.items() if key != "garrison:trustCa"}  # there is one bundle
    made.stack.write_text(yaml.safe_dump({"config": rest | said}))
    first, last = (kiosk.folder / DEPLOYED).read_text().rsplit("run(app)", 1)
    (kiosk.folder / ADMITTING).write_text(f"{first}{ADMITS}run(app){last}")
    _handed(made, ALONE, kiosk, "bakery.json")
    _handed(kiosk, ADMITTING, made, "kiosk.json")
    return made


def deployers() -> list[str]:
    """The controller, and whoever proves."""
    return [f"user:{flux.ACCOUNT}", "group:kubeadm:cluster-admins"]


def _handed(giver: Foreign, program: str, taker: Foreign, name: str) -> None:
    done = giver.run("garrison", "graph", "--app", program, "--format", "json")
    assert done.returncode == 0, done.stderr
    (taker.folder / name).write_text(done.stdout)


def changed(bakery: Foreign, program: str, keeper: Flux) -> list[Manifest]:
    """What is rendered of the program is there, as a controller brings it. Its objects."""
    items = gitops.rendered(bakery, program)
    with gitops.storing(bakery):
        keeper.pushed(bakery, gitops.FOLDER)
    return items


def says(app: Foreign, old: str, new: str) -> list[str]:
    """What the change means, in words."""
    done = app.run("garrison", "changes", old, new, "--cluster", str(app.stack))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def asked(app: Foreign, who: Ref, method: str = "POST", path: str = "/sales") -> tuple[int, str]:
    """What an application is answered by whom it knows as `back`."""
    status, _, body = _within(app, who, ASKING, method, path).partition(" ")
    return int(status), body.strip()


def reaches(app: Foreign, who: Ref, whom: Ref) -> bool:
    """Whether the network lets a pod through to the proxy of another, past its own."""
    there = app.get("service", whom.name, f"--namespace={whom.namespace}")["spec"]["clusterIP"]
    return _within(app, who, CONNECTING, there).strip() == "open"


def _within(app: Foreign, who: Ref, script: str, *words: str) -> str:
    place = ("exec", f"--namespace={who.namespace}", f"deploy/{who.name}", "--container=app", "--")
    return app.kubectl(*place, "python3", "-c", script, *words)
