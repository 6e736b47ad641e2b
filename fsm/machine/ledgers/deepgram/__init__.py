"""Who is meant, over Deepgram's Voice Agent: its function calls, and its answers by the codec's numbers for them.

Nothing else has an id there: everything is told apart by order. PROTOCOL is all that anybody sees of this folder;
fsm/machine/ledgers/realtime/__init__.py says why there is a ledger at all.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Identity, LedgerProtocol, Recipe
from fsm.machine.ledgers import call
from fsm.machine.ledgers.call import Keys
from fsm.machine.ledgers.deepgram import identities, recipes, roles
from fsm.machine.ledgers.deepgram.ids import AgentIds

PROTOCOL: Final = LedgerProtocol[AgentIds](
    name="deepgram",
    identities={
        **call.IDENTITIES,
        "closed": Identity(("retryable", "fatal"), identities.closed, roles.closed),
        "user_started": Identity(("over", "alone"), identities.user_started, roles.user_started),
        "voice_began": Identity(("new", "again"), identities.voice_began, roles.voice_began),
        "voice_ended": Identity(("current", "stale"), identities.voice_ended, roles.voice_ended),
        "tool_called": Identity(("new", "seen"), identities.tool_called, roles.tool_called),
        "tool_withdrawn": Identity(("running", "over"), identities.tool_withdrawn, roles.tool_withdrawn),
    },
    recipes={
        **call.RECIPES,
        "leave": Recipe((), recipes.leave),
        "request": Recipe(("cause", "instructions"), recipes.request, own="say"),
        "digits": Recipe(("digits",), recipes.digits),
        "notice": Recipe(("text",), recipes.notice),
        "output": Recipe(("call_id", "name", "output"), recipes.output),
        "refusal": Recipe(("call_id", "name", "output"), recipes.refusal),
        "overdue": Recipe(("call_id", "name", "output"), recipes.overdue),
        "withdraw": Recipe(("call_ids",), recipes.withdraw),
        "note_wish": Recipe((), recipes.note_wish),
        "take_turn": Recipe((), recipes.take_turn),
    },
    begin=lambda talk_key: AgentIds(keys=Keys(talk_key)),
    effect_of=lambda _: None,
    decisive=roles.decisive,
    fields=call.FIELDS,
    values=call.VALUES,
)
