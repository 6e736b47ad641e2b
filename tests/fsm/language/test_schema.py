"""The schemas for editors: they accept every bundled file, refuse broken ones, and know every key the readers know."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from adapters.specs import BUNDLED, load_spec
from fsm.language import operation_reader, spec_reader, vocabulary_reader
from fsm.language.derivation import OPERATIONS
from fsm.language.schema import spec_schema, vocabulary_schema
from fsm.language.yaml_nodes import plain, read
from fsm.machine.ledgers import LEDGERS
from fsm.verify.property_reader import CLAIM_KEYS
from tests.fsm.bundle import NAMES, SPECS, text_of

SPEC_FILES = tuple(f"{name}.yaml" for name in NAMES) + tuple(
    str(path.relative_to(SPECS)) for path in sorted((SPECS / "parts").rglob("*.yaml"))
)
VOCABULARY_FILES = tuple(str(path.relative_to(SPECS)) for path in sorted((SPECS / "vocabularies").glob("*.yaml")))
TEXTS = {
    "spec.schema.json": spec_schema(load_spec(name).spec for name in BUNDLED),
    "vocabularies/vocabulary.schema.json": vocabulary_schema(LEDGERS),
}
SPEC_SCHEMA: Mapping[str, Any] = json.loads(TEXTS["spec.schema.json"])
VOCABULARY_SCHEMA: Mapping[str, Any] = json.loads(TEXTS["vocabularies/vocabulary.schema.json"])


@pytest.mark.parametrize("file", TEXTS)
def test_the_committed_schema_is_fresh(file: str) -> None:
    assert text_of(file) == TEXTS[file], f"specs/{file} is stale: run `turnspec schema`"


@pytest.mark.parametrize("schema", [SPEC_SCHEMA, VOCABULARY_SCHEMA], ids=["spec", "vocabulary"])
def test_it_is_a_schema_and_describes_what_it_names(schema: Mapping[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    for name, section in schema["properties"].items():
        assert section.get("description"), name


def as_an_editor_reads(text: str) -> object:
    """YAML 1.2: numbers, true/false and null are what they are, `on`, `yes` and `no` are texts."""
    return _value(yaml.compose(text, Loader=yaml.SafeLoader))


def _value(node: Any) -> object:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    words: Mapping[str, object] = {"true": True, "false": False, "null": None, "~": None, "": None}
    if node.style or not (node.value in words or node.value.isdigit()):
        return str(node.value)
    return int(node.value) if node.value.isdigit() else words[node.value]


def problems(schema: Mapping[str, Any], value: object) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("file", SPEC_FILES)
def test_bundled_specs_and_parts_validate(file: str) -> None:
    assert problems(SPEC_SCHEMA, plain(read(text_of(file), file))) == []
    assert problems(SPEC_SCHEMA, as_an_editor_reads(text_of(file))) == []


@pytest.mark.parametrize("file", VOCABULARY_FILES)
def test_bundled_vocabularies_validate(file: str) -> None:
    assert problems(VOCABULARY_SCHEMA, plain(read(text_of(file), file))) == []
    assert problems(VOCABULARY_SCHEMA, as_an_editor_reads(text_of(file))) == []


GOOD = """
spec: small
vocabulary: [vocabularies/realtime/session.yaml, vocabularies/call.yaml]
initial: idle
context: {n: {range: 0..3, overflow: retries.overflowed}}
choices: {next: [{if: n > 0, to: idle}, {if: else, to: over}]}
groups: {all: {states: [idle], on: {caller.hung_up: over}, ignore: {late: [playout.*]}}}
states:
  idle: {entry: [n += 1], after: {bored: 500}, on: {session.created: {do: [update_session], to: next}}}
  over: {final: yes}
"""


def test_the_small_spec_that_is_broken_below_is_good() -> None:
    assert problems(SPEC_SCHEMA, as_an_editor_reads(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("initial: idle", "inital: idle"),
        ("vocabulary: [vocabularies/realtime/session.yaml, vocabularies/call.yaml]\n", ""),
        ("initial: idle\n", ""),
        ("range: 0..3", "range: 1..3"),
        ("{range: 0..3, overflow: retries.overflowed}", "{range: 0..3, values: [a]}"),
        ("{range: 0..3, overflow: retries.overflowed}", "{}"),
        ("{if: else, to: over}", "{if: else, do: [hang_up]}"),
        ("states: [idle], on", "state: [idle], on"),
        ("ignore: {late: [playout.*]}", "ignore: [playout.*]"),
        ("caller.hung_up: over", "caller.hung_up: {if: n > 0}"),
        ("caller.hung_up: over", "caller.hung_up: {go: over}"),
        ("entry: [n += 1]", "entry: [n ++]"),
        ("entry: [n += 1]", "entry: [{when: n > 0, do: [hang_up]}]"),
        ("after: {bored: 500}", "after: {bored: 0}"),
        ("after: {bored: 500}", "after: {bored: in 5 s}"),
        ("final: yes", "final: maybe"),
        ("final: yes", "entyr: [hang_up]"),
        ("states:\n  idle", "states: [idle]\nstatesx:\n  idle"),
    ],
)
def test_broken_specs_do_not_validate(old: str, new: str) -> None:
    assert GOOD.count(old) == 1
    assert problems(SPEC_SCHEMA, as_an_editor_reads(GOOD.replace(old, new))) != []


@pytest.mark.parametrize("value", [[], "text", {}, {"about": "a part that holds nothing"}])
def test_a_file_that_is_neither_spec_nor_part_does_not_validate(value: object) -> None:
    assert problems(SPEC_SCHEMA, value) != []


SMALL = """
vocabulary: small
slots: {line: {values: [up, down], waits: [up]}}
events:
  caller.hung_up: {from: caller, when: {line: [up]}, moves: {line: {up: down}}}
  response.created: {identity: response_created, wire: {response.created: {response_id: response.id}}}
