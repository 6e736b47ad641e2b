"""How the arguments of effects are made from the ids. Never here: whether an effect is due.

Sources: docs/facts/realtime_api.md sections 3 to 5.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Args, Data, Made
from fsm.machine.ledgers.call import UNKNOWN_RESPONSE, Keys, Tools, last, text
from fsm.machine.ledgers.realtime.ids import Ledger, Sent, ToolAnswers, event_id

TRUNCATE_MARGIN_MS: Final = 85
"""The server counts this much less of its own audio (docs/facts/realtime_api.md section 4)."""
TOO_MANY_TOOLS: Final = '{"error": "too many tools are running at once; ask again for this one when they are done"}'
TOOL_OVERDUE: Final = '{"error": "the tool did not answer in time"}'

FAILED: Final = "What the caller was promised has failed."
"""Where an event does not say what."""


def _numbered_to(ledger: Ledger, serial: int) -> Ledger:
    return ledger.with_sent(Sent(serial, ledger.sent.unechoed, ledger.sent.say, ledger.sent.answers))


def leave(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    return ({},), ledger.without_session()


def forget_echoes(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    return (), ledger.with_sent(Sent(ledger.sent.serial, (), ledger.sent.say))


def settle_turn(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    """A commit that was presumed: when it comes after all it is known."""
    for _, phase in ledger.turns:
        if phase == "stopped":
            turns = tuple([(item, "committed" if at == "stopped" else at) for item, at in ledger.turns])
            return (), ledger.with_turns(turns)
    return (), ledger


def confirm_turn(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    """Nothing goes out: whose turn it is was in question, not which."""
    return (), ledger


def numbered(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    serial = ledger.sent.serial + 1
    return ({"event_id": event_id(effect, serial)},), _numbered_to(ledger, serial)


def create(effect: str, ledger: Ledger, literal: str | None, data: Data) -> Made[Ledger]:
    serial, unechoed, say, answers = ledger.sent
    serial += 1
    name = event_id(effect, serial)
    wish = (text(data, "text") or say) if literal == "say" else None
    args: Args = {"event_id": name, "cause": literal, "instructions": wish}
    ledger = ledger.with_sent(Sent(serial, unechoed, say if wish is None else wish, answers))
    return (args,), ledger.with_responses(ledger.responses._replace(create=name))


def cancel(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    current = ledger.responses.current
    if current in (None, UNKNOWN_RESPONSE):
        return (), ledger  # a bare cancel would hit whatever comes next (docs/facts/realtime_api.md section 5)
    serial = ledger.sent.serial + 1
    args: Args = {"event_id": event_id(effect, serial), "response_id": current}
    return (args,), _numbered_to(ledger, serial)


def truncate(effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made[Ledger]:
    """One effect for each item that was cut: to what was heard, never beyond what the server itself counts."""
    items = data.get("items")
    if not items or not isinstance(items, list | tuple):
        return (), ledger
    made: list[Args] = []
    serial = ledger.sent.serial
    for item in items:
        heard, received = (
            (item.get(key) for key in ("heard_ms", "received_ms")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(heard, int) or not isinstance(received, int) or not isinstance(item.get("item_id"), str):
            continue
        limit = max(received - TRUNCATE_MARGIN_MS, 0)
        still_generating = item.get("response_id") in ledger.responses.open
        if heard >= limit and received > 0 and not still_generating:
            continue  # heard to its end, within the margin
        serial += 1
        made.append(
            {
                "event_id": event_id(effect, serial),
                "item_id": item["item_id"],
                "content_index": item.get("content_index", 0),
                "audio_end_ms": min(heard, limit),
            }
        )
    return tuple(made), _numbered_to(ledger, serial)


def _output(effect: str, ledger: Ledger, call: str, output: str) -> tuple[Args, Ledger]:
    serial, unechoed, say, answers = ledger.sent
    name = event_id(effect, serial + 1)
    args: Args = {"event_id": name, "call_id": call, "output": output}
    return args, ledger.with_sent(
        Sent(serial + 1, (*unechoed, (name, call))[-16:], say, answers.with_answer(call, output))
    )


def send_output(effect: str, ledger: Ledger, literal: str | None, data: Data) -> Made[Ledger]:
    """The result of the tool that returned, or the literal reason why the call was not run."""
    output = TOO_MANY_TOOLS if literal == "too_many" else str(data.get("output", ""))
    args, ledger = _output(effect, ledger, text(data, "call_id") or "", output)
    return (args,), ledger


def _rejected(answers: ToolAnswers) -> tuple[str, str] | None:
    call = last(answers.rejected)
    return next((answer for answer in answers.unshown if answer[0] == call), None)


def resend_output(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    """The answer that was rejected just now, once more."""
    rejected = _rejected(ledger.sent.answers)
    if rejected is None:
        return (), ledger
    args, ledger = _output(effect, ledger, *rejected)
    return (args,), ledger


def tell_output(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    """The answer that was rejected just now, as an item of our own."""
    serial, unechoed, say, answers = ledger.sent
    rejected = _rejected(answers)
    if rejected is None:
        return (), ledger
    call, output = rejected
    name = event_id(effect, serial + 1)
    args: Args = {"event_id": name, "item_id": name, "call_id": call, "output": output}
    sent = Sent(serial + 1, (*unechoed, (name, name))[-16:], say, answers.without(call))
    return (args,), ledger.with_sent(sent)


def overdue_outputs(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    made = []
    called, running = ledger.tools
    for call in running:
        args, ledger = _output(effect, ledger, call, TOOL_OVERDUE)
        made.append(args)
    return tuple(made), ledger.with_tools(Tools(called))


def note_wish(_effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made[Ledger]:
    """What the event wants said is kept, for as long as it may have to be asked for."""
    serial, unechoed, say, answers = ledger.sent
    return (), ledger.with_sent(Sent(serial, unechoed, text(data, "text") or say, answers))


def notice(effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made[Ledger]:
    serial, unechoed, say, answers = ledger.sent
    name = event_id(effect, serial + 1)
    args: Args = {"event_id": name, "item_id": name, "text": text(data, "text") or FAILED}
    return (args,), ledger.with_sent(Sent(serial + 1, (*unechoed, (name, name))[-16:], say, answers))


def digits(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made[Ledger]:
    serial, unechoed, say, answers = ledger.sent
    name = event_id(effect, serial + 1)
    args: Args = {"event_id": name, "item_id": name, "digits": ledger.keys.digits}
    ledger = ledger.with_keys(Keys(ledger.keys.talk))
    return (args,), ledger.with_sent(Sent(serial + 1, (*unechoed, (name, name))[-16:], say, answers))
