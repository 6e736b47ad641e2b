"""What every ledger shares, because every call has it: keys, tools, and which response the caller hears.

A protocol's ledger is an immutable value that holds these three (CallLedger) beside its own ids; it includes IDENTITIES
and RECIPES in its tables, for the words of specs/vocabularies/call.yaml. Never here: what a wire looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar

from fsm.language.ledger import Args, Data, Fresh, Identity, Made, Recipe

UNKNOWN_RESPONSE: Final = "?"
"""A response whose id the provider did not say."""


class Keys(NamedTuple):
    """What the caller has pressed; `talk` opens and closes the turn."""

    talk: str = ""
    digits: str = ""


class Tools(NamedTuple):
    """Call ids: those seen, and those whose tool runs. Of each the oldest goes."""

    called: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


class Responses(NamedTuple):
    """Response ids. Each collection is bounded: the oldest goes."""

    create: str | None = None
    """The event id of our request that is still to be answered."""
    current: str | None = None
    answered: str | None = None
    """The one that ended last: what the caller has heard of it may not be known yet."""
    open: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


class CallLedger(Protocol):
    """The ids of a call, whatever the protocol."""

    @property
    def keys(self) -> Keys: ...
    @property
    def tools(self) -> Tools: ...
    @property
    def responses(self) -> Responses: ...
    @property
    def target(self) -> str:
        """To whom the caller is to be put through, by its key; "" where to nobody."""

    def with_target(self, target: str) -> Self: ...
    def with_keys(self, keys: Keys) -> Self: ...
    def with_tools(self, tools: Tools) -> Self: ...


L = TypeVar("L", bound=CallLedger)


# --- a call that goes on under another spec ---------------------------------------------------------------------------

TARGET: Final = "target"
WISH: Final = "wish"


def carried(ledger: CallLedger, wish: str | None) -> Mapping[str, str]:
    """What is the call's own; what is not known is left out."""
    found = {TARGET: ledger.target, WISH: wish or ""}
    return {name: value for name, value in found.items() if value}


def carry(ledger: L, said: Mapping[str, str]) -> L:
    """The target; the wish is kept elsewhere in each ledger."""
    return ledger.with_target(said.get(TARGET, ""))


# --- data and collections ---------------------------------------------------------------------------------------------


def text(data: Data, key: str) -> str | None:
    """The value if it is a text with something in it."""
    value = data.get(key)
    return value if isinstance(value, str) and value else None


def kept(entries: tuple[str, ...], new: str | None, bound: int) -> tuple[str, ...]:
    if new is None or new in entries:
        return entries
    return (*entries, new)[-bound:]


def without(entries: tuple[str, ...], gone: str | None) -> tuple[str, ...]:
    return tuple([e for e in entries if e != gone]) if gone in entries else entries


def last(entries: tuple[str, ...]) -> str | None:
    return entries[-1] if entries else None


# --- identities -------------------------------------------------------------------------------------------------------


def _tool_called(ledger: L, data: Data) -> tuple[str, L]:
    call, (called, running) = text(data, "call_id"), ledger.tools
    if call is None or call in called:
        return "seen", ledger
    return "new", ledger.with_tools(Tools(kept(called, call, 64), running))


def _tool_called_as(tag: str, ledger: L, fresh: Fresh) -> Data | None:
    call = fresh("call") if tag == "new" else last(ledger.tools.called)
    return {"call_id": call, "name": "look_up", "arguments": "{}"} if call else None


def _tool_returned(ledger: L, data: Data) -> tuple[str, L]:
    call, (called, running) = text(data, "call_id"), ledger.tools
    if call not in running:
        return "late", ledger
    return "pending", ledger.with_tools(Tools(called, without(running, call)))


def _tool_returned_as(tag: str, ledger: L, fresh: Fresh) -> Data | None:
    if tag == "late":
        return {"call_id": fresh("call"), "output": "done"}
    running = ledger.tools.running
    return {"call_id": running[0], "output": "done"} if running else None


def _playout_started(ledger: L, data: Data) -> tuple[str, L]:
    current = ledger.responses.current
    return ("current" if current is not None and data.get("response_id") == current else "other"), ledger


def _playout_started_as(tag: str, ledger: L, fresh: Fresh) -> Data | None:
    response = fresh("resp") if tag == "other" else ledger.responses.current
    return {"response_id": response} if response else None