effects: {hang_up: {to: local, recipe: plain}}
errors: [{code: x, event: caller.hung_up}]
noise: {chatter: [ping]}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("vocabulary: small\n", ""),
        ("values: [up, down]", "value: [up, down]"),
        ("from: caller", "from: nowhere"),
        ("when: {line: [up]}", "when: [up]"),
        ("moves: {line: {up: down}}", "moves: {line: down}"),
        ("identity: response_created", "identity: response_creatd"),
        ("{response_id: response.id}", "{response_id: [response.id]}"),
        ("to: local", "to: nobody"),
        ("recipe: plain", "recipe: soup"),
        (", event: caller.hung_up", ""),
        ("chatter: [ping]", "chatter: {ping: pong}"),
    ],
)
def test_broken_vocabularies_do_not_validate(old: str, new: str) -> None:
    found = problems(VOCABULARY_SCHEMA, as_an_editor_reads(SMALL.replace(old, new) if old else SMALL))
    assert bool(found) == bool(old)


def test_an_editor_is_offered_the_words_of_the_bundled_vocabularies() -> None:
    offered = SPEC_SCHEMA["$defs"]["answers"]["anyOf"][0]["properties"]
    assert {"response.created.ours", "timer.answer_overdue", "uplink.committable", "caller.hung_up"} <= set(offered)
    assert "response.created.known" not in offered, "noise never reaches a state"
    effects = SPEC_SCHEMA["$defs"]["effect_words"]["enum"]
    assert {"create_response(greeting)", "flush_playout", "presume(auto_lost)", "commit_audio"} <= set(effects)


# --- every key of the readers is in a schema, and no other ------------------------------------------------------------


def keys_of_readers() -> set[frozenset[str]]:
    """The keys in each `self.mapping(node, KEYS)` of the readers."""
    found = set()
    for module in (spec_reader, operation_reader, vocabulary_reader):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        local = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "mapping":
                keys = node.args[1]
                keys = local[keys.id] if isinstance(keys, ast.Name) else keys
                found.add(frozenset(_literal(keys, local)))
    return found


def _literal(node: ast.AST, local: Mapping[str, ast.Tuple]) -> Iterator[str]:
    assert isinstance(node, ast.Tuple)
    for item in node.elts:
        if isinstance(item, ast.Starred):
            assert isinstance(item.value, ast.Name)
            yield from _literal(local[item.value.id], local)
        else:
            assert isinstance(item, ast.Constant)
            yield str(item.value)


def keys_of_schemas(node: object) -> Iterator[frozenset[str]]:
    """The keys of each object that may hold no others."""
    if isinstance(node, dict):
        if node.get("additionalProperties") is False:
            yield frozenset(node["properties"]) - {
                "extends",
                "conflicts",
                *OPERATIONS,
            }  # those are the deriver's, of any text
        for value in node.values():
            yield from keys_of_schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of_schemas(value)


def test_schemas_and_readers_know_the_same_keys() -> None:
    schemas = {*keys_of_schemas(SPEC_SCHEMA), *keys_of_schemas(VOCABULARY_SCHEMA)}
    of_verification = {frozenset(keys) for keys in (spec_reader.VERIFY_KEYS, CLAIM_KEYS, ("from", "to"))}
    assert schemas == keys_of_readers() | of_verification


def test_a_derived_spec_its_vocabulary_and_its_variants_are_accepted() -> None:
    shop = Path(__file__).parents[2] / "adapters" / "server" / "shop"
    for file, schema in (("shop.yaml", SPEC_SCHEMA), ("shop_words.yaml", VOCABULARY_SCHEMA)):
        errors = [
            e.message for e in Draft202012Validator(schema).iter_errors(as_an_editor_reads((shop / file).read_text()))
        ]
        assert errors == []
