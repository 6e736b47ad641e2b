"""The journal of a call as JSON lines: values to one line, one line to a value. A crash costs at most the last line.

A header, then a line for each step, each wire event in and out, each loss, and an end; where the call went on under
another spec, a line that is a second header (`parts`). Versioned; fields that this
reader does not know are passed over. No audio and no secret is ever in it (see fsm.journal.scrub). The digits a caller
keys in are in it: a replay needs them. Never here: files, clocks; time (`t_ms`, from the start of the call) is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar, cast

import attrs
import cattrs

from fsm.errors import LocalError
from fsm.journal.scrub import Scrubber, scrub
from fsm.language.problem import Place, Problem, Problems
from fsm.machine.machine import Step
from fsm.machine.reaction import Outcome

VERSION = 1
WAITED = "waited"
T = TypeVar("T")


@attrs.frozen
class Header:
    """The first line: enough to start the same machine again. `digest`: see `digest`; `context`: initial overrides."""

    spec: str
    spec_file: str
    digest: str
    call_id: str = ""
    talk_key: str = ""
    context: Mapping[str, str] = attrs.field(factory=dict)
    started_at: str = ""
    agent: str = ""
    caller_id: str = ""
    dialled: str = ""
    variables: Mapping[str, str] = attrs.field(factory=dict)
    """What the line said about the call when it began."""
    ids: Mapping[str, str] = attrs.field(factory=dict)
    """Of a part that another came before: what its ledger has carried."""
    version: int = VERSION


@attrs.frozen
class EffectLine:
    """An effect as it was handed to the executor."""

    name: str
    args: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen
class TimerLine:
    """A timer that was started."""

    name: str
    after_ms: int
    epoch: int


@attrs.frozen
class StepLine:
    """One step. `serial` counts steps from 0 (the start of the call) without a gap; `place` is Place.lines.

    `cause` is what put the event into the mailbox: `start`, `line`, `wire:<event id>`, `tool:<call id>`,
    `timer:<name>` ...; `waited` (WAITED) for one that the machine itself took up again (TurnSpecMachine.advance).
    """

    serial: int
    t_ms: int
    event: str
    variant: str
    outcome: Outcome
    before: str
    after: str
    data: Mapping[str, object] = attrs.field(factory=dict)
    cause: str = ""
    transitions: tuple[str, ...] = ()
    place: str = ""
    effects: tuple[EffectLine, ...] = ()
    started: tuple[TimerLine, ...] = ()
    stopped: tuple[str, ...] = ()
    reason: str = ""


@attrs.frozen
class WireLine:
    """One event on the provider's wire; `in` is from the provider. Audio is replaced by its length."""

    t_ms: int
    direction: Literal["in", "out"]
    event: Mapping[str, object]


@attrs.frozen
class TakeoverLine:
    """From here the call goes on under another spec, whose steps are counted from 0: what its machine began with.

    `ids` is what the ledger before has carried (fsm.machine.takeover), `provider` the one that it is with.
    """

    t_ms: int
    spec: str
    spec_file: str
    digest: str
    context: Mapping[str, str] = attrs.field(factory=dict)
    ids: Mapping[str, str] = attrs.field(factory=dict)
    provider: str = ""


@attrs.frozen
class LostLine:
    """Lines that were not written, e.g. because the writer could not keep up."""

    t_ms: int
    count: int
    why: str


@attrs.frozen
class EndLine:
    """The last line of a call that ended in order; `summary` is the line of figures of the call."""

    t_ms: int
    summary: Mapping[str, object] = attrs.field(factory=dict)


