"""The page of an audit: self-contained, escaped by construction, with what the other forms of a report have."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest

from adapters.audit import page as package
from adapters.audit.page import page, picture
from fsm.audit.timelines import DRAWN
from tests.fsm.audit import failures
from tests.fsm.audit.bench import audited, untimed
from tests.fsm.audit.failures import FAILURES
from tests.fsm.audit.logbook import LogBook
from tests.fsm.audit.test_timelines import CALLS, Make, at_once, in_turn

_VOID = frozenset({"meta", "br"})


class Tags(HTMLParser):
    """Reads a page as a browser does: which elements are open, what is between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.kinds: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.kinds.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", FAILURES)
def test_the_page_tells_what_the_other_forms_tell(name: str) -> None:
    report = audited(FAILURES[name][0]())
    read = Tags(page([report]))
    assert read.open == []
    for group in report.findings:
        assert group.rule.id in read.text
        assert group.forbids[0].where in read.text
        assert group.first.text in read.text
        assert f"log.jsonl:{group.first.evidence[0].line}" in read.text


def test_the_page_needs_no_network_and_runs_no_script() -> None:
    text = page([audited(failures.storm())])
    for banned in ("<script", "http:", "https:", "src=", "@import", "url("):
        assert banned not in text
    assert text.count("<svg") == text.count("</svg>") >= 4


def test_what_a_log_says_is_not_markup() -> None:
    evil = "</title></text><script>alert(1)</script><b onclick='x'>"
    book = LogBook().greeted()
    about = book.create()
    book.error(evil, evil, about, evil)
    book.server(f"session.{evil}", city="x")
    report = audited(book.rows)
    report = attrs.evolve(report, file=evil, timelines=[attrs.evolve(t, name=evil) for t in report.timelines] * 2)
    read = Tags(page([report, report]))
    assert "script" not in read.kinds and evil in read.text


def test_no_template_turns_the_escaping_off() -> None:
    templates = list((Path(package.__file__).parent / "templates").iterdir())
    assert len(templates) == 6
    for template in templates:
        text = template.read_text(encoding="utf-8")
        assert "safe" not in text and "autoescape" not in text, template.name


def test_calls_at_once_are_named_in_the_page() -> None:
    report = at_once()
    text = page([report])
    assert [f"Call call-{n}<" in text for n in range(4)] == [True] * 4
    assert "more call" not in text
    assert text.count('aria-label="timeline of the call"') == len(CALLS) + len(report.findings)
    assert 'class="call"' not in page([audited(failures.storm())])


def test_of_very_many_calls_the_first_are_open() -> None:
    calls: list[Make] = [failures.healthy] * (DRAWN + 3) + [failures.two_tools_ask] * 2
    text = page([audited(in_turn(calls))])
    assert f"<details><summary>{DRAWN - 4} more calls</summary>" in text
    assert "5 more calls not drawn." in text
    assert text.index("The first call<") < text.index("<details>")


def test_what_is_too_much_to_draw_is_counted() -> None:
    report = audited(failures.healthy())
    report.timelines[0].lanes.dropped = 3
    assert "3 more things not drawn." in page([report])


def test_each_state_of_a_report_has_its_colour_whatever_it_is_called() -> None:
    lanes = [timeline.lanes for timeline in audited(failures.healthy()).timelines]
    before = picture.state_colours(lanes)
    for bar in lanes[0].states:
        bar.kind = f"x{bar.kind}"
    assert list(picture.state_colours(lanes).items()) == [(f"x{name}", colour) for name, colour in before.items()]
    assert len(set(before.values())) == len(before) > 5


def test_without_times_events_are_counted_on_the_ruler() -> None:
    assert ">event 20<" in page([audited(untimed(failures.healthy()))])
