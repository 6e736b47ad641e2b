"""The report as one self-contained page: no script, no network, light and printable.

Markup stands in the templates beside this package, with escaping on; geometry in `picture`, words in fsm.audit.report.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from adapters.audit.page import picture
from fsm.audit.report import phrases
from fsm.audit.report.report import FindingGroup, LogReport, Timeline

_OPEN = 4  # timelines of calls that are shown at once


def page(reports: Sequence[LogReport]) -> str:
    """The whole page."""
    return _template().render(reports=reports)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("adapters.audit.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["px"] = lambda value: f"{value:.1f}"
    environment.globals.update(
        phrases=phrases, legend=picture.legend, colours=_colours, opened=_OPEN, around=_around, whole=_whole,
        titles=_titles,
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
