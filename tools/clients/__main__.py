"""The command: every client, one after the other, and what of its call is missing."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import click
import structlog

from adapters.simulator.providers.realtime import ProviderServer, load_scenario
from adapters.simulator.speech import read_samples, wav_path
from tools.clients.environment import NoEnvironmentError, python_of
from tools.clients.judge import complaints

HERE: Final = Path(__file__).resolve().parent
CALLS: Final = HERE / "calls"
LINES: Final = ("caller_weather", "caller_returns", "caller_interrupt")
_LONGEST_S: Final = 120.0


def client_names() -> list[str]:
    return sorted(path.stem for path in CALLS.glob("*.py"))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
def main(names: tuple[str, ...]) -> None:
    """Let the clients of tools/clients/calls (or those of these NAMES) hold a call against the simulated provider.

    A client gets an environment of its own in build/clients, made by pip when it is first needed. Exit code: 0 if no
    call that was tried failed.
    """
    unknown = sorted(set(names) - set(client_names()))
    if unknown:
        raise click.UsageError(f"no client is called {', '.join(unknown)}; there are: {', '.join(client_names())}")
    structlog.configure(processors=[_drop])
    failed = [name for name in names or client_names() if not _is_held(name)]
    sys.exit(1 if failed else 0)


def _drop(*_record: object) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def _is_held(name: str) -> bool:
    """Try one client and say how it went; a client that cannot be had has not failed."""
    try:
        python = python_of(CALLS / f"{name}.txt")
    except NoEnvironmentError as problem:
        click.echo(f"SKIPPED, NOT TRIED: {name}: its packages cannot be had here: {problem}")
        return True
    with tempfile.TemporaryDirectory() as folder:
        for line in LINES:
            (Path(folder) / f"{line}.pcm").write_bytes(read_samples(wav_path(line), 24000).astype("<i2").tobytes())
        found, said = asyncio.run(_held(python, name, folder))
    click.echo(f"{'FAILED' if found else 'ok':<7} {name}")
    for line in [*found, *(said.strip().splitlines()[-15:] if found else ())]:
        click.echo(f"          {line}")
    return not found


async def _held(python: Path, name: str, folder: str) -> tuple[list[str], str]:
    """The complaints about one call, and what its client printed."""
    async with ProviderServer(scenario=load_scenario(HERE / "call.yaml")) as provider:
        client = await asyncio.create_subprocess_exec(
            str(python), str(CALLS / f"{name}.py"), provider.url.removesuffix("/realtime"), folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "LIVEKIT_"))},
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(client.communicate(), _LONGEST_S)
        except TimeoutError:
            client.kill()
            await client.wait()
            return [f"it did not end within {_LONGEST_S:g} s"], ""
        found = [] if client.returncode == 0 else [f"it ended with exit code {client.returncode}"]
        if not provider.stats:
            found.append("it never connected")
        for stats in provider.stats[:1]:
            found += complaints(stats)
        return found, said.decode(errors="replace")


if __name__ == "__main__":
    main()
