"""Stories: a call told line by line over the real machine, each line `cue | state | effects`. What fails shows it all.

A line's state and effects are exact. After the state may stand `=outcome` where the cue is not to be acted on
(ignored, deferred, refused, impossible, nothing). Events that wait are recalled as the call's loop does it.
A clock is kept: `wait MS` lets armed deadlines come due in their order, `timer NAME` jumps to one.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from fsm.machine.machine import Effect, Event, Step
from fsm.machine.wire import read_wire
from tests.fsm.bundle import machine
from tests.fsm.machine.wire_forms import Json
from tests.fsm.stories.cues import CUES, Said

SHOWN = {
    "create_response": "cause",
    "cancel_response": "response_id",
    "run_tool": "call_id",
    "send_tool_output": "call_id",
    "send_digits": "digits",
    "play_prompt": "name",
}
ACTED = ("taken", "stayed")

OPENING = """
    opened          | awaiting_session_created |
    session_created | configuring              | update_session
"""
GREETED = {
    "server_vad": """
        session_updated | response_pending | open_uplink create_response(greeting)
        created g ours  | responding       |
        heard g ig      | responding       |
        done g          | playing_out      |
        drained         | configured       |
    """,
}
GREETED["owned_turns"] = GREETED["guarded_turns"] = GREETED["server_vad"]
GREETED["push_to_talk"] = GREETED["server_vad"].replace("open_uplink create", "create")


def shown(effect: Effect) -> str:
    """An effect in one word: its name and the argument that matters."""
    args = effect.args
    if effect.name == "truncate_item":
        return f"truncate_item({args['item_id']}@{args['audio_end_ms']})"
    for key in ("response_ids", "call_ids"):
        named = args.get(key)
        if isinstance(named, list):
            return f"{effect.name}({','.join(str(n).removeprefix('resp_') for n in named)})"
    if effect.name in SHOWN:
        return f"{effect.name}({str(args[SHOWN[effect.name]]).removeprefix('resp_')})"
    return effect.name


@attrs.define
class Due:
    """An armed deadline."""

    name: str
    at_ms: int
    epoch: int


class Story:
    """One call. `tell` a table; `told` is what has happened so far."""

    def __init__(self, spec: str = "server_vad", talk_key: str = "", **context: str) -> None:
        self.spec = spec
        self.machine = machine(spec)
        self.now_ms = 0
        self.due: dict[str, Due] = {}
        self.effects: list[Effect] = []
        self.told: list[str] = [f"--- {spec} {context or ''}"]
        talk = talk_key or ("#" if spec == "push_to_talk" else "")
        self.steps: list[Step] = []
        steps = self.machine.start(talk_key=talk, **context)
        self._note("start", [effect for step in steps for effect in self._take(step)])

    # --- telling ------------------------------------------------------------------------------------------------------

    def tell(self, table: str) -> Story:
        for raw in table.strip().splitlines():
            line = raw.split("//")[0].strip()
            if line:
                self._line(line)
        return self

    def opened(self) -> Story:
        return self.tell(OPENING)

    def greeted(self) -> Story:
        """Up to the moment when the greeting has been heard to its end."""
        return self.opened().tell(GREETED[self.spec])

    def ready(self) -> Story:
        """Configured, without a greeting (start with `owed="none"`)."""
        listen = "" if self.spec == "push_to_talk" else "open_uplink"
        return self.opened().tell(f"session_updated | configured | {listen}")

    @property
    def state(self) -> str:
        return self.snapshot.state

    def value(self, variable: str) -> str:
        """The value of a slot or context variable now."""
        found = self.machine.spec.variable(variable)
        return found.domain[self.snapshot.control.values[found.index]]

    def count(self, effect: str) -> int:
        return sum(shown(e).startswith(effect) for e in self.effects)

    def sent(self, effect: str) -> str:
        """The event id of the last effect of a name; `name~1` is the one before it."""
        name, _, back = effect.partition("~")
        found = [str(e.args["event_id"]) for e in self.effects if e.name == name]
        if len(found) <= int(back or 0):
            self.fail(f"no '{effect}' was sent")
        return found[-1 - int(back or 0)]

    def fail(self, why: str) -> None:
        raise AssertionError(why + "\n" + "\n".join(self.told))

    # --- one line -----------------------------------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        parts = [part.strip() for part in line.split("|")]
        cue, *words = parts[0].split()
        effects, outcome = self.cue(cue, words)
        if len(parts) == 1:
            if "impossible" in outcome:
                self.fail(f"'{line}' cannot happen here, the spec says")
            return
        state, _, expected = (part.strip() for part in parts[1].partition("="))
        expected_effects = parts[2].split() if len(parts) > 2 else []
        if state != self.state:
            self.fail(f"'{line}': the state is {self.state}")
        if outcome not in ((expected,) if expected else ACTED):
            self.fail(f"'{line}': the outcome is {outcome}")
        if [shown(e) for e in effects] != expected_effects:
            self.fail(f"'{line}': the effects are {' '.join(map(shown, effects)) or 'none'}")

    def cue(self, cue: str, words: Sequence[str] = ()) -> tuple[list[Effect], str]:
        """Plays one cue; its effects and what came of it."""
        if cue == "wait":
            return self._wait(int(words[0]))
        if cue == "timer":
            return self._timer(words[0])
        return self.play(CUES[cue](list(words), self.sent), " ".join((cue, *words)))

    def play(self, said: Said, told: str = "") -> tuple[list[Effect], str]:
        """An event or wire JSON, as the adapters would hand it over."""
        parts = said if isinstance(said, tuple) and not isinstance(said, Event) else (said,)
        events = [event for part in parts for event in self._events(part)]
        steps = [step for event in events for step in self._step(event)]
        self._note(told or str(said)[:80], [e for s in steps for e in s.effects], steps)
        outcomes = [step.outcome for step in steps]
        acted = [o for o in outcomes if o in ACTED or o == "impossible"]
        outcome = next(iter((*(o for o in acted if o == "impossible"), *acted, *outcomes)), "nothing")
        return [e for s in steps for e in s.effects], outcome

    def _events(self, said: Event | Json) -> Sequence[Event]:
        return (said,) if isinstance(said, Event) else read_wire(self.machine.spec.vocabulary, said)

    def _step(self, event: Event) -> list[Step]:
        steps = self.machine.advance(self.snapshot, event)
        for step in steps:
            self._take(step)
        return list(steps)

    def _take(self, step: Step) -> list[Effect]:
        self.steps.append(step)
        self.snapshot = step.snapshot
        self.effects += step.effects
        for name in step.stop:
            self.due.pop(name, None)
        for timer in step.start:
            self.due[timer.name] = Due(timer.name, self.now_ms + timer.after_ms, timer.epoch)
        if {name: due.epoch for name, due in self.due.items()} != dict(step.snapshot.armed):
            self.fail(f"timers told {sorted(self.due)}, armed {sorted(step.snapshot.armed)}")
        return list(step.effects)

    def _note(self, cue: str, effects: Sequence[Effect], steps: Sequence[Step] = ()) -> None:
        outcome = " ".join(f"{s.variant}={s.outcome}" for s in steps)
        reasons = "; ".join(dict.fromkeys(s.reason for s in steps if s.reason))
        line = f"{self.now_ms:6} {cue:26} | {self.state:24} | {' '.join(map(shown, effects)):40} {outcome}"
        self.told.append(line + (f" ({reasons})" if reasons else ""))

    # --- time ---------------------------------------------------------------------------------------------------------

    def _timer(self, name: str) -> tuple[list[Effect], str]:
        if name not in self.due:
            self.fail(f"the deadline '{name}' is not armed; armed: {', '.join(sorted(self.due)) or 'none'}")
        due = self.due[name]
        self.now_ms = max(self.now_ms, due.at_ms)
        return self.play(Event(f"timer.{name}", {"epoch": due.epoch}), f"timer {name}")

    def next_due(self) -> Due | None:
        return min(self.due.values(), key=lambda d: d.at_ms, default=None)

    def _wait(self, ms: int) -> tuple[list[Effect], str]:
        until = self.now_ms + ms
        effects: list[Effect] = []
        outcome = "nothing"
        while (due := self.next_due()) is not None and due.at_ms <= until:
            made, outcome = self._timer(due.name)
            effects += made
        self.now_ms = until
        return effects, outcome
