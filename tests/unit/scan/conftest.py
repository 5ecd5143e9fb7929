from __future__ import annotations

from pathlib import Path

import pytest

from unit.scan.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("GARRISON_TRIVY", "GARRISON_TRIVY_SHA256", "GARRISON_COSIGN", "GARRISON_COSIGN_SHA256"):
        monkeypatch.delenv(name, raising=False)
    return World(tmp_path)
