"""`python -m tools.mutants`: mutants over processes, survivors against what is known of them, the result kept.

Kept is the result of a sample: all mutants take an hour of an idle machine, and each edit of a spec makes them stale.
Never here: what a mutant is and who notices it.
"""

from __future__ import annotations

import gc
import hashlib
import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import click
import yaml

from adapters.specs import display_path, fetcher, load_spec, spec_path
from adapters.verify.processes import results
from adapters.verify.run import PROPERTIES, WORLD, SearchProgress, beside, load_environment
from fsm.language.loader import load
from fsm.language.spec import Spec
from fsm.machine.ledgers import LEDGERS
from fsm.verify.environment import Environment
from fsm.verify.verdict_text import columns
from fsm.verify.verify import SearchLimits, scenes
from tools.mutants.known import Reason, drifted, load_known, unexplained
from tools.mutants.mutants import Mutant, mutants, sample
from tools.mutants.mutation import Jury, Notice, Score, score, scores
from tools.mutants.notebook import Notebook

AIMED_REALTIME: Final = (
    SearchLimits("loss", "full", bounds={"turns": 0, "says": 1, "leaves": 0}),
    SearchLimits("loss", "full", bounds={"turns": 0, "calls": 1, "leaves": 0}),
    SearchLimits("faults", "full", bounds={"turns": 0, "calls": 1, "faults": 1, "leaves": 0}),
    SearchLimits("faults", "full", bounds={"turns": 2, "calls": 0, "leaves": 0}),
    SearchLimits("faults", "full", bounds={"turns": 0, "faults": 1, "says": 1, "keys": 1, "leaves": 0}),
    SearchLimits("faults_again", "full", bounds={"faults": 4, "calls": 0}),
    SearchLimits("loss_and_fault", "full", bounds={"turns": 0, "calls": 0, "leaves": 1}),
    SearchLimits("loss_and_fault", "full", bounds={"turns": 0, "calls": 1, "leaves": 0}),
    SearchLimits("loss_and_fault", "full", bounds={"turns": 1, "calls": 0, "leaves": 0}),
    SearchLimits("turns", "full", bounds={"turns": 2, "leaves": 0}),
    SearchLimits("turns", "full", bounds={"turns": 1, "says": 1, "leaves": 0}),
    SearchLimits("tools", "full", bounds={"turns": 0, "calls": 5, "leaves": 0}),
    SearchLimits("tools", "full", {"things_fail": "yes"}, {"turns": 1, "calls": 1, "faults": 1, "leaves": 0}),
    SearchLimits(
        "turns",
        "full",
        {"auto_create_when_busy": "drops", "things_fail": "yes"},
        {"turns": 1, "faults": 1, "leaves": 0},
    ),
    SearchLimits("strays", "full", bounds={"calls": 0}),
    SearchLimits("strays", "full", bounds={"turns": 0, "says": 1, "calls": 1}),
    SearchLimits("faults", "full", bounds={"turns": 0, "calls": 1, "faults": 2, "leaves": 0}),
    SearchLimits("parting", "full", bounds={"turns": 0, "calls": 1}),
    SearchLimits("parting", "full", bounds={"turns": 0, "calls": 0, "leaves": 1}),
    SearchLimits("echo_and_fault", "full", bounds={"turns": 0}),
    SearchLimits("blank", "full", bounds={"calls": 0}),
    SearchLimits("blank", "full", bounds={"calls": 1, "faults": 0}),
    SearchLimits("hasty", "full"),
    SearchLimits("hung", "full"),
    SearchLimits("slow", "full", bounds={"turns": 2}),
    SearchLimits("slow_loss", "full"),
    SearchLimits("unnamed", "full"),
    SearchLimits("renewal", "full"),
    SearchLimits("bare", "full", bounds={"turns": 1, "calls": 1}),
    SearchLimits("mute", "full"),
    SearchLimits("kept", "full"),
    SearchLimits("accepting", "full"),
)
AIMED_LIVE: Final = (
    SearchLimits("five_tools", "full", bounds={"turns": 0}),
    SearchLimits("tools", "full", {"things_fail": "yes"}, {"turns": 0, "calls": 2, "faults": 1}),
    SearchLimits("inquiries", "full", bounds={"turns": 0, "asks": 3, "leaves": 0}),
    SearchLimits("keys", "full", {"things_fail": "yes"}, {"turns": 0, "keys": 1, "faults": 1, "leaves": 0}),
    SearchLimits("renewal", "full", {"things_fail": "yes"}, {"turns": 0}),
    SearchLimits("stalled", "full", {"things_fail": "yes"}, {"turns": 0, "faults": 1, "leaves": 0}),
)
AIMED_TURN_OWNER: Final = (
    SearchLimits("five_tools", "full", bounds={"turns": 1}),
    SearchLimits("keys", "full", {"things_fail": "yes"}, {"turns": 0, "keys": 1, "faults": 1, "leaves": 0}),
    SearchLimits("renewal", "full", {"things_fail": "yes"}, {"turns": 0, "faults": 2}),
    SearchLimits("parting_fails", "full", bounds={"turns": 0}),
    SearchLimits("stalled", "full", {"things_fail": "yes"}, {"turns": 0, "faults": 1, "leaves": 0}),
)
AIMED: Final[Mapping[str, Sequence[SearchLimits]]] = {
    "realtime": AIMED_REALTIME, "live": AIMED_LIVE, "provider_turns": AIMED_TURN_OWNER
}  # fmt: skip
"""By world, small scenes beside the quick ones that come to the far corners: five tools at once, failures in a row."""
TARGET: Final = 0.95
EVERY: Final = 6
"""A kept result is of one mutant in so many, by a hash of its name: all bundled specs in about twelve minutes."""
COMMAND: Final = "python -m tools.mutants"
BATCH: Final = 4
PROPERTY: Final = "property"
PROSE: Final = ("about", "evidence", "tags", "role", "roles", "args", "ledger")


