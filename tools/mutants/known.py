"""Survivors that somebody looked at: why each is one, and whether that is still the list of those there are.

`equivalent`: it behaves as the spec does. `unnoticed`: it does not, and why no property speaks of it.

Never here: finding survivors (tools.mutants.mutation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from fsm.language.node_reader import Reader
from fsm.language.problem import Place, Problem, Problems
from fsm.language.yaml_nodes import read
from tools.mutants.mutation import Notice

KINDS_OF_REASON = ("equivalent", "unnoticed")


@attrs.frozen
class Reason:
    """Why one survivor is one; `kind` is of KINDS_OF_REASON."""

    why: str
    place: Place = attrs.field(eq=False)
    kind: str = "equivalent"


def load_known(text: str, file: str, spec: str) -> dict[str, Reason]:
    """Survivor to reason, if `spec` is one of those the file is about. Each kind lists {why, mutants}.

    Raises SpecError.
    """
    problems = Problems()
    reader = Reader(problems)
    sections = reader.mapping(read(text, file), ("spec", "about", *KINDS_OF_REASON))
    found: dict[str, Reason] = {}
    if "spec" not in sections:
        problems.add(Place(file, 1, 1), "missing", "'spec:' says which specs this is about")
    elif spec not in [reader.text(node) for node in reader.listed(sections["spec"])]:
        return found
    items = [(kind, item) for kind in KINDS_OF_REASON if kind in sections for item in reader.listed(sections[kind])]
    for kind, item in items:
        fields = reader.mapping(item, ("why", "mutants"))
        if fields.keys() != {"why", "mutants"}:
            problems.add(item.place, "missing", "an entry needs 'why:' and 'mutants: [...]'")
            continue
        for node in reader.listed(fields["mutants"]):
            name = reader.text(node)
            if name in found:
                problems.add(
                    node.place, "duplicate-key", f"'{name}' is explained twice", f"first at {found[name].place}"
                )
            found[name] = Reason(reader.text(fields["why"]), node.place, kind)
    problems.raise_if_any()
    return found


def unexplained(notices: Sequence[Notice], known: Mapping[str, Reason]) -> tuple[Notice, ...]:
    """Survivors without a reason."""
    return tuple(n for n in notices if not n.by and n.id not in known)


def drifted(notices: Sequence[Notice], known: Mapping[str, Reason]) -> tuple[Problem, ...]:
    """Reasons for what is noticed now, or is not a mutant any more."""
    by_id = {n.id: n for n in notices}
    found = []
    for name, reason in known.items():
        notice = by_id.get(name)
        if notice is None:
            found.append(Problem(reason.place, "no-mutant", f"there is no mutant '{name}'", "delete the entry"))
        elif notice.by:
            message = f"'{name}' is noticed by {notice.by}"
            found.append(Problem(reason.place, "noticed", message, f"it is not {reason.kind}: {notice.how}"))
    return tuple(found)
