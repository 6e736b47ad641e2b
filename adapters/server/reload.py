"""Reading the configuration again while calls go on: checked, verified, then what new calls begin with; or refused.

Never what becomes of it in a server: that is whoever applies it. One at a time, and within a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import structlog

from adapters.server.inside import ReloadVerdict
from adapters.settings.config import Settings
from fsm.errors import LocalError
from fsm.language.problem import SpecError

log = structlog.get_logger(__name__)

ANSWER_S: Final = 10.0
"""So long somebody who asks for a reload waits for its verdict; then it goes on without him."""
RELOAD_S: Final = 180.0
"""No reload takes longer: a spec that cannot be verified by then is refused."""


class ReloadRefusedError(LocalError):
    """What was read is not good: the old one stays."""

    def __init__(self, cause: str, problems: Sequence[str] = ()) -> None:
        super().__init__(cause)
        self.cause, self.problems = cause, tuple(problems)


@attrs.frozen
class ConfigReader:
    """How this process reads its configuration: `load` checks it (in a thread), `verify` runs its specs against their
    world, given what runs now."""

    load: Callable[[], Settings]
    verify: Callable[[Settings, Settings], Awaitable[Sequence[str]]]
    """(what was read, what runs): what does not hold, a line each; empty: all does."""
    configure_logs: Callable[[Settings], None] = lambda _settings: None

    async def read(self, running: Settings) -> Settings:
        """Checked and verified. ReloadRefusedError."""
        try:
            read = await asyncio.to_thread(self.load)
        except SpecError as error:
            problems = [str(each) for each in error.problems]
            raise ReloadRefusedError("the configuration or a spec of it has errors", problems) from None
        if broken := await self.verify(read, running):
            raise ReloadRefusedError("a spec does not hold in its world: turnspec verify shows the run", broken)
        return read


def merged_secrets(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """All of them, the longest first: one may be a part of another."""
    return tuple(sorted({*known, *more}, key=len, reverse=True))


Apply = Callable[[], Awaitable[ReloadVerdict]]
"""Reads and applies. ReloadRefusedError."""


class Reloads:
    """One at a time. `close` at the end of the process."""

    def __init__(self, apply: Apply | None) -> None:
        """None: this process was not started from a file."""
        self._apply = apply
        self._task: asyncio.Task[ReloadVerdict] | None = None
        self.last: ReloadVerdict | None = None
        self.on_running: Callable[[bool], None] = lambda _is_running: None

    def begin(self) -> None:
        """By a signal: the verdict is in the log."""
        if self._apply is None:
            log.warning("reload_refused", cause="this process has no configuration file")
        elif self._task is not None:
            log.warning("reload_refused", cause="a reload is under way")
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(self._apply), name="reload")

    async def ask(self) -> ReloadVerdict:
        """Begins one, or finds one under way."""
        if self._apply is None:
            return ReloadVerdict(why="unavailable", cause="this process has no configuration file")
        if self._task is None:
            self.begin()
        assert self._task is not None
        await asyncio.wait([self._task], timeout=ANSWER_S)
        if self._task is None or self._task.done():
            assert self.last is not None
            return self.last
        return ReloadVerdict(why="under_way", cause="GET /reload has the verdict")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, apply: Apply) -> ReloadVerdict:
        self.on_running(True)
        try:
            async with asyncio.timeout(RELOAD_S):
                self.last = await apply()
            log.info("reloaded", agents=self.last.agents, needs_restart=self.last.needs_restart)
            for warning in self.last.problems:
                log.warning("configuration_warning", problem=warning)
        except ReloadRefusedError as error:
            self.last = ReloadVerdict(why="refused", cause=error.cause, problems=error.problems)
            log.error("reload_refused", cause=error.cause, problems=error.problems)
        except TimeoutError:
            self.last = ReloadVerdict(why="refused", cause=f"it was not verified within {RELOAD_S:g} s")
            log.error("reload_refused", cause=self.last.cause)
        except Exception:
            self.last = ReloadVerdict(why="refused", cause="it failed: the log has a line reload_failed")
            log.exception("reload_failed")
        finally:
            self._task = None
            self.on_running(False)
        return self.last
