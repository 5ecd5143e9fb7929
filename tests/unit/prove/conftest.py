"""Certificate authorities, and TLS servers on loopback with real certificates."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CALLER, CALLEE = "spiffe://t.example/ns/a/sa/caller", "spiffe://t.example/ns/b/sa/callee"


@dataclass(frozen=True)
class Files:
    certificate: str
    key: str


class Authority:
    """A certificate authority of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self.subject, self.key).add_extension(constraints, critical=True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
        )
        self.bundle = self._write("ca.pem", builder.sign(self.key, hashes.SHA256()).public_bytes(PEM))

    def issue(self, uri: str) -> Files:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = self._builder(x509.Name([]), key).add_extension(names, critical=True)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = builder.add_extension(authority, critical=False).sign(self.key, hashes.SHA256())
        stem = uri.rpartition("/")[2]
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Files(self._write(f"{stem}.crt", certificate.public_bytes(PEM)), self._write(f"{stem}.key", private))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))

    def _write(self, name: str, data: bytes) -> str:
        path = self.folder / f"{self.name}-{name}"
        path.write_bytes(data)
        return str(path)


PEM = serialization.Encoding.PEM


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "theirs")


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
def mutual(authority: Authority) -> ssl.SSLContext:
    """The callee's side as the mesh configures it: TLS 1.3 alone, a client certificate of our authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = authority.issue(CALLEE)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(authority.bundle)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
