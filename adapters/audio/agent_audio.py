"""What the caller hears, from the provider to the line: transcoding, playout, prompts. Never what to cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from adapters.audio.formats import AudioFormat, Transcoder
from adapters.audio.playout import Playout, PlayoutStats
from adapters.audio.prompt import PromptPlayer


class AgentAudioPath:
    """The agent's audio of one call. `pull` every 20 ms; everything else as the provider and the effects have it."""

    def __init__(self, transcoder: Transcoder, playout: Playout, prompts: PromptPlayer) -> None:
        self._transcoder = transcoder
        self._playout = playout
        self._prompts = prompts

    @property
    def is_playing(self) -> bool:
        return self._playout.is_playing

    @property
    def stats(self) -> PlayoutStats:
        return self._playout.stats

    def unheard(self) -> list[dict[str, Any]]:
        """What was not heard to its end, as a flush would report it now."""
        return self._playout.unheard()

    def pull(self) -> bytes | None:
        """The frame for the 20 ms that begin now; None is silence."""
        frame = self._playout.pull()
        if frame is None:
            return None if self._playout.holds_back else self._prompts.pull()
        if self._prompts.has_reassured:
            self._prompts.end_reassurance()
        return frame

    def push(self, response_id: str, item_id: str, content_index: int, payload: bytes) -> None:
        """Audio of the provider, in its format, cut anywhere."""
        self._playout.push(response_id, item_id, content_index, self._transcoder.from_provider(payload))

    def duration_ms(self, payload: bytes) -> float:
        """Of audio of the provider, in its format."""
        return len(payload) * 1000 / self._transcoder.provider_out.bytes_per_second

    def switch(self, provider_out: AudioFormat) -> None:
        """The provider sends another format from here on."""
        if provider_out != self._transcoder.provider_out:
            self._transcoder.receive_as(provider_out)

    def end_content(self, response_id: str, item_id: str, content_index: int) -> None:
        """No more audio of this piece: what the filter holds of it is heard, too."""
        tail = self._transcoder.end_of_provider_audio()
        if tail and response_id and item_id:
            self._playout.push(response_id, item_id, content_index, tail)

    def end_response(self, response_id: str) -> None:
        """No more audio of this response; an underrun is known from an end by it."""
        self._playout.mark_response_ended(response_id)

    def play_prompt(self, name: str) -> None:
        self._prompts.play(name)

    def reassure(self) -> None:
        """The caller waits and hears nothing: a moment, please."""
        self._prompts.reassure()

    def pause(self) -> None:
        """The agent is silent until `resume` or `flush`. A prompt stays behind what is queued."""
        self._playout.pause()

    def resume(self) -> None:
        """The agent goes on where it was."""
        self._playout.resume()

    def flush(self, response_ids: Sequence[str], spare: Collection[str]) -> None:
        """Cuts what is heard, and what still comes of these responses; those to `spare` play on."""
        self._transcoder.drop_provider_audio()
        self._prompts.cut()
        self._prompts.end_reassurance()
        self._playout.flush(response_ids, spare)
