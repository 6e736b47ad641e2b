"""What the SIP headers of a telephone call say of it, as the data of a call. All of it is the caller's own words.

Headers become variables as `sip.NAME`, so that none can be taken for one that decides something (`agent`); they are
bounded by the webhook that has read them, and shortened again where a model reads them (adapters/call/words.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

PREFIX: Final = "sip."
CALLER: Final = "from"
DIALLED: Final = "to"
_URI: Final = re.compile(r"(?:sips?|tel):([^\s;?<>,]{1,256})", re.IGNORECASE)


def variables_of(headers: Mapping[str, str]) -> dict[str, str]:
    """`headers`: names in lower case."""
    return {f"{PREFIX}{name}": value for name, value in headers.items()}


def number_of(value: str) -> str:
    """Of a `From` or `To`: the user of its address (`"A" <sip:+491@example.com>;tag=1`: +491), else its host; or ""."""
    _, bracket, enclosed = value.rpartition("<")
    found = _URI.search(enclosed if bracket else value)
    if found is None:
        return ""
    user, at, host = found[1].rpartition("@")
    named = unquote((user if at else host).partition(":")[0], errors="replace")
    return "".join(c for c in named if c.isprintable())
