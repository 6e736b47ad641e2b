"""What a new session is told of the old one."""

from adapters.call.history import History
from adapters.providers.provider import HistoryMessage, HistoryToolCall


def test_history_keeps_what_was_said_and_answered_in_order_and_bounded() -> None:
    history = History(bound=3)
    history.agent_said("Hello.")
    history.caller_said("", "Where is my order?")
    history.called("call_1", "order_status", "{}")
    history.called("call_2", "weather", "{}")
    history.answered("call_1", "shipped")
    history.agent_said("It is on its way.")
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
    history.agent_said("It is on its way.")
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
