"""Calls whose audio is elsewhere, of `turnspec simulate provider`: one that rings, and what is asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from adapters.simulator.providers.realtime import ProviderServer

SECRET: Final = "OPENAI_WEBHOOK_SECRET"
# those of adapters.simulator.providers.realtime.sip_calls, which the help does not import
KINDS: Final = ("unsigned", "forged", "late", "repeated", "live.transport.incoming", "live.call.incoming")


def check_ring(url: str | None, kind: str | None) -> None:
    """UsageError: what is missing for it."""
    if url is None:
        if kind is not None:
            raise click.UsageError("--ring-as goes with --ring")
        return
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--ring: is not an http:// or https:// address")
    if not os.environ.get(SECRET):
        raise click.UsageError(f"--ring signs with {SECRET} of the environment (whsec_ and base64)")
    try:
        from adapters.lines.sideband.webhook import SipWebhook

        SipWebhook(os.environ[SECRET], lambda: 0.0)
    except ValueError as error:
        raise click.UsageError(f"{SECRET}: {str(error).partition(': ')[2]}") from None


async def ring(server: ProviderServer, url: str, kind: str | None) -> str:
    """One line about what came of it."""
    from adapters.simulator.providers.realtime.sip_calls import FLAWS, RINGS

    flaw = next((each for each in FLAWS if each == kind), FLAWS[0])
    name = next((each for each in RINGS if each == kind), RINGS[0])
    try:
        call_id, statuses = await server.ring(url, os.environ[SECRET], name=name, flaw=flaw)
    except ImportError:
        return "nobody was told of a call: httpx2 is not installed"
    answered = ", ".join(str(each) if each else "no answer" for each in statuses)
    return f"{name}{f' ({flaw})' if flaw else ''} of call {call_id}: {answered}"


class CallsPrinter:
    """The lines of what was asked since it last looked."""

    def __init__(self, server: ProviderServer, began_s: float) -> None:
        self._server, self._began_s, self._shown = server, began_s, 0

    def new_lines(self) -> Iterator[str]:
        asked = self._server.desk.asked
        for each in asked[self._shown :]:
            yield f"{each.at_s - self._began_s:8.3f}  HTTP {each.verb or '?'} {each.call_id or '-'}: {each.status}"
        self._shown = len(asked)
