"""Estates of any size in which there is some of everything, for laws and measurements of how work grows."""

from __future__ import annotations

import random
from typing import Final

from garrison import App, External, Job, Service
from garrison.declare.calls import Port
from garrison.model.services import Bind, Protocol
from unit.estates import DIGEST, empty_app

CALLS: Final = 5  # of each workload
PROTOCOLS: Final[tuple[Protocol, ...]] = ("http", "http", "grpc", "http", "tcp", "http", "grpc", "http", "http")
OPERATIONS: Final = {"http": ("GET /items/{id}", "POST /items"), "grpc": ("shop.Items/Get", "shop.Items/Put")}
IMAGE: Final = "registry.example/s" + DIGEST


def mixed(workloads: int) -> App:
    """The same at every run: of ten workloads six speak HTTP, two gRPC, one TCP on every address, and one is a job that
    a schedule starts. Each makes five calls: to any of them, to their further ports, and to hosts outside.
    """
    app, chance = empty_app(), random.Random(workloads)
    homes = app.namespaces(*(f"n{i}" for i in range(max(1, workloads // 20))))
    callers: list[Service | Job] = []
    callees: list[tuple[Service | Port | External, str]] = []
    for i in range(workloads):
        home, kind = homes[i % len(homes)], i % 10
        if kind == 9:
            callers.append(home.job(f"w{i}", image=IMAGE, schedule="30 2 * * *"))
            continue
        spoken = PROTOCOLS[kind]
        bind: Bind = "all" if spoken == "tcp" else "loopback"
        made = home.service(f"w{i}", image=IMAGE, port=8080, protocol=spoken, bind=bind)
        callers.append(made)
        callees += [(made, spoken), *([(made.port("metrics", 9090), "http")] if kind == 0 else [])]
    callees += [(app.external(f"api-{i}.psp.example"), "http" if i % 2 else "tcp") for i in range(workloads // 20)]
    for caller in callers:
        others = [one for one in chance.sample(callees, CALLS + 2) if one[0].ref != caller.ref]
        for callee, protocol in others[:CALLS]:
            if protocol == "tcp":
                caller.connects(callee)
            else:
                caller.calls(callee, *OPERATIONS[protocol])
    return app
