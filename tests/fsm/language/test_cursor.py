"""What stands at a place of a text, whole or broken, and what an editor says about it."""

from __future__ import annotations

import pytest

from fsm.language.assist import Assistant
from fsm.language.cursor import spot_at
from fsm.language.loader import sketch
from fsm.language.outline import keys
from fsm.language.sources import Sources
from fsm.machine.ledgers import LEDGERS
from tests.fsm.bundle import line_of, loaded, text_of

TEXT = """spec: x
include: [parts/a.yaml, parts/b.yaml]
context:
  over: {values: [no, yes], initial: no}
  many: {range: 0..2, overflow: many.overflowed}
conditions:
  waiting: create == sent or auto in (due, lost)
deadlines:
  turn_overdue:   {after_ms: 60000, while: turn == open}   # c: d
actions:
  owe:  # an answer
    - unsaid
    - {if: auto == lost, do: ["owed = max(owed, turn)", restart(turn_overdue), presume(auto_lost)]}
groups:
  conversation:
    on:
      a.b.new, a.c: {do: [stop_talking, begins], to: user_speaking}
      caller.spoke:
        - {if: turn == quiet, do: [create_response(greeting)]}
        - if: not waiting
          to: elsewhere
      d.e: silent
    ignore:
      the provider's own: [caller.hung_up, x.y]
add:
  states:
    fresh:
      tags: [quiet]
      slots: {line: [up]}
"""


def split(marked: str) -> tuple[int, int]:
    """The place of `|` in a fragment of TEXT."""
    before, _, after = marked.partition("|")
    assert TEXT.count(before + after) == 1, marked
    at = TEXT.index(before + after) + len(before)
    return TEXT[:at].count("\n"), at - TEXT.rfind("\n", 0, at) - 1


@pytest.mark.parametrize(
    ("marked", "kind", "word", "of"),
    [
        ("parts/b|.yaml", "file", "parts/b.yaml", ""),
        ("initial: n|o}", "value", "no", "over"),
        ("overflow: many.|over", "overflow", "many.overflowed", ""),
        ("create| == sent", "guard", "create", ""),
        ("create == se|nt", "value", "sent", "create"),
        ("(due, l|ost)", "value", "lost", "auto"),
        ("turn_ov|erdue:   {", "entry", "turn_overdue", "deadlines"),
        ("while: tu|rn", "guard", "turn", ""),
        ("while|: tu", "key", "while", ""),
        ("- uns|aid", "operation", "unsaid", ""),
        ('do: ["ow|ed = max', "operation", "owed", ""),
        ("max(owed, tu|rn)", "value", "turn", "owed"),
        ("restart(turn_|overdue)", "deadline", "turn_overdue", "restart"),
        ("presume(a|uto_lost)", "presumption", "auto_lost", "presume"),
        ("a.b|.new, a", "event", "a.b.new", ""),
        (", a.|c:", "event", "a.c", ""),
        ("stop_t|alking", "operation", "stop_talking", ""),
        ("to: user|_speak", "target", "user_speaking", ""),
        ("create_response(gr|eeting)", "argument", "greeting", "create_response"),
        ("not wai|ting", "guard", "waiting", ""),
        ("to: else|where", "target", "elsewhere", ""),
        ("d.e: sil|ent", "target", "silent", ""),
        ("hung_up, x.|y]", "event", "x.y", ""),
        ("fre|sh:", "entry", "fresh", "states"),
        ("tags: [qu|iet]", "tag", "quiet", ""),
        ("slots: {li|ne", "slot", "line", ""),
        ("line: [u|p]", "value", "up", "line"),
    ],
)
def test_a_word_is_what_the_keys_around_it_say(marked: str, kind: str, word: str, of: str) -> None:
    spot = spot_at(TEXT, *split(marked))
    assert (spot.kind, spot.word, spot.of) == (kind, word, of)


@pytest.mark.parametrize(
    ("typed", "kind", "of"),
    [
        ("groups:\n  all:\n    on:\n      cal", "event", ""),
        ("groups:\n  all:\n    on:\n      a.b: {to: ", "target", ""),
        ("groups:\n  all:\n    on:\n      a.b: {do: [play_prompt(", "argument", "play_prompt"),
        ("groups:\n  all:\n    on:\n      a.b: {if: turn == ", "value", "turn"),
        ("states:\n  a:\n    ", "key", ""),
        ("conditions:\n  c: not ", "guard", ""),
        ("actions:\n  a: [flush, owed = ", "value", "owed"),
        ("", "key", ""),
    ],
)
def test_what_is_being_typed_is_known_before_it_is_yaml(typed: str, kind: str, of: str) -> None:
    lines = typed.split("\n")
    spot = spot_at(typed, len(lines) - 1, len(lines[-1]), whole=False)
    assert (spot.kind, spot.of) == (kind, of)


