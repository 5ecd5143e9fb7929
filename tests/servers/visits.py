"""A browser at a host of the edge, as far as its cookies go."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field

from servers.edges import Edge, connect


@dataclass
class Visit:
    """A browser's memory of one host."""

    edge: Edge
    host: str
    jar: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> tuple[int, str]:
        """The status, and where it leads."""
        line = http.client.HTTPConnection("127.0.0.1", self.edge.port, timeout=10)
        line.sock = connect(self.edge, self.host)
        with line.sock:
            line.request("GET", path, headers={"host": f"{self.host}:8443", "cookie": self.cookies})
            answer = line.getresponse()
            answer.read()
        for given in answer.headers.get_all("set-cookie") or ():
            if "=deleted" not in given:
                assert {"httponly", "secure", "samesite=lax"} <= {flag.strip().lower() for flag in given.split(";")}
            name, _, value = given.partition(";")[0].partition("=")
            self.jar[name] = value
        return answer.status, answer.headers.get("location", "")

    @property
    def cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())
