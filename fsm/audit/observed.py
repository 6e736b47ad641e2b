"""What every observation has: where in the log it is, and when."""

from __future__ import annotations

import attrs

from fsm.audit.record import Evidence


@attrs.frozen(eq=False)
class Observed:
    """Where in the log, and when."""

    evidence: Evidence
    at_ms: float
