"""A call by LiveKit agents: AgentSession over its openai Realtime model, with a microphone and a loudspeaker of ours.

Arguments: the provider's URL, a folder of lines as 24 kHz PCM. No room and no server: the session alone.
"""

import asyncio
import sys
from pathlib import Path

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import openai
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

RATE_HZ, FRAME_BYTES = 24000, 960  # 20 ms


class Microphone(io.AudioInput):
    """20 ms of a line, or of silence, every 20 ms."""

    def __init__(self, lines):
        super().__init__(label="microphone")
        self.lines, self.saying, self.due = lines, b"", 0.0

    def say(self, name):
        self.saying = (self.lines / f"{name}.pcm").read_bytes()

    async def __anext__(self):
        now = asyncio.get_running_loop().time()
        self.due = max(self.due + 0.02, now - 0.5)
        await asyncio.sleep(max(self.due - now, 0))
        frame, self.saying = self.saying[:FRAME_BYTES], self.saying[FRAME_BYTES:]
        return rtc.AudioFrame(frame.ljust(FRAME_BYTES, b"\0"), RATE_HZ, 1, FRAME_BYTES // 2)


class Loudspeaker(io.AudioOutput):
    """Plays in real time, as a clock: what has come, since when, and whether it was cut."""

    def __init__(self):
        super().__init__(label="loudspeaker", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE_HZ)
        self.pushed_s, self.since, self.ending = 0.0, None, None
        self.finished, self.interrupted = 0, 0

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        if self.since is None:
            self.since = asyncio.get_running_loop().time()
            self.on_playback_started(created_at=self.since)
        self.pushed_s += frame.duration

    def played_s(self):
        return 0.0 if self.since is None else min(asyncio.get_running_loop().time() - self.since, self.pushed_s)

    def flush(self):
        super().flush()
        if self.since is not None and self.ending is None:
            self.ending = asyncio.get_running_loop().call_later(self.pushed_s - self.played_s(), self.end, False)

    def clear_buffer(self):
        if self.since is not None:
            self.end(True)

    def end(self, interrupted):
        if self.ending is not None:
            self.ending.cancel()
        played_s, self.since, self.ending, self.pushed_s = self.played_s(), None, None, 0.0
        self.finished, self.interrupted = self.finished + 1, self.interrupted + interrupted
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


class Helper(Agent):
    def __init__(self):
        super().__init__(instructions="You are a shop's telephone agent.")
        self.asked = []

    @function_tool
    async def weather(self, city: str) -> str:
        """The weather in a city."""
        self.asked.append(city)
        return f"21 degrees in {city}"


async def until(what, holds, most_s=30.0):
    end = asyncio.get_running_loop().time() + most_s
    while not holds():
        if asyncio.get_running_loop().time() > end:
            raise SystemExit(f"waited {most_s:g} s in vain: {what}")
        await asyncio.sleep(0.02)


async def main(url, folder):
    detection = ServerVad(type="server_vad", silence_duration_ms=500, create_response=True, interrupt_response=True)
    model = openai.realtime.RealtimeModel(base_url=url, api_key="test", model="gpt-realtime", turn_detection=detection)
    microphone, speaker, helper = Microphone(Path(folder)), Loudspeaker(), Helper()
    session = AgentSession(llm=model)
    session.input.audio, session.output.audio = microphone, speaker
    await session.start(helper)
    await session.generate_reply(instructions="Greet the caller.")
    await until("the greeting to be heard", lambda: speaker.finished == 1)
    microphone.say("caller_weather")
    await until("both tools to be run", lambda: len(helper.asked) == 2)
    await until("their answer to be heard", lambda: speaker.finished == 2)
    print("tools:", sorted(helper.asked))
    microphone.say("caller_returns")
    await until("the long answer to begin", lambda: speaker.since is not None)
    await asyncio.sleep(1.0)
    microphone.say("caller_interrupt")
    await until("the answer to be cut", lambda: speaker.interrupted == 1)
    await until("the last answer to be heard", lambda: speaker.finished == 4)
    await session.aclose()


asyncio.run(main(*sys.argv[1:]))
