"""Three nodes behind HAProxy, with Redis: real processes, once for each module that asks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.cluster.programs import HAPROXY, REDIS, ClusterRig, cluster

NEEDED = {"haproxy": HAPROXY, "redis-server": REDIS}
MISSING = [name for name, path in NEEDED.items() if path is None]


@pytest.fixture(scope="module")
def rig() -> Iterator[ClusterRig]:
    if MISSING:
        pytest.skip(f"NO {' AND NO '.join(MISSING)} (apt install {' '.join(MISSING)}): clusters were NOT tested")
    folder = Path(tempfile.mkdtemp(prefix="turnspec-cluster-"))  # short: sockets' paths are
    try:
        with cluster(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
