"""The ids of one call over the Realtime protocol, and those that we give. Source: docs/facts/realtime_api.md section 3.

Each topic is a small tuple of its own: an event changes one of them, and the others are shared with the value before.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fsm.machine.ledgers.call import Keys, Responses, Tools

EVENT_ID_PREFIX: Final = "ts_"


class ToolAnswers(NamedTuple):
    """Answers to tool calls that the provider has not shown yet, each with its call; and the calls of rejected ones."""

    unshown: tuple[tuple[str, str], ...] = ()
    rejected: tuple[str, ...] = ()

    def with_answer(self, call: str, output: str) -> ToolAnswers:
        return ToolAnswers((*self.without(call).unshown, (call, output))[-16:], self.rejected)

    def without(self, *names: str | None) -> ToolAnswers:
        return ToolAnswers(tuple([answer for answer in self.unshown if answer[0] not in names]), self.rejected)


class Sent(NamedTuple):
    """What we have sent."""

    serial: int = 0
    """The number of the last event id of ours."""
    unechoed: tuple[tuple[str, str], ...] = ()
    """Items of ours that were not shown yet: the event id they were sent with, and their call or item id."""
    say: str | None = None
    """What the application last wished to have said, for as long as it may have to be asked for again."""
    answers: ToolAnswers = ToolAnswers()


class Ledger(NamedTuple):
    """The ids of one call. Every collection is bounded: the oldest goes."""

    keys: Keys = Keys()
    tools: Tools = Tools()
    responses: Responses = Responses()
    sent: Sent = Sent()
    turns: tuple[tuple[str, str], ...] = ()
    """The caller's turns: item id, and the phase it has reached."""
    target: str = ""
    """To whom the caller is to be put through, by its key."""

    @property
    def create(self) -> str | None:
        return self.responses.create

    @property
    def running(self) -> tuple[str, ...]:
        return self.tools.running

    # `_replace` costs four times as much as these.

    def with_keys(self, keys: Keys) -> Ledger:
        return Ledger(keys, self.tools, self.responses, self.sent, self.turns, self.target)

    def with_tools(self, tools: Tools) -> Ledger:
        return Ledger(self.keys, tools, self.responses, self.sent, self.turns, self.target)

    def with_responses(self, responses: Responses) -> Ledger:
        return Ledger(self.keys, self.tools, responses, self.sent, self.turns, self.target)

    def with_sent(self, sent: Sent) -> Ledger:
        return Ledger(self.keys, self.tools, self.responses, sent, self.turns, self.target)

    def with_turns(self, turns: tuple[tuple[str, str], ...]) -> Ledger:
        return Ledger(self.keys, self.tools, self.responses, self.sent, turns, self.target)

    def with_target(self, target: str) -> Ledger:
        return Ledger(self.keys, self.tools, self.responses, self.sent, self.turns, target)

    def without_session(self) -> Ledger:
        """The ids of a session end with its socket; what it has said may still be playing."""
        _, current, answered, opened, ended = self.responses
        responses = Responses(None, None, current or answered, opened, ended)
        sent = Sent(self.sent.serial, (), self.sent.say)
        return Ledger(self.keys, self.tools, responses, sent, (), self.target)


def event_id(effect: str, serial: int) -> str:
    """Our id on a client event: `ts_<effect>_<n>`, so that an error that carries it names its effect."""
    return f"{EVENT_ID_PREFIX}{effect}_{serial}"


def effect_of(name: str) -> str | None:
    """The effect an event id of ours stands for, or None: `ts_create_response_7` is create_response."""
    if not name.startswith(EVENT_ID_PREFIX):
        return None
    return name.removeprefix(EVENT_ID_PREFIX).rpartition("_")[0] or None
