"""What the provider says that a call has cost: seconds of its sessions, tokens of its responses. Never prices."""

from __future__ import annotations

from collections import Counter

import attrs

from adapters.providers.provider import ProviderUsage


@attrs.define(eq=False)
class CallUsage:
    """Of all sessions of a call, also what a session says when we have left it. A provider that says nothing: zeros."""

    tokens: Counter[str] = attrs.field(factory=Counter)
    _seconds: dict[object, float] = attrs.field(factory=dict)

    def take(self, session: object, usage: ProviderUsage) -> None:
        """`session`: whose. Its seconds are all of it so far, its tokens those of one response."""
        if usage.session_s is not None:
            self._seconds[session] = max(usage.session_s, self._seconds.get(session, 0.0))
        self.tokens.update(usage.tokens)

    @property
    def sessions_s(self) -> float:
        return sum(self._seconds.values())

    def as_json(self) -> dict[str, object]:
        return {"sessions_s": round(self.sessions_s, 1), "tokens": dict(self.tokens)}
