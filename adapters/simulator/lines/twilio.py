"""Twilio's end of a call: asks the webhook, opens the stream, plays what it is sent by its own clock. No script.

As docs/facts/telephony.md section 5 has it: the requests are signed, the buffer has no bound and plays in order, a mark
comes back when what was sent before it is played, `clear` empties the buffer and sends all marks back at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID
from xml.etree import ElementTree

import attrs

from adapters.lines.twilio import protocol as wire
from adapters.lines.twilio.signature import HEADER, signature
from adapters.lines.twilio.webhook import HttpRequest, HttpResponse
from adapters.simulator.caller.script import CallerSettings
from adapters.simulator.lines.telephone import OnEvent, Telephone
from adapters.simulator.lines.way import Way
from adapters.websocket.client_socket import ClientSocket, dial
from adapters.websocket.message_socket import SocketLimits
from fsm.errors import RemoteError

PIECE_BYTES: Final = 320
"""What is sent plays piece by piece: a `clear` may come in the middle of a long message."""
_POLITE: Final = (1000, 1001)

Ask: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponse]]
"""How a webhook is asked; `url` of the request is from the path on."""


class NoCallError(RemoteError, ConnectionError):
    """The webhook did not say to stream the call, or said it in no way that Twilio takes."""


@attrs.frozen(kw_only=True)
class TwilioNumber:
    """A number of an account's, and who calls it."""

    auth_token: str = attrs.field(repr=False)
    account_sid: str = "AC00000000000000000000000000000000"
    webhook_url: str = "http://127.0.0.1/twiml"
    """As Twilio sees it; what it signs."""
    caller: str = "+493011111111"
    dialled: str = "+493022222222"
    stream_address: tuple[str, int] | None = None
    """Where to connect in place of the stream's own address: past the proxy, on this machine."""
    delay_ms: float = 0.0
    """Of everything, each way."""
    twiml: str | None = None
    """What the webhook would say; it is not asked then."""


@attrs.frozen
class Instructions:
    """Where a webhook wants the call, and what goes along."""

    url: str
    parameters: Mapping[str, str]


