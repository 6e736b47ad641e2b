"""The words a story is told in: each a line's first word, made into a wire event or a machine event. Never a check.

Short ids: a response `r1` is `resp_r1` on the wire (errors name responses by that form); items and calls stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fsm.machine.machine import Event
from tests.fsm.machine import wire_forms as wire
from tests.fsm.machine.wire_forms import Json

Said = Event | Json | tuple[Event | Json, ...]
Sent = Callable[[str], str]
"""`sent(effect)` gives the event id of the last effect of that name, or of the one before it for `effect~1`."""

Make = Callable[[Sequence[str], Sent], Said]


def response(short: str) -> str:
    return f"resp_{short}"


def _created(words: Sequence[str], sent: Sent) -> Said:
    """`created r1`: the provider's own. `ours`, `ours~1`: with the tag of our last create, or of the one before."""
    tag = sent(words[1].replace("ours", "create_response")) if words[1:] else None
    return wire.created(response(words[0]), tag)


def _done(words: Sequence[str], _: Sent) -> Said:
    """`done r1`: and the caller has heard it by then; `done r1 unheard`: he has not, so far."""
    name, (how, *rest) = response(words[0]), (words[1:] or ("completed",))
    made: Mapping[str, Callable[[], Json]] = {
        "completed": lambda: wire.done(name),
        "unheard": lambda: wire.done(name),
        "filtered": lambda: wire.done(name, "incomplete", {"type": "incomplete", "reason": "content_filter"}),
        "limited": lambda: wire.done(name, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
        "empty": lambda: wire.done(name, output=[]),
        "incomplete": lambda: wire.done(name, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"}),
        "interrupted": lambda: wire.cancelled(name, "turn_detected"),
        "cancelled": lambda: wire.cancelled(name, "client_cancelled"),
        "failed": lambda: wire.failed(name, *rest),
        "calls": lambda: wire.done(name, output=[wire.function_call(call) for call in rest]),
        "spoke_and_calls": lambda: wire.done(
            name, output=[wire.message("item_said"), *(wire.function_call(call) for call in rest)]
        ),
    }
    done = made[how]()
    return (done, Event("playout.heard", {"response_id": name})) if how in ("completed", "incomplete") else done


def _busy(words: Sequence[str], sent: Sent) -> Said:
    """`busy [r1|-] [code|nocode] [id|noid]`: our create met an active response."""
    named = response(words[0]) if words and words[0] != "-" else None
    code = None if "nocode" in words else wire.BUSY
    return wire.busy(None if "noid" in words else sent("create_response"), named, code)


def _error(words: Sequence[str], sent: Sent) -> Said:
    """`error CODE [EFFECT [PARAM]]`: CODE `-` is null; the error carries the effect's event id unless it is `-`."""
    code, effect, param = (*words, "-", "-")[:3]
    about = None if effect == "-" else sent(effect)
    return wire.error(None if code == "-" else code, "Something was wrong", about, None if param == "-" else param)


def _items(words: Sequence[str]) -> list[dict[str, object]]:
    """`item:response:heard_ms/received_ms` each."""
    found: list[dict[str, object]] = []
    for word in words:
        item, by, heard = word.split(":")
        heard_ms, _, received_ms = heard.partition("/")
        found.append(
            {
                "item_id": item, "response_id": response(by), "content_index": 0, "heard_ms": int(heard_ms),
                "received_ms": int(received_ms),
            }
        )  # fmt: skip
    return found


def _fact(event: str, /, **data: object) -> Make:
    return lambda _words, _sent: Event(event, data)


CUES: Mapping[str, Make] = {
    # the provider's socket and session
    "opened": _fact("provider.opened"),
    "closed": lambda w, _: Event("provider.closed", {"code": 1006, "reason": "", "fatal": w[:1] == ["fatal"]}),
    "unreachable": lambda w, _: Event("provider.unreachable", {"reason": "", "fatal": w[:1] == ["fatal"]}),
    "session_created": lambda _w, _: wire.session("created"),
    "expiring": _fact("session.expiring"),
    "session_updated": lambda _w, _: wire.session("updated"),
    # the caller's turn, as the provider hears it
    "speech_started": lambda w, _: wire.speech("started", w[0]),
    "speech_stopped": lambda w, _: wire.speech("stopped", w[0]),
    "committed": lambda w, _: wire.committed(w[0]),
    "wordless": lambda w, _: {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": w[0],
        "transcript": " ".join(w[1:]),
    },
    "transcript": lambda w, _: {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": w[0],
        "transcript": " ".join(w[1:]),
    },
    # responses
    "created": _created,
    "shows_item": lambda w, _: wire.item_added(response(w[0]), w[1]),
    "done": _done,
    "busy": _busy,
    "error": _error,
    # tools
    "arguments": lambda w, _: wire.arguments_done(response(w[0]), w[1]),
    "calls": lambda w, _: wire.item_done(response(w[0]), wire.function_call(w[1], *w[2:])),
    "returned": lambda w, _: Event("tool.returned", {"call_id": w[0], "output": "12 degrees"}),
    "echo": lambda w, _: wire.item_echo(wire.output_item(w[0])),
    "beta_echo": lambda w, _: wire.item_echo(wire.output_item(w[0]), beta=True),
    "digits_echo": lambda _w, sent: wire.item_echo({"id": sent("send_digits"), "type": "message", "role": "user"}),
    # the caller's line
    "silent": _fact("caller.silent"),
    "spoke": _fact("caller.spoke"),
    "sound_began": _fact("caller.sound_began"),
    "sound_ended": _fact("caller.sound_ended"),
    "hung_up": _fact("caller.hung_up", reason="fin"),
    "key": lambda w, _: Event("caller.pressed_key", {"digit": w[0]}),
    # what the caller hears
    "starts": lambda w, _: Event("playout.started", {"response_id": response(w[0]), "item_id": w[1]}),
    "enough": lambda w, _: Event("playout.heard", {"response_id": response(w[0])}),
    "soundless": lambda w, _: Event("playout.silent", {"response_id": response(w[0])}),
    "heard": lambda w, _: (
        Event("playout.started", {"response_id": response(w[0]), "item_id": w[1]}),
        Event("playout.heard", {"response_id": response(w[0])}),
    ),
    "drained": _fact("playout.drained"),
    "flushed": lambda w, _: Event("playout.flushed", {"items": _items(w)}),
    "dropped": lambda w, _: Event("playout.dropped", {"items": _items(w)}),
    "progressed": _fact("playout.progressed"),
    "prompt_finished": _fact("prompt.finished", name="apology"),
    "committable": _fact("uplink.committable"),
    "kept": _fact("uplink.kept"),
    # requests
    "operator": _fact("operator.hang_up_requested", reason="operator"),
    "say": lambda w, _: Event("application.say_requested", {"text": " ".join(w)}),
}
