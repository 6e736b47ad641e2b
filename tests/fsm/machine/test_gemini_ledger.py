"""The handle of a Gemini Live session: kept over its end, used once."""

from __future__ import annotations

import pytest

from fsm.language.ledger import Data
from fsm.machine.ledgers import LEDGERS
from fsm.machine.ledgers.deepgram.ids import AgentIds
from fsm.machine.ledgers.gemini import PROTOCOL

KNOWN = AgentIds(handle="handle_1")


def test_the_ledger_is_known_by_its_name_and_is_that_of_providers_that_own_their_turns() -> None:
    assert LEDGERS["gemini"] is PROTOCOL
    assert set(PROTOCOL.identities) - set(LEDGERS["deepgram"].identities) == {"resumable"}
    assert "resume" not in LEDGERS["deepgram"].recipes


@pytest.mark.parametrize("tag", ["yes", "no"])
def test_a_variant_comes_of_what_is_made_up_for_it(tag: str) -> None:
    identity = PROTOCOL.identities["resumable"]
    data = identity.role(tag, KNOWN, lambda kind: f"{kind}_9")
    assert data is not None
    found, ids = identity.classify(KNOWN, data)
    assert (found, ids.handle) == (tag, "handle_9" if tag == "yes" else "handle_1")


@pytest.mark.parametrize("data", [{}, {"resumable": "yes"}, {"resumable": "no", "handle": "h"}, {"resumable": True}])
def test_what_is_no_handle_leaves_the_one_before_it(data: Data) -> None:
    assert PROTOCOL.identities["resumable"].classify(KNOWN, data) == ("no", KNOWN)


def test_a_handle_outlives_its_session_and_is_used_once() -> None:
    _, ids = PROTOCOL.identities["closed"].classify(KNOWN, {"fatal": False})
    made, after = PROTOCOL.recipes["resume"].make("resume_session", ids, None, {})
    assert made == ({"handle": "handle_1"},)
    assert after.handle == ""
