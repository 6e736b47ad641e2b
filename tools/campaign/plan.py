"""What one call of a campaign is: line, spec, what the provider does wrong, what the caller does, who attacks the port.

A seed and a number give the same call on every machine. Plain values only, so that a failed call can be read. Nothing
here runs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

import attrs

from adapters.demo.lines import WITH_AUDIO
from adapters.simulator.providers.realtime.faults import KINDS
from adapters.specs import REALTIME
from tools.campaign.attacks import ATTACKS

Values = Mapping[str, Any]
TALK_KEY: Final = "*"
MANUAL: Final = "push_to_talk"
"""The bundled spec whose caller opens and closes a turn with a key."""
_WEIGHTS: Final = {MANUAL: 1}
"""Of a spec among the bundled ones; the others have three."""
_SAID: Final = (
    "caller_order_status", "caller_weather", "caller_returns", "caller_when_open", "caller_two_cities", "caller_yes",
    "caller_bye", "caller_interrupt", "caller_order_number", "caller_where_is_it",
)  # fmt: skip
_SERVER_EVENTS: Final = (
    "session.created", "session.updated", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done", "response.created",
    "response.output_item.added", "response.content_part.added", "response.output_audio.delta",
    "response.output_audio.done", "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
    "response.content_part.done", "response.output_item.done", "response.done", "response.function_call_arguments.done",
    "conversation.item.truncated", "conversation.item.input_audio_transcription.completed", "rate_limits.updated",
    "error",
)  # fmt: skip
_CLIENT_EVENTS: Final = (
    "session.update", "response.create", "response.cancel", "conversation.item.create", "conversation.item.truncate",
    "input_audio_buffer.append", "input_audio_buffer.commit",
)  # fmt: skip
_GARBAGE: Final = ("invalid_json", "binary", "unknown_event", "not_an_object", "no_type", "empty", "custom")
_ODD: Final[Sequence[tuple[str, Values]]] = (
    ("response.done", {"set": {"response.usage": None}}),
    ("response.done", {"set": {"response.output": []}}),
    ("response.done", {"drop": ["response.id"]}),
    ("response.done", {"set": {"response.status": "strange"}}),
    ("response.done", {"set": {"response": 7}}),
    ("response.created", {"drop": ["response.id"]}),
    ("response.created", {"set": {"response.id": "resp_of_nobody"}}),
    ("response.created", {"set": {"response": None}}),
    ("response.output_audio.delta", {"set": {"delta": {}}}),
    ("response.output_audio.delta", {"set": {"delta": "!!not base64!!"}}),
    ("response.output_audio.delta", {"drop": ["item_id"]}),
    ("response.output_audio.delta", {"set": {"response_id": "resp_of_nobody"}}),
    ("response.output_item.done", {"drop": ["item.call_id"]}),
    ("response.output_item.done", {"set": {"item.arguments": "{not json"}}),
    ("response.output_item.done", {"set": {"item": []}}),
    ("input_audio_buffer.committed", {"drop": ["item_id"]}),
    ("input_audio_buffer.speech_started", {"drop": ["item_id"]}),
    ("input_audio_buffer.speech_started", {"set": {"item_id": 5}}),
    ("session.created", {"set": {"session": None}}),
    ("session.updated", {"drop": ["session"]}),
    ("error", {"set": {"error": "a text"}}),
    ("error", {"set": {"error.code": None, "error.event_id": None}}),
)
"""Events with a field that is not as promised."""
_OVERRULED: Final[Sequence[Values]] = (
    {"audio.output.format": {"type": "audio/pcm", "rate": 24000}},
    {"audio.input.format": {"type": "audio/pcm", "rate": 24000}},
    {"audio.input.turn_detection": None},
    {"tools": []},
    {"voice": "another"},
)
_REJECTED: Final = ("conversation_already_has_active_response", "invalid_value", "server_error", None)


@attrs.frozen(kw_only=True)
class DrawnCall:
    """All that is drawn for one call."""

    seed: int
    number: int
    line: str
    spec: str
    provider: Values
    """As a scenario file of the simulated provider says it."""
    steps: Sequence[Any]
    """As a script of the simulated caller says it."""
    telephone: Values
    attack: str | None
    keeps_files: bool
    """A journal and a recording."""

    @property
    def faults(self) -> Sequence[str]:
        """The kinds of what the provider does wrong."""
        return [str(each["fault"]) for each in self.provider["faults"]]

    def as_values(self) -> dict[str, Any]:
        """For whoever reads it."""
        return {each.name: getattr(self, each.name) for each in attrs.fields(DrawnCall)}


def drawn(seed: int, number: int) -> DrawnCall:
    """The call of that number."""
    random = Random(f"{seed}:{number}")
    spec = random.choices(REALTIME, [_WEIGHTS.get(each, 3) for each in REALTIME])[0]
    line = random.choice(WITH_AUDIO)
    return DrawnCall(
        seed=seed,
        number=number,
        line=line,
        spec=spec,
        provider=_provider(random, number),
        steps=_steps(random, spec == MANUAL),
        telephone=_telephone(random, line),
        attack=_attack(random, line) if random.random() < 0.25 else None,
        keeps_files=random.random() < 0.25,
    )


def _attack(random: Random, line: str) -> str:
    """AudioSocket's port is open whatever line the call comes by."""
    fits = [name for name, each in ATTACKS.items() if each.port != "websocket" or line != "audiosocket"]
    return random.choice(fits)


