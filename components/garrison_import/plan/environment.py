"""The environment of an application: settings, secrets by path, and addresses, each of which belongs to one edge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from garrison import credentials
from garrison.model.spoken import ADDRESS, ADDRESSED, ELSE, WORD
from garrison.model.texts import UNSTORED, VARIABLE
from garrison.words import Ref
from garrison_import.evidence.addresses import Address, in_command
from garrison_import.evidence.edges import Edge, Evidence, Found, Undecided, port_beside
from garrison_import.evidence.sightings import Sighting
from garrison_import.plan.parts import Said, Secret
from garrison_import.plan.verdicts import is_secret
from garrison_import.plan.workloads import Writer
from garrison_import.read.parts import Container, Variable


@dataclass
class Told:
    """What an edge's own line says: its variables, and the name that stays because it is compiled or written in."""

    env: dict[str, str] = field(default_factory=dict)
    alias: str = ""
    remarks: list[str] = field(default_factory=list)


class Environment:
    """The variables, command and arguments of one workload, shared out between its settings and its edges."""

    def __init__(
        self, said: Said, edges: Sequence[Edge], evidence: Evidence, writer: Writer, names: Iterable[Ref]
    ) -> None:
        self._said, self._edges, self._writer = said, edges, writer
        self._own = {seen.variable for work, seen in evidence.own if work is said.work and seen.variable}
        self._lacking = {
            seen.variable: seen.address.host for work, seen in evidence.lacking if work is said.work and seen.main
        }
        self._undecided = [one for one in evidence.undecided if one.caller is said.work]
        self._names = {f"{ref.name}.{ref.namespace}" for ref in names}
        self.told = [Told() for _ in edges]
        self._settings: dict[str, str] = {}
        self._used: set[str] = set()

    def write(self) -> None:
        """Fill in what is said of the workload, and what each edge is told."""
        box = self._said.work.main
        for one in box.variables:
            if one.name not in self._used:
                self._variable(one, box)
        told = {name for one in self._said.secrets if isinstance(one.env, Mapping) for name in one.env}
        for name in self._used | told:
            self._settings.pop(name, None)
        self._line(box)
        for index, edge in enumerate(self._edges):
            self._alias(edge, self.told[index])
        if self._settings:
            self._said.named.append(("env", self._settings))

    def _variable(self, one: Variable, box: Container) -> None:
        remarks, path = self._said.remarks, self._writer.path
        if not VARIABLE.fullmatch(one.name):
            remarks.append(f"not said: the variable {one.name!r}, which no shell can read")
        elif one.secret:
            where = f"Secret {one.secret[0]}, {one.secret[1]}"
            self._said.secrets.append(Secret(path(*one.secret), one.name, where))
        elif one.composed:
            self._said.secrets.append(
                Secret(
                    path(self._said.work.ref.name, one.name), one.name, f"{one.name} ({one.where})", "a Secret is in it"
                )
            )
        elif one.value is None:
            remarks.append(
                f"not said: {one.name} ({one.where}), which the manifests do not say or each pod has its own of"
            )
        elif is_secret(one):
            source = f"{one.name} ({one.where})"
            self._said.secrets.append(Secret(path(*_kept_as(one, self._said.work.ref.name)), one.name, source))
        elif (index := self._edge(one)) is not None:
            self._address(one, index, box)
        elif one.name == "PORT" and one.value == str(self._said.port):
            pass  # Garrison says it by itself
        elif remark := self._open(one):
            remarks.append(remark)
        else:
            self._settings[one.name] = one.value
            if host := self._lacking.get(one.name):
                remarks.append(
                    f"open: {one.name} names {host}, which is no Service of these documents; import its manifests, too"
                )

    def _seen(self, one: Variable) -> list[tuple[int, Sighting]]:
        """The edges that a variable of the application names, with each place."""
        return [
            (index, found.sighting)
            for index, edge in enumerate(self._edges)
            for found in edge.found
            if found.sighting and found.sighting.main and found.sighting.variable == one.name
        ]

    def _edge(self, one: Variable) -> int | None:
        found = {index for index, _ in self._seen(one)}
        return found.pop() if len(found) == 1 and one.name not in self._own and not self._doubtful(one) else None

    def _doubtful(self, one: Variable) -> list[Undecided]:
        return [
            u
            for u in self._undecided
            if u.sighting and u.sighting.main and u.sighting.variable == one.name and u.callee
        ]

    def _address(self, one: Variable, index: int, box: Container) -> None:
        """A variable that says where one callee is: a template of the edge."""
        told = self.told[index]
        text = one.value or ""
        places = {seen.address.start: seen.address for _, seen in self._seen(one)}
        alone = all(address.form in ("name", "cluster") and not address.port for address in places.values())
        port = self._port_beside(one, self._edges[index], box) if alone else ""
        made, end = "", 0
        for start in sorted(places):
            address = places[start]
            made += _escaped(text[end:start]) + ("{host}" if alone else "{host}:{port}")
            end = address.end
        told.env[one.name] = made + _escaped(text[end:])
        if port:
            told.env[port] = "{port}"
            self._used.add(port)
        elif alone:
            told.alias = next(found.name for found in self._edges[index].found if found.sighting)
            told.remarks.append(f"{one.name} names no port: the image has it compiled in")

    def _port_beside(self, one: Variable, edge: Edge, box: Container) -> str:
        wanted = {port.number for port in edge.service.ports if port.target == edge.port} | {edge.port}
        found = port_beside(box, one.name, wanted)
        return found.name if found and int(found.value or 0) in wanted else ""

    def _open(self, one: Variable) -> str:
        """Why a variable cannot be a setting; empty where it can."""
        text = f"{one.name}={one.value!r}" if one.value and len(one.value) < 90 else one.name
        seen = {index for index, _ in self._seen(one)}
        if len(seen) > 1:
            for index in seen:
                self.told[index].alias = self.told[index].alias or self._edges[index].found[0].name
            callees = " and ".join(self._edges[index].callee.ref.name for index in sorted(seen))
            return f"open: {text} ({one.where}) names {callees}, and a variable belongs to one edge; both have an alias"
        if doubtful := self._doubtful(one):
            first = doubtful[0]
            return f"undecided: {text} ({one.where}): {first.why}; {first.remedy}, with env={one.name!r}"
        if one.name in self._own:
            return f"not said: {text} ({one.where}), its own address; it listens on its port"
        if self._means_service(one.value or "") and not _named_else(one.name, one.value or ""):
            return f"not said: {text} ({one.where}), which names a service; an address is said with the call"
        if UNSTORED.search(one.value or ""):
            return f"not said: {one.name} ({one.where}), with a letter that no variable can have"
        return ""

    def _means_service(self, text: str) -> bool:
        """Whether the pen would take it for the address of a service, which is said with a call."""
        home = self._said.ref
        for host in ADDRESS.findall(text):
            plain = host.removesuffix(".svc.cluster.local").removesuffix(".svc")
            if plain != home.name or text != host:
                names = {plain, f"{plain}.{home.namespace}"}
                if names & self._names:
                    return True
        return False

    def _line(self, box: Container) -> None:
        """A command that names a callee: $(NAME) in its place, which Kubernetes fills in from the edge's variable."""
        whole = [*box.command, *box.args]
        for address, index in reversed(self._in_line(whole)):
            edge = self._edges[index]
            stem = re.sub(r"[^A-Z0-9]+", "_", edge.callee.ref.name.upper())
            stem = f"_{stem}" if stem[0].isdigit() else stem
            told = self.told[index].env
            text = "\n".join(whole)[address.start : address.end]
            apart = re.fullmatch(r"([a-z0-9.-]+)([\s/]+)([0-9]+)", text)
            if apart:
                told[f"{stem}_HOST"], told[f"{stem}_PORT"] = "{host}", "{port}"
                put = f"$({stem}_HOST){apart[2]}$({stem}_PORT)"
            elif address.form == "name" and not address.port:
                told[f"{stem}_HOST"] = "{host}"
                self.told[index].alias = self.told[index].alias or edge.found[0].name
                put = f"$({stem}_HOST)"
            else:
                told[f"{stem}_ADDR"] = "{host}:{port}"
                put = f"$({stem}_ADDR)"
            whole = _replaced(whole, address.start, address.end, put)
        size = len(box.command)
        for name, said in (("command", whole[:size]), ("args", whole[size:])):
            if not said:
                continue
            if credentials.among(said):
                self._said.remarks.append(
                    f"secret-in-arguments: {name} is left out, because it carries a credential; read it from a file"
                    " that reads() brings, or from a variable"
                )
            elif any(map(self._means_service, said)):
                self._said.remarks.append(
                    f"open: {name} is left out, because it names a service, which is said with the call: {said}"
                )
            elif any(map(UNSTORED.search, said)):
                self._said.remarks.append(f"not said: {name}, with a letter that no command can have")
            else:
                self._said.named.append((name, said))

    def _in_line(self, line: Sequence[str]) -> list[tuple[Address, int]]:
        """The addresses of edges in the application's command, in order."""
        known = {
            (found.sighting.address.host, found.sighting.address.port): index
            for index, edge in enumerate(self._edges)
            for found in edge.found
            if found.sighting and found.sighting.main and found.sighting.where == "command"
        }
        return [(one, known[one.host, one.port]) for one in in_command(line) if (one.host, one.port) in known]

    def _alias(self, edge: Edge, told: Told) -> None:
        """The name that an edge keeps, where something that is not a variable has it."""
        if told.alias or self._told_whole(edge, told):
            return
        names = list(dict.fromkeys(found.name for found in self._kept(edge)))
        if not names:
            return
        told.alias = names[0]
        if len(names) > 1:
            told.remarks.append(f"open: the image also calls it {', '.join(names[1:])}; an edge has one alias")

    def _told_whole(self, edge: Edge, told: Told) -> bool:
        """Whether its variables are all that the application has of it."""
        return bool(told.env) and not [
            found
            for found in edge.found
            if found.sighting and found.sighting.main and not found.sighting.variable and found.sighting.form == "file"
        ]

    def _kept(self, edge: Edge) -> list[Found]:
        """Where it stands other than in a variable that became a template, the application's own places first."""
        mine = [one for one in edge.found if one.sighting is not None and one.sighting.main]
        files = [one for one in mine if one.sighting and one.sighting.form == "file"]
        return files or mine or edge.found


def _named_else(variable: str, value: str) -> bool:
    """Whether the pen takes a word that is also a service's name for something else: `POSTGRES_DB=accounts`."""
    return bool(WORD.fullmatch(value) and ELSE.search(variable)) and not ADDRESSED.search(variable)


def _kept_as(one: Variable, workload: str) -> tuple[str, str]:
    """What a value is kept as: one of a ConfigMap is one, however many import it."""
    return one.config or (workload, one.name)


def _escaped(text: str) -> str:
    """Text of a template that stands for itself."""
    return text.replace("{", "{{").replace("}", "}}")


def _replaced(line: Sequence[str], start: int, end: int, put: str) -> list[str]:
    """The line with a piece of its joined text replaced; a piece that goes over two words is replaced in both."""
    made, place = [], 0
    pieces = put.split("\n")
    for word in line:
        low, high = max(start - place, 0), min(end - place, len(word))
        if low < high and pieces:
            made.append(word[:low] + pieces.pop(0) + word[high:])
        else:
            made.append(word)
        place += len(word) + 1
    return made
