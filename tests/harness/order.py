"""Places one order in the running estate and shows its way: the declared calls, as each service logged them.

A user puts something into the cart and orders what is in it. The requests start in the pods of `storefront` and
`orders` themselves, as the edge would bring them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from harness import environment, paths, shell
from harness.errors import HarnessError

ORDER: dict[str, Any] = {"customer": "you", "items": [{"id": "hammer", "quantity": 2}]}
# Runs inside the application's own container: what reaches it over loopback comes from its own pod. A user's token, if
# any, comes by standard input, where nobody who lists processes sees it.
ASK = """
import json, sys, urllib.error, urllib.request
method, path, key, request_id, body, *claims = sys.argv[1:]
headers = {"content-type": "application/json", "idempotency-key": key, "x-request-id": request_id}
headers |= {"x-verified-claims": one for one in claims}  # as the pod's own proxy says them
if token := sys.stdin.read().strip():
    headers["authorization"] = "Bearer " + token
request = urllib.request.Request("http://127.0.0.1:8080" + path, body.encode() or None, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.headers["content-type"], json.loads(answer.read())]))
"""


def place(cluster: str) -> int:
    """Place the order, print the answer and the calls it took; 1 when it was refused."""
    if not (paths.state() / cluster / "kubeconfig").exists():
        raise HarnessError(f"there is no cluster {cluster} to place an order in: `make up` first")
    request, token, status = secrets.token_hex(8), _token(cluster), 0
    asked = [("orders", "/orders", ORDER)]
    if token:  # a cart is a user's
        asked = [("storefront", "/cart", ORDER["items"][0]), ("orders", "/orders", {})]
    for service, path, said in asked:
        body = json.dumps(said)
        where = ["-i", "-n", "shop", f"deploy/{service}", "-c", "app"]
        ask = ["/usr/bin/python3", "-c", ASK, "POST", path, secrets.token_hex(8), request, body, *token.split(".")[1:2]]
        status, _, document = json.loads(_kubectl(cluster, "exec", *where, "--", *ask, stdin=token))
        print(f"POST {path} {body}\n{status} {json.dumps(document)}")
    print(
        f"\nits calls, as the callees logged request {request}; each over mutual TLS, each a line of stacks/estate.py:"
    )
    for line in sorted(_logged(cluster, request), key=lambda line: str(line["time"])):
        if (caller := line.get("caller")) and "path" in line:
            print(f"  {shown(caller)} -> {line['service']}  {line['method']} {line['path']}  {line['status']}")
        elif "event" in line:
            print(f"  {line['service']} heard of it over NATS: {line['event']}, a {line['message']}")
    return 0 if status == 201 else 1


def shown(identity: str) -> str:
    """The workload behind a SPIFFE identity, as `namespace/name`."""
    _, _, path = identity.partition("/ns/")
    return path.replace("/sa/", "/")


def _logged(cluster: str, request: str) -> Iterator[dict[str, Any]]:
    """What every application logged about the request."""
    pods = json.loads(_kubectl(cluster, "get", "pods", "-A", "-l", "app.kubernetes.io/name", "-o", "json"))["items"]
    for pod in pods:
        if any(container["name"] == "app" for container in pod["spec"]["containers"]):
            where = ["-n", pod["metadata"]["namespace"], pod["metadata"]["name"], "-c", "app", "--tail=200"]
            lines = _kubectl(cluster, "logs", *where).splitlines()
            for line in (json.loads(line) for line in lines if request in line and line.startswith("{")):
                yield {**line, "service": f"{pod['metadata']['namespace']}/{line['service']}"}


def _token(cluster: str) -> str:
    """Of a user, without whom the program may not let money move."""
    from harness import visit  # it loads the program, which not every verb has to

    return visit.token(cluster)


def _kubectl(cluster: str, *arguments: str, stdin: str = "") -> str:
    what = f"asking the cluster {cluster}"
    return shell.run(["kubectl", *arguments], what=what, env=environment.full(cluster), stdin=stdin, timeout=60)
