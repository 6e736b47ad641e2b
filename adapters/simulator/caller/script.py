"""What a simulated caller does, as data: steps, and how its telephone behaves. Nothing here does anything.

In YAML a step is its name, or its name with its one main value, or its name with a mapping of all its values:

    steps:
      - wait_agent_speaking
      - interrupt: {file: caller_interrupt, after_ms: 700}
      - wait_agent_silent: {for_ms: 600, within_ms: 8000}
      - press: "5"
      - wait_ms: 500
      - hang_up
    expect:                                    # checked when the call is over; see .numbers for the words
      summary: {answers: 2, longest_silence_ms: "< 3000"}
      deadlines: [{of: spoke, comes: heard_agent, within_ms: 2000}]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar

import attrs
import cattrs
from attrs.validators import ge, gt, in_, le, lt
from cattrs.v import format_exception

from adapters.lines.audiosocket.protocol import DIGITS, KIND_OF_RATE_HZ
from adapters.simulator.speech.library import lines, wav_path
from fsm.scenario.expectation import Expectation, read_expectation

T = TypeVar("T")
WITHIN_MS = 10_000.0
WORDS: Mapping[str, str] = MappingProxyType(
    {  # of `expect.summary`; .numbers measures them
        "steps_done": "steps of the script that were done, waits in vain included",
        "waits_in_vain": "waits that did not come true",
        "turns": "how often the caller spoke",
        "answers": "turns after which the agent was heard before the caller spoke again",
        "greeting_ms": "until the agent was first heard, before the caller spoke; none: it was not",
        "reply_ms": "the longest from the end of what the caller said to the agent's next beginning",
        "longest_silence_ms": "the longest time with neither of them",
        "talk_over_ms": "how long both were heard at once",
        "yield_ms": "the longest from the caller's first sound over the agent to the agent's last: barge-in",
        "holes": "stretches of nothing in the middle of the agent's speech",
        "longest_hole_ms": "the longest of these",
        "agent_speech_ms": "how long the agent was heard",
        "heard": "names of the bundled lines that were heard, in order (turnspec simulate caller --list-speech)",
        "heard_percent": "of each of them, how much",
        "duration_ms": "of the call",
        "ended": "hangup, fin, rst (by the other side), dropped (as Asterisk does), caller",
    }
)
EVENTS: tuple[str, ...] = (
    "connected", "began_speaking", "spoke", "pressed", "put_on_hold", "taken_off_hold", "heard_agent", "agent_silent",
    "ended",
)  # fmt: skip
"""Of the caller's call, for `expect.deadlines`."""


def _wait() -> float:
    """The deadline every wait has; when it passes, the script goes on and the report says so."""
    value: float = attrs.field(default=WITHIN_MS, validator=gt(0))
    return value


@attrs.frozen
class Say:
    """Speaks a 16-bit PCM WAV file of any rate, and goes on when it is said."""

    file: Path


@attrs.frozen
class WaitMs:
    ms: float = attrs.field(validator=ge(0))


@attrs.frozen
class WaitAgentSpeaking:
    """Until the agent can be heard."""

    within_ms: float = _wait()


@attrs.frozen
class WaitAgentSilent:
    """Until the agent was silent for so long; it is if it never spoke, so wait for it to speak first."""

    for_ms: float = attrs.field(default=500.0, validator=ge(0))
    within_ms: float = _wait()


@attrs.frozen
class Press:
    """A key: the caller's audio stops while it is pressed, and it is reported at its end."""

    digit: str = attrs.field(validator=in_(tuple(sorted(DIGITS))))


@attrs.frozen
class Interrupt:
    """Speaks into the agent's speech once that has lasted `after_ms`; says nothing if it does not come to that."""

    file: Path
    after_ms: float = attrs.field(default=500.0, validator=ge(0))
    within_ms: float = _wait()


@attrs.frozen
class Hold:
    """The caller puts the agent on hold: nothing of the agent is heard, and nothing is sent, or what the agent is given
    to hear (a WAV file, over and over); docs/facts/telephony.md section 2."""

    ms: float = attrs.field(validator=gt(0))
    music: Path | None = None


@attrs.frozen
class HangUp:
    """The caller hangs up, and the server sees FIN."""


@attrs.frozen
class Reset:
    """The caller hangs up while the server's audio is unread in Asterisk, and the server sees RST."""


@attrs.frozen
class UntilHungUp:
    """Until the server ends the call."""

    within_ms: float = _wait()


Step: TypeAlias = (
    Say | WaitMs | WaitAgentSpeaking | WaitAgentSilent | Press | Interrupt | Hold | HangUp | Reset | UntilHungUp
)

STEPS: Mapping[str, tuple[type[Step], str | None]] = MappingProxyType(
    {  # name in YAML: (step, the field that a bare value means)
        "say": (Say, "file"),
        "wait_ms": (WaitMs, "ms"),
        "wait_agent_speaking": (WaitAgentSpeaking, "within_ms"),
        "wait_agent_silent": (WaitAgentSilent, "for_ms"),
        "press": (Press, "digit"),
        "interrupt": (Interrupt, "file"),
        "hold": (Hold, "ms"),
        "hang_up": (HangUp, None),
        "reset": (Reset, None),
        "until_hung_up": (UntilHungUp, "within_ms"),
    }
)


