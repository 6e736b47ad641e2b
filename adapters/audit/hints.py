"""What stands around an event in a log: whose it is, which call's. Words and keys, as tables. Never the event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fsm.audit.record import Direction

Names = Mapping[str, str]
_CLIENT: Final = frozenset(
    {"client", "out", "outgoing", "outbound", "send", "sent", "sending", "tx", "up", "c2s", "request", "wire_out",
     "client_to_server", "->", "-->", ">>>", "→", ">"}
)  # fmt: skip
_SERVER: Final = frozenset(
    {"server", "in", "incoming", "inbound", "recv", "receive", "received", "receiving", "rx", "down", "s2c", "provider",
     "openai", "wire_in", "server_to_client", "<-", "<--", "<<<", "←", "<"}
)  # fmt: skip
_SIDES: Final = ("dir", "direction", "from", "source", "side", "origin", "kind", "type", "role", "event")
_OWN_SIDES: Final = ("dir", "direction", "side", "origin")  # beside an event's own fields
_ARROWS: Final = (("C>S", "client"), ("S>C", "server"),
                  ("-->", "client"), (">>>", "client"), ("<--", "server"), ("<<<", "server"), ("->", "client"),
                  ("<-", "server"), ("→", "client"), ("←", "server"), ("⇒", "client"), ("⇐", "server"))  # fmt: skip
_WORDS: Final = re.compile(r"[A-Za-z_]+")
CALL_KEYS: Final = (
    "call_id", "call_sid", "call_uuid", "call", "session_id", "stream_sid", "conversation_id", "connection_id",
    "conn_id", "channel_id", "room_id", "socket_id", "session", "connection", "conn", "room",
)  # fmt: skip
"""Names under which a log tells its calls apart, the surest first."""
_TOOL_CALL: Final = re.compile(r"call_[A-Za-z0-9]{8,}")
_IDENTITY: Final = re.compile(r"[\w.:@/+-]{1,80}")
_IN_TEXT: Final = re.compile(
    r"\b(call|session|stream|conversation|connection|conn|channel|room|socket)[ _-]?(id|sid|uuid)?['\"]?\s*[=:#-]\s*"
    r"['\"]?([\w.@-]*\d[\w.@-]*)",
    re.IGNORECASE,
)


def side_of(word: str) -> Direction | None:
    """Whose a word of a log says an event is."""
    lower = word.strip().lower()
    if lower in _CLIENT:
        return "client"
    return "server" if lower in _SERVER else None


def side_in(found: Mapping[str, object], own: bool = False) -> Direction | None:
    """Whose an event is by what stands beside it; `own`: beside it among its own fields."""
    for key in _OWN_SIDES if own else _SIDES:
        word = found.get(key)
        side = side_of(word) if isinstance(word, str) else None
        if side is not None:
            return side
    return None


def side_in_text(prefix: str) -> Direction | None:
    """Whose an event is by what stands before it: an arrow, else the last word for it."""
    for arrow, side in _ARROWS:
        if arrow in prefix:
            return "client" if side == "client" else "server"
    words = [side_of(word) for word in _WORDS.findall(prefix)]
    return next((side for side in reversed(words) if side is not None), None)


def calls_in(found: Mapping[str, object]) -> Names:
    """What in an object of a log may name the call it is about."""
    names: dict[str, str] = {}
    for key, value in found.items():
        name = _snake(key)
        if name in CALL_KEYS and isinstance(value, str | int) and not isinstance(value, bool):
            _name(names, name, str(value))
    return names


def calls_in_text(prefix: str) -> Names:
    """What before an event may name the call it is about."""
    names: dict[str, str] = {}
    for what, kind, value in _IN_TEXT.findall(prefix):
        _name(names, f"{what}_{kind}".lower() if kind else what.lower(), value)
    return names


def _name(names: dict[str, str], key: str, value: str) -> None:
    if _IDENTITY.fullmatch(value) and not _TOOL_CALL.fullmatch(value) and re.search(r"\d", value):
        names.setdefault(key, value)


def _snake(key: str) -> str:
    """`callSid`, `CallSid` and `call-sid` are call_sid."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).replace("-", "_").lower().lstrip("@_")
