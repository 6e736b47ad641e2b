"""The seam of the providers: what a call needs of a realtime model, and what it hears from it. Never which protocol.

A package of `adapters.providers` implements `Provider`: it opens connections, encodes effects, and reads of each wire
event what is not turn-taking (whose words it carries, which audio it ends: a `WireNote`). What an event means for a
turn is said by the vocabulary of the spec (fsm.machine.wire), not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from adapters.audio.agent_audio import Moment
from adapters.audio.formats import AudioFormat
from adapters.providers.control import ControlSide
from fsm.errors import LocalError

WireEvent: TypeAlias = dict[str, object]
"""One event of the provider's wire as its JSON object; never audio."""


class EncodingError(LocalError, ValueError):
    """An effect that has no wire form; the message is `effect.argument: what is wrong`."""


# --- what comes in ----------------------------------------------------------------------------------------------------


@attrs.frozen
class AudioDelta:
    """Agent audio in the provider's output format, keyed as the playout keys it."""

    response_id: str
    item_id: str
    content_index: int
    payload: bytes


@attrs.frozen
class DecodeFailure:
    """A message of the provider that nobody can read. `detail` never quotes the message."""

    kind: str
    detail: str
    size_bytes: int


@attrs.frozen
class ConnectionEnding:
    """`code` is the WebSocket close code: 1006 when the wire broke, None when we ended it or it never opened.

    `fatal`: another attempt would end in the same way. `is_missing`: there is nothing at the address (404).
    """

    code: int | None
    reason: str
    fatal: bool
    is_missing: bool = False


class ConnectionListener(Protocol):
    """Called synchronously, in wire order: `on_open`, then anything, then one end. It must return at once."""

    def on_open(self) -> None: ...

    def on_event(self, event: WireEvent) -> None:
        """Any event but audio, undecided and unchecked beyond having a `type`."""

    def on_audio(self, delta: AudioDelta) -> None: ...

    def on_undecodable(self, failure: DecodeFailure) -> None: ...

    def on_closed(self, ending: ConnectionEnding) -> None:
        """The end of a connection that had opened, or of any that `close()` ended."""

    def on_unreachable(self, ending: ConnectionEnding) -> None:
        """The end of one that had not opened."""


# --- what a wire event carries besides its meaning for a turn ---------------------------------------------------------


@attrs.frozen
class SessionBegan:
    """A session. `expires_at_s`: the Unix time at which the provider ends it, None if it does not say.

    `is_confirmed`: it began with our settings; nothing more will confirm it.
    """

    expires_at_s: float | None
    is_confirmed: bool = False


@attrs.frozen
class CallerStarted:
    """The caller began to speak."""


@attrs.frozen
class TurnAccepted:
    """The caller's turn is an item of the conversation, `item_id` if it has one."""

    item_id: str


@attrs.frozen
class ResponseStarted:
    """A response, "" if it has no id: the provider has the caller's turn that it answers."""

    response_id: str


@attrs.frozen
class ResponseGenerated:
    """A response has ended; its id, "" if it has none. `is_whole`: nothing of it was cut. `fatal`: why no other one
    would fare better (quota, key), or ""."""

    response_id: str
    is_whole: bool
    fatal: str = ""


@attrs.frozen
class ItemCompleted:
    """All of an item has been generated."""

    item_id: str


@attrs.frozen
class AudioGenerated:
    """All audio of one piece of content has been generated; an id that is missing is ""."""

    response_id: str
    item_id: str
    content_index: int


@attrs.frozen
class AgentPiece:
    """One piece of content of an item, by which audio and words of it find together; "": an item without an id."""

    item_id: str
    content_index: int


@attrs.frozen
class AgentSaid:
    """What the agent says in a piece, as text: all of it, or the next words. Whether it was heard is not known here."""

    piece: AgentPiece
    text: str
    is_all: bool


@attrs.frozen
class CallerSaid:
    """What the caller said in the turn of `item_id`, as text; "": it was listened to, and there were no words in it."""

    item_id: str
    text: str


@attrs.frozen
class Difference:
    """A setting of the session that is not what we asked for. `asked` and `got` are short texts for a log line."""

    field: str
    asked: str
    got: str


@attrs.frozen
class SessionConfirmed:
    """What the provider shows of its session after our update.

    The formats are those in use; None is one that we cannot decode. `differences` has it then, too.
    """

    audio_in: AudioFormat | None
    audio_out: AudioFormat | None
    differences: tuple[Difference, ...]


