"""A Realtime provider for the tests of somebody's bridge: started, scripted, and asked afterwards what it saw."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from adapters.kit.certificates import MadeCertificate, made_on_demand
from adapters.kit.explained import explained
from adapters.kit.faults import CallFault, JudgeLimits
from adapters.kit.loop_thread import KitUseError, LoopThread
from adapters.kit.provider_judge import audited, provider_faults
from adapters.kit.wire_file import WireFile
from adapters.simulator.providers.realtime import (
    ProviderScenario,
    ProviderServer,
    ProviderSettings,
    SessionStats,
    load_scenario,
    parse_scenario,
)
from adapters.simulator.providers.realtime.provider_numbers import provider_numbers

SETTLE_S = 3.0
"""How long a bridge may take to close its sessions once the call is over."""
_POLL_S = 0.02
_TOLD = 400


class RealtimeSimulator:
    """A provider on this machine while a `with` lasts: `with RealtimeSimulator() as provider: provider.url`.

    It listens on its own thread. `scenario` is YAML text, a path or a mapping (docs/kit.md section 4); without one it
    answers sensibly. `tls`: wss://, with a certificate that clients of `ca_file` trust.
    """

    def __init__(
        self,
        scenario: str | Path | Mapping[str, Any] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        dialect: Literal["ga", "beta"] = "ga",
        api_keys: Sequence[str] = (),
        models: Sequence[str] = (),
        tls: bool = False,
    ) -> None:
        self._certificate: MadeCertificate | None = made_on_demand(host) if tls else None
        settings = ProviderSettings(dialect=dialect, api_keys=tuple(api_keys), models=tuple(models))
        serving = self._certificate.serving if self._certificate else None
        self._server = ProviderServer(settings, read_scenario(scenario), host, port, serving)
        self._thread: LoopThread | None = None

    def __enter__(self) -> Self:
        self._thread = LoopThread()
        try:
            self._thread.run(self._server.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every session, and the port is free. From any thread; a second time does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.run(self._server.close())
            thread.close()
        if self._certificate is not None:
            self._certificate.ca.unlink(missing_ok=True)

    def play(self, scenario: str | Path | Mapping[str, Any]) -> Self:
        """What connections from now on are played. ScenarioError says what is wrong with it."""
        self._server.scenario = read_scenario(scenario)
        return self

    @property
    def url(self) -> str:
        """ws://127.0.0.1:PORT/v1/realtime; a client adds `?model=`."""
        return self._server.url

    @property
    def base_url(self) -> str:
        """The same without `/realtime`, as SDKs want it."""
        return self.url.removesuffix("/realtime")

    @property
    def ca_file(self) -> Path | None:
        """With `tls`: what clients must trust."""
        return self._certificate.ca if self._certificate else None

    @property
    def summary(self) -> Mapping[str, object]:
        """Numbers of all sessions together, by the words of `expect.summary` (docs/kit.md section 3)."""
        return provider_numbers(self._settled())

    @property
    def received(self) -> tuple[Mapping[str, Any], ...]:
        """Every event of the clients in order, but the audio they appended."""
        return tuple(seen.event for each in self._settled() for seen in each.received)

    @property
    def sent(self) -> tuple[Mapping[str, Any], ...]:
        """Every event that was sent to clients, in order. Of audio its length (`audio_chars`)."""
        return tuple(seen.event for each in self._settled() for seen in each.sent)

    def faults(self, *, audit: bool = True, longest_silence_ms: float = 5_000.0) -> tuple[CallFault, ...]:
        """What clients did wrong, by name; with what `turnspec audit` finds in the wire."""
        stats = self._settled()
        found = provider_faults(stats, self._server.scenario)
        return (*found, *(audited(stats, longest_silence_ms) if audit and stats else ()))

    def assert_good(
        self, *, but: Sequence[str] = (), audit: bool = True, longest_silence_ms: float = JudgeLimits().silence_ms
    ) -> None:
        """AssertionError names the faults and tells the wire. `but`: faults that are allowed."""
        faults = [
            each for each in self.faults(audit=audit, longest_silence_ms=longest_silence_ms) if each.kind not in but
        ]
        if faults:
            raise AssertionError(explained("the provider's side", faults, self.story()))

    def story(self) -> list[str]:
        """The wire, an event a line (`<` from the client), without the deltas."""
        seen = [
            (one.at_s, each.connection, way, one.type)
            for each in self._settled()
            for way, events in (("<", each.received), (">", each.sent))
            for one in events
            if not one.type.endswith(".delta")
        ]
        seen.sort(key=lambda one: one[0])
        first_s = seen[0][0] if seen else 0.0
        return [f"{at_s - first_s:8.2f}  {number} {way} {what}" for at_s, number, way, what in seen][:_TOLD]

    def write_wire_log(self, path: Path) -> Path:
        """For `turnspec audit PATH`, or to be kept beside a test that failed."""
        with WireFile(path, self._thread.loop.time() if self._thread else 0.0) as file:
            file.write_new(self._server.stats)
        return path

    def _settled(self) -> list[SessionStats]:
        """Once the sessions have ended, or SETTLE_S have passed; at once where waiting would block a loop."""
        if self._thread is not None and not self._thread.would_block():
            self._thread.run(self._until_ended())
        return self._server.stats

    async def _until_ended(self) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + SETTLE_S
        while loop.time() < until_s and any(each.core.closing is None for each in self._server.sessions):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)


def read_scenario(given: str | Path | Mapping[str, Any] | None) -> ProviderScenario:
    """ScenarioError says what is wrong."""
    if given is None:
        return ProviderScenario()
    if isinstance(given, Path):
        return load_scenario(given)
    if isinstance(given, str) and "\n" not in given and given.endswith((".yaml", ".yml")):
        raise KitUseError(f"{given!r} is taken for YAML; a file is given as Path({given!r})")
    text = given if isinstance(given, str) else yaml.safe_dump(dict(given))
    return parse_scenario(text, Path("scenario"))
