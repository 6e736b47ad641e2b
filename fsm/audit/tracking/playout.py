"""Tracking of what the caller hears of the agent: audio that comes, what plays, what was cut."""

from __future__ import annotations

from collections.abc import Iterator

from fsm.audit.conversation import LoggedConversation
from fsm.audit.exchange import KEPT, ClientRequest, Content, Cut, Response, Shown, TurnFacts, keep
from fsm.audit.observations import AudioBegan, AudioResumed, Observation, PlayedAfterCut
from fsm.audit.record import Record, audio_bytes

_BELIEVABLE_MS = 20.0  # a delta shorter than this was cut in the log


# --- what it says -----------------------------------------------------------------------------------------------------


def audio(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """A piece of the agent's audio: how much there is, whether it should still be there."""
    response, agent = conversation.response_of(record), conversation.agent_audio
    if response is None:
        return
    ms = audio_bytes(record.event.get("delta")) / agent.bytes_ms
    agent.shown |= Shown.TIMES | (Shown.LENGTHS if ms >= _BELIEVABLE_MS else Shown.NOTHING)
    sound, is_first = response.audio, response.audio.first is None
    if is_first:
        sound.first, sound.began_ms = record.evidence(), conversation.now_ms
    sound.pieces += 1
    sound.ms += ms
    if response.cut is not None:
        _late(response.cut, record, ms, conversation.now_ms)
        return
    if conversation.speaking and not response.is_outside:
        sound.over_caller += 1
        turn = conversation.caller.turn
        sound.over_ms = conversation.now_ms - (turn.at_ms if turn else conversation.now_ms)
    quiet_since_ms = agent.heard_until_ms
    _first_word(conversation, response)
    plays(conversation, response, ms)
    if is_first:
        yield AudioBegan(sound.first or response.evidence, conversation.now_ms, response, quiet_since_ms)
    elif Shown.LENGTHS in agent.shown:
        yield from _resumed(conversation, record, response, quiet_since_ms)


def _resumed(
    conversation: LoggedConversation, record: Record, response: Response, since_ms: float
) -> Iterator[Observation]:
    if conversation.now_ms - since_ms > conversation.options.dead_air_ms:
        yield AudioResumed(record.evidence(), conversation.now_ms, response, since_ms)


def _late(cut: Cut, record: Record, ms: float, now_ms: float) -> None:
    cut.late_pieces += 1
    cut.late_ms += ms
    cut.late_until_ms = now_ms
    cut.first_late = cut.first_late or record.evidence()


def _first_word(conversation: LoggedConversation, response: Response) -> None:
    if response.is_outside or response.audio.pieces > 1:
        return
    if response.turn is None:
        response.first_word = not conversation.responses.greeted
    else:
        response.first_word = TurnFacts.HEARD not in response.turn.facts
        response.turn.facts |= TurnFacts.HEARD
    conversation.responses.greeted = True


def plays(conversation: LoggedConversation, response: Response, ms: float) -> None:
    agent = conversation.agent_audio
    if Shown.PLAYOUT not in agent.shown:
        agent.heard_until_ms = max(agent.heard_until_ms, conversation.now_ms) + ms
        agent.playing = response


def text(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """A piece of text of the agent: where a session does not speak, that is what is waited for."""
    response, agent = conversation.response_of(record), conversation.agent_audio
    if response is None or response.has_words:
        return
    response.content |= Content.WORDS
    if "transcript" in record.type:
        return
    quiet_since_ms = agent.heard_until_ms
    _first_word(conversation, response)
    agent.heard_until_ms = max(quiet_since_ms, conversation.now_ms)
    yield AudioBegan(record.evidence(), conversation.now_ms, response, quiet_since_ms)


# --- cuts -------------------------------------------------------------------------------------------------------------


def cancel_sent(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """response.cancel: of what runs, of what is named, or of nothing."""
    responses, evidence, named = conversation.responses, record.evidence(), record.text("response_id")
    target = responses.by_id.get(named) if named else responses.active
    hits = target is not None and target.is_active
    idle = not hits and conversation.seen_from_start
    event_id = record.text("event_id")
    conversation.requests.append(ClientRequest(evidence, conversation.now_ms, record.type, event_id, idle=idle))
    if target is not None and hits:
        target.cancel = target.cancel or evidence
        _cut(conversation, target, record)
    elif not named and idle:
        responses.bare_cancel = evidence
    return ()


def truncate_sent(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """conversation.item.truncate: the client has stopped playing this item, at `audio_end_ms`."""
    item, end_ms = record.text("item_id"), record.number("audio_end_ms") or 0.0
    evidence, now_ms, truncated = record.evidence(), conversation.now_ms, conversation.responses.truncated
    event_id, note = record.text("event_id"), f"{end_ms:.0f} ms"
    conversation.requests.append(ClientRequest(evidence, now_ms, record.type, event_id, note))
    response = conversation.response_of(record)
    before = truncated.get(item)
    truncated[item] = end_ms
    keep(truncated)
    if response is None:
        return
    if before is not None and end_ms > before and response.cut is not None:
        response.cut.played = evidence
        yield PlayedAfterCut(evidence, now_ms, response, response.cut)
    _cut(conversation, response, record)


def truncated(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """conversation.item.truncated: the provider has cut an item by itself, or the client's event is not in this log."""
    response = conversation.response_of(record)
    if response is not None:
        _cut(conversation, response, record)
    return ()


def flushed(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """What had not been played was dropped: our own effect, or the provider's output buffer was cleared."""
    named = record.event.get("response_ids")
    names = [n for n in named if isinstance(n, str)] if isinstance(named, list | tuple) else []
    names += [record.text("response_id")] if record.text("response_id") else []
    for name in names:
        response = conversation.responses.by_id.get(name)
        if response is not None:
            _cut(conversation, response, record)
    if conversation.agent_audio.playing is not None and not names:
        _cut(conversation, conversation.agent_audio.playing, record)
    return ()


def _cut(conversation: LoggedConversation, response: Response, record: Record) -> None:
    agent = conversation.agent_audio
    if response.cut is None:
        response.cut = Cut(record.evidence(), conversation.now_ms)
    if agent.playing is response:
        agent.heard_until_ms = min(agent.heard_until_ms, conversation.now_ms)
        agent.is_heard = False


# --- what is heard ----------------------------------------------------------------------------------------------------


def played(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """The caller hears a response: our playout's fact, or the provider's output buffer."""
    response, agent = conversation.response_of(record), conversation.agent_audio
    cut = response.cut if response is not None else None
    if response is not None and cut is not None and cut.played is None:
        cut.played = record.evidence()
        yield PlayedAfterCut(cut.played, conversation.now_ms, response, cut)
    agent.heard_until_ms = max(agent.heard_until_ms, conversation.now_ms)


def heard(conversation: LoggedConversation, record: Record) -> Iterator[Observation]:
    """playout.started: our playout reports that the caller hears a response; from here on nothing is reckoned."""
    agent, response = conversation.agent_audio, conversation.response_of(record)
    quiet_since_ms = min(agent.heard_until_ms, conversation.now_ms)
    yield from played(conversation, record)
    agent.shown |= Shown.PLAYOUT | Shown.LENGTHS | Shown.TIMES
    agent.heard_until_ms = conversation.now_ms
    if response is None or response.cut is not None:
        return
    agent.playing, agent.is_heard = response, True
    if conversation.speaking and not response.is_outside:
        response.audio.over_caller += 1
    if response.audio.first is not None:
        yield from _resumed(conversation, record, response, quiet_since_ms)
        return
    response.audio.first, response.audio.began_ms = record.evidence(), conversation.now_ms
    response.audio.pieces += 1
    _first_word(conversation, response)
    yield AudioBegan(record.evidence(), conversation.now_ms, response, quiet_since_ms)


def sounded(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """playout.heard: our playout has found a sound in a response."""
    conversation.responses.heard += 1
    return ()


def silent(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """playout.silent: it has found none."""
    response, unspoken = conversation.response_of(record), conversation.responses.unspoken
    if response is not None and response.cut is None and len(unspoken) < KEPT:
        response.audio.silent = True
        unspoken.append(response)
    return ()


def unheard(conversation: LoggedConversation, record: Record) -> tuple[()]:
    """playout.drained, playout.flushed: the caller hears nothing more."""
    agent = conversation.agent_audio
    if agent.is_heard:
        agent.is_heard = False
        agent.heard_until_ms = conversation.now_ms
    return ()
