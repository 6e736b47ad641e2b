"""Bookkeeping of responses: what each said and how it ended, what plays, what was cut.

Never here: creates (track_creates), turns, tools, judgement.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.record import Record, audio_bytes
from fsm.audit.talk import KEPT, Asked, Create, Moment, Response, Talk, keep, mapping
from fsm.audit.track_creates import claimed, crowd_over
from fsm.machine.wire import at_path

_SAID = ("output_audio", "audio", "output_text", "text")
_TOKEN_MS = 50.0  # of audio, each output token (docs/facts/realtime_api.md section 3.10)
_BELIEVABLE_MS = 20.0  # a delta shorter than this was cut in the log


def begun(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.created: of a create that waits, or the provider's own."""
    name = record.text("response.id") or record.text("response_id") or f"?{talk.responses_begun}"
    if name in talk.responses:
        return
    named = record.text("response.conversation_id")
    if named and len(talk.conversations) < KEPT:
        talk.conversation = named
        talk.conversations.add(named)
    nameless = not named and "conversation_id" in mapping(record.event.get("response"))
    create = claimed(talk, record, None if not named and not nameless else nameless)
    outside = create.outside if create is not None else nameless and talk.names_conversations
    turn = None if outside else talk.turn
    response = Response(
        name, record.evidence(), talk.now_ms, create, outside, turn, talk.input_no, talk.speaking and not outside,
        _may_be_own(talk, create), record.type != "response.created", nameless,
        cancelled_before=None if outside else talk.bare_cancel,
    )  # fmt: skip
    talk.responses[name] = response
    keep(talk.responses)
    talk.responses_begun += 1
    for call in talk.calls.values():
        call.asked = call.asked or bool(call.outputs)
        if not outside and call.response_id != name and call.parent_done and talk.turns == call.turns:
            call.followed = call.followed or response.evidence
    talk.lived_with += talk.rejected_update is not None
    if not outside:
        talk.bare_cancel = None
    before = talk.active
    if not outside:
        talk.active = response
    if create is not None and not response.unsure:
        yield Moment("create_accepted", create.evidence, talk.now_ms, create=create, response=response)
    collided = before.evidence if before is not None and not outside else None
    yield Moment("response_began", response.evidence, talk.now_ms, response=response, before=collided)


def _may_be_own(talk: Talk, create: Create | None) -> bool:
    """A create may have crossed a response the provider gives by itself: its rejection is still to come."""
    return create is not None and not create.outside and not create.metadata and talk.mode.provider_answers


def _settled(talk: Talk, response: Response) -> Iterator[Moment]:
    """Nobody has rejected the create: the response was its answer."""
    create, response.unsure = response.create if response.unsure else None, False
    if create is not None:
        yield Moment("create_accepted", create.evidence, talk.now_ms, create=create, response=response)


def found(talk: Talk, record: Record) -> Iterator[Moment]:
    """An event of a response whose response.created is not in this log."""
    if record.text("response_id"):
        yield from begun(talk, record)


def item_known(talk: Talk, record: Record) -> Iterator[Moment]:
    """An item belongs to a response: later events may name the item alone."""
    item, response = record.text("item.id"), record.text("response_id")
    if item and response:
        talk.items[item] = response
        keep(talk.items, 4 * 64)
    yield from ()


def audio(talk: Talk, record: Record) -> Iterator[Moment]:
    """A piece of the agent's audio: how much there is, whether it should still be there."""
    response = talk.response_of(record)
    if response is None:
        return
    ms = audio_bytes(record.event.get("delta")) / talk.sound.out_bytes_ms
    talk.sound.logged = True
    talk.sound.known = talk.sound.known or ms >= _BELIEVABLE_MS
    first = response.first_delta is None
    if first:
        response.first_delta = record.evidence()
    response.deltas += 1
    response.audio_ms += ms
    if response.flushed is not None:
        response.late_deltas += 1
        response.late_ms += ms
        response.late_until_ms = talk.now_ms
        response.first_late = response.first_late or record.evidence()
        return
    if talk.speaking and not response.outside:
        response.deltas_over_caller += 1
        response.over_ms = talk.now_ms - (talk.turn.at_ms if talk.turn else talk.now_ms)
    quiet_since_ms = talk.sound.heard_until_ms
    _first_word(talk, response)
    _plays(talk, response, ms)
    if first:
        evidence = response.first_delta or response.evidence
        yield Moment("audio_began", evidence, talk.now_ms, response=response, ms=quiet_since_ms)
    elif talk.sound.known and talk.now_ms - quiet_since_ms > talk.options.dead_air_ms:
        yield Moment("audio_resumed", record.evidence(), talk.now_ms, response=response, ms=quiet_since_ms)


