"""The model that `verify` explores, as text for SPIN: an independent second opinion. Pure: text out.

Written from the typed spec and the world, not from the explorer's tables, so that a mistake in either shows as another
number of states or another verdict. One process, one loop; a turn of the loop is one atomic step, so SPIN stores the
explorer's states and one more, before the call. That is the text for safety; `leads_to` has another one, in which every
state is there once for each place in the round of fair moves (tools.promela.lasting).
Never here: running SPIN (tools.promela.spin).
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.language.problem import Place
from fsm.language.spec import Spec
from fsm.language.vocabulary import APPLICATION
from fsm.verify.property import INSTEAD, Claim, Joint, Properties, states_of
from fsm.world.binding import WorldSettings, emitted
from fsm.world.world import World
from tools.promela.controller import SpecText
from tools.promela.lasting import CLAIM, Lasting, Promise
from tools.promela.text import Lines, cases, comment, d_step, expression, identifier, indented, loop, steps, when
from tools.promela.world import MAX_EFFECT_SENDS, PromelaWay, WorldText

SCRATCH = ("ev", "wide", "cut", "gone", "sends", "loses", "i", "j", "k", "z", "open", "held")
BEFORE = 1  # states SPIN stores that the explorer has not: the one before the call


def to_promela(spec: Spec, world: World, properties: Properties, settings: WorldSettings) -> str:
    """The text. `spin -a` and a C compiler make a search of it; an assertion on `said_<name>` fails with a property."""
    return PromelaModel(spec, world, properties, settings).text()


def to_lasting_promela(
    spec: Spec, world: World, properties: Properties, settings: WorldSettings
) -> tuple[str, list[str]]:
    """The text about `leads_to`, and the names of the promises in the order of the numbers a search knows them by."""
    model = PromelaModel(spec, world, properties, settings, is_lasting=True)
    assert model.lasting is not None
    return model.text(), [promise.name for promise in model.lasting.promises]


def uncovered(spec: Spec, world: World, properties: Properties) -> tuple[str, ...]:
    """What the text cannot say of a spec, so that SPIN would count other states: words of the spec's own."""
    emits = {act.event for move in world.moves for act in emitted(move.acts)}
    words = spec.vocabulary.alphabet
    found = [f"'{w.name}' may come at any time" for w in words if w.is_said and emits.isdisjoint((w.name, w.of))]
    found += [f"'{name}' is told apart" for name in spec.vocabulary.refined if name in emits]
    found += [
        f"'{word.name}' is for the application"
        for word in spec.vocabulary.effects.values()
        if word.to == APPLICATION and word.name not in world.effects
    ]
    found += [f"'{name}' is followed by nothing else" for kind, name in properties.hooks if kind == INSTEAD]
    return tuple(found)


