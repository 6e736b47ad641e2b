"""A run as a Mermaid sequence diagram. Never here: what a step means (fsm.verify.counterexample).

A message goes from its sender into the lane `in flight` and, at its receipt, on from there; both ends carry its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fsm.verify.counterexample import Counterexample, RunAnswer, RunStep

LANES = (
    ("caller", "caller"), ("us", "turnspec"), ("wire", "in flight"), ("provider", "provider"), ("tools", "tools"),
)  # fmt: skip
_ACTORS = {
    "caller": "caller", "provider": "provider", "tool": "tools", "request": "us", "timer": "us", "playout": "us",
    "telephony": "us",
}  # fmt: skip


def mermaid(run: Counterexample, title: str = "") -> str:
    """The diagram's text; `title` is put above it as a note."""
    lines = ["sequenceDiagram", *(f"    participant {lane} as {name}" for lane, name in LANES)]
    if title:
        lines.append(f"    note over caller,tools: {escaped(title)}")
    flying: dict[str, deque[tuple[int, str]]] = {}
    number = 0
    for step in run.steps:
        if run.loop == step.number:
            lines.append("    loop without end")
        number = _draw(step, lines, flying, number)
    if run.loop:
        lines.append("    end")
    if run.stuck:
        lines.append("    note over caller,tools: and nothing more happens")
    return "\n".join(lines) + "\n"


def _draw(step: RunStep, lines: list[str], flying: dict[str, deque[tuple[int, str]]], number: int) -> int:
    actor = _ACTORS[step.kind]
    if step.received is None:
        lines.append(f"    note over {actor}: {escaped(step.move)}")
    else:
        channel, message = step.received
        queue = flying.get(channel) or deque([(0, message)])
        sent, _ = queue.popleft()
        lines.append(f"    wire->>{'provider' if channel == 'to_provider' else 'us'}: {sent} {escaped(message)}")
    if step.lost is not None:
        lines.append(f"    {actor}-xwire: {escaped(step.lost)} lost")
    lines += [f"    note right of us: {note(answer, answer.effects)}" for answer in step.answers]
    for channel, message in step.sent:
        number += 1
        flying.setdefault(channel, deque()).append((number, message))
        sender = "us" if channel != "from_provider" else "provider"
        lines.append(f"    {sender}-)wire: {number} {escaped(message)}")
    return number


def note(answer: RunAnswer, effects: Sequence[str] = ()) -> str:
    """What the machine did, over several lines: a diagram must not be wider than its lanes need it."""
    arrow = f"{answer.before} to {answer.after}" if answer.before != answer.after else f"stays in {answer.before}"
    where = f"{answer.place.file.rpartition('/')[2]}:{answer.place.line}"
    parts = (f"{answer.event} ({answer.outcome})", arrow, ", ".join(effects), f"@ {where}")
    return "<br/>".join(escaped(part) for part in parts if part)


def escaped(text: str) -> str:
    """Text that Mermaid takes for text: `;` ends a statement there, `#` begins an entity."""
    return text.translate(_ESCAPES)


_ESCAPES = str.maketrans({"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "\n": " "})
