"""The pytest plugin of the kit: the fixtures `realtime_provider`, `phone` and `bridge_process` (docs/kit.md).

Loaded by every pytest run in an environment that has turnspec, so nothing is imported before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turnspec import BridgeProcess, PhoneSimulator, RealtimeSimulator

_PROVIDER: pytest.StashKey[RealtimeSimulator] = pytest.StashKey()
_PHONE: pytest.StashKey[PhoneSimulator] = pytest.StashKey()
_WIRE: pytest.StashKey[Path] = pytest.StashKey()
CALLER, PROVIDER = "the caller's side of the call has", "the provider's side of the call has"
"""How the assertions begin that tell it themselves."""


@pytest.fixture
def realtime_provider(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealtimeSimulator]:
    """A simulated OpenAI Realtime provider: `.url` for the bridge, `.play(scenario)`, `.assert_good()` at the end."""
    from turnspec import RealtimeSimulator

    with RealtimeSimulator() as provider:
        request.node.stash[_PROVIDER] = provider
        request.node.stash[_WIRE] = tmp_path / "realtime_wire.jsonl"
        yield provider


@pytest.fixture
def phone(request: pytest.FixtureRequest) -> Iterator[PhoneSimulator]:
    """A simulated caller: `call = phone.call(address, script)` or `.call_twilio(url, script)`; `call.assert_good()`."""
    from turnspec import PhoneSimulator

    with PhoneSimulator() as simulator:
        request.node.stash[_PHONE] = simulator
        yield simulator


@pytest.fixture
def bridge_process() -> Iterator[Callable[..., BridgeProcess]]:
    """Starts a bridge as a process: `bridge_process([sys.executable, "bridge.py"], port=9019, env={...})`.

    It listens when that returns, and is ended with the test.
    """
    from turnspec import BridgeProcess

    with ExitStack() as stack:

        def start(command: list[str], **options: Any) -> BridgeProcess:
            return stack.enter_context(BridgeProcess(command, **options))

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed tells its calls and keeps its wire."""
    report = yield
    if call.when == "call" and report.failed:
        told_already = report.longreprtext
        phone = item.stash.get(_PHONE, None)
        if phone is not None and CALLER not in told_already:
            for number, each in enumerate(phone.calls, 1):
                report.sections.append((f"turnspec: call {number}", "\n".join(each.story())))
        if provider := item.stash.get(_PROVIDER, None):
            path = provider.write_wire_log(item.stash[_WIRE])
            story = [] if PROVIDER in told_already else provider.story()
            told = [*story, f"the wire is kept: turnspec audit {path}"]
            report.sections.append(("turnspec: realtime provider", "\n".join(told)))
    return report
