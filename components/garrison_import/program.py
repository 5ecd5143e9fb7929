"""The plan as a Python program, and its lock file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from garrison.defaults import UNPINNED
from garrison.findings import count, printable
from garrison.model.texts import DIGEST
from garrison_import.plan.images import PIN_ME, ROLES, pinned
from garrison_import.plan.parts import Line, Plan, Said, Secret
from garrison_import.source import Verbatim, block, call, comment, quoted

LOCK = "images.lock"
_ORDER = (
    *("image", "schedule", "port", "protocol", "health", "liveness", "startup_seconds", "env", "command", "args"),
    *("files", "scratch", "volumes", "uid", "bind", "replicas", "resources"),
)


def program(plan: Plan, *, lock_beside: bool) -> str:
    """The program. Without a lock file beside it, what that has to hold stands at its end."""
    return "\n".join(
        part
        for part in (
            _head(plan),
            *_services(plan),
            _lines(plan),
            _secrets(plan),
            _undecided(plan),
            _doors(plan),
            "" if lock_beside else _lock_comment(plan),
        )
        if part
    )


def lock(plan: Plan) -> str:
    """The lock file: every image by its short name; `@pin-me` stands for a digest that nobody has looked up yet."""
    head = comment(f"The images, by short name. {PIN_ME} stands for a digest: look it up before this is deployed.")
    rows = {role: f"{role}@{PIN_ME}" for role in ROLES}  # Garrison's own
    rows |= {name: one if pinned(one) else f"{one.partition('@')[0]}@{PIN_ME}" for name, one in plan.images.items()}
    return head + "".join(f"{name} = {quoted(one)}{_doubtful(one)}\n" for name, one in rows.items())


def _doubtful(image: str) -> str:
    """What is wrong with a name of an image that only something else makes one, such as `${PREFIX}/app`."""
    good = DIGEST.fullmatch(image.replace(f"@{PIN_ME}", f"@{UNPINNED}"))
    return "" if good else "  # open: this is no name of an image"


def _head(plan: Plan) -> str:
    many = f"{count(len(plan.said), 'workload')} and {count(len(plan.lines), 'edge')}"
    text = f'"""A first program for {plan.app}: {many}, by garrison import.\n'
    if plan.open_lines:
        lines = count(len(plan.open_lines), "line")
        text += f"\n{lines} marked `open`: refused until filled in, because nothing was guessed.\n"
    if any(said.argument("bind") for said in plan.said):
        text += (
            '\n`bind="all"` is how an image listens today to whom a Service leads. Where one can be told to listen on'
            " loopback,\ntell it, and leave the word out.\n"
        )
    resources = any(said.argument("resources") for said in plan.said)
    names = "App, Resources, images" if resources else "App, images"
    spaces = "".join(f"{name} = app.namespace({quoted(space)})\n" for space, name in plan.namespaces.items())
    app = call("app = App", [plan.app], [("trust_domain", f"{plan.app}.example"), ("images", Verbatim("lock"))])
    return f'{text}"""\n\nfrom garrison import {names}\n\nlock = images("{LOCK}")\n{app}{spaces}'


def _services(plan: Plan) -> Iterator[str]:
    for said in plan.said:
        yield _service(plan, said)


def _service(plan: Plan, said: Said) -> str:
    named = dict(sorted(said.named, key=lambda pair: _ORDER.index(pair[0])))
    texts = ""
    if isinstance(files := named.get("files"), Mapping):
        shown = {}
        for number, (path, text) in enumerate(files.items()):
            constant = f"{said.name.upper()}_FILE_{number + 1}"
            texts += f"{constant} = {block(text)}\n"
            shown[path] = Verbatim(constant)
        named["files"] = shown
    remarks = "".join(comment(remark) for remark in dict.fromkeys(said.remarks))
    kind = "job" if said.work.ends else "service"
    made = call(f"{said.name} = {plan.namespaces[said.ref.namespace]}.{kind}", [said.ref.name], named.items())
    ports = "".join(
        call(
            f"{name} = {said.name}.port",
            [label, port],
            [("protocol", spoken.spoken)] if spoken.spoken != "http" else [],
            "" if spoken.known else "open: nothing says what is spoken there",
        )
        for name, label, port, spoken in said.ports
    )
    return f"{texts}{remarks}{made}{ports}"


def _lines(plan: Plan) -> str:
    return "".join(map(_line, plan.lines))


def _line(line: Line) -> str:
    seen = "; ".join(dict.fromkeys(found.where for found in line.edge.found))
    named = [(name, value) for name, value in (("env", line.env), ("alias", line.alias)) if value]
    text = call(f"{line.caller}.{line.verb}", [Verbatim(line.callee), *line.operations], named)
    if line.open_:
        text = call(f"{line.caller}.{line.verb}", [Verbatim(line.callee)], named, f"open: {line.open_}")
    if not line.written:
        text = "".join(f"# {row}\n" for row in text.splitlines())
    whole = f"; all operations of {line.source}, strike what it does not need" if line.source else ""
    return comment(seen + whole) + "".join(comment(remark) for remark in line.remarks) + text


def _secrets(plan: Plan) -> str:
    rows = ""
    for said in plan.said:
        done: set[str] = set()
        for one in said.secrets:
            if one.path not in done:
                rows += _reads(said, one.path, [other for other in said.secrets if other.path == one.path])
            done.add(one.path)
    if not rows:
        return ""
    paths = "".join(comment(f"  {one.path}  from {one.source}") for one in plan.secrets)
    return f"{comment('Paths of the secret store to fill; no value is in this file.')}{paths}{rows}"


def _reads(said: Said, path: str, same: list[Secret]) -> str:
    """One path once; several variables of it are one mapping."""
    env: dict[str, str] = {}
    for other in same:
        env |= {other.env: "{value}"} if isinstance(other.env, str) else dict(other.env or {})
    remark = "; ".join(dict.fromkeys(other.remark for other in same if other.remark))
    return call(f"{said.name}.reads", [path], [("env", env)] if env else [], printable(remark))


def _undecided(plan: Plan) -> str:
    rows = "".join(
        comment(f"  {one.caller.ref.name} -> {one.name}, {one.where}: {one.why}; {one.remedy}")
        for one in plan.evidence.undecided
        if not (one.callee and one.sighting and one.sighting.main and one.sighting.variable)  # stands with its workload
    )
    return f"{comment('Undecided, and so not taken:')}{rows}" if rows else ""


def _doors(plan: Plan) -> str:
    rows = "".join(comment(f"  {one}") for one in plan.doors)
    head = "From outside, as it is today; to say it: serves(OPERATION, at=app.host(NAME), ...), see docs/edge.md."
    return f"{comment(head)}{rows}" if rows else ""


def _lock_comment(plan: Plan) -> str:
    return comment(f"{LOCK}, to be kept beside this file:") + "".join(f"# {row}\n" for row in lock(plan).splitlines())
