"""docs/cookbook: its examples are specs that check and calls that run; its table is what the parts say."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from itertools import combinations
from pathlib import Path
from typing import cast

import pytest
import yaml

from adapters.active_call import ActiveCall, Answer
from adapters.cli.show import flat_text
from adapters.scenario.files import Suite, read_files
from adapters.scenario.wire import play_scenario
from adapters.settings.config import Settings, load_settings
from adapters.specs import BUNDLED, REALTIME, load_spec, specs_folder
from fsm.language.problem import SpecError
from fsm.machine.machine import Event
from tools.cookbook.goes_with import bases, conflicts, cookbook_parts, including, why_not
from tools.pages import cookbook

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cookbook.md"
PAGES = sorted((PAGE.parent / "cookbook").glob("*.md"))
PARTS = tuple(page.stem for page in PAGES)
BLOCK = re.compile(r"<!-- ([a-z.]+) -->\n```(?:yaml|python)\n(.*?)```\n", re.DOTALL)
LONGEST = 40
EXAMPLES = specs_folder() / "cookbook"
OURS = ("no_input", "longest_call", "hang_up_tool", "transfer", "hold")
"""Parts that go with every spec."""
NINE = """vocabulary: nine
extends: vocabularies/transfer_key.yaml
override: {events: {caller.pressed_key: {variants: {person: {where: {digit: "9"}}}}}}
"""


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def written(kind: str) -> list[tuple[Path, str]]:
    return [(page, text) for page in (PAGE, *PAGES) for found, text in blocks(page) if found == kind]


def failures(suite: Suite, over_wire: bool = True) -> list[str]:
    found = suite.run_all(suite.cases(), play_scenario if over_wire else None)
    assert found
    return [f"{result.name}: {result.failure}" for _, result in found if result.failure]


@pytest.mark.parametrize("page", PAGES, ids=PARTS)
def test_an_example_is_a_short_spec_that_checks_and_a_call_that_runs(page: Path, tmp_path: Path) -> None:
    (spec,) = [text for kind, text in blocks(page) if kind == "spec"]
    assert len(spec.splitlines()) < LONGEST
    path = tmp_path / "mine.yaml"
    path.write_text(spec, encoding="utf-8")
    assert load_spec(path).spec.name
    scenarios = [text for kind, text in blocks(page) if kind == "scenario"]
    for number, text in enumerate(scenarios):
        (tmp_path / f"scenarios{number}.yaml").write_text(f"spec: mine.yaml\n{text}", encoding="utf-8")
    assert scenarios, "a page has a call, too"
    assert failures(Suite(read_files(sorted(tmp_path.glob("scenarios*.yaml"))))) == []


def test_no_example_of_a_page_is_left_out() -> None:
    for page in (PAGE, *PAGES):
        fences = re.findall(r"(?m)^```\w+$", page.read_text(encoding="utf-8"))
        assert len(fences) == len(blocks(page)), page
    kinds = {kind for page in (PAGE, *PAGES) for kind, _ in blocks(page)}
    assert kinds == {"spec", "scenario", "configuration", "shop.py", "words.yaml", "own"}, (
        "each is checked by a test of this file"
    )


def test_the_first_example_checks(tmp_path: Path) -> None:
    (spec,) = [text for kind, text in blocks(PAGE) if kind == "spec"]
    (tmp_path / "mine.yaml").write_text(spec, encoding="utf-8")
    assert {"no_input", "hang_up_tool"} <= {Path(part).stem for part in yaml.safe_load(spec)["include"]}
    assert load_spec(tmp_path / "mine.yaml").spec.name == "order_line"


def test_what_no_part_has_checks_and_is_said(tmp_path: Path) -> None:
    found = dict(blocks(PAGE))
    for kind, name in (("own", "mine.yaml"), ("words.yaml", "words.yaml")):
        (tmp_path / name).write_text(found[kind], encoding="utf-8")
    assert len(found["own"].splitlines()) < LONGEST and load_spec(tmp_path / "mine.yaml").warnings == ()
    (tmp_path / "scenarios.yaml").write_text(f"spec: mine.yaml\n{found['scenario']}", encoding="utf-8")
    assert failures(Suite(read_files([tmp_path / "scenarios.yaml"]))) == []


@pytest.mark.parametrize(
    ("page", "configuration"), written("configuration"), ids=lambda each: getattr(each, "stem", "")
)
def test_a_configuration_of_a_page_is_one(page: Path, configuration: str, tmp_path: Path) -> None:
    assert configured(page, tmp_path, configuration).warnings == ()


@pytest.mark.parametrize(("paid", "said"), [(True, "was accepted"), (False, "another card")])
def test_the_function_of_a_page_is_bound_and_told_the_digits(
    paid: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((page, code),) = written("shop.py")
    (tmp_path / "shop.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    tool = configured(page, tmp_path, "effects: {take_digits: shop:take}\n").call.effects["take_digits"]
    charged: list[str] = []
    asked: list[Event] = []

    async def charge(digits: str) -> bool:
        charged.append(digits)
        return paid

    def ask(event: Event, answer: Callable[[Answer], None]) -> None:
        asked.append(event)
        answer(Answer(True))

    async def take() -> None:
        await cast(Awaitable[None], tool.function("42", call=ActiveCall(ask)))

    monkeypatch.setattr("shop.charge", charge, raising=False)
    asyncio.run(take())
    (request,) = asked
    assert (charged, request.name) == (["42"], "say_requested") and said in str(request.data["text"])


def configured(page: Path, folder: Path, configuration: str) -> Settings:
    """The page's spec under a configuration. Raises SpecError."""
    (spec,) = [text for kind, text in blocks(page) if kind == "spec"]
    (folder / "mine.yaml").write_text(spec, encoding="utf-8")
    path = folder / "turnspec.yaml"
    path.write_text(f"spec: ./mine.yaml\n{configuration}", encoding="utf-8")
    return load_settings(path, {"OPENAI_API_KEY": "k"})


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_of_a_part_is_short_and_its_scenarios_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST
    assert load_spec(path).spec.name
    scenarios = EXAMPLES / "scenarios" / path.name
    if scenarios.exists():
        assert failures(Suite(read_files([scenarios]))) == []


