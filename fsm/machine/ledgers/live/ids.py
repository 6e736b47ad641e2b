"""The ids of one call over GPT-Live, and those that we give. Source: docs/facts/gpt_live.md sections 3 and 5.

Audio has no ids on the wire: what the model says is numbered by the codec. A delegated response has the id of its
delegation, one that we have continued has none ("").
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fsm.machine.ledgers.call import Keys, Responses, Tools

EVENT_ID_PREFIX: Final = "ts_"


class OpenCall(NamedTuple):
    """A function call that has no output at the provider yet."""

    call_id: str
    delegation: str
    output: str | None = None
    """None: its tool runs."""


class Work(NamedTuple):
    """What the model has delegated. Of each collection the oldest goes."""

    open: tuple[str, ...] = ()
    """The delegations whose response is being made; "": the one we have continued."""
    calls: tuple[OpenCall, ...] = ()
    """In the order in which they came."""
    inquiries: tuple[str, ...] = ()
    """The delegations that the application is to answer."""
    is_continued: bool = False
    """Our response.create waits for its response."""


class LiveIds(NamedTuple):
    """The ids of one call. Every collection is bounded: the oldest goes."""

    keys: Keys = Keys()
    tools: Tools = Tools()
    responses: Responses = Responses()
    """What the model says: `current` until it ends, then `answered`."""
    work: Work = Work()
    serial: int = 0
    """The number of the last event id of ours."""
    wish: str | None = None
    """What the application last wished to have said."""
    target: str = ""
    """To whom the caller is to be put through, by its key."""

    @property
    def create(self) -> str | None:
        return None

    @property
    def running(self) -> tuple[str, ...]:
        return self.tools.running

    def with_keys(self, keys: Keys) -> LiveIds:
        return self._replace(keys=keys)

    def with_tools(self, tools: Tools) -> LiveIds:
        return self._replace(tools=tools)

    def with_target(self, target: str) -> LiveIds:
        return self._replace(target=target)

    def with_work(self, work: Work) -> LiveIds:
        return self._replace(work=work)

    def without_session(self) -> LiveIds:
        """The ids of a session end with its socket; what it has said may still be playing."""
        responses = self.responses
        ended = Responses(answered=responses.current or responses.answered, ended=responses.ended)
        return self._replace(responses=ended, work=Work())


def event_id(effect: str, serial: int) -> str:
    """Our id on a client event: `ts_<effect>_<n>`, so that an error that carries it names its effect."""
    return f"{EVENT_ID_PREFIX}{effect}_{serial}"


def effect_of(name: str) -> str | None:
    """The effect an event id of ours stands for, or None: `ts_start_session_7` is start_session."""
    if not name.startswith(EVENT_ID_PREFIX):
        return None
    return name.removeprefix(EVENT_ID_PREFIX).rpartition("_")[0] or None
