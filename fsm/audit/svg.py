"""A timeline as inline SVG: caller, agent, provider, their client, our machine's state and effects. Pure text.

Never here: what is found; a picture of nothing but the lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import attrs

from fsm.audit.record import clock
from fsm.audit.report import Bar, Lanes, Mark

WIDTH = 1120
_LEFT = 104
_RIGHT = 12
_BAR = 20
_CHAR = 6.1
_COLOURS = {
    "speech": "#4f8ef7", "heard": "#35a86b", "own": "#8b7fd6", "asked for": "#c08a2c",
    "configured": "#d9dfe8", "user_speaking": "#a9c8fb", "response_pending": "#f6d596", "responding": "#c3bbef",
    "playing_out": "#a5dcc0", "tool_call": "#e6b9da", "connecting": "#eef1f5", "awaiting_session_created": "#eef1f5",
    "configuring": "#eef1f5", "reconnecting": "#fbd5d0", "closing": "#e2e2e2", "closed": "#d0d0d0",
}  # fmt: skip
_MARKS = {
    "create": "#c08a2c", "rejected": "#d1342f", "cancel": "#7a5195", "truncate": "#2f7ed8", "update": "#5b6776",
    "item": "#a0559b", "commit": "#2a9d8f", "clear": "#2f7ed8",
}  # fmt: skip
_EFFECTS = {
    "create_response": "#c08a2c", "cancel_response": "#7a5195", "flush_playout": "#2f7ed8", "truncate_item": "#2f7ed8",
    "update_session": "#5b6776", "run_tool": "#a0559b", "send_tool_output": "#a0559b", "hang_up": "#222",
    "play_prompt": "#35a86b",
}  # fmt: skip


@attrs.frozen
class Window:
    """The part of the call that is shown."""

    start: float
    end: float

    def x(self, at: float) -> float:
        share = (at - self.start) / max(self.end - self.start, 1e-9)
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    def shows(self, start: float, end: float) -> bool:
        return end >= self.start and start <= self.end


def around(lanes: Lanes, at: float) -> Window:
    """The seconds (or events) around a finding."""
    reach = 25.0 if lanes.by_order else 4500.0
    start = max(at - reach, lanes.start_at)
    return Window(start, min(at + reach, max(lanes.end_at, at) + reach / 3))  # room for the words at the end


def whole(lanes: Lanes) -> Window:
    ends = [bar.end_ms for bar in (*lanes.heard[-1:], *lanes.states[-1:])]
    return Window(lanes.start_at, max(lanes.end_at, *ends, lanes.start_at + 1.0))


def timeline(lanes: Lanes, window: Window, here: float | None = None) -> str:
    """The picture. `here` is the moment of a finding."""
    zoomed = here is not None
    parts: list[str] = []
    y = 34.0
    rows = (
        ("caller", lanes.speech, True), ("agent, heard", lanes.heard, False), ("provider", lanes.generated, zoomed),
    )  # fmt: skip
    for name, bars, labelled in rows:
        parts += [_label(name, y), *_bars(bars, window, y, labelled)]
        y += 30
    marks, height = _marks(lanes.asked, window, y, _MARKS, zoomed)
    parts += [_label("their client", y), *marks]
    y += height
    parts += [_label("turnspec: state", y), *_bars(lanes.states, window, y, True, state=True)]
    y += 30
    marks, height = _marks(lanes.effects, window, y, _EFFECTS, zoomed)
    parts += [_label("its effects", y), *marks]
    y += height
    parts += _found(lanes, window, here, y)
    return (
        f'<svg viewBox="0 0 {WIDTH} {y + 6:.0f}" role="img" aria-label="timeline of the call">'
        + "".join([*_ruler(lanes, window, y), *parts])
        + "</svg>"
    )


def _label(name: str, y: float) -> str:
    return f'<text x="{_LEFT - 10}" y="{y + 14:.0f}" class="lane">{escape(name)}</text>'


def _ruler(lanes: Lanes, window: Window, bottom: float) -> Iterator[str]:
    span = window.end - window.start
    steps = (100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
    if lanes.by_order:
        steps = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
    step = next((s for s in steps if span / s <= 12), max(span / 10, 1.0))
    at = (int(window.start / step) + (window.start % step > 0)) * step
    while at <= window.end and window.x(at) < WIDTH - 28:
        x = window.x(at)
        text = f"event {at:.0f}" if lanes.by_order else clock(at)[:-4] if step >= 1000 else clock(at)
        yield f'<line x1="{x:.1f}" y1="24" x2="{x:.1f}" y2="{bottom:.0f}" class="grid"/>'
        yield f'<text x="{x:.1f}" y="16" class="tick">{text}</text>'
        at += step


def _bars(bars: Sequence[Bar], window: Window, y: float, labelled: bool, state: bool = False) -> Iterator[str]:
    for bar in bars:
        if not window.shows(bar.start_ms, bar.end_ms):
            continue
        x, end = window.x(bar.start_ms), window.x(bar.end_ms)
        width = max(end - x, 1.0 if state else 2.0)
        colour = _COLOURS.get(bar.kind, "#e9ecef")
        line = ' stroke="#fff" stroke-width=".6"' if state else ""
        yield (
            f'<rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{_BAR}" rx="{0 if state else 4}" '
            f'fill="{colour}"{line}><title>{escape(bar.text)}</title></rect>'
        )
        text = bar.text.partition(":")[0]
        if labelled and width > len(text) * _CHAR + 6:
            tone = "dark" if state else "light"
            yield f'<text x="{x + width / 2:.1f}" y="{y + 14:.0f}" class="bar {tone}">{escape(text)}</text>'


def _marks(
    marks: Sequence[Mark], window: Window, y: float, colours: dict[str, str], labelled: bool
) -> tuple[list[str], float]:
    """Ticks with their words below each other where they would collide; without words they take one row."""
    shown = [m for m in marks if window.shows(m.at_ms, m.at_ms) and (m.kind in colours)]
    free = [0.0, 0.0, 0.0, 0.0] if labelled else [0.0]
    parts: list[str] = []
    used = 0
    for mark in shown:
        x = window.x(mark.at_ms)
        colour = colours[mark.kind]
        parts.append(_tick(mark, x, y, colour))
        words = (mark.kind if mark.kind in _MARKS else mark.text)[:44]
        end = x + 7 + len(words) * _CHAR
        row = next((i for i, until in enumerate(free) if until <= x), None) if labelled else None
        if row is not None and end < WIDTH + 4:
            free[row] = end + 6
            used = max(used, row)
            parts.append(
                f'<text x="{x + 6:.1f}" y="{y + 13 + row * 15:.0f}" class="mark" fill="{colour}">{escape(words)}</text>'
            )
    return parts, 32.0 + used * 15


def _tick(mark: Mark, x: float, y: float, colour: str) -> str:
    title = f"<title>{escape(mark.text)}</title>"
    if mark.kind == "rejected":
        path = f"M{x - 4:.1f} {y + 4:.0f}l8 8m0 -8l-8 8"
        return f'<path d="{path}" stroke="{colour}" stroke-width="2.4" fill="none">{title}</path>'
    return f'<rect x="{x - 1.5:.1f}" y="{y:.0f}" width="3" height="18" fill="{colour}">{title}</rect>'


def _found(lanes: Lanes, window: Window, here: float | None, bottom: float) -> Iterator[str]:
    drawn: set[int] = set()
    for mark in lanes.found if here is None else ():
        x = window.x(mark.at_ms)
        if round(x) not in drawn:
            drawn.add(round(x))
            yield f'<path d="M{x - 4:.1f} 22h8l-4 7z" fill="#d1342f"><title>{escape(mark.text)}</title></path>'
    if here is not None:
        x = window.x(here)
        yield f'<line x1="{x:.1f}" y1="22" x2="{x:.1f}" y2="{bottom:.0f}" class="here"/>'
        yield f'<path d="M{x - 5:.1f} 20h10l-5 9z" fill="#d1342f"/>'
