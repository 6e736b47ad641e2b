"""The `sideband` section: the webhook of telephone calls that the provider has, and how it is told. Never a connection.

What stands for `secrets:` where it is absent: OPENAI_WEBHOOK_SECRET of the environment.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Final

from adapters.lines.sideband.settings import SidebandSettings, SipWebhookSettings
from adapters.providers.provider import AttachableProvider, Provider
from adapters.settings.listening import SipWebhookSection
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile

SECRET_VARIABLE: Final = "OPENAI_WEBHOOK_SECRET"
_TAKEN: Final = ("calls", "livez", "readyz", "metrics", "reload", "openapi.json", "twiml")
"""First parts of paths that are the door's own."""


def read_sideband(reader: SettingsReader, config: ConfigFile) -> SidebandSettings:
    """Where a problem was found, as if there were no webhook."""
    section = config.sideband
    webhook = _webhook(reader, config, section.webhook) if section.webhook is not None else None
    return SidebandSettings(webhook=webhook, deadline_s=section.deadline_s)


def check_attachable(reader: SettingsReader, config: ConfigFile, providers: Iterable[Provider]) -> None:
    """A webhook is for providers whose calls can be held by a second client."""
    section = config.sideband.webhook
    if section is not None and not any(isinstance(each, AttachableProvider) for each in providers):
        message = "sideband.webhook: no session of this provider can be attached to"
        reader.problems.add(section.written.place, "protocol", message, "Realtime can (docs/sideband.md)")


def _webhook(reader: SettingsReader, config: ConfigFile, section: SipWebhookSection) -> SipWebhookSettings | None:
    place, written = section.written.place, section.written
    if config.http.listen is None and "listen" not in config.http.written.rejected:
        message = "sideband.webhook: its path is a route of the door, which is off"
        reader.problems.add(place, "no-door", message, "e.g. http: {listen: 127.0.0.1:9080}")
    if config.serve.workers > 1:
        message = "sideband.webhook: calls whose audio is elsewhere are held by one process alone"
        reader.problems.add(place, "workers", message, "serve: {workers: 1}")
    if importlib.util.find_spec("httpx2") is None:
        message = "sideband.webhook: to accept calls needs httpx2, which is not installed"
        reader.problems.add(place, "missing-extra", message, "install turnspec[sideband]")
    secrets = section.secrets or tuple(filter(None, [reader.environment.get(SECRET_VARIABLE, "").strip()]))
    reader.secrets.update(secrets)
    if not secrets and "secrets" not in written.rejected:
        message = f"'sideband.webhook.secrets' is missing, and {SECRET_VARIABLE} is not set"
        reader.problems.add(written.place_of("secrets"), "missing", message, f'secrets: ["${{{SECRET_VARIABLE}}}"]')
    if section.path.strip("/").partition("/")[0] in _TAKEN:
        message = f"sideband.webhook.path: '{section.path}' is the door's own"
        reader.problems.add(written.place_of("path"), "path", message, "e.g. path: /openai")
    if not secrets or written.rejected:
        return None
    try:
        return SipWebhookSettings(path=section.path, secrets=secrets, agent_header=section.agent_header or "")
    except ValueError as error:
        key = str(error).partition(":")[0]
        reader.problems.add(written.place_of(key), "webhook", f"sideband.webhook.{error}")
        return None
