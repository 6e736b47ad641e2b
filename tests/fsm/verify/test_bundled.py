"""Every bundled spec, in every scene, at quick bounds. What is known to be broken is listed here until it is mended."""

from __future__ import annotations

import functools
import re

import pytest

from fsm.verify.sequence_diagram import escaped, mermaid
from fsm.verify.verdict import SceneVerdict, matrix
from fsm.verify.verify import SearchLimits, Verification, scenes, unused_rows
from tests.fsm.verify import house

# (spec, scene): properties.
OPEN: dict[tuple[str, str], set[str]] = {}
SCENES = [(name, scene) for name in house.BUNDLED for scene in scenes(house.spec(name), house.world(), "quick")]


@functools.cache
def verification(name: str, scene: str) -> tuple[Verification, SceneVerdict]:
    made = Verification(house.spec(name), house.world(), house.properties(), SearchLimits(scene=scene))
    return made, made.run(lambda: 0.0)


@pytest.mark.parametrize(("name", "scene"), SCENES)
def test_all_properties_hold(name: str, scene: str) -> None:
    _, verdict = verification(name, scene)
    assert not verdict.partial
    assert not verdict.problems, verdict.problems[0]
    surprises = [f for f in verdict.violated if f.name not in OPEN.get((name, scene), set())]
    assert not surprises, f"{surprises[0].name}:\n{surprises[0].run}"


@pytest.mark.parametrize(("name", "scene"), SCENES)
def test_no_deadline_fires_and_settles_nothing(name: str, scene: str) -> None:
    assert not verification(name, scene)[1].in_vain


@pytest.mark.parametrize(("name", "scene"), SCENES)
def test_a_closed_call_has_no_effects(name: str, scene: str) -> None:
    """Not even if its loop went on: whatever is told to a final configuration."""
    made, _ = verification(name, scene)
    events = made.tables.machine.strict_events()
    finals = [c for c, final in zip(made.tables.controls, made.tables.final, strict=True) if final]
    assert finals or not made.settings.bounds["leaves"]
    for control in finals:
        for event in events.values():
            reaction = event.react(control)
            assert not reaction.effects, f"{event.name} after the end: {reaction.effects}"
            assert reaction.after.values[0] == control.values[0]


@pytest.mark.parametrize("name", house.BUNDLED)
def test_the_world_brings_about_all_the_spec_can_be_told(name: str) -> None:
    made, _ = verification(name, "turns")
    unheard = {p.message.split("'")[1] for p in made.binding.unheard()}
    assert unheard <= {"create_rejected.over"}  # needs a rejection that comes after the end of what it names


@pytest.mark.parametrize("name", house.BUNDLED)
def test_unused_rows_are_told(name: str) -> None:
    verdicts = [verification(name, scene)[1] for spec, scene in SCENES if spec == name]
    assert all(p.severity == "warning" for p in unused_rows(house.spec(name), verdicts))
    rows = matrix(verdicts)
    assert rows[0][1:] == tuple(f"{name} / {v.scene}" for v in verdicts)
    assert all(len(row) == len(rows[0]) for row in rows)


STATEMENTS = (
    "sequenceDiagram",
    r"    participant \w+ as [\w ]+",
    r"    note over \w+(,\w+)?: [^;]+",
    r"    note right of \w+: [^;]+",
    r"    \w+(->>|-\)|-x)\w+: [^;]+",
    "    loop [^;]+",
    "    end",
)


def test_counterexamples_are_drawn_with_what_is_in_flight() -> None:
    made, _ = verification("server_vad", "tools")
    run = made.explain("response_pending", "response.created.own")
    assert run is not None
    text = mermaid(run, "how an answer; of <its> own #1")
    for line in text.splitlines():
        plain = re.sub(r"#(\d+|lt|gt);", "", line)
        assert any(re.fullmatch(pattern, plain) for pattern in STATEMENTS), line
    sent = re.findall(r"-\)wire: (\d+) ", text)
    received = re.findall(r"wire->>\w+: (\d+) ", text)
    assert sent == [str(n + 1) for n in range(len(sent))]
    assert set(received) <= set(sent) and len(received) > 5
    assert "specs/" not in text and "server_vad.yaml:" in text


def test_what_mermaid_would_take_for_syntax_is_escaped() -> None:
    assert escaped("a;b#c<d>") == "a#59;b#35;c#lt;d#gt;"
