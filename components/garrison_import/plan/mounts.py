"""What is mounted into an application: files, folders that it writes to, volumes, and Secrets by their path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from garrison import defaults as d
from garrison.model.containers import Container
from garrison.words import Ref
from garrison_import.evidence.sightings import files
from garrison_import.plan.parts import Said, Secret
from garrison_import.plan.quantities import size
from garrison_import.plan.verdicts import is_secret, is_secret_entry
from garrison_import.read.parts import Mount
from garrison_import.read.world import World

_VOLUME: Final = "1Gi"  # where the documents do not say, as for a database
_LEAKS = 8  # letters of a value that is looked for in files
_COMMON = ("password", "passw0rd", "username", "changeme", "postgres")


class Mounts:
    """The mounts of one workload; `path` names what is kept in the secret store."""

    def __init__(self, said: Said, world: World, credentials: frozenset[str], path: Callable[..., str]) -> None:
        self._said, self._world, self._credentials, self._path = said, world, credentials, path
        self._texts: dict[str, str] = {}
        self._scratch: dict[str, str] = {}
        self._volumes: dict[str, str] = {}

    def write(self) -> None:
        """Add files, scratch and volumes to what is said, and what cannot be said as remarks."""
        for mount in self._said.work.main.mounts:
            match mount.volume.kind:
                case "scratch" | "claim":
                    self._folder(mount)
                case "configmap":
                    self._files(mount)
                case "secret":
                    self._secrets(mount)
                case "other":
                    self._remark(f"what is mounted at {mount.path} ({mount.volume.name or 'no such volume'})")
        self._apart()
        if self._texts:
            self._said.named.append(("files", self._texts))
        if self._scratch:
            sized = any(self._scratch.values())
            whole = {path: one or d.SCRATCH for path, one in self._scratch.items()}
            self._said.named.append(("scratch", whole if sized else list(whole)))
        if self._volumes:
            self._said.named.append(("volumes", self._volumes))

    def _remark(self, text: str) -> None:
        self._said.remarks.append(f"not said: {text}")

    def _folder(self, mount: Mount) -> None:
        path = mount.path.rstrip("/")
        if why := _unmountable(path, self._said.ref):
            self._remark(f"a folder at {mount.path}: {why}")
        elif mount.volume.kind == "scratch":
            self._scratch[path] = size(mount.volume.size)
        else:
            self._volumes[path] = size(mount.volume.size) or _VOLUME
            if not size(mount.volume.size):
                self._said.remarks.append(f"open: the size of the volume at {path} is not in the documents")

    def _files(self, mount: Mount) -> None:
        name = mount.volume.name
        found = list(files(mount, self._said.work.ref.namespace, self._world))
        if not found:
            self._said.remarks.append(
                f"open: files at {mount.path} of the ConfigMap {name}, which is not in the documents"
            )
        for path, key, text in found:
            if why := _unmountable(path, self._said.ref):
                self._remark(f"the file {path}: {why}")
            elif is_secret_entry(key, text) or any(value in text for value in self._credentials):
                self._said.remarks.append(
                    f"secret-in-configmap: the file {path} is left out, because it holds a credential; keep it in the"
                    " secret store and say reads()"
                )
                self._said.secrets.append(Secret(self._path(name, key), None, f"the file {path}"))
            elif sum(len(one.encode(errors="replace")) for one in (*self._texts.values(), text)) > d.FILES_BYTES:
                self._remark(f"the file {path}, with which they are too long; bake it into the image")
            else:
                self._texts[path] = text

    def _secrets(self, mount: Mount) -> None:
        """A Secret at a path: the application is told the path of the agent's file, where a variable has its own."""
        name = mount.volume.name
        known = self._world.secrets.get(Ref(self._said.work.ref.namespace, name), ())
        keys = dict(mount.volume.items) or {key: key for key in known}
        if not keys:
            self._said.remarks.append(
                f"open: files at {mount.path} of the Secret {name}, whose keys are not in the documents: say reads()"
                " for each"
            )
        told = {one.value: one.name for one in self._said.work.main.variables if one.value}
        for key, path in keys.items():
            file = mount.path if mount.sub else f"{mount.path.rstrip('/')}/{path}"
            variable = told.get(file)
            self._said.secrets.append(
                Secret(
                    self._path(name, key),
                    {variable: "{path}"} if variable else None,
                    f"Secret {name}, {key}",
                    "" if variable else f"the image looks for it at {file}",
                )
            )

    def _apart(self) -> None:
        """Nothing lies in a folder of its own: Kubernetes would hide one of the two."""
        folders = [*self._scratch, *self._volumes]
        for path in [path for path in self._texts if _inside(path, folders)]:
            del self._texts[path]
            self._remark(f"the file {path}, which lies in a folder of its own; mount them beside each other")
        for path in [path for path in folders if _inside(path, folders)]:
            self._scratch.pop(path, None)
            if self._volumes.pop(path, None):
                self._remark(f"the volume at {path}, which lies in another folder")


def credentials(world: World) -> frozenset[str]:
    """Values of variables that look like credentials and are long enough to be no mere word: no file may have one."""
    variables = (one for work in world.workloads for box in work.containers for one in box.variables)
    found = {one.value or "" for one in variables if is_secret(one)}
    return frozenset(value for value in found if len(value) >= _LEAKS and value not in _COMMON)


def _inside(path: str, folders: list[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _unmountable(path: str, ref: Ref) -> str:
    """Why the pen would not have something at that path; empty where it would."""
    found = Container(scratch=((path, d.SCRATCH),)).breaches(("services", 0), ref)
    return next((one.what for one in found), "")