@attrs.frozen
class ProviderComplained:
    """An error of the provider in its own words, without secrets. `code` is "" where it has none.

    `is_fatal`: another session would meet it again (key, quota, model).
    """

    code: str
    message: str
    is_fatal: bool = False


@attrs.frozen
class ProviderUsage:
    """What an event says of the cost: its session's so far in seconds (None: not said), a response's in tokens."""

    session_s: float | None
    tokens: Mapping[str, int]


@attrs.frozen
class PlayoutMoment:
    """What a provider that plays the agent's audio itself says of a response."""

    moment: Moment
    response_id: str


@attrs.frozen
class KeyPressed:
    """A key of the caller's, where the provider has the line. One of `0-9 * # A-D`."""

    digit: str


WireNote: TypeAlias = (
    SessionBegan
    | PlayoutMoment
    | KeyPressed
    | CallerStarted
    | TurnAccepted
    | ResponseStarted
    | ResponseGenerated
    | ItemCompleted
    | AudioGenerated
    | AgentSaid
    | CallerSaid
    | SessionConfirmed
    | ProviderComplained
)


# --- what goes out ----------------------------------------------------------------------------------------------------


@attrs.frozen
class HistoryMessage:
    """What a party said, as text; a provider takes no assistant audio from a client."""

    role: Literal["user", "assistant", "system"]
    text: str


@attrs.frozen
class HistoryToolCall:
    """A call that has been answered. An open one is not restored: the new session would wait for it."""

    call_id: str
    name: str
    arguments: str
    output: str


HistoryItem: TypeAlias = HistoryMessage | HistoryToolCall


class ProviderConnection(Protocol):
    """One session's socket. Whoever opens it must `await close()`, also after an end was reported."""

    def open(self) -> None:
        """Begins the one attempt to connect, and returns at once."""

    async def close(self) -> None:
        """Ends it and waits for that, within a deadline. No event is reported after this call."""

    def send_audio(self, payload: bytes) -> bool:
        """Caller audio in the provider's input format, without a wait. False: dropped and counted."""

    def take_control(self) -> ControlSide:
        """The only way to send control events. Once."""


class Provider(Protocol):
    """One provider as configured; shared by all calls. `label` is what may be printed of its address."""

    @property
    def label(self) -> str: ...

    @property
    def audio_in(self) -> AudioFormat:
        """Of what it is sent."""

    @property
    def audio_out(self) -> AudioFormat:
        """Of what it sends."""

    def with_words(self, fill: Callable[[str], str]) -> Provider:
        """The same for one call, whose words are filled into what the model is told."""

    def warm_up(self) -> None:
        """Does what would hold the loop in the first call."""

    def next_protocol(self) -> str:
        """Which protocol the session speaks whose `connection` is asked for next: the name of its ledger."""

    def connection(self, listener: ConnectionListener) -> ProviderConnection:
        """A new session's connection, not opened yet."""

    def encode(self, effect_name: str, args: Mapping[str, object]) -> WireEvent:
        """The one wire event of an effect. A `create_response` with `greeting` says that, as the session's instructions
        would have it said. Raises EncodingError."""

    def encode_history(self, items: Iterable[HistoryItem]) -> list[WireEvent]:
        """What a new session is given of the one it takes over from, oldest first."""

    def note(self, event: WireEvent) -> WireNote | None:
        """What an event carries besides its meaning for a turn. Never raises, whatever the event holds."""

    def usage(self, event: WireEvent) -> ProviderUsage | None:
        """What an event says of the cost. Never raises."""


@attrs.frozen
class CallsAddress:
    """Where a provider is told of the calls that it has, over HTTP: `URL/CALL_ID/VERB?QUERY`."""

    url: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    query: str = attrs.field(default="", repr=False)


@runtime_checkable
class AttachableProvider(Provider, Protocol):
    """One whose sessions can have a second client: whoever has no audio of the call and decides its turns.

    The provider of a session attached to has, besides the usual effects, `flush_playout`: its playout is its own.
    """

    def attached(self, session_id: str) -> Provider:
        """The same, for the session of one call that goes on elsewhere. It is not ours: it is told no history."""

    def calls_address(self) -> CallsAddress:
        """Where its calls are accepted, referred and ended."""

    def session_to_accept(self) -> WireEvent:
        """The session that a call begins with when it is accepted: what the call itself will ask for."""
