"""The playout of calls, the one an audit reckons with and the one of the verifier's world report the same.

There are three, because each knows less than the one before: `adapters.audio.playout` has the samples, and counts what
the caller has heard of each item; `fsm.audit.shadow_playout` has only the lengths and times of somebody's log; the
world has neither, only that something plays. What they have to agree on is what the machine gets: which facts, and in
which order. That whole calls are runs of the world, playout included, is tests/tools/acceptance/test_journals.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from adapters.audio.playout import Playout
from fsm.audit.shadow_playout import ShadowPlayout
from fsm.verify.verify import SearchLimits
from fsm.world.binding import Binding, Option
from fsm.world.code import Values
from tests.fsm.verify import house

AUDIO_MS = 100
FRAME_MS = 20


class Model:
    """The world's playout: its own text, taken step by step; facts are received as soon as they are sent."""

    def __init__(self) -> None:
        spec, world = house.spec("server_vad"), house.world()
        self.binding = Binding(spec, world, SearchLimits().settings(world))
        self.names = {(m.channel, m.code): m.name for m in world.messages.values()}
        self.channels = {c.name: c.index for c in world.channels}
        self.queues = [b"" for _ in world.channels]
        self.values: Values = self.binding.initial()
        self.facts: list[str] = []
        self._put(link="ready")

    def begin(self) -> None:
        """A response is there, and we know of it; its audio is on the way."""
        audio = self.binding.world.messages["audio"]
        self._put(reply="said", current="live", muted="no")
        self.queues[audio.channel] += bytes((audio.code,))

    def arrive(self) -> None:
        """Its audio arrives, all of it; and that it is complete."""
        self._take(self._head("from_provider"))
        self._put(current="none", reply="none")

    def play_out(self) -> None:
        for move in ("hears_enough", "hears_enough_other", "plays_out"):
            found = [option for option in self.binding.options(self.values) if option[0].label.move == move]
            if found:
                self._take(found)

    def flush(self) -> None:
        self._take(self.binding.effects(self.values, (("flush_playout", None),)))

    def _put(self, **named: str) -> None:
        values = bytearray(self.values)
        for name, value in named.items():
            variable = self.binding.world.variable(name)
            values[variable.index] = variable.value(value)
        self.values = bytes(values)

    def _head(self, channel: str) -> list[Option]:
        index = self.channels[channel]
        return self.binding.received(self.values, self.names[index, self.queues[index][0]])

    def _take(self, options: Iterable[Option]) -> None:
        ((way, self.values),) = options
        for change in way.changes:
            self.queues[change.channel] = change.on(self.queues[change.channel])
        if way.event is not None:
            self.facts.append(way.event.removesuffix(".current").removesuffix(".other"))
        if self.queues[self.channels["facts"]]:
            self._take(self._head("facts"))


class Real:
    """The playout of calls, pulled by hand."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        self.playout = Playout(self._fact)
        self.response = 0

    def _fact(self, name: str, _data: dict[str, Any]) -> None:
        self.facts.append(name)

    def begin(self) -> None:
        self.response += 1

    def arrive(self) -> None:
        name = f"resp_{self.response}"
        self.playout.push(name, f"item_{self.response}", 0, b"\x00\x10" * (8 * AUDIO_MS))
        self.playout.mark_response_ended(name)
        self.playout.pull()

    def play_out(self) -> None:
        for _ in range(AUDIO_MS // FRAME_MS + 1):
            self.playout.pull()

    def flush(self) -> None:
        self.playout.flush([f"resp_{self.response}"])


class Reckoned:
    """What an audit makes of a log's audio."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        self.playout = ShadowPlayout()
        self.response, self.now_ms = 0, 0.0

    def begin(self) -> None:
        self.response += 1

    def arrive(self) -> None:
        name = f"resp_{self.response}"
        self.facts += [e.name for e in self.playout.push(name, f"item_{self.response}", AUDIO_MS, self.now_ms)]
        self.facts += [e.name for e in self.playout.ended(name, self.now_ms + AUDIO_MS)]

    def play_out(self) -> None:
        self.now_ms += AUDIO_MS
        self.facts += [e.name for e in self.playout.due(self.now_ms)]

    def flush(self) -> None:
        self.facts += [e.name for e in self.playout.flush([f"resp_{self.response}"], self.now_ms)]


def story(rng: random.Random, length: int) -> Iterable[str]:
    """What happens: one response at a time, as the floor has it; it may be flushed before its audio comes."""
    coming = playing = flushed = False
    for _ in range(length):
        can = ["flush"] * (coming or playing) + ["arrive"] * coming + ["play_out"] * playing
        step = rng.choice(can or ["begin"])
        if step == "begin":
            coming, flushed = True, False
        elif step == "arrive":
            coming, playing = False, not flushed
        elif step == "play_out":
            playing = False
        else:
            playing, flushed = False, True
        yield step


def test_three_playouts_report_the_same() -> None:
    seen: set[str] = set()
    for seed in range(40):
        model, real, reckoned = Model(), Real(), Reckoned()
        steps = []
        for step in story(random.Random(seed), 30):
            steps.append(step)
            for playout in (model, real, reckoned):
                getattr(playout, step)()
            assert model.facts == real.facts == reckoned.facts, steps
        seen.update(model.facts)
    assert seen == {f"playout.{what}" for what in ("started", "heard", "drained", "flushed", "dropped")}


def test_the_stories_hold_late_audio() -> None:
    model = Model()
    for step in ("begin", "flush", "arrive"):
        getattr(model, step)()
    assert model.facts == ["playout.flushed", "playout.dropped"]
