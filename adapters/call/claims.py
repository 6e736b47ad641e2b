"""What a provider says of itself, for one call: the session it confirms is followed, what is odd is logged once.

Never a decision about the call: a session that nobody could hear becomes a fact, and the spec decides.
"""

from __future__ import annotations

from typing import Final

import attrs
import structlog

from adapters.audio.agent_audio import AgentPlayout
from adapters.audio.caller_audio import CallerAudioPath
from adapters.providers.provider import Difference, ProviderComplained, SessionConfirmed

_LOGGED_AT_MOST: Final = 20  # of one kind: a broken server must not fill the log


@attrs.define(eq=False)
class ProviderClaims:
    """Shared by the connections of a call: a session after a reconnect repeats what was said."""

    agent_audio: AgentPlayout
    caller_audio: CallerAudioPath
    log: structlog.typing.FilteringBoundLogger
    _differences: set[Difference] = attrs.field(factory=set)
    _errors: set[str] = attrs.field(factory=set)

    def confirm(self, session: SessionConfirmed) -> dict[str, object]:
        """Follows the formats in use. The data of a `session.update_rejected` where one of them is none of ours."""
        if session.audio_in is None or session.audio_out is None:
            field = "input_format" if session.audio_in is None else "output_format"
            kept = next(each for each in session.differences if each.field == field)
            self.log.error("session_unusable", **attrs.asdict(kept))
            return {"reason": "audio format", **attrs.asdict(kept)}
        self.caller_audio.switch(session.audio_in)
        self.agent_audio.switch(session.audio_out)
        new = [each for each in session.differences if each not in self._differences]
        if new and len(self._differences) < _LOGGED_AT_MOST:
            self._differences.update(new)
            told = {name: [getattr(each, name) for each in new] for name in attrs.fields_dict(Difference)}
            self.log.warning("session_differs", **told)
        return {}

    def complain(self, error: ProviderComplained) -> None:
        """An error that is about nothing of ours; once for each code."""
        if error.code not in self._errors and len(self._errors) < _LOGGED_AT_MOST:
            self._errors.add(error.code)
            self.log.warning("provider_error", code=error.code, message=error.message)
