"""No program knows a state, a slot value, a context variable or a choice of a bundled spec by its name.

Programs ask by tag, by what a word of the protocol does, or by a key of the spec. Slot values are short English words,
so some stand in programs in another sense: each in ALLOWED, with its sense and the files that use it so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from fsm.language.spec import Spec
from tests.fsm import bundle
from tests.test_walls import trees

EXEMPT = "fsm/machine/ledgers/"  # one module for each protocol knows what its vocabulary names

ALLOWED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("none", "printed where there is nothing to list", (
        "adapters/cli/serve.py", "adapters/cli/simulate_caller.py", "adapters/demo/demo_call.py", "adapters/tools.py",
        "fsm/journal/replay.py", "fsm/scenario/runner.py",
    )),
    ("none", "a value of the operator's: no noise reduction, sent as null", (
        "adapters/settings/kinds.py", "adapters/settings/provider.py",
    )),
    ("none", "on the wire: a response outside of the conversation, a session without turn detection", (
        "adapters/providers/realtime/confirmation.py", "adapters/settings/turns.py",
        "adapters/simulator/providers/realtime/core.py",
        "adapters/simulator/providers/realtime/responses.py", "adapters/simulator/providers/realtime/shapes.py",
        "fsm/audit/conversation.py", "fsm/audit/rules/turns.py", "fsm/audit/tracking/requests.py",
        "fsm/audit/tracking/session.py", "fsm/audit/tracking/turns.py",
    )),
    ("none", "on the wire: a tool_choice", ("adapters/simulator/providers/realtime/offered_tools.py",)),
    ("none", "an answer on the command line: no fault counts", ("adapters/kit/faults.py",)),
    ("none", "a kind of a finding of audit's: no call was open", ("fsm/audit/rules/live.py",)),
    ("quiet", "a switch on the command line", ("adapters/cli/simulate_provider.py",)),
    ("none", "of uvicorn: a protocol for WebSockets", (
        "adapters/server/door/door.py", "adapters/simulator/providers/realtime/http_front.py",
    )),
    ("quiet", "a tag of states (fsm.language.spec.STATE_TAGS)", (
        "adapters/call/drain.py", "adapters/call/summary.py", "adapters/settings/compat.py", "fsm/draw/picture.py",
        "fsm/language/spec.py",
    )),
    ("open", "a target of coverage that nothing has reached", (
        "fsm/scenario/coverage.py", "fsm/scenario/report.py", "adapters/cli/starter.py",
    )),
    ("open", "the simulated provider begins a part of a response", (
        "adapters/simulator/providers/realtime/live_response.py", "adapters/simulator/providers/realtime/responses.py",
    )),
    ("closed", "a socket that ended: a record of a log, a rule, an act of a scenario", (
        "fsm/audit/record.py", "fsm/audit/rules/ranking.py", "fsm/audit/rules/session.py",
    )),
    ("closed", "a message of the server's log", (
        "adapters/server/server.py", "adapters/server/workers/supervisor.py",
    )),
    ("closing", "a message of the server's log", (
        "adapters/server/server.py", "adapters/server/workers/supervisor.py",
    )),
    ("sent", "messages of the world, in counterexamples and properties", (
        "adapters/cli/verify.py", "fsm/diff/report.py", "fsm/verify/property_reader.py", "fsm/world/code.py",
    )),
    ("sent", "what a client has sent: a column of a report, a field of somebody's log", (
        "adapters/audit/hints.py", "adapters/audit/told.py", "fsm/audit/report/phrases.py",
    )),
    ("lost", "messages of the world", ("adapters/cli/verify.py", "fsm/diff/report.py", "fsm/world/reader.py")),
    ("lost", "lines of a journal that were not written", ("fsm/journal/journal.py",)),
    ("lost", "a session.update that nobody answered", ("fsm/audit/rules/session.py",)),
    ("lost", "how a telephone line ended", ("adapters/lines/audiosocket/connection.py",)),
    ("up", "a direction in somebody's log", ("adapters/audit/hints.py",)),
    ("down", "a direction in somebody's log", ("adapters/audit/hints.py",)),
    ("idle", "what the naive controller calls its own state", ("adapters/demo/naive.py",)),
    ("idle", "what a response of the simulated provider answers", (
        "adapters/simulator/providers/realtime/provider_scenario.py",
        "adapters/simulator/providers/realtime/scripted_model.py",
    )),
    ("active", "an attribute of the ticker's entries", ("adapters/audio/tick.py",)),
    (
        "none", "on the wire: the container of Deepgram's audio",
        ("adapters/providers/deepgram/session.py", "adapters/simulator/providers/deepgram/checks.py"),
    ),
    ("active", "on the wire: the status of a GPT-Live session", ("adapters/simulator/providers/live/core.py",)),
    ("asked", "a kind of display event", (
        "adapters/demo/display_events.py", "adapters/demo/narrator.py", "adapters/demo/screen.py",
    )),
    ("keys", "why the naive controller asks", ("adapters/demo/naive.py",)),
    ("keys", "a scene of the world", ("adapters/verify/parallel.py",)),
    ("reconnects", "a key of the summary", ("adapters/call/summary.py",)),
)  # fmt: skip


def names(spec: Spec) -> Iterator[str]:
    yield from spec.states
    yield from spec.choices
    yield from (variable.name for variable in spec.context)
    yield from (value for slot in spec.slots for value in slot.domain)


NAMES = {name for each in bundle.NAMES for name in names(bundle.loaded(each).spec)}


def named(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names of bundled specs that are whole strings, and their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES:
            yield node.value, node.lineno


def test_no_program_knows_a_name_of_a_spec() -> None:
    found = {
        (name, file): line
        for folder in ("fsm", "adapters")
        for file, tree in trees(folder)
        if not file.startswith(EXEMPT)
        for name, line in named(tree)
    }
    allowed = {(name, file) for name, _, files in ALLOWED for file in files}
    unknown = [f"{file}:{line}: '{name}'" for (name, file), line in found.items() if (name, file) not in allowed]
    assert not unknown, "ask by tag, effect or event (fsm.audit.spec_links, fsm.audit.shadow_slots show how)"
    assert sorted(allowed - set(found)) == [], "allowed, and not there any more"


def test_a_name_is_found_however_it_stands_in_a_program() -> None:
    program = """
if state == "user_speaking" or values["owed"] in {"next_floor": 1}:
    match slot:
        case "unconfirmed":
            say(f"{state} and no user_speaking")
"""
    assert [name for name, _ in named(ast.parse(program))] == ["user_speaking", "owed", "next_floor", "unconfirmed"]
