"""docs/door.md: every example is run as it stands, by a shell and curl, and prints what stands below it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import attrs
import pytest

from adapters.server.door import app, guard, protocol
from adapters.server.inside import CallInside, CallOutcome, ReloadVerdict, RequestVerdict
from tests.adapters.server.door_rig import ID, TOKEN, Told, live, open_door

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "door.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- example(?:: ([\w ]+))? -->\n```sh\n(.*?)```\n```text\n(.*?)\n```\n", re.DOTALL)
EXAMPLES = EXAMPLE.findall(PAGE)


def told(when: str) -> Told:
    inside = CallInside(
        call=live(), slots={"response": "active"}, context={"owed": "none"}, deadlines=["quiet_overdue"],
        variables={"tenant": "7"}, result="", results={"mood": "good"},
    )  # fmt: skip
    found = Told(live={ID: inside}, reload_verdict=ReloadVerdict(agents=["default", "night"]))
    if when == "refused":
        found.verdict = RequestVerdict("refused", "the caller is speaking")
    if when == "ended":
        found.outcomes[ID] = CallOutcome("transfer:sales", {"mood": "good"})
    return found


def test_there_is_an_example_of_every_route() -> None:
    commands = " ".join(command for _, command, _ in EXAMPLES)
    for path in ("/livez", "/readyz", "/openapi.json", "/metrics", "/calls?", "/calls/$ID\n", "/calls \\", "/events",
                 "/result\n", "/result/mood"):  # fmt: skip
        assert path in commands, path


@pytest.mark.parametrize(("when", "command", "printed"), EXAMPLES)
async def test_an_example_prints_what_stands_below_it(when: str, command: str, printed: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("NO curl COMMAND: the examples of docs/door.md were not run")
    async with open_door(told(when)) as (door, _):
        names = {
            "DOOR": f"http://127.0.0.1:{door.addresses[0][1]}", "AUTH": f"Authorization: Bearer {TOKEN}", "ID": ID,
            "PATH": os.environ["PATH"], "no_proxy": "*",
        }  # fmt: skip
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, env=names, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(shell.communicate(), 60)
    assert out.decode() == printed


def test_every_word_of_a_refusal_is_in_the_table() -> None:
    words = {*app._STATUS, *app._NO_ANNOUNCEMENT, "too_long", "wrong_field", "no_json", "no_object", "cut", "broken"}
    constants = (guard.NO_TOKEN, guard.OTHER_HOST, protocol.TOO_MANY, protocol.TOO_SLOW, protocol.NO_HTTP)
    words |= {attrs.asdict(each)["error"] for each in constants} | {"not_ready", "too_many_requests"}
    table = PAGE[PAGE.index("| status |") : PAGE.index("## 3.")]
    assert {each for each in words if f"`{each}`" not in table} == set()
