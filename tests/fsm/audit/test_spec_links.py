"""Which line of a spec decides: every rule's links lead somewhere, and to the line that is meant."""

from __future__ import annotations

import pytest

from fsm.audit.rules import RULES
from fsm.audit.rules.rule import AuditRule
from fsm.audit.spec_links import LinkKind, SpecLink, find
from tests.fsm.bundle import ANSWERS, FLOOR, NAMES, TOOLS, line_of, loaded

SPECS = [loaded(name).spec for name in NAMES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_link_leads_to_a_line(rule: AuditRule) -> None:
    assert [link for link in rule.links if not find(SPECS, [link])] == []


@pytest.mark.parametrize(
    ("kind", "name", "tag", "file", "line"),
    [
        ("answer", "response.created.own", "", ANSWERS, "response.created.own:                   {do: [settle_own]"),
        ("answer", "response.created.own", "floor_caller", FLOOR, "response.created.own, response.created.found: {do"),
        ("answer", "caller.silent", "floor_caller", "server_vad.yaml", "caller.silent:                         {to: n"),
        ("emitter", "create_response", "", FLOOR, "do: [ask_for_owed, asked = owed"),
        ("moved", "create_response", "", "vocabularies/realtime/session.yaml", "  create:\n    about: Our own"),
        ("counter", "tools.overflowed", "", TOOLS, "tools_running: {range: 0..4"),
        ("greeting", "", "", ANSWERS, "owed:          {values:"),
    ],
)
def test_what_has_no_name_is_found_by_what_it_does(kind: LinkKind, name: str, tag: str, file: str, line: str) -> None:
    (found,) = find(SPECS, [SpecLink(kind, name, "", tag)])
    assert (found.place.file, found.place.line) == (f"specs/{file}", line_of(file, line)[0])


def test_what_a_spec_does_not_have_is_looked_for_in_the_others() -> None:
    turn_started = SpecLink("answer", "input_audio_buffer.speech_started.new", "")
    push_to_talk, server_vad = loaded("push_to_talk").spec, loaded("server_vad").spec
    (found,) = find([push_to_talk, server_vad], [turn_started])
    assert found.spec == "server_vad"
    assert find([push_to_talk], [turn_started, SpecLink("deadline", "nobody_knows", "")]) == ()
