"""A timeline as geometry: where the bars, marks and words of a picture stand. The template makes SVG of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle

import attrs

from fsm.audit.record import clock, seconds
from fsm.audit.report.report import Bar, Lanes, Mark

WIDTH = 1120
_LEFT = 104
_RIGHT = 12
_ROW = 30.0
_TOP = 34.0
_CHAR = 6.1
_NOTICED_MS = 1000.0  # of silence
_COLOURS = {"silence": "#aab4c0", "speech": "#4f8ef7", "heard": "#35a86b", "own": "#8b7fd6", "asked for": "#c08a2c"}
_STATES = (
    "#eef1f5", "#d9dfe8", "#f6d596", "#c3bbef", "#a5dcc0", "#a9c8fb", "#e6b9da", "#fbd5d0", "#cfe3ea", "#e9dcc4",
    "#d8e8c8", "#e2e2e2",
)  # fmt: skip
_MARKS = {
    "create": "#c08a2c", "rejected": "#d1342f", "cancel": "#7a5195", "truncate": "#2f7ed8", "update": "#5b6776",
    "item": "#a0559b", "commit": "#2a9d8f", "clear": "#2f7ed8",
}  # fmt: skip
_EFFECTS = {
    "create_response": "#c08a2c", "cancel_response": "#7a5195", "flush_playout": "#2f7ed8", "truncate_item": "#2f7ed8",
    "update_session": "#5b6776", "run_tool": "#a0559b", "send_tool_output": "#a0559b", "hang_up": "#222",
    "play_prompt": "#35a86b",
}  # fmt: skip
_LEGEND = (
    ("#4f8ef7", "caller speaks"), ("#35a86b", "agent is heard"), ("#8b7fd6", "response of the provider's own"),
    ("#c08a2c", "response asked for, create"), ("#2f7ed8", "what plays is cut"), ("#a0559b", "tool"),
    ("#d1342f", "rejected, finding"), ("#aab4c0", "silence, to scale"),
)  # fmt: skip
Colours = Mapping[str, str]


def state_colours(timelines: Iterable[Lanes]) -> Colours:
    """A colour for each state of a report, in the order in which they are first seen."""
    names = dict.fromkeys(bar.kind for lanes in timelines for bar in lanes.states)
    return dict(zip(names, cycle(_STATES)))  # the colours begin again


def legend(states: Colours) -> list[tuple[str, str]]:
    """What the colours of a report say."""
    return [*_LEGEND, *((colour, f"turnspec: {name}") for name, colour in states.items())]


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


@attrs.frozen
class Tick:
    """A line of the ruler."""

    x: float
    text: str


@attrs.frozen
class DrawnBar:
    """A stretch on a lane; `label` is "" where there is no room for it."""

    x: float
    width: float
    colour: str
    text: str
    label: str


@attrs.frozen
class DrawnMark:
    """A moment on a lane; `row` is where its words stand, None where there is no room for them."""

    x: float
    colour: str
    text: str
    words: str
    row: int | None
    is_cross: bool


@attrs.frozen
class DrawnLane:
    """A lane of the picture: its name, and what is on it."""

    name: str
    y: float
    bars: Sequence[DrawnBar] = ()
    marks: Sequence[DrawnMark] = ()
    is_state: bool = False


@attrs.frozen
class TimelinePicture:
    """A timeline, ready to be written down. `here` is where a finding is, `found` where findings are."""

    width: int
    left: float
    bottom: float
    ticks: Sequence[Tick]
    lanes: Sequence[DrawnLane]
    found: Sequence[tuple[float, str]]
    here: float | None
    window: Window
    by_order: bool

    @property
    def share(self) -> tuple[float, float]:
        """Where its window begins and ends, as shares of its width."""
        return _LEFT / WIDTH, (WIDTH - _RIGHT) / WIDTH


def draw(lanes: Lanes, window: Window, states: Colours, here: float | None = None) -> TimelinePicture:
    """The picture of a part of a call. `here` is the moment of a finding."""
    zoomed, y = here is not None, _TOP
    drawn: list[DrawnLane] = []
    rows = (
        ("caller", lanes.speech, True),
        ("agent, heard", lanes.heard, False),
        ("silence", () if lanes.by_order else list(_silence(lanes)), True),
        ("provider", lanes.generated, zoomed),
    )
    for name, bars, labelled in rows:
        drawn.append(DrawnLane(name, y, bars=list(_bars(bars, window, _COLOURS, labelled))))
        y += _ROW
    marks, height = _marks(lanes.asked, window, _MARKS, zoomed)
    drawn.append(DrawnLane("their client", y, marks=marks))
    y += height
    of_states = list(_bars(lanes.states, window, states, True, narrowest=1.0))
    drawn.append(DrawnLane("turnspec: state", y, bars=of_states, is_state=True))
    y += _ROW
    marks, height = _marks(lanes.effects, window, _EFFECTS, zoomed)
    drawn.append(DrawnLane("its effects", y, marks=marks))
    found = [] if zoomed else list(_found(lanes, window))
    at = None if here is None else window.x(here)
    ruler = list(_ruler(lanes, window))
    return TimelinePicture(WIDTH, _LEFT - 10, y + height, ruler, drawn, found, at, window, lanes.by_order)


def _silence(lanes: Lanes) -> Iterator[Bar]:
    """From the end of what anybody said to the next word, where it is long enough to be noticed."""
    until: float | None = None
    for bar in sorted((*lanes.speech, *lanes.heard), key=lambda bar: bar.start_ms):
        if until is not None and bar.start_ms - until > _NOTICED_MS:
            yield Bar(until, bar.start_ms, "silence", seconds(bar.start_ms - until))
        until = max(until or 0.0, bar.end_ms)
    if until is not None and lanes.end_at - until > _NOTICED_MS:
        yield Bar(until, lanes.end_at, "silence", seconds(lanes.end_at - until))


def _ruler(lanes: Lanes, window: Window) -> Iterator[Tick]:
    span = window.end - window.start
    steps = (100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
    if lanes.by_order:
        steps = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
    step = next((s for s in steps if span / s <= 12), max(span / 10, 1.0))
    at = (int(window.start / step) + (window.start % step > 0)) * step
    while at <= window.end and window.x(at) < WIDTH - 28:
        text = f"event {at:.0f}" if lanes.by_order else clock(at)[:-4] if step >= 1000 else clock(at)
        yield Tick(window.x(at), text)
        at += step


def _bars(
    bars: Sequence[Bar], window: Window, colours: Colours, labelled: bool, narrowest: float = 2.0
) -> Iterator[DrawnBar]:
    for bar in bars:
        if not window.shows(bar.start_ms, bar.end_ms):
            continue
        x = window.x(bar.start_ms)
        width = max(window.x(bar.end_ms) - x, narrowest)
        label = bar.text.partition(":")[0]
        has_room = labelled and width > len(label) * _CHAR + 6
        yield DrawnBar(x, width, colours.get(bar.kind, "#e9ecef"), bar.text, label if has_room else "")


def _marks(marks: Sequence[Mark], window: Window, colours: Colours, labelled: bool) -> tuple[list[DrawnMark], float]:
    """Ticks with their words below each other where they would collide; without words they take one row."""
    shown = [m for m in marks if window.shows(m.at_ms, m.at_ms) and m.kind in colours]
    free = [0.0, 0.0, 0.0, 0.0] if labelled else [0.0]
    drawn: list[DrawnMark] = []
    used = 0
    for mark in shown:
        x = window.x(mark.at_ms)
        words = (mark.kind if mark.kind in _MARKS else mark.text)[:44]
        end = x + 7 + len(words) * _CHAR
        row = next((i for i, until in enumerate(free) if until <= x), None) if labelled else None
        row = row if end < WIDTH + 4 else None
        if row is not None:
            free[row] = end + 6
            used = max(used, row)
        drawn.append(DrawnMark(x, colours[mark.kind], mark.text, words, row, mark.kind == "rejected"))
    return drawn, 32.0 + used * 15


def _found(lanes: Lanes, window: Window) -> Iterator[tuple[float, str]]:
    drawn: set[int] = set()
    for mark in lanes.found:
        x = window.x(mark.at_ms)
        if round(x) not in drawn:
            drawn.add(round(x))
            yield x, mark.text
