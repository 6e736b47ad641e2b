"""What the caller says, from the line to the provider: one path for each call. Never who has the floor.

A frame is transcoded, goes up (or is kept while there is no session), is remembered until the provider has its turn,
ends a gap that is filled with silence, is listened to for silence and speech where that is asked for, and is recorded;
where only one side is heard at a time, silence goes up in its place while the agent is audible; while the caller says
what nobody is to know, he is neither heard nor recorded. The clock
is the 20 ms tick of the call and not the caller's frames: a muted phone, hold, a pressed key and DTX send no frames at
all (docs/facts/telephony.md section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from adapters.audio import OnFact
from adapters.audio.beep import BeepDetector
from adapters.audio.formats import FRAME_MS, AudioFormat, Transcoder, converted
from adapters.audio.half_duplex import HalfDuplex
from adapters.audio.recorder import Recorder
from adapters.audio.silence import SilenceWatch
from adapters.audio.speech import VoiceActivityDetector
from adapters.audio.uplink import COMMITTABLE_MS, Uplink

GAP_MS: Final = 200  # later than this no frame is only late
ONSET_MS: Final = 1000  # a provider reports speech when it is sure, and counts from before that
_SLACK_MS: Final = 200
_REMEMBERED: Final = 16  # turns, and responses that began


class CallerAudioPath:
    """The caller's audio of one call. `hear` with every frame of the line, `tick` every 20 ms.

    `holds_turns`: the caller opens and closes a turn; the uplink is open in turns only, and what is to be said again
    goes up by `resend_turn`: nothing else would commit it. Else the next session is sent it when the uplink opens.
    Fact: `uplink.kept` {} when there is no session and what nobody has answered is kept for the next one; of a
    turn that the caller holds, when it is long enough to be committed.
    """

    def __init__(
        self,
        transcoder: Transcoder,
        uplink: Uplink,
        silence: SilenceWatch,
        unanswered: UnansweredAudio,
        recorder: Recorder | None = None,
        half_duplex: HalfDuplex | None = None,
        speech: VoiceActivityDetector | None = None,
        on_fact: OnFact = lambda _name, _data: None,
        *,
        holds_turns: bool = False,
    ) -> None:
        self._on_fact = on_fact
        self._holds_turns = holds_turns
        self._transcoder = transcoder
        self._uplink = uplink
        self._silence = silence
        self._unanswered = unanswered
        self._recorder = recorder
        self._half_duplex = half_duplex
        self._speech = speech
        self._is_hidden = False
        self.is_turn_kept = False
        """Will the next session be sent what nobody has answered?"""
        self._beep: BeepDetector | None = None
        self._filler = SilenceFiller(transcoder.provider_in, self._send_up)

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        """A frame of any length: up to the provider within this call."""
        if self._is_hidden:
            return
        if self._beep is not None and self._beep.hear(pcm, rate_hz):
            self._beep = None
            self._on_fact("caller.beeped", {})
        payload = self._transcoder.to_provider(pcm, rate_hz)
        if self._half_duplex is not None and self._half_duplex.is_muted:
            self._send_up(self._half_duplex.silenced(payload))
            if self._speech is not None:
                self._speech.ignore()
        else:
            self._send_up(payload)
            if self._silence.watching:
                self._silence.hear(pcm)
            if self._speech is not None:
                self._speech.hear(pcm, rate_hz)
        self._filler.missing = 0
        if self._recorder is not None:
            self._recorder.hear(pcm, rate_hz)

    def tick(self, agent_frame: bytes | None) -> None:
        """20 ms have passed, in which the caller heard this frame, or silence."""
        if self._half_duplex is not None:
            self._half_duplex.tick(agent_frame)
        if self._speech is not None:
            self._speech.tick(agent_frame)
        if self._uplink.is_open:
            self._filler.tick()
        if self._silence.watching:
            self._silence.tick()
        if self._recorder is not None:
            self._recorder.tick(None if self._is_hidden else agent_frame)

    def hide(self) -> None:
        """Until `show` nobody hears the caller, and nothing is recorded: silence stands in both places."""
        self._is_hidden = True
        if self._speech is not None:
            self._speech.ignore()

    def show(self) -> None:
        """The caller is heard and the call is recorded again."""
        self._is_hidden = False

    def close(self) -> None:
        """The call is over: the recording ends."""
        if self._recorder is not None:
            self._recorder.close()

    # --- the way up ---------------------------------------------------------------------------------------------------

    def send_to(self, send: Callable[[bytes], object]) -> None:
        """Where caller audio goes from here on."""
        self._uplink.send_to(send)

    def open_uplink(self) -> None:
        """Sends what was kept, and lets through what follows."""
        self.is_turn_kept = False
        if self._holds_turns:
            self._unanswered.open()
        self._unanswered.remember(self._uplink.open())

    def close_uplink(self) -> None:
        """What nobody has answered by now is kept for the next session, before what comes next."""
        self._uplink.close()
        if self._holds_turns:
            return
        kept = self._unanswered.take()
        for payload in kept:
            self._uplink.hear(payload)
        if kept:
            self.is_turn_kept = True
            self._on_fact("uplink.kept", {})

    def session_left(self) -> None:
        """A session is gone."""
        if self._holds_turns and self._unanswered.kept_ms >= COMMITTABLE_MS:
            self._on_fact("uplink.kept", {})

    def keep_turn(self) -> None:
        """The caller begins a turn without a session: what is said from now on is kept for the next one."""
        self._unanswered.open()

    def end_kept_turn(self) -> None:
        """The caller ends it, before there is one."""
        self._unanswered.commit("")

    def resend_turn(self) -> None:
        """What nobody has answered goes up once more, through a closed uplink, too."""
        for payload in self._unanswered.take():
            self._uplink.send(payload)
            self._unanswered.remember(payload)

    def turn_discarded(self) -> None:
        """The provider is told to forget what was said since the last commit."""
        self._unanswered.discard()

    def switch(self, provider_in: AudioFormat) -> None:
        """The provider takes another format: what is kept is converted, what follows is encoded so."""
        if provider_in == self._transcoder.provider_in:
            return
        self._uplink.switch(provider_in)
        self._unanswered.switch(provider_in)
        self._transcoder.send_as(provider_in)
        self._filler = SilenceFiller(provider_in, self._send_up)

    def turn_began(self) -> None:
        """The provider heard the caller begin to speak."""
        self._unanswered.open()

    def turn_committed(self, item_id: str) -> None:
        """The provider's conversation holds what was said so far, as this item if it has an id."""
        self._unanswered.commit(item_id)

    def turn_written_down(self, item_id: str) -> None:
        """What was said in a turn is known as text."""
        self._unanswered.forget(item_id)

    def response_began(self, response_id: str) -> None:
        """The provider answers what was said so far; to be told again by its end changes nothing."""
        self._unanswered.answer(response_id)

    def answer_heard(self, response_id: str) -> None:
        """The caller has heard enough of a response to call it an answer."""
        self._unanswered.heard(response_id)

    def _send_up(self, payload: bytes) -> None:
        self._uplink.hear(payload)
        if self._uplink.is_open:
            self._unanswered.remember(payload)
        elif self._holds_turns and self._unanswered.is_open:  # a turn goes on without a session
            before_ms = self._unanswered.kept_ms
            self._unanswered.remember(payload)
            if before_ms < COMMITTABLE_MS <= self._unanswered.kept_ms:
                self._on_fact("uplink.kept", {})

    def listen_for_beep(self) -> None:
        """The next one is reported: `caller.beeped` {}."""
        self._beep = BeepDetector()

    # --- the local ear ------------------------------------------------------------------------------------------------

    def watch_silence(self) -> None:
        self._silence.watch()

    def unwatch_silence(self) -> None:
        self._silence.unwatch()


