"""What a connection's listener makes of a session: facts for the mailbox, audio, words; nothing once it is left."""

from __future__ import annotations

import asyncio
import time

import attrs
import pytest
import structlog

from adapters.audio.agent_audio import AgentAudioPath
from adapters.audio.caller_audio import CallerAudioPath, UnansweredAudio
from adapters.audio.formats import PCM_24K, PCMU, AudioFormat, Transcoder
from adapters.audio.playout import Playout
from adapters.audio.prompt import PromptPlayer
from adapters.audio.silence import SilenceWatch
from adapters.audio.uplink import Uplink
from adapters.call.claims import ProviderClaims
from adapters.call.history import History
from adapters.call.mailbox import Mailbox
from adapters.call.provider_listener import EXPIRING, ProviderListener
from adapters.providers.provider import AudioDelta, ConnectionEnding, DecodeFailure, HistoryMessage, WireEvent
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from tests.adapters.call.rig import machine


class Heard:
    """A listener with all that it writes to."""

    def __init__(self, provider_format: AudioFormat = PCMU) -> None:
        endpoint = openai_endpoint("m", None, base_url="ws://127.0.0.1:1/")
        provider = RealtimeProvider(endpoint=endpoint, session=SessionSettings(model="m"))
        transcoder = Transcoder(provider_format, provider_format, 8000)
        self.mailbox, self.history, self.wire = Mailbox(), History(), list[WireEvent]()
        self.playout = Playout(lambda *_: None)
        self.sent: list[bytes] = []
        uplink = Uplink(PCMU, self.sent.append, lambda *_: None)
        self.caller_audio = CallerAudioPath(
            transcoder, uplink, SilenceWatch(lambda *_: None), UnansweredAudio(PCMU, 8000)
        )
        agent_audio = AgentAudioPath(transcoder, self.playout, PromptPlayer({}, 320, lambda *_: None))
        self.listener = ProviderListener(
            provider,
            machine().spec.vocabulary,
            self.mailbox,
            agent_audio,
            self.caller_audio,
            self.history,
            ProviderClaims(agent_audio, self.caller_audio, structlog.get_logger()),
            self.wire.append,
            structlog.get_logger(),
        )


def test_the_end_of_an_answer_at_24_khz_is_heard_to_its_last_sample() -> None:
    """What the filter holds back comes when the audio is said to be over."""
    heard = Heard(PCM_24K)
    heard.listener.on_audio(AudioDelta("resp_1", "item_1", 0, bytes(24 * 2 * 200)))
    late_bytes = heard.playout._queued_bytes  # as much as came, but later by what the filter holds
    named: WireEvent = {"response_id": "resp_1", "item_id": "item_1", "content_index": 0}
    heard.listener.on_event({"type": "response.output_audio.done", **named})
    assert heard.playout._queued_bytes > late_bytes


@pytest.mark.parametrize("named", [{}, {"response_id": 5, "item_id": "item_1"}, {"response_id": "resp_1"}])
def test_the_end_of_audio_that_is_nobodys_is_not_played_and_not_kept_for_the_next_answer(named: WireEvent) -> None:
    heard = Heard(PCM_24K)
    heard.listener.on_audio(AudioDelta("resp_1", "item_1", 0, b"\x00\x40" * 24 * 200))
    queued_bytes = heard.playout._queued_bytes
    heard.listener.on_event({"type": "response.output_audio.done", **named})
    assert heard.playout._queued_bytes == queued_bytes
    heard.listener.on_audio(AudioDelta("resp_2", "item_2", 0, bytes(24 * 2 * 200)))
    assert heard.playout._queue[-1][1].strip(b"\0") == b"", "silence begins with silence"


def test_words_are_kept_in_the_order_of_the_conversation() -> None:
    heard = Heard()
    said = "conversation.item.input_audio_transcription.completed"
    conversation: list[WireEvent] = [
        {"type": "input_audio_buffer.committed", "item_id": "u1"},
        {"type": "response.output_audio_transcript.done", "item_id": "a1", "transcript": "On its way."},
        {"type": "response.output_item.done", "item": {"id": "a1", "status": "completed"}},
        {"type": said, "item_id": "u1", "transcript": "Where is it?"},
    ]
    for event in conversation:
        heard.listener.on_event(event)
        heard.listener.on_audio(AudioDelta("r1", "a1", 0, bytes(1600)))
    assert heard.history.items() == (HistoryMessage("user", "Where is it?"), HistoryMessage("assistant", "On its way."))


