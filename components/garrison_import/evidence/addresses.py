"""Addresses in text: URLs, `host:port`, names of the cluster, what follows an option or a variable that asks for one.

A word alone is no address: `orders` may be a queue, a schema or a flag. What is found here is only an address if its
host is a Service of the application (`evidence/edges.py`), and a port that is written has to be one of that Service's.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
HOST: Final = rf"{LABEL}(?:\.{LABEL}){{0,8}}"
_PORT = r":(?P<port>[0-9]{1,5})"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}(?::[a-z0-9]{1,20}){0,2}):///?(?:[^\s/@\"'<>]{0,200}@)?"
    rf"(?P<hosts>{HOST}(?::[0-9]{{1,5}})?(?:,{HOST}(?::[0-9]{{1,5}})?){{0,30}})(?![\w.:@-])",
    re.ASCII,
)
_PAIR = re.compile(rf"(?<![\w.:/$}}%-])(?P<host>{HOST}){_PORT}(?![\w:.-])", re.ASCII)
_ONE = re.compile(rf"(?P<host>{HOST})(?:{_PORT})?", re.ASCII)
_CLUSTER = re.compile(
    rf"(?<![\w.:/@-])(?P<host>{LABEL}(?:\.{LABEL}){{1,3}}?\.svc(?:\.{LABEL}){{0,4}})(?![\w:-])", re.ASCII
)
_DEVICE = re.compile(rf"/dev/tcp/(?P<host>{HOST})/(?P<port>[0-9]{{1,5}})(?![\w.])", re.ASCII)
_APART = re.compile(rf"(?<![\w.:/=$}}-])(?P<host>{HOST})[ \t\n]+(?P<port>[0-9]{{2,5}})(?![\w.:%/-])", re.ASCII)
_ASKED = (
    r"(?:host(?:name|s)?|servers?|addr(?:ess(?:es)?)?|endpoints?|url|uri|dsn|brokers|fqdn|nodes|peers"
    r"|contact-?points?|connection-?string)"
)
_OPTION = re.compile(
    rf"(?<![\w-])(?:-h|-H|--?(?:[a-z0-9]+[-_.]){{0,5}}[a-z0-9]{{0,20}}{_ASKED})[ \t\n=](?P<host>{HOST})(?![\w.:@/-])",
    re.ASCII | re.IGNORECASE,
)
_RESOLVED = re.compile(
    r"(?<![\w-])(?:nslookup|dig|getent[ \t]+a?hosts|ping(?:[ \t]+-[a-zA-Z](?:[ \t]*[0-9]{1,4})?){0,4})"
    rf"[ \t]+(?P<host>{HOST})(?![\w:@-])",
    re.ASCII,
)
_PART = re.compile(
    r"(?:^|[;\s,{])[\"']?(?P<key>[A-Za-z][\w. -]{0,60}?)[\"']?"
    rf"[ \t]*(?P<mark>[=:])[ \t]*[\"']?(?P<host>{HOST})(?=[\"']?[ \t]*(?:[;,}}\s]|$))",
    re.ASCII | re.MULTILINE,
)
_COMMENT = re.compile(r"^[ \t]*(?:#|//|;|--[ \t]|<!--|\*|rem ).*$|(?<=[ \t])#[ \t].*$", re.MULTILINE | re.IGNORECASE)
_SAID = re.compile(r"\b(?:echo|printf)\b(?:[^\n;&|\"']|\"[^\"\n]{0,500}\"|'[^'\n]{0,500}')*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# The words of a name whose value is a host, and of one whose value is an address that is not called from here: whom a
# browser may come from or is sent to, where the container itself listens, what goes past a proxy.
_HOST_WORDS = (
    "host hostname hosts addr address addresses endpoint endpoints server servers brokers url urls uri uris fqdn peers"
    " nodes dsn"
)
_NOT_CALLED = (
    "allowed allow trusted cors origin origins redirect redirects callback referer advertised advertise listen listener"
    " listeners bind virtual excluded exclude ignore ignored deny denied audience whitelist allowlist public external"
    " display link links docs doc homepage noproxy csrf csp cn san sni own self"
)
_ASKS_IN_TWO = (("host", "name"), ("connection", "string"), ("contact", "points"))
_KINDS = (("web", "server"), ("app", "server"), ("http", "server"))  # of a program, not where it is
_ASKS, _SAYS_OTHERWISE = frozenset(_HOST_WORDS.split()), frozenset(_NOT_CALLED.split())
# Schemes behind which a host stands. Behind others a word may be a bucket, a queue or an image: a port has to say it.
_HOSTS_BEHIND = (
    "http https ws wss grpc grpcs lb tcp tls ssl redis rediss amqp amqps mongodb mongodb+srv postgres postgresql mysql"
    " mariadb sqlserver mssql oracle nats kafka mqtt mqtts ldap ldaps smtp smtps ftp sftp zookeeper memcached stomp"
    " plaintext sasl_plaintext jdbc r2dbc dns"
)
_HOSTED = frozenset(_HOSTS_BEHIND.split())
_NO_HOST = ("file", "unix")


@dataclass(frozen=True)
class Address:
    """A host, and its port where one is written, with where both stand in the text. `scheme` may be `jdbc:mysql`."""

    host: str
    port: int
    scheme: str
    start: int
    end: int
    form: Literal["url", "pair", "name", "cluster"]


def name_words(name: str) -> tuple[str, ...]:
    """The words of a variable's name: `OrderDb_HOST` is order, db, host."""
    return tuple(word.lower() for word in _WORDS.findall(name))


