"""The `twilio` section with `listen.twilio`: the settings of Twilio's line, or none. Never a connection.

What stands for a key that is absent: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN of the environment.
"""

from __future__ import annotations

import importlib.util
import re
from typing import Final

from adapters.lines.twilio.settings import TwilioSettings
from adapters.lines.twilio.twiml import DialTarget
from adapters.settings.provider import is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile

_DIALLED: Final = re.compile(r"\+?[0-9]{3,20}|sip:[^\s<>\"']{1,240}")
_VARIABLES: Final = {"account_sid": "TWILIO_ACCOUNT_SID", "auth_token": "TWILIO_AUTH_TOKEN"}


def read_twilio(reader: SettingsReader, config: ConfigFile) -> TwilioSettings | None:
    """None where nothing listens for Twilio, or where a problem was found that leaves none."""
    section = config.twilio
    if config.listen.twilio is None:
        if section.written.pairs and "twilio" not in config.listen.written.rejected:
            message = "nothing listens for Twilio's streams"
            reader.problems.warn(section.written.place, "unused", message, "e.g. listen: {twilio: 127.0.0.1:9021}")
        return None
    texts = {"public_url": section.public_url or ""}
    texts |= {key: (getattr(section, key) or reader.environment.get(_VARIABLES[key], "")).strip() for key in _VARIABLES}
    reader.secrets.add(texts["auth_token"])
    if missing := [key for key, text in texts.items() if not text and key not in section.written.rejected]:
        for key in missing:
            instead = f", and {_VARIABLES[key]} is not set" if key in _VARIABLES else ""
            place = section.written.place_of(key)
            reader.problems.add(place, "missing", f"'twilio.{key}' is missing{instead}", _hint(key))
    if missing or section.written.rejected:
        return None
    host, port = config.listen.twilio
    try:
        settings = TwilioSettings(
            host=host,
            port=port,
            public_url=texts["public_url"],
            path=section.path,
            account_sid=texts["account_sid"],
            auth_token=texts["auth_token"],
            lead_ms=section.lead_ms,
            token_lifetime_s=section.token_s,
            max_connections=config.limits.calls,
            start_deadline_s=config.limits.handshake_s,
            hang_up_deadline_s=config.limits.hang_up_s,
        )
    except ValueError as error:
        key = str(error).partition(":")[0]
        reader.problems.add(section.written.place_of(key), "twilio", f"twilio.{error}", _hint(key))
        return None
    if settings.public_url.startswith("http:") and not is_loopback(settings.public_host):
        message = "twilio.public_url: Twilio streams over wss:// alone, so this must begin with https://"
        reader.problems.warn(section.written.place_of("public_url"), "clear-text", message)
    return settings


def read_dials(reader: SettingsReader, config: ConfigFile) -> dict[str, DialTarget]:
    """Whom Twilio rings, and the provider of a sideband refers to, by the key of a transfer."""
    found = {}
    for key, transfer in config.transfers.items():
        whom = transfer.dial.strip()
        if not whom:
            continue
        place = transfer.written.place_of("dial")
        if not _DIALLED.fullmatch(whom):
            message = f"transfers.{key}.dial: this is neither a number nor sip:ADDRESS"
            reader.problems.add(place, "target", message, "e.g. dial: +4930123456, or dial: sip:desk@example.com")
        elif config.listen.twilio is None and config.http.listen is None:
            message = "nothing listens for Twilio's streams, and no door is open for calls by sideband"
            reader.problems.warn(place, "unused", message, "to: is for Asterisk")
        elif config.listen.twilio is not None and importlib.util.find_spec("httpx2") is None:
            message = "transfers by Twilio need the extra 'twilio'"
            reader.problems.add(place, "extra", message, "pip install 'turnspec[twilio]'")
        else:
            found[key] = DialTarget(address=whom, noun="Sip" if whom.startswith("sip:") else "Number")
    return found


def _hint(key: str) -> str:
    if key == "public_url":
        return "what stands before our paths where Twilio sees them, e.g. https://agent.example.com"
    return f"{key}: ${{{_VARIABLES[key]}}}" if key in _VARIABLES else ""
