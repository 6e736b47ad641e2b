"""`turnspec top` over the real door, with what is told to it."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner, Result

from adapters.cli import main
from adapters.cli.top import Look, Samples
from adapters.server.inside import CallInside
from tests.adapters.server.door_rig import ID, TOKEN, Told, live, open_door

BUCKETS: Samples = {
    ("turnspec_x_seconds_bucket", (("le", "0.5"), ("spec", "a"))): 5.0,
    ("turnspec_x_seconds_bucket", (("le", "1.0"), ("spec", "a"))): 9.0,
    ("turnspec_x_seconds_bucket", (("le", "+Inf"), ("spec", "a"))): 10.0,
    ("turnspec_x_seconds_bucket", (("le", "0.5"), ("spec", "b"))): 5.0,
    ("turnspec_x_seconds_bucket", (("le", "1.0"), ("spec", "b"))): 10.0,
    ("turnspec_x_seconds_bucket", (("le", "+Inf"), ("spec", "b"))): 10.0,
}


def run(*args: str, token: str = TOKEN) -> Result:
    return CliRunner().invoke(main, ["top", *args], env={"TURNSPEC_TOKEN": token, "no_proxy": "*", "COLUMNS": "120"})


def inside() -> Told:
    call = CallInside(call=live(), slots={}, context={}, deadlines=[], variables={}, result="", results={})
    return Told(live={ID: call})


async def test_calls_and_figures_are_shown_once() -> None:
    async with open_door(inside()) as (door, _):
        result = await asyncio.to_thread(run, f"http://127.0.0.1:{door.addresses[0][1]}", "--once")
    assert result.exit_code == 0, result.output
    assert ID in result.output and "responding" in result.output and "1 of 0" in result.output.splitlines()[0]


async def test_a_wrong_token_is_an_error_with_a_hint() -> None:
    async with open_door() as (door, _):
        result = await asyncio.to_thread(run, f"http://127.0.0.1:{door.addresses[0][1]}", "--once", token="x" * 20)
    assert result.exit_code == 1 and "401" in result.output and "--token-env" in result.output


def test_no_door_is_an_error() -> None:
    result = run("http://127.0.0.1:9", "--once")
    assert result.exit_code == 1 and "is `http.listen` set" in result.output
    assert run("127.0.0.1:9080").exit_code == 2


@pytest.mark.parametrize(("share", "bound"), [(0.5, 0.5), (0.9, 1.0), (0.99, float("inf"))])
def test_quantiles_are_bounds_of_buckets(share: float, bound: float) -> None:
    look = Look(0.0, [], 0, BUCKETS)
    assert look.quantile_s("turnspec_x_seconds", share) == bound
    assert look.quantile_s("turnspec_y_seconds", share) is None
    assert look.total("turnspec_x_seconds_bucket", spec="b", le="1.0") == 10.0
