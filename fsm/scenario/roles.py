"""An event by its role: data that makes an event come out as a given variant. Never here: slots, states, time.

What the provider, the playout or a tool would say is made up by the ledger from the ids that the call knows.
"""

from __future__ import annotations

from fsm.language.ledger import CallIds, Data, Fresh
from fsm.language.request_data import OPTIONAL
from fsm.language.variants import sample, told
from fsm.language.vocabulary import EventWord, Vocabulary

_OTHERS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "*", "#", "other")


def role_data(vocabulary: Vocabulary, word: EventWord, ids: CallIds, fresh: Fresh) -> Data | None:
    """Data with which an event comes out as `word` in a call that knows `ids`; None: nothing could."""
    base = word.base or word.name
    name = vocabulary.identities.get(base)
    if name is None:  # nothing but what it says tells its variants apart
        made = {**_made_up(word), **sample(word)}
        return {"text": "One moment, please."} if base == "application.say_requested" else made
    identity, tag = vocabulary.ledger.identities[name], (word.of or word.name).removeprefix(f"{base}.")
    data = identity.role(tag, ids, fresh)
    if data is None or identity.classify(ids, data := {**data, **sample(word)})[0] != tag:
        return None
    kin = vocabulary.refined.get(f"{base}.{tag}", ())
    fields = {field for each in kin for field in each.where} - set(word.where)
    for value in (None, *_OTHERS):  # so that it is none of the variants before it
        tried = data if value is None else {**data, **dict.fromkeys(fields, value)}
        first = told(kin, tried)
        if (first is None or first is word) and identity.classify(ids, tried)[0] == tag:
            return tried
    return None


def _made_up(word: EventWord) -> dict[str, object]:
    """What an application would say, by type."""
    made: dict[str, object] = {"text": "something", "number": 1, "flag": True}
    kinds = {field: kind.removeprefix(OPTIONAL) for field, kind in word.data.items()}
    return {field: made[kind] for field, kind in kinds.items()}
