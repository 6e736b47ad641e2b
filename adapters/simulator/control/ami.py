"""A scripted manager interface: the protocol of Asterisk 23 with its refusals, and faults on demand.

Its own reader and writer, and nothing of the client's codec. What it knows: Login, Logoff, Ping, Status, Getvar,
Setvar, Redirect, Hangup. Anything else is an unknown command, as there.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from adapters.simulator.control.pbx import Pbx, PbxChannel

BANNER: Final = "Asterisk Call Manager/11.0.0"
_LINE_BYTES: Final = 1024
_CLASSES: Final[Mapping[str, frozenset[str]]] = {
    "Status": frozenset({"system", "call", "reporting"}),
    "Getvar": frozenset({"call", "reporting"}),
    "Setvar": frozenset({"call"}),
    "Redirect": frozenset({"call"}),
    "Hangup": frozenset({"system", "call"}),
    "CoreSettings": frozenset({"system", "reporting"}),
    "ModuleCheck": frozenset({"system"}),
}

Headers: TypeAlias = dict[str, str]
Lines: TypeAlias = Sequence[tuple[str, str]]


@attrs.frozen
class User:
    """A section of manager.conf."""

    secret: str
    write: frozenset[str] = frozenset({"call"})


@attrs.frozen
class Fault:
    """What happens to the next action of that name: it is answered late, not at all, with an error, or the connection
    breaks. `before` goes out as it is ahead of the answer."""

    action: str
    late_s: float = 0.0
    mute: bool = False
    drops: bool = False
    error: str = ""
    before: bytes = b""


@attrs.define(eq=False)
class AmiPeer:
    """A server for tests and the simulator: `start`, then `port`; `actions` is all that was asked."""

    pbx: Pbx = attrs.field(factory=Pbx)
    users: Mapping[str, User] = attrs.field(factory=dict)
    banner: str = BANNER
    faults: deque[Fault] = attrs.field(factory=deque)
    actions: list[Headers] = attrs.field(factory=list)
    logins: int = 0
    _server: asyncio.Server | None = None
    _served: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = attrs.field(factory=dict)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LINE_BYTES * 4)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """No connection, and no task of one, is left."""
        if self._server is not None:
            self._server.close()
        self.drop()
        if tasks := [task for task in self._served.values() if task is not None]:
            await asyncio.wait(tasks)

    def drop(self) -> None:
        """Every connection breaks."""
        for writer in list(self._served):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served[writer] = asyncio.current_task()
        user: User | None = None
        try:
            writer.write(f"{self.banner}\r\n".encode())
            while (headers := await _action(reader)) is not None:
                self.actions.append(headers)
                if headers.get("action") == "Login":
                    user = self._login(headers)
                    if user is None:
                        _answer(writer, headers, "Error", "Authentication failed")
                        return
                    _answer(writer, headers, "Success", "Authentication accepted")
                elif not await self._act(writer, headers, user):
                    return
        except OSError:
            pass
        finally:
            del self._served[writer]
            writer.close()

    def _login(self, headers: Headers) -> User | None:
        user = self.users.get(headers.get("username", ""))
        if user is None or user.secret != headers.get("secret"):
            return None
        self.logins += 1
        return user

    async def _act(self, writer: asyncio.StreamWriter, headers: Headers, user: User | None) -> bool:
        """False where the connection ends."""
        name = headers.get("action", "")
        fault = self.faults[0] if self.faults and self.faults[0].action == name else Fault(name)
        if self.faults and fault is self.faults[0]:
            self.faults.popleft()
        if fault.late_s:
            await asyncio.sleep(fault.late_s)
        if fault.drops:
            writer.transport.abort()
            return False
        writer.write(fault.before)
        if fault.mute:
            return True
        if fault.error:
            _answer(writer, headers, "Error", fault.error)
        elif not name:
            _answer(writer, headers, "Error", "Missing action in request")
        elif name == "Logoff":
            _answer(writer, headers, "Goodbye", "Thanks for all the fish.")
            return False
        else:
            self._known(writer, headers, name, user)
        return True

    def _known(self, writer: asyncio.StreamWriter, headers: Headers, name: str, user: User | None) -> None:
        command = _COMMANDS.get(name)
        if user is None or not _CLASSES.get(name, user.write) & user.write:
            _answer(writer, headers, "Error", "Permission denied")
        elif command is None:
            text = f"Invalid/unknown command: {name}. Use Action: ListCommands to show available commands."
            _answer(writer, headers, "Error", text)
        else:
            command(self.pbx, writer, headers)


# --- the commands -----------------------------------------------------------------------------------------------------


def _ping(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    del pbx
    _answer(writer, headers, "Success", "", [("Ping", "Pong"), ("Timestamp", "1795229290.832000")])


def _core_settings(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    _answer(writer, headers, "Success", "", [("AMIversion", "9.0.0"), ("AsteriskVersion", pbx.version)])


def _module_check(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    if headers.get("module", "").removesuffix(".so") in pbx.modules:
        _answer(writer, headers, "Success", "", [("Version", "")])
    else:
        _answer(writer, headers, "Error", "Module not loaded")


def _status(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    _answer(writer, headers, "Success", "Channel status will follow", [("EventList", "start")])
    wanted = [name for name in headers.get("variables", "").split(",") if name]
    for channel in list(pbx.channels.values()):
        lines = [("Event", "Status"), ("Privilege", "Call"), *_snapshot(channel)]
        lines += [("Variable", f"{name}={channel.variables.get(name, '')}") for name in wanted]
        _write(writer, headers, lines)
    count = str(len(pbx.channels))
    _write(writer, headers, [("Event", "StatusComplete"), ("EventList", "Complete"), ("Items", count)])


def _getvar(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    channel = pbx.found(headers.get("channel", ""))
    if channel is None:
        _answer(writer, headers, "Error", "No such channel")
        return
    variable = headers.get("variable", "")
    _answer(writer, headers, "Success", "", [("Variable", variable), ("Value", pbx.value(channel, variable))])


def _setvar(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    name, value = headers.get("variable", ""), headers.get("value", "")
    if not name:
        _answer(writer, headers, "Error", "No variable specified")
        return
    if not headers.get("channel"):  # a global one: the trap of the facts
        pbx.globals[name] = value
    elif (channel := pbx.found(headers["channel"])) is None:
        _answer(writer, headers, "Error", "No such channel")
        return
    else:
        channel.variables[name] = value
    _answer(writer, headers, "Success", "Variable Set")


def _redirect(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    channel = pbx.found(headers.get("channel", ""))
    if not headers.get("channel"):
        _answer(writer, headers, "Error", "Channel not specified")
    elif channel is None:
        _answer(writer, headers, "Error", f"Channel does not exist: {headers['channel']}")
    else:
        _answer(writer, headers, "Success", "Redirect successful")
        pbx.move(channel, (headers.get("context", ""), headers.get("exten", ""), headers.get("priority", "")))


def _hangup(pbx: Pbx, writer: asyncio.StreamWriter, headers: Headers) -> None:
    """A name between slashes is a regular expression over all channels."""
    name = headers.get("channel", "")
    if name.startswith("/"):
        doomed: Iterable[PbxChannel] = [each for each in pbx.channels.values() if re.search(name.strip("/"), each.name)]
        _answer(writer, headers, "Success", "Channels hung up will follow", [("EventList", "start")])
    else:
        channel = pbx.found(name)
        if channel is None:
            _answer(writer, headers, "Error", "No such channel")
            return
        doomed = [channel]
        _answer(writer, headers, "Success", "Channel Hungup")
    for each in doomed:
        pbx.hang_up(each)


_COMMANDS: Final[Mapping[str, Callable[[Pbx, asyncio.StreamWriter, Headers], None]]] = {
    "Ping": _ping,
    "Status": _status,
    "Getvar": _getvar,
    "Setvar": _setvar,
    "Redirect": _redirect,
    "Hangup": _hangup,
    "CoreSettings": _core_settings,
    "ModuleCheck": _module_check,
}


# --- the wire ---------------------------------------------------------------------------------------------------------


def _snapshot(channel: PbxChannel) -> Lines:
    context, exten, priority = channel.where
    return [
        ("Channel", channel.name), ("ChannelState", "6"), ("ChannelStateDesc", "Up"), ("CallerIDNum", "<unknown>"),
        ("Context", context), ("Exten", exten), ("Priority", priority), ("Uniqueid", channel.unique_id),
        ("Type", channel.name.partition("/")[0]), ("TimeToHangup", "0"), ("BridgeID", channel.bridge),
        ("Application", channel.application), ("Data", channel.data), ("Seconds", "3"),
    ]  # fmt: skip


def _answer(writer: asyncio.StreamWriter, headers: Headers, response: str, text: str, more: Lines = ()) -> None:
    _write(writer, headers, [("Response", response), *more, *([("Message", text)] if text else [])])


def _write(writer: asyncio.StreamWriter, headers: Headers, lines: Lines) -> None:
    """The action's id comes second, as there."""
    named = [("ActionID", headers["actionid"])] if "actionid" in headers else []
    whole = [lines[0], *named, *lines[1:]]
    writer.write("".join(f"{name}: {value}\r\n" for name, value in whole).encode() + b"\r\n")


async def _action(reader: asyncio.StreamReader) -> Headers | None:
    """The next action, names in lower case; None at the end of the connection. A longer line is cut, as there."""
    headers: Headers = {}
    while True:
        try:
            line = await reader.readline()
        except (ValueError, ConnectionError):
            return None
        if not line.endswith(b"\n"):
            return None
        text = line[:_LINE_BYTES].decode("utf-8", "replace").strip()
        if not text and headers:
            return headers
        name, colon, value = text.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
