"""Where a call is shown: live in a terminal, as plain lines elsewhere, nowhere.

The lines have columns and colours, and the path of states between what was said is one line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

import attrs
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapters.demo.display_events import DisplayEvent, Kind

WHO: Final[dict[Kind, tuple[str, str]]] = {  # the name in the margin, its style
    "caller": ("caller", "bold green"),
    "agent": ("agent", "bold cyan"),
    "key": ("keypad", "bold yellow"),
    "tool": ("tool", "magenta"),
    "cut": ("barge-in", "bold red"),
    "rejected": ("REJECTED", "bold white on red"),
    "note": ("note", "yellow"),
}
HEAD: Final = f"{'s':>6} turn {'who':<9}what"
MARGIN: Final = 21
NBSP: Final = "\N{NO-BREAK SPACE}"


@attrs.define
class DisplayLines:
    """Keeps the path of states until something is said, so that it is one line and not five."""

    width: int = 80
    _path: list[str] = attrs.field(factory=list)

    def of(self, event: DisplayEvent) -> list[Text]:
        """The lines that an event lets out, none for most."""
        if event.kind == "state":
            lines = self.rest() if event.floor_caller else []
            self._path.append(event.text)
            return lines
        if event.kind == "asked":
            self._path.append(f"[{event.text}]")
            return []
        if event.kind not in WHO:
            return []
        # The caller's words are known a little after the states they led to; the states are shown below them.
        lines = [] if event.kind in ("caller", "cut") else self.rest()
        return [*lines, self._line(event)]

    def rest(self) -> list[Text]:
        """The path so far."""
        if not self._path:
            return []
        # An arrow begins a line rather than ends one, and what belongs together stays so.
        path = " ".join(f"›{NBSP}{step.replace(' ', NBSP)}" for step in self._path).removeprefix(f"›{NBSP}")
        self._path = []
        margin = " " * MARGIN
        wrapped = textwrap.fill(
            path, self.width - 1, initial_indent=margin, subsequent_indent=margin,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        return [Text(wrapped.replace(NBSP, " "), "dim")]

    def _line(self, event: DisplayEvent) -> Text:
        who, style = WHO[event.kind]
        turn = "" if event.turn is None else str(event.turn)
        body = textwrap.fill(
            event.text, self.width - 1, initial_indent=" " * MARGIN, subsequent_indent=" " * MARGIN
        ).lstrip()
        line = Text(f"{event.at_ms / 1000:6.1f} ")
        line.append(f"{turn:>4} ", "bold")
        line.append(f"{who:<8}", style)
        line.append(" " + body, "" if event.kind in ("caller", "agent", "key") else style.replace("bold ", ""))
        return line


MAX_WIDTH: Final = 100
REFRESH_HZ: Final = 8


class Screen(Protocol):
    """A context manager around a call."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: DisplayEvent) -> None: ...


class Blank:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, problem, trace

    def show(self, event: DisplayEvent) -> None:
        del event


class PlainScreen(Blank):
    """A line after the other; colours only where the console has them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines = DisplayLines(min(console.width, MAX_WIDTH))

    def __enter__(self) -> Self:
        self._print([Text(HEAD, "dim")])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, problem, trace
        self._print(self._lines.rest())

    def show(self, event: DisplayEvent) -> None:
        self._print(self._lines.of(event))

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

    def show(self, event: DisplayEvent) -> None:
        self._note(event)
        super().show(event)

    def _note(self, event: DisplayEvent) -> None:
        kind, text = event.kind, event.text
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
        self._counts["turns"] = max(self._counts["turns"], event.turn or 0)
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
