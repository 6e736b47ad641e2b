"""The local ear on recorded speech: alone, under noise, with the agent's echo, on lines that send nothing."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.audio import speech
from adapters.audio.speech import BLOCK_TICKS, VoiceActivityDetector
from adapters.simulator.speech.library import lines, read_samples, wav_path
from tests.adapters.audio.sound import Facts, Wave, to_pcm, tone

HZ = 8000
FRAME = 160
UTTERANCES = ("caller_order_status", "caller_order_number", "caller_weather", "caller_when_open", "caller_returns")
PAUSES = ("caller_order_number", "caller_when_open")  # after a first word that is too short alone


def spoken(name: str) -> Wave:
    return read_samples(wav_path(name), HZ).astype(np.float64)


def silence(duration_ms: int) -> Wave:
    return np.zeros(duration_ms * HZ // 1000)


def noise(duration_ms: int, dbfs: float) -> Wave:
    chance = np.random.default_rng(5)
    return chance.normal(0, 32768 * 10 ** (dbfs / 20), duration_ms * HZ // 1000)


def conversation(voice: str = "agent") -> Wave:
    """All lines of a voice, with 1.5 s between them."""
    parts = [np.concatenate((spoken(name), silence(1500))) for name, line in lines().items() if line.voice == voice]
    return np.concatenate(parts)


def added(*waves: Wave) -> Wave:
    total = np.zeros(max(wave.size for wave in waves))
    for wave in waves:
        total[: wave.size] += wave
    return total


def echo_of(wave: Wave, db: float, delay_ms: int) -> Wave:
    return np.concatenate((silence(delay_ms), wave * 10 ** (db / 20)))


@attrs.frozen
class Line:
    """20 ms of caller and agent after another."""

    min_speech_ms: int = 300
    reports_sounds: bool = False
    facts: Facts = attrs.field(factory=Facts)

    def spoke_at_ms(self, caller: Wave, agent: Wave | None = None, frame_ms: int = 20) -> Sequence[int]:
        """When `caller.spoke` came; frames of the caller that are None in `caller` (NaN) are not sent."""
        ear = VoiceActivityDetector(self.facts, min_speech_ms=self.min_speech_ms, reports_sounds=self.reports_sounds)
        ticks = -(-caller.size // FRAME)
        caller = np.concatenate((caller, np.zeros(4 * FRAME)))
        played = np.zeros(ticks * FRAME) if agent is None else added(agent, np.zeros(ticks * FRAME))
        at_ms: list[int] = []
        for tick in range(ticks):
            heard = played[tick * FRAME :][:FRAME]
            ear.tick(to_pcm(heard) if heard.any() else None)
            if tick * 20 % frame_ms == 0:
                frame = caller[tick * FRAME :][: FRAME * frame_ms // 20]
                if not np.isnan(frame).any():
                    ear.hear(to_pcm(frame), HZ)
            at_ms += [(tick + 1) * 20] * (len(self.facts) - len(at_ms))
        return at_ms


@pytest.fixture
def line() -> Line:
    return Line()


def onset_ms(wave: Wave) -> float:
    """Of the first sample that can be heard."""
    return float(np.flatnonzero(np.abs(wave) > 330)[0]) * 1000 / HZ


# --- speech -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UTTERANCES)
@pytest.mark.parametrize("noise_dbfs", [-90, -60, -45])
def test_an_utterance_is_reported_once_when_it_has_lasted(line: Line, name: str, noise_dbfs: float) -> None:
    wave = np.concatenate((silence(2000), spoken(name), silence(2000)))
    at_ms = line.spoke_at_ms(added(wave, noise(wave.size * 1000 // HZ, noise_dbfs)))
    assert len(at_ms) == 1
    late_ms = at_ms[0] - onset_ms(wave) - 300
    assert -40 <= late_ms <= (520 if name in PAUSES else 60)
    assert line.facts == [("caller.spoke", {})]


def test_who_speaks_from_the_first_frame_on_is_heard(line: Line) -> None:
    (at_ms,) = line.spoke_at_ms(spoken("caller_order_status"))
    assert at_ms < 500


def test_the_next_utterance_is_reported_after_a_pause_and_none_without(line: Line) -> None:
    one = spoken("caller_returns")
    assert len(line.spoke_at_ms(np.concatenate((one, silence(700), one, silence(200), one)))) == 2


@pytest.mark.parametrize("frame_ms", [20, 40])
def test_the_length_of_the_phones_frames_makes_no_difference(line: Line, frame_ms: int) -> None:
    wave = np.concatenate((silence(2000), spoken("caller_weather")))
    (at_ms,) = line.spoke_at_ms(wave, frame_ms=frame_ms)
    assert abs(at_ms - onset_ms(wave) - 300) <= 60


def test_how_long_it_takes_is_settable() -> None:
    wave = np.concatenate((silence(1000), spoken("caller_weather")))
    first = [Line(min_speech_ms=each).spoke_at_ms(wave)[0] for each in (100, 300, 800)]
    assert np.diff(first).tolist() == pytest.approx([200, 500], abs=60)


def test_a_click_and_a_cough_are_no_speech(line: Line) -> None:
    burst = np.frombuffer(tone(300, HZ, 120, 12_000), np.int16).astype(np.float64)
    wave = np.concatenate([np.concatenate((silence(900), burst)) for _ in range(10)])
    assert line.spoke_at_ms(wave) == []


# --- what is no speech ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dbfs", [-60, -40, -25])
def test_steady_noise_is_no_speech_and_hides_none_that_is_louder(line: Line, dbfs: float) -> None:
    steady = noise(20_000, dbfs)
    assert line.spoke_at_ms(steady) == []
    if dbfs < -30:
        wave = np.concatenate((silence(5000), spoken("caller_weather")))
        assert len(line.spoke_at_ms(added(steady, wave))) == 1


def test_noise_that_begins_is_taken_for_speech_once(line: Line) -> None:
    """A car that starts; then it is the line's noise."""
    at_ms = line.spoke_at_ms(np.concatenate((noise(3000, -70), noise(30_000, -30))))
    assert len(at_ms) == 1 and at_ms[0] < 3500


