"""The caller's path: up, kept, filled where frames do not come, remembered until it is held, recorded, listened to."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.audio.caller_audio import CallerAudioPath, SilenceFiller, UnansweredAudio
from adapters.audio.formats import PCM_24K, PCMU, AudioFormat, Transcoder
from adapters.audio.silence import SilenceWatch
from adapters.audio.uplink import Uplink


def test_nothing_is_added_to_frames_that_come_in_time_or_late() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCMU, sent.append)
    for _ in range(100):
        for _ in range(9):
            filler.tick()
        filler.missing = 0
    assert sent == []


def test_a_gap_becomes_as_much_silence_as_time_has_passed() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCMU, sent.append)
    for _ in range(25):
        filler.tick()
    assert b"".join(sent) == b"\xff" * (25 * 160)
    filler.missing = 0
    sent.clear()
    for _ in range(10):
        filler.tick()
    assert [len(each) for each in sent] == [1600]


def test_in_the_format_of_the_provider() -> None:
    sent: list[bytes] = []
    filler = SilenceFiller(PCM_24K, sent.append)
    for _ in range(10):
        filler.tick()
    assert sent == [bytes(9600)]


# --- what no conversation holds yet -----------------------------------------------------------------------------------


def frames(audio: UnansweredAudio, first: int, last: int) -> None:
    for number in range(first, last + 1):
        audio.remember(bytes([number]) * 160)


def numbers(pieces: list[bytes]) -> list[int]:
    return [piece[0] for piece in pieces]


def test_the_onset_and_all_that_was_said_since_once() -> None:
    audio = UnansweredAudio(PCMU, 8000)
    frames(audio, 1, 100)
    audio.open()
    frames(audio, 101, 150)
    assert numbers(audio.take()) == list(range(51, 151))
    assert audio.take() == []


ANSWERED = {
    "heard": ["commit u1", "answer r1", "heard r1"],
    "heard, and its commit lost": ["answer r1", "heard r1"],
    "heard, and its commit late": ["answer r1", "commit u1", "heard r1"],
    "heard, its response without a name": ["commit u1", "answer ", "heard r1"],
    "known as text": ["commit u1", "forget u1"],
}
UNANSWERED = {
    "committed": ["commit u1"],
    "answered, and not heard": ["commit u1", "answer r1", "answer r1"],
    "after an older answer was heard": ["commit u1", "answer r0", "heard r0"],
    "another one known as text": ["commit u1", "forget u0"],
}


def happen(audio: UnansweredAudio, what: list[str]) -> None:
    for each in what:
        name, _, argument = each.partition(" ")
        getattr(audio, name)(argument)


@pytest.mark.parametrize("how", ANSWERED)
def test_nothing_of_a_turn_that_is_answered_or_known(how: str) -> None:
    audio = UnansweredAudio(PCMU, 8000)
    audio.open()
    frames(audio, 1, 50)
    happen(audio, ANSWERED[how])
    frames(audio, 51, 60)
    assert audio.take() == []


@pytest.mark.parametrize("how", UNANSWERED)
def test_all_of_a_turn_that_nobody_has_answered_aloud(how: str) -> None:
    audio = UnansweredAudio(PCMU, 8000)
    audio.answer("r0")
    audio.open()
    frames(audio, 1, 50)
    happen(audio, UNANSWERED[how])
    frames(audio, 51, 60)
    assert numbers(audio.take()) == list(range(1, 51))


def test_turns_that_wait_for_an_answer_are_said_again_in_order_and_the_newest_of_them() -> None:
    audio = UnansweredAudio(PCMU, 2000)
    for number in range(3):
        audio.open()
        frames(audio, number * 60, number * 60 + 49)
        audio.commit(f"u{number}")
    assert numbers(audio.take()) == [*range(10, 50), *range(60, 110), *range(120, 170)][-100:]


def test_of_a_flood_of_short_turns_the_newest_sixteen() -> None:
    audio = UnansweredAudio(PCMU, 8000)
    for number in range(50):
        audio.open()
        frames(audio, number, number)
        audio.commit(f"u{number}")
    assert numbers(audio.take()) == list(range(34, 50))


def test_what_is_said_again_is_kept_until_it_is_answered() -> None:
    audio = UnansweredAudio(PCMU, 8000)
    audio.open()
    frames(audio, 1, 100)
    for piece in audio.take():
        audio.remember(piece)
    assert numbers(audio.take()) == list(range(1, 101))


def test_nothing_where_nobody_spoke() -> None:
    audio = UnansweredAudio(PCMU, 8000)
    frames(audio, 1, 100)
    assert audio.take() == []


def test_the_newest_of_a_long_turn() -> None:
    audio = UnansweredAudio(PCMU, 2000)
    audio.open()
    frames(audio, 1, 200)
    assert numbers(audio.take()) == list(range(101, 201))


def test_nothing_where_nothing_is_to_be_kept() -> None:
    audio = UnansweredAudio(PCMU, 0)
    audio.open()
    frames(audio, 1, 100)
    assert audio.take() == []


# --- the path ---------------------------------------------------------------------------------------------------------

FRAME = b"\x10\x20" * 160
PCM_16K = AudioFormat("pcm16", 16000)


class Path:
    """A caller's path at 8 kHz mu-law, and what came out of it."""

    def __init__(self, keep_ms: int = 8000, *, holds_turns: bool = False) -> None:
        self.sent: list[bytes] = []
        self.facts: list[tuple[str, dict[str, Any]]] = []
        silence = SilenceWatch(self._fact, hold_ms=400)
        uplink = Uplink(PCMU, self.sent.append, self._fact, keep_ms=0 if holds_turns else keep_ms)
        unanswered = UnansweredAudio(PCMU, keep_ms)
        self.audio = CallerAudioPath(
            Transcoder(PCMU), uplink, silence, unanswered, on_fact=self._fact, holds_turns=holds_turns
        )  # fmt: skip

    def _fact(self, name: str, data: dict[str, Any]) -> None:
        self.facts.append((name, data))

    def pass_ms(self, duration_ms: int, frame: bytes | None = None) -> None:
        for _ in range(duration_ms // 20):
            if frame is not None:
                self.audio.hear(frame, 8000)
            self.audio.tick(None)

    @property
    def sent_ms(self) -> int:
        return PCMU.ms(sum(map(len, self.sent)))


def test_what_is_said_before_there_is_a_session_goes_up_first_and_in_order() -> None:
    path = Path()
    path.pass_ms(100, FRAME)
    assert path.sent == []
    path.audio.open_uplink()
    path.pass_ms(100, bytes(320))
    assert b"".join(path.sent) == Transcoder(PCMU).to_provider(FRAME * 5 + bytes(320) * 5)
    assert path.facts == [("uplink.committable", {})]


def test_a_phone_that_sends_nothing_is_silence_to_an_open_session_and_to_no_other() -> None:
    path = Path()
    path.pass_ms(1000)
    path.audio.open_uplink()
    assert path.sent_ms == 0
    path.pass_ms(1000)
    assert path.sent_ms == 1000


def test_a_turn_that_the_left_session_did_not_keep_goes_up_to_the_next_one_with_its_onset() -> None:
    path = Path()
    path.audio.open_uplink()
    path.pass_ms(3000, FRAME)
    path.audio.turn_began()
    path.pass_ms(500, FRAME)
    path.audio.close_uplink()
    path.pass_ms(200, FRAME)
    later: list[bytes] = []
    path.audio.send_to(later.append)
    path.audio.open_uplink()
    assert PCMU.ms(sum(map(len, later))) == 1000 + 500 + 200
    assert path.facts.count(("uplink.kept", {})) == 1


def test_a_turn_that_was_answered_does_not_go_up_again() -> None:
    path = Path()
    path.audio.open_uplink()
    path.pass_ms(1000, FRAME)
    path.audio.turn_began()
    path.pass_ms(500, FRAME)
    path.audio.turn_committed("u1")
    path.audio.response_began("r1")
    path.audio.answer_heard("r1")
    path.audio.close_uplink()
    later: list[bytes] = []
    path.audio.send_to(later.append)
    path.audio.open_uplink()
    assert later == [] and ("uplink.kept", {}) not in path.facts


def test_a_held_turn_goes_up_again_when_it_is_asked_for_and_with_what_was_said_without_a_session() -> None:
    path = Path(holds_turns=True)
    path.pass_ms(1000, FRAME)  # between turns
    path.audio.open_uplink()
    path.pass_ms(500, FRAME)
    path.audio.close_uplink()
    path.audio.turn_committed("")
    path.audio.turn_committed("u1")
    path.pass_ms(1000, FRAME)
    path.audio.open_uplink()
    path.pass_ms(300, FRAME)
    path.audio.close_uplink()  # the session is lost in mid-turn
    path.audio.session_left()
    assert path.facts.count(("uplink.kept", {})) == 1
    path.pass_ms(200, FRAME)
    path.sent.clear()
    path.audio.resend_turn()
    assert path.sent_ms == 500 + 300 + 200
    path.sent.clear()
    path.audio.resend_turn()
    assert path.sent_ms == 1000, "until it is answered"


def test_a_turn_that_is_held_without_a_session_is_announced_once_it_can_be_committed_and_said_to_the_next() -> None:
    path = Path(holds_turns=True)
    path.pass_ms(1000, FRAME)  # nobody holds a turn
    path.audio.keep_turn()
    path.pass_ms(80, FRAME)
    assert ("uplink.kept", {}) not in path.facts
    path.pass_ms(400, FRAME)
    path.audio.end_kept_turn()
    path.pass_ms(1000, FRAME)
    path.audio.keep_turn()
    path.pass_ms(300, FRAME)
    assert path.facts.count(("uplink.kept", {})) == 1 and path.sent == []
    path.audio.resend_turn()
    assert path.sent_ms == 480 + 300
    path.audio.open_uplink()
    path.pass_ms(100, FRAME)
    assert path.sent_ms == 480 + 300 + 100, "a turn that is held goes on"


def test_a_held_turn_that_was_discarded_or_is_too_short_is_not_announced() -> None:
    path = Path(holds_turns=True)
    path.audio.open_uplink()
    path.pass_ms(500, FRAME)
    path.audio.close_uplink()
    path.audio.turn_discarded()
    path.audio.open_uplink()
    path.pass_ms(80, FRAME)
    path.audio.session_left()
    assert ("uplink.kept", {}) not in path.facts


def test_a_provider_that_takes_another_format_gets_what_was_kept_in_it_too() -> None:
    path = Path()
    path.pass_ms(1000, FRAME)
    path.audio.switch(PCM_24K)
    path.pass_ms(1000, FRAME)
    path.audio.open_uplink()
    path.pass_ms(1000)  # a gap is filled
    sent_ms = PCM_24K.ms(sum(map(len, path.sent)))
    assert 2995 <= sent_ms <= 3000, "but for what the filters hold"
    path.audio.turn_began()
    path.audio.switch(PCM_16K)
    path.audio.close_uplink()
    path.sent.clear()
    path.audio.open_uplink()
    assert 995 <= PCM_16K.ms(sum(map(len, path.sent))) <= 1000, "the last second of a turn that nobody holds"


def test_the_same_format_changes_nothing() -> None:
    path = Path()
    path.pass_ms(1000, FRAME)
    path.audio.switch(PCMU)
    path.audio.open_uplink()
    assert PCMU.ms(sum(map(len, path.sent))) == 1000


def test_silence_is_reported_only_while_it_is_watched_for() -> None:
    path = Path()
    path.pass_ms(1000)
    path.audio.watch_silence()
    path.pass_ms(300)
    path.audio.hear(b"\x00\x40" * 160, 8000)
    path.pass_ms(380)
    assert path.facts == []
    path.pass_ms(20)
    assert path.facts == [("caller.silent", {})]
    path.audio.unwatch_silence()
    path.pass_ms(1000)
    assert len(path.facts) == 1
