"""An audit of one log: fed with one record at a time, in bounded memory; `finish` gives the report.

Never here: where records come from, what a rule thinks, how a report looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fsm.audit.album import Album
from fsm.audit.anchors import Quote, find, no_quote
from fsm.audit.drawing import Drawing
from fsm.audit.mirror import Mirror
from fsm.audit.record import CLOSED, STARTED, Evidence, Record
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
_OPEN = 200  # calls that are followed at a time; of more, the one that was silent longest is over


class _Call:
    """One call of a log: its bookkeeping, our machine beside it, what is drawn of it."""

    def __init__(self, machine: TurnSpecMachine, options: Options, name: str) -> None:
        self.name = name
        self.tracker = Tracker(machine.spec.vocabulary, options)
        self.mirror = Mirror(machine)
        self.scenes = Scenes()
        self.drawing = Drawing()
        self.records = 0


class Audit:
    """`specs`: the chosen spec, then the others in which a deciding line is looked for."""

    def __init__(
        self,
        machine: TurnSpecMachine,
        specs: Sequence[Spec],
        options: Options | None = None,
        quote: Quote = no_quote,
    ) -> None:
        self._machine = machine
        self._specs = specs
        self._quote = quote
        self._options = options or Options()
        self._calls: dict[str, _Call] = {}
        self._album = Album()
        self._groups: dict[tuple[str, str, bool], Group] = {}
        self._kinds: dict[str, int] = {}
        self._is_mixed = False
        self._timed = False
        self._until_ms = 0.0
        self._ends_in_speech = False
        self.figures = Figures()
        self._line = 0

    def feed(self, record: Record) -> None:
        """One record of the log."""
        self._line = record.line
        self._number(record)
        call = self._call(record.call)
        call.records += 1
        before = call.tracker.talk
        moments = call.tracker.feed(record)
        talk = call.tracker.talk
        calls = call.mirror.calls
        acts = call.mirror.feed(record, talk, moments)
        for moment in moments if before is not talk else ():
            if moment.name in _OF_THE_END:
                self._told(moment, before, call)
        if call.mirror.calls > calls and call.records > 1:
            self._ended(call, before)
            call.drawing = Drawing(talk.now_ms if talk.timed else call.records, record.line)
        if moments or acts or not record.type.endswith((".delta", ".append")):
            call.scenes.add(beats_of(record, moments, acts, talk.now_ms))
        if moments or acts or not record.type.endswith((".append", "transcript.delta", "text.delta")):
            call.drawing.add(record, moments, acts, talk, call.records)
        for moment in moments:
            if before is talk or moment.name not in _OF_THE_END:
                self._told(moment, talk, call)
        self.figures.ours += sum(e.startswith("create_response") for act in acts for e in act.effects)

    def _number(self, record: Record) -> None:
        if record.type == STARTED:
            return
        self.figures.records += 1
        if record.type in self._kinds or len(self._kinds) < _TYPES:
            self._kinds[record.type] = self._kinds.get(record.type, 0) + 1

    def _call(self, name: str) -> _Call:
        """The call a record is of. What came before a log named any is the first one's."""
        call = self._calls.pop(name, None)
        if call is None and list(self._calls) == [""]:
            call = self._calls.pop("")
            call.name = name
        if call is None:
            call = _Call(self._machine, self._options, name)
            self.figures.calls += 1
            if len(self._calls) >= _OPEN:
                self._over(self._calls.pop(next(iter(self._calls))))
        self._calls[name] = call  # the one that spoke last is the last to be forgotten
        return call

    def _told(self, moment: Moment, talk: Talk, call: _Call) -> None:
        self._count(moment)
        self._judge(moment, talk, call)

    def _count(self, moment: Moment) -> None:
        figures = self.figures
        counter = _COUNTERS.get(moment.name)
        if counter is not None:
            counter(figures)
        if moment.name == "create_rejected":
            name = cause(moment)
            figures.causes[name] = figures.causes.get(name, 0) + 1

    def _judge(self, moment: Moment, talk: Talk, call: _Call) -> None:
        for rule in BY_MOMENT.get(moment.name, ()):
            verdict = rule.judge(moment, talk)
            if verdict is not None:
                self._note(rule, verdict, moment, call)

    def _note(self, rule: Rule, verdict: Verdict, moment: Moment, call: _Call) -> None:
        key = (rule.id, verdict.key, verdict.harm)
        if key not in self._groups and sum(k[0] == rule.id for k in self._groups) >= _KEYS:
            key = (rule.id, "(others)", verdict.harm)
        at_ms = moment.at_ms if verdict.at_ms is None else verdict.at_ms
        case = Case(at_ms, verdict.text, verdict.evidence, call.name)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(rule, key[1], verdict.harm, case, case)
            group.forbids = find(self._specs, rule.anchors, self._quote)
            if verdict.harm:
                group.scene = call.scenes.open(moment.evidence.line or self._line, moment.at_ms)
                group.lanes = call.drawing.lanes
        elif len(group.more) < _CASES - 1:
            group.more.append(case)
        group.count += 1
        group.last = case
        if verdict.harm:
            call.drawing.found(at_ms, f"{rule.id} {key[1]}")

    def _over(self, call: _Call) -> None:
        """A call is over: what was waited for never came."""
        talk = call.tracker.talk
        for moment in call.tracker.end():
            self._told(moment, talk, call)
        self._ended(call, talk)
        self._ends_in_speech = self._ends_in_speech or talk.in_speech
        self.figures.sessions += max(call.tracker.sessions, 1)
        self._is_mixed = self._is_mixed or call.tracker.is_mixed
        self._timed = self._timed or talk.timed
        self._until_ms = max(self._until_ms, talk.now_ms)

    def _ended(self, call: _Call, talk: Talk) -> None:
        """What is drawn of a call is complete."""
        call.drawing.end(talk.now_ms)
        self._album.add(call.name, call.drawing, talk.sound)

    def finish(self, file: str, log_format: str, skipped: int = 0) -> LogReport:
        """The log is over."""
        for call in list(self._calls.values()):
            self._over(call)
        self.figures.skipped = skipped
        if self._is_mixed:
            self._judge(Moment("mixed", Evidence(file, 0, None, ""), 0.0), Talk(self._options), self._call(""))
        groups = [self._weighed(group) for group in self._groups.values()]
        harmful = {(g.rule.id, g.key) for g in groups if g.harm}
        told = [g for g in groups if g.harm or (g.rule.id, g.key) not in harmful]
        told.sort(key=lambda g: (-g.count, g.first.at_ms))
        return LogReport(
            file, log_format, self._specs[0].name, self._timed, self._until_ms, self.figures,
            [g for g in told if g.harm], [g for g in told if not g.harm],
            self._album.timelines, dict(sorted(self._kinds.items())), self._album.undrawn, self._album.heard,
            self._ends_in_speech,
        )  # fmt: skip

    def _weighed(self, group: Group) -> Group:
        """In a log in which nothing tells calls apart, only what the provider itself says is sure."""
        said = group.rule.id == "response-failed" or any(e.type in ("error", CLOSED) for e in group.first.evidence)
        group.harm = group.harm and (said or not self._is_mixed)
        return group


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
