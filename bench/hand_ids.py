"""The ids of a call as one would keep them by hand: which variant an event is, and which ids are known after it.

Only for `bench.hand_table`. Never here: who has the floor, an effect, a deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
Ids = dict[str, Any]
Identify = Callable[[Ids, Data], tuple[str, Ids]]

STARTED, STOPPED, COMMITTED = range(3)


def fresh() -> Ids:
    """The ids of a new call. Like all that is handed on here it is replaced, never changed."""
    return {
        "serial": 0, "create": None, "response": None, "open": (), "ended": (), "turns": {}, "calls": (),
        "running": (), "unechoed": (), "digits": "",
    }  # fmt: skip


def _created(ids: Ids, data: Data) -> tuple[str, Ids]:
    response, tag = data.get("response_id"), data.get("tag")
    if response in ids["open"] or response in ids["ended"]:
        return "created.known", ids
    create, only_an_item = ids["create"], "tag" not in data
    ids = ids.copy()
    ids["response"], ids["open"] = response, (*ids["open"], response)[-8:]
    if create is not None and (tag == create or only_an_item):
        ids["create"] = None
        return ("created.begun" if only_an_item else "created.ours"), ids
    return ("created.found" if only_an_item else "created.own"), ids


def _done(ids: Ids, data: Data) -> tuple[str, Ids]:
    response, ended = data.get("response_id"), ids["ended"]
    stale = response != ids["response"] or response in ended
    ids = ids.copy()
    ids["open"] = tuple([r for r in ids["open"] if r != response])
    if response not in ended:
        ids["ended"] = (*ended, response)[-16:]
    if stale:
        return "done.stale", ids
    ids["response"] = None
    status = data.get("status")
    if status in ("completed", None):
        return "done.failed" if data.get("outputs") == 0 else "done.completed", ids
    if status == "cancelled" and data.get("reason") == "turn_detected":
        return "done.interrupted", ids
    return f"done.{status}", ids


def _called(ids: Ids, data: Data) -> tuple[str, Ids]:
    call = data.get("call_id")
    if call is None or call in ids["calls"]:
        return "called.seen", ids
    ids = ids.copy()
    ids["calls"] = (*ids["calls"], call)[-64:]
    return "called.new", ids


def _returned(ids: Ids, data: Data) -> tuple[str, Ids]:
    call = data.get("call_id")
    if call not in ids["running"]:
        return "returned.late", ids
    ids = ids.copy()
    ids["running"] = tuple([c for c in ids["running"] if c != call])
    return "returned.pending", ids


def _added(ids: Ids, data: Data) -> tuple[str, Ids]:
    waiting = ids["unechoed"]
    if not waiting:
        return "added.other", ids
    names = (data.get("call_id"), data.get("item_id"))
    left = tuple([entry for entry in waiting if entry[0] not in names and entry[1] not in names])
    if len(left) == len(waiting):
        return "added.other", ids
    ids = ids.copy()
    ids["unechoed"] = left
    return "added.ours", ids


def _turn(phase: str, number: int) -> Identify:
    again, new, expected = f"{phase}.again", f"{phase}.new", f"{phase}.expected"

    def identify(ids: Ids, data: Data) -> tuple[str, Ids]:
        item = data.get("item_id", "")
        turns = ids["turns"]
        reached = turns.get(item)
        if reached is not None and reached >= number and (item or number):
            return again, ids
        turns = {**turns, item: number}
        if reached is not None:  # what happened last is the last to be forgotten
            del turns[item]
            turns[item] = number
        elif len(turns) > 8:
            del turns[next(iter(turns))]
        ids = ids.copy()
        ids["turns"] = turns
        return (expected if number == COMMITTED and reached == STOPPED else new), ids

    return identify


def _playing(ids: Ids, data: Data) -> tuple[str, Ids]:
    response = data.get("response_id")
    return ("playing.current" if response is not None and response == ids["response"] else "playing.other"), ids


IDENTITIES: Mapping[str, Identify] = {
    "response.created": _created,
    "response.done": _done,
    "tool.called": _called,
    "tool.returned": _returned,
    "conversation.item.added": _added,
    "input_audio_buffer.speech_started": _turn("started", STARTED),
    "input_audio_buffer.speech_stopped": _turn("stopped", STOPPED),
    "input_audio_buffer.committed": _turn("committed", COMMITTED),
    "playout.started": _playing,
}
