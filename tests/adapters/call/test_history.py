"""What a new session is told of the old one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.call.heard_text import CUT, heard_text
from adapters.call.history import History
from adapters.providers.provider import AgentPiece, HistoryMessage, HistoryToolCall


def speak(history: History, text: str, item_id: str = "a1", ms: float = 1000, *, is_whole: bool = True) -> None:
    """All of a piece comes."""
    piece = AgentPiece(item_id, 0)
    history.agent_sounded(f"r_{item_id}", piece, ms)
    history.agent_said(piece, text, is_all=True)
    if is_whole:
        history.item_completed(item_id)


def report(heard_ms: int, received_ms: int, item_id: str = "a1") -> dict[str, object]:
    ids = {"item_id": item_id, "response_id": f"r_{item_id}", "content_index": 0}
    return {**ids, "heard_ms": heard_ms, "received_ms": received_ms}


def told(history: History, *playing: dict[str, object]) -> list[str]:
    return [item.text for item in history.items(playing) if isinstance(item, HistoryMessage)]


def test_history_keeps_what_was_said_and_answered_in_order_and_bounded() -> None:
    history = History(bound=3)
    speak(history, "Hello.", "a1")
    history.caller_said("", "Where is my order?")
    history.called("call_1", "order_status", "{}")
    history.called("call_2", "weather", "{}")
    history.answered("call_1", "shipped")
    speak(history, "It is on its way.", "a2")
    assert history.items() == (
        HistoryMessage("user", "Where is my order?"),
        HistoryToolCall("call_1", "order_status", "{}", "shipped"),
        HistoryMessage("assistant", "It is on its way."),
    )
    history.answered("call_2", "sunny")  # the new session does not know this call
    assert len(history.items()) == 3


def test_what_the_caller_said_has_its_place_before_its_answer_however_late_it_is_known() -> None:
    history = History()
    history.turn("u1")
    speak(history, "It is on its way.")
    history.caller_said("u1", "Where is")
    history.caller_said("u1", "Where is my order?")  # some servers report it cumulatively
    history.turn("u1")
    history.turn("")
    history.caller_said("", "Thanks.")
    said_so_far = (
        HistoryMessage("user", "Where is my order?"),
        HistoryMessage("assistant", "It is on its way."),
        HistoryMessage("user", "Thanks."),
    )
    assert history.items() == said_so_far
    history.turn("u1")  # the next session counts anew
    history.caller_said("u1", "Bye.")
    assert history.items() == (*said_so_far, HistoryMessage("user", "Bye."))


def test_turns_without_words_are_bounded_too() -> None:
    history = History(bound=2)
    for number in range(9):
        history.turn(f"u{number}")
    assert len(history._items) == 2 and history.items() == ()


# --- what was heard ---------------------------------------------------------------------------------------------------

STORY = "Let me explain how returns work to you now."  # 9 words


def test_an_answer_that_was_cut_is_told_as_far_as_it_was_heard_and_marked() -> None:
    history = History()
    speak(history, STORY, ms=3000)
    history.agent_cut([report(1400, 3000)])
    assert told(history) == ["Let me explain how…"]


def test_the_words_may_come_after_the_cut() -> None:
    history = History()
    history.agent_sounded("r_a1", AgentPiece("a1", 0), 2000)
    history.agent_cut([report(1400, 2000)])
    history.agent_sounded("r_a1", AgentPiece("a1", 0), 1000)  # late audio, which nobody hears
    history.agent_said(AgentPiece("a1", 0), STORY, is_all=True)
    history.item_completed("a1")
    assert told(history) == ["Let me explain how…"]


def test_the_words_that_came_are_all_there_is_of_an_answer_without_an_end() -> None:
    """Words run ahead of the sound: of what is not whole they are no measure."""
    history = History()
    for delta in ["Let me", " explain how", " returns work to", " you now."]:
        history.agent_said(AgentPiece("a1", 0), delta, is_all=False)
    history.agent_sounded("r_a1", AgentPiece("a1", 0), 1000)
    history.agent_cut([report(1000, 1000)])
    assert told(history) == ["Let me…"]


@pytest.mark.parametrize("has_words", [True, False])
def test_what_was_never_heard_was_not_said(has_words: bool) -> None:
    history = History()
    history.agent_said(AgentPiece("text", 0), "In words only.", is_all=True)
    speak(history, "Silence.", "quiet")
    history.agent_silent("r_quiet")
    if has_words:
        speak(history, "Late.", "late")
    history.agent_cut([report(0, 0, "late")])
    if not has_words:
        speak(history, "Late.", "late")
    assert history.items() == ()


def test_what_still_plays_is_told_so_far_and_in_full_when_it_has_been_heard() -> None:
    history = History()
    speak(history, STORY, ms=3000)
    assert told(history, report(1400, 3000)) == ["Let me explain how…"]
    assert told(history) == [STORY]
    history.agent_cut([report(100, 3000)])  # another item with an old name
    assert told(history) == [STORY]


def test_what_still_played_and_was_cut_later_is_told_as_far_as_it_was_heard() -> None:
    history = History()
    speak(history, STORY, ms=3000)
    history.items([report(500, 3000)])
    history.agent_cut([report(1400, 3000)])
    assert told(history) == told(history) == ["Let me explain how…"]


def test_words_without_an_id_are_those_of_what_sounds() -> None:
    history = History()
    history.agent_said(AgentPiece("", 0), "Before a sound.", is_all=True)
    history.agent_sounded("r1", AgentPiece("a1", 0), 1000)
    history.agent_said(AgentPiece("", 0), "Yes.", is_all=True)
    history.response_completed("r1")
    assert told(history) == ["Yes."]


def test_words_are_bounded_however_many_come() -> None:
    history = History()
    for _ in range(3000):
        history.agent_said(AgentPiece("a1", 0), "word after word ", is_all=False)
    history.agent_sounded("r1", AgentPiece("a1", 0), 1000)
    assert len(told(history)[0]) <= 20_000


# --- words by time ----------------------------------------------------------------------------------------------------


@given(st.lists(st.text("abcé1.", min_size=1, max_size=9), min_size=1, max_size=30), st.floats(0, 1))
def test_a_cut_text_is_a_beginning_of_whole_words_and_never_longer_than_its_share(
    words: list[str], share: float
) -> None:
    text = " ".join(words)
    heard = heard_text(text, 1000 * share, 1000, is_whole=True)
    if share >= 1:
        assert heard == text
        return
    kept = heard.removesuffix(CUT)
    assert text.startswith(kept) and (not heard or heard.endswith(CUT))
    assert len(kept.split()) <= share * len(words) + 1
    assert text[len(kept) : len(kept) + 1] in ("", " ") or not kept


def test_digits_and_ideographs_take_longer_than_letters() -> None:
    assert heard_text("Order 48213579 comes on Monday then", 1200, 3000, is_whole=True) == "Order" + CUT
    assert heard_text("漢字漢字漢字漢字漢字", 1000, 2000, is_whole=True) == "漢字漢字漢" + CUT
