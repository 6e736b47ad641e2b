"""A scenario file's text as scenarios, with every mistake reported at its place. Never here: running, opening files.

Names of events, states, effects and variables are checked against each spec the scenario is for (`check_names`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from fsm.language.node_reader import Reader
from fsm.language.problem import Problems
from fsm.language.yaml_nodes import Node, read
from fsm.scenario.scenario import (
    OUTCOMES,
    Does,
    EffectMatch,
    Expect,
    Scenario,
    ScenarioFile,
    ScenarioStep,
    Unreachable,
    WireDeadline,
    WirePlay,
)

FILE_KEYS = ("spec", "about", "setups", "talk_key", "context", "scenarios", "unreachable")
PLAYED = ("caller", "provider", "session", "tools", "effects")
"""What a scenario over the wire is set up with."""
SCENARIO_KEYS = (
    "about",
    "spec",
    "talk_key",
    "context",
    "given",
    "steps",
    "never",
    "over",
    *PLAYED,
    "expect",
)
STEP_DOES = ("event", "wire", "after_ms", "within_ms")
EXPECT_KEYS = ("state", "effects", "includes", "outcome", "variant", "slots", "context", "never")
STEP_KEYS = (*STEP_DOES, "with", *EXPECT_KEYS, "about")
PLAY_KEYS = ("states", "states_in_order", "summary", "deadlines")
_EFFECT = re.compile(r"^(\w+)(?:\((.*)\))?$")
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
_WORDS: Mapping[str, object] = {"true": True, "false": False, "null": None, "": None}


def read_scenarios(text: str, file: str) -> ScenarioFile:
    """The scenarios of a text. Raises SpecError with every problem."""
    problems = Problems()
    root = read(text, file, problems)
    found = ScenarioReader(problems).read(root, file)
    problems.raise_if_any()
    return found


def typed(node: Node) -> object:
    """A node as plain values: numbers, truth values and null where they were not quoted, else texts."""
    if node.text is not None:
        if node.quoted:
            return node.text
        if _NUMBER.match(node.text):
            return float(node.text) if "." in node.text else int(node.text)
        return _WORDS.get(node.text, node.text)
    if node.items is not None:
        return [typed(item) for item in node.items]
    return {str(key.text): typed(value) for key, value in node.pairs or ()}


class ScenarioReader(Reader):
    """One use: `ScenarioReader(problems).read(root, file)`."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.setups: dict[str, tuple[ScenarioStep, ...]] = {}

    def read(self, root: Node, file: str) -> ScenarioFile:
        sections = self.mapping(root, FILE_KEYS)
        specs = self._names(sections.get("spec"))
        for key, node in self.entries(sections.get("setups")):
            self.setups[key.text or ""] = tuple(step for item in self.listed(node) for step in self._given(item))
        base = Scenario(
            "", specs, talk_key=self._optional(sections.get("talk_key")), context=self._texts(sections.get("context"))
        )
        scenarios = tuple(self._scenario(key, node, base) for key, node in self.entries(sections.get("scenarios")))
        claims = tuple(
            Unreachable(specs, key.text or "", self.text(node), key.place)
            for key, node in self.entries(sections.get("unreachable"))
        )
        if not specs and (claims or any(not s.specs for s in scenarios)):
            self.problems.add(root.place, "missing", "scenarios need 'spec:'", "e.g. spec: server_vad")
        return ScenarioFile(file, scenarios, claims)

    # --- a scenario ---------------------------------------------------------------------------------------------------

    def _scenario(self, key: Node, node: Node, base: Scenario) -> Scenario:
        fields = self.mapping(node, SCENARIO_KEYS)
        scenario = attrs.evolve(base, name=key.text or "", place=key.place, about=self._optional(fields.get("about")))
        if "spec" in fields:
            scenario = attrs.evolve(scenario, specs=self._names(fields["spec"]))
        if "talk_key" in fields:
            scenario = attrs.evolve(scenario, talk_key=self.text(fields["talk_key"]))
        if "context" in fields:
            scenario = attrs.evolve(scenario, context={**base.context, **self._texts(fields["context"])})
        if "over" in fields:
            self.one_of(fields["over"], ("wire",))
            return attrs.evolve(scenario, play=self._play(key, fields))
        for name in (*PLAYED, "expect"):
            if name in fields:
                self.problems.add(fields[name].place, "unknown-key", f"'{name}' belongs to a scenario 'over: wire'")
        if "steps" not in fields:
            self.problems.add(key.place, "missing", f"'{key.text}' needs 'steps:'", "a list, one step a line")
            return scenario
        given = [s for item in self.listed(fields["given"]) for s in self._given(item)] if "given" in fields else []
        steps = [self._step(item) for item in self.listed(fields["steps"])]
        never = self._effects(fields["never"]) if "never" in fields else ()
        return attrs.evolve(scenario, steps=(*given, *steps), given=len(given), never=never)

    def _given(self, node: Node) -> tuple[ScenarioStep, ...]:
        """A setup by its name, or a step."""
        if node.text is not None and node.text in self.setups:
            return self.setups[node.text]
        return (self._step(node),)

    def _step(self, node: Node) -> ScenarioStep:
        if node.text is not None:
            return ScenarioStep("event", node.text, place=node.place)
        fields = self.mapping(node, STEP_KEYS)
        does = [name for name in STEP_DOES if name in fields]
        if len(does) > 1:
            self.problems.add(node.place, "step", f"a step does one thing, this does {' and '.join(does)}")
        if "with" in fields and does[:1] not in (["event"], ["wire"]):
            self.problems.add(fields["with"].place, "step", "'with' is the data of an event")
        step = ScenarioStep("look", expect=self._expect(fields), place=node.place)
        if not does:
            return step
        what = fields[does[0]]
        if does[0] in ("after_ms", "within_ms"):
            if does[0] == "within_ms" and not any(name in fields for name in ("state", "effects", "includes")):
                self.problems.add(node.place, "step", "'within_ms' needs what must come: state, effects or includes")
            return attrs.evolve(step, does="after" if does[0] == "after_ms" else "within", ms=self.number(what))
        data = typed(fields["with"]) if "with" in fields else {}
        if not isinstance(data, dict):
            self.problems.add(fields["with"].place, "type", "a mapping of data is expected here")
            data = {}
        kind: Does = "wire" if does[0] == "wire" else "event"
        return attrs.evolve(step, does=kind, name=self.text(what), data=data, has_data="with" in fields)

    def _expect(self, fields: Mapping[str, Node]) -> Expect:
        def effects(name: str) -> tuple[EffectMatch, ...]:
            return self._effects(fields[name]) if name in fields else ()

        return Expect(
            self.text(fields["state"]) if "state" in fields else None,
            effects("effects") if "effects" in fields else None,
            effects("includes"),
            self.one_of(fields["outcome"], OUTCOMES) if "outcome" in fields else None,
            self.text(fields["variant"]) if "variant" in fields else None,
            {**self._texts(fields.get("slots")), **self._texts(fields.get("context"))},
            effects("never"),
        )

    def _effects(self, node: Node) -> tuple[EffectMatch, ...]:
        found: list[EffectMatch] = []
        for item in self.listed(node):
            if item.pairs is not None:
                for key, value in item.pairs:
                    args = typed(value)
                    if not isinstance(args, dict):
                        args = {}
                        hint = f"e.g. {key.text}: {{cause: turn}}, or {key.text}(turn)"
                        self.problems.add(value.place, "type", "the arguments are a mapping", hint)
                    found.append(EffectMatch(key.text or "", None, args))
                continue
            parts = _EFFECT.match(self.text(item).strip())
            if parts is None:
                self.problems.add(item.place, "effect", f"'{item.text}' is not an effect", "e.g. create_response(turn)")
            else:
                found.append(EffectMatch(parts.group(1), parts.group(2)))
        return tuple(found)

    # --- over the wire ------------------------------------------------------------------------------------------------

    def _play(self, key: Node, fields: Mapping[str, Node]) -> WirePlay:
        for name in ("given", "steps", "never"):
            if name in fields:
                hint = "over the wire the caller's script is 'caller: {steps: [...]}'"
                self.problems.add(fields[name].place, "unknown-key", f"'{name}' belongs to the machine alone", hint)
        if "caller" not in fields:
            self.problems.add(key.place, "missing", f"'{key.text}' needs 'caller:'", "the simulated caller's script")
        caller, provider, session, tools, effects = (self._plain(fields.get(name)) for name in PLAYED)
        expect = self.mapping(fields["expect"], PLAY_KEYS) if "expect" in fields else {}
        if not expect:
            self.problems.add(key.place, "missing", f"'{key.text}' expects nothing", f"expect: {', '.join(PLAY_KEYS)}")
        listed = expect.get("states") or expect.get("states_in_order")
        deadlines = self.listed(expect["deadlines"]) if "deadlines" in expect else ()
        places = {key.text or "": key.place for key, _ in self.entries(expect.get("summary"))}
        places |= {"states": listed.place} if listed is not None else {}
        return WirePlay(
            caller, provider, session, tools, effects,
            tuple(self.text(n) for n in self.listed(listed)) if listed else (),
            "states" in expect, self._plain(expect.get("summary")),
            tuple(d for d in map(self._deadline, deadlines) if d is not None), places,
        )  # fmt: skip

    def _deadline(self, node: Node) -> WireDeadline | None:
        fields = self.mapping(node, ("of", "comes", "within_ms"))
        if len(fields) < 3:
            hint = "{of: input_audio_buffer.committed.expected, comes: create_response, within_ms: 100}"
            self.problems.add(node.place, "missing", "a deadline needs 'of', 'comes' and 'within_ms'", hint)
            return None
        of, comes = self.text(fields["of"]), self.text(fields["comes"])
        return WireDeadline(of, comes, self.number(fields["within_ms"]), node.place)

    # --- small things -------------------------------------------------------------------------------------------------

    def _plain(self, node: Node | None) -> Mapping[str, object]:
        return {key.text or "": typed(value) for key, value in self.entries(node)}

    def _texts(self, node: Node | None) -> dict[str, str]:
        return {key.text or "": self.text(value) for key, value in self.entries(node)}

    def _names(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.text(item) for item in self.listed(node)) if node is not None else ()

    def _optional(self, node: Node | None) -> str:
        return self.text(node) if node is not None else ""
