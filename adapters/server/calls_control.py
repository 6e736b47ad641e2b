"""Who tells the provider what becomes of the calls that it has: a client of its REST, at the address of a provider."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from adapters.providers.provider import AttachableProvider
from adapters.settings.config import Settings

if TYPE_CHECKING:
    from adapters.lines.sideband.rest import SidebandRest, SidebandRestSettings


def calls_control(settings: Settings) -> SidebandRest | None:
    """None: nobody can bring such a call here, no provider has one, or the extra is not installed."""
    if settings.http is None or settings.serve.workers > 1 or importlib.util.find_spec("httpx2") is None:
        return None
    told = _settings_of(settings)
    if told is None:
        return None
    from adapters.lines.sideband.rest import SidebandRest

    return SidebandRest(told)


def renew_control(control: SidebandRest | None, settings: Settings) -> None:
    """Another configuration: address and key of whatever is told from now on."""
    told = _settings_of(settings) if control is not None else None
    if control is not None and told is not None:
        control.renew(told)


def _settings_of(settings: Settings) -> SidebandRestSettings | None:
    """Of the first provider whose calls can be held; agents differ in words, not in addresses."""
    from adapters.lines.sideband.rest import SidebandRestSettings

    for agent in settings.agents:
        for each in agent.providers:
            if isinstance(each, AttachableProvider):
                address = each.calls_address()
                return SidebandRestSettings(
                    calls_url=address.url, headers=address.headers, query=address.query,
                    deadline_s=settings.sideband.deadline_s, system_proxy=each.limits.system_proxy,
                )  # fmt: skip
    return None
