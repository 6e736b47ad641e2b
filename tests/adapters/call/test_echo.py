"""A whole call on a speakerphone: what the agent says comes back. And who pays for a local ear."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import MagicMock

import attrs
import pytest

from adapters.call.call import Call, CallServices
from adapters.call.settings import CallLimits, CallSettings
from adapters.files import FileWriterThread
from adapters.lines.line import NO_DATA
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.simulator.caller.script import CallerSettings, Echo
from adapters.simulator.speech.library import read_samples, wav_path
from fsm.machine.machine import TurnSpecMachine
from tests.adapters.call.rig import Played, machine, play

pytestmark = pytest.mark.virtual_time

SPEAKERPHONE = CallerSettings(echo=Echo(delay_ms=120, gain_db=-14))
HEARS_ALL = {
    "steps": [
        "wait_agent_speaking",
        {"wait_agent_silent": {"for_ms": 1500}},
        {"say": "caller_order_status"},
        {"wait_agent_speaking": {"within_ms": 5000}},
        {"wait_agent_silent": {"for_ms": 1500}},
        "hang_up",
    ]
}


def told(played: Played) -> str:
    return "\n".join(played.watcher.story)


async def test_half_duplex_ends_self_interruptions() -> None:
    played = await play(HEARS_ALL, caller=SPEAKERPHONE, settings={"half_duplex": True})
    numbers = played.summary.as_json()
    assert (numbers["turns"], numbers["barge_ins"], numbers["answers"]) == (1, 0, 1), told(played)
    assert numbers["agent_audio_played_s"] == numbers["agent_audio_generated_s"] and played.caller.notes == ()
    audio_ms = played.sessions[0].audio_ms
    assert abs(audio_ms - played.caller.duration_ms) < 600, "the provider's clock runs on"


async def test_without_it_the_same_call_interrupts_itself() -> None:
    """Else the test above shows nothing."""
    played = await play(HEARS_ALL, caller=SPEAKERPHONE)
    numbers = played.summary.as_json()
    assert isinstance(numbers["barge_ins"], int) and numbers["barge_ins"] > 0, told(played)


# --- the local ear ----------------------------------------------------------------------------------------------------


def with_words(*extra: str) -> TurnSpecMachine:
    """The bundled machine with a vocabulary that has the local ear's word, or has it not."""
    spec = machine().spec
    events = {name: event for name, event in spec.vocabulary.events.items() if name != "caller.spoke"}
    events |= dict.fromkeys(extra, events["playout.drained"])
    return TurnSpecMachine(attrs.evolve(spec, vocabulary=attrs.evolve(spec.vocabulary, events=events)))


@pytest.mark.parametrize(("words", "found"), [((), 0), (("caller.spoke",), 1)], ids=["no word", "a word"])
async def test_the_local_ear_listens_only_where_the_vocabulary_has_a_word_for_it(
    words: tuple[str, ...], found: int
) -> None:
    endpoint = openai_endpoint("m", "sk-test", base_url="ws://127.0.0.1:1/v1/realtime")
    provider = RealtimeProvider(endpoint=endpoint, session=SessionSettings(model="m"))
    settings = CallSettings(limits=CallLimits(min_speech_ms=400))
    with ThreadPoolExecutor(1) as threads:
        services = CallServices(with_words(*words), provider, settings, {}, threads, FileWriterThread())
        call = Call("c1", MagicMock(rate_hz=8000, keeps_lead=False, data=NO_DATA), services)
        speech = read_samples(wav_path("caller_order_status"), 8000).tobytes()
        for at in range(0, len(speech), 320):
            call.on_audio(speech[at : at + 320], 8000)
            call.pull()
        assert len(call._mailbox.waiting("caller.spoke")) == found
