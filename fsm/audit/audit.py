"""An audit of one log: fed with one record at a time, in bounded memory; `finish` gives the report.

Never here: where records come from, what a rule thinks, how a report looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fsm.audit.anchors import Quote, find, no_quote
from fsm.audit.drawing import Drawing
from fsm.audit.mirror import Act, Mirror
from fsm.audit.record import Record
from fsm.audit.report import Case, Figures, Group, LogReport
from fsm.audit.rule import Rule, Verdict
from fsm.audit.rules import BY_MOMENT
from fsm.audit.rules_creates import cause
from fsm.audit.scenes import Scenes, beats_of
from fsm.audit.talk import Moment, Options, Talk
from fsm.audit.track import Tracker
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine

_KEYS = 12  # kinds that one rule may tell apart; the others are counted together
_CASES = 3
_TYPES = 200


class Audit:
    """`specs`: the chosen spec, then the others in which a deciding line is looked for."""

    def __init__(
        self,
        machine: TurnSpecMachine,
        specs: Sequence[Spec],
        options: Options | None = None,
        quote: Quote = no_quote,
    ) -> None:
        self._specs = specs
        self._quote = quote
        self._options = options or Options()
        self._tracker = Tracker(machine.spec.vocabulary, self._options)
        self._mirror = Mirror(machine)
        self._scenes = Scenes()
        self._drawing = Drawing()
        self._groups: dict[tuple[str, str, bool], Group] = {}
        self._kinds: dict[str, int] = {}
        self.figures = Figures()
        self._line = 0

    def feed(self, record: Record) -> None:
        """One record of the log."""
        self._line = record.line
        self.figures.records += 1
        if record.type in self._kinds or len(self._kinds) < _TYPES:
            self._kinds[record.type] = self._kinds.get(record.type, 0) + 1
        before = self._tracker.talk
        moments = self._tracker.feed(record)
        talk = self._tracker.talk
        acts = self._mirror.feed(record, talk, moments)
        if moments or acts or not record.type.endswith((".delta", ".append")):
            self._scenes.add(beats_of(record, moments, acts, talk.now_ms))
        if moments or acts or not record.type.endswith((".append", "transcript.delta", "text.delta")):
            self._drawing.add(record, moments, acts, talk, self.figures.records)
        for moment in moments:
            self._count(moment)
            self._judge(moment, before if moment.name in _OF_THE_END and before is not talk else talk)
        self._ask(acts)

    def _ask(self, acts: list[Act]) -> None:
        self.figures.ours += sum(e.startswith("create_response") for act in acts for e in act.effects)

    def _count(self, moment: Moment) -> None:
        figures = self.figures
        counter = _COUNTERS.get(moment.name)
        if counter is not None:
            counter(figures)
        if moment.name == "create_rejected":
            name = cause(moment)
            figures.causes[name] = figures.causes.get(name, 0) + 1

    def _judge(self, moment: Moment, talk: Talk) -> None:
        for rule in BY_MOMENT.get(moment.name, ()):
            verdict = rule.judge(moment, talk)
            if verdict is not None:
                self._note(rule, verdict, moment)

    def _note(self, rule: Rule, verdict: Verdict, moment: Moment) -> None:
        key = (rule.id, verdict.key, verdict.harm)
        if key not in self._groups and sum(k[0] == rule.id for k in self._groups) >= _KEYS:
            key = (rule.id, "(others)", verdict.harm)
        at_ms = moment.at_ms if verdict.at_ms is None else verdict.at_ms
        case = Case(at_ms, verdict.text, verdict.evidence)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(rule, key[1], verdict.harm, case, case)
            group.forbids = find(self._specs, rule.anchors, self._quote)
            if verdict.harm:
                group.scene = self._scenes.open(moment.evidence.line or self._line, moment.at_ms)
        elif len(group.more) < _CASES - 1:
            group.more.append(case)
        group.count += 1
        group.last = case
        if verdict.harm:
            self._drawing.found(at_ms, f"{rule.id} {key[1]}")

    def finish(self, file: str, log_format: str, skipped: int = 0) -> LogReport:
        """The log is over: what was waited for never came."""
        for moment in self._tracker.end():
            self._count(moment)
            self._judge(moment, self._tracker.talk)
        talk = self._tracker.talk
        self.figures.sessions = max(self._tracker.sessions, 1 if self.figures.records else 0)
        self.figures.skipped = skipped
        harmful = {(g.rule.id, g.key) for g in self._groups.values() if g.harm}
        told = [g for g in self._groups.values() if g.harm or (g.rule.id, g.key) not in harmful]
        groups = sorted(told, key=lambda g: (-g.count, g.first.at_ms))
        return LogReport(
            file, log_format, self._specs[0].name, talk.timed, talk.now_ms, self.figures,
            [g for g in groups if g.harm], [g for g in groups if not g.harm], self._drawing.end(talk.now_ms),
            dict(sorted(self._kinds.items())),
        )  # fmt: skip


_OF_THE_END = frozenset(
    {"response_stuck", "create_unanswered", "turn_left", "turn_endless", "commit_unanswered", "asked_for_nothing",
     "greeting_missing", "tool_unanswered", "round_unasked", "update_lost", "update_open", "lived_with"}
)  # fmt: skip


def _adder(name: str) -> Callable[[Figures], None]:
    def add(figures: Figures) -> None:
        setattr(figures, name, getattr(figures, name) + 1)

    return add


_COUNTERS = {
    "create_sent": _adder("creates"),
    "create_accepted": _adder("accepted"),
    "create_rejected": _adder("rejected"),
    "create_unanswered": _adder("unanswered"),
    "turn_committed": _adder("turns"),
    "response_began": _adder("responses"),
    "tool_called": _adder("tools"),
}
