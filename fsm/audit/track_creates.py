"""Bookkeeping of creates: what each met when it was sent, which response answers it, crowds of them.

Never here: responses, judgement. Which response answers which create is told by metadata, by conversation, else by
order.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.record import Record
from fsm.audit.talk import CROWD, CROWD_MS, Create, Crowd, Moment, Talk, mapping
from fsm.machine.wire import at_path

_STALE_MS = 15000.0


def create_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.create, with all it met."""
    body = mapping(record.event.get("response"))
    outside = body.get("conversation") == "none"
    directed = bool(body.get("instructions") or body.get("input") or not record.whole)
    tool = talk.last_output
    other = next((c for c in reversed(talk.creates) if not c.outside), None)
    create = Create(
        record.evidence(), talk.now_ms, record.text("event_id"), outside, directed, mapping(body.get("metadata")),
        active=talk.active, rejected_before=talk.rejections, other=other,
        owed=talk.waiting if talk.mode.provider_answers else None, speaking=talk.speaking, tool=tool,
    )  # fmt: skip
    yield from _given_up(talk)
    talk.creates.append(create)
    yield from _crowded(talk, create)
    for call in talk.calls.values():
        call.asked = call.asked or bool(call.outputs)
    talk.last_output = None
    yield Moment("create_sent", create.evidence, talk.now_ms, create=create)


def _crowded(talk: Talk, create: Create) -> Iterator[Moment]:
    """A crowd begins, grows, or is over."""
    talk.recent.append(create)
    first, crowd = talk.recent[0], talk.crowd
    if len(talk.recent) < CROWD or create.at_ms - first.at_ms > CROWD_MS:
        yield from crowd_over(talk)
    elif crowd is None:
        talk.crowd = Crowd(first.evidence, create.evidence, first.at_ms, create.at_ms, CROWD, first.rejected_before)
    else:
        crowd.last, crowd.until_ms, crowd.creates = create.evidence, create.at_ms, crowd.creates + 1


def crowd_over(talk: Talk) -> Iterator[Moment]:
    """Nobody crowds any more."""
    crowd, talk.crowd = talk.crowd, None
    if crowd is not None and talk.timed:
        rejected = talk.rejections - crowd.rejected_before
        yield Moment("crowded", crowd.last, talk.now_ms, crowd=crowd, count=rejected)


def _given_up(talk: Talk) -> Iterator[Moment]:
    """Creates that nobody will answer any more: too many wait, or one has waited too long."""
    if not talk.server_events:
        return  # a log of what the client sends, and of nothing else
    full = len(talk.creates) == talk.creates.maxlen
    while talk.creates and (full or talk.now_ms - talk.creates[0].at_ms > _STALE_MS):
        full = False
        create = talk.creates.popleft()
        yield Moment("create_unanswered", create.evidence, talk.now_ms, create=create, ms=talk.now_ms - create.at_ms)


def claimed(talk: Talk, record: Record, nameless: bool | None) -> Create | None:
    """The create a response answers, taken off the list. `nameless`: it says it is of no conversation."""
    metadata = mapping(at_path(record.event, "response.metadata"))
    waiting = [c for c in talk.creates if not c.metadata or metadata or not record.whole]
    if metadata:
        same = [c for c in waiting if c.metadata == metadata]
        waiting = same or [c for c in waiting if c.metadata] or waiting
    if talk.names_conversations and nameless is not None:
        waiting = [c for c in waiting if c.outside is nameless]
    if not waiting:
        return None
    create = waiting[0]
    talk.creates.remove(create)
    return create
