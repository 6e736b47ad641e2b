"""`turnspec simulate provider --protocol live`: GPT-Live on a port, and what came of its sessions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from adapters.simulator.providers.live import LiveScenario, LiveServer
    from adapters.simulator.providers.live.core import LiveStats

_POLL_S: Final = 0.1


def live_scenario(path: Path | None) -> LiveScenario:
    """What the model says; without a file it answers everything alike."""
    from adapters.simulator.providers.live import LiveScenario, load_live_scenario

    if path is None:
        return LiveScenario()
    try:
        return load_live_scenario(path)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


async def serve_live(server: LiveServer, sessions: int | None, for_s: float | None, *, to_stderr: bool) -> None:
    """Until a signal, so many sessions or so many seconds."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop.set)
    async with server:
        click.echo(f"listening on {server.url} (live); Ctrl-C ends it", err=to_stderr)
        began_s = loop.time()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _POLL_S)
            is_enough = sessions is not None and server.ended >= sessions
            if is_enough or (for_s is not None and loop.time() - began_s >= for_s):
                break


def live_report(stats: Sequence[LiveStats], *, as_json: bool) -> str:
    """Of every session."""
    found = [
        {
            "session": number,
            "user_turns": each.turns,
            "utterances": list(each.utterances),
            "cut": each.cut,
            "caller_audio_s": round(each.input_ms / 1000, 1),
            "rejections": [error.code for error in each.errors],
            "close_reason": each.close_reason,
        }
        for number, each in enumerate(stats, 1)
    ]
    if as_json:
        return json.dumps(found, indent=2)
    return "\n".join(
        f"session {each['session']}: {each['user_turns']} turns, {each['caller_audio_s']} s of the caller, closed:"
        f" {each['close_reason'] or 'no'}; refused: {', '.join(error.code for error in one.errors) or 'nothing'}"
        for each, one in zip(found, stats, strict=True)
    )