def test_no_text_is_too_broken() -> None:
    for text in (TEXT[: len(TEXT) // 2], "{[}:\n- -:\n\t'", "a: 'b\n  c: [\n", ": : :", "\x00{{{"):
        for line in range(text.count("\n") + 3):
            for column in (0, 1, 3, 200):
                assert spot_at(text, line, column) is not None
        assert list(keys(text)) is not None


def test_the_outline_has_every_key_in_its_depth() -> None:
    found = {key.name: (key.line + 1, key.depth) for key in keys(text_of("server_vad.yaml"))}
    line, _ = line_of("server_vad.yaml", "  user_speaking:\n")
    assert found["user_speaking"] == (line, 1) and found["states"][1] == 0 and found["caller.silent"][1] == 3


# --- what is said about it --------------------------------------------------------------------------------------------

SERVER_VAD = "server_vad.yaml"


def assistant(change: tuple[str, str] = ("", "")) -> Assistant:
    texts: dict[str, str] = {}

    def fetch(reference: str) -> tuple[str, str]:
        text = text_of(reference)
        texts[reference] = text.replace(*change) if change[0] and reference == SERVER_VAD else text
        return texts[reference], reference

    text, file = fetch(SERVER_VAD)
    spec, _ = sketch(text, file, fetch, LEDGERS)
    assert spec is not None
    return Assistant(spec, Sources(texts))


def ask(fragment: str, column: int, whole: bool = True, helper: Assistant | None = None) -> tuple[Assistant, str, str]:
    """The assistant, the meaning and the definition of what stands `column` into a fragment of server_vad."""
    line, at = line_of(SERVER_VAD, fragment)
    helper = helper or assistant()
    spot = spot_at(text_of(SERVER_VAD), line - 1, at - 1 + column, whole=whole)
    place = helper.definition(spot)
    return helper, helper.meaning(spot), str(place) if place is not None else ""


@pytest.mark.parametrize(
    ("fragment", "column", "says", "defined"),
    [
        ("timer.answer_overdue: ", 8, "after 4000 ms, while `auto == due`", SERVER_VAD),
        ("caller.interrupted:                    {do: [stop_talking", 8, "- goes on in ", "vocabularies/"),
        ("presume(auto_lost), owed", 10, "moves auto: due → lost", "vocabularies/realtime/answers_turns.yaml"),
        ("owe_answer_again, begins", 3, "(action)", "parts/conversation/answers.yaml"),
        ("waiting: create == sent", 11, "(slot: none, sent", "vocabularies/realtime/session.yaml"),
        ("[commit_audio], to: next", 3, "(effect, to provider)", "vocabularies/"),
        ("caller.silent:                         {to: next_floor}", 45, "(choice of 4 rows)", "parts/conversation/fl"),
        ("answer_overdue: {after_ms", 3, "- is ignored in closing, closed", SERVER_VAD),
        ("if: auto == lost, do: [\"owed", 13, "**auto** (slot", "vocabularies/realtime/answers_turns.yaml"),
    ],
)  # fmt: skip
def test_a_word_is_explained_and_found_in_whatever_file(fragment: str, column: int, says: str, defined: str) -> None:
    _, meaning, place = ask(fragment, column)
    assert says in meaning, meaning
    assert place.startswith(defined)


def test_what_may_be_typed_is_what_fits() -> None:
    helper = assistant()
    spec = loaded("server_vad").spec

    def labels(fragment: str, column: int) -> set[str]:
        line, at = line_of(SERVER_VAD, fragment)
        spot = spot_at(text_of(SERVER_VAD), line - 1, at - 1 + column, whole=False)
        return {each.label for each in helper.proposals(spot)}

    assert labels("caller.silent:                         {to: next_floor}", 44) == {*spec.states, *spec.choices}
    assert labels("caller.interrupted:                    {do: [stop_talking", 3) == set(spec.events)
    assert labels("while: auto == due", 15) == set(spec.variable("auto").domain)
    assert labels("while: auto == due", 7) >= {each.name for each in (*spec.slots, *spec.context)}
    assert labels("[commit_audio], to: next", 1) >= {
        "commit_audio",
        "create_response(",
        "flush_playout",
        "stop_talking",
    }
    assert labels("presume(auto_lost), owed", 8) == set(spec.vocabulary.presumptions)


def test_a_spec_that_is_wrong_somewhere_is_still_explained() -> None:
    helper = assistant(("timer.turn_overdue: ", "timer.turn_overdu: "))
    assert "while `auto == due`" in ask("timer.answer_overdue: ", 8, helper=helper)[1]
