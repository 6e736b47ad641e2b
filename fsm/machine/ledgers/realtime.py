"""Who is meant: the ids of a call, and what an event is by identity. Ids never reach a guard; variants do.

Why a ledger: a provider names responses, items and tool calls by ids, the wire repeats, loses and crosses what it says
of them, and a state machine over ids would have no finite table. So ids are kept apart, in an immutable value that only
the pure functions below change, and an event reaches the machine as one of a few variants: what the ids made of it (a
response has ended: ours, cancelled, or one that had ended before). Guards see variants and slots, the verifier explores
variants with no id at all (its world sends them as roles), and a journal replays because equal ledger and data give
an equal variant. Every collection is bounded, as nobody promises that a call is short: the oldest id goes. An event
that names it later is taken for one that was never seen, which is a variant, too, and never an error.

Two closed tables live here. IDENTITIES: which variants an event with ids can turn into, and the pure function that
tells which. RECIPES: how an effect's arguments are made from the ids. PROTOCOL is their names, for the loader: the
vocabulary declares the same variants and arguments. Never here: a decision about turns, slots, time.
Sources: docs/facts/realtime_api.md sections 3 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fsm.language.ledger import LedgerProtocol

Data = Mapping[str, object]
Args = dict[str, object]

UNKNOWN_RESPONSE = "?"
EVENT_ID_PREFIX = "ts_"
TRUNCATE_MARGIN_MS = 85  # the server counts this much less of its own audio (docs/facts/realtime_api.md section 4)
FATAL_CODES = frozenset({"insufficient_quota", "account_deactivated", "billing_hard_limit_reached", "invalid_api_key"})
TOO_MANY_TOOLS = '{"error": "too many tools are running at once; ask again for this one when they are done"}'
TOOL_OVERDUE = '{"error": "the tool did not answer in time"}'
_RESPONSE_ID = re.compile(r"\bresp_\w+")


class Ledger(NamedTuple):
    """The ids of one call. Every collection is bounded: the oldest goes."""

    talk_key: str = ""
    digits: str = ""
    say: str | None = None
    """What the application last wished to have said, for as long as it may have to be asked for again."""
    calls: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    unechoed: tuple[tuple[str, str], ...] = ()
    """Items of ours that were not shown yet: the event id they were sent with, and their call or item id."""
    outputs: tuple[tuple[str, str], ...] = ()
    """Of those the answers to tool calls: the call id, and what it was answered with."""
    rejected: tuple[str, ...] = ()
    """Calls of which an answer was rejected; the newest is the last."""
    serial: int = 0
    create: str | None = None
    response: str | None = None
    answered: str | None = None
    """The response that ended last: what the caller has heard of it may not be known yet."""
    open_responses: tuple[str, ...] = ()
    ended_responses: tuple[str, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()


def _text(data: Data, key: str) -> str | None:
    value = data.get(key)
    return value if isinstance(value, str) and value else None


def _kept(entries: tuple[str, ...], new: str | None, bound: int) -> tuple[str, ...]:
    if new is None or new in entries:
        return entries
    return (*entries, new)[-bound:]


def _without(entries: tuple[str, ...], gone: str | None) -> tuple[str, ...]:
    return tuple([e for e in entries if e != gone]) if gone in entries else entries


# --- identities -------------------------------------------------------------------------------------------------------


_CREATED = {(True, False): "ours", (True, True): "begun", (False, False): "own", (False, True): "found"}


def _response_created(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    response = _text(data, "response_id")
    only_an_item = "tag" not in data  # response.output_item.added shows a response whose response.created was lost
    opened = ledger.open_responses
    if response is None:
        if only_an_item:
            return "known", ledger
        response = UNKNOWN_RESPONSE
    elif response in opened or response in ledger.ended_responses:
        return "known", ledger
    create = ledger.create
    ours = create is not None and (only_an_item or data["tag"] == create)
    ledger = ledger._replace(
        create=None if ours else create, response=response, answered=None, open_responses=_kept(opened, response, 8)
    )
    return _CREATED[ours, only_an_item], ledger


def _response_done(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    response, current = _text(data, "response_id"), ledger.response
    was_ended = ledger.ended_responses
    ended = _kept(was_ended, response, 16)
    opened = _without(ledger.open_responses, response)
    if current is None or response in was_ended or (response not in (current, None) and current != UNKNOWN_RESPONSE):
        return "stale", ledger._replace(open_responses=opened, ended_responses=ended)
    return _outcome(data), ledger._replace(
        response=None, answered=response or current, open_responses=_without(opened, current), ended_responses=ended
    )


def _outcome(data: Data) -> str:
    status, code = _text(data, "status"), _text(data, "code")
    if status == "failed":
        return "fatal" if code in FATAL_CODES else "failed"
    if status == "cancelled":
        return "interrupted" if _text(data, "reason") == "turn_detected" else "cancelled"
    if status == "incomplete":
        return "filtered" if _text(data, "reason") == "content_filter" else "incomplete"
    # A completed response without any output answered nobody: it is asked for again like a failed one.
    return "failed" if data.get("outputs") == 0 else "completed"


def _create_rejected(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """Our create (or the provider's own, which carries no id of ours) found a response active."""
    event_id = _text(data, "event_id")
    if event_id is None or event_id != ledger.create:
        ours = event_id is not None and event_id.startswith(EVENT_ID_PREFIX)
        return ("stale" if ours else "foreign"), ledger
    named = _RESPONSE_ID.search(_text(data, "message") or "")
    conflict = named.group() if named else ledger.response
    ledger = ledger._replace(create=None)
    if conflict is None or conflict in ledger.ended_responses:
        return "over", ledger
    # One we have not seen began before our create arrived; its own response.created may still come.
    known = conflict in ledger.open_responses or conflict == UNKNOWN_RESPONSE
    return ("busy" if known else "crossed"), ledger._replace(response=conflict, answered=None)


def _create_failed(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    if ledger.create is not None and _text(data, "event_id") == ledger.create:
        return "ours", ledger._replace(create=None)
    return "stale", ledger


def _tool_called(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    call = _text(data, "call_id")
    if call is None or call in ledger.calls:
        return "seen", ledger
    return "new", ledger._replace(calls=_kept(ledger.calls, call, 64))


def _tool_returned(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    call = _text(data, "call_id")
    if call not in ledger.running:
        return "late", ledger
    return "pending", ledger._replace(running=_without(ledger.running, call))


def _echo(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    waiting = ledger.unechoed
    if not waiting:
        return "other", ledger
    names = {_text(data, key) for key in ("call_id", "item_id", "event_id")}
    left = tuple([entry for entry in waiting if names.isdisjoint(entry)])
    if len(left) == len(waiting):
        return "other", ledger
    shown = tuple([answer for answer in ledger.outputs if answer[0] not in names])
    return "ours", ledger._replace(unechoed=left, outputs=shown)


def item_rejected(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """`first`: an answer to a tool call, to be sent once more; `final`: for the second time; `ours`: another item."""
    name = _text(data, "event_id")
    call = dict(ledger.unechoed).get(name or "")
    if call is None:
        return "other", ledger
    ledger = ledger._replace(unechoed=tuple([entry for entry in ledger.unechoed if entry[0] != name]))
    if call not in dict(ledger.outputs):
        return "ours", ledger
    tag = "final" if call in ledger.rejected else "first"
    return tag, ledger._replace(rejected=(*_without(ledger.rejected, call), call)[-16:])


_PHASES = {"started": 0, "stopped": 1, "committed": 2}


def _turn(phase: str) -> Callable[[Ledger, Data], tuple[str, Ledger]]:
    """A phase of a caller's turn, by the item id the provider announced; what comes twice or too late is `again`."""

    number = _PHASES[phase]

    def classify(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
        item, turns = _text(data, "item_id") or "", ledger.turns
        reached = ""
        if turns and turns[-1][0] == item:  # nearly always: a turn ends before the next begins
            reached, others = turns[-1][1], turns[:-1]
        else:
            others = tuple([turn for turn in turns if turn[0] != item])
            if len(others) < len(turns):
                reached = dict(turns)[item]
        fresh = not item and phase == "started"  # a server that names no items: each start is a new turn
        if reached and _PHASES[reached] >= number and not fresh:
            return "again", ledger
        ledger = ledger._replace(turns=(*others[-7:], (item, phase)))
        return ("expected" if phase == "committed" and reached == "stopped" else "new"), ledger

    return classify


def _playout_started(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    current = ledger.response
    return ("current" if current is not None and data.get("response_id") == current else "other"), ledger


def _playout_judged(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """What the caller has heard of a response: of the one under way, or of the one that ended last."""
    awaited = ledger.response if ledger.response is not None else ledger.answered
    return ("current" if awaited is not None and data.get("response_id") == awaited else "other"), ledger


def _without_session(ledger: Ledger) -> Ledger:
    """The ids of a session end with its socket; what it has said may still be playing."""
    answered = ledger.response or ledger.answered
    return ledger._replace(create=None, response=None, answered=answered, turns=(), unechoed=(), outputs=())


def _closed(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    return ("fatal" if data.get("fatal") is True else "retryable"), _without_session(ledger)


def _key(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    digit = _text(data, "digit") or ""
    if digit and digit == ledger.talk_key:
        return "talk", ledger
    return "other", ledger._replace(digits=(ledger.digits + digit)[-64:])


Classify = Callable[[Ledger, Data], tuple[str, Ledger]]
_CLASSIFY: Mapping[str, tuple[Classify, tuple[str, ...]]] = {
    "response_created": (_response_created, ("ours", "begun", "own", "found", "known")),
    "response_done": (
        _response_done,
        ("completed", "incomplete", "filtered", "interrupted", "cancelled", "failed", "fatal", "stale"),
    ),
    "create_rejected": (_create_rejected, ("busy", "crossed", "over", "foreign", "stale")),
    "create_failed": (_create_failed, ("ours", "stale")),
    "tool_called": (_tool_called, ("new", "seen")),
    "tool_returned": (_tool_returned, ("pending", "late")),
    "echo": (_echo, ("ours", "other")),
    "turn_started": (_turn("started"), ("new", "again")),
    "turn_stopped": (_turn("stopped"), ("new", "again")),
    "turn_committed": (_turn("committed"), ("expected", "new", "again")),
    "playout_started": (_playout_started, ("current", "other")),
    "playout_judged": (_playout_judged, ("current", "other")),
    "closed": (_closed, ("retryable", "fatal")),
    "key": (_key, ("talk", "other")),
}

IDENTITIES: Mapping[str, tuple[str, ...]] = {name: variants for name, (_, variants) in _CLASSIFY.items()}
CLASSIFY: Mapping[str, Classify] = {name: function for name, (function, _) in _CLASSIFY.items()}


# --- recipes ----------------------------------------------------------------------------------------------------------

Made = tuple[tuple[Args, ...], Ledger]
Recipe = Callable[[str, Ledger, str | None, Data], Made]


def event_id(effect: str, serial: int) -> str:
    """Our id on a client event: `ts_<effect>_<n>`, so that an error that carries it names its effect."""
    return f"{EVENT_ID_PREFIX}{effect}_{serial}"


def effect_of(name: str) -> str | None:
    """The effect an event id of ours stands for, or None: `ts_create_response_7` is create_response."""
    if not name.startswith(EVENT_ID_PREFIX):
        return None
    return name.removeprefix(EVENT_ID_PREFIX).rpartition("_")[0] or None


def _plain(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    return ({},), ledger


def _leave(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    return ({},), _without_session(ledger)


def _forget_echoes(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    return (), ledger._replace(unechoed=(), outputs=())


def _settle_turn(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    """A commit that was presumed: when it comes after all it is known."""
    for _, phase in ledger.turns:
        if phase == "stopped":
            turns = tuple([(item, "committed" if at == "stopped" else at) for item, at in ledger.turns])
            return (), ledger._replace(turns=turns)
    return (), ledger


def _named(_effect: str, ledger: Ledger, literal: str | None, _data: Data) -> Made:
    return ({"name": literal},), ledger


def _numbered(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    serial = ledger.serial + 1
    return ({"event_id": event_id(effect, serial)},), ledger._replace(serial=serial)


def _create(effect: str, ledger: Ledger, literal: str | None, data: Data) -> Made:
    serial = ledger.serial + 1
    name = event_id(effect, serial)
    text = (_text(data, "text") or ledger.say) if literal == "say" else None
    args: Args = {"event_id": name, "cause": literal, "instructions": text}
    ledger = ledger._replace(say=text) if text is not None else ledger
    return (args,), ledger._replace(serial=serial, create=name)


def _cancel(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    serial = ledger.serial + 1
    if ledger.response in (None, UNKNOWN_RESPONSE):
        return (), ledger  # a bare cancel would hit whatever comes next (docs/facts/realtime_api.md section 5)
    args: Args = {"event_id": event_id(effect, serial), "response_id": ledger.response}
    return (args,), ledger._replace(serial=serial)


def _flush(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    ids = _kept(ledger.open_responses, ledger.response, 9)
    return ({"response_ids": [i for i in ids if i != UNKNOWN_RESPONSE]},), ledger


def _truncate(effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made:
    """One effect for each item that was cut: to what was heard, never beyond what the server itself counts."""
    items = data.get("items")
    if not items or not isinstance(items, list | tuple):
        return (), ledger
    made: list[Args] = []
    serial = ledger.serial
    for item in items:
        heard, received = (
            (item.get(key) for key in ("heard_ms", "received_ms")) if isinstance(item, dict) else (None, None)
        )
        if not isinstance(heard, int) or not isinstance(received, int) or not isinstance(item.get("item_id"), str):
            continue
        limit = max(received - TRUNCATE_MARGIN_MS, 0)
        still_generating = item.get("response_id") in ledger.open_responses
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
    return tuple(made), ledger._replace(serial=serial)


def _run_tool(_effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made:
    call = _text(data, "call_id") or ""
    args: Args = {"call_id": call, "name": _text(data, "name") or "", "arguments": _text(data, "arguments") or ""}
    return (args,), ledger._replace(running=_kept(ledger.running, call, 16))


def _output(effect: str, ledger: Ledger, call: str, output: str) -> tuple[Args, Ledger]:
    serial = ledger.serial + 1
    name = event_id(effect, serial)
    args: Args = {"event_id": name, "call_id": call, "output": output}
    outputs = (*[answer for answer in ledger.outputs if answer[0] != call], (call, output))[-16:]
    unechoed = (*ledger.unechoed, (name, call))[-16:]
    return args, ledger._replace(unechoed=unechoed, outputs=outputs, serial=serial)


def _send_output(effect: str, ledger: Ledger, literal: str | None, data: Data) -> Made:
    """The result of the tool that returned, or the literal reason why the call was not run."""
    output = TOO_MANY_TOOLS if literal == "too_many" else str(data.get("output", ""))
    args, ledger = _output(effect, ledger, _text(data, "call_id") or "", output)
    return (args,), ledger


def _rejected_output(ledger: Ledger) -> tuple[str, str] | None:
    call = ledger.rejected[-1] if ledger.rejected else ""
    output = dict(ledger.outputs).get(call)
    return (call, output) if output is not None else None


def _resend_output(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    """The answer that was rejected just now, once more."""
    rejected = _rejected_output(ledger)
    if rejected is None:
        return (), ledger
    args, ledger = _output(effect, ledger, *rejected)
    return (args,), ledger


def _tell_output(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    """The answer that was rejected just now, as an item of our own."""
    rejected = _rejected_output(ledger)
    if rejected is None:
        return (), ledger
    call, output = rejected
    serial = ledger.serial + 1
    name = event_id(effect, serial)
    args: Args = {"event_id": name, "item_id": name, "call_id": call, "output": output}
    outputs = tuple([answer for answer in ledger.outputs if answer[0] != call])
    unechoed = (*ledger.unechoed, (name, name))[-16:]
    return (args,), ledger._replace(serial=serial, unechoed=unechoed, outputs=outputs)


def _overdue_outputs(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    made = []
    for call in ledger.running:
        args, ledger = _output(effect, ledger, call, TOOL_OVERDUE)
        made.append(args)
    return tuple(made), ledger._replace(running=())


def _forget_tools(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    return ({"call_ids": list(ledger.running)},), ledger._replace(running=())


def _digits(effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    serial = ledger.serial + 1
    name = event_id(effect, serial)
    args: Args = {"event_id": name, "item_id": name, "digits": ledger.digits}
    unechoed = (*ledger.unechoed, (name, name))[-16:]
    return (args,), ledger._replace(serial=serial, digits="", unechoed=unechoed)


_RECIPES: Mapping[str, tuple[Recipe, tuple[str, ...]]] = {
    "plain": (_plain, ()),
    "leave": (_leave, ()),
    "forget_echoes": (_forget_echoes, ()),
    "settle_turn": (_settle_turn, ()),
    "named": (_named, ("name",)),
    "numbered": (_numbered, ("event_id",)),
    "create": (_create, ("event_id", "cause", "instructions")),
    "cancel": (_cancel, ("event_id", "response_id")),
    "flush": (_flush, ("response_ids",)),
    "truncate": (_truncate, ("event_id", "item_id", "content_index", "audio_end_ms")),
    "run_tool": (_run_tool, ("call_id", "name", "arguments")),
    "send_output": (_send_output, ("event_id", "call_id", "output")),
    "resend_output": (_resend_output, ("event_id", "call_id", "output")),
    "tell_output": (_tell_output, ("event_id", "item_id", "call_id", "output")),
    "overdue_outputs": (_overdue_outputs, ("event_id", "call_id", "output")),
    "forget_tools": (_forget_tools, ("call_ids",)),
    "digits": (_digits, ("event_id", "item_id", "digits")),
}

RECIPES: Mapping[str, Recipe] = {name: function for name, (function, _) in _RECIPES.items()}

PROTOCOL = LedgerProtocol("realtime", IDENTITIES, {name: arguments for name, (_, arguments) in _RECIPES.items()})
