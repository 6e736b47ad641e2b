"""What the adapters' tests share: logs as structlog makes them by itself, whatever a test before has configured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.tls import Certificate, make_certificate


@pytest.fixture(autouse=True)
def _logs_by_default() -> Iterator[None]:
    """A command under test configures the logs of the process, levels included."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))
