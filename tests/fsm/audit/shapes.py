"""Calls without a fault as other servers and clients log them: each a hand-made log in a shape of
docs/facts/realtime_api.md. Deterministic. Never a check."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.fsm.audit.logbook import LogBook, Row

FRAME_MS = 100
GA = {"audio": "output_audio", "transcript": "output_audio_transcript", "text": "output_text"}
BETA = {"audio": "audio", "transcript": "audio_transcript", "text": "text"}


class Wire(LogBook):
    """A whole ladder of events, in a dialect: `beta` names, `ping`, ids, what a server leaves out."""

    def __init__(self, vad: bool = True, beta: bool = False, conversation: str | None = "conv_1") -> None:
        super().__init__(vad)
        self.names = BETA if beta else GA
        self.beta = beta
        self.conversation = conversation
        self.buffer_ms = 0
        self.last_item: str | None = None
        self.items = 0
        self.usage: Row | None = None
        self.details: object = None
        self.rates = True

    # --- time is the caller's audio -----------------------------------------------------------------------------------

    def hush(self, seconds: float) -> Wire:
        """The caller's line is open: audio goes up while time passes."""
        for _ in range(round(seconds * 1000 / FRAME_MS)):
            self.client("input_audio_buffer.append", audio="/" * (FRAME_MS * 8 * 4 // 3))
            self.buffer_ms += FRAME_MS
            self.wait(FRAME_MS / 1000)
        return self

    # --- items --------------------------------------------------------------------------------------------------------

    def item_id(self) -> str:
        self.items += 1
        return f"item_{self.items:05d}"

    def added(self, item: Row, done: bool = True) -> None:
        names = ("conversation.item.created",) if self.beta else ("conversation.item.added", "conversation.item.done")
        for name in names[: 1 + done]:
            self.server(name, item=item, previous_item_id=self.last_item)
        self.last_item = item["id"]

    def says_text(self, text: str) -> Wire:
        """A text of the user's, sent by the client."""
        content = [{"type": "input_text", "text": text}]
        self.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.added({"id": self.item_id(), "type": "message", "role": "user", "status": "completed", "content": content})
        return self

    # --- turns --------------------------------------------------------------------------------------------------------

    def begins(self) -> str:
        item = self.item_id()
        self.turns += 1
        started = max(self.buffer_ms - 300, 0)
        self.server("input_audio_buffer.speech_started", item_id=item, audio_start_ms=started)
        return item

    def ends(self, item: str, transcript: str | None = "Hello there.") -> Wire:
        self.server("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=self.buffer_ms)
        self.server("input_audio_buffer.committed", item_id=item, previous_item_id=self.last_item)
        content = [{"type": "input_audio", "transcript": None}]
        self.added({"id": item, "type": "message", "role": "user", "status": "completed", "content": content})
        if transcript is not None:
            self.heard_as(item, transcript)
        return self

    def heard_as(self, item: str, transcript: str, **more: Any) -> None:
        name = "conversation.item.input_audio_transcription.completed"
        self.server(name, item_id=item, content_index=0, transcript=transcript, **more)

    def speaks(self, seconds: float = 1.0) -> Wire:
        item = self.begins()
        self.hush(seconds)
        return self.ends(item)

    # --- responses ----------------------------------------------------------------------------------------------------

    def began(self, metadata: Row | None = None, conversation: str | None = "") -> str:
        self.responses += 1
        name = f"resp_{self.responses:04d}"
        self.server("response.created", response=self.response(name, "in_progress", (), metadata, conversation))
        return name

    def response(
        self, name: str, status: str, output: Iterable[Row] = (), metadata: Row | None = None,
        conversation: str | None = "",
    ) -> Row:  # fmt: skip
        return {
            "object": "realtime.response", "id": name, "status": status, "status_details": self.details,
            "output": list(output), "conversation_id": self.conversation if conversation == "" else conversation,
            "output_modalities": ["audio"], "usage": self.usage, "metadata": metadata,
        }  # fmt: skip

    def message(self, response: str, index: int = 0, in_conversation: bool = True, **more: Any) -> Row:
        """The item of a spoken answer, begun."""
        item: Row = {"id": self.item_id(), "type": "message", "status": "in_progress", "role": "assistant",
                     "content": [], **more}  # fmt: skip
        self.server("response.output_item.added", response_id=response, output_index=index, item=item)
        if in_conversation:
            self.added(item, done=False)
        where = self.at(response, item, index)
        self.server("response.content_part.added", **where, part={"type": "audio", "transcript": ""})
        return item

    @staticmethod
    def at(response: str, item: Row, index: int = 0) -> Row:
        return {"response_id": response, "item_id": item["id"], "output_index": index, "content_index": 0}

    def pieces(self, response: str, item: Row, ms: int, index: int = 0, sound: bool = True) -> None:
        """Words and audio, ten times faster than they are heard."""
        for piece in range(max(ms // 250, 1)):
            where = self.at(response, item, index)
            self.server(f"response.{self.names['transcript']}.delta", **where, delta=f" w{piece}")
            if sound:
                self.server(f"response.{self.names['audio']}.delta", **where, delta="/" * (250 * 8 * 4 // 3))
            self.wait(0.025)

    def close_item(
        self, response: str, item: Row, index: int = 0, status: str = "completed", sound: bool = True,
        in_conversation: bool = True,
    ) -> Row:  # fmt: skip
        where = self.at(response, item, index)
        if sound:
            self.server(f"response.{self.names['audio']}.done", **where)
        self.server(f"response.{self.names['transcript']}.done", **where, transcript="w0 w1")
        part = {"type": "audio", "transcript": "w0 w1"}
        self.server("response.content_part.done", **where, part=part)
        kind = "audio" if self.beta else "output_audio"
        item = {**item, "status": status, "content": [{"type": kind, "transcript": "w0 w1"}]}
        if not self.beta and in_conversation:
            self.server("conversation.item.done", item=item, previous_item_id=self.last_item)
        self.server("response.output_item.done", response_id=response, output_index=index, item=item)
        return item

    def ended(self, response: str, output: Iterable[Row], status: str = "completed", details: object = None) -> None:
        body = self.response(response, status, output)
        body["status_details"] = details if details is not None else self.details
        self.server("response.done", response=body)
        if self.rates:
            self.wait(0.03)
            self.server("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 1, "remaining": 1}])

    def replies(self, ms: int = 1500, play: bool = True, sound: bool = True, metadata: Row | None = None) -> str:
        """A whole spoken answer; the caller's line stays open while it is heard."""
        name = self.began(metadata)
        self.hush(0.3)
        item = self.message(name)
        self.pieces(name, item, ms, sound=sound)
        self.ended(name, [self.close_item(name, item, sound=sound)])
        if play:
            self.hush(ms / 1000)
        return name

    def exchange(self, ms: int = 1500) -> Wire:
        """A turn and the provider's own answer."""
        self.speaks()
        self.replies(ms)
        self.hush(0.5)
        return self

    def greets(self) -> Wire:
        self.opened()
        self.create(instructions="Greet the caller.")
        self.wait(0.03)
        self.replies()
        self.hush(0.5)
        return self

    # --- tools --------------------------------------------------------------------------------------------------------

    def function(self, response: str, index: int = 0, in_conversation: bool = True) -> Row:
        """A tool call of a response, whole; the item."""
        self.called += 1
        call = f"call_{self.called:016d}"
        item: Row = {"id": self.item_id(), "type": "function_call", "status": "in_progress", "call_id": call,
                     "name": "get_weather", "arguments": ""}  # fmt: skip
        self.server("response.output_item.added", response_id=response, output_index=index, item=item)
        if in_conversation:
            self.added(item, done=False)
        where = {"response_id": response, "item_id": item["id"], "output_index": index, "call_id": call}
        self.server("response.function_call_arguments.delta", **where, delta='{"city":')
        self.server("response.function_call_arguments.done", **where, name="get_weather", arguments='{"city":"Rome"}')
        done = {**item, "status": "completed", "arguments": '{"city":"Rome"}'}
        if not self.beta and in_conversation:
            self.server("conversation.item.done", item=done, previous_item_id=self.last_item)
        self.server("response.output_item.done", response_id=response, output_index=index, item=done)
        return done

    def returns(self, function: Row) -> None:
        """The client's output of a tool, and its echo."""
        item = {"type": "function_call_output", "call_id": function["call_id"], "output": '{"degrees": 12}'}
        self.client("conversation.item.create", item=item)
        self.added({**item, "id": self.item_id(), "status": "completed"})


def spoken_turns() -> list[Row]:
    """A greeting and three turns, as the GA service sends them."""
    return Wire().greets().exchange().exchange(3000).exchange().rows


def truncated() -> list[Row]:
    """The caller interrupts what is played; generation was over long before."""
    wire = Wire().greets()
    wire.speaks()
    name = wire.began()
    wire.hush(0.3)
    item = wire.message(name)
    wire.pieces(name, item, 6000)
    wire.ended(name, [wire.close_item(name, item)])
    wire.hush(2.0)
    turn = wire.begins()
    cut = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 2300}
    wire.client("conversation.item.truncate", **cut)
    wire.wait(0.03).server("conversation.item.truncated", **cut)
    wire.hush(1.0)
    wire.ends(turn)
    wire.replies()
    return wire.hush(0.5).rows


def interrupted() -> list[Row]:
    """The caller interrupts the generation; the provider cancels by itself, and pieces are still on their way."""
    wire = Wire().greets()
    wire.speaks()
    name = wire.began()
    wire.hush(0.3)
    item = wire.message(name)
    wire.pieces(name, item, 2000)
    turn = wire.begins()
    cut = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 150}
    wire.client("conversation.item.truncate", **cut)
    wire.pieces(name, item, 500)
    done = wire.close_item(name, item, status="incomplete")
    wire.ended(name, [done], "cancelled", {"type": "cancelled", "reason": "turn_detected"})
    wire.server("conversation.item.truncated", **cut)
    wire.hush(1.0)
    wire.ends(turn)
    wire.replies()
    return wire.hush(0.5).rows


def split_turn() -> list[Row]:
    """The provider ends a turn too early, begins to answer, and cancels when the caller goes on."""
    wire = Wire().greets()
    for _ in range(2):
        turn = wire.begins()
        wire.hush(0.7)
        wire.ends(turn, None)
        name = wire.began()
        wire.hush(0.2)
        again = wire.begins()
        wire.ended(name, [], "cancelled", {"type": "cancelled", "reason": "turn_detected"})
        wire.hush(1.2)
        wire.ends(again, None)
        wire.replies()
        wire.hush(0.4)
    return wire.rows


def xai() -> list[Row]:
    """Grok's voice: its own ids, pings, a transcript that grows, no item.done, status_details as a text."""
    wire = Wire(conversation=None)
    wire.details, wire.usage, wire.rates = "unimplemented", {}, False
    detection = {"type": "server_vad"}
    session = {"voice": "ara", "instructions": "Be brief.", "turn_detection": detection}
    wire.server("session.created", session={"id": "6e2f3a52-6d22-4a6b-9b6c-5d5f0b8f6f01", "object": "realtime.session"})
    wire.server("conversation.created", conversation={"id": "0b0c6a41-1", "object": "realtime.conversation"})
    wire.server("ping", timestamp=1)
    wire.client("session.update", session=session)
    wire.server("session.updated", session=session)
    for number in range(2):
        wire.hush(0.5)
        item = wire.item_id()
        wire.server("input_audio_buffer.speech_started", item_id=item, audio_start_ms=227, previous_item_id=None)
        user = {"id": item, "type": "message", "role": "user", "status": "in_progress", "content": []}
        wire.server("conversation.item.added", item=user, previous_item_id=wire.last_item)
        for text in ("What", "What is", "What is new?"):
            wire.hush(0.3)
            wire.server(
                "conversation.item.input_audio_transcription.updated", item_id=item, content_index=0, transcript=text
            )
        wire.server("ping", timestamp=2)
        wire.server("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=432)
        wire.server("input_audio_buffer.committed", item_id=item, previous_item_id=wire.last_item)
        wire.heard_as(item, "What is new", status="in_progress")
        wire.heard_as(item, "What is new?", status="completed")
        name = wire.began()
        wire.hush(0.4)
        spoken = wire.message(name)
        wire.pieces(name, spoken, 1500)
        where = wire.at(name, spoken)
        wire.server("response.content_part.done", **where, part={"type": "audio", "transcript": "w0"})
        wire.server("response.output_audio.done", **where)
        wire.server("response.output_audio_transcript.done", **where, transcript="w0")
        done = {**spoken, "status": "completed"}
        wire.server("response.output_item.done", response_id=name, output_index=0, item=done)
        if number == 0:
            call = wire.function(name)
            wire.server("response.done", response=wire.response(name, "completed"), usage={"total_tokens": 3})
            wire.returns(call)
            wire.create()
            name = wire.began()
            spoken = wire.message(name)
            wire.pieces(name, spoken, 1500)
        wire.server("response.done", response=wire.response(name, "completed"), usage={"total_tokens": 3})
        wire.hush(1.5)
    return wire.rows


def idle_timeout() -> list[Row]:
    """Nobody speaks: the provider commits the silence and speaks by itself, twice."""
    wire = Wire().greets()
    for _ in range(2):
        wire.hush(5.1)
        user = wire.item_id()
        wire.server(
            "input_audio_buffer.timeout_triggered", item_id=user, audio_start_ms=wire.buffer_ms - 5120,
            audio_end_ms=wire.buffer_ms,
        )  # fmt: skip
        content = [{"type": "input_text", "text": "No user speech was detected for a while."}]
        wire.added(
            {"id": wire.item_id(), "type": "message", "role": "system", "status": "completed", "content": content}
        )
        wire.server("input_audio_buffer.committed", item_id=user, previous_item_id=wire.last_item)
        heard = [{"type": "input_audio", "transcript": None}]
        wire.added({"id": user, "type": "message", "role": "user", "status": "completed", "content": heard})
        wire.replies()
        wire.heard_as(user, "")
    return wire.rows


def history_seeded() -> list[Row]:
    """What was said before is told to a new session: messages of both sides, a call and its output."""
    wire = Wire().opened()
    assert isinstance(wire, Wire)
    seeds: list[Row] = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather in Rome?"}]},
        {"type": "function_call", "call_id": "call_before", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_before", "output": "12 degrees"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "12 degrees."}]},
    ]
    for seed in seeds:
        wire.client("conversation.item.create", item=seed)
    for seed in seeds:
        wire.added({**seed, "id": wire.item_id(), "status": "completed"})
    wire.hush(1.0)
    return wire.exchange().exchange().rows


def parallel_tools() -> list[Row]:
    """Three calls in one response, their outputs while it is still open or after it, one create."""
    wire = Wire().greets()
    for early in (0, 1, 3):
        wire.speaks()
        name = wire.began()
        wire.hush(0.3)
        calls = [wire.function(name, index) for index in range(3)]
        for call in calls[:early]:
            wire.returns(call)
        wire.ended(name, calls)
        for call in calls[early:]:
            wire.hush(0.2)
            wire.returns(call)
        wire.create()
        wire.wait(0.03)
        wire.replies()
        wire.hush(0.4)
    return wire.rows


def commentary_then_tool() -> list[Row]:
    """One response speaks and calls; its items interleave."""
    wire = Wire().greets()
    wire.speaks()
    name = wire.began()
    wire.hush(0.3)
    spoken = wire.message(name, phase="commentary")
    wire.pieces(name, spoken, 1000)
    call = wire.function(name, 1)
    wire.pieces(name, spoken, 1000)
    done = wire.close_item(name, spoken)
    wire.ended(name, [done, call])
    wire.hush(1.5)
    wire.returns(call)
    wire.create()
    wire.wait(0.03)
    wire.replies()
    return wire.hush(0.5).exchange().rows


def out_of_band() -> list[Row]:
    """Responses outside the conversation, beside the ones in it, with and without metadata."""
    wire = Wire().greets()
    for tag in ({"topic": "classify"}, None):
        wire.speaks()
        name = wire.began()
        tagged = {"metadata": tag} if tag else {}
        wire.create(conversation="none", instructions="Classify.", output_modalities=["text"], **tagged)
        wire.hush(0.3)
        spoken = wire.message(name)
        aside = wire.began(tag, None)
        item: Row = {"id": wire.item_id(), "type": "message", "status": "completed", "role": "assistant",
                     "content": [{"type": "output_text", "text": "weather"}]}  # fmt: skip
        wire.server("response.output_item.added", response_id=aside, output_index=0, item={**item, "content": []})
        wire.server("response.output_text.delta", **wire.at(aside, item), delta="weather")
        wire.pieces(name, spoken, 1000)
        wire.server("response.output_item.done", response_id=aside, output_index=0, item=item)
        wire.server("response.done", response=wire.response(aside, "completed", [item], tag, None))
        wire.pieces(name, spoken, 1000)
        wire.ended(name, [wire.close_item(name, spoken)])
        wire.hush(2.0)
    return wire.rows


def webrtc() -> list[Row]:
    """The provider plays: its output buffer starts, stops, and is cleared when the caller interrupts."""
    wire = Wire(beta=True)
    wire.update()
    wire.wait(0.1).created()
    wire.server("session.updated", session=wire.session())
    for ms, heard in ((2000, 2.0), (6000, 1.5), (1500, 1.5)):
        turn = wire.begins()
        wire.wait(1.2)
        wire.ends(turn)
        name = wire.began()
        wire.server("rate_limits.updated", rate_limits=[])
        wire.wait(0.3)
        item = wire.message(name)
        wire.server("output_audio_buffer.started", response_id=name)
        wire.pieces(name, item, ms, sound=False)
        wire.ended(name, [wire.close_item(name, item)])
        wire.wait(heard)
        if ms != 6000:
            wire.server("output_audio_buffer.stopped", response_id=name)
            wire.wait(1.0)
        else:
            turn = wire.begins()
            wire.server("output_audio_buffer.cleared", response_id=name)
            cut = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 1500}
            wire.server("conversation.item.truncated", **cut)
            wire.wait(1.0)
            wire.ends(turn)
            name = wire.began()
            item = wire.message(name)
            wire.server("output_audio_buffer.started", response_id=name)
            wire.pieces(name, item, 1500, sound=False)
            wire.ended(name, [wire.close_item(name, item)])
            wire.wait(1.5).server("output_audio_buffer.stopped", response_id=name)
            wire.wait(0.7)
    return wire.rows


def sideband() -> list[Row]:
    """A second socket to a call: no session.created, no audio, the caller's items come from elsewhere."""
    wire = Wire()
    wire.update()
    wire.wait(0.1).server("session.updated", session=wire.session())
    for number in range(3):
        wire.wait(1.0)
        content = [{"type": "input_text", "text": f"question {number}"}]
        wire.added({"id": wire.item_id(), "type": "message", "role": "user", "status": "completed", "content": content})
        name = wire.began()
        wire.wait(0.3)
        item = wire.message(name)
        wire.pieces(name, item, 1000, sound=False)
        wire.server("output_audio_buffer.started", response_id=name)
        wire.ended(name, [wire.close_item(name, item, sound=False)])
        wire.wait(1.0).server("output_audio_buffer.stopped", response_id=name)
    return wire.rows


def voice_live() -> list[Row]:
    """Azure Voice Live: beta names, item.done for the caller's items, kinds of events of its own."""
    wire = Wire(beta=True)
    wire.rates = False
    flat = {
        "id": "sess_1", "modalities": ["text", "audio"], "voice": {"name": "en-US-Ava", "type": "azure-standard"},
        "turn_detection": {"type": "azure_semantic_vad"}, "input_audio_format": "pcm16",
    }  # fmt: skip
    wire.server("session.created", session=flat)
    wire.client("session.update", session=flat)
    wire.wait(0.05).server("session.updated", session=flat)
    for _ in range(2):
        wire.hush(0.5)
        wire.speaks()
        name = wire.began()
        wire.hush(0.3)
        item = wire.message(name)
        where = {"response_id": name, "item_id": item["id"], "output_index": 0}
        wire.server("response.animation_viseme.delta", **where, audio_offset_ms=10, viseme_id=2)
        wire.pieces(name, item, 1500)
        wire.server("response.audio_timestamp.delta", **where, text="w0", audio_offset_ms=0, audio_duration_ms=200)
        wire.ended(name, [wire.close_item(name, item)])
        wire.hush(1.5)
    return wire.rows


def client_cancel() -> list[Row]:
    """The client stops an answer, by id and bare; pieces still come; what is asked next is answered."""
    wire = Wire(vad=False).opened()
    assert isinstance(wire, Wire)
    for named in (True, False):
        wire.says_text("Tell me a story.")
        wire.create()
        wire.wait(0.03)
        name = wire.began()
        wire.wait(0.3)
        item = wire.message(name)
        wire.pieces(name, item, 2000)
        wire.client("response.cancel", **({"response_id": name} if named else {}))
        wire.pieces(name, item, 3500)
        done = wire.close_item(name, item, status="incomplete")
        wire.ended(name, [done], "cancelled", {"type": "cancelled", "reason": "client_cancelled"})
        wire.wait(2.0)
    return wire.rows


def cancel_before_a_word() -> list[Row]:
    """A person stops an answer before it has said anything, and thinks for a while."""
    wire = Wire(vad=False).opened()
    assert isinstance(wire, Wire)
    wire.says_text("Tell me a story.")
    wire.create()
    wire.wait(0.03)
    name = wire.began()
    wire.wait(0.2).client("response.cancel", response_id=name)
    wire.wait(0.05)
    wire.ended(name, [], "cancelled", {"type": "cancelled", "reason": "client_cancelled"})
    wire.wait(20.0)
    wire.says_text("A short one.")
    wire.create()
    wire.wait(0.03)
    wire.replies()
    return wire.rows


def typed_chat() -> list[Row]:
    """Texts, with a long thought before each; two of the client's items for one answer."""
    wire = Wire(vad=False).opened()
    assert isinstance(wire, Wire)
    for number in range(3):
        wire.wait(30.0)
        wire.says_text(f"question {number}").says_text("and do be brief")
        wire.create(output_modalities=["text"])
        wire.wait(0.03)
        name = wire.began()
        wire.wait(0.4)
        item = wire.message(name)
        for piece in range(5):
            wire.server("response.output_text.delta", **wire.at(name, item), delta=f" {piece}")
        done = {**item, "status": "completed", "content": [{"type": "output_text", "text": " 0 1 2 3 4"}]}
        wire.server("response.output_item.done", response_id=name, output_index=0, item=done)
        wire.ended(name, [done])
    return wire.rows


def push_to_talk() -> list[Row]:
    """No detection: the client commits and asks; a press while the agent speaks cancels, clears and truncates."""
    wire = Wire(vad=False).opened()
    assert isinstance(wire, Wire)
    wire.create(instructions="Greet.")
    wire.replies()
    for _ in range(2):
        wire.wait(8.0)
        wire.client("input_audio_buffer.clear")
        wire.server("input_audio_buffer.cleared")
        wire.hush(1.5)
        wire.client("input_audio_buffer.commit")
        item = wire.item_id()
        wire.wait(0.03).server("input_audio_buffer.committed", item_id=item, previous_item_id=wire.last_item)
        content = [{"type": "input_audio", "transcript": None}]
        wire.added({"id": item, "type": "message", "role": "user", "status": "completed", "content": content})
        wire.create()
        wire.wait(0.03)
        name = wire.began()
        wire.wait(0.3)
        spoken = wire.message(name)
        wire.pieces(name, spoken, 2000)
        wire.client("response.cancel", response_id=name)
        cut = {"item_id": spoken["id"], "content_index": 0, "audio_end_ms": 400}
        wire.client("conversation.item.truncate", **cut)
        done = wire.close_item(name, spoken, status="incomplete")
        wire.ended(name, [done], "cancelled", {"type": "cancelled", "reason": "client_cancelled"})
        wire.server("conversation.item.truncated", **cut)
    return wire.rows


def qwen() -> list[Row]:
    """A beta server: flat session, no rate limits, its own event at the end."""
    wire = Wire(beta=True)
    wire.rates = False
    flat = {
        "id": "sess_1", "modalities": ["text", "audio"], "voice": "Cherry", "input_audio_format": "pcm16",
        "output_audio_format": "pcm24", "turn_detection": {"type": "server_vad", "silence_duration_ms": 800},
    }  # fmt: skip
    wire.server("session.created", session=flat)
    wire.client("session.update", session=flat)
    wire.wait(0.05).server("session.updated", session=flat)
    wire.hush(0.5).exchange().exchange()
    wire.client("session.finish")
    wire.server("session.finished")
    return wire.rows


def speaches() -> list[Row]:
    """A beta server whose answer waits for its own transcription."""
    wire = Wire(beta=True)
    wire.rates = False
    wire.server("session.created", session={"id": "sess_1", "turn_detection": {"type": "server_vad"}})
    wire.client("session.update", session={"instructions": "Be brief."})
    wire.server("session.updated", session={"id": "sess_1", "turn_detection": {"type": "server_vad"}})
    for _ in range(2):
        turn = wire.begins()
        wire.hush(1.0)
        wire.ends(turn, None)
        wire.hush(1.5)
        wire.heard_as(turn, "Hello.")
        wire.replies()
        wire.hush(0.5)
    return wire.rows


def asked_again() -> list[Row]:
    """Continued after its tokens ran out; new instructions, and an answer by them; spoken to again after a silence."""
    wire = Wire().greets()
    wire.speaks()
    name = wire.began()
    wire.hush(0.3)
    item = wire.message(name)
    wire.pieces(name, item, 1500)
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    wire.ended(name, [wire.close_item(name, item, status="incomplete")], "incomplete", details)
    wire.create()
    wire.wait(0.03)
    wire.replies(1500)
    wire.hush(0.5).exchange()
    wire.update()
    wire.wait(0.03).server("session.updated", session=wire.session())
    wire.create()
    wire.wait(0.03)
    wire.replies()
    wire.hush(9.0)
    wire.create(instructions="Ask whether the caller is still there.")
    wire.wait(0.03)
    wire.replies()
    return wire.rows


def mcp() -> list[Row]:
    """A tool that the provider runs by itself."""
    wire = Wire().greets()
    wire.server("mcp_list_tools.in_progress", item_id="mcpl_1")
    wire.server("mcp_list_tools.completed", item_id="mcpl_1")
    wire.speaks()
    name = wire.began()
    item: Row = {"id": wire.item_id(), "type": "mcp_call", "name": "search", "arguments": "{}", "server_label": "x"}
    wire.server("response.output_item.added", response_id=name, output_index=0, item=item)
    wire.added(item, done=False)
    wire.server("response.mcp_call_arguments.done", response_id=name, item_id=item["id"], output_index=0, arguments="")
    wire.server("response.output_item.done", response_id=name, output_index=0, item=item)
    wire.ended(name, [item])
    wire.server("response.mcp_call.in_progress", item_id=item["id"], output_index=0)
    wire.hush(2.0)
    wire.server("response.mcp_call.completed", item_id=item["id"], output_index=0)
    wire.create()
    wire.wait(0.03)
    wire.replies()
    return wire.hush(0.5).exchange().rows


def reconnected() -> list[Row]:
    """Two sessions after each other; the second is told what was said."""
    wire = Wire().greets().exchange()
    wire.closed(1000)
    wire.wait(0.5).opened()
    wire.says_text("what was said")
    wire.hush(0.5)
    return wire.exchange().rows


def transcription() -> list[Row]:
    """A session that only writes down what it hears."""
    wire = Wire()
    session = {**wire.session(), "type": "transcription"}
    wire.server("session.created", session=session)
    wire.client("session.update", session=session)
    wire.server("session.updated", session=session)
    for _ in range(3):
        wire.hush(7.0)
        wire.speaks()
    return wire.hush(8.0).rows


CLEAN: Mapping[str, Callable[[], list[Row]]] = {
    made.__name__: made
    for made in (
        spoken_turns, truncated, interrupted, split_turn, xai, idle_timeout, history_seeded, parallel_tools,
        commentary_then_tool, out_of_band, webrtc, sideband, voice_live, client_cancel, cancel_before_a_word,
        typed_chat, push_to_talk, qwen, speaches, asked_again, mcp, reconnected, transcription,
    )
}  # fmt: skip


# --- the same call, as somebody else has logged it --------------------------------------------------------------------


def cut_audio(rows: Iterable[Row]) -> list[Row]:
    """Audio cut to 33 bytes, as the recordings have it."""
    return [_with_audio(row, "A" * 44) for row in rows]


def _with_audio(row: Row, audio: str) -> Row:
    event = row.get("event", {})
    for kind, key in (("audio.delta", "delta"), ("input_audio_buffer.append", "audio")):
        if str(event.get("type", "")).endswith(kind):
            return {**row, "event": {**event, key: audio}}
    return row


def without(rows: Iterable[Row], *endings: str) -> list[Row]:
    return [row for row in rows if not row.get("event", {}).get("type", "").endswith(endings)]


def side(rows: Iterable[Row], name: str) -> list[Row]:
    return [row for row in rows if row.get("dir") == name]


_LOGGED_BY_SAMPLES = frozenset(
    {"error", "response.content.done", "rate_limits.updated", "response.done", "input_audio_buffer.committed",
     "input_audio_buffer.speech_stopped", "input_audio_buffer.speech_started", "session.created", "session.updated",
     "session.update"}
)  # fmt: skip


def sample(rows: Iterable[Row]) -> list[Row]:
    """The few kinds of events that widely copied samples log."""
    return [row for row in rows if row.get("event", {}).get("type") in _LOGGED_BY_SAMPLES]


def beta(rows: Iterable[Row]) -> list[Row]:
    """The same call at a server of the beta protocol, which gives errors no code and names no event of the client's."""
    made = json.dumps(list(rows)).replace("output_audio", "audio").replace("output_text", "text")
    made = made.replace("conversation.item.added", "conversation.item.created").replace('"conv_1"', "null")
    found: list[Row] = json.loads(made)
    for row in found:
        error = row.get("event", {}).get("error")
        if error is not None and "beta" not in str(error["code"]):
            error.update(code=None, event_id=None)
    return without(found, "conversation.item.done")


VIEWS: Mapping[str, Callable[[list[Row]], list[Row]]] = {
    "all": list,
    "beta": beta,
    "cut audio": cut_audio,
    "no audio": lambda rows: without(rows, "audio.delta", "buffer.append"),
    "no deltas": lambda rows: without(rows, ".delta", "buffer.append"),
    "provider only": lambda rows: side(rows, "server"),
    "client only": lambda rows: side(rows, "client"),
    "sample": sample,
}