Line = Header | StepLine | WireLine | TakeoverLine | LostLine | EndLine
_KINDS: Mapping[str, type[Any]] = {
    "header": Header, "step": StepLine, "wire": WireLine, "takeover": TakeoverLine, "lost": LostLine, "end": EndLine,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


class JournalError(LocalError):
    """A line that is not a journal line: `FILE:LINE: problem`."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        self.file, self.line, self.problem = file, line, problem
        super().__init__(f"{file}:{line}: {problem}")


@attrs.frozen
class Journal:
    """A journal that was read. `warnings`: a cut last line, no end line. `lines` are without the header, in order."""

    header: Header
    lines: tuple[Line, ...]
    warnings: tuple[Problem, ...] = ()
    file: str = "-"

    @property
    def steps(self) -> tuple[StepLine, ...]:
        return tuple(line for line in self.lines if isinstance(line, StepLine))

    @property
    def end(self) -> EndLine | None:
        return next((line for line in reversed(self.lines) if isinstance(line, EndLine)), None)

    @property
    def parts(self) -> tuple[Journal, ...]:
        """The call under each of its specs, as a journal of its own; nearly always one."""
        begins = [index for index, line in enumerate(self.lines) if isinstance(line, TakeoverLine)]
        if not begins:
            return (self,)
        found = [attrs.evolve(self, lines=self.lines[: begins[0]])]
        for begin, end in zip(begins, [*begins[1:], len(self.lines)], strict=True):
            line = self.lines[begin]
            assert isinstance(line, TakeoverLine)
            header = attrs.evolve(
                self.header, spec=line.spec, spec_file=line.spec_file, digest=line.digest, context=line.context,
                ids=line.ids,
            )  # fmt: skip
            found.append(Journal(header, self.lines[begin + 1 : end], file=self.file))
        return tuple(found)


def digest(texts: Iterable[str]) -> str:
    """A fingerprint of a spec: of its text, its parts' and its vocabularies', in the order in which they are read."""
    running = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        running.update(f"{len(raw)}:".encode() + raw)
    return running.hexdigest()[:16]


def step_line(step: Step, serial: int, t_ms: int, cause: str) -> StepLine:
    """A step of the machine as a line."""
    place = step.place
    return StepLine(
        serial, t_ms, step.event.name, step.variant, step.outcome, step.before, step.snapshot.state, step.event.data,
        cause, step.transitions, place.lines if place else "",
        tuple(EffectLine(effect.name, effect.args) for effect in step.effects),
        tuple(TimerLine(timer.name, timer.after_ms, timer.epoch) for timer in step.start), step.stop, step.reason,
    )  # fmt: skip


# --- writing ----------------------------------------------------------------------------------------------------------


def encode(line: Line, scrubber: Scrubber = scrub) -> str:
    """One line of text, without its newline. Fields at their default are left out. Never raises for what data holds."""
    fields = {"kind": _NAMES[type(line)], **_fields(line, scrubber)}
    if isinstance(line, Header):
        fields["version"] = line.version
    text = _PLAIN.encode(fields)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, UTF-8 cannot
            return _ASCII.encode(fields)
    return text


_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_ASCII = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str)


_SHAPES: Mapping[type[Any], tuple[tuple[str, bool], ...]] = {
    kind: tuple((field.name, field.default is attrs.NOTHING) for field in attrs.fields(kind))
    for kind in (*_KINDS.values(), EffectLine, TimerLine)
}


def _fields(value: object, scrubber: Scrubber) -> dict[str, object]:
    """The fields of a line; mappings hold what came from outside, so that is where secrets and audio can be."""
    found: dict[str, object] = {}
    for name, required in _SHAPES[type(value)]:
        item = getattr(value, name)
        if isinstance(item, tuple):
            item = [each if isinstance(each, str) else _fields(each, scrubber) for each in item]
        elif isinstance(item, Mapping) and item:
            item = scrubber(item)
        if item or required:
            found[name] = item
    return found


# --- reading ----------------------------------------------------------------------------------------------------------


def decode(text: str, file: str = "-", number: int = 1) -> Line:
    """The value of one line. Raises JournalError."""
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that were let through as they were
        raise JournalError(file, number, "this is not UTF-8") from None
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JournalError(file, number, f"this is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise JournalError(file, number, "a JSON object is expected here")
    kind = _KINDS.get(str(raw.get("kind")))
    if "kind" not in raw:
        raise JournalError(file, number, "it has no 'kind', so it is not a line of a turnspec journal")
    if kind is None:
        raise JournalError(file, number, f"'{raw.get('kind')}' is not a kind of line; known: {', '.join(_KINDS)}")
    if kind is Header and raw.get("version") != VERSION:
        raise JournalError(file, number, _other_version(raw.get("version")))
    try:
        return cast(Line, _CONVERTER.structure(raw, kind))
    except Exception as error:  # cattrs raises groups of anything; all of them mean a wrong line
        raise JournalError(file, number, _problem(error)) from None


def read(lines: Iterable[str], file: str = "-", damage: Problems | None = None) -> Journal:
    """A whole journal from its lines. A last line that was cut off is a warning; anything else wrong a JournalError.

    With `damage`, wrong lines after the header are reported there and skipped.
    """
    return _Reader(file, damage).read(lines)


class _Reader:
    """One use."""

    def __init__(self, file: str, damage: Problems | None) -> None:
        self._file = file
        self._damage = damage
        self._found: list[Line] = []
        self._number = 0
        self._cut: JournalError | None = None
        self._is_over = False

    def read(self, lines: Iterable[str]) -> Journal:
        for self._number, text in enumerate(lines, 1):
            if self._cut is not None:
                self._tell(self._cut)  # it was not the last line
                self._cut = None
            if text.strip() and not self._is_over:
                self._take(text)
        if not self._found:
            raise self._cut or JournalError(self._file, 1, _NO_HEADER)
        return Journal(cast(Header, self._found[0]), tuple(self._found[1:]), tuple(self._warnings()), self._file)

    def _take(self, text: str) -> None:
        try:
            line = decode(text, self._file, self._number)
            if not self._found and not isinstance(line, Header):
                raise JournalError(self._file, self._number, _NO_HEADER)
            if self._found and isinstance(line, Header):
                self._is_over = True
                raise JournalError(self._file, self._number, "another journal begins here; a file holds one call")
            self._found.append(line)
        except JournalError as error:
            if not self._found:
                raise
            if text.endswith("\n"):  # a line written to its end was not cut by a crash
                self._tell(error)
            else:
                self._cut = error

    def _tell(self, error: JournalError) -> None:
        if self._damage is None:
            raise error
        self._damage.add(Place(self._file, error.line, 1), "line", error.problem)

    def _warnings(self) -> Iterator[Problem]:
        if self._cut is not None:
            yield _warning(self._file, self._number, "cut-line", "the last line was cut off, the call probably crashed")
        if not any(isinstance(line, EndLine) for line in self._found):
            yield _warning(self._file, self._number, "no-end", "the journal has no end line, it may be incomplete")


_NO_HEADER = "a journal of turnspec begins with a line of kind 'header'; for other logs use `turnspec audit`"


def _warning(file: str, number: int, code: str, message: str) -> Problem:
    return Problem(Place(file, number, 1), code, message, severity="warning")


def _other_version(version: object) -> str:
    newer = isinstance(version, int) and version > VERSION
    hint = "; a newer turnspec wrote it, and a newer one reads it" if newer else ""
    return f"version {version} of a journal; this reads version {VERSION}{hint}"


def _exactly(kind: type[T], name: str) -> Any:
    def check(value: object, _: object) -> T:
        if type(value) is not kind:
            raise TypeError(f"{name} is expected, not {json.dumps(value, default=str)[:40]}")
        return value

    return check


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=False)
    converter.register_structure_hook(str, _exactly(str, "a text"))
    converter.register_structure_hook(int, _exactly(int, "a whole number"))
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    return converter


_CONVERTER = _make_converter()


def _problem(error: Exception) -> str:
    """All that is wrong with a line, as `problem @ $.path`."""
    return "; ".join(cattrs.transform_error(error, format_exception=_explain))


def _explain(error: BaseException, _kind: object) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error)
