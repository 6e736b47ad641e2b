"""Who is meant: the ids of a call, and what an event is by identity. Ids never reach a guard; variants do.

Two closed tables live here. IDENTITIES: which variants an event with ids can turn into, and the pure function that
tells which. RECIPES: how an effect's arguments are made from the ids. Never here: a decision about turns, slots, time.
Sources: facts/realtime_api.md sections 3 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

Data = Mapping[str, object]
Args = dict[str, object]

UNKNOWN_RESPONSE = "?"
EVENT_ID_PREFIX = "ts_"
TRUNCATE_MARGIN_MS = 85  # the server counts this much less of its own audio (facts/realtime_api.md section 4)
FATAL_CODES = frozenset({"insufficient_quota", "account_deactivated", "billing_hard_limit_reached", "invalid_api_key"})
TOO_MANY_TOOLS = '{"error": "too many tools are running at once; ask again for this one when they are done"}'
TOOL_OVERDUE = '{"error": "the tool did not answer in time"}'
_RESPONSE_ID = re.compile(r"\bresp_\w+")


class Ledger(NamedTuple):
    """The ids of one call. Every collection is bounded: the oldest entry goes.

    A named tuple, because half of all events change it and `_replace` costs a fifth of what attrs' evolve does.
    """

    serial: int = 0
    talk_key: str = ""
    create: str | None = None
    response: str | None = None
    open_responses: tuple[str, ...] = ()
    ended_responses: tuple[str, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()
    calls: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    unechoed: tuple[tuple[str, str], ...] = ()
    """Items of ours that were not shown yet: the event id they were sent with, and their call or item id."""
    digits: str = ""
    say: str | None = None
    """What the application last wished to have said, for as long as it may have to be asked for again."""


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
    response, tag = _text(data, "response_id"), _text(data, "tag")
    known = (*ledger.open_responses, *ledger.ended_responses)
    only_an_item = "tag" not in data  # response.output_item.added shows a response whose response.created was lost
    if response in known or (response is None and only_an_item):
        return "known", ledger
    response = response or UNKNOWN_RESPONSE
    ours = ledger.create is not None and (tag == ledger.create or only_an_item)
    ledger = ledger._replace(
        create=None if ours else ledger.create,
        response=response,
        open_responses=_kept(ledger.open_responses, response, 8),
    )
    return _CREATED[ours, only_an_item], ledger


def _response_done(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    response = _text(data, "response_id")
    ended = _kept(ledger.ended_responses, response, 16)
    current = ledger.response is not None and response not in ledger.ended_responses
    if not current or (response not in (ledger.response, None) and ledger.response != UNKNOWN_RESPONSE):
        open_responses = _without(ledger.open_responses, response)
        return "stale", ledger._replace(open_responses=open_responses, ended_responses=ended)
    gone = ledger.response
    open_responses = _without(_without(ledger.open_responses, response), gone)
    ledger = ledger._replace(response=None, open_responses=open_responses, ended_responses=ended)
    return _outcome(data), ledger


def _outcome(data: Data) -> str:
    status, code = _text(data, "status"), _text(data, "code")
    if status == "failed":
        return "fatal" if code in FATAL_CODES else "failed"
    if status == "cancelled":
        return "interrupted" if _text(data, "reason") == "turn_detected" else "cancelled"
    if status == "incomplete":
        return "incomplete"
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
    return ("busy" if known else "crossed"), ledger._replace(response=conflict)


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
    names = {_text(data, key) for key in ("call_id", "item_id", "event_id")} - {None}
    left = tuple(entry for entry in ledger.unechoed if names.isdisjoint(entry))
    if len(left) == len(ledger.unechoed):
        return "other", ledger
    return "ours", ledger._replace(unechoed=left)


_PHASES = {"started": 0, "stopped": 1, "committed": 2}


def _turn(phase: str) -> Callable[[Ledger, Data], tuple[str, Ledger]]:
    """A phase of a caller's turn, by the item id the provider announced; what comes twice or too late is `again`."""

    def classify(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
        item = _text(data, "item_id") or ""
        reached = ""
        for known, known_phase in ledger.turns:
            if known == item:
                reached = known_phase
        fresh = not item and phase == "started"  # a server that names no items: each start is a new turn
        if reached and _PHASES[reached] >= _PHASES[phase] and not fresh:
            return "again", ledger
        turns = (*[t for t in ledger.turns if t[0] != item], (item, phase))[-8:]
        expected = phase == "committed" and reached == "stopped"
        return ("expected" if expected else "new"), ledger._replace(turns=turns)

    return classify


def _playout_started(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    response = _text(data, "response_id")
    return ("current" if response is not None and response == ledger.response else "other"), ledger


def _without_session(ledger: Ledger) -> Ledger:
    """The ids of a session end with its socket."""
    return ledger._replace(create=None, response=None, turns=(), unechoed=())


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
        ("completed", "incomplete", "interrupted", "cancelled", "failed", "fatal", "stale"),
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
    return (), ledger._replace(unechoed=())


def _settle_turn(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    """A commit that was presumed: when it comes after all it is known."""
    turns = tuple([(item, "committed" if phase == "stopped" else phase) for item, phase in ledger.turns])
    return (), ledger._replace(turns=turns)


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
        return (), ledger  # a bare cancel would hit whatever comes next (facts/realtime_api.md section 5)
    args: Args = {"event_id": event_id(effect, serial), "response_id": ledger.response}
    return (args,), ledger._replace(serial=serial)


def _flush(_effect: str, ledger: Ledger, _literal: str | None, _data: Data) -> Made:
    ids = _kept(ledger.open_responses, ledger.response, 9)
    return ({"response_ids": [i for i in ids if i != UNKNOWN_RESPONSE]},), ledger


def _truncate(effect: str, ledger: Ledger, _literal: str | None, data: Data) -> Made:
    """One effect for each item that was cut: to what was heard, never beyond what the server itself counts."""
    items = data.get("items")
    made: list[Args] = []
    serial = ledger.serial
    for item in items if isinstance(items, list | tuple) else ():
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
    return args, ledger._replace(serial=serial, unechoed=(*ledger.unechoed, (name, call))[-16:])


def _send_output(effect: str, ledger: Ledger, literal: str | None, data: Data) -> Made:
    """The result of the tool that returned, or the literal reason why the call was not run."""
    output = TOO_MANY_TOOLS if literal == "too_many" else str(data.get("output", ""))
    args, ledger = _output(effect, ledger, _text(data, "call_id") or "", output)
    return (args,), ledger


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


RECIPES: Mapping[str, Recipe] = {
    "plain": _plain,
    "leave": _leave,
    "forget_echoes": _forget_echoes,
    "settle_turn": _settle_turn,
    "named": _named,
    "numbered": _numbered,
    "create": _create,
    "cancel": _cancel,
    "flush": _flush,
    "truncate": _truncate,
    "run_tool": _run_tool,
    "send_output": _send_output,
    "overdue_outputs": _overdue_outputs,
    "forget_tools": _forget_tools,
    "digits": _digits,
}
