"""docs/language.md: every example of it loads (or is refused) and steps as the text below it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.specs import fetcher, specs_folder
from adapters.verify.run import load_environment
from fsm.language.loader import load
from fsm.language.problem import SpecError
from fsm.machine.ledgers import LEDGERS
from fsm.machine.machine import Event, Snapshot, Step, TurnSpecMachine
from fsm.verify.verify import SearchLimits, Verification

PAGE = Path(__file__).resolve().parents[1] / "docs" / "language.md"
BLOCK = re.compile(r"<!-- (\w+) -->\n```yaml\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
FILES = {"tiny.yaml": "vocabulary", "part.yaml": "part"}
EXAMPLES = [(kind, spec, printed) for kind, spec, printed in BLOCKS if kind in ("example", "derived")]
VERIFIED = [(spec, printed) for kind, spec, printed in BLOCKS if kind == "verified"]


def block(kind: str) -> str:
    (text,) = [text for found, text, _ in BLOCKS if found == kind]
    return str(text)


def laid_over(base: Any, example: Any) -> Any:
    """The base with what the example says; mappings are merged."""
    if not (isinstance(base, dict) and isinstance(example, dict)):
        return example
    return base | {key: laid_over(base.get(key), value) for key, value in example.items()}


def machine(example: str, kind: str = "example") -> TurnSpecMachine:
    if kind == "derived":  # it extends the page's spec, whose vocabulary has the same name
        base = block("spec").replace("[tiny.yaml]", "[words.yaml]")
        texts = {"tiny.yaml": base, "words.yaml": block("vocabulary"), "patience.yaml": block("patience")}
        return TurnSpecMachine(load(example, "mine.yaml", lambda name: (texts[name], name), LEDGERS).spec)
    read = yaml.BaseLoader
    whole = laid_over(yaml.load(block("spec"), read), yaml.load(example, read))
    text = yaml.safe_dump(whole, sort_keys=False, default_flow_style=None)
    return TurnSpecMachine(load(text, "tiny.yaml", lambda name: (block(FILES[name]), name), LEDGERS).spec)


def errors(example: str, kind: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        machine(example, kind)
    return [f"error[{problem.code}]: {problem.message}" for problem in caught.value.problems]


def printed_step(made: TurnSpecMachine, step: Step, prefix: str = "") -> str:
    """One step as the page prints it."""
    reason = f": {step.reason}" if step.outcome in ("ignored", "refused") else ""
    variant = f" as {step.variant}" if step.variant != step.event.name else ""
    outcome = f" ({step.outcome}{variant}{reason})" if step.event.name != "call.started" else ""
    name = "start" if step.event.name == "call.started" else step.event.name
    spec, before, after = made.spec, step.origin.control.values, step.snapshot.control.values
    effects = [word.name + (f"({literal})" if literal else "") for word, literal in step.reaction.effects]
    changed = [
        f"{v.name} = {v.domain[after[v.index]]}" for v in spec.variables[1:] if before[v.index] != after[v.index]
    ]
    starts = [timer.name for timer in step.start]
    parts = [f"{prefix}{name} -> {step.snapshot.state}{outcome}", ", ".join(effects), ", ".join(changed)]
    parts += [f"starts {', '.join(starts)}" if starts else "", f"stops {', '.join(step.stop)}" if step.stop else ""]
    return " | ".join(part for part in parts if part)


def happened(snapshot: Snapshot, line: str) -> Event:
    """`name {its: data}`; a timer's event has the epoch of its running deadline."""
    name, _, data = line.partition(" ")
    deadline = name.removeprefix("timer.")
    return Event(name, {"epoch": snapshot.armed.get(deadline)} if deadline != name else yaml.safe_load(data) or {})


def run(made: TurnSpecMachine, lines: list[str]) -> Iterator[str]:
    """The steps of the events that the lines name, and of those that waited."""
    first = made.start()
    if lines[0].startswith("start"):
        yield printed_step(made, first[0])
    snapshot = first[-1].snapshot
    for line in lines:
        name = line.split(" -> ")[0]
        if name == "start" or line.startswith("then "):
            continue
        for number, step in enumerate(made.advance(snapshot, happened(snapshot, name))):
            shown = printed_step(made, step, "then " if number else "")
            yield shown if number else name + shown.removeprefix(step.event.name)
            snapshot = step.snapshot


@pytest.mark.parametrize(("kind", "example", "printed"), EXAMPLES)
def test_an_example_does_what_the_page_says(kind: str, example: str, printed: str) -> None:
    lines = printed.splitlines()
    assert lines, "what an example prints stands below it"
    wrong = lines[0].startswith("error")
    found = errors(example, kind) if wrong else list(run(machine(example, kind), lines))
    assert found == lines


@pytest.mark.parametrize(("example", "printed"), VERIFIED)
def test_of_an_example_is_proved_what_the_page_says(example: str, printed: str) -> None:
    assert list(proved(example)) == printed.splitlines()


def proved(example: str) -> Iterator[str]:
    """The findings about what a spec says of its own, in the scene of turns."""
    spec = load(example, "limited.yaml", fetcher(specs_folder()), LEDGERS).spec
    try:
        around = load_environment(spec)
    except SpecError as error:
        yield from (f"error[{problem.code}]: {problem.message}" for problem in error.problems)
        return
    verdict = Verification(spec, around.world, around.properties, SearchLimits("turns")).run(lambda: 0.0)
    status = {finding.name: finding.status for finding in verdict.findings}
    own = [claim.name for claim in around.properties.claims if claim.place.file == "limited.yaml"]
    yield from (f"{name} {status[name]}" for name in own)
    for name, waiver in around.properties.waived.items():
        yield f"{name} is waived ({waiver.reason}), and {status[name]}"
    assert not verdict.violated and not verdict.problems


def test_every_yaml_block_of_the_page_is_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```yaml") == len(BLOCKS) == len(EXAMPLES) + len(VERIFIED) + 4
    assert len(EXAMPLES) > 15


@pytest.mark.parametrize(
    "rule",
    [
        "else",
        "restart",
        "presume",
        "defer",
        "Variants",
        "include",
        "no entry",
        "after the event",
        "extends",
        "override",
        "from: application",
        "where",
        "noted",
    ],
)
def test_the_page_has_the_rule(rule: str) -> None:
    assert rule in PAGE.read_text(encoding="utf-8")
