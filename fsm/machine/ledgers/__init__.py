"""Identities and recipes of each provider protocol: one module for each, and the registry the loader is given."""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Ledgers
from fsm.machine.ledgers import realtime

LEDGERS: Final[Ledgers] = {ledger.name: ledger for ledger in (realtime.PROTOCOL,)}
