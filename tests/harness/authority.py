"""A certificate authority made in memory: of tests, as cert-manager is on a cluster, and of what stands outside one."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def fresh(cls, name: str = "test root", *, seconds: int = 3600) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key, seconds)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """Its private key: for whoever signs in its place."""
        plain = serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()

    def issue(
        self,
        folder: Path,
        *,
        uri: str | tuple[str, ...] = (),
        dns: str | tuple[str, ...] = (),
        ip: str = "",
        common_name: str = "",
        usages: tuple[x509.ObjectIdentifier, ...] = (Usage.CLIENT_AUTH, Usage.SERVER_AUTH),
        seconds: int = 3600,
    ) -> Path:
        """Write tls.crt, tls.key and ca.pem of a new leaf into a folder; returns the folder."""
        key = ec.generate_private_key(ec.SECP256R1())
        uris = (uri,) if isinstance(uri, str) else uri
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(name) for name in uris]
        names += [x509.DNSName(name) for name in ((dns,) if isinstance(dns, str) else dns)]
        names += [x509.IPAddress(ipaddress.ip_address(ip))] if ip else []
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
        builder = _builder(subject, self.certificate.subject, key, seconds)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not common_name)
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(ours, critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        folder.mkdir(parents=True, exist_ok=True)
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "tls.crt").write_bytes(certificate.public_bytes(pem))
        (folder / "tls.key").write_bytes(private)
        (folder / "tls.key").chmod(0o600)
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(pem))
        return folder


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, seconds: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(seconds=seconds))
    )
