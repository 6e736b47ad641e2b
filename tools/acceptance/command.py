"""`python -m tools.acceptance`: could the world that specs are verified in have produced these recorded calls?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

import attrs
import click

from adapters.audit.documents import LogRefusedError
from fsm.audit.record import visible
from fsm.language.problem import SpecError, suggestion
from tools.acceptance import words
from tools.acceptance.acceptance import Acceptance, AcceptOptions, accept
from tools.acceptance.advice import advised
from tools.acceptance.projection import Projection
from tools.acceptance.read import bundled_projections, read_log

TEACHES = """
\b
What is done: all runs of the world (specs/worlds/realtime.yaml; live.yaml for GPT-Live) that show what the log shows
are followed at once, event by event, with a client that may send anything at any time in the place of ours. What no
log shows (what is in flight, when the provider looks at something, what the caller does) is free. projection.yaml and
live_projection.yaml say which role of the world a wire event stands for, why others say nothing, which dialects there
are, and which assumptions a log may prove wrong.

\b
  python -m tools.acceptance trace.jsonl                    any log that `turnspec audit` reads
  python -m tools.acceptance --dialect sideband trace.jsonl
                                                 as what it is to be read; without it the log's own marks decide
  python -m tools.acceptance --lose 1 journal.jsonl         one event may have been lost on the way
  python -m tools.acceptance --assume events_may_come_twice journal.jsonl
                                                 with an assumption as you say; what you say is never given up
  python -m tools.acceptance --strict trace.jsonl           no assumption may go

\b
An event that is impossible means that the log is damaged, that the projection reads it wrongly, or that the world is
wrong: what is verified in it is then worth less than it seems.

A log that is refused is tried as the other dialects, and with an event or two lost: the option that would accept it
is named. A file that cannot be read does not keep the others from being judged.

\b
Exit code: 0 all accepted, 1 some not, 2 wrong use, or a LOG that cannot be read.
"""


@click.command(epilog=TEACHES)
@click.argument("logs", nargs=-1, metavar="LOG...")
@click.option("--dialect", metavar="NAME", help="Read every LOG as this dialect (--dialects lists them).")
@click.option("--dialects", is_flag=True, help="List the dialects and their marks.")
@click.option(
    "--assume", multiple=True, metavar="NAME[=VALUE]", help="Hold to this assumption (=yes if no value is given)."
)
@click.option("--lose", type=click.IntRange(0, 9), default=0, metavar="N", help="So many events may have been lost.")
@click.option("--strict", is_flag=True, help="Give up no assumption to accept a log.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(
    logs: tuple[str, ...],
    dialect: str | None,
    dialects: bool,
    assume: tuple[str, ...],
    lose: int,
    strict: bool,
    as_json: bool,
) -> None:
    """Say of recorded calls (LOG files, - for standard input) whether the world could have produced them.

    Where it could not, the first event that no run of it has at that place is shown, with its line and with what could
    have come instead. Where it could only without an assumption, the assumption is named.
    """
    try:
        projections = bundled_projections()
    except SpecError as error:
        raise click.UsageError(str(error)) from None
    if dialects:
        click.echo("\n".join(map(words.dialects, projections)))
        return
    if not logs:
        raise click.UsageError("which LOG? e.g. python -m tools.acceptance out/journal.jsonl")
    if dialect is not None:
        _known("dialect", dialect, [name for each in projections for name in each.dialects])
        projections = tuple(each for each in projections if dialect in each.dialects)
    options = AcceptOptions(_assumed(assume, projections), lose, not strict)
    found: list[tuple[Acceptance, Projection]] = []
    unread: list[click.UsageError] = []
    for name in logs:
        try:
            found.append(_accepted(name, projections, options, dialect))
        except click.UsageError as error:
            unread.append(error)
            continue
        if not as_json:
            click.echo(words.sentence(*found[-1]))
    if not found:
        raise unread[0]
    if as_json:
        click.echo(json.dumps([words.plain(each) for each, _ in found], indent=2))
    for problem in unread:
        click.echo(f"Error: {problem.message}", err=True)
    sys.exit(2 if unread else 0 if all(each.outcome == "accepted" for each, _ in found) else 1)


def _accepted(
    name: str, projections: Sequence[Projection], options: AcceptOptions, dialect: str | None
) -> tuple[Acceptance, Projection]:
    try:
        log = read_log(name, projections)
    except (OSError, LogRefusedError) as error:
        why = getattr(error, "strerror", None) or error
        raise click.UsageError(f"{visible(name)} cannot be read: {why}") from None
    if not log.observations:
        raise click.UsageError(f"{visible(name)}: no event of a conversation was found")
    if log.skipped:
        click.echo(f"{log.file}: {log.skipped} lines hold no event and were skipped", err=True)
    projection, known = log.projection, log.projection.world.assumptions
    options = attrs.evolve(options, assume={name: value for name, value in options.assume.items() if name in known})
    found = accept(log.file, log.observations, projection, options, dialect)
    advice = advised(found, log.observations, projection, options, dialect)
    return attrs.evolve(found, answers=log.answers, advice=advice), projection


def _assumed(texts: Iterable[str], projections: Sequence[Projection]) -> Mapping[str, str]:
    """By name. An assumption of one world says nothing of a log of another."""
    known = {name: each for projection in projections for name, each in projection.world.assumptions.items()}
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        _known("assumption", name, known)
        found[name] = value or "yes"
        _known(f"value of {name}", found[name], known[name].values)
    return found


def _known(what: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name not in names:
        raise click.UsageError(f"there is no {what} '{name}'; {suggestion(name, names)}")
