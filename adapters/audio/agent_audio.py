"""What the caller hears, from the provider to the line: transcoding, playout, prompts. Never what to cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from adapters.audio.formats import AudioFormat, Transcoder
from adapters.audio.playout import Playout
from adapters.audio.playout_counts import Piece, PlayoutStats
from adapters.audio.prompt import PromptPlayer
from adapters.audio.under_way import UnderWay

Moment: TypeAlias = Literal["started", "stopped", "cleared"]
"""Of the playout of one response, where the provider plays it itself."""


class AgentPlayout(Protocol):
    """What a call, its effects and its provider do with the agent's audio, wherever it is played."""

    @property
    def is_playing(self) -> bool: ...

    @property
    def stats(self) -> PlayoutStats: ...

    def unheard(self) -> list[dict[str, Any]]:
        """What was not heard to its end, as a flush would report it now."""

    def pull(self) -> bytes | None: ...

    def advance(self, lead_ms: int) -> bytes | None: ...

    def push(self, response_id: str, item_id: str, content_index: int, payload: bytes) -> None: ...

    def duration_ms(self, payload: bytes) -> float: ...

    def switch(self, provider_out: AudioFormat) -> None: ...

    def end_content(self, response_id: str, item_id: str, content_index: int) -> None: ...

    def end_response(self, response_id: str) -> None: ...

    def play_prompt(self, name: str) -> None: ...

    def reassure(self, name: str | None = None) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def flush(self, response_ids: Sequence[str], spare: Collection[str], lead_ms: int = 0) -> None: ...

    def moment(self, moment: Moment, response_id: str) -> None:
        """What the provider says of a playout of its own."""

    def close(self) -> None:
        """No timer of it is left."""


class AgentAudioPath(AgentPlayout):
    """The agent's audio of one call. `pull` for every frame that leaves; all else as the provider and the effects do.

    `under_way`: the peer plays by its own clock; then `advance` every 20 ms, too.
    """

    def __init__(
        self, transcoder: Transcoder, playout: Playout, prompts: PromptPlayer, under_way: UnderWay[Piece] | None = None
    ) -> None:
        self._under_way = under_way
        self._opening: PromptPlayer | None = None
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
        """The next frame; None is silence. It is heard as it leaves, unless there is a lead."""
        if self._opening is not None:
            frame = self._opening.pull()
            if frame is not None:
                return self._sent(frame)
            self._opening = None
        frame = self._playout.pull()
        if frame is None:
            if not self._prompts.is_playing or self._playout.holds_back:
                return None
            frame = self._prompts.pull()
            return None if frame is None else self._sent(frame)
        if self._prompts.reassured:
            self._prompts.end_reassurance()
        return frame

    def _sent(self, frame: bytes) -> bytes:
        """One of our own."""
        if self._under_way is not None:
            self._under_way.sent(frame)
        return frame

    def advance(self, lead_ms: int) -> bytes | None:
        """20 ms have passed, and so much of what was pulled is not played yet. What the caller hears now, or None."""
        return self._under_way.advance(lead_ms) if self._under_way is not None else None

    def push(self, response_id: str, item_id: str, content_index: int, payload: bytes) -> None:
        """Audio of the provider, in its format, cut anywhere."""
        decode = self._transcoder.late_decode
        audio = payload if decode is not None else self._transcoder.from_provider(payload)
        self._playout.push(response_id, item_id, content_index, audio, decode)

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

    def moment(self, moment: Moment, response_id: str) -> None:
        """Some servers speak of a playout of theirs on any call; what the caller hears is played here."""

    def close(self) -> None:
        """It has no timers."""

    def open_with(self, prompt: PromptPlayer) -> None:
        """Heard before anything else; what is said meanwhile waits behind it."""
        self._opening = prompt

    def play_prompt(self, name: str) -> None:
        self._prompts.play(name)

    def reassure(self, name: str | None = None) -> None:
        """The caller waits and hears nothing: a moment, please; or what this prompt says."""
        if self._opening is None:
            self._prompts.reassure(name)

    def pause(self) -> None:
        """The agent is silent until `resume` or `flush`. A prompt stays behind what is queued."""
        self._playout.pause()

    def resume(self) -> None:
        """The agent goes on where it was."""
        self._playout.resume()

    def flush(self, response_ids: Sequence[str], spare: Collection[str], lead_ms: int = 0) -> None:
        """Cuts what is heard, and what still comes of these responses; those to `spare` play on.

        `lead_ms` of what was pulled are not played yet, and will not be.
        """
        if self._under_way is not None:
            self._under_way.witness(lead_ms)
        self._transcoder.drop_provider_audio()
        self._opening = None
        self._prompts.cut()
        self._prompts.end_reassurance()
        self._playout.flush(response_ids, spare)
