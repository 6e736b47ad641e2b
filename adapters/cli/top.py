"""`turnspec top`: the calls of a running server and what it measures, in a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import click

from fsm.errors import RemoteError

if TYPE_CHECKING:
    from rich.console import RenderableType

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
_ANSWER_S: Final = 5.0
_MOST_BYTES: Final = 4_000_000
_SHOWN_CALLS: Final = 20


@attrs.frozen
class Look:
    """One look at a server."""

    at_s: float
    calls: Sequence[Mapping[str, Any]]
    more: int
    samples: Samples

    def total(self, name: str, **labels: str) -> float:
        """The sum over all other labels."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= set(has))

    def quantile_s(self, name: str, share: float) -> float | None:
        """Of a histogram, by its buckets: the upper bound of the one in which it lies. None: nothing was counted."""
        counts: dict[float, float] = {}
        for (found, labels), value in self.samples.items():
            if found == f"{name}_bucket":
                bound = float(dict(labels)["le"])
                counts[bound] = counts.get(bound, 0.0) + value
        whole = counts.get(float("inf"), 0.0)
        return next((bound for bound in sorted(counts) if counts[bound] >= share * whole), None) if whole else None


@click.command(short_help="Show the calls of a running server, and what it measures.")
@click.argument("url")
@click.option("--token-env", default="TURNSPEC_TOKEN", show_default=True, help="The variable with the door's token.")
@click.option("--every", "every_s", type=click.FloatRange(0.5, 60), default=2.0, show_default=True, metavar="SECONDS")
@click.option("--once", is_flag=True, help="Look once and end.")
def command(url: str, token_env: str, every_s: float, once: bool) -> None:
    """Show the calls of the server whose door is at URL (`http.listen`), e.g. http://127.0.0.1:9080.

    Ctrl-C ends it. Exit code: 0 looked, 1 the door cannot be used, 2 wrong use.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"'{url}' is not an address like http://127.0.0.1:9080")
    token = os.environ.get(token_env, "")
    try:
        if once or not sys.stdout.isatty():
            _print(_shown(_look(url, token), None))
        else:
            _watch(url, token, every_s)
    except _DoorError as error:
        click.echo(f"turnspec top: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        pass


class _DoorError(RemoteError):
    """The door cannot be used, and what to do."""


def _watch(url: str, token: str, every_s: float) -> None:
    from rich.live import Live

    before = _look(url, token)
    with Live(_shown(before, None), screen=True, auto_refresh=False) as screen:
        while True:
            time.sleep(every_s)
            now = _look(url, token)
            screen.update(_shown(now, before), refresh=True)
            before = now


def _look(url: str, token: str) -> Look:
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError:
        raise _DoorError("reading metrics needs prometheus-client: pip install 'turnspec[http]'") from None
    listed = json.loads(_read(f"{url.rstrip('/')}/calls?limit={_SHOWN_CALLS}", token))
    families = text_string_to_metric_families(_read(f"{url.rstrip('/')}/metrics", token))
    found = [each for family in families for each in family.samples]
    samples = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in found}
    return Look(time.monotonic(), listed["calls"], listed["more"], samples)


def _read(url: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_ANSWER_S) as answer:
            return str(answer.read(_MOST_BYTES).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        error.close()
        hint = "; --token-env names the variable that holds its token" if error.code in (401, 403) else ""
        raise _DoorError(f"{url}: {error.code} {error.reason}{hint}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise _DoorError(f"{url}: {reason}; is `http.listen` set, and is this its address?") from None


def _shown(now: Look, before: Look | None) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    calls = Table(title=f"{len(now.calls) + now.more} calls", title_justify="left", expand=True)
    for column in ("call", "agent", "state", "for", "call is", "caller"):
        calls.add_column(column, no_wrap=True)
    for each in now.calls:
        calls.add_row(
            _plain(each["id"]), _plain(each["agent"]), _plain(each["state"]), f"{each['state_age_s']:.1f} s",
            f"{each['age_s']:.0f} s", _plain(each["caller_id"]),
        )  # fmt: skip
    measured = Table.grid(padding=(0, 2))
    for name, value in _lines(now, before):
        measured.add_row(name, value)
    return Group(measured, "", calls)


def _lines(now: Look, before: Look | None) -> list[tuple[str, str]]:
    def per_minute(name: str) -> str:
        count = now.total(name)
        if before is None or now.at_s <= before.at_s:
            return f"{count:g}"
        return f"{count:g}  ({(count - before.total(name)) / (now.at_s - before.at_s) * 60:.1f} a minute)"

    def quantiles(name: str) -> str:
        found = [(share, now.quantile_s(name, share)) for share in (0.5, 0.95)]
        return ", ".join(f"p{share * 100:g} at most {value:g} s" for share, value in found if value is not None) or "-"

    outcomes = ("completed", "cancelled", "silent", "failed")
    answers = {how: now.total("turnspec_answers_total", outcome=how) for how in outcomes}
    return [
        ("calls live", f"{now.total('turnspec_calls_live'):g} of {now.total('turnspec_calls_limit'):g}"),
        ("calls taken", per_minute("turnspec_calls_total")),
        ("turned away", per_minute("turnspec_calls_refused_total")),
        ("response latency", quantiles("turnspec_response_latency_seconds")),
        ("longest wait", quantiles("turnspec_longest_wait_seconds")),
        ("answers", ", ".join(f"{count:g} {how}" for how, count in answers.items())),
        ("creates", per_minute("turnspec_creates_total")),
        ("rejections", per_minute("turnspec_rejections_total")),
        ("sessions replaced", per_minute("turnspec_sessions_replaced_total")),
        ("frames late, p99", f"{now.total('turnspec_playout_lateness_seconds', quantile='0.99') * 1000:.1f} ms"),
    ]


def _plain(value: object) -> str:
    """What callers and lines have said is no markup, and moves no cursor."""
    from rich.markup import escape

    return escape("".join(each if each.isprintable() else "?" for each in str(value))[:64])


def _print(shown: RenderableType) -> None:
    from rich.console import Console

    Console().print(shown)
