"""Many calls: in virtual time over all cores, over real sockets some dozens at once; how to repeat what failed.

A worker plays call after call and keeps nothing of them but what was found.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import click

from adapters.verify.processes import results
from tools.campaign.complaints import Complaints
from tools.campaign.holdings import holdings, left_over
from tools.campaign.plan import drawn
from tools.campaign.play import SETTLE_S, CampaignCall, Flaw, play, play_virtually

BATCH: Final = 5
REAL_AT_ONCE: Final = 20
KINDS: Final = ("stuck", "leak", "second answer", "silence", "exception", "dropped", "file")
"""Of findings; each must have none."""
_WORDS: Final = {
    "stuck": "calls that do not end", "leak": "tasks, timers, sockets, files left", "second answer": "second answers",
    "silence": "silences over 8 s while something is owed", "exception": "unhandled exceptions",
    "dropped": "calls that the telephone's side dropped for what we sent", "file": "journals that are not whole",
}  # fmt: skip
Done = Callable[[int, str], bool]
"""`done(played, what else there is to say)`; False: go on no more."""


@attrs.define
class Tally:
    """What came of many calls."""

    seed: int
    played: int = 0
    strangers: int = 0
    seconds: float = 0.0
    failed: list[tuple[CampaignCall, bool]] = attrs.field(factory=list)
    """With whether it was over real sockets."""
    trail: list[str] = attrs.field(factory=list)
    """Every step, where it was asked for."""
    faults: Counter[str] = attrs.field(factory=Counter)
    impossible: Counter[str] = attrs.field(factory=Counter)

    def take(self, call: CampaignCall, *, is_real: bool = False) -> None:
        self.played += 1
        self.strangers += max(call.calls - 1, 0)
        self.seconds += call.length_s
        self.trail += call.trail
        self.faults.update(call.faults)
        self.impossible.update(call.impossible)
        if call.findings:
            self.failed.append((call, is_real))

    def found(self) -> Counter[str]:
        return Counter(finding.kind for call, _ in self.failed for finding in call.findings)

    def lines(self) -> Iterator[str]:
        """Each failure, and the command that repeats its call; then the count of each kind."""
        for call, is_real in sorted(self.failed, key=lambda each: (each[1], each[0].number)):
            yield from _failure(self.seed, call, is_real)
        counts = self.found()
        for kind in KINDS:
            yield f"{counts[kind]:>6}  {_WORDS[kind]}"
        yield (
            f"{self.played} calls, {self.seconds / 3600:.1f} hours of calls, {self.strangers} calls of strangers "
            f"beside them, {self.faults.total()} faults of {len(self.faults)} kinds, "
            f"{self.impossible.total()} events that a spec calls impossible"
        )


def repeat_command(seed: int, number: int, is_real: bool) -> str:
    """For whoever wants to see that one call again."""
    return f"python -m tools.campaign calls --seed {seed} --only {number}{' --sockets' if is_real else ''}"


# --- in virtual time --------------------------------------------------------------------------------------------------


def play_many(numbers: Sequence[int], tally: Tally, done: Done) -> None:
    """All cores; a batch of calls after the other."""
    batches = [(tally.seed, numbers[at : at + BATCH]) for at in range(0, len(numbers), BATCH)]

    def goes_on() -> bool:
        return done(tally.played, _failures(tally))

    for calls in results(_played, batches, _prepared, (), goes_on):
        for call in calls:
            tally.take(call)
            if call.findings:
                click.echo("\n".join(_failure(tally.seed, call, False)), err=True)


def _failure(seed: int, call: CampaignCall, is_real: bool) -> list[str]:
    first = f"call {call.number}: {repeat_command(seed, call.number, is_real)}"
    steps = (f"        {line}" for line in call.trail if is_real)
    return [first, *(f"    {finding.kind}: {finding.text}" for finding in call.findings), *steps]


def _failures(tally: Tally) -> str:
    return f", {len(tally.failed)} failed" if tally.failed else ""


_complaints: Final = Complaints()


def _prepared() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    _complaints.listen()


def _played(batch: tuple[int, Sequence[int]]) -> list[CampaignCall]:
    seed, numbers = batch
    played = [play_virtually(drawn(seed, number), _complaints) for number in numbers]
    gc.unfreeze()  # a server that starts freezes what is there, and so does the next one
    gc.collect()
    return played


# --- over real sockets ------------------------------------------------------------------------------------------------


async def play_over_sockets(
    numbers: Sequence[int], tally: Tally, done: Done, complaints: Complaints, *, keeps_trail: bool = False
) -> None:
    """In real time, some dozens at once; what all of them leave behind is looked at once, at the end."""
    before = holdings()
    complaints.taken()
    gate = asyncio.Semaphore(REAL_AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            if done(tally.played, _failures(tally)):
                with tempfile.TemporaryDirectory() as folder:
                    plan = drawn(tally.seed, number)
                    call = await play(plan, Path(folder), keeps_trail=True)  # real time does not come again
                    tally.take(call if call.findings or keeps_trail else attrs.evolve(call, trail=()), is_real=True)

    await asyncio.gather(*(one(number) for number in numbers))
    left = [Flaw(kind="leak", text=each) for each in await left_over(before, SETTLE_S)]
    left += [Flaw(kind="exception", text=each) for each in complaints.taken()]
    if left:
        last = CampaignCall(
            number=numbers[-1], findings=tuple(left), calls=0, length_s=0.0, impossible={}, faults=()
        )  # fmt: skip
        tally.failed.append((last, True))
