"""How a browser, which can set no header, says its key: as WebSocket subprotocols. What it says so, as headers. No I/O.

The openai SDK for JavaScript offers `realtime`, `openai-insecure-api-key.KEY` and, for the older wire,
`openai-beta.realtime-v1`. The answer names `realtime`, and never the key. Inferred from that client, which closes a
connection that answers with a subprotocol it has not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

NAME: Final = "realtime"
_KEY: Final = "openai-insecure-api-key."
_BETA: Final = "openai-beta."
_OFFERED: Final = "sec-websocket-protocol"


def chosen_subprotocol(_connection: Any, offered: Sequence[Any]) -> Any:
    """`realtime` if it was offered."""
    return next((each for each in offered if each == NAME), None)


def said_as_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers (names in lower case) and, where they are not there, those that subprotocols stand for."""
    found = dict(headers)
    for name in (each.strip() for each in headers.get(_OFFERED, "").split(",")):
        if name.startswith(_KEY):
            found.setdefault("authorization", f"Bearer {name.removeprefix(_KEY)}")
        elif name.startswith(_BETA):
            found.setdefault("openai-beta", name.removeprefix(_BETA).replace("realtime-v1", "realtime=v1"))
    return found
