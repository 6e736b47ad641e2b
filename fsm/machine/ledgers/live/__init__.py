"""Who is meant, over GPT-Live: the delegations of a session, their calls, and what the model says.

The provider names delegations and calls and nothing else: its audio has no ids (the codec numbers what the model says),
its nested responses have none either (they are followed by their delegation). PROTOCOL is all that anybody sees of this
folder; fsm/machine/ledgers/realtime/__init__.py says why there is a ledger at all.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Identity, LedgerProtocol, Recipe
from fsm.machine.ledgers import call
from fsm.machine.ledgers.call import Keys
from fsm.machine.ledgers.live import identities, recipes, roles
from fsm.machine.ledgers.live.ids import LiveIds, effect_of

PROTOCOL: Final = LedgerProtocol[LiveIds](
    name="live",
    identities={
        **call.IDENTITIES,
        "closed": Identity(("retryable", "fatal"), identities.closed, roles.closed),
        "voice_began": Identity(("new", "again"), identities.voice_began, roles.voice_began),
        "voice_ended": Identity(("current", "stale"), identities.voice_ended, roles.voice_ended),
        "delegation_created": Identity(
            ("client", "responses", "other"), identities.delegation_created, roles.delegation_created
        ),
        "delegation_continued": Identity(
            ("ours", "known"), identities.delegation_continued, roles.delegation_continued
        ),
        "delegation_ended": Identity(
            ("completed", "failed", "among", "stale"), identities.delegation_ended, roles.delegation_ended
        ),
        "continuation_rejected": Identity(
            ("free", "among"), identities.continuation_rejected, roles.continuation_rejected
        ),
        "tool_called": Identity(("new", "seen", "void"), identities.tool_called, roles.tool_called),
    },
    recipes={
        **call.RECIPES,
        "leave": Recipe((), recipes.leave),
        "numbered": Recipe(("event_id",), recipes.numbered),
        "continuation": Recipe(("event_id",), recipes.continuation),
        "request": Recipe(("event_id", "cause", "instructions"), recipes.request, own="say"),
        "take_turn": Recipe((), recipes.take_turn),
        "note_wish": Recipe((), recipes.note_wish),
        "notice": Recipe(("event_id", "text"), recipes.notice),
        "digits": Recipe(("event_id", "digits"), recipes.digits),
        "answer": Recipe(("event_id", "delegation_id", "text"), recipes.answer),
        "no_answer": Recipe(("event_id", "delegation_id", "text"), recipes.no_answer),
        "keep_output": Recipe((), recipes.keep_output),
        "keep_refusal": Recipe((), recipes.keep_refusal),
        "keep_overdue": Recipe((), recipes.keep_overdue),
        "outputs": Recipe(("event_id", "call_id", "output"), recipes.outputs),
        "forget_delegations": Recipe((), recipes.forget_delegations),
    },
    begin=lambda talk_key: LiveIds(keys=Keys(talk_key)),
    effect_of=effect_of,
    decisive=roles.decisive,
    carried=lambda ids: call.carried(ids, ids.wish),
    carry=lambda ids, said: call.carry(ids, said)._replace(wish=said.get(call.WISH)),
    fields=call.FIELDS,
    values=call.VALUES,
)
