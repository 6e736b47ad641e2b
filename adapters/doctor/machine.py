"""This machine: ports, file descriptors, folders. Leaves nothing behind."""

from __future__ import annotations

import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.doctor.finding import DoctorFinding, bad, good, warning
from adapters.server.descriptors import needed
from adapters.settings.config import Settings
from adapters.settings.folders import unusable

_LEAST_FREE_BYTES: Final = 1_000_000_000


def machine_findings(settings: Settings) -> Iterator[DoctorFinding]:
    """Of everything that is this host's."""
    for name, host, port in _addresses(settings):
        yield _port(name, host, port)
    yield _descriptors(settings)
    for name, folder in (("journals", settings.call.journal_dir), ("recordings", settings.call.recording_dir)):
        if folder is not None:
            yield _folder(name, folder)


def _addresses(settings: Settings) -> Iterator[tuple[str, str, int]]:
    yield "AudioSocket port", settings.audiosocket.host, settings.audiosocket.port
    if settings.chan_websocket is not None:
        yield "chan_websocket port", settings.chan_websocket.host, settings.chan_websocket.port
    if settings.twilio is not None:
        yield "Twilio port", settings.twilio.host, settings.twilio.port


def _port(what: str, host: str, port: int) -> DoctorFinding:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        cure = "another process has it (a turnspec that runs?), or the address is not of this host: listen"
        return bad(what, f"{host}:{port} cannot be listened on: {error.strerror or error}", cure)
    return good(what, f"{host}:{port} is free")


def _descriptors(settings: Settings) -> DoctorFinding:
    what, calls = "file descriptors", settings.audiosocket.max_connections
    files = sum(each is not None for each in (settings.call.journal_dir, settings.call.recording_dir))
    wanted = needed(calls, files)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return bad(
            what, f"{calls} calls need {wanted}, and a process here may have {hard}",
            "a higher limit (systemd: LimitNOFILE=, a shell: ulimit -Hn), or fewer calls: limits.calls",
        )  # fmt: skip
    allowed = "any number" if hard == resource.RLIM_INFINITY else str(hard)
    return good(what, f"{calls} calls need {wanted}; {allowed} allowed")


def _folder(what: str, folder: Path) -> DoctorFinding:
    if complaint := unusable(folder):
        return bad(what, f"{folder}: {complaint}", "make it, and let the user of the process write to it")
    if not folder.exists():
        return good(what, f"{folder} is made at the start, for this user alone")
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return warning(what, f"{folder} can be read by others", f"chmod 700 {folder}")
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        return warning(what, f"{folder} has {free / 1e6:.0f} MB left", "keep_days deletes old files; or a larger disk")
    return good(what, f"{folder}, {free / 1e9:.0f} GB left")
