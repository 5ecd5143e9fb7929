"""Certificate authorities, and TLS servers on loopback with real certificates."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from unit.authority import Authority

CALLER, CALLEE = "spiffe://t.example/ns/a/sa/caller", "spiffe://t.example/ns/b/sa/callee"


@dataclass(frozen=True)
class Files:
    certificate: str
    key: str


@dataclass(frozen=True)
class Office:
    """An authority, and the folder where its certificates lie."""

    root: Authority
    folder: Path

    @classmethod
    def fresh(cls, folder: Path) -> Office:
        root = Authority.fresh(folder.name)
        root.issue(folder, uri=CALLEE)  # the bundle comes with it
        return cls(root, folder)

    @property
    def bundle(self) -> str:
        return str(self.folder / "ca.pem")

    def issue(self, uri: str) -> Files:
        made = self.root.issue(self.folder / uri.rpartition("/")[2], uri=uri)
        return Files(*(str(made / name) for name in ("tls.crt", "tls.key")))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.fresh(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office.fresh(tmp_path_factory.mktemp("theirs"))


Answer = Callable[[socket.socket], None]
Serve = Callable[..., AbstractContextManager[int]]


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A listener on loopback that gives every connection to `answer`; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, answer, context), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _accept(listener: socket.socket, answer: Answer, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            connection.settimeout(5)
            connection = context.wrap_socket(connection, server_side=True) if context else connection
            answer(connection)
        except OSError:
            pass
        finally:
            connection.close()


def http(status: str, body: str) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        connection.settimeout(1)
        while connection.recv(65536):  # to close with something unread would reset the connection under the answer
            pass

    return answer


@pytest.fixture
def mutual(authority: Office) -> ssl.SSLContext:
    """The callee's side as the mesh configures it: TLS 1.3 alone, a client certificate of our authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = authority.issue(CALLEE)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(authority.bundle)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