# --- the provider -----------------------------------------------------------------------------------------------------


def _provider(random: Random, number: int) -> Values:
    scale = random.choice((0.5, 1.0, 1.0, 2.0))
    latency = {
        "response_created_s": 0.03 * scale, "first_item_s": 0.3 * scale, "first_transcript_s": 0.37 * scale,
        "first_audio_s": 0.5 * scale,
        "pace": random.choice((1.2, 3.0, 13.0)), "uplink_s": random.choice((0.0, 0.0, 0.05, 0.3)),
        "downlink_s": random.choice((0.0, 0.0, 0.05, 0.3)),
    }  # fmt: skip
    kinds = list(KINDS)
    first = kinds[number % len(kinds)]  # each kind has its share, however few calls there are
    chosen = [first, *random.choices(kinds, k=random.choice((0, 0, 1, 1, 2)))]
    return {
        "latency": latency,
        "responses": [_response(random) for _ in range(random.choice((0, 0, 1, 2, 3)))],
        "faults": [{"fault": kind, **_FAULTS[kind](random)} for kind in chosen],
    }


def _response(random: Random) -> Values:
    when = {"after": "user"}
    said = {"say": random.choice(("One moment, please.", "It was sent this morning.", "We are open until six today."))}
    tool = {"call": random.choice(TOOL_NAMES), "arguments": random.choice(({}, {"n": 1}, "{broken", "[]"))}
    return random.choice(
        (
            {"when": when, "output": [tool]},
            {"when": when, "output": [said, tool]},
            {"when": when, "output": [tool, {**tool, "arguments": {"n": 2}}]},
            {"when": when, "output": [said, said]},
            {"when": when, "output": []},
            {"when": when, "output": [said], "status": "incomplete", "cut_after_ms": 400},
            {"when": when, "output": [said], "status": "incomplete", "reason": "content_filter"},
            {"when": when, "output": [], "status": "failed"},
            {"when": when, "output": [said], "status": "failed", "error": {"code": "rate_limit_exceeded"}},
            {"when": when, "output": [said], "delay_s": random.choice((1.0, 3.0, 9.0))},
            {"when": {"after": "tools"}, "output": [tool]},
            {"when": {"nth": 1}, "output": [said], "status": "failed"},
        )
    )


TOOL_NAMES: Final = ("quick", "slow", "overdue", "broken", "unknown")
"""The first four are there (play.py)."""


def _on_event(random: Random, types: Sequence[str] = _SERVER_EVENTS) -> dict[str, Any]:
    return {"type": random.choice(types), **_nth(random)}


def _nth(random: Random) -> dict[str, Any]:
    nth = random.choice((1, 1, 2, 3, None))
    return {} if nth is None else {"nth": nth}


def _moment(random: Random) -> dict[str, Any]:
    match random.randrange(3):
        case 0:
            return {"at_s": round(random.uniform(0, 12), 2)}
        case 1:
            return {"after": random.choice(_SERVER_EVENTS), "nth": random.choice((1, 1, 2))}
        case _:
            return {"after_client": random.choice(_CLIENT_EVENTS), "nth": random.choice((1, 1, 2))}


def _connection(random: Random) -> dict[str, Any]:
    return {"connection": 1} if random.random() < 0.7 else {}


def _mutate(random: Random) -> dict[str, Any]:
    kind, change = random.choice(_ODD)
    return {"type": kind, **change, **_nth(random)}


def _flood(random: Random) -> dict[str, Any]:
    kind = random.choice(("input_audio_buffer.speech_started", "response.done", "rate_limits.updated", "made.up"))
    return {**_moment(random), "event": {"type": kind, "item_id": "item_{n}"}, "count": random.choice((50, 500, 5_000))}


