"""The rates that AudioSocket calls may have, from a list of the configuration."""

from __future__ import annotations

from typing import Annotated

from adapters.lines.audiosocket.settings import RATES_HZ
from adapters.settings.reader import SettingsReader
from fsm.language.yaml_nodes import Node


def read_rates(reader: SettingsReader, node: Node) -> tuple[int, ...]:
    found: tuple[int, ...] = reader.read(node, tuple[Annotated[int, _rate], ...])
    if node.items is not None and not node.items:
        raise reader.rejected(node, "missing", "a call has some rate", f"e.g. {list(RATES_HZ)}")
    return found


def _rate(reader: SettingsReader, node: Node) -> int:
    value = reader.typed(node, "a rate in Hz")
    if value not in RATES_HZ or not isinstance(value, int):
        raise reader.rejected(node, "value", f"a call can have one of {', '.join(map(str, RATES_HZ))} Hz")
    return value
