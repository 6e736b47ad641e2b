"""What one would write without turnspec: a (state, event) -> handler table by hand, same semantics, plain Python, fast.

Holds the cells that `bench.conversation` visits under `server_vad` (`bench.hand_cells`); more cells would not change
what a lookup costs. The same identities (`bench.hand_ids`), effects with the same arguments, deadlines and outcomes as
`TurnSpecMachine` (`bench.step` compares every step, a test random walks), but nothing else: no reasons, no line of a
spec, no type check, no counter that overflows, no recall of deferred events.

Never slow on purpose: dicts are copied only where something changes, and what comes back is a plain tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bench import hand_cells as cells
from bench.hand_cells import Effects, Facts, Handler, Names
from bench.hand_ids import IDENTITIES, Ids, fresh
from fsm.machine.machine import Event, Timer

AFTER_MS = {
    "connect_overdue": 5000, "created_overdue": 3000, "update_overdue": 5000, "create_overdue": 5000,
    "commit_overdue": 2000, "response_overdue": 10000, "response_stuck": 6000, "close_overdue": 3000,
    "echo_overdue": 3000, "playout_overdue": 6000, "flush_overdue": 1000, "tools_overdue": 130000,
    "answer_overdue": 4000,
}  # fmt: skip


class HandSnapshot(NamedTuple):
    """The whole state of a call; its dicts are replaced, never changed."""

    state: str
    facts: Facts
    ids: Ids
    armed: Mapping[str, int]
    serial: int


Result = tuple[HandSnapshot, str, Effects, tuple[Timer, ...], Names]
"""snapshot, outcome, effects, deadlines to start, deadlines to stop"""


_CONVERSATION: Mapping[str, Handler] = {
    "created.known": cells.noise,
    "done.completed": cells.done_completed,
    "done.interrupted": cells.done_interrupted,
    "done.stale": cells.noise,
    "called.new": cells.called_new,
    "called.seen": cells.noise,
    "returned.pending": cells.returned_pending,
    "returned.late": cells.noise,
    "added.ours": cells.added_ours,
    "added.other": cells.noise,
    "started.new": cells.speech_started,
    "started.again": cells.noise,
    "stopped.again": cells.noise,
    "committed.expected": cells.committed,
    "committed.new": cells.committed_new,
    "committed.again": cells.noise,
    "playing.current": cells.heard,
    "playout.progressed": cells.progressed,
    "playout.drained": cells.drained,
    "playout.flushed": cells.flushed,
    "caller.hung_up": cells.hung_up,
}
_USER_SPEAKING: Mapping[str, Handler] = {**_CONVERSATION, "stopped.new": cells.speech_stopped}
_QUIET: Mapping[str, Handler] = {**_CONVERSATION, "created.own": cells.created_own, "created.ours": cells.created_ours}

TABLE: Mapping[str, Mapping[str, Handler]] = {
    "connecting": {"provider.opened": cells.opened},
    "awaiting_session_created": {"session.created": cells.session_created},
    "configuring": {"session.updated": cells.session_updated},
    "configured": _QUIET,
    "user_speaking": _USER_SPEAKING,
    "response_pending": _QUIET,
    "responding": _QUIET,
    "playing_out": _QUIET,
    "tool_call": _QUIET,
}


def start() -> HandSnapshot:
    """A new call that owes a greeting; its first effect and deadline are taken as done."""
    facts = {
        "session": "connecting", "response": "free", "create": "none", "playout": "idle", "prompt": "idle",
        "line": "up", "turn": "quiet", "auto": "none", "owed": "greeting", "asked": "none", "answering": "none",
        "tools_running": 0, "unechoed": 0, "retries": 0, "reconnects": 0, "backoff": False, "keys": False,
        "wish": False,
    }  # fmt: skip
    return HandSnapshot("connecting", facts, fresh(), {"connect_overdue": 1}, 1)


def step(snapshot: HandSnapshot, event: Event) -> Result:
    """The answer to an event. KeyError: a cell that is not in the table."""
    state, facts, ids, armed, serial = snapshot
    name, data = event
    identify = IDENTITIES.get(name)
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
            timers = tuple([Timer(deadline, AFTER_MS[deadline], serial) for deadline in starting])
            for deadline in starting:
                armed[deadline] = serial
    return HandSnapshot(state, facts, ids, armed, serial), outcome, effects, timers, stop
