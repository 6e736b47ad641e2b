"""What the tests of logs share: one auditor, because a spec takes longer to load than a hundred logs to read."""

from __future__ import annotations

import pytest

from adapters.audit.run import Auditor, auditor
from fsm.audit.conversation import AuditOptions


@pytest.fixture(scope="session")
def runner() -> Auditor:
    return auditor("server_vad", AuditOptions())
