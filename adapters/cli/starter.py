"""What a spec of one's own starts with: its text, its scenarios, its configuration. Never writing them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from adapters.application import effects_for_application
from adapters.specs import BUNDLED, source_files, specs_folder
from fsm.language.loader import Loaded
from fsm.language.spec import Spec
from fsm.language.yaml_nodes import Node, plain, read
from fsm.machine.machine import TurnSpecMachine
from fsm.scenario.coverage import all_targets
from fsm.scenario.search import PASSES, NoveltySearch
from fsm.scenario.writer import TALK_KEY, drafts_of, played, scenario_lines

PARTS: Final = "parts"
MOST_SCENARIOS, MOST_SEARCHED = 12, 1000
"""Of what the parts answer: enough to go on from, found in seconds."""


@attrs.frozen
class IncludablePart:
    """A part that a spec may include. `figures` are those that it names, with what it says they are."""

    reference: str
    about: str
    figures: Mapping[str, object]


def recipes() -> dict[str, Path]:
    """By name: the bundled parts that no bundled spec has in it."""
    folder = specs_folder() / PARTS
    within = {path for name in BUNDLED for path in source_files(name)}
    return {path.stem: path for path in sorted(folder.glob("*.yaml")) if path.resolve() not in within}


def recipe(path: Path, reference: str) -> IncludablePart:
    """What stands in a part about itself. Raises SpecError, OSError, UnicodeDecodeError."""
    text = path.read_text(encoding="utf-8")
    root = read(text, str(path))
    about, figures = root.get("about"), root.get("figures")
    said = about.text if about is not None and about.text else _head(text)
    return IncludablePart(reference, " ".join(said.split()).partition(". ")[0].rstrip("."), _figures(figures))


def _head(text: str) -> str:
    """The comment that a file begins with."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return " ".join(line.lstrip("# ") for line in lines)


def _figures(node: Node | None) -> dict[str, object]:
    found = plain(node) if node is not None else {}
    return found if isinstance(found, dict) else {}


def spec_text(name: str, base: str, chosen: Sequence[IncludablePart]) -> str:
    """The spec: what it extends, what it includes, and how one goes on."""
    figures = {key: value for each in chosen for key, value in each.figures.items()}
    names = ", ".join(Path(each.reference).stem for each in chosen)
    lines = [
        f"# `turnspec show {name}.yaml` says what this changes of {base}, `--flat` what it comes to.",
        f"spec: {name}",
        "version: 1",
        f"about: What {base} does{' with ' if names else ''}{names}.",
        f"extends: {base}",
    ]
    if chosen:
        lines += ["include:", *(f"  - {each.reference}   # {each.about}" for each in chosen)]
    lines += ["", "# What is your own; docs/language.md section 13 has the rules."]
    if figures:
        lines += ["# override:", f"#   figures: {{{', '.join(f'{key}: {value}' for key, value in figures.items())}}}"]
    else:
        lines += ["# override:", "#   deadlines: {NAME: {after_ms: 8000}}"]
    return "\n".join(lines) + "\n"


def left_to_say(spec: Spec) -> tuple[dict[str, str], dict[str, str]]:
    """What stands in for the recordings (files) and the instructions that the spec leaves to the configuration."""
    prompts = {name: f"{name}.wav" for name, word in spec.prompts.items() if not word.text}
    say = {name: f"Say what '{name}' stands for." for name, word in spec.say.items() if not word.text}
    return prompts, say


def _to_bind(spec: Spec) -> list[str]:
    return [name for name, word in effects_for_application(spec.vocabulary).items() if not word.optional]


def effects_text(spec: Spec) -> str:
    """A module with a function for each effect that is for the application; "" where there is none."""
    names = _to_bind(spec)
    if not names:
        return ""
    functions = (
        f'def {name}(**fields: object) -> object:\n    """Yours to write; till then the call hears that it failed."""\n'
        f'    raise RuntimeError("{name} is not written yet")\n'
        for name in names
    )
    return '"""What the application does."""\n\n\n' + "\n\n".join(functions)


def config_text(spec: Spec, file: str, sounds: Mapping[str, str], says: Mapping[str, str], module: str) -> str:
    """The configuration. `sounds`, `says`: what stands in for what the spec leaves to it; `module`: what its effects
    are bound to."""
    lines = [
        "# turnspec serve turnspec.yaml      (every other key: turnspec.example.yaml)",
        f"spec: ./{file}",
        "listen: {audiosocket: 127.0.0.1:9019, allow: [127.0.0.1, '::1']}",
    ]
    if spec.turn_detection.manual:
        lines.append(f'talk_key: "{TALK_KEY}"')
    if sounds:
        lines += ["prompts:   # these are placeholders: put your own recordings in their place"]
        lines += [f"  {name}: {file}" for name, file in sounds.items()]
    if says:
        lines += ["say:   # what the model is told; write your own"]
        lines += [f"  {name}: {text}" for name, text in says.items()]
    if names := _to_bind(spec):
        lines += [f"effects:   # write them, in {module}.py", *(f"  {name}: {module}:{name}" for name in names)]
    return "\n".join(lines) + "\n"


def scenarios_text(loaded: Loaded, file: str, parts: Sequence[str]) -> str:
    """A call over the wire, and short ways to what the parts answer; `parts` are files as places name them."""
    lines = [
        "# turnspec test scenarios.yaml      (docs/review.md; `turnspec test --help` has the rules of such a file)",
        f"spec: {file}",
        f'talk_key: "{TALK_KEY}"',
        "scenarios:",
        *_wire(loaded.spec),
    ]
    return "\n".join([*lines, *_ways(loaded, parts)]) + "\n"


def _wire(spec: Spec) -> Iterator[str]:
    key = f'{{press: "{TALK_KEY}"}}, ' if spec.turn_detection.manual else ""
    words = [f"{kind}: {_flow(each)}" for kind, each in zip(("prompts", "say"), left_to_say(spec), strict=True) if each]
    yield "  a whole call breaks no rule:"
    yield "    over: wire"
    if words:
        yield f"    session: {{{', '.join(words)}}}"
    yield "    caller:"
    yield f"      steps: [{{wait_ms: 4000}}, {key}{{say: caller_order_status}}, {key}{{wait_ms: 8000}}, hang_up]"
    yield "    expect:"
    yield "      summary: {violations: 0, answers: '> 0'}"


def _flow(words: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {text}" for name, text in words.items()) + "}"


def _ways(loaded: Loaded, parts: Sequence[str]) -> Iterator[str]:
    wanted = {target for target, why in all_targets(loaded).items() if why == "open" and target.place.file in parts}
    machine = TurnSpecMachine(loaded.spec)
    drafts = (
        drafts_of(NoveltySearch(machine, most=MOST_SEARCHED).ways(wanted, PASSES[:1]))[:MOST_SCENARIOS]
        if wanted
        else []
    )
    names: set[str] = set()
    for draft in drafts:
        outcome = played(machine, draft)
        if outcome is None:
            continue
        first = outcome[0][0]
        name = f"{first.before} / {first.steps[0].variant}"
        while name in names:
            name += ", once more"
        names.add(name)
        yield ""
        yield from scenario_lines(name, draft, outcome[0])
