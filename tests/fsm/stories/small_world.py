"""A provider, a caller, a playout and tools, just big enough to play a whole call against the core in virtual time.

What they say can be lost for ever or come twice, by cue. Not the simulator: no sockets, no audio; not the verifier's
world: one run, in the order a well-behaved provider has. Never a check.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Sequence

import attrs

from fsm.machine.machine import Effect, Event
from tests.fsm.machine import wire_forms as wire
from tests.fsm.stories.cues import Said
from tests.fsm.stories.story import Story


@attrs.define
class Response:
    """A response as the provider has it; `answers` is how many turns and outputs it had seen when it began."""

    name: str
    saw: int
    calls: Sequence[str] = ()
    over: bool = False
    heard_to_end: bool = False


class SmallWorld:
    """`SmallWorld(spec, lose={"committed"}).greeting().turn().turn().hang_up()`; then look at `answers`."""

    def __init__(self, spec: str, lose: Collection[str] = (), twice: Collection[str] = (), once: bool = False) -> None:
        self.story = Story(spec)
        self.lose, self.twice, self.once = set(lose), frozenset(twice), once
        self.inbox: list[tuple[int, int, str, Said]] = []
        self.count = itertools.count(1)
        self.responses: list[Response] = []
        self.active: Response | None = None
        self.playing: Response | None = None
        self.seen = 0  # turns and outputs in the provider's conversation
        self.with_call = False
        self._obey(self.story.effects)

    @property
    def answers(self) -> int:
        """Responses that were heard to their end."""
        return sum(r.heard_to_end for r in self.responses)

    @property
    def over(self) -> bool:
        return self.story.state == "closed"

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, ms: int) -> SmallWorld:
        """Lets the world go on for a while: what is due, in order of time; timers when nothing else comes first."""
        until = self.story.now_ms + ms
        while not self.over:
            due = self.story.next_due()
            if self.inbox and self.inbox[0][0] <= min(until, due.at_ms if due else until):
                at_ms, _, cue, said = heapq.heappop(self.inbox)
                self.story.now_ms = max(self.story.now_ms, at_ms)
                self._deliver(cue, said)
            elif due is not None and due.at_ms <= until:
                self._obey(self.story.cue("timer", [due.name])[0])
            else:
                break
        self.story.now_ms = until
        return self

    def later(self, ms: int, cue: str, said: Said) -> None:
        heapq.heappush(self.inbox, (self.story.now_ms + ms, next(self.count), cue, said))

    def _deliver(self, cue: str, said: Said) -> None:
        self._happens(cue, said)
        if cue in self.lose:
            self.story.told.append(f"{self.story.now_ms:6} {cue} IS LOST")
            if self.once:
                self.lose.discard(cue)
            return
        for _ in range(2 if cue in self.twice else 1):
            self._obey(self.story.play(said, cue)[0])

    def _happens(self, cue: str, said: Said) -> None:
        """What is true in the world from now on, also if nobody is told."""
        if cue == "drained" and self.playing is not None:
            self.playing.heard_to_end = True
            self.playing = None
        if cue == "progressed" and self.playing is not None:
            self.later(2000, "progressed", Event("playout.progressed"))
        if cue == "done" and isinstance(said, dict):
            body = said["response"]
            assert isinstance(body, dict)
            if self.active is not None and self.active.name == body["id"]:
                self.active = None

    # --- what effects do ----------------------------------------------------------------------------------------------

    def _obey(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            act = getattr(self, f"_on_{effect.name}", None)
            if act is not None:
                act(effect)

    def _on_connect_provider(self, _: Effect) -> None:
        self.later(30, "opened", Event("provider.opened"))
        self.later(60, "session_created", wire.session("created"))

    def _on_close_provider(self, _: Effect) -> None:
        self.active = None
        local = ("drained", "flushed", "progressed", "prompt_finished", "heard", "hung_up")
        self.inbox = [entry for entry in self.inbox if entry[2] in local]
        heapq.heapify(self.inbox)

    def _on_update_session(self, _: Effect) -> None:
        self.later(40, "session_updated", wire.session("updated"))

    def _on_create_response(self, effect: Effect) -> None:
        tag = str(effect.args["event_id"])
        if self.active is not None:
            self.later(10, "busy", wire.busy(tag, self.active.name))
        else:
            self._begin(tag)

    def _on_cancel_response(self, effect: Effect) -> None:
        if self.active is not None and self.active.name == effect.args["response_id"]:
            self._end(self.active, wire.cancelled(self.active.name, "client_cancelled"))

    def _on_flush_playout(self, _: Effect) -> None:
        if self.playing is not None:
            self.inbox = [entry for entry in self.inbox if entry[2] not in ("drained", "progressed")]
            heapq.heapify(self.inbox)
            self.playing = None
        self.later(0, "flushed", Event("playout.flushed", {"items": []}))

    def _on_run_tool(self, effect: Effect) -> None:
        data = {"call_id": effect.args["call_id"], "output": "12 degrees"}
        self.later(300, "returned", Event("tool.returned", data))

    def _on_send_tool_output(self, effect: Effect) -> None:
        self.seen += 1
        self.later(30, "echo", wire.item_echo(wire.output_item(str(effect.args["call_id"]))))

    def _on_commit_audio(self, _: Effect) -> None:
        self.seen += 1
        self.later(20, "committed", wire.committed(f"u{next(self.count)}"))

    def _on_play_prompt(self, _: Effect) -> None:
        self.later(1500, "prompt_finished", Event("prompt.finished", {"name": "apology"}))

    # --- the provider -------------------------------------------------------------------------------------------------

    def _begin(self, tag: str | None) -> None:
        """A response: created, an item, audio that plays for 3 s, done after 400 ms; or a call."""
        name = f"resp_r{next(self.count)}"
        calls = (f"c{name}",) if self.with_call else ()
        self.with_call = False
        response = Response(name, self.seen, calls)
        self.active = response
        self.responses.append(response)
        self.later(20, "created", wire.created(name, tag))
        if calls:
            items = [wire.function_call(call) for call in calls]
            self.later(200, "calls", wire.item_done(name, items[0]))
            self.later(300, "done", wire.done(name, output=items))
            return
        self.later(50, "shows_item", wire.item_added(name, f"i_{name}"))
        self.later(400, "done", wire.done(name))
        self.playing = response
        self.later(130, "heard", Event("playout.started", {"response_id": name, "item_id": f"i_{name}"}))
        self.later(330, "enough", Event("playout.heard", {"response_id": name}))
        self.later(2130, "progressed", Event("playout.progressed"))
        self.later(3130, "drained", Event("playout.drained"))

    def _end(self, response: Response, said: wire.Json) -> None:
        mine = [e for e in self.inbox if response.name not in str(e[3]) or e[2] in ("heard", "enough")]
        self.inbox = mine
        heapq.heapify(self.inbox)
        self.later(20, "done", said)

    # --- the caller ---------------------------------------------------------------------------------------------------

    def turn(self, with_call: bool = False, listen_ms: int = 60_000) -> SmallWorld:
        """The caller says something for a second and listens."""
        self.with_call = with_call
        if self.story.spec == "push_to_talk":
            self._press(1000)
        else:
            self._speak(1000)
        return self.run(listen_ms)

    def _press(self, ms: int) -> None:
        self.later(0, "key", Event("caller.pressed_key", {"digit": "#"}))
        self.later(120, "committable", Event("uplink.committable"))
        self.later(ms, "key", Event("caller.pressed_key", {"digit": "#"}))
        self.later(ms + 3000, "silent", Event("caller.silent"))
        self.run(ms + 50)

    def _speak(self, ms: int) -> None:
        item = f"u{next(self.count)}"
        self.later(0, "speech_started", wire.speech("started", item))
        if self.active is not None:
            self._end(self.active, wire.cancelled(self.active.name, "turn_detected"))
        self.run(ms)
        self.seen += 1
        self.later(0, "speech_stopped", wire.speech("stopped", item))
        self.later(5, "committed", wire.committed(item))
        self.later(700, "silent", Event("caller.silent"))
        self.run(10)
        if self.story.spec == "server_vad" and self.active is None:
            self._begin(None)

    def hang_up(self) -> SmallWorld:
        self.later(0, "hung_up", Event("caller.hung_up", {"reason": "fin"}))
        return self.run(100)
