"""The `control` section: which interface of Asterisk moves a caller's channel, and to which places. Never acts."""

from __future__ import annotations

import importlib.util
from typing import Final
from urllib.parse import urlsplit

from adapters.control.control import VARIABLE, DialplanTarget, TargetError
from adapters.control.settings import AmiSettings, AriSettings, ControlSettings
from adapters.settings.provider import is_loopback
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import AmiSection, AriSection, ConfigFile

_URL_HINT: Final = "e.g. http://127.0.0.1:8088/ari"


def control_settings(reader: SettingsReader, config: ConfigFile) -> ControlSettings:
    """Reports what is wrong; what is left is of no use then."""
    section, written = config.control, config.control.written
    if section.ami is not None and section.ari is not None:
        message = "'ami' and 'ari' are both set, and one of them acts"
        hint = "AMI works while AudioSocket() runs; ARI only where the channel is in Stasis"
        reader.problems.add(written.place_of("ari"), "two-meanings", message, hint)
    for key in ("result_variable", "uuid_variable"):
        if not VARIABLE.fullmatch(name := getattr(section, key)):
            message = f"control.{key}: '{name}' cannot be the name of a channel variable"
            reader.problems.add(written.place_of(key), "name", message)
    return ControlSettings(
        ami=_ami(reader, section.ami) if section.ami is not None else None,
        ari=_ari(reader, section.ari) if section.ari is not None else None,
        targets=_targets(reader, config) if section.ami is not None or section.ari is not None else {},
        result_variable=section.result_variable,
        uuid_variable=section.uuid_variable,
        deadline_s=section.deadline_s,
    )


def _targets(reader: SettingsReader, config: ConfigFile) -> dict[str, DialplanTarget]:
    """Of the transfers that say where they go; the others are the dialplan's, by the result."""
    found = {}
    for key, transfer in config.transfers.items():
        if not transfer.to.strip():
            continue
        try:
            found[key] = DialplanTarget.parsed(transfer.to)
        except TargetError as error:
            place = transfer.written.place_of("to")
            reader.problems.add(place, "target", f"transfers.{key}.to: {error}", "e.g. to: sales,s,1")
    return found


def _ami(reader: SettingsReader, section: AmiSection) -> AmiSettings:
    _must_be_a_line(reader, section, "ami", "username", section.username)
    _must_be_a_line(reader, section, "ami", "secret", section.secret)
    if not is_loopback(section.host):
        message = "the manager's secret goes over the network unencrypted: use a tunnel or a network of its own"
        reader.problems.warn(section.written.place_of("host"), "clear-text", message)
    return AmiSettings(host=section.host, port=section.port, username=section.username, secret=section.secret)


def _ari(reader: SettingsReader, section: AriSection) -> AriSettings:
    _must_be_a_line(reader, section, "ari", "username", section.username)
    _must_be_a_line(reader, section, "ari", "password", section.password)
    place = section.written.place_of("url")
    try:
        parts = urlsplit(section.url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_plain = not (parts.query or parts.fragment or parts.username is not None or parts.password is not None)
    except ValueError:
        is_url = is_plain = False
    if not is_url or not is_plain or not parts.path.rstrip("/").endswith("/ari"):
        message = "control.ari.url: the address of ARI is expected here, without credentials, ending in /ari"
        reader.problems.add(place, "url", message, _URL_HINT)
    elif parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        message = "ARI's password goes over the network unencrypted: use https://"
        reader.problems.warn(place, "clear-text", message)
    if importlib.util.find_spec("httpx2") is None:
        message = "control.ari: call control by ARI needs a library that is not installed"
        reader.problems.add(section.written.place, "missing-extra", message, "install turnspec[ari]")
    return AriSettings(url=section.url, username=section.username, password=section.password)


def _must_be_a_line(reader: SettingsReader, section: AmiSection | AriSection, of: str, key: str, text: str) -> None:
    """The text may be a secret: it is not quoted."""
    if not text.strip() or not text.isprintable():
        why = "is empty" if not text.strip() else "has a character that cannot be sent"
        reader.problems.add(section.written.place_of(key), "empty", f"control.{of}.{key} {why}")
