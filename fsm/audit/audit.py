"""An audit of one log: fed with one record at a time, in bounded memory; `finish` gives the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fsm.audit.conversation import AuditOptions, LoggedConversation
from fsm.audit.excerpts import Excerpts, lines_of
from fsm.audit.observations import (
    OF_THE_END,
    CallsMixed,
    CreateAccepted,
    CreateRejected,
    CreateSent,
    CreateUnanswered,
    Observation,
    ResponseBegan,
    ToolCalled,
    TurnCommitted,
)
from fsm.audit.observed import Observed
from fsm.audit.record import CLOSED, ENDED, STARTED, Evidence, Record, visible
from fsm.audit.report.report import Figures, FindingCase, FindingGroup, LogReport
from fsm.audit.rules import BY_KIND
from fsm.audit.rules.answers import cause
from fsm.audit.rules.ranking import cause_of, ranked
from fsm.audit.rules.rule import AuditRule, RuleJudgement
from fsm.audit.shadow import Shadow
from fsm.audit.spec_links import Quote, find, no_quote
from fsm.audit.timelines import TimelineDrawing, Timelines
from fsm.audit.tracking.tracker import Tracker
from fsm.audit.turn_owner import FunctionCalled, TurnTaken, VoiceBegan
from fsm.audit.turn_table import TurnBook
from fsm.language.spec import Spec
from fsm.machine.machine import TurnSpecMachine

_KEYS = 12  # kinds that one rule may tell apart; the others are counted together
_CASES = 3
_TYPES = 200
_OPEN = 200  # calls that are followed at a time; of more, the one that was silent longest is over


class _LogCall:
    """One call of a log: its bookkeeping, our machine beside it, what is drawn of it."""

    def __init__(self, machine: TurnSpecMachine, options: AuditOptions, name: str) -> None:
        self.name = name
        self.tracker = Tracker(machine.spec.vocabulary, options)
        self.shadow = Shadow(machine)
        self.excerpts = Excerpts()
        self.drawing = TimelineDrawing()
        self.book = TurnBook()
        self.records = 0

    def go_on(self, machine: TurnSpecMachine) -> None:
        """Under another spec: our machine beside it is that one's."""
        self.tracker.follow(machine.spec.vocabulary)
        calls, self.shadow = self.shadow.calls, Shadow(machine)
        self.shadow.calls = calls


