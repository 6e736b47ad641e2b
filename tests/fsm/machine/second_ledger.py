"""A second provider protocol, as small as one can be: its ledger, vocabulary and lifecycle. Never a test.

Replies are named by ids and begin unasked; a request has a number of ours, which an error about it carries.
"""

from __future__ import annotations

from typing import NamedTuple

from fsm.language.ledger import Args, Data, Fresh, Identity, LedgerProtocol, Made, Recipe
from fsm.language.loader import Loaded, load
from fsm.machine.ledgers import LEDGERS, call
from fsm.machine.ledgers.call import Keys, Responses, Tools
from tests.fsm.bundle import CALL, text_of


class Numbers(NamedTuple):
    """The ids of one call."""

    keys: Keys = Keys()
    tools: Tools = Tools()
    responses: Responses = Responses()
    asked: int = 0
    target: str = ""

    @property
    def create(self) -> str | None:
        return None

    @property
    def running(self) -> tuple[str, ...]:
        return self.tools.running

    def with_keys(self, keys: Keys) -> Numbers:
        return self._replace(keys=keys)

    def with_tools(self, tools: Tools) -> Numbers:
        return self._replace(tools=tools)

    def with_target(self, target: str) -> Numbers:
        return self._replace(target=target)


def _replied(ids: Numbers, data: Data) -> tuple[str, Numbers]:
    reply = call.text(data, "reply")
    if reply is None or reply in ids.responses.ended:
        return "again", ids
    ended = call.kept(ids.responses.ended, reply, 8)
    return "first", ids._replace(responses=Responses(answered=reply, ended=ended))


def _replied_as(tag: str, ids: Numbers, fresh: Fresh) -> Data | None:
    reply = fresh("reply") if tag == "first" else call.last(ids.responses.ended)
    return {"reply": reply} if reply else None


def _ask(effect: str, ids: Numbers, _literal: str | None, _data: Data) -> Made[Numbers]:
    args: Args = {"number": f"{effect}#{ids.asked + 1}"}
    return (args,), ids._replace(asked=ids.asked + 1)


NUMBERS = LedgerProtocol[Numbers](
    name="numbers",
    identities={"replied": Identity(("first", "again"), _replied, _replied_as), **call.IDENTITIES},
    recipes={"ask": Recipe(("number",), _ask), **call.RECIPES},
    begin=lambda talk_key: Numbers(Keys(talk_key)),
    effect_of=lambda name: name.rpartition("#")[0] or None,
    decisive=lambda ids: (bool(ids.tools.running), bool(ids.responses.ended)),
)

WORDS = """\
vocabulary: numbers
ledger: numbers
slots:
  desk: {values: [free, asked], waits: [asked]}
events:
  replied:
    identity: replied
    variants:
      first: {moves: {desk: {"*": free}}}
      again: {noise: this reply is known}
    wire: {reply.done: {reply: id}}
  called:
    identity: tool_called
    variants:
      new: {}
      seen: {noise: this call runs already}
    wire: {function.called: {call_id: call}}
  ask_rejected: {moves: {desk: {"*": free}}}
  error.unrelated: {noise: nobody asked for it}
effects:
  ask:
    to: provider
    recipe: ask
    args: [number]
    when: {desk: [free]}
    moves: {desk: {"*": asked}}
    rejected: ask_rejected
presumptions:
  desk_free: {moves: {desk: {"*": free}}}
"""

LIFECYCLE = """\
spec: numbers
vocabulary: [numbers.yaml, call.yaml]
initial: listening
deadlines:
  overdue: {after_ms: 5000, while: desk == asked}
  stuck: {after_ms: 60000, while: playout == playing}
states:
  listening:
    on:
      timer.stuck: {do: [presume(playout_idle)]}
      caller.pressed_key.talk: {to: waiting, do: [ask]}
      caller.hung_up: {to: over}
      tool.returned.pending: {do: []}
    ignore:
      nothing to do here: ["*"]
  waiting:
    on:
      timer.overdue: {do: [presume(desk_free)], to: listening}
      timer.stuck: {do: [presume(playout_idle)]}
      replied.first, ask_rejected: {to: listening}
      called.new: {do: [run_tool]}
      caller.hung_up: {to: over}
    ignore:
      somebody is asked: ["*"]
  over:
    final: yes
    ignore:
      it is over: ["*"]
"""


def load_second(spec: str = LIFECYCLE) -> Loaded:
    texts = {"numbers.yaml": WORDS, "call.yaml": text_of(CALL)}
    ledgers = {**LEDGERS, NUMBERS.name: NUMBERS}
    return load(spec, "numbers_spec.yaml", lambda name: (texts[name], name), ledgers)
