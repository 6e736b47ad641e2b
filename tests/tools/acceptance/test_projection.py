"""The projection's text: total over what is known of the wire, checked by name and place."""

from __future__ import annotations

import pytest

from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS
from fsm.language.problem import Problem, SpecError
from fsm.machine.wire import knows
from tests.tools.acceptance.logs import LIVE, projected, projection, sample
from tools.acceptance.identities import WORDS
from tools.acceptance.projection import text_at


def problems(*changes: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as error:
        projected(*changes)
    return error.value.problems


def test_every_event_that_a_client_can_send_is_in_it() -> None:
    assert set(projection().rules["client"]) == set(CLIENT_FIELDS)


def test_every_event_that_a_server_is_known_to_send_is_a_role_or_has_a_reason() -> None:
    noise = {name for kind in projection().kinds for name in kind.vocabulary.noise}
    wire = {name for kind in projection().kinds for name in kind.vocabulary.wire}
    assert {*SERVER_FIELDS, *wire} - {"error"} <= {*projection().rules["server"], *noise}


def test_every_role_that_reaches_a_client_is_in_it() -> None:
    world = projection().world
    incoming = next(c.index for c in world.channels if c.name == "from_provider")
    roles = {m.name for m in world.messages.values() if m.channel == incoming}
    rules = [
        r for section in ("server", "errors", "local") for each in projection().rules[section].values() for r in each
    ]
    seen = {role for rule in rules for step in rule.roles for role in step}
    assert roles == seen | set(projection().unseen)


def test_every_word_of_the_identities_is_used_or_is_what_is_left() -> None:
    both = (projection(), projection(LIVE))
    rules = [r for each in both for section in each.rules.values() for found in section.values() for r in found]
    used = {word for rule in (*rules, *projection().every) for word in rule.who}
    assert set(WORDS) - used == {"our_item"}  # an echo is what no other word is said of


def test_what_it_adds_to_the_world_is_off_for_every_spec() -> None:
    """A spec is verified in realtime.yaml alone; here the same moves are there, and more."""
    from tests.fsm.verify.house import world

    own, more = {m.name for m in world().moves}, {m.name for m in projection().world.moves}
    assert own < more
    assert {m.name: m for m in projection().world.moves if m.name in own} == {m.name: m for m in world().moves}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  session.updated:               {roles: [updated]}\n", "", "missing"),
        ("  provider.refused:        {roles: [refused]}\n", "", "missing"),
        ('  audio: "audio', '  audio_mute: "audio', "unknown-name"),
        ("{roles: [session_created]}\n  session.updated", "{roles: [session_made]}\n  session.updated", "unknown-name"),
        ("who: [shown_item]", "who: [seen_item]", "unknown-name"),
        ("needs: events_may_come_twice", "needs: events_may_come_thrice", "unknown-name"),
        ("[stopped, stopped_old]}\n  input_audio_buffer.c", "[stopped]}\n  input_audio_buffer.c", "rename"),
        ("  input_audio_buffer.commit:   {roles: [commit]}", "  input_audio_buffer.commit:   {}", "rule"),
        ("    about: the GA protocol", "    has: [x]\n    about: the GA protocol", "dialect"),
        ("world: realtime.yaml", "world: fantasy.yaml", "no-file"),
        ("counters: [echoes]", "counters: [echos]", "unknown-name"),
        ("    unseen_update: ", "    takes_update: ", "duplicate-key"),
        ("begins: {link: none}", "begins: {link: nowhere}", "unknown-name"),
        ("projection: realtime_wire\n", "", "missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, code: str) -> None:
    found = problems((old, new))
    assert code in {p.code for p in found}
    assert all(p.place.file.startswith("specs/") and p.place.line for p in found)


def test_texts_at_paths() -> None:
    wire = {"a": {"b": None, "c": True, "d": 3, "e": [1], "f": "x"}}
    assert [text_at(wire, f"a.{key}") for key in "bcdefg"] == ["null", "true", "3", "...", "x", ""]
    assert text_at(wire, "a.f.x") == text_at("no mapping", "a") == ""


def test_the_events_of_the_samples_are_known_to_the_vocabulary() -> None:
    vocabulary = projection().kinds[-1].vocabulary
    for row in sample("xai_turn_and_tool"):
        assert row["dir"] == "client" or knows(vocabulary, row["event"]["type"])
