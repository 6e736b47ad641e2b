"""`python -m tools.cluster [--calls N] [--talk S]`: a rolling restart of three nodes under calls; 1 if one is lost."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from tools.cluster.programs import HAPROXY, REDIS, cluster, cpu_s
from tools.cluster.rolling import rolling_restart


@click.command(help=__doc__)
@click.option("--calls", default=100, show_default=True, help="At any time.")
@click.option("--talk", default=10.0, show_default=True, help="Mean length of a call, in seconds.")
def main(calls: int, talk: float) -> None:
    if HAPROXY is None or REDIS is None:
        raise click.ClickException("haproxy and redis-server are needed (Debian: apt install haproxy redis-server)")
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), notice_s=10 * talk) as rig:
        report = asyncio.run(rolling_restart(rig, calls, talk, click.echo))
        haproxy_s, redis_s = cpu_s(rig.haproxy), cpu_s(rig.redis)
        told = (Path(folder) / "haproxy.log").read_text().splitlines()
    click.echo(
        f"{len(report.calls)} calls, {calls} at a time, three nodes replaced in {report.seconds:.0f} s: "
        f"{len(report.lost)} lost; exit codes {report.codes}"
    )
    talked_s = sum(each.seconds for each in report.calls)
    click.echo(
        f"{talked_s:.0f} call-seconds; HAProxy {1000 * haproxy_s / talked_s:.2f} ms of CPU for each, "
        f"Redis {1000 * redis_s / len(report.calls):.1f} ms for each call"
    )
    if report.lost:
        about = [line.partition("Server ")[2] for line in told if line.startswith("[") and "audiosocket_nodes/" in line]
        for text in [*map(str, report.lost[:10]), *about]:
            click.echo(f"  {text}")
    sys.exit(bool(report.lost) or any(report.codes))


main()