@attrs.frozen
class Script:
    """At its end the caller hangs up, unless the call is over."""

    steps: tuple[Step, ...]
    expect: Expectation | None = None

    def is_played(self, steps_done: int) -> bool:
        """Is nothing left but to end the call?"""
        return all(isinstance(step, HangUp | Reset | UntilHungUp) for step in self.steps[steps_done:])


@attrs.frozen
class Echo:
    """How the agent's voice comes back into the caller's microphone."""

    delay_ms: float = attrs.field(default=120.0, validator=[ge(0), le(2_000)])
    gain_db: float = attrs.field(default=-20.0, validator=le(0))


@attrs.frozen(kw_only=True)
class CallerSettings:
    """The caller's telephone and the Asterisk before it (docs/facts/telephony.md section 2); plain values."""

    rate_hz: int = attrs.field(default=8_000, validator=in_(KIND_OF_RATE_HZ))
    ptime_ms: int = attrs.field(default=20, validator=in_((10, 20, 30, 40)))
    dtx: bool = False
    """Nothing at all is sent between utterances, instead of silence."""
    echo: Echo | None = None
    jitter_ms: float = attrs.field(default=0.0, validator=[ge(0), le(1_000)])
    """Frames of the caller come up to so much late, each by another amount, in order: none, then several at once."""
    digit_ms: float = attrs.field(default=120.0, validator=gt(0))

    driver: Literal["app", "dial"] = attrs.field(default="app", validator=in_(("app", "dial")))
    """`AudioSocket()`, or `Dial(AudioSocket/...,g)`: without the idle limit, and the dialplan always goes on."""
    idle_limit_ms: float = attrs.field(default=2_000.0, validator=gt(0))
    payload_stall_ms: float = attrs.field(default=5.0, validator=gt(0))
    connect_deadline_ms: float = attrs.field(default=2_000.0, validator=gt(0))
    close_deadline_ms: float = attrs.field(default=2_000.0, validator=gt(0))
    """How long a caller that hung up waits to see the server close, for the report."""

    threshold_dbfs: float = attrs.field(default=-45.0, validator=lt(0))
    """Of the RMS of a message from which it is speech (a square wave of full scale is 0)."""
    onset_ms: float = attrs.field(default=40.0, validator=ge(0))
    """Less sound than this is a click."""
    pause_ms: float = attrs.field(default=450.0, validator=gt(0))
    """A pause no longer than this, as between two sentences, is within one speech segment."""
    keep_audio: bool = True
    """Keep what was heard in the report (16 kB a second); off for load."""

    @property
    def frame_bytes(self) -> int:
        """Of the PCM of one message of the caller."""
        return self.rate_hz * self.ptime_ms // 1000 * 2


def load_telephone(data: object, **defaults: object) -> CallerSettings:
    """What a YAML document says of the caller's telephone: `{echo: {gain_db: -14, delay_ms: 120}, dtx: true}`.

    ValueError says what is wrong and where.
    """
    if not isinstance(data, Mapping):
        raise ValueError("telephone: a mapping is expected, e.g. {echo: {gain_db: -14, delay_ms: 120}}")
    converter = cattrs.Converter(forbid_extra_keys=True)
    build = partial(converter.structure, {**defaults, **data}, CallerSettings)
    return _built(build, "telephone")


def load_script(data: object, folder: Path = Path()) -> Script:
    """A script from what a YAML document holds: `{steps: [...]}`.

    A `file` is the name of a line of the bundled speech, or a path, relative to `folder`.
    ValueError says what is wrong and where: `steps[2].press: ...`.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("steps"), list):
        raise ValueError("a script is a mapping with a list `steps`")
    if extra := sorted(set(map(str, data)) - {"steps", "expect"}):
        raise ValueError(f"a script has nothing but `steps` and `expect`, and not {', '.join(extra)}")
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(Path, lambda value, _: _speech_file(str(value), folder))
    expect = read_expectation(data["expect"], WORDS, EVENTS) if "expect" in data else None
    return Script(tuple(_step(item, f"steps[{n}]", converter) for n, item in enumerate(data["steps"])), expect)


def _speech_file(name: str, folder: Path) -> Path:
    return wav_path(name) if name in lines() else folder / name


def _step(item: object, where: str, converter: cattrs.Converter) -> Step:
    if isinstance(item, str):
        item = {item: None}
    if not isinstance(item, Mapping) or len(item) != 1:
        raise ValueError(f"{where}: a step is its name, or a mapping of its name to its value")
    [(name, value)] = item.items()
    if name not in STEPS:
        raise ValueError(f"{where}: no step is called {name!r}; there are {', '.join(STEPS)}")
    step, main_field = STEPS[name]
    if value is None:
        value = {}
    elif not isinstance(value, Mapping):
        if main_field is None:
            raise ValueError(f"{where}.{name}: takes no value")
        value = {main_field: value}
    build: Callable[[], Step] = partial(converter.structure, value, step)
    return _built(build, f"{where}.{name}")


def _built(build: Callable[[], T], where: str) -> T:
    try:
        return build()
    except cattrs.BaseValidationError as error:
        problems = "; ".join(cattrs.transform_error(error, format_exception=_problem))
        raise ValueError(f"{where}: {problems}") from error


def _problem(error: BaseException, type_: type | None) -> str:
    """attrs' validators say it best themselves, in the first argument of their ValueError."""
    is_told = isinstance(error, ValueError) and bool(error.args)
    return str(error.args[0]) if is_told else format_exception(error, type_)
