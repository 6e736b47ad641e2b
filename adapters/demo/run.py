"""One demo from its plan to its summary: one call, or with the naive controller two at once. Never a display.

The summary is what `--json` prints and summary.json holds.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from adapters.demo.moments import Moment, Tell
from adapters.demo.plan import Plan
from adapters.demo.stage import Played, Stage
from adapters.demo.verdict import problems_of


@attrs.frozen(kw_only=True)
class Outcome:
    """`naive` is there if it was played, too. `problems`: what is not healthy about turnspec's call."""

    turnspec: Played
    naive: Played | None
    problems: tuple[str, ...]
    is_interrupted: bool = False
    summary: dict[str, Any]


def nobody(_moment: Moment) -> None:
    """For a call that is not shown."""


async def run_demo(plan: Plan, folder: Path, tell: Tell, *, naive: bool = False) -> Outcome:
    """Plays, judges, writes summary.json. With `naive`, `tell` hears of that call, and turnspec's is played unseen."""
    stages = [Stage(plan, folder, nobody if naive else tell)]
    if naive:
        stages.append(Stage(plan, folder / "naive", tell, is_naive=True))
    with _interruptible(stages, tell) as is_interrupted:
        played = await asyncio.gather(*(stage.play() for stage in stages))
        was_interrupted = is_interrupted()
        problems = problems_of(played[0], was_interrupted)
    summary = _summary(plan, folder, played, problems)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return Outcome(
        turnspec=played[0],
        naive=played[1] if naive else None,
        problems=tuple(problems),
        summary=summary,
        is_interrupted=was_interrupted,
    )


def _summary(plan: Plan, folder: Path, played: list[Played], problems: list[str]) -> dict[str, Any]:
    shown = {
        "controller": "naive" if len(played) > 1 else "turnspec",
        "spec": plan.spec.name,
        "provider": plan.options.provider,
        "format": plan.options.audio_format,
        "seed": plan.options.seed,
        "healthy": not problems,
        "problems": problems,
        "folder": str(folder),
    }
    if len(played) > 1:
        return {**_numbers(played[1]), **shown, "turnspec": _numbers(played[0])}
    return {**_numbers(played[0]), **shown}


def _numbers(played: Played) -> dict[str, Any]:
    caller = played.caller
    heard = {
        "ended": caller.ended,
        "talk_over_ms": round(caller.talk_over_ms),
        "longest_silence_ms": round(caller.longest_silence_ms),
        "reply_ms": [round(each) for each in caller.reply_ms],
        "waited_in_vain": [note.text for note in caller.notes],
    }
    return {**played.numbers, "states": list(played.states), "tool_rounds": played.tool_rounds, "caller": heard}


@contextmanager
def _interruptible(stages: list[Stage], tell: Tell) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C hangs up politely, the second cuts. Yields whether there was one."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    began_s, count = loop.time(), 0

    def interrupt() -> None:
        nonlocal count
        count += 1
        if count > 1 and task is not None:
            task.cancel()
            return
        for stage in stages:
            stage.hang_up()
        tell(
            Moment(
                round((loop.time() - began_s) * 1000),
                "note",
                "Ctrl-C: hanging up once the agent has finished; again to cut the call",
            )
        )

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows; a loop outside of the main thread
        yield lambda: False
        return
    try:
        yield lambda: count > 0
    finally:
        loop.remove_signal_handler(signal.SIGINT)
