"""Where the moments of a call are shown: live in a terminal, as plain lines elsewhere, nowhere. Never a decision."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import attrs
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.demo.lines import HEAD, Lines
from adapters.demo.moments import Moment

MAX_WIDTH: Final = 100
REFRESH_HZ: Final = 8


class Screen(Protocol):
    """A context manager around a call."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, moment: Moment) -> None: ...


class Blank:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, problem, trace

    def tell(self, moment: Moment) -> None:
        del moment


class PlainScreen(Blank):
    """A line after the other; colours only where the console has them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = Lines(min(console.width, MAX_WIDTH))

    def __enter__(self) -> Self:
        self._print([Text(HEAD, "dim")])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, problem, trace
        self._print(self._lines.rest())

    def tell(self, moment: Moment) -> None:
        self._print(self._lines.of(moment))

    def _print(self, lines: list[Text]) -> None:
        for line in lines:
            self._console.print(line, soft_wrap=True, highlight=False)


@attrs.define
class _Party:
    speaks: bool = False
    words: str = ""


class LiveScreen(PlainScreen):
    """The same lines, and below them who speaks now, the words as they come, the state, the counts."""

    def __init__(self, console: Console, clock_s: Callable[[], float]) -> None:
        super().__init__(console)
        self._clock_s = clock_s
        self._began_s = clock_s()
        self._caller, self._agent = _Party(), _Party()
        self._state = ""
        self._counts = {"turns": 0, "creates": 0, "rejections": 0}
        self._live = Live(
            get_renderable=self._view, console=console, refresh_per_second=REFRESH_HZ, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        super().__enter__()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        super().__exit__(kind, problem, trace)

    def tell(self, moment: Moment) -> None:
        self._note(moment)
        super().tell(moment)

    def _note(self, moment: Moment) -> None:
        kind, text = moment.kind, moment.text
        if kind == "state":
            self._state = text
        elif kind in ("caller_voice", "agent_voice"):
            party = self._caller if kind == "caller_voice" else self._agent
            party.speaks = text == "on"
            if kind == "caller_voice" or not party.speaks:
                party.words = ""
        elif kind in ("caller_partial", "caller"):
            self._caller.words = text
        elif kind in ("agent_partial", "agent"):
            self._agent.words = text
        elif kind == "cut":
            self._agent = _Party()
        self._counts["turns"] = max(self._counts["turns"], moment.turn or 0)
        self._counts["creates"] += kind == "asked"
        self._counts["rejections"] += kind == "rejected"

    def _view(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=8)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, party, style in (("caller", self._caller, "green"), ("agent", self._agent, "cyan")):
            mark = Text(f"● {name}", f"bold {style}") if party.speaks else Text(f"○ {name}", "dim")
            table.add_row(mark, Text(party.words, style if party.speaks else "dim"))
        counts = " · ".join(f"{count} {name}" for name, count in self._counts.items())
        seconds = self._clock_s() - self._began_s
        return Panel(
            table, title=f"[bold]{self._state or '...'}[/]", subtitle=f"{seconds:.0f} s · {counts}",
            title_align="left", subtitle_align="right", border_style="blue",
            width=min(self._console.width, MAX_WIDTH),
        )  # fmt: skip


def make_screen(console: Console, clock_s: Callable[[], float]) -> Screen:
    """Live where somebody watches a terminal, else plain."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, clock_s)
    return PlainScreen(console)
