"""What the ledger of a provider protocol implements, by name: all that a vocabulary may refer to.

A ledger (fsm.machine.ledgers) turns ids into variants, and ids into arguments. Its names are data here, so that the
loader can check a vocabulary against them and imports no ledger: the registry comes as an argument.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen
class LedgerProtocol:
    """A vocabulary says `ledger: NAME`, `identity: NAME` with these variants, `recipe: NAME` with these arguments."""

    name: str
    identities: Mapping[str, tuple[str, ...]]
    """Of each identity, the variants an event with it can be."""
    recipes: Mapping[str, tuple[str, ...]]
    """Of each recipe, the arguments of the effects it makes."""


Ledgers = Mapping[str, LedgerProtocol]
"""The ledgers there are, by name."""
