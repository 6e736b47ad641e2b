"""A small vocabulary and a small spec to change in tests of the language. Never a test."""

from __future__ import annotations

from fsm.language.loader import Loaded, load
from fsm.language.problem import Problem, SpecError
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import Event, Step, TurnSpecMachine

WORDS = """\
vocabulary: mini
slots:
  lamp: {values: [off, on, lost], waits: [on]}
events:
  bell.rang: {from: caller}
  bell.rang_twice: {from: caller}
  bulb.lit: {from: socket, moves: {lamp: {off: on}}}
  bulb.broke: {from: socket, when: {lamp: [on]}, moves: {lamp: {on: off}}, otherwise: it is dark already}
  bulb.stolen: {from: socket, when: {lamp: [on]}, instead: bell.rang}
  fuse.blew: {from: socket, when: {lamp: [lost]}}
  visit.requested: {from: request}
  tea.requested: {from: request}
  bells.overflowed: {from: internal}
  fly.buzzed: {noise: nobody listens to a fly}
effects:
  open_door: {}
  shut_door: {}
  greet: {choices: [hello, goodbye]}
  light: {when: {lamp: [off, lost]}, moves: {lamp: {"*": on}}}
presumptions:
  bulb_gone: {when: {lamp: [on]}, moves: {lamp: {on: lost}}}
ledger: realtime
"""

HOUSE = """\
spec: house
vocabulary: [words.yaml]
initial: hall
context:
  bells: {range: 0..2, overflow: bells.overflowed}
  mood: {values: [calm, cross, angry]}
  tired: {values: [no, yes]}
deadlines:
  bulb_overdue: {after_ms: 1000, while: lamp == on}
  patience: {after_ms: 500, while: mood == cross}
states:
  hall:
    about: Where a call begins.
    on:
      bell.rang: {do: [bells += 1, open_door]}
      bell.rang_twice: {to: garden}
      bulb.lit: {do: []}
      timer.bulb_overdue: {do: [presume(bulb_gone)]}
    ignore:
      nothing to do here: [timer.patience, bulb.broke, bulb.stolen, bells.overflowed, fuse.blew]
    defer: [visit.requested, tea.requested]
  garden:
    about: Outside.
    entry: [shut_door]
    on:
      bell.rang: {to: hall}
      bell.rang_twice: {to: garden, do: [greet(goodbye)]}
      bulb.stolen: {to: cellar}
      bulb.lit: {do: [greet(goodbye)]}
      visit.requested: {do: [greet(hello)]}
      timer.bulb_overdue: {do: [presume(bulb_gone)]}
    refuse:
      no tea in the garden: [tea.requested]
    ignore:
      nothing to do outside: [timer.patience, bulb.broke, bells.overflowed, fuse.blew]
  cellar:
    about: The end.
    final: yes
    ignore:
      it is over: ["*"]
"""


def load_mini(spec: str, words: str = WORDS, *, part: str = "", typestate: bool = True) -> Loaded:
    """Loads the text of a spec; `words.yaml` and `part.yaml` are texts, too."""
    known = {"words.yaml": words, **({"part.yaml": part} if part else {})}

    def fetch(reference: str) -> tuple[str, str]:
        if reference not in known:
            raise FileNotFoundError(2, "No such file or directory")
        return known[reference], reference

    return load(spec, "mini.yaml", fetch, LEDGERS, typestate=typestate)


def found(spec: str, words: str = WORDS, *, part: str = "") -> tuple[Problem, ...]:
    """The problems of a text; none if it loads."""
    try:
        load_mini(spec, words, part=part)
    except SpecError as error:
        return error.problems
    return ()


def said(spec: str, words: str = WORDS, part: str = "") -> list[str]:
    """The problems as they are printed, without their trails."""
    return [str(p).split("\n    how it gets there")[0] for p in found(spec, words, part=part)]


def changed(*changes: tuple[str, str], text: str = HOUSE) -> str:
    """A text after replacements; each old text must be there exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times there"
        text = text.replace(old, new)
    return text


class Walk:
    """Steps a small spec: `walk("bell.rang")` gives the step; the snapshot is kept."""

    def __init__(self, spec: str, words: str = WORDS, **context: str) -> None:
        self.machine = TurnSpecMachine(load_mini(spec, words).spec)
        self.first = self.machine.start(**context)[0]
        self.snapshot = self.first.snapshot

    def __call__(self, name: str, **data: object) -> Step:
        step = self.machine.step(self.snapshot, Event(name, data))
        self.snapshot = step.snapshot
        return step

    def advance(self, name: str, **data: object) -> tuple[Step, ...]:
        """Steps to completion."""
        steps = self.machine.advance(self.snapshot, Event(name, data))
        self.snapshot = steps[-1].snapshot
        return steps

    def timer(self, name: str) -> Step:
        return self(f"timer.{name}", epoch=self.snapshot.armed[name])

    def value(self, name: str) -> str:
        variable = self.machine.spec.variable(name)
        return variable.domain[self.snapshot.control.values[variable.index]]


def effects(step: Step) -> list[str]:
    return [e.name for e in step.effects]
