"""What a new session is told of the old one, and the prompts of our own."""

from adapters.audio.formats import LEG_8K
from adapters.call.history import History
from adapters.call.prompt import PromptPlayer, load_prompts
from adapters.providers.realtime.protocol import HistoryMessage, HistoryToolCall


def test_history_keeps_what_was_said_and_answered_in_order_and_bounded() -> None:
    history = History(bound=3)
    history.hear({"type": "response.output_audio_transcript.done", "transcript": "Hello."})
    history.hear(
        {"type": "conversation.item.input_audio_transcription.completed", "transcript": " Where is my order? "}
    )
    history.hear({"type": "conversation.item.input_audio_transcription.completed", "transcript": ""})
    history.hear({"type": "response.output_audio_transcript.delta", "delta": "x"})
    history.called("call_1", "order_status", "{}")
    history.called("call_2", "weather", "{}")
    history.answered("call_1", "shipped")
    history.hear({"type": "response.audio_transcript.done", "transcript": "It is on its way."})
    assert history.items() == (
        HistoryMessage("user", "Where is my order?"),
        HistoryToolCall("call_1", "order_status", "{}", "shipped"),
        HistoryMessage("assistant", "It is on its way."),
    )
    history.answered("call_2", "sunny")  # the new session does not know this call
    assert len(history.items()) == 3


def test_what_the_caller_said_has_its_place_before_its_answer_however_late_it_is_known() -> None:
    history = History()
    told = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1"}
    history.hear({"type": "input_audio_buffer.committed", "item_id": "u1"})
    history.hear({"type": "response.output_audio_transcript.done", "transcript": "It is on its way."})
    history.hear({**told, "transcript": "Where is"})
    history.hear({**told, "transcript": "Where is my order?"})  # some servers tell it cumulatively
    history.hear({"type": "input_audio_buffer.committed", "item_id": "u1"})
    history.hear({"type": "input_audio_buffer.committed", "item_id": ["u2"]})
    history.hear({**told, "item_id": {}, "transcript": "Thanks."})
    told_so_far = (
        HistoryMessage("user", "Where is my order?"),
        HistoryMessage("assistant", "It is on its way."),
        HistoryMessage("user", "Thanks."),
    )
    assert history.items() == told_so_far
    history.hear({"type": "input_audio_buffer.committed", "item_id": "u1"})  # the next session counts anew
    history.hear({**told, "transcript": "Bye."})
    assert history.items() == (*told_so_far, HistoryMessage("user", "Bye."))


def test_turns_without_words_are_bounded_too() -> None:
    history = History(bound=2)
    for number in range(9):
        history.hear({"type": "input_audio_buffer.committed", "item_id": f"u{number}"})
    assert len(history._items) == 2 and history.items() == ()


def test_a_prompt_is_played_in_whole_frames_and_finished_once() -> None:
    told: list[tuple[str, object]] = []
    player = PromptPlayer({"apology": b"\1\2" * 400}, 320, lambda name, data: told.append((name, data)))
    player.play("apology")
    frames = [player.pull() for _ in range(5)]
    assert frames[:2] == [b"\1\2" * 160] * 2
    assert frames[2] == b"\1\2" * 80 + b"\0" * 160
    assert frames[3:] == [None, None]
    assert told == [("prompt.finished", {"name": "apology"})]


def test_a_prompt_that_is_cut_or_unknown_is_finished_too() -> None:
    told: list[object] = []
    player = PromptPlayer({"apology": b"\1\2" * 400}, 320, lambda _name, data: told.append(data["name"]))
    player.play("apology")
    player.pull()
    player.cut()
    player.cut()
    player.play("no such prompt")
    assert player.pull() is None
    assert told == ["apology", "no such prompt"]


def test_the_bundled_apology_is_speech() -> None:
    pcm = load_prompts(8000)["apology"]
    assert 2_000 < LEG_8K.ms(len(pcm)) < 10_000
    assert max(pcm) > 0
