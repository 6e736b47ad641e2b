"""Prompts of our own: in whole frames, finished once, also where they are cut or not there."""

from adapters.audio.formats import AudioFormat
from adapters.audio.prompt import PromptPlayer, load_prompts


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
    assert 2_000 < AudioFormat("pcm16", 8000).ms(len(pcm)) < 10_000
    assert max(pcm) > 0
