"""The bundled specs, world and properties, loaded once; and a toy of each, small enough to count by hand."""

from __future__ import annotations

import functools
from pathlib import Path

from fsm.language.loader import load
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.verify.property import Properties
from fsm.verify.property_reader import load_properties
from fsm.verify.verify import SearchLimits, Verification
from fsm.world.reader import load_world
from fsm.world.world import World

SPECS = Path(__file__).parents[3] / "specs"
BUNDLED = ("server_vad", "owned_turns", "guarded_turns", "push_to_talk")
"""Those that are verified in the bundled world; full_duplex names one of its own."""


def fetch(reference: str) -> tuple[str, str]:
    return (SPECS / reference).read_text(encoding="utf-8"), f"specs/{reference}"


@functools.cache
def spec(name: str) -> Spec:
    return load(*fetch(f"{name}.yaml"), fetch, LEDGERS).spec


@functools.cache
def world() -> World:
    return load_world(*fetch("worlds/realtime.yaml"))


@functools.cache
def properties() -> Properties:
    return load_properties(*fetch("worlds/properties.yaml"), world())


TOY_WORDS = """
vocabulary: toy
slots:
  lamp: {values: [off, asked, on], waits: [asked]}
events:
  lamp.lit: {from: socket, when: {lamp: [asked]}, moves: {lamp: {asked: on}}, otherwise: nobody waits for it}
  button.pressed: {from: caller}
effects:
  light: {to: provider, when: {lamp: [off]}, moves: {lamp: {off: asked}}}
presumptions:
  lamp_off: {when: {lamp: [asked]}, moves: {lamp: {asked: off}}}
"""

TOY_SPEC = """
spec: toy
vocabulary: [toy_words]
initial: dark
states:
  dark:
    on:
      button.pressed: {do: [light], to: waiting}
  waiting:
    after: {overdue: 1000}
    on:
      lamp.lit: bright
      timer.overdue: {do: [presume(lamp_off)], to: dark}
    ignore:
      we wait already: [button.pressed]
  bright:
    final: yes
    ignore:
      it is done: [button.pressed]
"""

TOY_WORLD = """
world: toy
assumptions:
  timers_are_long: {about: no deadline while a message is in flight, evidence: made up}
  messages_are_lost: {about: the lamp may say nothing, evidence: made up}
bounds:
  presses: {quick: 1, full: 2}
  losses: {quick: 1}
loss: {budget: losses_left, needs: messages_are_lost}
variables:
  presses_left: {bound: presses}
  losses_left: {bound: losses}
channels:
  to_lamp: {capacity: 1, reserve: 0}
  from_lamp: {capacity: 1, reserve: 0}
messages:
  to_lamp:
    ask:
  from_lamp:
    lit: {lossy: yes}
effects:
  light: [send(ask)]
moves:
  press: {class: caller, when: presses_left > 0, do: [presses_left -= 1, emit(button.pressed)]}
  lamp_lights: {class: provider, receive: ask, do: [send(lit)]}
  gets_lit: {class: telephony, receive: lit, do: [emit(lamp.lit)]}
timers:
  hold_back: {timers_are_long: all}
scenes:
  patient: {about: long timers, assume: {timers_are_long: yes}}
"""

TOY_PROPERTIES = """
ghosts:
  asked: {range: 0..2}
after:
  effect light: [asked += 1]
properties:
  lit_at_last:  {leads_to: {from: state == waiting, to: state == bright}}
  left_at_last: {leads_to: {from: state == waiting, to: state != waiting}}
  never_bright: {never: state == bright}
  asked_once:   {always: asked < 2 or lamp == off}
  patience:     {needs: timers_are_long, never: state == dark and presses_left == 0}
  elsewhere:    {specs: [another], never: state == dark}
"""


def toy_spec(text: str = TOY_SPEC, words: str = TOY_WORDS) -> Spec:
    return load(text, "toy.yaml", lambda _reference: (words, "toy_words.yaml"), LEDGERS).spec


def toy(
    limits: SearchLimits, text: str = TOY_SPEC, world_text: str = TOY_WORLD, said: str = TOY_PROPERTIES
) -> Verification:
    around = load_world(world_text, "toy_world.yaml")
    return Verification(toy_spec(text), around, load_properties(said, "toy_properties.yaml", around), limits)