class PromelaModel:
    """One export. `claims` are the properties the text judges; `lasting`, those of which it is if it is about them."""

    def __init__(
        self, spec: Spec, world: World, properties: Properties, settings: WorldSettings, is_lasting: bool = False
    ) -> None:
        self.spec, self.settings = spec, settings
        self.world = WorldText(spec, world, properties, settings)
        self.controller = SpecText(spec, self.world.literals(), settings.chosen)
        judged = [c for c in properties.claims if self._judged(c)]
        self.claims = [c for c in judged if c.kind != "leads_to" and not is_lasting]
        self.ways = self.world.ways(self.controller.expr)
        promises = [p for c in judged if c.kind == "leads_to" for p in self._promises(c)]
        self.lasting = Lasting(promises, self.ways, self.controller.is_final()) if is_lasting else None
        self.variables = [*self.controller.variables(), *self.world.declared()]

    def _judged(self, claim: Claim) -> bool:
        said = not claim.specs or self.spec.name in claim.specs
        known = set(claim.over) <= {variable.name for variable in self.spec.variables}
        return said and known and all(self.world.holds(n) for n in claim.needs)

    def _promises(self, claim: Claim) -> list[Promise]:
        found = []
        for state in states_of(claim, self.spec) or ("",):
            start, goal = (self._truth(text.replace("each", state) if state else text, at) for text, at in claim.texts)
            found.append(Promise(f"{claim.name}[{state}]" if state else claim.name, start, goal))
        return found

    def _truth(self, text: str, place: Place) -> str:
        joint = Joint(self.spec.variables, self.world.variables)
        names = [*self.controller.names, *self.world.names]
        return expression(joint.scope.truth(text, place), names.__getitem__)

    def text(self) -> str:
        lines = [
            *self._head(), *self.controller.constants(), *self.world.constants(), "", *self._declarations(), "",
            *self._process(),
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _head(self) -> Lines:
        assumed = ", ".join(f"{k} = {v}" for k, v in self.settings.assume.items())
        bounds = ", ".join(f"{k} = {v}" for k, v in self.settings.bounds.items())
        how = [
            comment("spin -a FILE && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -c0 -m10000000"),
            comment(f"states stored are those of `turnspec verify` and {BEFORE} more, before the call"),
        ]
        if self.lasting is not None:
            how = [comment(f"spin -a FILE && gcc -O2 -DNOREDUCE -o pan pan.c && {CLAIM}=0 ./pan -a -m10000000")]
            how += [comment(f"{CLAIM}={i}: {p.name}") for i, p in enumerate(self.lasting.promises)]
        return [
            comment(f"{self.spec.name}: written by python -m tools.promela"), comment(f"assumed: {assumed}"),
            comment(f"bounds: {bounds}"), *how, "",
        ]  # fmt: skip

    def _declarations(self) -> Lines:
        lines = []
        for name, cells, initial, about in self.variables:
            start = f" = {initial}" if initial else ""
            lines.append(f"byte {name}{f'[{cells}]' if cells else ''}{start}; {comment(about)}")
        lines += ["byte way;", "byte lost;", "byte lost_of_effects;", comment("scratch: zero or stale between steps")]
        copies = [(identifier("k_", name), cells) for name, cells, _, _ in self.variables]
        scratch = [*self.controller.scratch(), *((n, 0) for n in SCRATCH), *copies]
        for name, cells in scratch:
            lines.append(f"hidden byte x_{name}{f'[{cells}]' if cells else ''};")
        lines += ["hidden int x_t;", comment("SPIN writes C, where these short names are taken")]
        lines += [f"#define {name} x_{name}" for name in ("t", *(name for name, _ in scratch))]
        lasting = self.lasting.declared() if self.lasting else []
        return [*lines, *lasting, *(f"hidden byte {self._said(c)};" for c in self.claims)]

    @staticmethod
    def _said(claim: Claim) -> str:
        return identifier("said_", claim.name)

    def _copied(self, back: bool) -> Lines:
        lines = []
        for name, cells, _, _ in self.variables:
            for cell in [f"[{i}]" for i in range(cells)] or [""]:
                here, kept = f"{name}{cell}", f"{identifier('k_', name)}{cell}"
                lines.append(f"{here} = {kept};" if back else f"{kept} = {here};")
        return lines

    # --- a step -------------------------------------------------------------------------------------------------------

    def _effects(self, only: Sequence[str] | None = None) -> Lines:
        names = self.spec.vocabulary.effects if only is None else only
        each = [(name, self.world.effect(name, self.controller.literals)) for name in names]
        options = [(f"fx[z] == {identifier('F_', name)}", lines) for name, lines in each if lines]
        return ["wide = 1; z = 0;", *loop("z < fxs", [*cases(options), "z++;"]), "fxs = 0;"]

    def _take(self) -> Lines:
        """Everything a way does; where a queue was full or there was nothing to lose, all is as before.

        (`skip`: SPIN lets nothing jump right into a d_step.)
        """
        acts = [(f"way == {i}", [comment(w.name), *self._acts(w)]) for i, w in enumerate(self.ways, 1)]
        spend = when("gone", [f"{self.world.budget}--;"]) if self.world.lossy else []
        missed = when("loses != 0 && gone == 0", ["cut = 1;"]) if self.world.lossy else []
        begin = [*self._copied(False), "ev = 0; cut = 0; sends = 0; gone = 0; loses = lost; wide = 0; fxs = 0;"]
        told = [*self.world.heard(), "calls = 0; seek = 0; recalling = 0;"]
        nothing = ["calls = 255;", *when("lost_of_effects != 0", ["cut = 1;"])]
        turn = [*missed, *spend, *when("ev != 0 && cut == 0", told, nothing)]
        effects = ["sends = 0; gone = 0; loses = lost_of_effects;", *self._effects()]
        effects += [f"assert(sends <= {MAX_EFFECT_SENDS});", *missed, *spend]
        took = self.lasting.took() if self.lasting else []
        end = [*took, "way = 0; lost = 0; lost_of_effects = 0;", *when("cut", self._copied(True), self._judge())]
        return [
            "skip;", *steps(acts, begin, turn), *self.controller.answer(),
            "skip;", *d_step(when("cut == 0", effects)), *d_step(end), *(self.lasting.judged() if self.lasting else []),
        ]  # fmt: skip

    def _acts(self, way: PromelaWay) -> Lines:
        """What emits without having received anything waits for the mailbox, too."""
        wide = ["wide = 1;"] if way.answers else []
        if not way.tells or way.emitting_blocked == "(false)":
            return [*wide, *way.acts]
        found = when(way.emitting_blocked, ["held = 1;"], ["held = 0;"])
        return [*wide, *found, *way.acts, *when("held && ev != 0", ["cut = 1;"])]

    def _judge(self) -> Lines:
        lines: Lines = []
        for claim in self.claims:
            tests = [self._truth(text, place) for text, place in claim.texts]
            broken = " || ".join(f"!({t})" if claim.kind == "always" else t for t in tests)
            said = self._said(claim)
            lines += when(f"{said} == 0 && ({broken})", [f"{said} = 1;", f"assert({said} == 0);"])
        return lines

    def _process(self) -> Lines:
        options: Lines = []
        for number, way in enumerate(self.ways, 1):
            options.append(f"{way.guard} -> way = {number} {comment(way.name)}")
            if self.world.lossy:
                losing = f"{way.guard} && {self.world.budget} > 0 -> way = {number}; lost ="
                options += [f"{losing} {n} {comment(f'{way.name}, send {n} lost')}" for n in range(1, way.sends + 1)]
        effects = self._take()
        if self.world.lossy:
            tellers = " || ".join(f"way == {i}" for i, w in enumerate(self.ways, 1) if w.tells)
            left = f"({tellers}) && {self.world.budget} > (lost != 0)"
            losses = [f":: {left} -> lost_of_effects = {n}" for n in range(1, MAX_EFFECT_SENDS + 1)]
            effects = ["if", ":: true", *losses, "fi;", *effects]
        first = [*self.controller.begin(), "sends = 0; loses = 0;", *self._effects(), *self._judge()]
        may = f"!{self.controller.is_final()}" + (f" && {self.lasting.may_step()}" if self.lasting else "")
        body = ["if", *(f":: {may} && {o}" for o in options), "fi;", *effects]
        begin, beside = (self.lasting.begin(), self.lasting.options()) if self.lasting else ([], [])
        return [
            "active proctype call() {", *indented(begin), *indented(d_step(first)), "end:", "  do",
            "  :: atomic {", *indented(indented(body)), "    }", *indented(beside), "  od", "}",
        ]  # fmt: skip
