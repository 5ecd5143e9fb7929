"""Starts the provider: `python -m provider`."""

from __future__ import annotations

import signal
import ssl
import sys
import threading

from common import log, settings
from provider.account import Account
from provider.app import Provider


def build() -> Provider:
    """The provider as it runs."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate, key = settings.file("TLS_CERTIFICATE_FILE"), settings.file("TLS_KEY_FILE")
    try:
        tls.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise settings.SettingsError(f"{certificate} and {key} are no certificate and its key: {error}") from None
    address = settings.text("HOST", "0.0.0.0"), settings.port("PORT", "443")  # noqa: S104 it is a server of the internet
    return Provider(address, Account(), settings.file("API_KEY_SHA256_FILE"), tls)


def main() -> None:
    """Serve until told to stop."""
    log.set_up("provider")
    try:
        server = build()
    except (settings.SettingsError, OSError) as error:
        sys.exit(f"provider: {error}")
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log.logger.info("listening at %s:%d", *server.server_address[:2])
    server.serve_forever()
    server.server_close()


main()
