"""The kinds of value that a configuration has: each read from its node, or an error with its place. Never which key has
which kind, nor what several keys mean together.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

from adapters.audio.wav import load_wav
from adapters.lines.networks import Network
from adapters.settings.folders import reason_of, unusable
from adapters.settings.reader import Between, SettingsReader
from adapters.settings.words import RECORDING_HZ
from adapters.tools import Tool, ToolError, checked, imported
from fsm.language.yaml_nodes import Node

Filled = Annotated[str, SettingsReader.filled]
Format = Literal["pcmu", "pcma", "pcm16", "pcm16_16k", "pcm16_8k", "wav_16k"]
Effort = Literal["minimal", "low", "medium", "high"]
NoiseReduction = Literal["near_field", "far_field", "none"]
TalkKey = Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#", "A", "B", "C", "D"]
LoopName = Literal["asyncio", "uvloop"]
CORES: Final = "cores"
MOST_WORKERS: Final = 256
CallTool = Literal["end_call", "transfer_call"]
Secret = Annotated[str, SettingsReader.secret]
_ADDRESS: Final = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
WORD: Final = re.compile(r"\w{1,64}")
NO_PARAMETERS: Final[Mapping[str, object]] = {"type": "object", "properties": {}}


def usable_cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# --- what a value may be ----------------------------------------------------------------------------------------------


def host_port(reader: SettingsReader, node: Node) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(reader.text(node))
    try:
        if match is not None and int(match["port"]) < 65536:
            return (str(IPv6Address(match["six"])) if match["six"] else match["host"]), int(match["port"])
    except ValueError:
        pass
    hint = "e.g. 127.0.0.1:9019, 0.0.0.0:9019 or [::1]:9019"
    raise reader.rejected(node, "address", "host:port is expected here", hint)


def door(reader: SettingsReader, node: Node) -> tuple[str, int]:
    """host:port, or a port of the loopback."""
    text = node.text or ""
    if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536:
        return "127.0.0.1", int(text)
    return host_port(reader, node)


def variable(reader: SettingsReader, node: Node) -> str:
    """A name, and not what it stands for: that would be a secret in a file."""
    name = reader.filled(node)
    if not _VARIABLE.fullmatch(name):
        hint = "write the token into the environment and its name here: token_env: TURNSPEC_TOKEN"
        raise reader.rejected(node, "name", "the name of an environment variable is expected here", hint)
    return name


def variable_name(reader: SettingsReader, node: Node) -> str:
    """Of a variable that a tool is given; a typing error here would be a tool that fails on the telephone."""
    name = reader.filled(node)
    if not _VARIABLE.fullmatch(name):
        raise reader.rejected(node, "name", "the name of an environment variable is expected here", "e.g. [SHOP_KEY]")
    if name not in reader.environment:
        raise reader.rejected(node, "no-variable", f"the environment has no '{name}'")
    return name


def network(reader: SettingsReader, node: Node) -> Network:
    text = reader.filled(node)
    try:
        return ip_network(text)
    except ValueError:
        hint = "e.g. 192.0.2.7 or 10.0.0.0/8 (no bits set behind the mask)"
        raise reader.rejected(node, "address", "an address or a network is expected here", hint) from None


def folder(reader: SettingsReader, node: Node) -> Path:
    """Tried, so that the first call does not find out."""
    path = reader.path(reader.filled(node))
    complaint = unusable(path)
    if complaint:
        raise reader.rejected(node, "no-folder", complaint)
    return path


def workers(reader: SettingsReader, node: Node) -> int:
    """A number, or as many as there are cores that the process may use."""
    if node.text == CORES:
        return usable_cores()
    return int(Between(1, MOST_WORKERS)(reader, node))


def tokens(reader: SettingsReader, node: Node) -> int | Literal["inf"]:
    return "inf" if node.text == "inf" else int(Between(1, 4096)(reader, node))


def json_object(reader: SettingsReader, node: Node) -> Mapping[str, object]:
    """As it is written, with `${NAME}` filled in."""
    value = reader.value(node, lenient=True)
    if not isinstance(value, dict):
        raise reader.mistyped(node, "a mapping")
    return value


def text_or_object(reader: SettingsReader, node: Node) -> str | Mapping[str, object]:
    return reader.filled(node) if node.pairs is None else json_object(reader, node)


def truncation(reader: SettingsReader, node: Node) -> str | Mapping[str, object]:
    """`auto`, `disabled`, or the share of the tokens that is kept when they are too many."""
    return reader.choice(node, ("auto", "disabled")) if node.pairs is None else json_object(reader, node)


def pattern(reader: SettingsReader, node: Node) -> re.Pattern[str]:
    try:
        return re.compile(reader.filled(node))
    except re.error as error:
        raise reader.rejected(node, "pattern", f"this is not a regular expression: {error}") from None


def recording(reader: SettingsReader, node: Node) -> Path:
    """A recording, decoded once, so that the first call does not find out."""
    path = reader.path(reader.filled(node))
    try:
        load_wav(path, RECORDING_HZ)
    except (OSError, ValueError) as error:
        message = str(error).removeprefix(f"{path}: ") if isinstance(error, ValueError) else reason_of(error)
        raise reader.rejected(node, "prompt", f"the recording cannot be played: {message}") from None
    return path


def tool_name(reader: SettingsReader, node: Node) -> str:
    name = reader.filled(node)
    if not NAME.fullmatch(name):
        raise reader.rejected(node, "tool-name", "a tool's name is 1 to 64 letters, digits, _ and -")
    return name


def function(reader: SettingsReader, node: Node) -> Callable[..., object]:
    reference = reader.filled(node)
    try:
        return imported(reference)
    except ToolError as error:
        raise reader.rejected(node, "tool-import", str(error)) from None


def json_schema(reader: SettingsReader, node: Node) -> Mapping[str, object]:
    value = reader.value(node)
    if not isinstance(value, dict):
        raise reader.rejected(node, "type", f"a mapping (a JSON schema) is expected here, this is a {node.kind}")
    if value.get("type") != "object":
        raise reader.rejected(node, "tool-schema", "the schema of a tool's parameters must have 'type: object'")
    try:
        return checked(Tool("?", len, parameters=value)).parameters
    except ToolError as error:
        raise reader.rejected(node, "tool-schema", str(error)) from None
