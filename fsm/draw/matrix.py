"""The state x event table in short marks: every cell answered, what the type check has ruled out left empty.

Never here: reasons and lines (they stand with the states and groups, see fsm.draw.page).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fsm.draw.flow import Lead
from fsm.draw.text import code, table
from fsm.language.loader import Loaded
from fsm.language.vocabulary import EventWord

MARKS: Mapping[str, str] = {
    "go": "→",
    "stay": "↺",
    "defer": "…",
    "ignore": "–",
    "refuse": "✕",
    "cannot_happen": "!",
    "instead": "≡",
    "late": "~",
    "never": "",
}
LEGEND = (
    f"`{MARKS['go']}` goes to another state, or can",
    f"`{MARKS['stay']}` stays, and may act",
    f"`{MARKS['defer']}` waits for another state",
    f"`{MARKS['ignore']}` is ignored, with a reason",
    f"`{MARKS['refuse']}` is refused, with a reason",
    f"`{MARKS['cannot_happen']}` cannot happen, says the spec with a reason",
    f"`{MARKS['instead']}` is another event here, see the vocabulary",
    f"`{MARKS['late']}` comes too late or twice: the vocabulary ignores it with a reason",
    "an empty cell cannot happen: the type check has derived it from the slots",
)


def matrix(loaded: Loaded, found: Sequence[Lead]) -> list[str]:
    """The table: a row for each event, a column for each state."""
    states = list(loaded.spec.states)
    heads = [name.replace("_", "<br>") for name in states]
    marks = kinds(loaded, found)
    rows = [
        (code(event), *["".join(MARKS[k] for k in marks[state, event]) for state in states])
        for event in loaded.spec.events
    ]
    return table(("", *heads), rows)


def kinds(loaded: Loaded, found: Sequence[Lead]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """What each cell can be, in the order of MARKS: the last three where no run of the slots gets there."""
    spec, live = loaded.spec, loaded.flow.live_cells
    leaving = {(lead.state, lead.event, lead.row.id) for lead in found if set(lead.targets) != {lead.state}}
    result: dict[tuple[str, str], tuple[str, ...]] = {}
    for state in spec.states:
        for event in spec.events:
            word = spec.vocabulary.events.get(event)
            if (state, event) not in live:
                result[state, event] = (_absent(loaded, state, word),)
                continue
            rows = spec.cells[state, event].rows
            present = {
                "stay" if row.kind == "go" and (state, event, row.id) not in leaving else row.kind for row in rows
            }
            result[state, event] = tuple(kind for kind in MARKS if kind in present)
    return result


def _absent(loaded: Loaded, state: str, word: EventWord | None) -> str:
    """What an event is where no run of the slots brings it about."""
    if word is not None and word.instead is not None and (state, word.instead) in loaded.flow.live_cells:
        return "instead"
    return "late" if word is not None and word.otherwise is not None else "never"
