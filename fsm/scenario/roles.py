"""An event by its role: data that makes an event come out as a given variant. Never here: slots, states, time.

What the provider, the playout or a tool would say is made up by the ledger from the ids that the call knows.
"""

from __future__ import annotations

from fsm.language.ledger import CallIds, Data, Fresh
from fsm.language.vocabulary import EventWord, Vocabulary


def role_data(vocabulary: Vocabulary, word: EventWord, ids: CallIds, fresh: Fresh) -> Data | None:
    """Data with which an event comes out as `word` in a call that knows `ids`; None: nothing could."""
    base = word.base or word.name
    name = vocabulary.identities.get(base)
    if name is None:  # it has no variants
        return {"text": "One moment, please."} if base == "application.say_requested" else {}
    identity, tag = vocabulary.ledger.identities[name], word.name.removeprefix(f"{base}.")
    data = identity.role(tag, ids, fresh)
    return data if data is not None and identity.classify(ids, data)[0] == tag else None
