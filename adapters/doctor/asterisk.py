"""Asterisk through its manager: which version, which modules, and what its dialplans dial.

Source: docs/facts/telephony.md section 3 (versions), docs/facts/asterisk_control.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from adapters.control.ami_connection import AmiConnection
from adapters.control.control import ControlError
from adapters.control.settings import AmiSettings
from adapters.doctor.finding import DoctorFinding, bad, good, warning

_DEADLINE_S: Final = 8.0
_MODULES: Final = ("app_audiosocket", "chan_audiosocket", "res_audiosocket")
_WHOLE_SINCE: Final = {20: 14, 21: 9, 22: 4}
"""By major version: from which minor on keys, wideband and SUCCESS after a polite end are there."""


async def asterisk_findings(ami: AmiSettings) -> AsyncIterator[DoctorFinding]:
    """Of the Asterisk behind `control.ami`."""
    connection = AmiConnection(ami)
    connection.start()
    try:
        async for finding in _asked(connection, f"{ami.host}:{ami.port}"):
            yield finding
    finally:
        await connection.close()


async def _asked(connection: AmiConnection, where: str) -> AsyncIterator[DoctorFinding]:
    try:
        async with asyncio.timeout(_DEADLINE_S):
            (answer, *_) = await connection.ask("CoreSettings")
    except (ControlError, TimeoutError):
        cure = "control.ami: host, port, username, secret; manager.conf: enabled, permit"
        yield bad("Asterisk", f"its manager at {where} cannot be used: {connection.trouble}", cure)
        return
    if answer.get("Response") != "Success":
        yield _unsaid("Asterisk", answer.get("Message"))
        return
    yield _version(answer.get("AsteriskVersion"))
    for module in _MODULES:
        yield await _module(connection, module)


def _unsaid(what: str, reason: str) -> DoctorFinding:
    return warning(what, f"its manager does not say: {reason}", "manager.conf: write = call,system for this user")


def _version(text: str) -> DoctorFinding:
    numbers = [int(part) for part in text.split("-")[0].split(".")[:2] if part.isdigit()]
    if len(numbers) < 2:
        return warning("Asterisk", f"version '{text}'", "docs/facts/telephony.md says what each version can do")
    major, minor = numbers
    if major < 18:
        return bad("Asterisk", f"version {text} has no AudioSocket that can be used", "22.4 or newer")
    if major < 23 and minor < _WHOLE_SINCE.get(major, 1000):
        cure = "20.14, 21.9, 22.4 or newer"
        return warning("Asterisk", f"version {text} reports no keys and sends no wideband", cure)
    return good("Asterisk", f"version {text}")


async def _module(connection: AmiConnection, name: str) -> DoctorFinding:
    try:
        async with asyncio.timeout(_DEADLINE_S):
            (answer,) = await connection.ask("ModuleCheck", [("Module", name)])
    except (ControlError, TimeoutError) as error:
        return _unsaid(name, str(error))
    if answer.get("Response") == "Success":
        return good(name, "loaded")
    if "denied" in answer.get("Message"):
        return _unsaid(name, answer.get("Message"))
    cure = f"module load {name}.so; the package of Asterisk may leave it out"
    return (warning if name == "chan_audiosocket" else bad)(name, "it is not loaded", cure)
