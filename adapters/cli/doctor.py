"""`turnspec doctor`: tries all that a configuration needs before a caller does."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click
import structlog

from adapters.doctor.asterisk import asterisk_findings
from adapters.doctor.finding import DoctorFinding, skipped
from adapters.doctor.machine import machine_findings
from adapters.doctor.provider import provider_findings
from adapters.logs import Redactor
from adapters.settings.config import Settings, load_settings
from fsm.language.problem import SpecError

_MARKS: Final = {"good": ("ok", "green"), "warning": ("!", "yellow"), "bad": ("BAD", "red"), "skipped": ("-", "white")}


@click.command(short_help="Try what a configuration needs: provider, ports, files, Asterisk, Redis.")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--offline", is_flag=True, help="Only this machine: no provider, no Asterisk, no Redis.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, for programs.")
def command(config: Path, offline: bool, as_json: bool) -> None:
    """Try what CONFIG needs before a caller does: ports, descriptors, folders, the provider (its name, its
    certificate, a session with these settings, the round trip), with control.ami Asterisk's version and modules, with
    cluster Redis (version, round trip, eviction, nodes) and, by cluster.haproxy_stats, HAProxy's view of the nodes.

    A session is opened with the configured key; nothing is said in it. Run it where `turnspec serve` would run, while
    it does not: its ports are tried. Every finding that is not good has its cure.

    Exit code: 0 nothing is bad, 1 something is, 2 wrong use.
    """
    try:
        settings = load_settings(config)
    except SpecError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)
    found = asyncio.run(_examined(settings, offline, as_json))
    if as_json:
        click.echo(json.dumps({"ok": _is_well(found), "findings": [each.as_json() for each in found]}, indent=2))
    else:
        counts = {status: sum(each.status == status for each in found) for status in ("bad", "warning")}
        click.echo(f"{len(found)} findings: {counts['bad']} bad, {counts['warning']} to look at")
    sys.exit(0 if _is_well(found) else 1)


def _is_well(found: list[DoctorFinding]) -> bool:
    return all(each.status != "bad" for each in found)


async def _examined(settings: Settings, offline: bool, as_json: bool) -> list[DoctorFinding]:
    """All findings, printed as they come."""
    redact, found = Redactor(settings.secrets).text, []
    with structlog.testing.capture_logs():  # what a connection logs is in the finding
        async for finding in _findings(settings, offline):
            clean = DoctorFinding(finding.what, finding.status, redact(finding.detail), finding.cure)
            found.append(clean)
            if not as_json:
                _print(clean)
    return found


async def _findings(settings: Settings, offline: bool) -> AsyncIterator[DoctorFinding]:
    for finding in machine_findings(settings):
        yield finding
    if offline:
        yield skipped("provider", "not asked for")
        return
    providers = [provider for agent in settings.agents for provider in agent.providers]
    for url, provider in {each.endpoint.url: each for each in reversed(providers)}.items():
        async for finding in provider_findings(provider, url):
            yield finding
    if settings.control.ami is None:
        yield skipped("Asterisk", "no control.ami in the configuration")
    else:
        async for finding in asterisk_findings(settings.control.ami):
            yield finding
    if settings.cluster is None:
        yield skipped("Redis", "no cluster in the configuration")
        return
    from adapters.doctor.cluster import cluster_findings  # its library is an extra

    async for finding in cluster_findings(settings.cluster):
        yield finding


def _print(finding: DoctorFinding) -> None:
    mark, colour = _MARKS[finding.status]
    click.echo(f"{click.style(mark.rjust(3), fg=colour)}  {finding.what:<22} {finding.detail}")
    if finding.cure:
        click.echo(f"{'':<27}  cure: {finding.cure}")
