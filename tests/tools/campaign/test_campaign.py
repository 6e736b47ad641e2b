"""A short campaign: the first calls of a seed, every attack, some calls over real sockets; all are clean."""

from __future__ import annotations

import attrs
import pytest
from click.testing import CliRunner

from adapters.demo.lines import WITH_AUDIO
from adapters.simulator.providers.realtime.faults import KINDS
from adapters.specs import REALTIME
from tests.tools.campaign.ears import heard
from tools.campaign import plan as plans
from tools.campaign.__main__ import main
from tools.campaign.attacks import ATTACKS
from tools.campaign.plan import drawn
from tools.campaign.play import CampaignCall, Flaw, play_virtually
from tools.campaign.run import KINDS as OF_FLAWS
from tools.campaign.run import Tally, play_over_sockets, repeat_command

SEED = 1
BATCHES, CALLS_EACH = 8, 10
REAL = 8


def test_every_fault_that_the_simulator_knows_is_drawn() -> None:
    assert set(plans._FAULTS) == set(KINDS)


def test_a_seed_and_a_number_give_the_same_call_again() -> None:
    assert drawn(3, 17) == drawn(3, 17) != drawn(4, 17)


def test_few_calls_have_every_fault_every_line_and_every_spec() -> None:
    calls = [drawn(SEED, number) for number in range(BATCHES * CALLS_EACH)]
    assert {kind for call in calls for kind in call.faults} == set(KINDS)
    assert {call.line for call in calls} == set(WITH_AUDIO) and {call.spec for call in calls} == set(REALTIME)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_short_campaign_is_clean(batch: int) -> None:
    tally = Tally(SEED)
    with heard() as complaints:
        for number in range(batch * CALLS_EACH, (batch + 1) * CALLS_EACH):
            tally.take(play_virtually(drawn(SEED, number), complaints))
    assert not tally.failed, "\n".join(tally.lines())
    assert tally.played == CALLS_EACH and tally.seconds > 0


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_leaves_anything_or_harms_the_call_beside_it(name: str) -> None:
    line = "chan_websocket" if ATTACKS[name].port == "websocket" else "audiosocket"
    steps = [{"wait_agent_speaking": {"within_ms": 3_000}}, {"wait_ms": 6_000}, "hang_up"]
    plan = attrs.evolve(
        drawn(SEED, 0), line=line, spec="server_vad", attack=name, steps=steps, telephone={},
        provider={"faults": []}, keeps_files=True,
    )  # fmt: skip
    with heard() as complaints:
        call = play_virtually(plan, complaints)
    assert call.findings == () and call.length_s > 6


async def test_calls_over_real_sockets_are_clean() -> None:
    tally = Tally(SEED)
    with heard() as complaints:
        await play_over_sockets(range(REAL), tally, lambda _played, _more: True, complaints)
    by_the_clock = {"silence", "dropped", "second answer"}  # a machine that is busy for seconds makes them
    assert not set(tally.found()) - by_the_clock, "\n".join(tally.lines())
    assert tally.played == REAL


def test_one_call_is_repeated_with_every_step() -> None:
    with heard():
        done = CliRunner().invoke(main, ["calls", "--seed", "1", "--only", "2"])
    assert done.exit_code == 0, done.output
    assert "spec: " in done.output and "call.started" in done.output and "     0  calls that do not end" in done.output


def test_each_failure_is_shown_with_its_command() -> None:
    failed = attrs.evolve(_call(7), findings=(Flaw(kind="stuck", text="call x never ended"),))
    tally = Tally(5)
    tally.take(_call(3))
    tally.take(failed, is_real=True)
    lines = list(tally.lines())
    assert lines[0] == f"call 7: {repeat_command(5, 7, True)}"
    assert lines[0].endswith("--seed 5 --only 7 --sockets") and lines[1] == "    stuck: call x never ended"
    assert lines[2] == "     1  calls that do not end" and len(lines) == 2 + len(OF_FLAWS) + 1


def _call(number: int) -> CampaignCall:
    return CampaignCall(number=number, findings=(), calls=1, length_s=1.0, impossible={}, faults=("lose",))


def test_the_same_call_has_the_same_end_again() -> None:
    with heard() as complaints:
        assert play_virtually(drawn(SEED, 4), complaints) == play_virtually(drawn(SEED, 4), complaints)
