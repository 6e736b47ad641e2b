"""What one would write without turnspec: a (state, event) -> handler table by hand, same semantics, plain Python, fast.

Holds the cells that `bench.conversation` visits under `server_vad`; more cells would not change what a lookup costs.
The same identities, effects with the same arguments, deadlines and outcomes as `TurnSpecMachine` (`bench.step` compares
every step), but nothing else: no reasons, no line of a spec, no type check, no recall of deferred events.

Never slow on purpose: dicts are copied only where something changes, deadlines are written out in each handler instead
of worked out from conditions, and what comes back is a plain tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fsm.machine.machine import Effect, Event, Timer

Facts = dict[str, Any]
Data = Mapping[str, Any]
Ids = dict[str, Any]
Names = tuple[str, ...]
Effects = tuple[Effect, ...]
Handled = tuple[str, str, Facts, Ids, Effects, Names, Names]
"""outcome, state, facts, ids, effects, deadlines to start, deadlines to stop"""
Handler = Callable[[str, Facts, Ids, Data], Handled]

AFTER_MS = {
    "connect_overdue": 5000, "created_overdue": 5000, "update_overdue": 5000, "create_overdue": 5000,
    "commit_overdue": 2000, "response_overdue": 10000, "close_overdue": 3000, "echo_overdue": 3000,
    "playout_overdue": 6000, "flush_overdue": 1000, "tools_overdue": 130000, "answer_overdue": 4000,
}  # fmt: skip

_new = tuple.__new__  # a named tuple at half the price of its constructor
_NO_ARGS: Mapping[str, object] = {}
_WATCH = (Effect("watch_silence", _NO_ARGS),)
_UNWATCH = (Effect("unwatch_silence", _NO_ARGS),)
_MARGIN_MS = 85


class HandSnapshot(NamedTuple):
    """The whole state of a call; its dicts are replaced, never changed."""

    state: str
    facts: Facts
    ids: Ids
    armed: Mapping[str, int]
    serial: int


Result = tuple[HandSnapshot, str, Effects, tuple[Timer, ...], Names]
"""snapshot, outcome, effects, deadlines to start, deadlines to stop"""


# --- who is meant: the id of an event decides which variant it is -----------------------------------------------------


def _created(ids: Ids, data: Data) -> tuple[str, Ids]:
    response, tag = data.get("response_id"), data.get("tag")
    if response in ids["open"] or response in ids["ended"]:
        return "created.known", ids
    create = ids["create"]
    if create is not None and (tag == create or "tag" not in data):
        return "created.ours", {**ids, "create": None, "response": response, "open": (*ids["open"], response)[-8:]}
    return "created.own", {**ids, "response": response, "open": (*ids["open"], response)[-8:]}


def _done(ids: Ids, data: Data) -> tuple[str, Ids]:
    response = data.get("response_id")
    still_open = tuple([r for r in ids["open"] if r != response])
    ended = ids["ended"]
    stale = response != ids["response"] or response in ended
    if response not in ended:
        ended = (*ended, response)[-16:]
    if stale:
        return "done.stale", {**ids, "open": still_open, "ended": ended}
    ids = {**ids, "response": None, "open": still_open, "ended": ended}
    if data.get("status") == "cancelled":
        return "done.interrupted" if data.get("reason") == "turn_detected" else "done.cancelled", ids
    return "done.failed" if data.get("outputs") == 0 else "done.completed", ids


def _called(ids: Ids, data: Data) -> tuple[str, Ids]:
    call = data.get("call_id")
    if call is None or call in ids["calls"]:
        return "called.seen", ids
    return "called.new", {**ids, "calls": (*ids["calls"], call)[-64:]}


def _returned(ids: Ids, data: Data) -> tuple[str, Ids]:
    call = data.get("call_id")
    if call not in ids["running"]:
        return "returned.late", ids
    return "returned.pending", {**ids, "running": tuple([c for c in ids["running"] if c != call])}


def _added(ids: Ids, data: Data) -> tuple[str, Ids]:
    waiting = ids["unechoed"]
    if not waiting:
        return "added.other", ids
    names = (data.get("call_id"), data.get("item_id"))
    left = tuple([entry for entry in waiting if entry[0] not in names and entry[1] not in names])
    if len(left) == len(waiting):
        return "added.other", ids
    return "added.ours", {**ids, "unechoed": left}


_PHASE = {"started": 0, "stopped": 1, "committed": 2}


def _turn(phase: str) -> Callable[[Ids, Data], tuple[str, Ids]]:
    number = _PHASE[phase]

    def identify(ids: Ids, data: Data) -> tuple[str, Ids]:
        item = data.get("item_id", "")
        turns = ids["turns"]
        reached = turns.get(item)
        if reached is not None and reached >= number and (item or number):
            return f"{phase}.again", ids
        turns = {**turns, item: number}
        if len(turns) > 8:
            del turns[next(iter(turns))]
        variant = "expected" if number == 2 and reached == 1 else "new"
        return f"{phase}.{variant}", {**ids, "turns": turns}

    return identify


def _playing(ids: Ids, data: Data) -> tuple[str, Ids]:
    response = data.get("response_id")
    return ("playing.current" if response is not None and response == ids["response"] else "playing.other"), ids


_IDENTITIES: Mapping[str, Callable[[Ids, Data], tuple[str, Ids]]] = {
    "response.created": _created,
    "response.done": _done,
    "tool.called": _called,
    "tool.returned": _returned,
    "conversation.item.added": _added,
    "input_audio_buffer.speech_started": _turn("started"),
    "input_audio_buffer.speech_stopped": _turn("stopped"),
    "input_audio_buffer.committed": _turn("committed"),
    "playout.started": _playing,
}


# --- who has the floor ------------------------------------------------------------------------------------------------


def _floor(state: str, facts: Facts, ids: Ids, effects: Effects, start: Names, stop: Names) -> Handled:
    """The state that follows from the facts; asks for an answer that is owed where nobody has the floor."""
    turn, response = facts["turn"], facts["response"]
    if turn == "open":
        target = "user_speaking"
    elif response == "active":
        target = "responding"
    elif facts["create"] == "sent" or facts["auto"] == "due" or turn == "committing":
        target = "response_pending"
    else:
        owed = facts["owed"]
        if owed in ("greeting", "turn") or (owed == "tools" and not facts["tools_running"]):
            target = "response_pending"
            if response != "closing" and not facts["backoff"]:
                number = ids["serial"] + 1
                name = f"ts_create_response_{number}"
                ids = {**ids, "serial": number, "create": name}
                facts = {**facts, "create": "sent", "asked": owed, "owed": "none"}
                effects += (Effect("create_response", {"event_id": name, "cause": owed, "instructions": None}),)
                start += ("create_overdue",)
        elif facts["playout"] == "playing":
            target = "playing_out"
        else:
            target = "tool_call" if facts["tools_running"] else "configured"
    if target != state:
        if state == "user_speaking":
            effects += _UNWATCH
        elif target == "user_speaking":
            effects += _WATCH
    return "taken", target, facts, ids, effects, start, stop


# --- the cells --------------------------------------------------------------------------------------------------------


def _opened(_state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    facts = {**facts, "session": "open"}
    return "taken", "awaiting_session_created", facts, ids, (), ("created_overdue",), ("connect_overdue",)


def _session_created(_state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    number = ids["serial"] + 1
    effect = Effect("update_session", {"event_id": f"ts_update_session_{number}"})
    facts, ids = {**facts, "session": "updating"}, {**ids, "serial": number}
    return "taken", "configuring", facts, ids, (effect,), ("update_overdue",), ("created_overdue",)


def _session_updated(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    effects: Effects = (Effect("open_uplink", _NO_ARGS),)
    if facts["reconnects"]:
        effects += (Effect("restore_history", _NO_ARGS),)
    return _floor(state, {**facts, "session": "configured"}, ids, effects, (), ("update_overdue",))


def _response_began(state: str, facts: Facts, ids: Ids, ours: bool) -> Handled:
    start: Names = ()
    stop: Names = ()
    if facts["response"] != "active" and facts["playout"] != "playing":
        start = ("response_overdue",)
    if facts["auto"] == "due":
        stop = ("answer_overdue",)
    if facts["response"] == "closing":
        stop += ("close_overdue",)
    if ours:
        if facts["create"] == "sent":
            stop += ("create_overdue",)
        still_owed = facts["unechoed"] > 0 and facts["owed"] in ("tools", "turn")
        owed, answering, create = "tools" if still_owed else "none", facts["asked"], "none"
    else:
        owed, answering, create = "tools" if facts["unechoed"] > 0 else "none", "turn", facts["create"]
    facts = {
        **facts, "response": "active", "auto": "none", "create": create, "asked": "none", "owed": owed,
        "answering": answering,
    }  # fmt: skip
    return _floor(state, facts, ids, (), start, stop)


def _created_ours(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return _response_began(state, facts, ids, True)


def _created_own(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return _response_began(state, facts, ids, False)


def _response_over(state: str, facts: Facts, ids: Ids, owed: str) -> Handled:
    stop: Names = ()
    if facts["response"] == "closing":
        stop = ("close_overdue",)
    elif facts["playout"] != "playing" and facts["response"] == "active":
        stop = ("response_overdue",)
    return _floor(state, {**facts, "response": "free", "owed": owed, "answering": "none"}, ids, (), (), stop)


def _done_completed(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return _response_over(state, facts, ids, facts["owed"])


_RANK = ("none", "greeting", "tools", "turn")


def _done_interrupted(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    owed, answering = facts["owed"], facts["answering"]
    if answering != "greeting":
        owed = max(owed, answering, key=_RANK.index)
    return _response_over(state, facts, ids, owed)


def _speech_started(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    start: Names = ("flush_overdue",)
    stop: Names = ()
    response, playout = facts["response"], facts["playout"]
    if response == "active":
        response = "closing"
        start += ("close_overdue",)
        if playout != "playing":
            stop = ("response_overdue",)
    if playout == "playing":
        stop += ("playout_overdue",)
    elif playout == "flushing":
        start = start[1:]
    if facts["auto"] == "due":
        stop += ("answer_overdue",)
    if facts["turn"] == "committing":
        stop += ("commit_overdue",)
    owed = facts["owed"]
    if owed == "greeting":
        owed = "none"
    facts = {**facts, "turn": "open", "auto": "none", "response": response, "playout": "flushing", "owed": owed}
    effects: Effects = (Effect("flush_playout", {"response_ids": list(ids["open"])}),)
    if state != "user_speaking":
        effects += _WATCH
    return "taken", "user_speaking", facts, ids, effects, start, stop


def _speech_stopped(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    start: Names = () if facts["turn"] == "committing" else ("commit_overdue",)
    if facts["auto"] != "due":
        start += ("answer_overdue",)
    return _floor(state, {**facts, "turn": "committing", "auto": "due"}, ids, (), start, ())


def _committed(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    if facts["turn"] != "committing":
        return _floor(state, facts, ids, (), (), ())
    return _floor(state, {**facts, "turn": "quiet"}, ids, (), (), ("commit_overdue",))


def _called_new(state: str, facts: Facts, ids: Ids, data: Data) -> Handled:
    call = data["call_id"]
    args = {"call_id": call, "name": data.get("name", ""), "arguments": data.get("arguments", "")}
    facts = {**facts, "tools_running": facts["tools_running"] + 1, "answering": "none"}
    ids = {**ids, "running": (*ids["running"], call)[-16:]}
    return _floor(state, facts, ids, (Effect("run_tool", args),), ("tools_overdue",), ())


def _returned_pending(state: str, facts: Facts, ids: Ids, data: Data) -> Handled:
    number, call, left = ids["serial"] + 1, data["call_id"], facts["tools_running"] - 1
    name = f"ts_send_tool_output_{number}"
    effect = Effect("send_tool_output", {"event_id": name, "call_id": call, "output": str(data.get("output", ""))})
    owed = facts["owed"] if facts["owed"] == "turn" else "tools"
    facts = {**facts, "tools_running": left, "unechoed": facts["unechoed"] + 1, "owed": owed}
    ids = {**ids, "serial": number, "unechoed": (*ids["unechoed"], (name, call))[-16:]}
    if left:
        return _floor(state, facts, ids, (effect,), ("echo_overdue", "tools_overdue"), ())
    return _floor(state, facts, ids, (effect,), ("echo_overdue",), ("tools_overdue",))


def _added_ours(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    left = max(facts["unechoed"] - 1, 0)
    facts = {**facts, "unechoed": left}
    if left:
        return "stayed", state, facts, ids, (), ("echo_overdue",), ()
    return "stayed", state, facts, ids, (), (), ("echo_overdue",)


def _heard(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    start: Names = ()
    stop: Names = ()
    playout = facts["playout"]
    if playout == "idle":
        playout = "playing"
        start = ("playout_overdue",)
        if facts["response"] == "active":
            stop = ("response_overdue",)
    facts = {**facts, "playout": playout, "answering": "none", "retries": 0, "reconnects": 0}
    return _floor(state, facts, ids, (), start, stop)


def _progressed(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return "stayed", state, facts, ids, (), (("playout_overdue",) if facts["playout"] == "playing" else ()), ()


def _drained(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    if facts["playout"] != "playing":
        return _floor(state, facts, ids, (), (), ())
    start: Names = ("response_overdue",) if facts["response"] == "active" else ()
    return _floor(state, {**facts, "playout": "idle"}, ids, (), start, ("playout_overdue",))


def _flushed(state: str, facts: Facts, ids: Ids, data: Data) -> Handled:
    start: Names = ()
    stop: Names = ()
    if facts["playout"] == "flushing":
        facts = {**facts, "playout": "idle"}
        stop = ("flush_overdue",)
        if facts["response"] == "active":
            start = ("response_overdue",)
    made: Effects = ()
    number = ids["serial"]
    for item in data["items"]:
        heard, received = item["heard_ms"], item["received_ms"]
        limit = max(received - _MARGIN_MS, 0)
        if heard >= limit and received > 0 and item["response_id"] not in ids["open"]:
            continue
        number += 1
        args = {
            "event_id": f"ts_truncate_item_{number}", "item_id": item["item_id"],
            "content_index": item["content_index"], "audio_end_ms": min(heard, limit),
        }  # fmt: skip
        made += (Effect("truncate_item", args),)
    if made:
        ids = {**ids, "serial": number}
    return _floor(state, facts, ids, made, start, stop)


def _noise(state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    return "ignored", state, facts, ids, (), (), ()


_RUNS_WHILE: Mapping[str, Callable[[Facts], bool]] = {
    "create_overdue": lambda f: f["create"] == "sent",
    "commit_overdue": lambda f: f["turn"] == "committing",
    "response_overdue": lambda f: f["response"] == "active" and f["playout"] != "playing",
    "close_overdue": lambda f: f["response"] == "closing",
    "echo_overdue": lambda f: f["unechoed"] > 0,
    "playout_overdue": lambda f: f["playout"] == "playing",
    "flush_overdue": lambda f: f["playout"] == "flushing",
    "tools_overdue": lambda f: f["tools_running"] > 0,
    "answer_overdue": lambda f: f["auto"] == "due",
}


def _hung_up(_state: str, facts: Facts, ids: Ids, _data: Data) -> Handled:
    """Once a call: here alone the deadlines are worked out."""
    effects: Effects = (Effect("close_provider", _NO_ARGS),)
    kept = {"echo_overdue", "playout_overdue", "flush_overdue"}
    stop = tuple([name for name, runs in _RUNS_WHILE.items() if name not in kept and runs(facts)])
    if facts["tools_running"]:
        effects += (Effect("forget_tools", {"call_ids": list(ids["running"])}),)
    facts = {
        **facts, "session": "absent", "response": "free", "create": "none", "turn": "quiet", "auto": "none",
        "line": "down", "tools_running": 0,
    }  # fmt: skip
    return "taken", "closed", facts, ids, effects, (), stop


_CONVERSATION: Mapping[str, Handler] = {
    "created.own": _created_own,
    "created.ours": _created_ours,
    "created.known": _noise,
    "done.completed": _done_completed,
    "done.interrupted": _done_interrupted,
    "done.stale": _noise,
    "called.new": _called_new,
    "called.seen": _noise,
    "returned.pending": _returned_pending,
    "returned.late": _noise,
    "added.ours": _added_ours,
    "added.other": _noise,
    "started.new": _speech_started,
    "started.again": _noise,
    "stopped.new": _speech_stopped,
    "stopped.again": _noise,
    "committed.expected": _committed,
    "committed.new": _committed,
    "committed.again": _noise,
    "playing.current": _heard,
    "playout.progressed": _progressed,
    "playout.drained": _drained,
    "playout.flushed": _flushed,
    "caller.hung_up": _hung_up,
}

TABLE: Mapping[str, Mapping[str, Handler]] = {
    "connecting": {"provider.opened": _opened},
    "awaiting_session_created": {"session.created": _session_created},
    "configuring": {"session.updated": _session_updated},
    "configured": _CONVERSATION,
    "user_speaking": _CONVERSATION,
    "response_pending": _CONVERSATION,
    "responding": _CONVERSATION,
    "playing_out": _CONVERSATION,
    "tool_call": _CONVERSATION,
}


def start() -> HandSnapshot:
    """A new call that owes a greeting; its first effect and deadline are taken as done."""
    facts = {
        "session": "connecting", "response": "free", "create": "none", "playout": "idle", "prompt": "idle",
        "line": "up", "turn": "quiet", "auto": "none", "owed": "greeting", "asked": "none", "answering": "none",
        "tools_running": 0, "unechoed": 0, "retries": 0, "reconnects": 0, "backoff": False, "keys": False,
    }  # fmt: skip
    ids: Ids = {
        "serial": 0, "create": None, "response": None, "open": (), "ended": (), "turns": {}, "calls": (),
        "running": (), "unechoed": (), "digits": "",
    }  # fmt: skip
    return HandSnapshot("connecting", facts, ids, {"connect_overdue": 1}, 1)


def step(snapshot: HandSnapshot, event: Event) -> Result:
    """The answer to an event. KeyError: a cell that is not in the table."""
    state, facts, ids, armed, serial = snapshot
    name, data = event
    identify = _IDENTITIES.get(name)
    if identify is not None:
        name, ids = identify(ids, data)
    outcome, state, facts, ids, effects, starting, stop = TABLE[state][name](state, facts, ids, data)
    serial += 1
    timers: tuple[Timer, ...] = ()
    if starting or stop:
        armed = {**armed}
        for deadline in stop:
            del armed[deadline]
        if starting:
            timers = tuple([_new(Timer, (deadline, AFTER_MS[deadline], serial)) for deadline in starting])
            for deadline in starting:
                armed[deadline] = serial
    return _new(HandSnapshot, (state, facts, ids, armed, serial)), outcome, effects, timers, stop
