"""Which agent takes a call: by the name that the line gives, else by the number that was dialled, else the default."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.files import FileWriterThread
from adapters.lines.line import CallData
from adapters.server.agents import Agents
from tests.adapters.server.test_server import settings_for

MORE = "agents: {night: {numbers: ['100']}, day: {greeting: Good day}}\n"


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Agents]:
    settings = settings_for(tmp_path, "ws://127.0.0.1:1/", MORE)
    with ThreadPoolExecutor(1) as threads:
        yield Agents(settings.agents, threads, FileWriterThread())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (CallData(), "default"),
        (CallData(dialled="200"), "default"),
        (CallData(dialled="100"), "night"),
        (CallData(variables={"agent": "day"}), "day"),
        (CallData(dialled="100", variables={"agent": "day"}), "day"),
        (CallData(dialled="100", variables={"agent": ""}), "night"),
        (CallData(dialled="100", variables={"agent": "dya"}), None),
    ],
)
def test_the_agent_of_a_call(agents: Agents, data: CallData, name: str | None) -> None:
    agent = agents.of(data)
    assert (agent.settings.name if agent is not None else None) == name


def test_what_the_calls_of_an_agent_share(agents: Agents) -> None:
    agents.warm_up([8000, 16000])
    agent = agents.of(CallData(variables={"agent": "day"}))
    assert agent is not None
    services = agent.services(16000)
    assert (services.agent, services.settings.greeting) == ("day", "Good day")
    assert len(services.prompts["apology"]) == 2 * len(agent.services(8000).prompts["apology"])
    assert services.machine is agent.services(8000).machine
    header = agent.header("id", CallData("+49"))
    assert (header.agent, header.call_id, header.caller_id) == ("day", "id", "+49")
