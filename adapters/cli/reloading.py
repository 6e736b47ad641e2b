"""How a serving process reads its configuration again: the file as at the start, and its specs in their world.

A spec that is bundled was verified with the release, one whose texts run here already was verified (or started with)
before; any other one is verified within the quick bounds, by `turnspec verify` in a process of its own: it searches for
seconds, and calls go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from adapters import logs
from adapters.server.reload import ConfigReader
from adapters.settings.config import AgentSettings, Settings, load_settings
from adapters.specs import Texts, load_file, specs_folder
from fsm.journal.journal import digest
from fsm.language.problem import SpecError

_PROGRAM: Final = "import os; os.nice(10); from adapters.cli import main; main()"
_SHOWN: Final = 10
_HOLDS: Final = "PASS"


def with_workers(settings: Settings, workers: int | None) -> Settings:
    """As the command line says, where it says something."""
    return settings if workers is None else attrs.evolve(settings, serve=attrs.evolve(settings.serve, workers=workers))


def config_reader(config: Path, workers: int | None = None) -> ConfigReader:
    """Of a process that was started with this file, and with this number of workers on its command line."""
    verified: set[str] = set()

    async def verify(read: Settings, running: Settings) -> list[str]:
        runs = {each.spec_digest for each in running.agents}
        for agent in {each.spec_digest: each for each in read.agents}.values():
            if agent.spec_digest in runs | verified or _is_bundled(agent):
                continue
            if problems := await not_held(agent):
                return problems
            verified.add(agent.spec_digest)
        return []

    return ConfigReader(
        lambda: with_workers(load_settings(config), workers),
        verify,
        lambda read: logs.configure(read.log, read.secrets),
    )


def _is_bundled(agent: AgentSettings) -> bool:
    return Path(agent.spec.file).resolve().parent == specs_folder().resolve()


async def not_held(agent: AgentSettings) -> list[str]:
    """What does not hold of an agent's spec, a line each; or that nobody can say. Ends its process where cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, "verify", "--json", agent.spec.file,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    try:
        said, complained = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return [] if _is_unchanged(agent) else [f"{agent.spec.file}: it was changed meanwhile: reload again"]
    try:
        return _broken(agent, json.loads(said))
    except (ValueError, KeyError, TypeError):
        last = complained.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        return [f"{agent.spec.file}: it cannot be verified: {last[0]}"]


def _is_unchanged(agent: AgentSettings) -> bool:
    """Is what was verified what was read before?"""
    try:
        return digest(load_file(Path(agent.spec.file), typestate=False, on_disk=Texts())[1]) == agent.spec_digest
    except (OSError, ValueError, SpecError):
        return False


def _broken(agent: AgentSettings, found: Mapping[str, Any]) -> list[str]:
    """What `turnspec verify --json` has found, each once."""
    lines: dict[str, None] = {}
    for verdict in found["verdicts"]:
        if verdict["outcome"] == _HOLDS:
            continue
        where = f"{agent.spec.name}, scene {verdict['scene']}"
        lines |= dict.fromkeys(f"{where}: {each}" for each in verdict["impossible"])
        broken = [each for each in verdict["findings"] if each["run"] is not None]
        lines |= dict.fromkeys(f"{where}: {each['property']}: {each['about']}" for each in broken)
        if not verdict["impossible"] and not broken:
            lines[f"{where}: {verdict['outcome']}"] = None
    return list(lines)[:_SHOWN]