COMMITTED: WireEvent = {"type": "input_audio_buffer.committed", "item_id": "u1"}
CREATED: WireEvent = {"type": "response.created", "response": {"id": "r1"}}
WRITTEN = "conversation.item.input_audio_transcription.completed"
SETTLED: dict[str, list[WireEvent]] = {
    "an answer": [COMMITTED, CREATED],
    "the end of an answer never seen to begin": [
        COMMITTED,
        {"type": "response.done", "response": {"id": "r1"}},
    ],
    "its text": [COMMITTED, {"type": WRITTEN, "item_id": "u1", "transcript": "Where is it?"}],
    "that there were no words in it": [COMMITTED, {"type": WRITTEN, "item_id": "u1", "transcript": ""}],
}
OPEN: dict[str, list[WireEvent]] = {
    "nothing": [],
    "the end of the answer it interrupts": [{"type": "response.done", "response": {"id": "r0"}}],
    "its commit": [COMMITTED],
    "the text of another": [COMMITTED, {"type": WRITTEN, "item_id": "u0", "transcript": "Hello."}],
}


@pytest.mark.parametrize("by", [*SETTLED, *OPEN])
def test_a_turn_is_kept_until_an_answer_is_heard_or_its_text_is_known(by: str) -> None:
    heard = Heard()
    heard.caller_audio.open_uplink()
    heard.listener.on_event({"type": "response.created", "response": {"id": "r0"}})
    heard.listener.on_event({"type": "input_audio_buffer.speech_started", "item_id": "u1"})
    heard.caller_audio.hear(bytes(320), 8000)
    for event in SETTLED.get(by) or OPEN[by]:
        heard.listener.on_event(event)
    heard.caller_audio.answer_heard("r1")
    heard.sent.clear()
    heard.caller_audio.close_uplink()
    heard.caller_audio.open_uplink()
    assert [len(each) for each in heard.sent] == ([] if by in SETTLED else [160])


def test_an_event_that_the_vocabulary_does_not_know_is_logged_once_and_reaches_observers() -> None:
    heard = Heard()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            heard.listener.on_event({"type": "response.sung"})
        heard.listener.on_undecodable(DecodeFailure("malformed_json", "at 1", 7))
    assert [each for each in logs if each["event"] == "unknown_wire_event"] == [
        {"event": "unknown_wire_event", "type": "response.sung", "log_level": "info"}
    ]
    assert len(heard.wire) == 3 and len(heard.mailbox) == 0


@pytest.mark.virtual_time
@pytest.mark.parametrize("ends_by", ["nothing", "leave", "on_closed", "no word for it"])
async def test_a_session_that_is_about_to_expire_is_announced_unless_it_is_gone(ends_by: str) -> None:
    heard = Heard()
    if ends_by == "no word for it":
        words = heard.listener.vocabulary
        others = {name: word for name, word in words.events.items() if name != EXPIRING}
        heard.listener.vocabulary = attrs.evolve(words, events=others)
    heard.listener.on_event({"type": "session.created", "session": {"expires_at": time.time() + 60}})
    if ends_by == "leave":
        heard.listener.leave()
    elif ends_by == "on_closed":
        heard.listener.on_closed(ConnectionEnding(1006, "", False))
    await asyncio.sleep(100)
    assert len(heard.mailbox.waiting(EXPIRING)) == (ends_by == "nothing")


@pytest.mark.virtual_time
async def test_a_socket_that_was_left_is_heard_by_nobody() -> None:
    heard = Heard()

    def everything() -> tuple[int, int, int]:
        heard.listener.on_open()
        heard.listener.on_event({"type": "session.created"})
        heard.listener.on_audio(AudioDelta("resp_1", "item_1", 0, bytes(160)))
        heard.listener.on_closed(ConnectionEnding(1006, "", False))
        heard.listener.on_unreachable(ConnectionEnding(None, "", False))
        return len(heard.mailbox), len(heard.wire), heard.playout.queued_ms

    assert everything() == (4, 1, 20)
    heard.listener.leave()
    assert everything() == (4, 1, 20)
