"""A caller for the tests of somebody's bridge: calls it over any line, follows a script, and says how that was."""

from __future__ import annotations

import uuid
import wave
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import quoteattr

import attrs
import yaml

from adapters.kit.caller_judge import caller_faults, steps_text
from adapters.kit.explained import explained
from adapters.kit.faults import CallFault, JudgeLimits
from adapters.kit.loop_thread import KitUseError, LoopThread
from adapters.simulator.caller.caller import Dial, run_call
from adapters.simulator.caller.numbers import caller_numbers
from adapters.simulator.caller.report import CallerReport
from adapters.simulator.caller.script import Script, load_script, load_telephone
from adapters.simulator.lines.audiosocket import dial_audiosocket
from adapters.simulator.lines.chan_websocket import AsteriskChannel, dial_server
from adapters.simulator.lines.twilio import TwilioNumber, dial_twilio

GivenScript = str | Path | Mapping[str, Any]


@attrs.frozen
class PhoneCall:
    """A call that is over: how it was, by the words of `expect.summary` (docs/kit.md section 3), and its faults."""

    report: CallerReport = attrs.field(repr=False)
    script: Script = attrs.field(repr=False)
    summary: Mapping[str, object] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "summary", caller_numbers(self.report))

    @property
    def heard(self) -> tuple[str, ...]:
        """The bundled lines that the caller heard, in order."""
        found = self.summary["heard"]
        assert isinstance(found, list)
        return tuple(found)

    def faults(
        self, *, longest_silence_ms: float = JudgeLimits().silence_ms, barge_in_ms: float = JudgeLimits().barge_in_ms
    ) -> tuple[CallFault, ...]:
        """What the bridge did wrong, by name."""
        return tuple(caller_faults(self.report, self.script, JudgeLimits(barge_in_ms, longest_silence_ms)))

    def assert_good(
        self,
        *,
        but: Sequence[str] = (),
        longest_silence_ms: float = JudgeLimits().silence_ms,
        barge_in_ms: float = JudgeLimits().barge_in_ms,
    ) -> None:
        """AssertionError names the faults and tells the call. `but`: faults that are allowed."""
        found = self.faults(longest_silence_ms=longest_silence_ms, barge_in_ms=barge_in_ms)
        if faults := [each for each in found if each.kind not in but]:
            raise AssertionError(explained("the caller's side", faults, self.story()))

    def story(self) -> list[str]:
        """What happened, a line each, with the seconds."""
        return [*map(str, self.report.events), f"{steps_text(self.report, self.script)} were done"]

    def save(self, path: Path) -> Path:
        """What the caller heard, as a WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(self.report.heard_pcm(8000))
        return path


class PhoneSimulator:
    """Calls from a thread of its own while a `with` lasts. `calls` are those that are over.

    A script is YAML text, a path or a mapping (docs/kit.md section 2). `telephone`: how the telephone is
    (`{echo: {gain_db: -20}, dtx: true, rate_hz: 16000}`).
    """

    def __init__(self) -> None:
        self.calls: list[PhoneCall] = []
        self._thread = LoopThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._thread.close()

    def call(self, address: str, script: GivenScript, *, telephone: Mapping[str, Any] | None = None) -> PhoneCall:
        """A whole call: `HOST:PORT` over AudioSocket, `ws://HOST:PORT/PATH` over chan_websocket."""
        dial = _dial(address)
        return self._kept(self._thread.run(_played(dial, script, telephone), "await phone.call_async(...)"))

    async def call_async(
        self, address: str, script: GivenScript, *, telephone: Mapping[str, Any] | None = None
    ) -> PhoneCall:
        """The same in an async test."""
        return self._kept(await self._thread.run_async(_played(_dial(address), script, telephone)))

    def call_twilio(self, url: str, script: GivenScript, *, auth_token: str = "secret", **stream: str) -> PhoneCall:
        """A call as Twilio makes it. `ws://...`: the stream itself, `stream` are its parameters; `http://...`: the
        webhook, whose TwiML says where the stream is (extra 'twilio'). Signed with `auth_token`."""
        dial = _dial_twilio(url, auth_token, stream)
        return self._kept(self._thread.run(_played(dial, script, None), "await phone.call_twilio_async(...)"))

    async def call_twilio_async(
        self, url: str, script: GivenScript, *, auth_token: str = "secret", **stream: str
    ) -> PhoneCall:
        """The same in an async test."""
        dial = _dial_twilio(url, auth_token, stream)
        return self._kept(await self._thread.run_async(_played(dial, script, None)))

    def _kept(self, call: PhoneCall) -> PhoneCall:
        self.calls.append(call)
        return call


async def _played(dial: Dial, given: GivenScript, telephone: Mapping[str, Any] | None) -> PhoneCall:
    script, settings = read_script(given), load_telephone(telephone or {})
    return PhoneCall(await run_call(dial, script, settings, call_id=uuid.uuid4()), script)


def read_script(given: GivenScript) -> Script:
    """ValueError says what is wrong with it."""
    if isinstance(given, Path):
        return load_script(yaml.safe_load(given.read_text(encoding="utf-8")), given.parent)
    if isinstance(given, str) and "\n" not in given and given.endswith((".yaml", ".yml")):
        raise KitUseError(f"{given!r} is taken for YAML; a file is given as Path({given!r})")
    return load_script(yaml.safe_load(given) if isinstance(given, str) else given)


def _dial(address: str) -> Dial:
    if address.startswith(("ws://", "wss://")):
        return partial(dial_server, address, AsteriskChannel())
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise KitUseError(f"{address!r} is neither HOST:PORT (AudioSocket) nor ws://HOST:PORT/PATH (chan_websocket)")
    return partial(dial_audiosocket, host.strip("[]"), int(port))


def _dial_twilio(url: str, auth_token: str, stream: Mapping[str, str]) -> Dial:
    if url.startswith(("http://", "https://")):
        if stream:
            raise KitUseError("a webhook's TwiML says the parameters of the stream itself")
        if find_spec("httpx2") is None:
            raise KitUseError("to ask a webhook needs the extra 'twilio': pip install 'turnspec[kit,twilio]'")
        return partial(dial_twilio, TwilioNumber(auth_token=auth_token, webhook_url=url), None)
    if not url.startswith(("ws://", "wss://")):
        raise KitUseError(f"{url!r} is neither a stream (ws://...) nor a webhook (http://...)")
    parameters = "".join(f"<Parameter name={quoteattr(k)} value={quoteattr(v)}/>" for k, v in stream.items())
    twiml = f"<Response><Connect><Stream url={quoteattr(url)}>{parameters}</Stream></Connect></Response>"
    return partial(dial_twilio, TwilioNumber(auth_token=auth_token, twiml=twiml), None)