def _playout_judged(ledger: L, data: Data) -> tuple[str, L]:
    """What the caller has heard of a response: of the one under way, or of the one that ended last."""
    responses = ledger.responses
    awaited = responses.current if responses.current is not None else responses.answered
    return ("current" if awaited is not None and data.get("response_id") == awaited else "other"), ledger


def _playout_judged_as(tag: str, ledger: L, fresh: Fresh) -> Data | None:
    response = fresh("resp") if tag == "other" else ledger.responses.current or ledger.responses.answered
    return {"response_id": response} if response else None


def _key(ledger: L, data: Data) -> tuple[str, L]:
    digit, (talk, digits) = text(data, "digit") or "", ledger.keys
    if digit and digit == talk:
        return "talk", ledger
    return "other", ledger.with_keys(Keys(talk, (digits + digit)[-64:]))


def _key_as(tag: str, ledger: L, _fresh: Fresh) -> Data | None:
    talk = ledger.keys.talk
    if tag == "other":
        return {"digit": "5" if talk != "5" else "6"}
    return {"digit": talk} if talk else None


def _transfer_requested(ledger: L, data: Data) -> tuple[str, L]:
    key = text(data, "key")
    if key is None:
        return "nobody", ledger
    return "named", ledger.with_target(key)


def _transfer_requested_as(tag: str, _ledger: L, _fresh: Fresh) -> Data | None:
    return {"key": "desk"} if tag == "named" else {}


IDENTITIES: Mapping[str, Identity[Any]] = {
    "tool_called": Identity(("new", "seen"), _tool_called, _tool_called_as),
    "tool_returned": Identity(("pending", "late"), _tool_returned, _tool_returned_as),
    "playout_started": Identity(("current", "other"), _playout_started, _playout_started_as),
    "playout_judged": Identity(("current", "other"), _playout_judged, _playout_judged_as),
    "key": Identity(("talk", "other"), _key, _key_as),
    "transfer_requested": Identity(("named", "nobody"), _transfer_requested, _transfer_requested_as),
}


FIELDS: Mapping[str, tuple[str, ...]] = {
    "caller.hung_up": ("reason",),
    "caller.pressed_key": ("digit",),
    "caller.pressed_secretly": ("key",),
    "prompt.finished": ("name",),
    "tool.returned": ("call_id", "output"),
    "transfer.completed": ("key",),
    "transfer.failed": ("key", "reason", "text"),
}
VALUES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("caller.pressed_key", "digit"): tuple("0123456789*#ABCD"),
    ("caller.pressed_secretly", "key"): ("digit", "*", "#"),
}


# --- recipes ----------------------------------------------------------------------------------------------------------


def _named(_effect: str, ledger: L, literal: str | None, _data: Data) -> Made[L]:
    return ({"name": literal},), ledger


def _flush(_effect: str, ledger: L, _literal: str | None, _data: Data) -> Made[L]:
    ids = kept(ledger.responses.open, ledger.responses.current, 9)
    return ({"response_ids": [i for i in ids if i != UNKNOWN_RESPONSE]},), ledger


def _run_tool(_effect: str, ledger: L, _literal: str | None, data: Data) -> Made[L]:
    call, (called, running) = text(data, "call_id") or "", ledger.tools
    args: Args = {"call_id": call, "name": text(data, "name") or "", "arguments": text(data, "arguments") or ""}
    return (args,), ledger.with_tools(Tools(called, kept(running, call, 16)))


def _forget_tools(_effect: str, ledger: L, _literal: str | None, _data: Data) -> Made[L]:
    called, running = ledger.tools
    return ({"call_ids": list(running)},), ledger.with_tools(Tools(called))


def _transfer(_effect: str, ledger: L, _literal: str | None, _data: Data) -> Made[L]:
    return ({"key": ledger.target},), ledger.with_target("")


def _target(_effect: str, ledger: L, literal: str | None, _data: Data) -> Made[L]:
    return (), ledger.with_target(literal or "")


def _given(_effect: str, ledger: L, _literal: str | None, data: Data) -> Made[L]:
    return ({"key": text(data, "key") or "", "value": text(data, "value") or ""},), ledger


RECIPES: Mapping[str, Recipe[Any]] = {
    "named": Recipe(("name",), _named, own="prompts"),
    "flush": Recipe(("response_ids",), _flush),
    "run_tool": Recipe(("call_id", "name", "arguments"), _run_tool),
    "transfer": Recipe(("key",), _transfer),
    "target": Recipe((), _target),
    "given": Recipe(("key", "value"), _given),
    "forget_tools": Recipe(("call_ids",), _forget_tools),
}