def test_hold_music_is_speech_a_few_times_in_a_minute_at_most(line: Line) -> None:
    """Chords that swell and fade, twice in a second, without a pause."""
    time_s = np.arange(60 * HZ) / HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (262, 330, 392, 523))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 2 * time_s)
    assert len(line.spoke_at_ms(np.concatenate((silence(2000), 1500 * chord * swell)))) <= 3


def test_nothing_at_all_is_silence(line: Line) -> None:
    assert line.spoke_at_ms(np.full(20 * HZ, np.nan)) == []
    assert line.spoke_at_ms(silence(20_000)) == []


def test_a_phone_that_sends_nothing_between_utterances_is_heard_each_time(line: Line) -> None:
    """DTX: no frame is silence, and no noise is learned from the speech that is all that comes."""
    nothing = np.full(4 * HZ, np.nan)
    said = [np.concatenate((nothing, spoken(name)[: HZ * 140 // 100])) for name in UTTERANCES]
    assert len(line.spoke_at_ms(np.concatenate(said))) == len(UTTERANCES)


def test_comfort_noise_after_nothing_is_no_speech(line: Line) -> None:
    parts = [np.full(2 * HZ, np.nan), noise(1000, -50)] * 5
    assert line.spoke_at_ms(np.concatenate(parts)) == []


# --- echo -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_ms", [0, 60, 120, 250, 400])
@pytest.mark.parametrize("db", [-6, -14, -25])
def test_the_agents_echo_is_no_speech(line: Line, db: float, delay_ms: int) -> None:
    """A minute and a half of all that the agent of the simulator can say, on a speakerphone."""
    agent = conversation()
    echo = echo_of(agent, db, delay_ms)
    assert line.spoke_at_ms(added(echo, noise(echo.size * 1000 // HZ, -60)), agent) == []


def interrupted(name: str, at_ms: int, paused_after_ms: int | None) -> tuple[Wave, Wave]:
    """Caller and agent: an echo of -14 dB, into which the caller speaks. The agent pauses, or goes on."""
    agent = np.concatenate((spoken("agent_long_story"), spoken("agent_long_story")))
    if paused_after_ms is not None:
        agent[(at_ms + paused_after_ms) * HZ // 1000 :] = 0
    said = np.concatenate((silence(at_ms), spoken(name), silence(1000)))
    caller = added(echo_of(agent, -14, 120), said, noise(4000, -60))
    return caller, agent


@pytest.mark.parametrize("at_ms", [900, 2600, 4000])
@pytest.mark.parametrize("name", UTTERANCES)
def test_a_caller_who_speaks_into_the_agents_echo_is_heard_when_the_agent_pauses(
    line: Line, name: str, at_ms: int
) -> None:
    """As with a guard: the provider hears it after 350 ms, the playout pauses."""
    caller, agent = interrupted(name, at_ms, paused_after_ms=350)
    (spoke_ms,) = line.spoke_at_ms(caller, agent)
    assert 0 < spoke_ms - at_ms < 1200


@pytest.mark.parametrize("name", ["caller_order_status", "caller_returns"])
def test_a_caller_who_is_louder_than_the_echo_is_heard_also_while_the_agent_goes_on(line: Line, name: str) -> None:
    caller, agent = interrupted(name, 4000, paused_after_ms=None)
    assert 300 <= line.spoke_at_ms(caller, agent)[0] - 4000 < 700


def test_a_line_without_echo_does_not_make_the_agent_deafen_us(line: Line) -> None:
    agent = conversation()
    said = np.concatenate((silence(8000), spoken("caller_interrupt")))
    (spoke_ms,) = line.spoke_at_ms(added(said, noise(12_000, -60)), agent)
    assert spoke_ms - onset_ms(said) < 400


def test_an_echo_that_grows_louder_is_learned_anew(line: Line) -> None:
    """The handset is put down and the speaker switched on: it is the caller for a moment, and then no more."""
    agent = conversation()
    cut = 20 * HZ
    echo = np.concatenate((agent[:cut] * 0.01, echo_of(agent, -10, 120)[cut:]))
    at_ms = line.spoke_at_ms(echo, agent)
    assert len(at_ms) <= 3 and all(20_000 < each < 26_000 for each in at_ms)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_what_is_remembered_is_bounded() -> None:
    ear = VoiceActivityDetector(Facts())
    for _ in range(2000):
        ear.tick(tone(300, HZ, 20))
        ear.hear(tone(300, HZ, 20), HZ)
    assert len(ear._echo.played) <= 100 and len(ear._echo.heard) <= 100 and len(ear._noises) <= 8


def test_frames_that_the_provider_does_not_hear_are_neither_speech_nor_silence(line: Line) -> None:
    ear = VoiceActivityDetector(line.facts)
    steady = to_pcm(noise(20, -35))
    for _ in range(100):
        ear.tick(None)
        ear.hear(steady, HZ)
    for _ in range(100):
        ear.tick(None)
        ear.ignore()
    for _ in range(100):
        ear.tick(None)
        ear.hear(steady, HZ)
    assert line.facts == [], "the noise of the line is still known"


def test_frames_are_looked_at_together_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(frames: Sequence[bytes]) -> list[float]:
        looks.append(len(frames))
        return [0.0] * len(frames)

    monkeypatch.setattr(speech, "mean_squares", look)
    ear = VoiceActivityDetector(Facts())
    for _ in range(10 * BLOCK_TICKS):
        ear.tick(bytes(320))
        ear.hear(bytes(320), HZ)
    assert sum(looks) == 2 * 10 * BLOCK_TICKS - 1, "the last of the caller's waits for its block"
    assert len(looks) <= 12, "four times a second, and at the beginning"


class AtOnce(VoiceActivityDetector):
    """Judges each frame as it comes, by itself."""

    def _next_due_ms(self) -> float:
        return 0.0

    def _may_be_speech(self, _caller: list[float], _heard_by: list[int]) -> bool:
        return True


_LEVELS = (0, 100, 400, 2_000, 4_000, 9_000)
_ticks = st.lists(
    st.tuples(
        st.sampled_from((None, *_LEVELS)),  # the agent's frame
        st.lists(st.tuples(st.sampled_from((20, 20, 10, 60)), st.sampled_from(_LEVELS)), max_size=3),  # the caller's
        st.integers(1, 30),  # so many times
    ),
    max_size=60,
)  # fmt: skip


@given(_ticks, st.sampled_from((20, 60, 120, 300, 700)), st.sampled_from((40, 200, 500)), st.booleans())
def test_to_judge_frames_together_changes_nothing(
    ticks: Sequence[tuple[int | None, Sequence[tuple[int, int]], int]], min_ms: int, hang_ms: int, reports: bool
) -> None:
    facts, at_once = Facts(), Facts()
    options = {"min_speech_ms": min_ms, "hang_ms": hang_ms, "reports_sounds": reports}
    ears = (VoiceActivityDetector(facts, **options), AtOnce(at_once, **options))  # type: ignore[arg-type]
    for played, heard, times in ticks:
        for _ in range(times):
            for ear in ears:
                ear.tick(None if played is None else square(played, 20))
            assert facts == at_once
            for duration_ms, level in heard:
                for ear in ears:
                    ear.hear(square(level, duration_ms), HZ)
                assert facts == at_once
    for ear in ears:
        ear.ignore()
    assert learned(ears[0]) == pytest.approx(learned(ears[1]))


def learned(ear: VoiceActivityDetector) -> Sequence[float]:
    """What later frames are compared with."""
    return [ear._noise, ear._learned_noise, ear._echo.expected(), *ear._echo.heard, *ear._echo.played]


@functools.cache
def square(level: int, duration_ms: int) -> bytes:
    return np.full(duration_ms * HZ // 1000, level, np.int16).tobytes()


# --- sounds, for a guard ----------------------------------------------------------------------------------------------


def sounds(caller: Wave, agent: Wave) -> list[tuple[str, int]]:
    """What is reported over an agent who is heard, and when."""
    line = Line(reports_sounds=True)
    at_ms = line.spoke_at_ms(caller, agent)
    return [(name, at) for (name, _), at in zip(line.facts, at_ms, strict=True)]


def test_a_cough_over_the_agent_begins_and_ends() -> None:
    agent = np.concatenate((silence(1000), spoken("caller_returns")))
    burst = np.frombuffer(tone(300, HZ, 120, 12_000), np.int16).astype(np.float64)
    cough = np.concatenate((silence(1500), burst, silence(1500)))
    (began, began_ms), (ended, ended_ms) = sounds(cough, agent)
    assert (began, ended) == ("caller.sound_began", "caller.sound_ended")
    assert 1560 <= began_ms <= 1600 and 2020 <= ended_ms <= 2080


def test_an_interruption_is_a_sound_at_once_and_speech_when_it_has_lasted() -> None:
    agent = np.concatenate((silence(500), spoken("caller_returns"), spoken("caller_returns")))
    wave = np.concatenate((silence(2000), spoken("caller_weather"), silence(1000)))
    found = sounds(wave, agent)
    assert [name for name, _ in found[:2]] == ["caller.sound_began", "caller.spoke"]
    assert "caller.sound_ended" in dict(found)
    assert found[0][1] - onset_ms(wave) <= 120 and found[1][1] - onset_ms(wave) <= 500


def test_the_agents_echo_is_no_sound() -> None:
    agent = np.concatenate((silence(500), *[spoken("caller_returns")] * 3))
    echo = echo_of(agent, -14, 120)[: agent.size]
    assert sounds(echo, agent) == []


def test_a_click_is_no_sound_and_without_an_agent_there_is_none() -> None:
    agent = np.concatenate((silence(500), spoken("caller_returns")))
    click = np.frombuffer(tone(300, HZ, 40, 12_000), np.int16).astype(np.float64)
    assert sounds(np.concatenate((silence(1500), click, silence(800))), agent) == []
    wave = np.concatenate((silence(1000), spoken("caller_weather"), silence(800)))
    assert [name for name, _ in sounds(wave, silence(wave.size * 1000 // HZ))] == ["caller.spoke"]
