"""Several nodes as they are deployed, with the programs of Debian: HAProxy before them, Redis between, real signals."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable

import pytest

from tools.cluster.calls import dial
from tools.cluster.programs import HAPROXY, HAPROXY_CFG, NODES, ClusterRig, get, post
from tools.cluster.rolling import rolling_restart

DEADLINE_S = 60.0


async def until(is_so: Callable[[], bool]) -> None:
    """What happens by itself, within a deadline; it is no measurement."""
    async with asyncio.timeout(DEADLINE_S):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def holder(rig: ClusterRig, call_id: str) -> str:
    """The node at whose door the call is live; "" if none."""
    return next((name for name in NODES if get(rig.nodes[name].door, f"/calls/{call_id}")[0] == 200), "")


def of_all(rig: ClusterRig, path: str) -> list[tuple[int, str]]:
    return [get(rig.nodes[name].door, path) for name in NODES]


@pytest.mark.skipif(HAPROXY is None, reason="NO haproxy (apt install haproxy): deploy/haproxy.cfg was NOT tested")
def test_haproxy_finds_nothing_wrong_in_the_shipped_file() -> None:
    done = subprocess.run([str(HAPROXY), "-c", "-f", str(HAPROXY_CFG)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_no_check_of_the_shipped_file_connects_to_the_port_of_audiosocket() -> None:
    """To AudioSocket it is a connection that does not say whose call it is."""
    servers = re.findall(r"^ +server .*$", HAPROXY_CFG.read_text(), re.MULTILINE)
    assert len(servers) == 9
    for line in servers:
        assert " check" in line and (" check port " in line or "DOOR_HOST" in line)


async def test_a_call_announced_at_one_node_goes_through_the_balancer_to_any_and_its_result_is_read_at_all(
    rig: ClusterRig,
) -> None:
    call_id = str(uuid.uuid4())
    status, _ = post(rig.nodes["a"].door, "/calls", {"id": call_id, "agent": "night", "caller_id": "+4930"})
    assert status == 201
    for name in ("b", "c"):  # which one of the others takes it, HAProxy decides
        assert f'"{call_id}"' not in get(rig.nodes[name].door, "/calls")[1]
    calling = asyncio.create_task(dial(rig.audiosocket, rig.door, 3.0, call_id))
    await until(lambda: holder(rig, call_id) != "")
    node = holder(rig, call_id)
    seen = json.loads(get(rig.nodes[node].door, f"/calls/{call_id}")[1])
    assert (seen["agent"], seen["caller_id"]) == ("night", "+4930")
    for other in set(NODES) - {node}:
        status, text = get(rig.nodes[other].door, f"/calls/{call_id}")
        assert (status, json.loads(text)["cause"]) == (421, f"node {node} has this call")
    call = await calling
    assert (call.cut, call.tries, call.result) == (0, 1, "completed")
    await until(lambda: of_all(rig, f"/calls/{call_id}/result") == [(200, "completed")] * 3)


async def test_nodes_in_turn_are_replaced_under_calls_and_none_is_lost(rig: ClusterRig) -> None:
    report = await rolling_restart(rig, calls=6, talk_s=2.5, say=lambda _: None)
    assert report.lost == [] and len(report.calls) > 6 and report.codes == [0, 0, 0]
    for name in NODES:
        assert rig.nodes[name].log.count('"event":"closed"') == 1
        assert "calls_cut_short" not in rig.nodes[name].log


async def test_the_calls_of_a_node_that_is_killed_go_to_another_that_knows_what_was_announced(rig: ClusterRig) -> None:
    call_id = str(uuid.uuid4())
    assert post(rig.door, "/calls", {"id": call_id, "agent": "night", "caller_id": "+4930"})[0] == 201
    calling = asyncio.create_task(dial(rig.audiosocket, rig.door, 30.0, call_id))
    await until(lambda: holder(rig, call_id) != "")
    killed = holder(rig, call_id)
    rig.nodes[killed].kill()
    await until(lambda: holder(rig, call_id) not in ("", killed))
    seen = json.loads(get(rig.nodes[holder(rig, call_id)].door, f"/calls/{call_id}")[1])
    assert (seen["agent"], seen["caller_id"]) == ("night", "+4930"), "the second try is the same call"
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await until(lambda: killed not in rig.up())
    rig.nodes[killed].start()
    await asyncio.to_thread(rig.wait_up, NODES)


async def test_redis_is_killed_in_mid_call_and_the_call_goes_on(rig: ClusterRig) -> None:
    call_id = str(uuid.uuid4())
    calling = asyncio.create_task(dial(rig.audiosocket, rig.door, 6.0, call_id))
    await until(lambda: holder(rig, call_id) != "")
    node = rig.nodes[holder(rig, call_id)]
    rig.kill_redis()
    await until(lambda: '"store_unreachable"' in get(node.door, "/readyz")[1])
    status, text = get(node.door, "/readyz")
    assert status == 200 and json.loads(text)["ready"] is True
    assert rig.up() == set(NODES), "a store that is away takes no node out of the balancer"
    assert (await dial(rig.audiosocket, node.door, 0.5)).tries == 1, "a new one is taken, too"
    rig.start_redis()
    await until(lambda: all('"degraded":[]' in text for _, text in of_all(rig, "/readyz")))
    call = await calling
    assert (call.cut, call.result, call.holes) == (0, "completed", 0)
    await until(lambda: of_all(rig, f"/calls/{call_id}/result") == [(200, "completed")] * 3)


async def test_the_calls_of_a_node_that_hangs_go_to_another(rig: ClusterRig) -> None:
    """SIGSTOP: the connection is there and nothing comes, as from a machine without power."""
    call_id = str(uuid.uuid4())
    calling = asyncio.create_task(dial(rig.audiosocket, rig.door, 30.0, call_id, tries=4))
    await until(lambda: holder(rig, call_id) != "")
    node = rig.nodes[holder(rig, call_id)]
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    began_s = time.monotonic()
    others = [rig.nodes[name] for name in NODES if rig.nodes[name] is not node]
    await until(lambda: any(get(each.door, f"/calls/{call_id}")[0] == 200 for each in others))
    assert time.monotonic() - began_s >= 1.0, "not before its silence was noticed"
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    node.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(rig.wait_up, NODES)