@attrs.frozen
class Trial:
    """All mutants of one spec, looked at. `left` were not, because of Ctrl-C."""

    spec: str
    notices: tuple[Notice, ...]
    known: Mapping[str, Reason]
    left: int = 0
    every: int = 1
    of: int = 0
    """All mutants there are; the notices are of one in `every`."""

    @property
    def good(self) -> bool:
        """Everything looked at, enough noticed, every survivor explained, no explanation out of date."""
        explained = not unexplained(self.notices, self.known) and not drifted(self.notices, self.known)
        return explained and not self.left and score(self.notices).share >= TARGET


def report_mutants(
    names: Sequence[str], specs: Sequence[Spec], progress: SearchProgress, as_json: bool, every: int = EVERY
) -> int:
    """Breaks each spec and prints who notices; keeps the result beside the explanations, unless of a thinner sample."""
    good = True
    for name, spec in zip(names, specs, strict=True):
        trial = tried(name, spec, progress, every)
        good = good and trial.good
        if every <= EVERY and not trial.left and result_path(name).parent.is_dir():
            result_path(name).write_text(result_text(name, trial), encoding="utf-8")
        click.echo(json.dumps(_as_json(trial), indent=2) if as_json else summed_up(trial))
    return 0 if good else 1


def all_fresh(names: Sequence[str]) -> bool:
    """Is a result kept for each spec, and of what is there now? Says so of each.

    A tree that keeps none at all passes, loudly: as soon as one is kept, each has to be.
    """
    if not any(kept_result(name) for name in names):
        click.echo(f"NO RESULT OF MUTANTS IS KEPT in {display_path(_folder(names[0]))}; run `{COMMAND}`", err=True)
        return True
    fresh = [_is_fresh(name) for name in names]
    return all(fresh)


def _is_fresh(name: str) -> bool:
    path, kept = display_path(result_path(name)), kept_result(name)
    if kept is None:
        click.echo(f"{path}: missing; run `{COMMAND} {name}`", err=True)
    elif kept.digest != digest(name):
        click.echo(f"{path}: stale, of other texts than are there now; run `{COMMAND} {name}`", err=True)
    elif kept.every > EVERY:
        click.echo(f"{path}: of 1 mutant in {kept.every}, not in {EVERY}; run `{COMMAND} {name}`", err=True)
    else:
        click.echo(f"{path} is fresh: {kept}")
        return True
    return False


# --- looking ----------------------------------------------------------------------------------------------------------


_bench: tuple[Jury, tuple[Mutant, ...]] | None = None  # of a worker process


def jury_of(spec: Spec, environment: Environment) -> Jury:
    """Searches the spec itself, with quick bounds and aimed ones, and is then ready for its mutants."""
    world, properties = environment.world, environment.properties
    quick = (SearchLimits(scene=name) for name in scenes(spec, world, "quick"))
    telling = scenes(spec, world, "full")
    aimed = (limits for limits in AIMED.get(world.name, ()) if limits.scene in telling)
    return Jury(spec, world, properties, (*quick, *aimed))


