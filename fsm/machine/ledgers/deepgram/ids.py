"""The ids of one call over Deepgram's Voice Agent. Source: docs/facts/deepgram_agent.md sections 1 and 6."""

from __future__ import annotations

from typing import NamedTuple

from fsm.machine.ledgers.call import Keys, Responses, Tools


class NamedCall(NamedTuple):
    """A function call that has no output yet: an output says both."""

    call_id: str
    name: str


class AgentIds(NamedTuple):
    """The ids of one call. Every collection is bounded: the oldest goes."""

    keys: Keys = Keys()
    tools: Tools = Tools()
    responses: Responses = Responses()
    """Answers: `current` while it is being sent, then `answered`."""
    calls: tuple[NamedCall, ...] = ()
    """In the order in which they came."""
    wish: str | None = None
    """What the application last wished to have said."""
    target: str = ""
    """To whom the caller is to be put through, by its key."""
    handle: str = ""
    """By which another connection takes the session up, where the provider gives one."""

    @property
    def create(self) -> str | None:
        return None

    @property
    def running(self) -> tuple[str, ...]:
        return self.tools.running

    def with_keys(self, keys: Keys) -> AgentIds:
        return self._replace(keys=keys)

    def with_tools(self, tools: Tools) -> AgentIds:
        return self._replace(tools=tools)

    def with_target(self, target: str) -> AgentIds:
        return self._replace(target=target)

    def name_of(self, call_id: str) -> str:
        return next((each.name for each in self.calls if each.call_id == call_id), "")

    def without_call(self, call_id: str) -> AgentIds:
        return self._replace(calls=tuple([each for each in self.calls if each.call_id != call_id]))

    def without_answer(self) -> AgentIds:
        """No answer is being sent; the last one may still be heard."""
        responses = self.responses
        last = responses.current or responses.answered
        return self._replace(responses=Responses(answered=last, ended=responses.ended))

    def without_session(self) -> AgentIds:
        """The ids of a session end with its socket; what it has said may still be playing."""
        return self.without_answer()._replace(calls=())
