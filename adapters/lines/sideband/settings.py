"""How calls whose audio is elsewhere come in and are told, as one value. Never a connection."""

from __future__ import annotations

import re
from typing import Final

import attrs
from attrs.validators import gt

from adapters.lines.sideband.webhook import signing_key

PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


def _path(instance: object, field: attrs.Attribute[str], value: str) -> None:
    del instance
    if not PATH.fullmatch(value):
        raise ValueError(f"{field.name}: a path like /openai is expected, without a query")


def _secrets(instance: object, field: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    """Quotes none of them."""
    del instance
    if not value:
        raise ValueError(f"{field.name}: there is none")
    for number, secret in enumerate(value, 1):
        try:
            signing_key(secret)
        except ValueError as error:
            what = str(error).partition(": ")[2]
            raise ValueError(f"{field.name}: the {number}. {what}") from None


def _header(instance: object, field: attrs.Attribute[str], value: str) -> None:
    del instance
    if value and not HEADER_NAME.fullmatch(value):
        raise ValueError(f"{field.name}: the name of a SIP header is expected, like X-Agent")


@attrs.frozen(kw_only=True)
class SipWebhookSettings:
    """Of the route by which the provider announces telephone calls. ValueError where a value makes no sense."""

    path: str = attrs.field(default="/openai", validator=_path)
    secrets: tuple[str, ...] = attrs.field(repr=False, validator=_secrets)
    """`whsec_...`; more than one while it is changed."""
    agent_header: str = attrs.field(default="", validator=_header)
    """A SIP header whose value names the agent; "": none does."""


@attrs.frozen(kw_only=True)
class SidebandSettings:
    """`webhook` None: calls are posted to the door by their id, and none rings."""

    webhook: SipWebhookSettings | None = None
    deadline_s: float = attrs.field(default=5.0, validator=gt(0))
    """Of one request to the provider, with all its tries."""