def _prepare(name: str) -> None:
    global _bench  # noqa: PLW0603  a worker process has one jury
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    spec = load_spec(name).spec
    gc.disable()  # a search makes millions of tuples and no circles; what a batch leaves is collected after it
    _bench = jury_of(spec, load_environment(spec)), mutants(spec)
    gc.freeze()


def _judge(numbers: Sequence[int]) -> list[Notice]:
    assert _bench is not None
    jury, all_mutants = _bench
    notices = [jury.judge(all_mutants[i]) for i in numbers]
    gc.collect()
    return notices


def looked_at(known: Mapping[str, Reason], spec: Spec, every: int) -> dict[str, Reason]:
    """The explanations of those mutants that are in the sample, and of those that no longer exist."""
    found = mutants(spec)
    left_out = {m.id for m in found} - {m.id for m in sample(found, every)}
    return {mutant: why for mutant, why in known.items() if mutant not in left_out}


def tried(name: str, spec: Spec, progress: SearchProgress, every: int = 1) -> Trial:
    """A sample of the mutants of a spec, one process for each processor; what Ctrl-C leaves is counted.

    What an earlier run of the same texts and code came to is not judged again.
    """
    everything = mutants(spec)
    numbers = {mutant.id: number for number, mutant in enumerate(everything)}
    chosen = {mutant.id: numbers[mutant.id] for mutant in sample(everything, every)}
    notebook = Notebook(spec_path(name).stem, digest(name))
    notices = {mutant: notice for mutant, notice in notebook.found().items() if mutant in chosen}
    left = [number for mutant, number in chosen.items() if mutant not in notices]
    order = [left[i : i + BATCH] for i in range(0, len(left), BATCH)]
    with progress.counting("mutants", len(chosen)) as done:

        def goes_on() -> bool:
            return done(len(notices), "")

        for judged in results(_judge, order, _prepare, (name,), goes_on) if order else ():
            notebook.add(judged)
            notices |= {notice.id: notice for notice in judged}
    found = tuple(notices[mutant] for mutant in chosen if mutant in notices)
    known = looked_at(known_of(name), spec, every)
    return Trial(spec.name, found, known, len(chosen) - len(found), every, len(everything))


# --- files ------------------------------------------------------------------------------------------------------------


def known_of(name: str) -> dict[str, Reason]:
    """The explanations beside a spec, of all files in `mutants/` that are about it; none where there is no file."""
    found: dict[str, Reason] = {}
    for path in sorted(_folder(name).glob("*.yaml")):
        found |= load_known(path.read_text(encoding="utf-8"), display_path(path), spec_path(name).stem)
    return found


def _folder(name: str) -> Path:
    return spec_path(name).parent / "mutants"


def result_path(name: str) -> Path:
    """Where the last result is kept."""
    return _folder(name) / f"{spec_path(name).stem}.json"


