"""A call over chan_websocket against the simulated Asterisk, in virtual time: the truth is what its queue played."""

from __future__ import annotations

import asyncio
import itertools
import uuid

import pytest

from adapters.lines.chan_websocket.connection import WAY_MAX_MS, XOFF_MOST_S, ChannelLeg
from adapters.lines.line import CallLeg
from adapters.simulator.lines.chan_websocket import SimulatedChannel
from tests.adapters.lines.chan_websocket.peers import CALL, LOUD, stage
from tests.adapters.lines.media import until
from tests.adapters.lines.sources import Frames

pytestmark = pytest.mark.virtual_time

EVERY_FORMAT = ["ulaw", "alaw", "slin", "slin16", "slin24"]


def endless(leg: ChannelLeg) -> Frames:
    frame = LOUD * (leg.rate_hz // 8000)
    return Frames(lambda: frame)


def under_way_ms(leg: ChannelLeg, phone: SimulatedChannel) -> int:
    """The truth, a frame counted as played when it begins."""
    return (leg._output.lead.stats.frames_sent - phone.heard_frames) * 20


# --- the beginning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("name", EVERY_FORMAT)
async def test_a_call_is_a_leg_and_both_sides_hear_each_other_in_every_format(name: str, is_json: bool) -> None:
    async with stage() as play:
        phone, leg, heard = await play.call(format=name, is_json=is_json)
        seam: CallLeg = leg
        assert (seam.call_id, seam.keeps_lead, seam.frames_unsent) == (str(CALL), True, 0)
        assert seam.rate_hz == {"slin16": 16_000, "slin24": 24_000}.get(name, 8_000)
        phone.voice.say(LOUD * (leg.rate_hz // 8000) * 10)
        leg.play_from(endless(leg))
        await asyncio.sleep(1)
        assert {rate for _, rate in heard.audio} == {leg.rate_hz}
        assert {len(pcm) for pcm, _ in heard.audio} == {leg.rate_hz // 50 * 2}
        assert max(max(pcm) for pcm, _ in heard.audio[:15]) > 0
        assert 48 <= phone.heard_frames <= 50
        [segment] = phone.hearing.speech.segments
        assert segment.duration_ms > 900
        assert phone.hearing.holes == []
        assert phone.queue.dropped_bytes == 0 and phone.errors == []


async def test_what_asterisk_says_of_the_call_is_its_data() -> None:
    async with stage() as play:
        said = {"caller_id": "+49301", "dialled": "+49302", "agent": "sales", "name": "Anna B & C"}
        _, leg, _ = await play.call(variables={"agent": "of the channel", "SOMETHING": "else"}, uri_parameters=said)
        assert (leg.data.caller_id, leg.data.dialled) == ("+49301", "+49302")
        assert leg.data.variables["agent"] == "sales"
        assert leg.data.variables["name"] == "Anna B & C"
        assert leg.data.variables["SOMETHING"] == "else"
        assert leg.data.variables["channel_id"].startswith("sim-")


async def test_a_call_without_a_uuid_gets_one() -> None:
    async with stage() as play:
        _, leg, _ = await play.call(names_uuid=False)
        assert uuid.UUID(leg.call_id) != CALL
        _, other, _ = await play.call(names_uuid=False, uri_parameters={"uuid": "none at all"})
        assert uuid.UUID(other.call_id) != uuid.UUID(leg.call_id)
        _, named, _ = await play.call(names_uuid=False, variables={"uuid": str(CALL).upper()})
        assert named.call_id == str(CALL)


async def test_audio_before_the_start_is_kept_and_bounded() -> None:
    async with stage(early_max_messages=5) as play:
        _, leg, heard = await play.call(audio_before_start=9)
        await until(lambda: len(heard.audio) >= 6)
        assert leg.stats.early_dropped == 4
        assert heard.audio[0] == (bytes(320), 8000)


async def test_a_listener_that_comes_late_hears_what_came_before() -> None:
    legs: list[ChannelLeg] = []
    async with stage(legs.append) as play:
        phone = await play.phone()
        await until(lambda: bool(legs))
        phone.press("7")
        await asyncio.sleep(0.2)
        play.calls(legs[0])
        assert play.calls.heard[0].keys == ["7"] and len(play.calls.heard[0].audio) >= 10


@pytest.mark.parametrize("answers", [True, False])
async def test_a_channel_that_does_not_answer_itself_is_answered_when_the_call_is_taken(answers: bool) -> None:
    legs: list[ChannelLeg] = []
    async with stage(legs.append, answers=answers) as play:
        phone = await play.phone(answers_itself=False)
        await until(lambda: bool(legs))
        await asyncio.sleep(0.1)
        assert not phone.is_answered
        play.calls(legs[0])
        await asyncio.sleep(0.1)
        assert phone.is_answered is answers


# --- the lead ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase_ms", [0.0, 1.0, 10.0, 19.5])
@pytest.mark.parametrize(("lead_ms", "way_ms"), [(40, 0), (60, 0), (60, 5), (80, 0), (80, 20), (300, 0), (300, 25)])
async def test_the_lead_is_kept_and_never_below_the_truth(lead_ms: int, way_ms: float, phase_ms: float) -> None:
    async with stage(lead_ms=lead_ms) as play:
        phone, leg, _ = await play.call(timer_phase_ms=phase_ms, way_ms=way_ms)
        leg.play_from(endless(leg))
        for number in range(400):
            await asyncio.sleep(0.005)
            assert leg.lead_ms >= under_way_ms(leg, phone), number
            assert leg.lead_ms <= under_way_ms(leg, phone) + 100
            assert leg.lead_ms <= lead_ms + WAY_MAX_MS
        marks = [command for command in phone.queue.commands if command.name == "MARK_MEDIA"]
        assert 8 <= len(marks) <= 11
        assert phone.heard_frames >= 96 and phone.hearing.holes == []
        assert leg._output.lead.stats.marks_missed == 0


async def test_the_source_is_told_of_every_20_ms_also_where_it_is_not_asked() -> None:
    async with stage() as play:
        _, leg, _ = await play.call()
        source = Frames(lambda: None)
        leg.play_from(source)
        await asyncio.sleep(1)
        assert 49 <= source.ticks <= 51 and leg.lead_ms == 0


async def test_a_flush_stops_the_agent_at_the_next_frame_and_what_follows_is_known_again() -> None:
    async with stage(lead_ms=1000) as play:
        phone, leg, _ = await play.call()
        frames = itertools.chain([LOUD] * 200)
        leg.play_from(Frames(lambda: next(frames, None)))
        await asyncio.sleep(0.5)
        lead_ms, heard = leg.lead_ms, phone.heard_frames
        assert lead_ms > 900
        leg.play_from(None)
        leg.flush()
        assert leg.lead_ms == 0
        await asyncio.sleep(0.5)
        assert phone.heard_frames <= heard + 1
        assert phone.queue.commands[-1].name == "FLUSH_MEDIA" and phone.queue.length == 0
        sent_ms = leg._output.lead.stats.frames_sent * 20
        assert 0 <= phone.heard_frames * 20 - (sent_ms - lead_ms) <= 100, "heard, as it is counted at the cut"
        leg.play_from(endless(leg))
        await asyncio.sleep(0.3)
        assert 0 < leg.lead_ms <= 1000 + WAY_MAX_MS and leg.lead_ms >= under_way_ms(leg, phone) - lead_ms
        leg.flush()
        leg.flush()
        await asyncio.sleep(0.1)
        assert [command.name for command in phone.queue.commands].count("FLUSH_MEDIA") == 2


async def test_an_asterisk_that_knows_no_marks_is_spared_them_and_played_to_by_the_clock() -> None:
    async with stage() as play:
        phone, leg, _ = await play.call(knows_marks=False)
        leg.play_from(endless(leg))
        await asyncio.sleep(10)
        assert [command.name for command in phone.queue.commands].count("MARK_MEDIA") == 1
        assert phone.heard_frames > 430
        assert under_way_ms(leg, phone) <= leg.lead_ms <= 80 + WAY_MAX_MS


async def test_while_asterisk_says_xoff_nothing_is_sent_and_time_passes() -> None:
    async with stage() as play:
        phone, leg, _ = await play.call()
        leg.play_from(source := endless(leg))
        await asyncio.sleep(0.5)
        phone._say("MEDIA_XOFF", {})
        await asyncio.sleep(0.1)
        heard, ticks = phone.heard_frames, source.ticks
        await asyncio.sleep(2)
        assert phone.heard_frames <= heard + 4 and source.ticks >= ticks + 99
        phone._say("MEDIA_XON", {})
        await asyncio.sleep(1)
        assert phone.heard_frames >= heard + 45
        assert leg.stats.xoffs == 1


async def test_an_xon_that_never_comes_is_waited_for_no_longer_than_a_full_queue_lasts() -> None:
    async with stage() as play:
        phone, leg, _ = await play.call()
        leg.play_from(endless(leg))
        phone._say("MEDIA_XOFF", {})
        await asyncio.sleep(XOFF_MOST_S - 1)
        heard = phone.heard_frames
        await asyncio.sleep(2)
        assert phone.heard_frames > heard + 40


async def test_a_frame_of_another_length_is_made_one() -> None:
    async with stage() as play:
        phone, leg, _ = await play.call()
        frames = iter([b"\1\2" * 10, LOUD * 3])
        leg.play_from(Frames(lambda: next(frames, None)))
        await asyncio.sleep(0.2)
        assert phone.heard_frames == 2 and phone.queue.dropped_bytes == 0


# --- what the caller does ---------------------------------------------------------------------------------------------


async def test_keys_are_heard_in_both_forms() -> None:
    for is_json in (True, False):
        async with stage() as play:
            phone, _, heard = await play.call(is_json=is_json)
            for digit in "1#A":
                phone.press(digit)
            await until(lambda heard=heard: len(heard.keys) == 3)  # type: ignore[misc]
            assert heard.keys == ["1", "#", "A"]


async def test_a_caller_who_hangs_up_is_gone_once() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call()
        phone.hang_up()
        await leg.wait_gone()
        assert heard.gone == ["caller_hung_up"] and not leg.is_live
        assert play.server.calls == []
        await phone.closed
        assert phone.ending is not None and phone.ending.how == "caller"


async def test_a_connection_that_breaks_is_lost() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call()
        phone.reset()
        await leg.wait_gone()
        assert heard.gone == ["connection_lost"]


async def test_we_hang_up_and_the_dialplan_goes_on() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call()
        leg.play_from(endless(leg))
        await asyncio.sleep(0.2)
        await asyncio.gather(leg.hang_up(), leg.hang_up())
        assert heard.gone == ["hung_up"]
        await phone.closed
        assert phone.ending is not None and phone.ending.how == "hangup"
        leg.flush()
        leg.play_from(None)
        assert leg.lead_ms >= 0


async def test_a_listener_that_comes_after_the_end_is_told() -> None:
    legs: list[ChannelLeg] = []
    async with stage(legs.append) as play:
        phone = await play.phone()
        await until(lambda: bool(legs))
        phone.hang_up()
        await legs[0].wait_gone()
        play.calls(legs[0])
        assert play.calls.heard[0].gone == ["caller_hung_up"]


# --- nonsense ---------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_read_ends_nothing() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call(is_json=False)
        for junk in (b"", b"\x00", b"{", b"MEDIA_START format:slin", b"ERROR channel_id:1 error_text:no", b"STATUS x"):
            phone._websocket.send_text(junk)
        phone._websocket.send_binary(b"")
        phone._websocket.send_binary(b"\1")
        phone._websocket.send_text(b"DTMF_END digit:5")
        await until(lambda: heard.keys == ["5"])
        assert (leg.stats.unreadable, leg.stats.errors) == (4, 1)
        assert leg.is_live


async def test_a_source_that_fails_is_logged_and_ends_nothing() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call()

        def fails() -> bytes | None:
            raise RuntimeError("a source that fails")

        leg.play_from(Frames(fails))
        await asyncio.sleep(0.2)
        phone.press("1")
        await until(lambda: heard.keys == ["1"])
        assert leg.stats.failures >= 5 and leg.is_live


async def test_a_simulated_asterisk_drops_who_sends_too_much_at_once() -> None:
    async with stage() as play:
        phone, leg, heard = await play.call()
        leg._websocket.send_binary(bytes(160_000))
        await phone.closed
        assert phone.ending is not None
        assert phone.ending.how == "dropped" and "1009" in str(phone.ending.dropped)
        await until(lambda: bool(heard.gone))
