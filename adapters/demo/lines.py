"""Moments as lines of a terminal: columns, colours, and the path of states between what was said. Never prints."""

from __future__ import annotations

import textwrap
from typing import Final

import attrs
from rich.text import Text

from adapters.demo.moments import Kind, Moment

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
class Lines:
    """Keeps the path of states until something is said, so that it is one line and not five."""

    width: int = 80
    _path: list[str] = attrs.field(factory=list)

    def of(self, moment: Moment) -> list[Text]:
        """The lines that a moment lets out, none for most."""
        if moment.kind == "state":
            told = self.rest() if moment.text == "user_speaking" else []
            self._path.append(moment.text)
            return told
        if moment.kind == "asked":
            self._path.append(f"[{moment.text}]")
            return []
        if moment.kind not in WHO:
            return []
        # The caller's words are known a little after the states they led to; the states are shown below them.
        told = [] if moment.kind in ("caller", "cut") else self.rest()
        return [*told, self._line(moment)]

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

    def _line(self, moment: Moment) -> Text:
        who, style = WHO[moment.kind]
        turn = "" if moment.turn is None else str(moment.turn)
        body = textwrap.fill(
            moment.text, self.width - 1, initial_indent=" " * MARGIN, subsequent_indent=" " * MARGIN
        ).lstrip()
        line = Text(f"{moment.at_ms / 1000:6.1f} ")
        line.append(f"{turn:>4} ", "bold")
        line.append(f"{who:<8}", style)
        line.append(" " + body, "" if moment.kind in ("caller", "agent", "key") else style.replace("bold ", ""))
        return line