def _names(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(found)


@attrs.frozen
class Kept:
    """The last result, of `judged` mutants (one in `every`) of all `of` that there are; `alike` of them are none."""

    digest: str
    every: int
    judged: int
    of: int
    alike: int
    noticed: int
    survivors: tuple[str, ...] = attrs.field(converter=_names)

    def __str__(self) -> str:
        which = "all" if self.every == 1 else f"a sample, 1 in {self.every}"
        total = self.judged - self.alike
        return f"{self.noticed} of {total} noticed, {self.alike} equivalent, {self.of} there are ({which})"


def kept_result(name: str) -> Kept | None:
    """The last result; None if there is none. Raises ClickException for a file that is not one."""
    path = result_path(name)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Kept(**{field.name: found[field.name] for field in attrs.fields(Kept)})
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{display_path(path)} is not a result of `{COMMAND}`: {error!r}") from None


def digest(name: str) -> str:
    """Of all that a result depends on (spec, parts, vocabularies, world, properties), leaving out PROSE and comments.

    The only place where it is worked out: `python -m tools.mutants --check` and the tests compare it with what is kept.
    """
    path = spec_path(name)
    texts = [path.read_text(encoding="utf-8")]

    def fetch(reference: str) -> tuple[str, str]:
        text, file = fetcher(path.parent)(reference)
        texts.append(text)
        return text, file

    def named(reference: str, file: str) -> tuple[str, str]:
        text, file = beside(reference, file)
        texts.append(text)
        return text, file

    around = load_environment(load(texts[0], display_path(path), fetch, LEDGERS).spec, named)
    if around.world.name == load_environment().world.name:
        environment = path.parent if (path.parent / WORLD).is_file() else None
        texts += [fetcher(environment or path.parent)(reference)[0] for reference in (WORLD, *PROPERTIES)]
    said = json.dumps([without_prose(yaml.load(text, yaml.BaseLoader)) for text in texts])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def without_prose(value: object) -> object:
    """A YAML text without what is read by people, or by those who only watch a call: it changes no step."""
    if isinstance(value, dict):
        return [[key, without_prose(each)] for key, each in value.items() if key not in PROSE]
    return [without_prose(each) for each in value] if isinstance(value, list) else value


def result_text(name: str, trial: Trial) -> str:
    """The result as it is kept."""
    total = score(trial.notices)
    found = {
        "written by": COMMAND, "digest": digest(name), "every": trial.every, "judged": len(trial.notices),
        "of": trial.of, "alike": total.alike, "noticed": total.noticed, "score": round(total.share, 4),
        "by": dict(sorted(total.by.items())),
        "kinds": {kind: [each.noticed, each.total] for kind, each in scores(trial.notices).items()},
        "survivors": [n.id for n in trial.notices if not n.by],
    }  # fmt: skip
    return json.dumps(found, indent=1) + "\n"


# --- printing ---------------------------------------------------------------------------------------------------------


def summed_up(trial: Trial) -> str:
    """The table by kind and the survivors, explained or not."""
    total = score(trial.notices)
    lines = [f"{trial.spec}: {total} of its mutants are noticed; the target is {100 * TARGET:.0f} %"]
    if trial.every > 1:
        lines.append(f"  a sample: {len(trial.notices)} of {trial.of} mutants, 1 in {trial.every}")
    if total.alike:
        lines.append(f"  {total.alike} more are equivalent: their steps are the spec's own wherever any scene leads")
    lines.append("")
    lines += [_kinds(trial.notices), "", "  noticed by: " + _by(total), ""]
    for reason, names in _explained(trial):
        lines += [f"  {reason.kind}: {reason.why}  ({reason.place})", *(f"      {name}" for name in names)]
    missing = unexplained(trial.notices, trial.known)
    if missing:
        lines += ["", f"  {len(missing)} survive unexplained; add a property, or an explanation:"]
        lines += [f"      {n.place}: {n.id}  ({n.how})" for n in missing]
    lines += [str(problem) for problem in drifted(trial.notices, trial.known)]
    if trial.left:
        lines.append(f"  Interrupted: PARTIAL, {trial.left} mutants were not looked at")
    return "\n".join(lines) + "\n"


def _kinds(notices: Sequence[Notice]) -> str:
    heads = ("type check", "totality", "impossible cell", PROPERTY, "nobody")
    rows: list[tuple[str, ...]] = [("broken", "mutants", "noticed", *heads)]
    for kind, each in scores(notices).items():
        by = {
            "type check": each.by.get("typestate", 0),
            "totality": each.by.get("totality", 0),
            "impossible cell": each.by.get("cannot_happen", 0),
            "nobody": each.by.get("", 0),
        }
        by[PROPERTY] = each.total - sum(by.values())
        rows.append((kind, str(each.total), f"{100 * each.share:.1f} %", *(str(by[head]) for head in heads)))
    return columns(rows)


def _by(total: Score) -> str:
    named = sorted(((n, by) for by, n in total.by.items() if by), reverse=True)
    return ", ".join(f"{by} {n}" for n, by in named)


def _explained(trial: Trial) -> Iterable[tuple[Reason, list[str]]]:
    reasons: dict[str, tuple[Reason, list[str]]] = {}
    for notice in trial.notices:
        reason = trial.known.get(notice.id)
        if reason is not None and not notice.by:
            reasons.setdefault(reason.why, (reason, []))[1].append(notice.id)
    return reasons.values()


def _as_json(trial: Trial) -> dict[str, object]:
    total = score(trial.notices)
    return {
        "spec": trial.spec, "mutants": total.total, "noticed": total.noticed, "alike": total.alike,
        "left": trial.left, "good": trial.good, "every": trial.every, "of": trial.of,
        "notices": [{"id": n.id, "kind": n.kind, "place": str(n.place), "by": n.by, "how": n.how,
                     "explained": trial.known[n.id].why if n.id in trial.known else None} for n in trial.notices],
    }  # fmt: skip
