"""Tracking of responses: which create each answers, what it was made of, how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation, mapping
from fsm.audit.exchange import (
    KEPT,
    Asks,
    Begin,
    Content,
    Create,
    Repeat,
    Response,
    ResponseScope,
    ResponseState,
    Shown,
    keep,
)
from fsm.audit.observations import (
    AnswersCut,
    CreateAccepted,
    CreateUnanswered,
    Observation,
    ResponseBegan,
    ResponseEnded,
    ResponseStuck,
)
from fsm.audit.record import Record
from fsm.audit.tracking.playout import plays
from fsm.audit.tracking.requests import burst_over, claimed, rounds_asked
from fsm.machine.wire import at_path

_WORDS = ("output_audio", "audio", "output_text", "text")
_SPOKEN = ("output_audio", "audio")
_AT_ONCE_MS = 1500.0  # after its first sound: an answer that is cut so early was cut by what nobody said
_CUTS = 4  # that make a pattern
_MANY_CUTS = 8  # that make one, also where answers were heard for longer
_CALLS = ("function_call", "mcp_call")
_TOKEN_MS = 50.0  # of audio, each output token (docs/facts/realtime_api.md section 3.10)
_STATES = {state.value: state for state in ResponseState if state is not ResponseState.ACTIVE}


# --- begin ------------------------------------------------------------------------------------------------------------


def begun(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.created: of a create that waits, or the provider's own."""
    responses = conversation.responses
    name = record.text("response.id") or record.text("response_id") or f"?{responses.begun}"
    if name in responses.by_id:
        return
    response = _new(conversation, record, name)
    responses.by_id[name] = response
    keep(responses.by_id)
    responses.begun += 1
    rounds_asked(conversation)
    for call in conversation.tools.calls.values():
        is_done = call.response_id != name and call.parent_done_at is not None
        if is_done and conversation.caller.turns == call.turns and not response.is_outside:
            call.followed = call.followed or response.evidence
    for earlier in (*responses.incomplete, *responses.unspoken):
        earlier.followed = earlier.followed or (earlier.turn is response.turn and not response.is_outside)
    conversation.session.lived_with += conversation.session.rejected_update is not None
    if not response.is_outside:
        responses.bare_cancel, responses.active = None, response
    if response.create is not None and not response.create_presumed:
        yield CreateAccepted(response.create.evidence, conversation.now_ms, response.create, response)
    yield ResponseBegan(response.evidence, conversation.now_ms, response)


def _new(conversation: LoggedConversation, record: Record, name: str) -> Response:
    nameless = _names_none(conversation, record)
    create = claimed(conversation, record, nameless)
    is_outside = create.is_outside if create is not None else bool(nameless) and conversation.names_conversations
    begin = Begin(
        conversation.caller.inputs,
        over_caller=conversation.speaking and not is_outside,
        unseen=record.type != "response.created",
        cancelled_before=None if is_outside else conversation.responses.bare_cancel,
    )
    return Response(
        name, record.evidence(), conversation.now_ms, None if is_outside else conversation.caller.turn,
        ResponseScope.OUTSIDE if is_outside else ResponseScope.UNNAMED if nameless else ResponseScope.INSIDE,
        begin, create, _may_be_own(conversation, create),
    )  # fmt: skip


def _names_none(conversation: LoggedConversation, record: Record) -> bool | None:
    """Does a response say it is of no conversation? None if it says nothing of it."""
    named, log = record.text("response.conversation_id"), conversation.log
    if named and len(log.conversation_ids) < KEPT:
        log.conversation_id = named
        log.conversation_ids.add(named)
    if not named and "conversation_id" not in mapping(record.event.get("response")):
        return None
    return not named


def _may_be_own(conversation: LoggedConversation, create: Create | None) -> bool:
    """A create may have crossed a response the provider gives by itself: its rejection is still to come."""
    plain = create is not None and not create.is_outside and not create.metadata
    return plain and conversation.session.mode.provider_answers


def _settled(conversation: LoggedConversation, response: Response) -> Iterator[Observation]:
    """Nobody has rejected the create: the response was its answer."""
    create, response.create_presumed = response.create if response.create_presumed else None, False
    if create is not None:
        yield CreateAccepted(create.evidence, conversation.now_ms, create, response)


