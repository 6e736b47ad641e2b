"""A new section is a new class: what the reader makes of its types, and what it reports where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import attrs
import pytest

from adapters.settings.reader import Between, RejectedError, Section, SettingsReader
from fsm.language.problem import Problems
from fsm.language.yaml_nodes import Node, read


def _even(reader: SettingsReader, node: Node) -> int:
    number = int(reader.text(node))
    if number % 2:
        raise reader.rejected(node, "odd", "an even number is expected here")
    return number


@attrs.frozen(kw_only=True)
class DoorSection(Section):
    """One of several, with a key that must be there."""

    example = "e.g. {path: /calls}"

    path: str
    method: Literal["GET", "POST"] = "GET"


@attrs.frozen(kw_only=True)
class HttpSection(Section):
    """A section that the product does not have."""

    port: Annotated[int, Between(1, 65_535)] = 8080
    timeout_s: Annotated[float, Between(0.5, 60.0)] | None = None
    is_open: bool = False
    doors: tuple[DoorSection, ...] = ()
    pairs_of: Annotated[int, _even] | None = None
    more: dict[str, object] = attrs.field(factory=dict)


def section(text: str) -> tuple[HttpSection, list[str]]:
    problems = Problems()
    found = SettingsReader(problems, {}, Path()).read(read(text, "f"), HttpSection)
    return found, [str(each) for each in problems]


def test_a_section_has_its_types_and_its_defaults() -> None:
    found, problems = section("port: 80\ntimeout_s: 1\ndoors: [{path: /a}, {path: /b, method: POST}]")
    assert (found.port, found.timeout_s, type(found.timeout_s), found.is_open) == (80, 1.0, float, False)
    assert [(door.path, door.method) for door in found.doors] == [("/a", "GET"), ("/b", "POST")]
    assert not problems


def test_what_is_left_empty_is_none_where_that_is_a_value() -> None:
    assert section("timeout_s:")[0].timeout_s is None
    assert section("doors:")[0].doors == ()


def test_a_rejected_value_leaves_the_default_and_a_rejected_item_is_left_out() -> None:
    found, problems = section("port: 0\ndoors: [{path: /a}, {method: POST}, {path: /c, method: PUT}, x]")
    assert found.port == 8080 and found.written.rejected == {"port"}
    assert [door.path for door in found.doors] == ["/a", "/c"]
    assert problems == [
        "f:1:7: error[type]: port: '0' is not a whole number from 1 to 65535",
        "f:2:21: error[missing]: doors[1]: 'path:' is missing here",
        "f:2:56: error[unknown-name]: doors[2].method: 'PUT' is not known here\n    known: GET, POST",
        "f:2:62: error[type]: doors[3]: a mapping is expected here, this is a text\n    e.g. {path: /calls}",
    ]


def test_a_type_may_bring_its_own_reading() -> None:
    assert section("pairs_of: '4'")[0].pairs_of == 4
    assert section("pairs_of: '3'")[1] == ["f:1:11: error[odd]: pairs_of: an even number is expected here"]


def test_keys_that_are_not_known_go_on_with_a_warning_where_the_section_has_room_for_them() -> None:
    found, problems = section("prot: {a: [1, '1']}")
    assert found.more == {"prot": {"a": [1, "1"]}}
    assert len(problems) == 1 and "warning[unknown-name]" in problems[0] and "did you mean 'port'?" in problems[0]


def test_a_section_that_cannot_be_is_rejected() -> None:
    reader = SettingsReader(Problems(), {}, Path())
    with pytest.raises(RejectedError):
        reader.read(read("method: GET", "f"), DoorSection)
