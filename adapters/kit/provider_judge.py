"""What of a simulated provider's sessions is a fault of the client: by what it sent, and by an audit of the wire."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from adapters.audit.run import Auditor
from adapters.kit.faults import CallFault
from adapters.kit.wire_file import WireFile
from adapters.simulator.providers.realtime import ProviderScenario, SessionStats
from adapters.simulator.providers.realtime.provider_numbers import provider_numbers, provider_times
from adapters.specs import BUNDLED, load_spec
from fsm.audit.conversation import AuditOptions
from fsm.audit.report.report import LogReport
from fsm.audit.rules import BY_KIND
from fsm.machine.machine import TurnSpecMachine

REFUSED = (3000, 4000)


def audit_kinds() -> tuple[str, ...]:
    """The names of what an audit finds."""
    return tuple(dict.fromkeys(rule.id for rules in BY_KIND.values() for rule, _ in rules))


def provider_faults(stats: Sequence[SessionStats], scenario: ProviderScenario) -> list[CallFault]:
    """What the provider itself has noticed."""
    if not stats:
        found = [CallFault("nobody-came", "no client connected")]
    else:
        found = [fault for each in stats for fault in _of_session(each, len(stats) > 1)]
    if scenario.expect is not None:
        wrong = scenario.expect.mismatches(provider_numbers(stats), lambda name: provider_times(stats, name))
        found += [CallFault("not-as-expected", str(each)) for each in wrong]
    return found


def _of_session(stats: SessionStats, is_one_of_several: bool) -> list[CallFault]:
    which = f"session {stats.connection}: " if is_one_of_several else ""
    found = []
    if stats.close_code in REFUSED and not stats.responses:
        found.append(CallFault("refused", f"{which}closed with {stats.close_code}: {stats.close_reason}"))
    found += [CallFault("rejected", f"{which}{count} x {code}") for code, count in stats.rejections.items()]
    found += [CallFault("careless", f"{which}{what}") for what in stats.violations if what not in stats.rejections]
    return found


def audited(stats: Sequence[SessionStats], dead_air_ms: float = 5_000.0) -> list[CallFault]:
    """What an audit finds in the wire of the sessions."""
    with tempfile.TemporaryDirectory(prefix="turnspec-") as folder:
        path = Path(folder) / "wire.jsonl"
        with WireFile(path, 0.0) as file:
            file.write_new(stats)
        return audit_faults(_auditor(dead_air_ms).audit(str(path)))


def audit_faults(report: LogReport) -> list[CallFault]:
    """The findings of an audit as faults, in its order."""
    return [
        CallFault(each.rule.id, f"{each.rule.title}: {each.first.text}", each.first.at_ms) for each in report.findings
    ]


@cache
def _auditor(dead_air_ms: float) -> Auditor:
    """With the default spec, which is checked where it is made, and not once more by everybody's tests."""
    spec = load_spec(BUNDLED[0], typestate=False).spec
    return Auditor(TurnSpecMachine(spec), [spec], AuditOptions(dead_air_ms=dead_air_ms))
