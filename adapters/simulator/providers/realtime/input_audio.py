"""The caller's side: the input buffer, turn detection, commits, the idle timeout. No responses.

Source: docs/facts/realtime_api.md sections 3.0, 3.2, 3.4, 3.8, 3.9. All clocks here are milliseconds of received audio.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.simulator.providers.realtime.conversation import ConversationItem
from adapters.simulator.providers.realtime.dialect import IDLE_PROMPT, MIN_COMMIT_MS, Json
from adapters.simulator.providers.realtime.errors import buffer_too_small, empty_audio, invalid_audio
from adapters.simulator.providers.realtime.provider_scenario import UserTurn
from adapters.simulator.providers.realtime.session_context import SessionContext
from adapters.simulator.providers.realtime.transcripts import Transcripts
from adapters.simulator.providers.realtime.wire_audio import RATES_HZ, audio_bytes, decode_audio, delta_bytes, of_pcm
from adapters.simulator.providers.voice_activity import FRAME_MS, Frames, VoiceActivity

MOST_KEPT_MS = 30_000  # of a turn's sound, its last part: bounded, whatever a client sends
_PATIENCE = {"low": 2.0, "medium": 1.0, "auto": 1.0, "high": 0.5}


class InputAudio:
    """One session's input. `on_turn_began` and `on_turn_ended` are called with the time."""

    def __init__(
        self, context: SessionContext, on_turn_began: Callable[[float], None], on_turn_ended: Callable[[float], None]
    ) -> None:
        self._context = context
        self._on_turn_began, self._on_turn_ended = on_turn_began, on_turn_ended
        self._transcripts = Transcripts(context)
        self._frames = Frames()
        self._activity = VoiceActivity(context.settings.vad_trigger_frames)
        self._buffered_from_ms = 0.0
        self._speaking_id: str | None = None
        self._idle_from_ms: int | None = None
        self._kept = bytearray()

    @property
    def speaking(self) -> bool:
        """Between speech_started and speech_stopped."""
        return self._speaking_id is not None

    # --- client events ----------------------------------------------------------------------------------------------

    def append(self, event: Json, now_s: float) -> None:
        """An input_audio_buffer.append. WireError: too long, or no audio in it."""
        payload = audio_bytes(event["audio"])
        if payload is None:
            raise invalid_audio()
        if not payload:
            raise empty_audio()
        self._take(payload, self._context.session.input_format, now_s)

    def hear(self, pcm: bytes, now_s: float) -> None:
        """What comes by the session's media, 24 kHz PCM, whatever its format says."""
        wire_format = self._context.session.input_format
        self._take(of_pcm(pcm, wire_format), wire_format, now_s)

    def _take(self, payload: bytes, wire_format: str, now_s: float) -> None:
        for end_ms, level_dbfs in self._frames.feed(decode_audio(payload, wire_format), RATES_HZ[wire_format]):
            self._frame(end_ms, level_dbfs, now_s)
        self._keep(payload, wire_format)
        self._context.stats.audio_ms = self._frames.received_ms

    def _keep(self, payload: bytes, wire_format: str) -> None:
        """The last of the buffer's sound, for who retrieves the item."""
        self._kept += payload
        del self._kept[: -delta_bytes(MOST_KEPT_MS, wire_format)]

    def commit(self, now_s: float) -> None:
        """A client's commit. WireError: less than 100 ms in the buffer."""
        buffered_ms = self._frames.received_ms - self._buffered_from_ms
        if buffered_ms < MIN_COMMIT_MS:
            raise buffer_too_small(buffered_ms)
        item_id, self._speaking_id = self._speaking_id, None
        self._activity.reset()
        self._commit(item_id or self._context.ids.item(), self._frames.received_ms, now_s)

    def clear(self, now_s: float) -> None:
        """Empty the buffer; a turn that had begun is forgotten."""
        self._kept.clear()
        self._buffered_from_ms = self._frames.received_ms
        self._speaking_id = None
        self._activity.reset()
        self._context.outbox.emit(now_s, "input_audio_buffer.cleared")

    def detection_changed(self) -> None:
        """After a session.update: a detector that was switched off forgets what it heard."""
        if self._context.session.turn_detection is None:
            self._activity.reset()
            self._speaking_id = None
            self._idle_from_ms = None

    # --- turn detection ---------------------------------------------------------------------------------------------

    def _frame(self, end_ms: int, level_dbfs: float, now_s: float) -> None:
        detection = self._context.session.turn_detection
        if detection is None:
            return
        threshold = float(detection.get("threshold", 0.5))
        change = self._activity.feed_frame(level_dbfs, threshold, self._silence_ms(detection))
        if change == "started":
            self._started(end_ms, detection, now_s)
        elif change == "stopped":
            self._stopped(end_ms, detection, now_s)
        elif not self._activity.speaking:
            self._watch_idleness(end_ms, detection, now_s)

    def _silence_ms(self, detection: Json) -> int:
        if detection["type"] == "semantic_vad":
            return int(self._context.settings.semantic_silence_ms * _PATIENCE[detection.get("eagerness", "auto")])
        return int(detection["silence_duration_ms"])

    def _started(self, end_ms: int, detection: Json, now_s: float) -> None:
        context = self._context
        self._idle_from_ms = None
        self._speaking_id = item_id = context.ids.item()
        start_ms = max(end_ms - int(detection.get("prefix_padding_ms", 300)), 0)
        context.outbox.emit(now_s, "input_audio_buffer.speech_started", audio_start_ms=start_ms, item_id=item_id)
        model = (context.session.transcription or {}).get("model") or ""
        if "realtime" in model:  # a streaming transcriber: it writes of an item that does not exist yet
            self._transcripts.begin(item_id, self._transcripts.said(context.stats.user_turns + 1), now_s)
        if detection["interrupt_response"]:
            self._on_turn_began(now_s)

    def _stopped(self, end_ms: int, detection: Json, now_s: float) -> None:
        item_id, self._speaking_id = self._speaking_id or self._context.ids.item(), None
        self._idle_from_ms = None
        self._context.outbox.emit(now_s, "input_audio_buffer.speech_stopped", audio_end_ms=end_ms, item_id=item_id)
        self._commit(item_id, end_ms, now_s)
        if detection["create_response"]:
            self._on_turn_ended(now_s)

    def _commit(self, item_id: str, until_ms: float, now_s: float, transcript: UserTurn | None = None) -> None:
        context = self._context
        seconds = (until_ms - self._buffered_from_ms) / 1000
        self._buffered_from_ms = until_ms
        item = ConversationItem(
            id=item_id, type="message", role="user", content=[{"type": "input_audio", "transcript": None}]
        )
        item.sound, item.sound_format = bytes(self._kept), context.session.input_format
        self._kept.clear()
        context.conversation.keep_sound(item)
        previous = context.conversation.append(item)
        context.outbox.emit(now_s, "input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        context.announce(now_s, item, previous)
        if transcript is None:
            context.stats.user_turns += 1
            context.news.user = True
            context.news.heard = self._transcripts.said(context.stats.user_turns).text
        if context.session.transcription is not None:
            said = transcript or self._transcripts.said(context.stats.user_turns)
            self._transcripts.finish(item, said, seconds, now_s)

    # --- the idle timeout -------------------------------------------------------------------------------------------

    def expect_idleness(self, audio_ms: float) -> None:
        """A response is done: the idle timer starts after this much more received audio (it is being played)."""
        self._idle_from_ms = int((self._frames.received_ms + audio_ms) // FRAME_MS) * FRAME_MS

    def forget_idleness(self) -> None:
        """A response began: nobody is idle."""
        self._idle_from_ms = None

    def _watch_idleness(self, end_ms: int, detection: Json, now_s: float) -> None:
        timeout_ms = detection.get("idle_timeout_ms")
        if timeout_ms is None or self._idle_from_ms is None or end_ms < self._idle_from_ms + timeout_ms:
            return
        context, start_ms = self._context, self._idle_from_ms
        self._idle_from_ms = None
        item_id = context.ids.item()
        context.outbox.emit(
            now_s,
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=start_ms,
            audio_end_ms=end_ms,
            item_id=item_id,
        )
        part = {"type": "input_text", "text": IDLE_PROMPT}
        prompt = ConversationItem(id=context.ids.item(), type="message", role="system", content=[part])
        context.announce(now_s, prompt, context.conversation.append(prompt))
        context.news.idle = True
        self._commit(item_id, end_ms, now_s, transcript=UserTurn(text=""))
        self._on_turn_ended(now_s)
