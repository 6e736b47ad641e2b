"""What the doctor finds, each thing with its cure: real sockets, the simulated provider, the scripted manager."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection

from adapters.cli import main
from adapters.control.settings import AmiSettings
from adapters.doctor.asterisk import asterisk_findings
from adapters.doctor.finding import DoctorFinding
from adapters.doctor.machine import machine_findings
from adapters.doctor.provider import provider_findings
from adapters.providers.connection import ConnectionLimits
from adapters.providers.live.provider import LiveProvider
from adapters.providers.live.session import LiveSettings
from adapters.providers.realtime.endpoint import openai_endpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.config import Settings, load_settings
from adapters.simulator.control.ami import AmiPeer, User
from adapters.simulator.control.pbx import Pbx
from adapters.simulator.providers.live import LiveFault, LiveScenario, LiveServer
from adapters.simulator.providers.live.script import FaultKind
from adapters.simulator.providers.realtime.provider_scenario import ProviderScenario, parse_scenario
from adapters.simulator.providers.realtime.server import ProviderServer
from tests.adapters.providers.realtime.scripted_server import event, scripted
from tests.tls import Certificate

pytestmark = pytest.mark.virtual_time

KEY = "sk-proj-VERYSECRET"


async def gathered(findings: AsyncIterator[DoctorFinding]) -> list[tuple[str, str]]:
    return [(each.what, each.status) async for each in findings]


def provider(url: str) -> RealtimeProvider:
    endpoint = openai_endpoint("gpt-realtime", KEY, base_url=url)
    return RealtimeProvider(
        endpoint=endpoint, session=SessionSettings(model="gpt-realtime"), limits=ConnectionLimits(system_proxy=False)
    )


async def examined(scenario: str = "{}") -> list[DoctorFinding]:
    async with ProviderServer(scenario=parsed(scenario)) as server:
        return [each async for each in provider_findings(provider(server.url), server.url)]


def parsed(text: str) -> ProviderScenario:
    return parse_scenario(text, Path("test.yaml"))


async def test_a_provider_that_is_well() -> None:
    found = await examined()
    assert [(each.what, each.status) for each in found] == [
        ("provider's name", "good"), ("provider's port", "good"), ("session", "good"), ("audio format", "good"),
        ("settings", "good"), ("round trip", "good"),
    ]  # fmt: skip


async def live(scenario: LiveScenario) -> list[DoctorFinding]:
    async with LiveServer(scenario) as server:
        endpoint = openai_endpoint(None, "sk-1", base_url=server.url)
        made = LiveProvider(endpoint=endpoint, session=LiveSettings(model="gpt-live-1"))
        found = [each async for each in provider_findings(made, server.url)]
        assert [each["type"] for each in server.stats[0].events][:1] == ["session.start"]
        return found


async def test_a_provider_of_gpt_live_is_probed_by_a_session() -> None:
    found = await live(LiveScenario())
    assert [(each.what, each.status) for each in found][2:] == [("session", "good"), ("settings", "good")]
    assert "pcmu at 8000 Hz to it, pcmu at 8000 Hz from it" in found[-1].detail


@pytest.mark.parametrize(
    ("kind", "words"), [("reject_start", ":"), ("no_start", "no answer within 10 s"), ("reject_key", ":")]
)
async def test_a_session_of_gpt_live_that_is_refused(kind: FaultKind, words: str) -> None:
    found = await live(LiveScenario(faults=(LiveFault(kind=kind),)))
    assert (found[-1].what, found[-1].status) == ("session", "bad") and words in found[-1].detail and found[-1].cure


@pytest.mark.parametrize(
    ("scenario", "what", "words"),
    [
        ("faults: [{fault: http_status, status: 401}]", "session", "401"),
        ("faults: [{fault: lose, type: session.created}]", "session", "no answer within 10 s"),
        ("faults: [{fault: refuse_update}]", "settings", "unknown_parameter: Unknown parameter"),
        ("faults: [{fault: lose, type: session.updated}]", "settings", "no answer within 10 s"),
        ("faults: [{fault: close, after: session.created, code: 1008, reason: no quota}]", "session", "no quota"),
    ],
)
async def test_what_is_wrong_is_the_last_finding_and_has_a_cure(scenario: str, what: str, words: str) -> None:
    last = (await examined(scenario))[-1]
    assert (last.what, last.status) == (what, "bad") and words in last.detail and last.cure


async def test_settings_that_the_server_does_not_take_are_named() -> None:
    found = await examined("faults: [{fault: overrule_update, set: {tools: [], audio.output.voice: other}}]")
    assert "round trip" in {each.what for each in found}
    assert {each.status for each in found if each.what == "settings"} <= {"good", "warning"}


async def test_what_is_not_of_the_protocol_is_reported() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send("<html>")
        await ws.wait_closed()

    async with scripted(script) as endpoint:
        found = [each async for each in provider_findings(provider(endpoint.url), endpoint.url)]
    assert found[-1].status == "bad" and "not of its protocol" in found[-1].detail


async def test_an_error_before_the_session_is_its_problem() -> None:
    async def script(ws: ServerConnection) -> None:
        await ws.send(event("error", error={"code": "invalid_api_key", "message": "Incorrect key."}))
        await ws.wait_closed()

    async with scripted(script) as endpoint:
        found = [each async for each in provider_findings(provider(endpoint.url), endpoint.url)]
    assert found[-1].detail == "invalid_api_key: Incorrect key."


@pytest.mark.parametrize(
    ("trusted", "status", "words"), [(False, "bad", "not accepted"), (True, "warning", "valid for")]
)
async def test_certificates(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, trusted: bool, status: str, words: str
) -> None:
    """One that nobody has signed; one that ends in two days, behind which nobody speaks Realtime."""
    if trusted:
        trusting = certificate.trusting
        monkeypatch.setattr("adapters.doctor.provider.tls_context", lambda: trusting)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.serving)
    async with server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        found = {each.what: each async for each in provider_findings(provider(url), url)}
    assert found["provider's certificate"].status == status and words in found["provider's certificate"].detail
    assert ("session" in found) == trusted


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_args: object, **_more: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    (found,) = [each async for each in provider_findings(provider("ws://no.where/"), "ws://no.where/")]
    assert found.status == "bad" and "'no.where' cannot be resolved: Name or service not known" in found.detail


async def test_nobody_at_the_port_ends_the_list() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/"
        found = [each async for each in provider_findings(provider(url), url)]
    assert [each.status for each in found] == ["good", "bad"]


async def asterisk(pbx: Pbx, write: str = "call system", secret: str = "right") -> list[DoctorFinding]:
    peer = AmiPeer(pbx, {"turnspec": User("right", frozenset(write.split()))})
    await peer.start()
    try:
        ami = AmiSettings(port=peer.port, username="turnspec", secret=secret)
        return [each async for each in asterisk_findings(ami)]
    finally:
        await peer.close()


@pytest.mark.parametrize(
    ("version", "status"),
    [("22.4.0", "good"), ("22.3.1", "warning"), ("20.14.0", "good"), ("20.13.0", "warning"), ("23.1.0-rc1", "good"),
     ("16.2.1", "bad"), ("GIT-master", "warning")],
)  # fmt: skip
async def test_versions_of_asterisk(version: str, status: str) -> None:
    found = await asterisk(Pbx(version=version))
    assert found[0].status == status and version in found[0].detail


async def test_modules_that_are_missing() -> None:
    found = await asterisk(Pbx(modules=frozenset({"res_audiosocket"})))
    assert [(each.what, each.status) for each in found[1:]] == [
        ("app_audiosocket", "bad"), ("chan_audiosocket", "warning"), ("res_audiosocket", "good"),
    ]  # fmt: skip


async def test_a_manager_that_may_not_say() -> None:
    (found,) = await asterisk(Pbx(), write="call")
    assert found.status == "warning" and "write = call,system" in found.cure
    found = (await asterisk(Pbx(), write="reporting"))[1]
    assert found.status == "warning" and "Permission denied" in found.detail


async def test_a_manager_that_lets_nobody_in() -> None:
    (found,) = await asterisk(Pbx(), secret="wrong")
    assert found.status == "bad" and "secret" in found.cure


def settings(tmp_path: Path, port: int, more: str = "") -> Settings:
    path = tmp_path / "turnspec.yaml"
    path.write_text(f"listen: {{audiosocket: '127.0.0.1:{port}'}}\nprovider: {{api_key: {KEY}}}\n{more}")
    return load_settings(path)


async def test_this_machine(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "mine").mkdir(mode=0o700)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        more = "journal: {dir: open}\nrecording: {dir: mine}\n"
        found = {each.what: each for each in machine_findings(settings(tmp_path, port, more))}
    assert found["AudioSocket port"].status == "bad" and "listen" in found["AudioSocket port"].cure
    assert found["journals"].cure == f"chmod 700 {tmp_path / 'open'}"
    assert found["recordings"].status in ("good", "warning")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o755  # nothing was changed


def test_limits_and_folders_that_do_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = (
        "journal: {dir: j}\nrecording: {dir: r}\nlisten: {audiosocket: '127.0.0.1:0', chan_websocket: '127.0.0.1:0'}\n"
    )
    path = tmp_path / "turnspec.yaml"
    path.write_text(f"provider: {{api_key: {KEY}}}\n{more}")
    read = load_settings(path)
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, 256))
    (tmp_path / "j").write_text("a file")
    (tmp_path / "r").mkdir(mode=0o700)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5_000_000))
    found = {each.what: each for each in machine_findings(read)}
    assert found["chan_websocket port"].status == "good"
    assert "a process here may have 256" in found["file descriptors"].detail and found["file descriptors"].cure
    assert found["journals"].status == "bad" and "this is a file" in found["journals"].detail
    assert found["recordings"].status == "warning" and "5 MB left" in found["recordings"].detail


def test_the_command_prints_findings_and_no_secret(tmp_path: Path) -> None:
    settings(tmp_path, 0)
    result = CliRunner().invoke(main, ["doctor", str(tmp_path / "turnspec.yaml"), "--offline"])
    assert result.exit_code == 0 and "AudioSocket port" in result.output and KEY not in result.output
    result = CliRunner().invoke(main, ["doctor", str(tmp_path / "turnspec.yaml"), "--offline", "--json"])
    assert json.loads(result.output)["ok"] is True
    (tmp_path / "turnspec.yaml").write_text("nonsense: 1\n")
    result = CliRunner().invoke(main, ["doctor", str(tmp_path / "turnspec.yaml")])
    assert result.exit_code == 1 and "nonsense" in result.output


async def test_nothing_is_left() -> None:
    await examined()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