class SilenceFiller:
    """Silence toward the provider where the phone sends nothing. `missing` is 0 at every frame, `tick` every 20 ms.

    The provider's VAD counts the audio it is sent, not seconds: without this it would wait without end for the end of a
    turn. What is missing after 200 ms goes out as silence.
    """

    __slots__ = ("_frame", "_send", "_wait", "missing")

    def __init__(self, payload_format: AudioFormat, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._frame = payload_format.silence()
        self._wait = GAP_MS // FRAME_MS
        self.missing = 0
        """So many ticks without a frame."""

    def tick(self) -> None:
        self.missing = missing = self.missing + 1
        if missing >= self._wait:
            self._send(self._frame * self._wait if missing == self._wait else self._frame)


@attrs.define(eq=False)
class _Turn:
    """A turn that the provider's conversation holds as audio."""

    item_id: str
    said: bytes
    answers: set[str]
    """Responses that began since: any of them is its answer, once it is heard."""


class UnansweredAudio:
    """What the caller has said and nobody has answered: the newest `keep_ms`; 0: nothing is kept.

    What a session holds is gone with it. A turn is kept until an answer to it has been heard or it is known as text,
    which a new session is told; without this the caller would have spoken to nobody, and nobody would answer.
    """

    def __init__(self, payload_format: AudioFormat, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._said = bytearray()
        self.is_open = False
        self._answers: set[str] = set()
        self._committed: list[_Turn] = []
        self._begun: list[str] = []  # a deque would take ten times as much
        self._measure(payload_format)

    def _measure(self, payload_format: AudioFormat) -> None:
        self._format = payload_format
        self._turn_bytes = payload_format.bytes_in(self._keep_ms)
        self._onset_bytes = payload_format.bytes_in(min(ONSET_MS, self._keep_ms))
        self._slack_bytes = payload_format.bytes_in(min(_SLACK_MS, self._keep_ms))
        self._most_bytes = self._turn_bytes if self.is_open else self._onset_bytes

    def switch(self, payload_format: AudioFormat) -> None:
        """Another format from here on, also of what is remembered."""
        self._trim()
        self._said = bytearray(converted(bytes(self._said), self._format, payload_format))
        for turn in self._committed:
            turn.said = converted(turn.said, self._format, payload_format)
        self._measure(payload_format)

    def remember(self, payload: bytes) -> None:
        """Went up to the provider."""
        self._said += payload
        if len(self._said) > self._most_bytes + self._slack_bytes:
            self._trim()

    def _trim(self) -> None:
        """Not with every frame: whoever reads `_said` does it before."""
        del self._said[: max(len(self._said) - self._most_bytes, 0)]

    def open(self) -> None:
        """A turn begins, a little before now."""
        self._trim()
        self.is_open, self._most_bytes = True, self._turn_bytes

    def commit(self, item_id: str) -> None:
        """The provider's conversation holds the turn, as this item if it has an id."""
        self._trim()
        if self.is_open:
            self._committed.append(_Turn(item_id, bytes(self._said), self._answers))
        elif item_id and self._committed and not self._committed[-1].item_id:
            self._committed[-1].item_id = item_id
        self.discard()
        while self._committed and sum(len(turn.said) for turn in self._committed[1:]) >= self._turn_bytes:
            del self._committed[0]  # what came since is all that may be kept
        del self._committed[:-_REMEMBERED]  # a flood of turns in which nothing was said

    def answer(self, response_id: str) -> None:
        """A response begins: it answers what was said by now. Once for each response that has an id."""
        if response_id in self._begun:
            return
        self._begun = [*self._begun[1 - _REMEMBERED :], response_id]
        for turn in self._committed:
            turn.answers.add(response_id)
        if self.is_open:  # it talks over the caller, or the commit was lost
            self._answers.add(response_id)

    def heard(self, response_id: str) -> None:
        """The caller has heard a response: what it answers is answered."""
        names = {response_id, ""}  # a response that began without a name may be this one
        self._committed = [turn for turn in self._committed if names.isdisjoint(turn.answers)]
        if not names.isdisjoint(self._answers):
            self.discard()

    def forget(self, item_id: str) -> None:
        """A turn is known as text."""
        self._committed = [turn for turn in self._committed if not item_id or turn.item_id != item_id]

    def take(self) -> list[bytes]:
        """The session is left: what is to be said to the next one, in pieces; once, unless that one is lost, too."""
        said = b"".join(turn.said for turn in self._committed) + (bytes(self._said) if self.is_open else b"")
        said = said[max(len(said) - self._turn_bytes, 0) :]
        self._committed.clear()
        self.discard()
        if said:
            self.open()  # it goes up again, as a turn that no conversation holds
        return self._format.frames(said)

    @property
    def kept_ms(self) -> int:
        """How much would be said again."""
        said_bytes = sum(len(turn.said) for turn in self._committed) + (len(self._said) if self.is_open else 0)
        return self._format.ms(min(said_bytes, self._turn_bytes))

    def discard(self) -> None:
        """What was said since the last commit is nothing."""
        self.is_open, self._most_bytes, self._answers = False, self._onset_bytes, set()
        self._said.clear()
