"""The wire of a server that speaks nearly Realtime, from its own side: a row of servers.yaml, played. No socket.

The core of the simulator thinks in the protocol; what a client of this server says is read here as that, or refused as
the row refuses it, and what the core says is told as the server would. The client's half is in
adapters/providers/realtime/accent.py: two readings of the same columns, which the calls of the tests compare.
"""

from __future__ import annotations

import base64
import copy
import io
import wave
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.audio.resample import Resampler
from adapters.providers.realtime.realtime_server import FORMATS, SPELLED, RealtimeServer
from adapters.providers.realtime.session import FIXED, PATHS
from adapters.simulator.providers.realtime import errors
from adapters.simulator.providers.realtime.dialect import Json
from adapters.simulator.providers.realtime.errors import WireError
from adapters.simulator.providers.realtime.shapes import VOICES
from adapters.simulator.providers.realtime.wire_audio import audio_bytes

_CORE_HZ = 24_000
_APPEND = "input_audio_buffer.append"
_DELTAS = ("response.output_audio.delta", "response.audio.delta")
_FIELDS = ("input_format", "output_format")
_BUSY = "conversation_already_has_active_response"
Path = tuple[str, ...]


class SimulatedAccent:
    """Of one connection."""

    def __init__(self, server: RealtimeServer) -> None:
        self._server = server
        self._formats = dict(zip(_FIELDS, (next(iter(server.formats_in)), next(iter(server.formats_out))), strict=True))
        self._asked: Json = {}
        self._has_begun = False
        self._names: dict[str, str] = {}
        self._resamplers: dict[str, Resampler] = {}

    # --- of the client ------------------------------------------------------------------------------------------------

    def heard(self, event: Json) -> Json:
        """A client event as the core knows it. WireError: the server refuses it."""
        kind = event.get("type")
        if kind in self._server.never_sent:
            raise errors.unknown_event(kind)
        if kind == "session.update" and isinstance(event.get("session"), dict):
            return event | {"session": self._read_session(event["session"])}
        if kind == "response.create":
            self._check_create(event.get("response"))
        if kind == _APPEND and isinstance(event.get("audio"), str):
            return event | {"audio": self._read_audio(event["audio"])}
        return event

    def _check_create(self, options: object) -> None:
        if self._server.creates == "bare" and options:
            raise errors.unknown_parameter("response")
        if self._server.metadata == "refused" and isinstance(options, Mapping) and "metadata" in options:
            raise errors.unknown_parameter("response.metadata")

    def _read_session(self, said: Json) -> Json:
        row, session = self._server, copy.deepcopy(said)
        for key in row.fixed:
            if key not in session:
                raise errors.missing_parameter(f"session.{key}")
            if key not in FIXED[row.names]:
                del session[key]
        for field in row.refuses:
            if field in PATHS and (path := PATHS[field][row.names]) and _at(session, path) is not None:
                raise errors.unknown_parameter(f"session.{'.'.join(path)}")
        self._put_in_their_places(session)
        formats = {field: self._read_format(field, session) for field in _FIELDS}
        self._read_voice(session)
        self._read_detection(session)
        if row.tools == "nested":
            session["tools"] = [_flat(index, tool) for index, tool in enumerate(session.get("tools") or [])]
        self._formats, self._asked = formats, copy.deepcopy(said)
        return session

    def _put_in_their_places(self, session: Json) -> None:
        """What the row has elsewhere, where the protocol has it."""
        for field, dotted in self._server.paths.items():
            usual = PATHS[field][self._server.names] if field in PATHS else None
            if usual is not None and _at(session, usual) is not None:
                raise errors.unknown_parameter(f"session.{'.'.join(usual)}")
            value = _taken(session, tuple(str(dotted).split(".")))
            if value is not None and usual is not None:
                _put(session, usual, value)

    def _read_format(self, field: str, session: Json) -> str:
        offered = self._server.formats_in if field == "input_format" else self._server.formats_out
        path = self._path(field)
        said = _at(session, path)
        if said is None:
            return self._formats[field]
        name = next((name for name, spelling in offered.items() if spelling == said), None)
        if name is None:
            raise errors.invalid_value(f"session.{'.'.join(path)}", said, tuple(map(str, offered.values())))
        core = name if name in ("pcmu", "pcma") else "pcm16"
        _put(session, path, copy.deepcopy(SPELLED[self._server.names][core]))
        return name

    def _read_voice(self, session: Json) -> None:
        """A server has voices of its own; the core speaks with one of OpenAI's."""
        path = self._path("voice")
        said = _at(session, path)
        if self._server.voice and said is not None:
            for key in self._server.voice:
                if not isinstance(said, dict) or key not in said:
                    raise errors.missing_parameter(f"session.{'.'.join(path)}.{key}")
        if (self._server.voice and said is not None) or (isinstance(said, str) and said not in VOICES):
            _put(session, path, VOICES[0])

    def _read_detection(self, session: Json) -> None:
        path, known = self._path("turn_detection"), self._server.detections
        said = _at(session, path)
        if not isinstance(said, dict) or not known:
            return
        kind = said.get("type")
        if kind not in known:
            raise errors.invalid_value(f"session.{'.'.join(path)}.type", kind, known)
        if kind not in ("server_vad", "semantic_vad"):
            _put(session, path, None if kind == "client_vad" else {**said, "type": "server_vad"})

    def _path(self, field: str) -> Path:
        path = PATHS[field][self._server.names]
        assert path is not None
        return path

    def _read_audio(self, text: str) -> str:
        name = self._formats["input_format"]
        wanted, payload = FORMATS[name], audio_bytes(text)
        if payload is None:
            return text  # the core says what is wrong
        if name.startswith("wav"):
            payload = _unpacked(payload, wanted.rate_hz)
        if wanted.encoding == "pcm16":
            payload = self._resampled("in", payload, wanted.rate_hz, _CORE_HZ)
        return base64.b64encode(payload).decode()

    def _resampled(self, way: str, payload: bytes, from_hz: int, to_hz: int) -> bytes:
        if from_hz == to_hz:
            return payload
        if way not in self._resamplers:
            self._resamplers[way] = Resampler(from_hz, to_hz)
        return self._resamplers[way].process(payload[: len(payload) & ~1])

    # --- of the server ------------------------------------------------------------------------------------------------

    def said(self, event: Json) -> Iterator[Json]:
        """What the core says, as this server does: as it is, changed, several, or nothing."""
        row, kind = self._server, str(event["type"])
        if kind == "session.created":
            yield from self._begin(event)
            return
        if kind == "conversation.created" and not self._has_begun:
            return
        if self._is_silent_about(kind, event):
            return
        event = copy.deepcopy(event) if kind not in _DELTAS else dict(event)
        if kind == "session.updated":
            event["session"] = self._shown(event["session"])
        elif kind == "response.created":
            if row.metadata != "echoed":
                event["response"].pop("metadata", None)
        elif kind == "error" and row.busy and event["error"].get("code") == _BUSY:
            event["error"] |= {"code": "unknown_error", "message": f"There is one: {row.busy[0]}."}
        elif kind in _DELTAS:
            event["delta"] = self._written_audio(event["delta"])
        if row.calls_by == "arguments":
            self._hide_calls(kind, event)
        if row.ids == "missing" and kind.startswith("response.") and "response" not in event:
            event.pop("item_id", None)
        yield event

    def _begin(self, event: Json) -> Iterator[Json]:
        begins = self._server.begins
        self._has_begun = bool(begins)
        if "session.created" in begins:
            yield event | {"session": self._shown(event["session"])}
        if "conversation.created" in begins and self._server.names == "ga":
            conversation = {"id": "conv_1", "object": "realtime.conversation"}
            yield {"type": "conversation.created", "event_id": event["event_id"], "conversation": conversation}

    def _is_silent_about(self, kind: str, event: Json) -> bool:
        row = self._server
        if kind == "input_audio_buffer.committed":
            return bool(row.committed_by)
        if kind.startswith("response.output_item."):
            self._names[event["item"].get("call_id", "")] = event["item"].get("name", "")
            return row.calls_by == "arguments" and event["item"]["type"] == "function_call"
        if kind == "response.done" and row.superseded == "silent":
            details = event["response"].get("status_details") or {}
            return bool(details.get("reason") == "turn_detected")
        return False

    def _hide_calls(self, kind: str, event: Json) -> None:
        """They are in the arguments alone, with the name."""
        if kind == "response.done":
            output = event["response"]["output"]
            event["response"]["output"] = [each for each in output if each["type"] != "function_call"]
        elif kind == "response.function_call_arguments.done":
            event["name"] = self._names.get(event["call_id"], event.get("name", ""))

    def _shown(self, session: Json) -> Json:
        """The session as the server shows it: what was asked, in its own words, over what the core has."""
        shown = copy.deepcopy(session)
        for field, dotted in self._server.paths.items():
            usual = PATHS[field][self._server.names] if field in PATHS else None
            value = _taken(shown, usual) if usual is not None else shown.get(field)
            _put(shown, tuple(str(dotted).split(".")), value)
        for field, offered in zip(_FIELDS, (self._server.formats_in, self._server.formats_out), strict=True):
            _put(shown, self._path(field), copy.deepcopy(offered[self._formats[field]]))
        return _laid_over(shown, self._asked)

    def _written_audio(self, delta: str) -> str:
        rate_hz = FORMATS[self._formats["output_format"]].rate_hz
        if FORMATS[self._formats["output_format"]].encoding != "pcm16" or rate_hz == _CORE_HZ:
            return delta
        return base64.b64encode(self._resampled("out", base64.b64decode(delta), _CORE_HZ, rate_hz)).decode()


def _unpacked(payload: bytes, rate_hz: int) -> bytes:
    try:
        with wave.open(io.BytesIO(payload)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate_hz):
                raise WireError("invalid_value", f"The WAV is not 16 bit mono at {rate_hz} Hz.", "audio")
            frames: bytes = file.readframes(file.getnframes())
            return frames
    except (wave.Error, EOFError):
        raise WireError("invalid_value", "Each chunk must be a WAV file.", "audio") from None


def _flat(index: int, tool: Any) -> Json:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        raise errors.missing_parameter(f"session.tools[{index}].function")
    return {"type": "function", **function}


def _at(session: Json, path: Path) -> Any:
    place: Any = session
    for step in path:
        place = place.get(step) if isinstance(place, dict) else None
    return place


def _taken(session: Json, path: Path) -> Any:
    place = _at(session, path[:-1])
    return place.pop(path[-1], None) if isinstance(place, dict) else None


def _put(session: Json, path: Path, value: Any) -> None:
    place = session
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = value


def _laid_over(session: Json, asked: Mapping[str, Any]) -> Json:
    for key, value in asked.items():
        here = session.get(key)
        session[key] = _laid_over(here, value) if isinstance(here, dict) and isinstance(value, dict) else value
    return session