def _inject(random: Random) -> dict[str, Any]:
    garbage = random.choice(_GARBAGE)
    return {**_moment(random), "garbage": garbage, **({"text": "x" * 200_000} if garbage == "custom" else {})}


_FAULTS: Final[Mapping[str, Callable[[Random], dict[str, Any]]]] = {
    "lose": _on_event,
    "delay": lambda r: {**_on_event(r), "by_s": round(r.uniform(0.05, 7), 2), "hold": r.random() < 0.4},
    "duplicate": lambda r: {**_on_event(r), "after_s": r.choice((0.0, 0.3, 2.5))},
    "reorder": lambda r: {**_on_event(r), "past": r.choice((1, 2, 4))},
    "mutate": _mutate,
    "ignore_client": lambda r: _on_event(r, _CLIENT_EVENTS),
    "delay_client": lambda r: {**_on_event(r, _CLIENT_EVENTS), "by_s": round(r.uniform(0.05, 4), 2)},
    "refuse_client": lambda r: {**_on_event(r, _CLIENT_EVENTS), "code": r.choice(_REJECTED)},
    "refuse_update": lambda r: {**_connection(r), **_nth(r)},
    "overrule_update": lambda r: {"set": dict(r.choice(_OVERRULED))},
    "cross_create": lambda r: {**_nth(r), "hold_s": r.choice((0.0, 0.0, 2.0)), "error_first": r.random() < 0.5},
    "deaf_before_created": _connection,
    "close": lambda r: {**_connection(r), **_moment(r), "code": r.choice((1000, 1001, 1006, 1008, 1011, 3000, 4000))},
    "inject": _inject,
    "flood": _flood,
    "stall_sending": lambda r: {**_moment(r), "for_s": r.choice((0.5, 3.0, 12.0))},
    "stall_reading": lambda r: {**_moment(r), "for_s": r.choice((0.5, 3.0, 12.0))},
    "http_status": lambda r: {**_connection(r), "status": r.choice((301, 401, 403, 404, 429, 500, 503))},
    "slow_upgrade": lambda r: {**_connection(r), "by_s": r.choice((0.5, 3.0, 8.0))},
    "silent_ping": _connection,
}
"""How each kind is drawn; a test compares the keys with the kinds that there are."""


# --- the caller -------------------------------------------------------------------------------------------------------


def _steps(random: Random, is_manual: bool) -> Sequence[Any]:
    """Some turns, and an end. A caller who does not wait for the greeting, who stays silent, who plays with keys."""
    steps: list[Any] = [] if random.random() < 0.2 else [{"wait_agent_speaking": {"within_ms": 6_000}}]
    if random.random() < 0.7:
        steps.append(_pause(random))
    for _ in range(random.choice((0, 1, 1, 2, 2, 3))):
        steps += _turn(random, is_manual)
    steps.append(random.choice(("hang_up", "hang_up", "reset", {"until_hung_up": {"within_ms": 20_000}})))
    return steps


def _turn(random: Random, is_manual: bool) -> list[Any]:
    said, key = random.choice(_SAID), {"press": TALK_KEY}
    turn: list[Any] = [{"say": said}]
    match random.randrange(8):
        case 0 | 1:
            turn = [{"interrupt": {"file": said, "after_ms": random.choice((0, 150, 400, 1_200)), "within_ms": 6_000}}]
        case 2:
            turn = [{"press": random.choice("0123456789#")} for _ in range(random.choice((1, 2, 12)))]
        case 3:
            turn = [{"wait_ms": random.choice((300, 2_000, 9_000))}]
        case 4:
            turn = [{"say": said}, {"wait_ms": random.choice((50, 400, 900))}, {"say": random.choice(_SAID)}]
    if is_manual and random.random() < 0.8:
        turn = [key, *turn, *([key] if random.random() < 0.9 else [])]
    answered = [{"wait_agent_speaking": {"within_ms": random.choice((1_500, 9_000))}}, _pause(random)]
    return turn + (answered if random.random() < 0.8 else [])


def _pause(random: Random) -> Any:
    return {"wait_agent_silent": {"for_ms": random.choice((200, 600, 1_000)), "within_ms": 9_000}}


def _telephone(random: Random, line: str) -> Values:
    found: dict[str, Any] = {"ptime_ms": random.choice((20, 20, 20, 10, 40)), "dtx": random.random() < 0.15}
    if random.random() < 0.15:
        found["echo"] = {"gain_db": random.choice((-30, -20, -12)), "delay_ms": random.choice((60, 200))}
    if line == "audiosocket":
        found["rate_hz"] = random.choice((8_000, 8_000, 16_000, 24_000))
        found["driver"] = random.choice(("app", "dial"))
    return found