class Audit:
    """`specs`: the chosen spec, then the others in which a deciding line is looked for.

    `elsewhere`: the machine of the spec under which a journal says that its call went on, None if it is not known.
    """

    def __init__(
        self,
        machine: TurnSpecMachine,
        specs: Sequence[Spec],
        options: AuditOptions | None = None,
        quote: Quote = no_quote,
        elsewhere: Callable[[str], TurnSpecMachine | None] = lambda _: None,
    ) -> None:
        self._machine = machine
        self._specs = specs
        self._quote = quote
        self._elsewhere = elsewhere
        self._options = options or AuditOptions()
        self._calls: dict[str, _LogCall] = {}
        self._timelines = Timelines()
        self._groups: dict[tuple[str, str, bool], FindingGroup] = {}
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
        if record.type == STARTED and call.records > 1 and (machine := self._elsewhere(record.text("spec"))):
            call.go_on(machine)
        before = call.tracker.conversation
        observed = call.tracker.feed(record)
        conversation = call.tracker.conversation
        calls = call.shadow.calls
        steps = call.shadow.feed(record, conversation, observed)
        for observation in observed if before is not conversation else ():
            if isinstance(observation, OF_THE_END):
                self._take(observation, before, call)
        if call.shadow.calls > calls and call.records > 1:
            self._ended(call, before)
            call.book = TurnBook()
            call.drawing = TimelineDrawing(conversation.now_ms if conversation.timed else call.records, record.line)
        if observed or steps or not record.type.endswith((".delta", ".append")):
            call.excerpts.add(lines_of(record, observed, steps, conversation.now_ms))
        if observed or steps or not record.type.endswith((".append", "transcript.delta", "text.delta")):
            call.drawing.add(record, observed, steps, conversation, call.records)
            call.book.add(record, observed, conversation)
        for observation in observed:
            if before is conversation or not isinstance(observation, OF_THE_END):
                self._take(observation, conversation, call)
        self.figures.ours += sum(e.startswith("create_response") for step in steps for e in step.effects)

    def _number(self, record: Record) -> None:
        if record.type in (STARTED, ENDED):
            return
        self.figures.records += 1
        if record.type in self._kinds or len(self._kinds) < _TYPES:
            self._kinds[record.type] = self._kinds.get(record.type, 0) + 1

    def _call(self, name: str) -> _LogCall:
        """The call a record is of. What came before a log named any is the first one's."""
        call = self._calls.pop(name, None)
        if call is None and list(self._calls) == [""]:
            call = self._calls.pop("")
            call.name = name
        if call is None:
            call = _LogCall(self._machine, self._options, name)
            self.figures.calls += 1
            if len(self._calls) >= _OPEN:
                self._over(self._calls.pop(next(iter(self._calls))))
        self._calls[name] = call  # the one that spoke last is the last to be forgotten
        return call

    def _take(self, observation: Observation, conversation: LoggedConversation, call: _LogCall) -> None:
        self._count(observation)
        self._judge(observation, conversation, call)

    def _count(self, observed: Observation) -> None:
        figures = self.figures
        name = _COUNTED.get(type(observed))
        if name is not None:
            setattr(figures, name, getattr(figures, name) + 1)
        if isinstance(observed, CreateRejected):
            why = cause(observed)
            figures.causes[why] = figures.causes.get(why, 0) + 1

    def _judge(self, observed: Observation, conversation: LoggedConversation, call: _LogCall) -> None:
        for rule, judge in BY_KIND.get(type(observed), ()):
            judgement = judge(observed, conversation)
            if judgement is not None:
                self._note(rule, judgement, observed, call)

    def _note(self, rule: AuditRule, judgement: RuleJudgement, observed: Observation, call: _LogCall) -> None:
        key = (rule.id, judgement.key, judgement.harm)
        if key not in self._groups and sum(k[0] == rule.id for k in self._groups) >= _KEYS:
            key = (rule.id, "(others)", judgement.harm)
        at_ms = observed.at_ms if judgement.at_ms is None else judgement.at_ms
        case = FindingCase(at_ms, judgement.text, judgement.evidence, call.name)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = FindingGroup(rule, key[1], judgement.harm, case, case)
            group.forbids = find(self._specs, rule.links, self._quote)
            if judgement.harm:
                group.excerpt = call.excerpts.open(observed.evidence.line or self._line, observed.at_ms)
                group.lanes = call.drawing.lanes
        elif len(group.more) < _CASES - 1:
            group.more.append(case)
        group.count += 1
        group.last = case
        if judgement.harm:
            call.drawing.found(at_ms, f"{rule.id} {key[1]}")

    def _over(self, call: _LogCall) -> None:
        """A call is over: what was waited for never came."""
        conversation = call.tracker.conversation
        for observation in call.tracker.end():
            self._take(observation, conversation, call)
        self._ended(call, conversation)
        self._ends_in_speech = self._ends_in_speech or conversation.in_speech
        self.figures.sessions += max(call.tracker.sessions, 1)
        self._is_mixed = self._is_mixed or call.tracker.is_mixed
        self._timed = self._timed or conversation.timed
        self._until_ms = max(self._until_ms, conversation.now_ms)

    def _ended(self, call: _LogCall, conversation: LoggedConversation) -> None:
        """What is drawn of a call is complete."""
        call.drawing.end(conversation.now_ms)
        self._timelines.add(call.name, call.drawing, conversation.agent_audio, call.book)

    def finish(
        self, file: str, log_format: str, skipped: int = 0, first_unread: tuple[int, str] | None = None
    ) -> LogReport:
        """The log is over. `skipped` lines could not be read; the first of them, and what it says."""
        for call in list(self._calls.values()):
            self._over(call)
        self.figures.skipped = skipped
        if self._is_mixed:
            self._judge(CallsMixed(Evidence(file, 0, None, ""), 0.0), LoggedConversation(self._options), self._call(""))
        groups = [self._weighed(group) for group in self._groups.values()]
        harmful = {(g.rule.id, g.key) for g in groups if g.harm}
        shown = [g for g in groups if g.harm or (g.rule.id, g.key) not in harmful]
        findings = ranked([g for g in shown if g.harm])
        for group in findings:
            cause = cause_of(group, findings)
            group.because = cause.rule.title if cause is not None else ""
        shown.sort(key=lambda g: (-g.count, g.first.at_ms))
        return LogReport(
            file, log_format, self._specs[0].name, self._timed, self._until_ms, self.figures,
            findings, [g for g in shown if not g.harm],
            self._timelines.kept, dict(sorted(self._kinds.items())), self._timelines.undrawn, self._timelines.heard,
            self._ends_in_speech, (first_unread[0], visible(first_unread[1])) if first_unread else None,
        )  # fmt: skip

    def _weighed(self, group: FindingGroup) -> FindingGroup:
        """In a log in which nothing tells calls apart, only what the provider itself says is sure."""
        said = group.rule.id == "response-failed" or any(e.type in ("error", CLOSED) for e in group.first.evidence)
        group.harm = group.harm and (said or not self._is_mixed)
        return group


_COUNTED: dict[type[Observed], str] = {
    CreateSent: "creates", CreateAccepted: "accepted", CreateRejected: "rejected", CreateUnanswered: "unanswered",
    TurnCommitted: "turns", ResponseBegan: "responses", ToolCalled: "tools",
    TurnTaken: "turns", VoiceBegan: "responses", FunctionCalled: "tools",
}  # fmt: skip
