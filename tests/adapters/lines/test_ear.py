"""Who hears a caller: what came too early, what is too much, and the end."""

from __future__ import annotations

from adapters.lines.ear import CallerEar
from tests.adapters.lines.listeners import Remembering


class Failing(Remembering):
    def on_audio(self, pcm: bytes, rate_hz: int) -> None:
        super().on_audio(pcm, rate_hz)
        raise RuntimeError("audio")

    def on_key(self, digit: str) -> None:
        super().on_key(digit)
        raise RuntimeError("key")

    def on_gone(self, reason: str) -> None:
        super().on_gone(reason)
        raise RuntimeError("gone")


def test_what_came_before_a_listener_is_heard_first_and_the_oldest_of_too_much_is_lost() -> None:
    ear, heard = CallerEar(3, print), Remembering()
    ear.hear(b"1", 8000)
    ear.press("5")
    ear.hear(b"2", 8000)
    ear.hear(b"3", 16000)
    ear.listen(heard)
    ear.hear(b"4", 8000)
    assert (heard.audio, heard.keys) == ([(b"2", 8000), (b"3", 16000), (b"4", 8000)], ["5"])
    assert ear.early_dropped == 1 and heard.gone == []


def test_the_end_is_heard_once_also_by_who_comes_too_late() -> None:
    ear, heard, late = CallerEar(3, print), Remembering(), Remembering()
    ear.listen(heard)
    ear.end("caller_hung_up")
    ear.end("another reason")
    ear.listen(late)
    assert heard.gone == late.gone == ["caller_hung_up"]


def test_a_listener_that_fails_is_noted_each_time_and_ends_nothing() -> None:
    failures: list[str] = []
    ear, heard = CallerEar(3, failures.append), Failing()
    ear.press("1")
    ear.listen(heard)
    ear.hear(b"", 8000)
    ear.press("2")
    ear.end("hung_up")
    assert failures == ["listener"] * 4 and heard.gone == ["hung_up"]
    ear.listen(other := Remembering())
    assert other.gone == ["hung_up"]
