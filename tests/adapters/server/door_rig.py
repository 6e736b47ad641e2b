"""A door over real sockets, with an inside that is told what to say; and whatever an HTTP client may not do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import attrs
import httpx2

from adapters.server.door.door import Door
from adapters.server.inside import (
    Announced,
    Announcement,
    CallInside,
    CallOutcome,
    Degraded,
    LiveCall,
    NotReady,
    ReloadVerdict,
    RequestForm,
    RequestVerdict,
)
from adapters.settings.http import HttpSettings

TOKEN = "t0ken-0123456789abcdef"
ID = "11111111-2222-3333-4444-555555555555"


def live(call_id: str = ID) -> LiveCall:
    return LiveCall(
        id=call_id, agent="sales", state="responding", age_s=12.5, state_age_s=1.25, caller_id="+4930", dialled="100"
    )


@attrs.define
class Told:
    """An `Inside` of plain values; it keeps what was asked."""

    reasons: list[NotReady] = attrs.field(factory=list)
    live: dict[str, CallInside] = attrs.field(factory=dict)
    outcomes: dict[str, CallOutcome] = attrs.field(factory=dict)
    verdict: RequestVerdict = attrs.field(factory=RequestVerdict)
    worse: list[Degraded] = attrs.field(factory=list)
    elsewhere: dict[str, str] = attrs.field(factory=dict)
    announced: Announced = attrs.field(factory=lambda: Announced(120.0))
    asked: list[Any] = attrs.field(factory=list)
    fails: bool = False
    wait: asyncio.Event | None = None
    reload_verdict: ReloadVerdict | None = None

    async def not_ready(self) -> Sequence[NotReady]:
        if self.wait is not None:
            await self.wait.wait()
        return self.reasons

    def degraded(self) -> Sequence[Degraded]:
        return self.worse

    async def calls(self, after: str, at_most: int) -> tuple[Sequence[LiveCall], int]:
        if self.fails:
            raise RuntimeError("sk-secret0123456789 is broken")
        ids = sorted(call_id for call_id in self.live if call_id > after)
        return [self.live[each].call for each in ids[:at_most]], len(ids[at_most:])

    async def call(self, call_id: str) -> CallInside | None:
        return self.live.get(call_id)

    async def holder(self, call_id: str) -> str:
        return self.elsewhere.get(call_id, "")

    async def announce(self, announcement: Announcement) -> Announced:
        self.asked.append(announcement)
        return self.announced

    async def request(self, call_id: str, name: str, data: Mapping[str, object]) -> RequestVerdict:
        self.asked.append((call_id, name, data))
        return self.verdict

    async def result(self, call_id: str) -> CallOutcome | None:
        return self.outcomes.get(call_id)

    async def measured(self) -> bytes:
        return b"# TYPE turnspec_calls_live gauge\nturnspec_calls_live 1.0"

    async def reload(self) -> ReloadVerdict:
        assert self.reload_verdict is not None
        return self.reload_verdict

    def reloaded(self) -> ReloadVerdict | None:
        return self.reload_verdict

    def requests(self) -> Sequence[RequestForm]:
        fields = {"text": "text", "urgent": "flag"}
        return [RequestForm("application.say_requested", fields, frozenset({"urgent"}))]  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def open_door(inside: Told | None = None, **settings: Any) -> AsyncIterator[tuple[Door, httpx2.AsyncClient]]:
    """The door, and a client that has its token."""
    made = HttpSettings(port=0, **{"token": TOKEN, "requests_per_s": 10_000.0, **settings})
    door = Door(made, inside or Told())
    await door.open()
    headers = {"authorization": f"Bearer {made.token}"} if made.token else {}
    scheme = "http" if made.tls is None else "https"
    base = f"{scheme}://127.0.0.1:{door.addresses[0][1]}"
    async with httpx2.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
        try:
            yield door, client
        finally:
            await client.aclose()
            await door.close(1.0)


async def raw(door: Door, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.addresses[0][1])
    writer.write(sent)
    return reader, writer
