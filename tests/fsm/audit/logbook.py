"""A deterministic writer of wire logs: a client and a provider in GA shapes, 8 kHz audio, a clock. Never a check."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
PIECE_MS = 250
_FORMAT = {"type": "audio/pcmu"}
ALREADY = (
    "Conversation already has an active response in progress: {}. Wait until the response is finished before creating "
    "a new one."
)


class LogBook:
    """Rows as recordings have them: dir, at (seconds), event."""

    def __init__(self, vad: bool = True) -> None:
        self.rows: list[Row] = []
        self.now = 0.0
        self.serial = 0
        self.vad = vad
        self.responses = 0
        self.turns = 0
        self.called = 0

    # --- the two sides ------------------------------------------------------------------------------------------------

    def client(self, wire_type: str, **fields: Any) -> str:
        """An event of the client; its event id."""
        self.serial += 1
        name = f"evt_{self.serial:05d}"
        self._row("client", {"type": wire_type, "event_id": name, **fields})
        return name

    def server(self, wire_type: str, **fields: Any) -> None:
        self.serial += 1
        self._row("server", {"type": wire_type, "event_id": f"event_{self.serial:05d}", **fields})

    def _row(self, side: str, event: Row) -> None:
        self.rows.append({"dir": side, "at": round(self.now, 4), "event": event})

    def wait(self, seconds: float) -> LogBook:
        self.now += seconds
        return self

    def closed(self, code: int, reason: str = "") -> None:
        self.rows.append({"kind": "close", "at": round(self.now, 4), "code": code, "reason": reason})

    # --- the session --------------------------------------------------------------------------------------------------

    def session(self) -> Row:
        detection = {"type": "server_vad", "create_response": True, "interrupt_response": True} if self.vad else None
        audio = {"input": {"format": _FORMAT, "turn_detection": detection}, "output": {"format": _FORMAT}}
        return {"type": "realtime", "id": "sess_1", "output_modalities": ["audio"], "audio": audio}

    def created(self) -> LogBook:
        self.server("session.created", session=self.session())
        return self.wait(0.02)

    def update(self) -> str:
        return self.client("session.update", session=self.session())

    def opened(self) -> LogBook:
        """session.created, update, updated."""
        self.created()
        self.update()
        self.wait(0.03)
        self.server("session.updated", session=self.session())
        return self.wait(0.02)

    def error(self, code: str | None, message: str, about: str | None = None, param: str | None = None) -> None:
        body = {
            "type": "invalid_request_error", "code": code, "message": message, "param": param, "event_id": about,
        }  # fmt: skip
        self.server("error", error=body)

    def busy(self, response: str, about: str | None = None) -> None:
        self.error("conversation_already_has_active_response", ALREADY.format(response), about)

    # --- responses ----------------------------------------------------------------------------------------------------

    def create(self, **response: Any) -> str:
        return self.client("response.create", **({"response": response} if response else {}))

    def begin(self) -> str:
        """response.created; its id."""
        self.responses += 1
        name = f"resp_{self.responses:04d}"
        body: Row = {"id": name, "status": "in_progress", "output": [], "conversation_id": "conv_1", "metadata": None}
        self.server("response.created", response=body)
        return name

    def item(self, response: str) -> str:
        name = response.replace("resp", "item")
        item = {"id": name, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self.server("response.output_item.added", response_id=response, output_index=0, item=item)
        return name

    def audio(self, response: str, ms: int, pace: float = 10.0) -> LogBook:
        """Pieces of 250 ms, so many times faster than they play."""
        item = response.replace("resp", "item")
        for _ in range(max(ms // PIECE_MS, 1)):
            where = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
            self.server("response.output_audio.delta", **where, delta="/" * (PIECE_MS * 8 * 4 // 3))
            self.wait(PIECE_MS / 1000 / pace)
        return self

    def done(self, response: str, status: str = "completed", reason: str = "", said: bool = True) -> LogBook:
        content = [{"type": "output_audio", "transcript": "Of course."}]
        message = {"id": response.replace("resp", "item"), "type": "message", "role": "assistant", "content": content}
        details = {"type": status, "reason": reason} if reason else None
        body: Row = {"id": response, "status": status, "status_details": details, "output": [message] if said else []}
        self.server("response.done", response=body)
        return self

    def answer(self, ms: int = 1000, play: bool = True) -> str:
        """A whole response with audio; the clock stands where it has been heard."""
        name = self.begin()
        self.wait(0.3)
        self.item(name)
        start = self.now
        self.audio(name, ms).done(name)
        if play:
            self.now = max(self.now, start + ms / 1000)
        return name

    def greeted(self) -> LogBook:
        self.opened()
        self.create(instructions="Greet the caller.")
        self.wait(0.03)
        self.answer()
        return self.wait(0.3)

    # --- the caller ---------------------------------------------------------------------------------------------------

    def speech_started(self) -> str:
        self.turns += 1
        name = f"item_u{self.turns:03d}"
        self.server("input_audio_buffer.speech_started", item_id=name, audio_start_ms=int(self.now * 1000))
        return name

    def speech_stopped(self, item: str) -> None:
        self.server("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=int(self.now * 1000))

    def committed(self, item: str) -> LogBook:
        self.server("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        content = [{"type": "input_audio", "transcript": None}]
        shown = {"id": item, "type": "message", "status": "completed", "role": "user", "content": content}
        self.server("conversation.item.added", item=shown, previous_item_id=None)
        return self

    def says(self, seconds: float = 1.0) -> LogBook:
        """A turn of the caller, committed."""
        item = self.speech_started()
        self.wait(seconds)
        self.speech_stopped(item)
        return self.committed(item)

    def turn(self, ms: int = 1000) -> LogBook:
        """A turn and the provider's answer to it."""
        self.says()
        self.wait(0.001)
        self.answer(ms)
        return self.wait(0.5)

    # --- tools --------------------------------------------------------------------------------------------------------

    def calls(self, count: int = 1) -> list[str]:
        """The provider answers with tool calls; their ids."""
        response = self.begin()
        self.wait(0.3)
        items = []
        for _ in range(count):
            self.called += 1
            call = f"call_{self.called:03d}"
            item = {
                "id": f"item_{call}", "type": "function_call", "status": "completed", "call_id": call,
                "name": "get_weather", "arguments": "{}",
            }  # fmt: skip
            items.append(item)
            self.server("response.output_item.done", response_id=response, output_index=0, item=item)
        self.wait(0.01)
        self.server("response.done", response={"id": response, "status": "completed", "output": items})
        return [str(item["call_id"]) for item in items]

    def output(self, call: str, echo: bool = True) -> LogBook:
        """A tool's output, and its echo."""
        item = {"type": "function_call_output", "call_id": call, "output": "12 degrees"}
        self.client("conversation.item.create", item=item)
        if echo:
            self.server("conversation.item.added", item={**item, "id": f"item_o{self.serial}"}, previous_item_id=None)
        return self
