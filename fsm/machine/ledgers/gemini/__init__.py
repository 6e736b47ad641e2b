"""Who is meant, over Gemini Live: as over any provider that owns its turns; and by which handle a session is taken up.

PROTOCOL is all that anybody sees of this folder.
"""

from __future__ import annotations

from typing import Final

import attrs

from fsm.language.ledger import Data, Fresh, Identity, LedgerProtocol, Made, Recipe
from fsm.machine.ledgers import deepgram
from fsm.machine.ledgers.call import text
from fsm.machine.ledgers.deepgram.ids import AgentIds


def _resumable(ledger: AgentIds, data: Data) -> tuple[str, AgentIds]:
    """A handle is kept over the end of its session: that is what it is for."""
    handle = text(data, "handle")
    if data.get("resumable") != "yes" or handle is None:
        return "no", ledger
    return "yes", ledger._replace(handle=handle)


def _of_resumable(tag: str, _ledger: AgentIds, fresh: Fresh) -> Data | None:
    return {"resumable": "yes", "handle": fresh("handle")} if tag == "yes" else {"resumable": "no"}


def _resume(_effect: str, ledger: AgentIds, _literal: str | None, _data: Data) -> Made[AgentIds]:
    """Once: if it is refused, the next session is told what was said."""
    return ({"handle": ledger.handle},), ledger._replace(handle="")


PROTOCOL: Final[LedgerProtocol[AgentIds]] = attrs.evolve(
    deepgram.PROTOCOL,
    name="gemini",
    identities={
        **deepgram.PROTOCOL.identities,
        "resumable": Identity(("yes", "no"), _resumable, _of_resumable),
    },
    recipes={**deepgram.PROTOCOL.recipes, "resume": Recipe(("handle",), _resume)},
)
