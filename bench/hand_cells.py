"""The cells of the table by hand: what each event does to the facts, and who has the floor after it.

Only for `bench.hand_table`, which see. Deadlines are written out in each handler instead of worked out from conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.hand_ids import COMMITTED, STOPPED, Data, Ids
from fsm.machine.machine import Effect

Facts = dict[str, Any]
Names = tuple[str, ...]
Effects = tuple[Effect, ...]
Handled = tuple[str, str, Facts, Ids, Effects, Names, Names]
"""outcome, state, facts, ids, effects, deadlines to start, deadlines to stop"""
Handler = Callable[[str, Facts, Ids, Data], Handled]

_NO_ARGS: Mapping[str, object] = {}
_WATCH = (Effect("watch_silence", _NO_ARGS),)
_UNWATCH = (Effect("unwatch_silence", _NO_ARGS),)
_MARGIN_MS = 85
_MOST = 4  # tools at once, and items of ours that were not shown yet; a call with more has cells that are not here


# --- who has the floor ------------------------------------------------------------------------------------------------


def _floor(state: str, before: Facts, facts: Facts, ids: Ids, effects: Effects, start: Names, stop: Names) -> Handled:
    """The state that follows from the facts; asks for an answer that is owed where nobody has the floor."""
    response = facts["response"]
    if facts["turn"] == "open":
        target = "user_speaking"
    elif response == "active":
        target = "responding"
    elif facts["create"] == "sent" or facts["auto"] == "due" or facts["turn"] == "committing":
        target = "response_pending"
    else:
        owed = facts["owed"]
        if owed != "none" and (owed != "tools" or not facts["tools_running"]):
            target = "response_pending"
            if response != "closing":
                number = ids["serial"] + 1
                name = f"ts_create_response_{number}"
                ids, facts = ids.copy(), facts.copy()
                ids["serial"], ids["create"] = number, name
                facts["create"], facts["asked"], facts["owed"] = "sent", owed, "none"
                effects += (Effect("create_response", {"event_id": name, "cause": owed, "instructions": None}),)
                start += ("create_overdue",)
        elif facts["playout"] == "playing":
            target = "playing_out"
        else:
            target = "tool_call" if facts["tools_running"] else "configured"
    if state == "user_speaking" != target:
        effects += _UNWATCH
    if facts["unechoed"] or before["unechoed"]:
        start, stop = _echo(before, facts, start, stop)
    return "taken", target, facts, ids, effects, start, stop


# --- deadlines that hang on several facts -----------------------------------------------------------------------------


def _awaits_echo(facts: Facts) -> bool:
    """Something of ours was sent and not shown yet, and nothing is under way that would explain it."""
    return bool(
        facts["unechoed"]
        and facts["response"] != "active"
        and facts["create"] != "sent"
        and facts["auto"] != "due"
        and facts["turn"] != "committing"
    )


def _echo(before: Facts, facts: Facts, start: Names, stop: Names) -> tuple[Names, Names]:
    if _awaits_echo(facts):
        if any(before[name] != facts[name] for name in ("unechoed", "response", "create", "auto", "turn")):
            start += ("echo_overdue",)
    elif _awaits_echo(before):
        stop += ("echo_overdue",)
    return start, stop


def _unheard(facts: Facts) -> Names:
    """The deadline of a response of which nothing is heard: of one that should be, or of one that was already."""
    if facts["response"] != "active" or facts["playout"] == "playing":
        return ()
    return ("response_stuck",) if facts["answering"] == "none" else ("response_overdue",)


# --- the cells: a session opens ---------------------------------------------------------------------------------------


def opened(_state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    facts = {**facts, "session": "open"}
    return "taken", "awaiting_session_created", facts, ids, (), ("created_overdue",), ("connect_overdue",)


def session_created(_state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    number = ids["serial"] + 1
    effect = Effect("update_session", {"event_id": f"ts_update_session_{number}"})
    facts, ids = {**facts, "session": "updating"}, {**ids, "serial": number}
    return "taken", "configuring", facts, ids, (effect,), ("update_overdue",), ("created_overdue",)


def session_updated(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    effects: Effects = (Effect("restore_history", _NO_ARGS),) if facts["reconnects"] else ()
    effects += (Effect("open_uplink", _NO_ARGS),)
    return _floor(state, facts, {**facts, "session": "configured"}, ids, effects, (), ("update_overdue",))


# --- the cells: responses ---------------------------------------------------------------------------------------------

_RANK = {"none": 0, "greeting": 1, "say": 2, "tools": 3, "turn": 4}


def _more(one: str, other: str) -> str:
    return one if _RANK[one] >= _RANK[other] else other


def created_ours(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    owed, unechoed = before["owed"], before["unechoed"]
    asked = _more(before["asked"], owed)
    facts["answering"] = "turn" if before["auto"] != "none" else asked
    facts["owed"] = "tools" if unechoed and owed in ("tools", "turn") else owed if unechoed else "none"
    facts["response"], facts["create"], facts["auto"], facts["asked"] = "active", "none", "none", "none"
    return _response_began(state, before, facts, asked, ids, ("create_overdue",))


def created_own(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    facts["response"], facts["auto"], facts["asked"], facts["answering"] = "active", "none", "none", "turn"
    facts["owed"] = "tools" if before["unechoed"] else "none"
    stop: Names = ()
    if before["turn"] == "committing":
        facts["turn"] = "quiet"
        stop = ("commit_overdue",)
    turns = ids["turns"]
    if STOPPED in turns.values():
        turns = {item: COMMITTED if phase == STOPPED else phase for item, phase in turns.items()}
        ids = {**ids, "turns": turns}
    return _response_began(state, before, facts, "turn", ids, stop)


def _response_began(state: str, before: Facts, facts: Facts, asked: str, ids: Ids, stop: Names) -> Handled:
    start = _unheard(facts)
    response = before["response"]
    if response == "active":  # another one, before the first was done
        was = _unheard(before)
        if was != start:
            stop += was
        elif before["answering"] == asked == facts["answering"]:
            start = ()
    elif response == "closing":
        stop += ("close_overdue",)
    if before["auto"] == "due":
        stop += ("answer_overdue",)
    return _floor(state, before, facts, ids, (), start, stop)


def done_completed(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    facts["response"], facts["answering"] = "free", "none"
    stop = ("close_overdue",) if before["response"] == "closing" else _unheard(before)
    return _floor(state, before, facts, ids, (), (), stop)


def done_interrupted(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    if before["response"] == "active":  # it was cut for a turn of which we have not been told
        outcome, state, facts, ids, effects, start, stop = _stop_talking(state, before, ids, "free")
        facts["owed"], facts["answering"] = _more(facts["owed"], facts["answering"]), "none"
        return outcome, state, facts, ids, effects, start, stop
    facts = before.copy()
    facts["owed"] = _more(before["owed"], before["answering"])
    facts["response"], facts["answering"] = "free", "none"
    return _floor(state, before, facts, ids, (), (), ("close_overdue",))


# --- the cells: the caller's turns ------------------------------------------------------------------------------------


def speech_started(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    return _stop_talking(state, before, ids, "closing" if before["response"] == "active" else before["response"])


def _stop_talking(state: str, before: Facts, ids: Ids, response: str) -> Handled:
    """What plays is cut, and a greeting is not worth saying any more."""
    facts = before.copy()
    start: Names = ()
    stop: Names = ()
    if before["response"] == "active":
        stop = _unheard(before)
        if response == "closing":
            start = ("close_overdue",)
    playout = before["playout"]
    if playout != "flushing":
        start += ("flush_overdue",)
        if playout == "playing":
            stop += ("playout_overdue",)
    if before["auto"] == "due":
        stop += ("answer_overdue",)
        facts["auto"] = "lost"
    if before["turn"] == "committing":
        stop += ("commit_overdue",)
    facts["turn"], facts["response"], facts["playout"] = "open", response, "flushing"
    for name in ("owed", "asked", "answering"):
        if facts[name] == "greeting":
            facts[name] = "none"
    if before["unechoed"]:
        start, stop = _echo(before, facts, start, stop)
    effects: Effects = (Effect("flush_playout", {"response_ids": list(ids["open"])}),)
    if state != "user_speaking":
        effects += _WATCH
    return "taken", "user_speaking", facts, ids, effects, start, stop


def speech_stopped(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    facts["turn"] = "committing"
    return _floor(state, before, facts, ids, (), ("commit_overdue",), ())


def committed(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    return _turn_over(state, before, ids, before["turn"] == "committing")


def committed_new(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    return _turn_over(state, before, ids, True)


def _turn_over(state: str, before: Facts, ids: Ids, this_one: bool) -> Handled:
    facts = before.copy()
    facts["auto"] = "due"
    if this_one:
        facts["turn"] = "quiet"
    stop: Names = ("commit_overdue",) if before["turn"] == "committing" else ()
    return _floor(state, before, facts, ids, (), () if before["auto"] == "due" else ("answer_overdue",), stop)


# --- the cells: tools -------------------------------------------------------------------------------------------------


def called_new(state: str, before: Facts, ids: Ids, data: Data) -> Handled:
    call, running = data["call_id"], before["tools_running"]
    if running == _MOST:
        raise KeyError("tools.overflowed")
    args = {"call_id": call, "name": data.get("name", ""), "arguments": data.get("arguments", "")}
    facts, ids = before.copy(), ids.copy()
    facts["tools_running"], facts["answering"] = running + 1, "none"
    ids["running"] = (*ids["running"], call)[-16:]
    start: Names = ("tools_overdue",)
    stop: Names = ()
    if before["answering"] != "none" and facts["response"] == "active" and facts["playout"] != "playing":
        start, stop = ("tools_overdue", "response_stuck"), ("response_overdue",)
    return _floor(state, before, facts, ids, (Effect("run_tool", args),), start, stop)


def returned_pending(state: str, before: Facts, ids: Ids, data: Data) -> Handled:
    number, call, left = ids["serial"] + 1, data["call_id"], before["tools_running"] - 1
    name = f"ts_send_tool_output_{number}"
    effect = Effect("send_tool_output", {"event_id": name, "call_id": call, "output": str(data.get("output", ""))})
    if before["unechoed"] == _MOST:
        raise KeyError("echoes.overflowed")
    facts, ids = before.copy(), ids.copy()
    facts["tools_running"], facts["unechoed"] = left, before["unechoed"] + 1
    if before["owed"] != "turn":
        facts["owed"] = "tools"
    ids["serial"], ids["unechoed"] = number, (*ids["unechoed"], (name, call))[-16:]
    if left:
        return _floor(state, before, facts, ids, (effect,), ("tools_overdue",), ())
    return _floor(state, before, facts, ids, (effect,), (), ("tools_overdue",))


def added_ours(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    facts["unechoed"] = max(before["unechoed"] - 1, 0)
    start, stop = _echo(before, facts, (), ())
    return "stayed", state, facts, ids, (), start, stop


# --- the cells: what the caller hears ---------------------------------------------------------------------------------


def heard(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    facts = before.copy()
    facts["answering"], facts["retries"], facts["reconnects"] = "none", 0, 0
    start: Names = ()
    stop = _unheard(before)
    if before["playout"] == "idle":
        facts["playout"] = "playing"
        start = ("playout_overdue",)
    elif before["answering"] != "none":
        start = _unheard(facts)
    else:
        stop = ()
    return _floor(state, before, facts, ids, (), start, stop)


def progressed(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return "stayed", state, facts, ids, (), (("playout_overdue",) if facts["playout"] == "playing" else ()), ()


def drained(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    if before["playout"] != "playing":
        return _floor(state, before, before, ids, (), (), ())
    facts = before.copy()
    facts["playout"] = "idle"
    return _floor(state, before, facts, ids, (), _unheard(facts), ("playout_overdue",))


def flushed(state: str, before: Facts, ids: Ids, data: Data) -> Handled:
    facts = before
    start: Names = ()
    stop: Names = ()
    if before["playout"] == "flushing":
        facts = before.copy()
        facts["playout"] = "idle"
        start, stop = _unheard(facts), ("flush_overdue",)
    made: Effects = ()
    number = ids["serial"]
    for item in data["items"]:
        heard, received = item["heard_ms"], item["received_ms"]
        limit = max(received - _MARGIN_MS, 0)
        if heard >= limit and received > 0 and item["response_id"] not in ids["open"]:
            continue
        number += 1
        args = {
            "event_id": f"ts_truncate_item_{number}",
            "item_id": item["item_id"],
            "content_index": item["content_index"],
            "audio_end_ms": min(heard, limit),
        }
        made += (Effect("truncate_item", args),)
    if made:
        ids = {**ids, "serial": number}
    return _floor(state, before, facts, ids, made, start, stop)


# --- the cells: the end, and nothing ----------------------------------------------------------------------------------

_RUNS_WHILE: Mapping[str, Callable[[Facts], bool]] = {
    "create_overdue": lambda f: f["create"] == "sent",
    "commit_overdue": lambda f: f["turn"] == "committing",
    "close_overdue": lambda f: f["response"] == "closing",
    "playout_overdue": lambda f: f["playout"] == "playing",
    "flush_overdue": lambda f: f["playout"] == "flushing",
    "tools_overdue": lambda f: f["tools_running"] > 0,
    "answer_overdue": lambda f: f["auto"] == "due",
}


def hung_up(state: str, before: Facts, ids: Ids, _data: Data) -> Handled:
    """Once a call: here alone the deadlines are worked out."""
    effects: Effects = (*(_UNWATCH if state == "user_speaking" else ()), Effect("close_provider", _NO_ARGS))
    stop = (*_unheard(before), *[name for name, runs in _RUNS_WHILE.items() if runs(before)])
    ids = {**ids, "create": None, "response": None, "turns": {}, "unechoed": ()}
    if before["tools_running"]:
        effects += (Effect("forget_tools", {"call_ids": list(ids["running"])}),)
        ids["running"] = ()
    facts = {
        **before, "session": "absent", "response": "free", "create": "none", "turn": "quiet", "playout": "idle",
        "line": "down", "tools_running": 0, "auto": "lost" if before["auto"] == "due" else before["auto"],
    }  # fmt: skip
    start, stop = _echo(before, facts, (), stop)
    return "taken", "closed", facts, ids, effects, start, stop


def noise(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return "ignored", state, facts, ids, (), (), ()