def read_twiml(text: str | bytes) -> Instructions:
    """NoCallError: there is no stream in it, or one that Twilio refuses."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NoCallError(f"the TwiML is not XML: {error}") from None
    streams = root.findall("./Connect/Stream") if root.tag == "Response" else []
    if len(streams) != 1:
        raise NoCallError(f"the TwiML does not stream the call: {[each.tag for each in root]}")
    url = streams[0].get("url", "")
    if urlsplit(url).scheme not in ("wss", "ws") or "?" in url:
        raise NoCallError("the stream's url is not a wss:// one without a query")
    found = [(each.get("name", ""), each.get("value", "")) for each in streams[0].findall("Parameter")]
    if any(len(name) + len(value) >= wire.PARAMETER_MAX_CHARS for name, value in found):
        raise NoCallError(f"a parameter of {wire.PARAMETER_MAX_CHARS} characters or more")
    return Instructions(url, dict(found))


async def ask_webhook(number: TwilioNumber, call_sid: str, ask: Ask) -> Instructions:
    """By POST, signed, as Twilio asks when the number is called."""
    form = [
        ("CallSid", call_sid), ("AccountSid", number.account_sid), ("From", number.caller), ("To", number.dialled),
        ("CallStatus", "ringing"), ("ApiVersion", "2010-04-01"), ("Direction", "inbound"),
    ]  # fmt: skip
    parts = urlsplit(number.webhook_url)
    request = HttpRequest(
        method="POST",
        url=urlunsplit(("", "", parts.path, parts.query, "")),
        headers={HEADER: signature(number.auth_token, number.webhook_url, form)},
        form=form,
    )
    answer = await ask(request)
    if answer.status != 200:
        raise NoCallError(f"the webhook says {answer.status}: {answer.body[:200].decode(errors='replace')}")
    return read_twiml(answer.body)


def over_http(address: str, deadline_s: float = 5.0) -> Ask:
    """Asks a server, e.g. http://127.0.0.1:8080, whatever the webhook's own address is."""

    async def ask(request: HttpRequest) -> HttpResponse:
        import httpx2  # of the extra 'twilio'; who is given the TwiML needs it not

        headers = {**request.headers, "content-type": "application/x-www-form-urlencoded"}
        async with httpx2.AsyncClient(base_url=address, timeout=deadline_s) as client:
            answer = await client.post(request.url, content=urlencode(list(request.form)), headers=headers)
        return HttpResponse(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    return ask


def call_sid_of(call_id: UUID) -> str:
    """What Twilio calls the call."""
    return f"CA{call_id.hex}"


async def dial_twilio(
    number: TwilioNumber, ask: Ask | None, call_id: UUID, settings: CallerSettings, emit: OnEvent
) -> SimulatedStream:
    """A call of the number up to its stream's start. ConnectionError: it did not come to that, and why."""
    if settings.rate_hz != wire.RATE_HZ:
        raise ValueError(f"Twilio's audio is {wire.RATE_HZ} Hz, not {settings.rate_hz}")
    call_sid = call_sid_of(call_id)
    if number.twiml is not None:
        instructions = read_twiml(number.twiml)
    else:
        parts = urlsplit(number.webhook_url)
        instructions = await ask_webhook(number, call_sid, ask or over_http(f"{parts.scheme}://{parts.netloc}"))
    phone = SimulatedStream(number, call_sid, settings, emit)
    signed = signature(number.auth_token, instructions.url)
    limits = SocketLimits(open_s=settings.connect_deadline_ms / 1000)
    await dial(_reached(instructions.url, number), phone.opened, limits, headers={HEADER: signed})
    phone.start(instructions.parameters)
    return phone


def _reached(url: str, number: TwilioNumber) -> str:
    if number.stream_address is None:
        return url
    host, port = number.stream_address
    return urlunsplit(("ws", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", urlsplit(url).path, "", ""))


@attrs.frozen
class _Piece:
    """Of what is to be played: sound, or a mark (no sound, but a name)."""

    pcm: bytes
    mark: str = ""


class SimulatedStream(Telephone):
    """The wire of one call."""

    def __init__(self, number: TwilioNumber, call_sid: str, settings: CallerSettings, emit: OnEvent) -> None:
        super().__init__(settings, emit)
        self.heard_ms = 0.0
        """How much of the server's audio the caller has heard: the truth."""
        self.cuts_ms: list[float] = []
        """Of that, how much at each `clear`."""
        self._way = Way(number.delay_ms)
        self._stream_sid = f"MZ{call_sid[2:]}"
        self._words = wire.TwilioEncoder(self._stream_sid, call_sid, number.account_sid)
        self._buffer: deque[_Piece] = deque()
        self._playing_s: float | None = None  # since when the first piece plays
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, socket: ClientSocket) -> SimulatedStream:
        """By its socket, whose end may come before our start."""
        self._socket = socket
        return self

    def start(self, parameters: Mapping[str, str]) -> None:
        self._say(self._words.connected())
        self._say(self._words.start(parameters))
        if self.ending is None:
            self._begin()

    @property
    def buffered_ms(self) -> float:
        """What has come and is not played."""
        return sum(len(piece.pcm) for piece in self._buffer) / 16

    def press(self, digit: str) -> None:
        self._say(self._words.dtmf(digit))

    def hang_up(self) -> None:
        if self.ending is None:
            self._say(self._words.stop())
            self._end("caller")
            self._way.later(self._socket.close)

    def reset(self) -> None:
        if self.ending is None:
            self._end("caller")
            self._socket.abort()

    def abandon(self) -> None:
        self._stop()
        self._way.close()
        self._socket.abort()

    # What the socket says.

    def received(self, payload: bytes | bytearray | memoryview, *, binary: bool) -> None:
        message = wire.TwilioUnknown("", "binary") if binary else wire.decode_outgoing(payload)
        self._way.later(self._take, message)

    def ended(self) -> None:
        end = self._socket.end
        if self.ending is not None:
            if self.ending.how == "caller":
                self.server_closed_ms = self.now_ms - self.ending.at_ms
        elif end is None or end.code is None:
            self._end("rst")
        elif end.code in _POLITE:
            self._end("fin")
        else:
            self._end("dropped", f"the server closed the stream with {end.code}: {end.reason}")
        if not self.closed.done():
            self.closed.set_result(None)

    # Inside

    def _say(self, text: bytes) -> None:
        if self.ending is None:
            self._way.later(self._socket.send_text, text)

    def _send_frame(self, at_ms: float) -> None:
        """Twilio sends the caller's silence, too."""
        pcm = None if self.is_pressing else self.voice.frame(at_ms)
        self._say(self._words.media(pcm or bytes(self._settings.frame_bytes), round(at_ms)))

    def _take(self, message: wire.Outgoing) -> None:
        if self.ending is not None:
            return
        if isinstance(message, wire.TwilioUnknown) or message.stream_sid != self._stream_sid:
            why = message.why if isinstance(message, wire.TwilioUnknown) else "of another stream"
            self._end("dropped", f"a message Twilio does not take: {why}")
            self._socket.abort()
        elif isinstance(message, wire.TwilioClear):
            self._clear()
        elif isinstance(message, wire.TwilioMark):
            self._queue(_Piece(b"", message.name))
        else:
            for start in range(0, len(message.pcm), PIECE_BYTES):
                self._queue(_Piece(message.pcm[start : start + PIECE_BYTES]))

    def _queue(self, piece: _Piece) -> None:
        self._buffer.append(piece)
        if self._playing_s is None:
            self._playing_s = self._loop.time()
            self._play()

    def _play(self) -> None:
        """What is due now, then a timer for the end of what plays."""
        now_s = self._loop.time()
        while self._buffer and self._playing_s is not None:
            piece = self._buffer[0]
            end_s = self._playing_s + len(piece.pcm) / 2 / wire.RATE_HZ
            if end_s > now_s + 1e-9:
                self._timer = self._loop.call_at(end_s, self._play)
                return
            self._buffer.popleft()
            self._sound(piece, self._playing_s)
            self._playing_s = end_s
        self._playing_s = None

    def _sound(self, piece: _Piece, at_s: float) -> None:
        if piece.mark:
            self._say(self._words.mark(piece.mark))
        elif piece.pcm and self.ending is None:
            at_ms = (at_s - self._began_s) * 1000
            self.heard_ms += len(piece.pcm) / 16
            self._hear(at_ms, wire.RATE_HZ, piece.pcm)

    def _clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._buffer and self._playing_s is not None:  # what plays was heard up to now
            heard = int((self._loop.time() - self._playing_s) * wire.RATE_HZ) * 2
            self._sound(_Piece(self._buffer[0].pcm[:heard]), self._playing_s)
        self.cuts_ms.append(self.heard_ms)
        marks = [piece.mark for piece in self._buffer if piece.mark]
        self._buffer.clear()
        self._playing_s = None
        for name in marks:
            self._say(self._words.mark(name))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super()._stop()
