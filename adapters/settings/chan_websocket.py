"""The `chan_websocket` section with `listen.chan_websocket`: the settings of that line, or none. Never a connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.lines.chan_websocket.settings import ChanWebSocketSettings
from adapters.settings.folders import reason_of
from adapters.settings.listening import ChanWebSocketSection
from adapters.settings.provider import is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile

TOKEN_MIN_CHARS: Final = 8


def read_chan_websocket(reader: SettingsReader, config: ConfigFile) -> ChanWebSocketSettings | None:
    """None where nothing listens for Asterisk's WebSockets, or where a problem was found that leaves none."""
    section = config.chan_websocket
    if config.listen.chan_websocket is None:
        if section.written.pairs and "chan_websocket" not in config.listen.written.rejected:
            message = "nothing listens for Asterisk's WebSockets"
            hint = "e.g. listen: {chan_websocket: 127.0.0.1:9020}"
            reader.problems.warn(section.written.place, "unused", message, hint)
        return None
    serving, trusting = _serving(reader, section), _trusting(reader, section)
    _judge(reader, section)
    if section.written.rejected or reader.problems.errors:
        return None
    host, port = config.listen.chan_websocket
    if not (section.token or config.listen.allow or is_loopback(host)):
        place = config.listen.written.place_of("chan_websocket")
        message = "whoever reaches this port can call"
        reader.problems.warn(place, "open-port", message, "chan_websocket.token, or listen.allow: [ADDRESS]")
    return ChanWebSocketSettings(
        host=host,
        port=port,
        path=section.path,
        tls=serving,
        token=section.token,
        asterisk_url=section.asterisk_url,
        asterisk_tls=trusting,
        answers=section.answers,
        lead_ms=section.lead_ms,
        allowed_peers=config.listen.allow,
        max_connections=config.limits.calls,
        handshake_deadline_s=config.limits.handshake_s,
        hang_up_deadline_s=config.limits.hang_up_s,
        ping_interval_s=config.limits.ping_interval_s,
        ping_timeout_s=config.limits.ping_timeout_s,
    )


def _judge(reader: SettingsReader, section: ChanWebSocketSection) -> None:
    """What a single value has to be."""
    wrong: dict[str, str] = {}
    if not section.path.startswith("/") or any(sign in section.path for sign in "?# "):
        wrong["path"] = "a path begins with / and has no ?, # or blank"
    if section.token is not None and len(section.token) < TOKEN_MIN_CHARS:
        wrong["token"] = f"a token of less than {TOKEN_MIN_CHARS} characters is soon guessed"
    if section.asterisk_url is not None:
        try:
            parts = urlsplit(section.asterisk_url)
            is_address = parts.scheme in ("ws", "wss") and bool(parts.hostname) and not (parts.query or parts.fragment)
        except ValueError:
            is_address = False
        if not is_address:
            wrong["asterisk_url"] = "an address like ws://asterisk:8088/media is expected"
    for key, why in wrong.items():
        if key not in section.written.rejected:
            reader.problems.add(section.written.place_of(key), "chan-websocket", f"chan_websocket.{key}: {why}")


def _serving(reader: SettingsReader, section: ChanWebSocketSection) -> ssl.SSLContext | None:
    """Of our own port."""
    given = [key for key in ("certificate", "key") if getattr(section, key) is not None]
    if not given:
        return None
    if section.certificate is None or section.key is None:
        place = section.written.place_of(given[0])
        reader.problems.add(place, "tls", "TLS takes both, chan_websocket.certificate and chan_websocket.key")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(reader.path(section.certificate), reader.path(section.key))
    except (OSError, ValueError) as error:
        _complain(reader, section, "certificate", "the certificate and its key cannot be used", error)
        return None
    return context


def _trusting(reader: SettingsReader, section: ChanWebSocketSection) -> ssl.SSLContext | None:
    """Of Asterisk's port, where its certificate is one's own."""
    if section.asterisk_ca is None:
        return None
    path: Path = reader.path(section.asterisk_ca)
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:
        _complain(reader, section, "asterisk_ca", "the certificate of Asterisk cannot be used", error)
        return None


def _complain(reader: SettingsReader, section: ChanWebSocketSection, key: str, what: str, error: Exception) -> None:
    reader.problems.add(section.written.place_of(key), "tls", f"{what}: {reason_of(error)}")
