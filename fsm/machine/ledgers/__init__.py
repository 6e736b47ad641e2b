"""The registry of ledgers, which the loader is given: one module or folder for each protocol, and a line here.

Nobody else imports one of them by name (import contract `ledgers`); what all of them share is in `call`.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Ledgers
from fsm.machine.ledgers import deepgram, gemini, live, realtime

LEDGERS: Final[Ledgers] = {
    ledger.name: ledger for ledger in (realtime.PROTOCOL, live.PROTOCOL, deepgram.PROTOCOL, gemini.PROTOCOL)
}
