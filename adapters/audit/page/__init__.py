"""The report as one self-contained page: no network, light and printable; no script but the player of a recording.

Markup stands in the templates beside this package, with escaping on; geometry in `picture`, words in fsm.audit.report.
A policy in the page lets nothing run but the one script whose digest it names, whatever a log may say.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from adapters.audit.page import picture, turns
from adapters.audit.prices import Prices, bundled, said
from fsm.audit.report import phrases
from fsm.audit.report.report import FindingGroup, LogReport, Timeline

_OPEN = 4  # timelines of calls that are shown at once


def page(reports: Sequence[LogReport], recording: bytes | None = None, prices: Prices | None = None) -> str:
    """The whole page. `recording`: a WAV of the first log's call, heard from where one clicks."""
    sound = f"data:audio/wav;base64,{base64.b64encode(recording).decode()}" if recording is not None else ""
    table = prices or bundled()
    return _template().render(
        reports=reports, recording=sound, policy=_policy(bool(sound)),
        cost=lambda report: said(report.timelines, table),
    )  # fmt: skip


@cache
def _player() -> str:
    """Our own script; it has no word of a log in it."""
    return (files(__name__) / "templates" / "player.js").read_text(encoding="utf-8")


def _policy(plays: bool) -> str:
    rest = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    if not plays:
        return rest
    digest = base64.b64encode(hashlib.sha256(_player().encode()).digest()).decode()
    return f"{rest}; media-src data:; script-src 'sha256-{digest}'"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["px"] = lambda value: f"{value:.1f}"
    environment.globals.update(
        phrases=phrases, legend=picture.legend, colours=_colours, opened=_OPEN, around=_around, whole=_whole,
        titles=_titles, turns=turns,
    )  # fmt: skip
    return environment.get_template("page.html.j2")


def _colours(report: LogReport) -> picture.Colours:
    return picture.state_colours(timeline.lanes for timeline in report.timelines)


def _whole(timeline: Timeline, states: picture.Colours) -> picture.TimelinePicture:
    return picture.draw(timeline.lanes, picture.whole(timeline.lanes), states)


def _around(group: FindingGroup, states: picture.Colours) -> picture.TimelinePicture | None:
    """The seconds around the first time something was found."""
    here = group.lanes.first_found.get(group.name) if group.lanes is not None else None
    if group.lanes is None or here is None:
        return None
    return picture.draw(group.lanes, picture.around(group.lanes, here), states, here)


def _titles(report: LogReport) -> str:
    return ", ".join(dict.fromkeys(group.rule.title for group in report.findings)) or "clean"
