"""cert-manager's kinds on the API server of the tests: its CustomResourceDefinitions, as its chart has them."""

from __future__ import annotations

import time

import pytest

from garrison.deployment.platform import certificates, charts
from garrison.deployment.platform.charts import Chart
from harness import build
from harness.plugin.errors import KindMissing
from harness.plugin.objects import Obj
from harness.plugin.testing.apiserver import ControlPlane
from servers.proxies import eventually


def install(plane: ControlPlane) -> None:
    """The CustomResourceDefinitions, served; nobody signs anything here."""
    define(plane, certificates.CERT_MANAGER)
    wanted = {"apiVersion": certificates.API, "kind": "Certificate", "metadata": {"name": "x"}}
    deadline = time.monotonic() + 60
    while True:
        try:
            plane.api.resource(wanted)
        except KindMissing:
            assert time.monotonic() < deadline, "cert-manager's kinds are not served after 60 s"
            time.sleep(0.2)
        else:
            return


def define(plane: ControlPlane, chart: Chart) -> None:
    """The CustomResourceDefinitions of a chart; they are served a little later."""
    for item in _definitions(chart):
        plane.api.apply(item, "test")


def withdraw(plane: ControlPlane, chart: Chart) -> None:
    """They are not there, whoever had this server before: for a test in which something is missing."""
    there = [item for item in _definitions(chart) if plane.api.find(item)]
    for item in there:
        plane.api.delete(item, "Background")
    eventually(lambda: not any(map(plane.api.find, there)), f"{chart.name}'s kinds are gone", 60)


def _definitions(chart: Chart) -> list[Obj]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
        rendered = charts.render(chart, build.obtain("charts"))
    return [item for item in rendered if item["kind"] == "CustomResourceDefinition"]