def found(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """An event of a response whose response.created is not in this log."""
    if record.text("response_id"):
        yield from begun(conversation, record)


def item_known(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """An item belongs to a response: later events may name the item alone."""
    item, response = record.text("item.id"), record.text("response_id")
    if item and response:
        conversation.responses.of_item[item] = response
        keep(conversation.responses.of_item, 4 * KEPT)
    return ()


# --- end --------------------------------------------------------------------------------------------------------------


def ended(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """response.done: what came of it. A length the log does not show is guessed from the usage."""
    responses = conversation.responses
    name = record.text("response.id") or next((r.id for r in responses.by_id.values() if r.is_active), "")
    if name not in responses.by_id:
        yield from begun(conversation, record)  # a log that leaves out how responses begin
        name = name or next(reversed(responses.by_id), "")
    response = responses.by_id.get(name)
    if response is None or not response.is_active:
        return
    yield from _settled(conversation, response)
    responses.ended += 1
    _take_end(response, record, conversation.now_ms)
    _guess_length(conversation, response, record)
    if responses.active is response:
        responses.active = None
    _compare(conversation, response)
    _count_cut(conversation, response, record)
    if response.state is ResponseState.INCOMPLETE and not response.is_outside and len(responses.incomplete) < KEPT:
        responses.incomplete.append(response)
    failure = record.text("response.status_details.error.message")
    yield ResponseEnded(record.evidence(), conversation.now_ms, response, failure)


def _take_end(response: Response, record: Record, now_ms: float) -> None:
    status = record.text("response.status") or ("completed" if record.whole else "unknown")
    response.state = _STATES.get(status, ResponseState.ENDED)
    response.ended_ms = now_ms
    response.reason = record.text("response.status_details.reason") or record.text("response.status_details.error.code")
    for item in _items(record):
        parts = _parts(item)
        if any(part in _WORDS for part in parts):
            response.content |= Content.WORDS
            response.content |= Content.SOUND if any(part in _SPOKEN for part in parts) else Content.TEXT
        if mapping(item).get("type") in _CALLS:
            response.content |= Content.CALLS
    output = at_path(record.event, "response.output")
    has_content = response.content is not Content.NOTHING or response.audio.pieces > 0 or response.cut is not None
    response.is_empty = record.whole and output == [] and not has_content
    if response.audio.pieces > 0:
        response.content |= Content.WORDS | Content.SOUND
    if record.number("response.usage.output_token_details.audio_tokens"):
        response.content |= Content.SOUND


def _count_cut(conversation: LoggedConversation, response: Response, record: Record) -> None:
    """Was an answer cut by a turn, and right after it began?"""
    responses, audio, turn = conversation.responses, response.audio, conversation.caller.turn
    shows_audio = Shown.TIMES in conversation.agent_audio.shown
    if response.is_outside or (audio.first is None and (shows_audio or response.begin.unseen)):
        return
    responses.answers += 1
    began_ms = audio.began_ms if audio.first is not None else response.at_ms
    by_client = response.reason == "client_cancelled" and turn is not None and turn is not response.turn
    if response.state is not ResponseState.CANCELLED or not (response.reason == "turn_detected" or by_client):
        return
    if len(responses.cut_by_turns) < KEPT:
        responses.cut_by_turns.append(record.evidence())
    at_ms = turn.at_ms if by_client and turn is not None else conversation.now_ms
    if conversation.has_clock and at_ms - began_ms < _AT_ONCE_MS and len(responses.cut_at_once) < KEPT:
        responses.cut_at_once.append(record.evidence())


def _guess_length(conversation: LoggedConversation, response: Response, record: Record) -> None:
    agent = conversation.agent_audio
    told_ms = (record.number("response.usage.output_token_details.audio_tokens") or 0.0) * _TOKEN_MS
    if response.audio.ms < told_ms / 5 and response.cut is None and Shown.PLAYOUT not in agent.shown:
        agent.shown |= Shown.TOKENS
        plays(conversation, response, told_ms - response.audio.ms)


def _compare(conversation: LoggedConversation, response: Response) -> None:
    """Two responses that say something without anything new between them answer the same."""
    directed = response.create is not None and Asks.DIRECTED in response.create.asks
    is_whole = response.state in (ResponseState.COMPLETED, ResponseState.INCOMPLETE) and response.has_words
    if response.is_outside or Content.CALLS in response.content or directed or not is_whole:
        return
    number, earlier = conversation.responses.said_for
    conversation.responses.said_for = (response.begin.input_no, response)
    if earlier is None or number != response.begin.input_no:
        return
    if earlier.scope is ResponseScope.UNNAMED and conversation.names_conversations:
        return  # it was outside, as is seen now
    response.repeats = Repeat(earlier, _is_deliberate(conversation, response, earlier))


def _is_deliberate(conversation: LoggedConversation, response: Response, earlier: Response) -> bool:
    """Is there a reason to speak again: an answer that was cut short, a long silence? Or does the log not show what is
    asked for, so that there may be one?"""
    if earlier.state is ResponseState.INCOMPLETE or not conversation.log.sees_client:
        return True
    asked = response.create.at_ms if response.create is not None else response.at_ms
    quiet_ms = asked - max(earlier.ended_ms, earlier.at_ms + earlier.audio.ms)
    return conversation.has_clock and quiet_ms > conversation.options.dead_air_ms


def _items(record: Record) -> list[object]:
    found = at_path(record.event, "response.output")
    return list(found) if isinstance(found, list | tuple) else []


def _parts(item: object) -> list[object]:
    content = mapping(item).get("content")
    return [mapping(part).get("type") for part in content] if isinstance(content, list | tuple) else []


def _cut_again_and_again(conversation: LoggedConversation) -> Iterator[Observation]:
    """Answers cut right after they began; or nearly all of many, whenever it was."""
    responses, now_ms = conversation.responses, conversation.now_ms
    at_once, cut, given = responses.cut_at_once, responses.cut_by_turns, responses.answers
    if len(at_once) >= _CUTS and len(at_once) > 0.75 * given:
        yield AnswersCut(at_once[-1], now_ms, tuple(at_once), given, at_once=True)
    elif len(cut) >= _MANY_CUTS and len(cut) > 0.9 * given:
        yield AnswersCut(cut[-1], now_ms, tuple(cut), given, at_once=False)


def stuck(conversation: LoggedConversation) -> Iterator[Observation]:
    """At the end of a session: what was begun or asked for and never answered."""
    now_ms, active, waiting = conversation.now_ms, conversation.responses.active, conversation.creates.waiting
    yield from burst_over(conversation)
    for response in conversation.responses.by_id.values():
        yield from _settled(conversation, response)
    shows_ends = "response.done" in conversation.log.kinds or conversation.responses.begun == 1
    if active is not None and active.is_active and shows_ends:
        yield ResponseStuck(active.evidence, now_ms, active, now_ms - active.at_ms)
    yield from _cut_again_and_again(conversation)
    answers = conversation.log.shows_provider and conversation.log.may_miss("response.created")
    for create in waiting if answers else ():
        yield CreateUnanswered(create.evidence, now_ms, create, now_ms - create.at_ms)
    waiting.clear()
