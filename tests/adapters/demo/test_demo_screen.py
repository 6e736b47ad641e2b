"""What a person sees: lines of at most 80 columns, the live view of a terminal, the ending."""

from __future__ import annotations

import io
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from adapters.demo.display_events import DisplayEvent, Kind
from adapters.demo.screen import DisplayLines, LiveScreen, PlainScreen, make_screen
from adapters.demo.summary_text import show_beginning, show_ending
from tests.adapters.demo.played_demo import PlayedDemo, planned, play


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> PlayedDemo:
    return play(tmp_path_factory.mktemp("demo"), naive=True)


def lines_of(*events: tuple[Kind, str], width: int = 80) -> list[str]:
    lines = DisplayLines(width)
    shown = [
        line
        for kind, text in events
        for line in lines.of(DisplayEvent(1234, kind, text, floor_caller=text == "user_speaking"))
    ]
    return [line.plain for line in [*shown, *lines.rest()]]


def test_states_are_one_line_between_what_is_said() -> None:
    assert lines_of(
        ("state", "user_speaking"), ("state", "response_pending"), ("asked", "response.create (turn)"),
        ("state", "responding"), ("caller", "Hello?"), ("agent", "Hello."),
    ) == [
        "   1.2      caller   Hello?",
        " " * 21 + "user_speaking › response_pending\n" + " " * 21 + "› [response.create (turn)] › responding",
        "   1.2      agent    Hello.",
    ]  # fmt: skip


def test_what_was_before_a_turn_is_shown_before_it() -> None:
    shown = lines_of(("state", "configured"), ("state", "user_speaking"), ("caller", "Hello?"))
    assert [line.strip() for line in shown] == ["configured", "1.2      caller   Hello?", "user_speaking"]


def test_who_has_the_floor_is_not_read_from_the_name_of_a_state() -> None:
    lines = DisplayLines()
    states = {"configured": False, "user_speaking": False, "caller_talks": True}
    shown = [line for name, floor in states.items() for line in lines.of(DisplayEvent(0, "state", name, None, floor))]
    assert [line.plain.strip() for line in shown] == ["configured › user_speaking"]


def test_long_words_wrap_under_their_column() -> None:
    first, second = lines_of(("agent", "word " * 14))[0].split("\n")
    assert first.startswith("   1.2      agent    word") and second.startswith(" " * 21 + "word")


def test_partial_words_and_voices_are_not_lines() -> None:
    assert lines_of(("caller_partial", "Hel"), ("agent_voice", "on"), ("agent_partial", "Hi")) == []


def test_without_a_terminal_there_are_plain_lines_of_80_columns(both: PlayedDemo) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    screen = make_screen(console, lambda: 0.0)
    assert type(screen) is PlainScreen
    with screen:
        for event in both.events:
            screen.show(event)
    text = out.getvalue()
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 80
    assert "1 caller   Hello, where is my order?" in text and "REJECTED" in text


def test_a_terminal_shows_who_speaks_and_the_state_and_keeps_the_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, highlight=False, color_system=None)
    screen = make_screen(console, lambda: 0.0)
    assert isinstance(screen, LiveScreen)
    with screen:
        for kind, text in (
            ("state", "user_speaking"), ("caller_voice", "on"), ("caller_partial", "Hello, wh"),
        ):  # fmt: skip
            screen.show(DisplayEvent(100, kind, text))  # type: ignore[arg-type]
        with console.capture() as seen:
            console.print(screen._view())
        screen.show(DisplayEvent(200, "caller", "Hello, where?", 1))
    view = seen.get()
    assert "user_speaking" in view and "● caller Hello, wh" in view and "○ agent" in view
    assert "0 turns · 0 creates · 0 rejections" in view
    assert "1 caller   Hello, where?" in out.getvalue()


def test_the_ending_compares_both_and_says_what_is_next(both: PlayedDemo) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    plan = planned()
    show_beginning(console, plan, both.folder, True, "about 40 s")
    show_ending(console, plan, both.folder, both.outcome, ".venv/bin/turnspec")
    text = out.getvalue()
    assert "rejected by the provider" in text and "turnspec is healthy" in text
    assert "recording.wav" in text and "naive/recording.wav" in text
    assert "  .venv/bin/turnspec replay" in text and "  .venv/bin/turnspec demo --spec mine/mine.yaml" in text
    assert "about 40 s. Ctrl-C hangs up." in text


def test_an_unhealthy_call_says_what_was_wrong(both: PlayedDemo) -> None:
    out = io.StringIO()
    outcome = attrs.evolve(both.outcome, naive=None, problems=("not one answer per turn: 5 answers, 6 turns",))
    show_ending(Console(file=out, width=80), planned(), both.folder, outcome)
    assert "NOT HEALTHY: not one answer per turn: 5 answers, 6 turns" in out.getvalue()


def test_a_call_that_was_cut_still_names_its_files(tmp_path: Path) -> None:
    out = io.StringIO()
    (tmp_path / "journal.jsonl").touch()
    show_ending(Console(file=out, width=80), planned(), tmp_path, None)
    assert "journal.jsonl" in out.getvalue() and "summary.json" not in out.getvalue()
