"""Whose an error is can be told by its class."""

from __future__ import annotations

from fsm.errors import LocalError, RemoteError, TurnspecError
from fsm.journal.journal import JournalError
from fsm.language.problem import SpecError
from fsm.machine.reaction import IllegalEffectError


def test_every_error_of_the_core_is_ours_and_of_the_product() -> None:
    for kind in (SpecError, JournalError, IllegalEffectError):
        assert issubclass(kind, LocalError) and issubclass(kind, TurnspecError)
    assert not issubclass(RemoteError, LocalError)