def _first_word(talk: Talk, response: Response) -> None:
    if response.outside or response.deltas > 1:
        return
    if response.turn is None:
        response.first_word = not talk.greeted
    else:
        response.first_word = not response.turn.said
        response.turn.said = True
    talk.greeted = True


def _plays(talk: Talk, response: Response, ms: float) -> None:
    sound = talk.sound
    if sound.told:
        return
    sound.heard_until_ms = max(sound.heard_until_ms, talk.now_ms) + ms
    sound.playing = response


def text(talk: Talk, record: Record) -> Iterator[Moment]:
    """A piece of text of the agent: where a session does not speak, that is what is waited for."""
    response = talk.response_of(record)
    if response is None or response.said:
        return
    response.said = True
    if "transcript" in record.type:
        return
    quiet_since_ms = talk.sound.heard_until_ms
    _first_word(talk, response)
    talk.sound.heard_until_ms = max(quiet_since_ms, talk.now_ms)
    yield Moment("audio_began", record.evidence(), talk.now_ms, response=response, ms=quiet_since_ms)


def ended(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.done: what came of it. A length the log does not show is guessed from the usage."""
    name = record.text("response.id") or next((r.id for r in talk.responses.values() if not r.status), "")
    if name not in talk.responses:
        yield from begun(talk, record)  # a log that leaves out how responses begin
        name = name or next(reversed(talk.responses), "")
    response = talk.responses.get(name)
    if response is None or response.status:
        return
    yield from _settled(talk, response)
    talk.responses_ended += 1
    response.status = record.text("response.status") or ("completed" if record.whole else "unknown")
    response.ended_ms = talk.now_ms
    response.reason = record.text("response.status_details.reason") or record.text("response.status_details.error.code")
    for item in _items(record):
        response.said = response.said or any(part in _SAID for part in _parts(item))
        response.called = response.called or mapping(item).get("type") in ("function_call", "mcp_call")
    response.said = response.said or response.deltas > 0
    tokens = record.number("response.usage.output_token_details.audio_tokens") or 0.0
    missing = tokens * _TOKEN_MS - response.audio_ms
    if response.audio_ms < tokens * _TOKEN_MS / 5 and response.flushed is None and not talk.sound.told:
        talk.sound.guessed = True
        _plays(talk, response, missing)
    if talk.active is response:
        talk.active = None
    _compare(talk, response)
    failed = record.text("response.status_details.error.message")
    yield Moment("response_ended", record.evidence(), talk.now_ms, response=response, text=failed)


def _compare(talk: Talk, response: Response) -> None:
    """Two responses that say something without anything new between them answer the same."""
    directed = response.create is not None and response.create.directed
    complete = response.status in ("completed", "incomplete") and response.said
    if response.outside or response.called or directed or not complete:
        return
    number, earlier = talk.said_for
    alone = earlier is not None and earlier.nameless and talk.names_conversations  # it was outside, we see that now
    response.again = earlier if number == response.input_no and not alone else None
    if response.again is not None:
        response.deliberate = _deliberate(talk, response, response.again)
    talk.said_for = (response.input_no, response)


def _deliberate(talk: Talk, response: Response, earlier: Response) -> bool:
    """Is there a reason to speak again: an answer that was cut short, a long silence? Or does the log not show what is
    asked for, so that there may be one?"""
    if earlier.status == "incomplete" or not talk.sees_client:
        return True
    asked = response.create.at_ms if response.create is not None else response.at_ms
    quiet_ms = asked - max(earlier.ended_ms, earlier.at_ms + earlier.audio_ms)
    return talk.has_clock and quiet_ms > talk.options.dead_air_ms


def _items(record: Record) -> list[object]:
    found = at_path(record.event, "response.output")
    return list(found) if isinstance(found, list | tuple) else []


def _parts(item: object) -> list[object]:
    content = mapping(item).get("content")
    return [mapping(part).get("type") for part in content] if isinstance(content, list | tuple) else []


def cancel_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """response.cancel: of what runs, of what is named, or of nothing."""
    named = record.text("response_id")
    target = talk.responses.get(named) if named else talk.active
    idle = (target is None or bool(target.status)) and talk.seen_from_start
    evidence = record.evidence()
    asked = Asked(evidence, talk.now_ms, record.type, record.text("event_id"), idle=idle)
    talk.asked.append(asked)
    if target is not None and not target.status:
        target.cancel = target.cancel or evidence
        _flush(talk, target, record)
    elif not named and idle:
        talk.bare_cancel = evidence
    yield Moment("cancel_sent", evidence, talk.now_ms, asked=asked, response=target)


def truncate_sent(talk: Talk, record: Record) -> Iterator[Moment]:
    """conversation.item.truncate: the client has stopped playing this item, at `audio_end_ms`."""
    item, end_ms = record.text("item_id"), record.number("audio_end_ms") or 0.0
    talk.asked.append(Asked(record.evidence(), talk.now_ms, record.type, record.text("event_id"), f"{end_ms:.0f} ms"))
    response = talk.response_of(record)
    before = talk.truncated.get(item)
    talk.truncated[item] = end_ms
    keep(talk.truncated)
    if response is None:
        return
    if before is not None and end_ms > before and response.flushed is not None:
        response.played_late = record.evidence()
        yield Moment("played_after_flush", response.played_late, talk.now_ms, response=response, ms=end_ms - before)
    _flush(talk, response, record)


def truncated(talk: Talk, record: Record) -> Iterator[Moment]:
    """conversation.item.truncated: the provider has cut an item by itself, or the client's event is not in this log."""
    response = talk.response_of(record)
    if response is not None:
        _flush(talk, response, record)
    yield from ()


def flushed(talk: Talk, record: Record) -> Iterator[Moment]:
    """What had not been played was dropped: our own effect, or the provider's output buffer was cleared."""
    named = record.event.get("response_ids")
    names = [n for n in named if isinstance(n, str)] if isinstance(named, list | tuple) else []
    names += [record.text("response_id")] if record.text("response_id") else []
    for name in names:
        response = talk.responses.get(name)
        if response is not None:
            _flush(talk, response, record)
    if talk.sound.playing is not None and not names:
        _flush(talk, talk.sound.playing, record)
    yield from ()


def _flush(talk: Talk, response: Response, record: Record) -> None:
    if response.flushed is None:
        response.flushed = record.evidence()
        response.flushed_ms = talk.now_ms
    if talk.sound.playing is response:
        talk.sound.heard_until_ms = min(talk.sound.heard_until_ms, talk.now_ms)
        talk.sound.is_heard = False


def played(talk: Talk, record: Record) -> Iterator[Moment]:
    """The caller hears a response: our playout's fact, or the provider's output buffer."""
    talk.sound.buffer_events = True
    response = talk.response_of(record)
    if response is not None and response.flushed is not None and response.played_late is None:
        response.played_late = record.evidence()
        yield Moment("played_after_flush", response.played_late, talk.now_ms, response=response)
    talk.sound.heard_until_ms = max(talk.sound.heard_until_ms, talk.now_ms)


def heard(talk: Talk, record: Record) -> Iterator[Moment]:
    """playout.started: our playout tells that the caller hears a response; from here on nothing is reckoned."""
    sound, response = talk.sound, talk.response_of(record)
    quiet_since_ms = min(sound.heard_until_ms, talk.now_ms)
    yield from played(talk, record)
    sound.told = sound.known = sound.logged = True
    sound.heard_until_ms = talk.now_ms
    if response is None or response.flushed is not None:
        return
    sound.playing, sound.is_heard = response, True
    if talk.speaking and not response.outside:
        response.deltas_over_caller += 1
    first = response.first_delta is None
    if first:
        response.first_delta = record.evidence()
        response.deltas += 1
        _first_word(talk, response)
        yield Moment("audio_began", record.evidence(), talk.now_ms, response=response, ms=quiet_since_ms)
    elif talk.now_ms - quiet_since_ms > talk.options.dead_air_ms:
        yield Moment("audio_resumed", record.evidence(), talk.now_ms, response=response, ms=quiet_since_ms)


def unheard(talk: Talk, record: Record) -> Iterator[Moment]:
    """playout.drained, playout.flushed: the caller hears nothing more."""
    del record
    if talk.sound.is_heard:
        talk.sound.is_heard = False
        talk.sound.heard_until_ms = talk.now_ms
    yield from ()


def stuck(talk: Talk) -> Iterator[Moment]:
    """At the end of a session: what was begun or asked for and never answered."""
    yield from crowd_over(talk)
    for response in talk.responses.values():
        yield from _settled(talk, response)
    active = talk.active
    if active is not None and not active.status:
        waited = talk.now_ms - active.at_ms
        yield Moment("response_stuck", active.evidence, talk.now_ms, response=active, ms=waited)
    for create in talk.creates if talk.server_events else ():
        waited = talk.now_ms - create.at_ms
        yield Moment("create_unanswered", create.evidence, talk.now_ms, create=create, ms=waited)
    talk.creates.clear()
