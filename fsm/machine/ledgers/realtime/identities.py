"""Which variant an event is by its ids, and which ids are known after it. Never here: turns, slots, time.

Sources: docs/facts/realtime_api.md sections 3 to 5.
"""

from __future__ import annotations

import re
from typing import Final

from fsm.language.ledger import Classify, Data
from fsm.machine.ledgers.call import UNKNOWN_RESPONSE, Responses, kept, text, without
from fsm.machine.ledgers.realtime.ids import EVENT_ID_PREFIX, Ledger, Sent, ToolAnswers

FATAL_CODES: Final = frozenset(
    {"insufficient_quota", "account_deactivated", "billing_hard_limit_reached", "invalid_api_key"}
)
_RESPONSE_ID = re.compile(r"\bresp_\w+")
_CREATED = {(True, False): "ours", (True, True): "begun", (False, False): "own", (False, True): "found"}


def response_created(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    create, _, _, opened, ended = ledger.responses
    response = text(data, "response_id")
    only_an_item = "tag" not in data  # response.output_item.added shows a response whose response.created was lost
    if response is None:
        if only_an_item:
            return "known", ledger
        response = UNKNOWN_RESPONSE
    elif response in opened or response in ended:
        return "known", ledger
    unnamed = create is not None and data.get("echoes") == 0  # of a server that shows no metadata
    ours = create is not None and (only_an_item or unnamed or data["tag"] == create)
    begun = Responses(None if ours else create, response, None, kept(opened, response, 8), ended)
    return "unnamed" if unnamed else _CREATED[ours, only_an_item], ledger.with_responses(begun)


def response_done(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    create, current, answered, opened, was_ended = ledger.responses
    response = text(data, "response_id")
    opened, ended = without(opened, response), kept(was_ended, response, 16)
    if current is None or response in was_ended or (response not in (current, None) and current != UNKNOWN_RESPONSE):
        return "stale", ledger.with_responses(Responses(create, current, answered, opened, ended))
    over = Responses(create, None, response or current, without(opened, current), ended)
    return _outcome(data), ledger.with_responses(over)


def _outcome(data: Data) -> str:
    status = text(data, "status")
    if status == "failed":
        return "fatal" if text(data, "code") in FATAL_CODES else "failed"
    if status == "cancelled":
        return "interrupted" if text(data, "reason") == "turn_detected" else "cancelled"
    if status == "incomplete":
        return "filtered" if text(data, "reason") == "content_filter" else "incomplete"
    # A completed response without any output answered nobody: it is asked for again like a failed one.
    return "failed" if data.get("outputs") == 0 else "completed"


def create_rejected(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """Our create (or the provider's own, which carries no id of ours) found a response active."""
    create, current, answered, opened, ended = ledger.responses
    event_id = text(data, "event_id")
    if event_id is None or event_id != create:
        ours = event_id is not None and event_id.startswith(EVENT_ID_PREFIX)
        return ("stale" if ours else "foreign"), ledger
    named = _RESPONSE_ID.search(text(data, "message") or "")
    conflict = named.group() if named else current
    if conflict is None or conflict in ended:
        return "over", ledger.with_responses(Responses(None, current, answered, opened, ended))
    # One we have not seen began before our create arrived; its own response.created may still come.
    known = conflict in opened or conflict == UNKNOWN_RESPONSE
    return ("busy" if known else "crossed"), ledger.with_responses(Responses(None, conflict, None, opened, ended))


def create_failed(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    create = ledger.responses.create
    if create is not None and text(data, "event_id") == create:
        return "ours", ledger.with_responses(ledger.responses._replace(create=None))
    return "stale", ledger


def echo(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    serial, waiting, say, answers = ledger.sent
    if not waiting:
        return "other", ledger
    names = {text(data, key) for key in ("call_id", "item_id", "event_id")}
    left = tuple([entry for entry in waiting if names.isdisjoint(entry)])
    if len(left) == len(waiting):
        return "other", ledger
    return "ours", ledger.with_sent(Sent(serial, left, say, answers.without(*names)))


def item_rejected(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """`output`: an answer to a tool call; `output_again`: for the second time; `ours`: another item of ours."""
    serial, waiting, say, answers = ledger.sent
    name = text(data, "event_id")
    call = dict(waiting).get(name or "")
    if call is None:
        return "other", ledger
    left = tuple([entry for entry in waiting if entry[0] != name])
    if call not in dict(answers.unshown):
        return "ours", ledger.with_sent(Sent(serial, left, say, answers))
    tag = "output_again" if call in answers.rejected else "output"
    rejected = (*without(answers.rejected, call), call)[-16:]
    return tag, ledger.with_sent(Sent(serial, left, say, ToolAnswers(answers.unshown, rejected)))


_PHASES = {"started": 0, "stopped": 1, "committed": 2}


def turn(phase: str) -> Classify[Ledger]:
    """A phase of a caller's turn, by the item id the provider announced; what comes twice or too late is `again`."""
    number = _PHASES[phase]

    def classify(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
        item, turns = text(data, "item_id") or "", ledger.turns
        reached = ""
        if turns and turns[-1][0] == item:  # nearly always: a turn ends before the next begins
            reached, others = turns[-1][1], turns[:-1]
        else:
            others = tuple([turn for turn in turns if turn[0] != item])
            if len(others) < len(turns):
                reached = dict(turns)[item]
        if not item and phase == "committed":  # of a server that names none: the last turn that is not committed
            if turns and turns[-1][1] != "committed":
                (item, reached), others = turns[-1], turns[:-1]
            elif not any(named for named, _ in turns):
                reached = ""
        fresh = not item and phase == "started"  # a server that names no items: each start is a new turn
        if reached and _PHASES[reached] >= number and not fresh:
            return "again", ledger
        ledger = ledger.with_turns((*others[-7:], (item, phase)))
        return ("expected" if phase == "committed" and reached == "stopped" else "new"), ledger

    return classify


def transcribed(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    """Of the last turn, or of one that nothing announced; what is not a text is no transcript."""
    transcript, turns = data.get("transcript"), ledger.turns
    item = text(data, "item_id") or ""
    if any(item == earlier for earlier, _ in turns[:-1]) or not isinstance(transcript, str):
        return "other", ledger
    is_blank = bool(turns) and turns[-1] == (item, "committed")
    return ("words" if transcript.strip() else "blank" if is_blank else "other"), ledger


def closed(ledger: Ledger, data: Data) -> tuple[str, Ledger]:
    return ("fatal" if data.get("fatal") is True else "retryable"), ledger.without_session()
