"""Who is meant: the ids of a call, and what an event is by identity. Ids never reach a guard; variants do.

Why a ledger: a provider names responses, items and tool calls by ids, the wire repeats, loses and crosses what it says
of them, and a state machine over ids would have no finite table. So ids are kept apart, in an immutable value that only
pure functions change, and an event reaches the machine as one of a few variants: what the ids made of it (a response
has ended: ours, cancelled, or one that had ended before). Guards see variants and slots, the verifier explores
variants with no id at all (its world sends them as roles), and a journal replays because equal ledger and data give
an equal variant. Every collection is bounded, as nobody promises that a call is short: the oldest id goes. An event
that names it later is taken for one that was never seen, which is a variant, too, and never an error.

PROTOCOL is all that anybody sees of this folder: which variants an event with ids can turn into, which arguments an
effect gets from ids, and the functions that do it. The vocabulary declares the same names, and the loader compares.
"""

from __future__ import annotations

from typing import Final

from fsm.language.ledger import Identity, LedgerProtocol, Recipe
from fsm.machine.ledgers import call
from fsm.machine.ledgers.call import Keys
from fsm.machine.ledgers.realtime import identities, recipes, roles
from fsm.machine.ledgers.realtime.ids import Ledger, Sent, effect_of
from fsm.machine.ledgers.realtime.stated_wait import stated_wait_ms

_DONE = ("completed", "incomplete", "filtered", "interrupted", "cancelled", "failed", "fatal", "stale")

PROTOCOL: Final = LedgerProtocol[Ledger](
    name="realtime",
    identities={
        "response_created": Identity(
            ("ours", "begun", "own", "found", "unnamed", "known"), identities.response_created, roles.response_created
        ),
        "response_done": Identity(_DONE, identities.response_done, roles.response_done),
        "create_rejected": Identity(
            ("busy", "crossed", "over", "foreign", "stale"), identities.create_rejected, roles.create_rejected
        ),
        "create_failed": Identity(("ours", "stale"), identities.create_failed, roles.create_failed),
        "echo": Identity(("ours", "other"), identities.echo, roles.echo),
        "item_rejected": Identity(
            ("output", "output_again", "ours", "other"), identities.item_rejected, roles.item_rejected
        ),
        "turn_started": Identity(("new", "again"), identities.turn("started"), roles.turn("started")),
        "turn_stopped": Identity(("new", "again"), identities.turn("stopped"), roles.turn("stopped")),
        "turn_committed": Identity(("expected", "new", "again"), identities.turn("committed"), roles.turn("committed")),
        "transcribed": Identity(("blank", "words", "other"), identities.transcribed, roles.transcribed),
        "closed": Identity(("retryable", "fatal"), identities.closed, roles.closed),
        **call.IDENTITIES,
    },
    recipes={
        "leave": Recipe((), recipes.leave),
        "forget_echoes": Recipe((), recipes.forget_echoes),
        "note_wish": Recipe((), recipes.note_wish),
        "settle_turn": Recipe((), recipes.settle_turn),
        "confirm_turn": Recipe((), recipes.confirm_turn),
        "numbered": Recipe(("event_id",), recipes.numbered),
        "create": Recipe(("event_id", "cause", "instructions"), recipes.create, own="say"),
        "cancel": Recipe(("event_id", "response_id"), recipes.cancel),
        "truncate": Recipe(("event_id", "item_id", "content_index", "audio_end_ms"), recipes.truncate),
        "send_output": Recipe(("event_id", "call_id", "output"), recipes.send_output),
        "resend_output": Recipe(("event_id", "call_id", "output"), recipes.resend_output),
        "tell_output": Recipe(("event_id", "item_id", "call_id", "output"), recipes.tell_output),
        "overdue_outputs": Recipe(("event_id", "call_id", "output"), recipes.overdue_outputs),
        "notice": Recipe(("event_id", "item_id", "text"), recipes.notice),
        "digits": Recipe(("event_id", "item_id", "digits"), recipes.digits),
        **call.RECIPES,
    },
    begin=lambda talk_key: Ledger(keys=Keys(talk_key)),
    effect_of=effect_of,
    decisive=roles.decisive,
    carried=lambda ids: call.carried(ids, ids.sent.say),
    carry=lambda ids, said: call.carry(ids, said).with_sent(Sent(say=said.get(call.WISH))),
    stated_wait_ms=stated_wait_ms,
    fields=call.FIELDS,
    values=call.VALUES,
)
