"""Where charts are fetched from, on loopback: a repository of files, and the reading half of a registry."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import yaml


@dataclass
class Place:
    """A server whose answers can be exchanged; `asked` are the paths in their order."""

    port: int = 0
    answers: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def repository(self, name: str, version: str, archive: bytes) -> str:
        """Add a chart to the repository; returns the digest of the archive."""
        entry = {"apiVersion": "v2", "name": name, "version": version, "urls": [f"{name}-{version}.tgz"]}
        index = yaml.safe_dump({"apiVersion": "v1", "entries": {name: [entry]}}).encode()
        self.answers["/index.yaml"] = "application/yaml", index
        self.answers[f"/{name}-{version}.tgz"] = "application/gzip", archive
        return digest(archive)

    def registry(self, name: str, version: str, archive: bytes) -> str:
        """Add a chart to the registry; returns the digest of its manifest."""
        config = json.dumps({"name": name, "version": version, "apiVersion": "v2"}).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _part("application/vnd.cncf.helm.config.v1+json", config),
                "layers": [_part("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive)],
            }
        ).encode()
        for blob in (config, archive):
            self.answers[f"/v2/charts/{name}/blobs/{digest(blob)}"] = "application/octet-stream", blob
        self.answers["/v2/"] = "application/json", b"{}"
        for reference in (digest(manifest), version):
            self.answers[f"/v2/charts/{name}/manifests/{reference}"] = MANIFEST, manifest
        return digest(manifest)


MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _part(media: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media, "digest": digest(data), "size": len(data)}


@contextmanager
def serving() -> Iterator[Place]:
    place = Place()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place.asked.append(self.path)
            media, body = place.answers.get(self.path, ("", b""))
            self.send_response(200 if media else 404)
            self.send_header("content-type", media or "text/plain")
            self.send_header("content-length", str(len(body)))
            if media == MANIFEST:
                self.send_header("docker-content-digest", digest(body))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 the name http.server looks for

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        place.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield place
        server.shutdown()
