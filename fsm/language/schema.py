"""JSON Schemas of spec and vocabulary files for editors, made from the tables of the readers. Text out, no files.

A schema completes keys and words and marks what is plainly wrong while one types; the loader stays the judge, it knows
what a schema cannot say. Scalars are accepted as YAML 1.2 reads them in an editor (`3`, `true`) and as texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from fsm.language.ledger import Ledgers
from fsm.language.request_data import SPELLINGS
from fsm.language.spec import STATE_TAGS, STATED_WAITS, Spec
from fsm.language.spec_reader import (
    ANSWERS,
    CONTEXT_KEYS,
    DEADLINE_KEYS,
    GROUP_KEYS,
    PROMPT_KEYS,
    REASON_KINDS,
    ROW_KEYS,
    SECTIONS,
    STATE_KEYS,
    VERIFY_KEYS,
)
from fsm.language.vocabulary import PLAIN
from fsm.language.vocabulary_reader import DOERS, EFFECT_KEYS, EVENT_KEYS, SLOT_KEYS, SOURCES, VARIANT_KEYS
from fsm.language.vocabulary_reader import SECTIONS as VOCABULARY_SECTIONS

Schema = Mapping[str, object]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Schema = {"type": ["string", "number", "boolean"]}
ABOUT: Schema = {**TEXT, "description": "In words, for whoever reads the spec."}
YES_NO: Schema = {"enum": ["no", "yes", False, True]}
WHOLE = r"^[0-9]+$"


def spec_schema(specs: Iterable[Spec]) -> str:
    """The schema of specs and of the parts they include; it completes the words that `specs` use."""
    known = tuple(specs)
    root = {
        "$schema": DRAFT,
        "title": "turnspec lifecycle spec",
        "description": "A state machine of a call, or a part that specs include (a file without 'spec').",
        **_keys({**_SPEC_SECTIONS, **_DERIVED}, (*SECTIONS, "conflicts", *_DERIVED)),
        "if": {"required": ["spec"], "not": {"anyOf": [{"required": ["include"]}, {"required": ["extends"]}]}},
        "then": {"required": ["vocabulary", "initial", "states"]},
        "else": {
            "anyOf": [
                {"required": [name]}
                for name in ("spec", "extends", "groups", "states", "choices", "actions", "add", "override")
            ]
        },
        "$defs": {**_SPEC_PARTS, **_words(known)},
    }
    return _text(root)


def vocabulary_schema(ledgers: Ledgers) -> str:
    """The schema of vocabulary files; it completes what the ledgers know."""
    root = {
        "$schema": DRAFT,
        "title": "turnspec vocabulary",
        "description": "What events, effects and presumptions mean to the slots of a conversation.",
        **_keys({**_VOCABULARY_SECTIONS, **_DERIVED}, (*VOCABULARY_SECTIONS, *_DERIVED)),
        "anyOf": [{"required": ["vocabulary"]}, {"required": ["extends"]}],
        "$defs": {**_VOCABULARY_PARTS, **_ledger_words(ledgers)},
    }
    return _text(root)


def _text(root: Mapping[str, object]) -> str:
    return json.dumps(root, indent=1, ensure_ascii=False) + "\n"


# --- small pieces -----------------------------------------------------------------------------------------------------


def _keys(described: Mapping[str, Schema], keys: Sequence[str], *required: str) -> dict[str, object]:
    """An object with exactly the keys the reader knows. A key the reader knows and nobody described is a KeyError."""
    properties = {key: described[key] for key in keys}
    found: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        found["required"] = list(required)
    return found


def _map(values: Schema, description: str = "", **more: object) -> dict[str, object]:
    """Any names with the same kind of value; an empty value counts as none."""
    full = {"type": ["object", "null"], "additionalProperties": values, **more}
    anything: dict[str, object] = {"anyOf": [full, {"const": ""}]}
    return {"description": description, **anything} if description else anything


def _listed(item: Schema, description: str = "") -> dict[str, object]:
    """A list; one value alone counts as a list of one."""
    either: dict[str, object] = {"anyOf": [{"type": "array", "items": item}, item, {"type": "null"}, {"const": ""}]}
    return {"description": description, **either} if description else either


def _number(least: int, description: str) -> dict[str, object]:
    either = [
        {"type": "integer", "minimum": least},
        {"type": "string", "pattern": WHOLE if least == 0 else "^[1-9][0-9]*$"},
    ]
    return {"description": description, "anyOf": either}


def _figure(description: str) -> dict[str, object]:
    either = [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^([1-9][0-9]*|[A-Za-z_]\w*)$"}]
    return {"description": description, "anyOf": either}


def _ref(name: str, description: str = "") -> dict[str, object]:
    return {"$ref": f"#/$defs/{name}", **({"description": description} if description else {})}


def _said(description: str, **more: object) -> dict[str, object]:
    return {**TEXT, "description": description, **more}


# --- specs ------------------------------------------------------------------------------------------------------------

_KIND_WORDS: Mapping[str, str] = {
    "ignore": "Reasons, and the events that are ignored for them.",
    "refuse": "Reasons, and the requests that are refused for them. A fact cannot be refused.",
    "cannot_happen": "Reasons, and the events that cannot be here for them. If one is, it is logged and counted.",
}
_ANSWER_WORDS: Mapping[str, Schema] = {
    "on": _ref("answers", "Events and what is done about them: several with commas, patterns with `*`."),
    "defer": _listed(_ref("event"), "Requests that wait until a state answers them; several of a name become one."),
    **{kind: _map(_listed(_ref("event")), _KIND_WORDS[kind]) for kind in REASON_KINDS},
}
assert set(_ANSWER_WORDS) == set(ANSWERS)

_ROW_WORDS: Mapping[str, Schema] = {
    "id": _said("A stable name; without it, made from state, event and guard."),
    "if": _ref("condition", "The row holds where this does; `else` where no other row does."),
    "to": _ref("target"),
    "do": _ref("operations"),
    "ignore": _said("Ignored, for this reason."),
    "refuse": _said("Refused, for this reason; requests only."),
    "cannot_happen": _said("Cannot happen, for this reason."),
    "defer": _said("Waits, for this reason."),
    "about": ABOUT,
}
_STATE_WORDS: Mapping[str, Schema] = {
    "about": ABOUT,
    "groups": _listed(TEXT, "The groups whose answers it shares; they may name it themselves instead."),
    "tags": _listed({"enum": list(STATE_TAGS)}, " ".join(f"{tag}: {says}" for tag, says in STATE_TAGS.items())),
    "slots": _map(_listed(TEXT), "The slot values that may be found in this state."),
    "entry": _ref("operations", "Done when the state is entered."),
    "exit": _ref("operations", "Done when the state is left."),
    "after": _map(
        _figure("Milliseconds, or a figure."), "Deadlines that run in this state; each is an event `timer.<name>`."
    ),
    "final": {**YES_NO, "description": "The call is over in this state."},
    **_ANSWER_WORDS,
}
_GROUP_WORDS: Mapping[str, Schema] = {
    "about": ABOUT,
    "states": _listed(TEXT, "The states that share these answers; a state's own answer wins."),
    **_ANSWER_WORDS,
}
_CONTEXT_WORDS: Mapping[str, Schema] = {
    "values": {"type": "array", "items": TEXT, "minItems": 1, "description": "Every value; the order is their rank."},
    "range": {"type": "string", "pattern": r"^0\.\.\w+$", "description": "A counter that stays within 0..n."},
    "initial": _said("The value at first; without it, the first."),
    "without_greeting": _said("The value at first in a call that has no greeting, if that is another."),
    "setting": _said("The key of 'turns:' by which an operator chooses the value at first."),
    "call_data": _said(
        "The same, and a variable of the call: what the line says about it chooses before the operator."
    ),
    "latch": {**YES_NO, "description": "It is set once, if at all, and never reset."},
    "overflow": _ref("event", "The event that is raised when it would grow beyond its end."),
    "about": ABOUT,
}
_DEADLINE_WORDS: Mapping[str, Schema] = {
    "after_ms": _figure("Milliseconds (or a figure) until `timer.<name>`."),
    "while": _ref("condition", "It runs while this holds, and anew when what this reads changes."),
    "at_least": {
        "enum": list(STATED_WAITS),
        "description": "Longer, where the event that starts it states a longer wait in this field.",
    },
    "restart": {
        "enum": ["on_change", "never"],
        "description": "never: counted from when it began to hold.",
    },
    "setting": _said("The key of 'limits:', in seconds, by which an operator chooses how long."),
    "about": ABOUT,
}
_TURN_DETECTION_KEYS = ("manual", "needs", "refuses")
_REFUSAL_KEYS = ("key", "value", "reason")
_REFUSAL_WORDS: Mapping[str, Schema] = {
    "key": _said("A key of the provider's turn_detection."),
    "value": _said("The value that is refused; without it, any."),
    "reason": _said("Why, and what would be right."),
}
_TURN_DETECTION_WORDS: Mapping[str, Schema] = {
    "manual": {**YES_NO, "description": "The spec opens and closes turns itself: the provider's VAD is off."},
    "needs": _map(TEXT, "Settings that are sent because the spec counts on them."),
    "refuses": _listed(_keys(_REFUSAL_WORDS, _REFUSAL_KEYS, "key"), "Settings that contradict the spec."),
}
_DERIVED: Mapping[str, Schema] = {
    "extends": _said("The text that this one changes: a file, or the name of a bundled spec."),
    "remove": {"type": "object", "description": "What of the base is not there: names, or items of its lists."},
    "override": {"type": "object", "description": "What of the base is replaced; it must be there."},
    "add": {
        "type": "object",
        "description": "What is new; `KEY+` adds to the end of a list of the base, `+KEY` before.",
    },
}
_PROMPT_WORDS: Mapping[str, Schema] = {
    "text": _said("What is said: `turnspec prompts` makes the recording of it."),
    "wav": _said("The file that is made; without it, the name with .wav."),
}
_CLAIM_WORDS: Mapping[str, Schema] = {
    "about": ABOUT,
    "never": _listed(TEXT, "Conditions of which none may ever hold."),
    "always": _listed(TEXT, "Conditions that must hold all the time."),
    "leads_to": {
        "description": "Where `from` holds, `to` holds at last.",
        **_keys({"from": TEXT, "to": TEXT}, ("from", "to"), "from", "to"),
    },
    "each": _listed(TEXT, "States for each of which it is said (`each`); `not TAG`: all but these and final ones."),
    "over": _listed(TEXT, "Variables of the spec that it speaks of: without them it does not apply."),
    "specs": _listed(TEXT, "The specs that it is said of, if not of all."),
    "needs": _listed(TEXT, "Assumptions and features without which it does not apply."),
}
_CLAIM: Schema = {
    **_keys(_CLAIM_WORDS, tuple(_CLAIM_WORDS)),
    "oneOf": [{"required": [kind]} for kind in ("never", "always", "leads_to")],
}
_ANYTHING: Schema = {"type": ["object", "null"]}
_VERIFY_WORDS: Mapping[str, Schema] = {
    "worlds": _listed(TEXT, "Files that are laid beside the world; one that says `world: NAME` takes its place."),
    "world": {**_ANYTHING, "description": "The same, written here: variables, bounds, moves, effects, scenes ..."},
    "properties": _listed({"anyOf": [TEXT, _map(_CLAIM)]}, "Files of properties, or properties by name."),
    "ghosts": _map(_ANYTHING, "Variables that remember what has happened."),
    "actions": _map(_listed({"anyOf": [TEXT, _ANYTHING]}), "Operations on ghosts by name."),
    "after": _map(
        _listed({"anyOf": [TEXT, _ANYTHING]}),
        "What ghosts do after `event NAME`, `effect NAME`, `effect NAME(argument)`, `move NAME`, `sent NAME`.",
    ),
    "intents": _map(_listed(TEXT), "What its own words are meant as."),
    "waive": _map(TEXT, "Properties that it does not keep to, each with the reason."),
}
_SPEC_SECTIONS: Mapping[str, Schema] = {
    "spec": _said("The name of the spec."),
    "about": ABOUT,
    "version": _number(1, "Counts up when the spec changes what a call does."),
    "include": _listed(TEXT, "Files whose sections are merged into these."),
    "vocabulary": _listed(TEXT, "The vocabulary files, in order."),
    "initial": _said("The state a call starts in."),
    "turn_detection": {
        "description": "What the spec demands of the provider's turn detection.",
        **_keys(_TURN_DETECTION_WORDS, _TURN_DETECTION_KEYS),
    },
    "figures": _map(
        _number(0, "A number."), "Numbers by name, for deadlines, ranges and conditions; others override them here."
    ),
    "conflicts": _map(TEXT, "Of a part: the parts and specs it does not go with, each with the reason."),
    "context": _map(_ref("context"), "Finite variables that rows may change."),
    "conditions": _map(_ref("condition"), "Conditions by name."),
    "deadlines": _map(_ref("deadline"), "Timers that run while a condition holds."),
    "actions": _map(_ref("operations"), "Operations by name."),
    "choices": _map(_listed(_ref("choice_row")), "Decisions that rows may target: exactly one row holds."),
    "groups": _map(_ref("group"), "Answers that several states share."),
    "states": _map(_ref("state"), "Who has the floor.", minProperties=1),
    "offers": _map(TEXT, "Actions and conditions that are there for parts, each with what it does."),
    "happy_path": _listed(TEXT, "The states of a call in which all goes well, in order; drawn in green."),
    "prompts": _map(
        {"anyOf": [TEXT, {"type": "null"}, _keys(_PROMPT_WORDS, PROMPT_KEYS, "text")]},
        "Recordings by name: WAV files beside this one; empty: the configuration has it.",
    ),
    "say": _map(
        {"anyOf": [TEXT, {"type": "null"}]},
        "Instructions to the model by name, for a response of our own; empty: the configuration has it.",
    ),
    "verify": {
        "description": "What it says about its own verification.",
        **_keys(_VERIFY_WORDS, VERIFY_KEYS),
    },
}
_OPERATION_PATTERN = r"^\s*(\w+\s*(\+=|-=|=)\s*.+|\w+(\(\s*\w+\s*\))?\s*)$"
_BRANCH_KEYS = ("if", "do", "else")
_BRANCH_WORDS: Mapping[str, Schema] = {"if": _ref("condition"), "do": _ref("operations"), "else": _ref("operations")}
_ROW_DOES = ("to", "do", "defer", *REASON_KINDS)
_SPEC_PARTS: Mapping[str, Schema] = {
    "condition": _said("a == b, a != b, a in (b, c), a < 3, not, and, or; yes/no variables and conditions by name."),
    "target": _said("The state or choice that is next."),
    "operations": _listed(_ref("operation"), "What is done, in order."),
    "operation": {
        "anyOf": [
            _ref("effect_words"),
            {"type": "string", "pattern": _OPERATION_PATTERN},
            _keys(_BRANCH_WORDS, _BRANCH_KEYS, "if"),
        ]
    },
    "row": {
        "anyOf": [
            _said("`defer`, or the next state or choice."),
            {**_keys(_ROW_WORDS, ROW_KEYS), "anyOf": [{"required": [key]} for key in _ROW_DOES]},
        ]
    },
    "choice_row": _keys(_ROW_WORDS, ROW_KEYS, "to"),
    "context": {**_keys(_CONTEXT_WORDS, CONTEXT_KEYS), "oneOf": [{"required": ["values"]}, {"required": ["range"]}]},
    "deadline": _keys(_DEADLINE_WORDS, DEADLINE_KEYS, "after_ms", "while"),
    "group": _keys(_GROUP_WORDS, GROUP_KEYS),
    "state": {"anyOf": [_keys(_STATE_WORDS, STATE_KEYS), {"type": "null"}, {"const": ""}]},
}


def _words(specs: Sequence[Spec]) -> dict[str, Schema]:
    """The words of the vocabularies in use, for completion; other words stay possible."""
    events: dict[str, str] = {}
    effects: dict[str, None] = {}
    for spec in specs:
        for event in spec.vocabulary.alphabet:
            events.setdefault(event.name, f"From: {event.source}.")
        for deadline in spec.deadlines.values():
            events.setdefault(deadline.event, "A deadline.")
        for effect in spec.vocabulary.effects.values():
            effects.update(dict.fromkeys([f"{effect.name}({word})" for word in effect.choices] or [effect.name]))
        effects.update(dict.fromkeys(f"presume({name})" for name in spec.vocabulary.presumptions))
        effects.update(dict.fromkeys(f"restart({name})" for name in spec.deadlines))
    row = _listed(_ref("row"))
    known = {name: {"description": text, **row} for name, text in events.items()}
    return {
        "event": {"anyOf": [{"enum": list(events)}, {"type": "string", "pattern": r"^[\w.*, ]+$"}]},
        "effect_words": {"enum": list(effects)},
        "answers": _map(row, properties=known, propertyNames={"pattern": r"^[\w.*, ]+$"}),
    }


# --- vocabularies -----------------------------------------------------------------------------------------------------

_MEANING: Mapping[str, Schema] = {
    "when": _map(_listed(TEXT), "The slot values with which it is legal."),
    "moves": _map(_map(TEXT), "What becomes of the slots: old value to new; `*` is every other."),
    "about": ABOUT,
}
_SLOT_WORDS: Mapping[str, Schema] = {
    "values": {"type": "array", "items": TEXT, "minItems": 1, "description": "Every value it can have."},
    "initial": _said("The value at first; without it, the first."),
    "audible": _listed(TEXT, "The values in which the caller hears something of ours."),
    "waits": _listed(TEXT, "The values in which somebody is waited for: a deadline must run."),
    "about": ABOUT,
}
_EVENT_WORDS: Mapping[str, Schema] = {
    **_MEANING,
    "from": {"enum": list(SOURCES), "description": "Who reports it."},
    "wire": _map(_ref("form"), "The provider's wire events that are this event, and the paths of their fields."),
    "identity": {**_ref("identity"), "description": "How the ids in it decide which variant it is."},
    "variants": _map(_ref("variant"), "What it can be: the variants of its identity, and others by `where`."),
    "noise": _said("Why no state ever sees it."),
    "otherwise": _said("Why it is ignored where `when` does not hold; without this it is a protocol violation there."),
    "instead": _said("The event it is where `when` does not hold."),
    "data": _map({"enum": list(SPELLINGS)}, "Of what an application says: each field and its type."),
}
_VARIANT_WORDS: Mapping[str, Schema] = {
    **_EVENT_WORDS,
    "where": _map(_listed(TEXT), "The fields that make it this variant, each with the values it has then."),
    "of": _said("The variant of the ledger that it is one of; without it, the last that reaches a spec."),
    "noted": {**YES_NO, "description": "no: the ledger takes no note of it (a terminator is not a digit)."},
}
_EFFECT_WORDS: Mapping[str, Schema] = {
    **_MEANING,
    "to": {"enum": list(DOERS), "description": "Who carries it out; application: a function of a configuration's."},
    "recipe": {**_ref("recipe"), "description": "How its arguments are made from the ids of the call."},
    "args": _listed(
        TEXT, "The names of these arguments, as the recipe makes them; for an application, fields of the event."
    ),
    "sends": _said("The effect it is for the executor, if that has another name."),
    "choices": {"type": "array", "items": TEXT, "description": "The arguments it takes."},
    "rejected": _said("The event that an error about it is."),
    "optional": {**YES_NO, "description": "yes: a configuration need not bind a function; then it has failed."},
}
_PRESUMPTION_KEYS = ("when", "moves", "about")
_ERROR_KEYS = ("code", "message", "param", "event")
_ERROR_WORDS: Mapping[str, Schema] = {
    "code": _said("The error's code."),
    "message": _said("How its message opens (old servers send no code)."),
    "param": _said("The parameter it blames."),
    "event": _said("The event it is."),
}
_VOCABULARY_SECTIONS: Mapping[str, Schema] = {
    "vocabulary": _said("The name of the vocabulary."),
    "about": ABOUT,
    "ledger": _ref("ledger", "The ledger of ids that knows its identities and recipes."),
    "slots": _map(_keys(_SLOT_WORDS, SLOT_KEYS, "values"), "What a conversation has exactly one of."),
    "events": _map(_ref("event"), "What happens, and what it does to the slots."),
    "effects": _map(_keys(_EFFECT_WORDS, EFFECT_KEYS), "What can be done, and what it does to the slots."),
    "presumptions": _map(_keys(_MEANING, _PRESUMPTION_KEYS), "What a deadline may take for granted."),
    "errors": _listed(_keys(_ERROR_WORDS, _ERROR_KEYS, "event"), "The provider's errors as events."),
    "noise": _map(_listed(TEXT), "Reasons, and the wire events that no state sees for them."),
}
_VOCABULARY_PARTS: Mapping[str, Schema] = {
    "event": _keys(_EVENT_WORDS, EVENT_KEYS),
    "variant": _keys(_VARIANT_WORDS, VARIANT_KEYS),
    "form": _map(
        TEXT,
        properties={
            "each": _said("The path of an object or list; one event for each element."),
            "where": _map(_listed(TEXT), "Fields that must have one of these values."),
        },
    ),
}


def _ledger_words(ledgers: Ledgers) -> dict[str, Schema]:
    """The ledgers there are, and what a vocabulary can name of them."""
    identities = dict.fromkeys(name for each in ledgers.values() for name in each.identities)
    recipes = dict.fromkeys([PLAIN, *(name for each in ledgers.values() for name in each.recipes)])
    return {"ledger": {"enum": list(ledgers)}, "identity": {"enum": [*identities]}, "recipe": {"enum": [*recipes]}}
