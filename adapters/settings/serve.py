"""The `serve` section: how many processes serve, and on which event loop. Never a process."""

from __future__ import annotations

import importlib.util

import attrs

from adapters.settings.kinds import LoopName
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile


@attrs.frozen(kw_only=True)
class ServeSettings:
    """One worker: the process itself."""

    workers: int = 1
    loop: LoopName = "asyncio"


def read_serve(reader: SettingsReader, config: ConfigFile) -> ServeSettings:
    section = config.serve
    if section.loop == "uvloop" and importlib.util.find_spec("uvloop") is None:
        place = section.written.place_of("loop")
        message = "serve.loop: uvloop is not installed"
        reader.problems.add(place, "missing-extra", message, "install turnspec[fast], or leave it out: loop: asyncio")
    return ServeSettings(workers=section.workers, loop=section.loop)