@pytest.mark.parametrize("base", REALTIME)
@pytest.mark.parametrize("part", OURS)
def test_the_scenarios_of_a_part_hold_with_each_spec(part: str, base: str, tmp_path: Path) -> None:
    said = (EXAMPLES / f"{part}.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(re.sub("(?m)^extends: .*$", f"extends: {base}", said), encoding="utf-8")
    scenarios = read_files([EXAMPLES / "scenarios" / f"{part}.yaml"])
    assert failures(Suite(scenarios, only=str(path)), over_wire=False) == []


def test_another_key_is_a_vocabulary_of_three_lines(tmp_path: Path) -> None:
    (tmp_path / "nine.yaml").write_text(NINE, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(
        "spec: mine\nextends: server_vad\ninclude: [parts/transfer.yaml]\n"
        "remove: {vocabulary: [vocabularies/transfer_key.yaml]}\nadd: {vocabulary+: [nine.yaml]}\n",
        encoding="utf-8",
    )
    word = load_spec(tmp_path / "mine.yaml").spec.vocabulary.events["caller.pressed_key.person"]
    assert dict(word.where) == {"digit": ("9",)}


@pytest.mark.parametrize("base", BUNDLED)
@pytest.mark.parametrize("part", cookbook_parts())
def test_a_part_goes_with_each_spec_that_it_does_not_refuse(part: str, base: str) -> None:
    if base in bases(part):
        assert including(base, part).spec.deadlines
    else:
        with pytest.raises(SpecError, match="does not go with"):
            including(base, part)


@pytest.mark.parametrize(("one", "other"), [*combinations(cookbook_parts(), 2)])
def test_a_pair_goes_together_or_check_says_why_not(one: str, other: str) -> None:
    reason = why_not(one, other)
    if reason is None:
        assert including(bases(one, other)[0], one, other, typestate=False).spec.deadlines
        return
    with pytest.raises(SpecError, match="does not go with") as caught:
        including((bases(one) or BUNDLED)[0], one, other)
    assert reason in str(caught.value) or not bases(one, other)


@pytest.mark.parametrize("base", BUNDLED)
def test_every_bundled_spec_offers_what_the_page_says(base: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (said,) = re.findall(r"What every bundled spec offers[^:]*:(.*?)\. A part", page, re.DOTALL)
    names, offers = re.findall(r"`(\w+)`", said), flat_text(base).root.get("offers")
    assert offers is not None and offers.pairs is not None
    assert len(names) == 8 and set(names) <= {key.text for key, _ in offers.pairs}


def test_what_a_part_does_not_go_with_is_there() -> None:
    for part in cookbook_parts():
        assert set(conflicts(part)) <= {*cookbook_parts(), *BUNDLED}


def test_the_table_of_the_page_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PAGE.parents[1])
    assert PAGE.read_text(encoding="utf-8") == cookbook(), "run `python -m tools.pages cookbook`"