def asks_for_host(name: str) -> bool:
    """Whether a value under that name is the host of something that is called."""
    words = name_words(name)
    return bool(words) and ((words[-1] in _ASKS and words[-2:] not in _KINDS) or words[-2:] in _ASKS_IN_TWO)


def is_called(name: str) -> bool:
    """Whether an address under that name is one that the container calls, as far as a name says it."""
    words = name_words(name)
    return not _SAYS_OTHERWISE & {*words} and words[:2] != ("no", "proxy")


def in_value(name: str, text: str) -> list[Address]:
    """The addresses in the value of a variable."""
    found = [*_written(text)]
    bare = text.strip()
    if re.fullmatch(HOST, bare, re.ASCII) and asks_for_host(name):
        start = text.index(bare)
        found.append(Address(bare, 0, "", start, start + len(bare), "name"))
    return _apart([*found, *_parts(text)])


def in_command(line: Sequence[str]) -> list[Address]:
    """The addresses in a command and its arguments; what it only prints is left out."""
    text = "\n".join(line)
    devices = [*_matches(_DEVICE, text, "pair")]
    text = _blank(_SAID, _blank(_COMMENT, text))
    found = [*_written(text), *_matches(_APART, text, "pair"), *_matches(_OPTION, text, "name")]
    return _apart([*devices, *found, *_matches(_RESOLVED, text, "name"), *_parts(text, "=")])


def in_file(text: str) -> list[Address]:
    """The addresses in a file of configuration, but for its comments."""
    text = _blank(_COMMENT, text)
    return _apart([*_written(text), *_parts(text)])


def _written(text: str) -> Iterator[Address]:
    """What is an address by its form."""
    for match in _URL.finditer(text):
        scheme = match["scheme"]
        if scheme.partition(":")[0] in _NO_HOST:
            continue
        for one in _ONE.finditer(text, match.start("hosts"), match.end("hosts")):
            if one["port"] is None and scheme.partition(":")[0] not in _HOSTED:
                continue
            yield Address(one["host"], int(one["port"] or 0), scheme, one.start(), one.end(), "url")
    yield from _matches(_PAIR, text, "pair")
    yield from _matches(_CLUSTER, text, "cluster")


def _parts(text: str, marks: str = "=:") -> Iterator[Address]:
    """`Host=db;User=x`, `spring.redis.host: cache`: a host under a key that asks for one, in a longer text."""
    for match in _PART.finditer(text):
        key = match["key"].strip()
        asks = asks_for_host(key) or key.lower() == "data source"
        if asks and is_called(key) and match["mark"] in marks:
            yield Address(match["host"], 0, "", match.start("host"), match.end("host"), "name")


def _matches(pattern: re.Pattern[str], text: str, form: Literal["pair", "name", "cluster"]) -> Iterator[Address]:
    for match in pattern.finditer(text):
        port = match.groupdict().get("port")
        end = match.end("port") if port and form == "pair" else match.end("host")
        yield Address(match["host"], int(port or 0), "", match.start("host"), end, form)


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """The text with what matches blanked out, so that every place stays where it is."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _apart(found: list[Address]) -> list[Address]:
    """In the order of the text; of several that overlap the one that says the most."""
    forms = ("url", "pair", "cluster", "name")
    starts: list[int] = []
    chosen: list[Address] = []
    for one in sorted(found, key=lambda address: (forms.index(address.form), address.start)):
        at = bisect(starts, one.start)
        if (at == 0 or chosen[at - 1].end <= one.start) and (at == len(starts) or one.end <= starts[at]):
            starts.insert(at, one.start)
            chosen.insert(at, one)
    return chosen
