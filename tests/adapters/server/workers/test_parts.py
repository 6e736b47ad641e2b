"""What a supervisor and its workers are made of, each alone: the link, the handover, the store, the backoff."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest

from adapters.lines.refusal import CallRefusal
from adapters.server.inside import Announced, Announcement
from adapters.server.store import CallClaim
from adapters.server.workers import link as link_module
from adapters.server.workers.backoff import FIRST_S, LASTED_S, MOST_S, Backoff
from adapters.server.workers.handover import HandoverReceiver, hand_over, pair
from adapters.server.workers.link import Link, LinkError, Said
from adapters.server.workers.shared_store import ANY, HELD_S, AskedStore, SharedStore
from adapters.server.workers.worker_process import SETTLES_S, WorkerProcess

pytestmark = pytest.mark.virtual_time


@attrs.define
class LinkEnd:
    """One end, and what it has heard."""

    told: list[tuple[str, Said]] = attrs.field(factory=list)
    answer: Callable[[str, Said], Any] = lambda what, said: [what, said]

    def hears(self, what: str, said: Said) -> None:
        if what == "raise":
            raise RuntimeError(what)
        self.told.append((what, said))

    async def answers(self, what: str, said: Said) -> object:
        if what == "wait":
            await asyncio.sleep(3600.0)
        if what == "raise":
            raise RuntimeError("broken")
        return self.answer(what, said)


@pytest.fixture
async def linked() -> AsyncIterator[tuple[Link, Link, LinkEnd]]:
    """Ours, theirs, and what theirs has heard."""
    ends = socket.socketpair()
    other = LinkEnd()
    ours, theirs = Link(LinkEnd().hears, LinkEnd().answers), Link(other.hears, other.answers)
    await ours.open(ends[0])
    await theirs.open(ends[1])
    yield ours, theirs, other
    ours.close()
    theirs.close()
    await asyncio.gather(ours.over.wait(), theirs.over.wait())


async def test_what_is_told_and_asked_comes_in_order_and_is_answered(linked: tuple[Link, Link, LinkEnd]) -> None:
    ours, theirs, other = linked
    ours.tell("first", text="ä" * 100_000)
    ours.tell("raise")
    assert await ours.ask("what", 1.0, n=1) == ["what", {"n": 1}]
    assert await asyncio.gather(*(theirs.ask(str(n), 1.0) for n in range(5))) == [[str(n), {}] for n in range(5)]
    assert [what for what, _ in other.told] == ["first"], "one that cannot be taken ends nothing"


async def test_without_an_answer_there_is_an_error_that_says_why(linked: tuple[Link, Link, LinkEnd]) -> None:
    ours, theirs, _ = linked
    with pytest.raises(LinkError, match="no answer to 'wait' within 2 s"):
        await ours.ask("wait", 2.0)
    with pytest.raises(LinkError, match="RuntimeError: broken"):
        await ours.ask("raise", 2.0)
    waiting = asyncio.create_task(ours.ask("wait", 60.0))
    await asyncio.sleep(0.1)
    theirs.close()
    with pytest.raises(LinkError, match="gone"):
        await waiting
    with pytest.raises(LinkError, match="gone"):
        await ours.ask("what", 1.0)
    ours.tell("nobody hears it")


@pytest.mark.parametrize(
    "sent", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x01[", b"\x00\x00\x00\x0212"]
)
async def test_what_is_no_message_of_ours_ends_the_link(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    link = Link(LinkEnd().hears, LinkEnd().answers)
    await link.open(ours)
    theirs.sendall(sent)
    await asyncio.wait_for(link.over.wait(), 5.0)
    theirs.close()


async def test_one_who_does_not_read_loses_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "UNSENT_MAX_BYTES", 1_000_000)
    ours, theirs = socket.socketpair()
    link = Link(LinkEnd().hears, LinkEnd().answers)
    await link.open(ours)
    link.tell("much", text="x" * 3_000_000)
    await asyncio.wait_for(link.over.wait(), 5.0)
    theirs.close()


# --- the handover -----------------------------------------------------------------------------------------------------


async def connection() -> tuple[socket.socket, socket.socket]:
    """Accepted, and its peer's end."""
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    return ours, theirs


async def test_a_connection_is_handed_over_with_its_line_and_nothing_is_read_from_it() -> None:
    gives, takes = pair()
    handed: list[tuple[str, socket.socket, tuple[str, int]]] = []
    taken: list[int] = []
    busy = [True]
    receiver = HandoverReceiver(takes, lambda *each: handed.append(each), taken.append, lambda: busy[0])
    receiver.start()
    ours, theirs = await connection()
    theirs.sendall(b"hello")
    assert hand_over(gives, "twilio", ours) and ours.fileno() == -1
    await asyncio.sleep(0.05)
    assert handed == [] and taken == [], "who is busy lets it wait"
    busy[0] = False
    await asyncio.sleep(0.05)
    ((line, sock, peer),) = handed
    assert (line, sock.recv(5), peer, taken) == ("twilio", b"hello", theirs.getsockname(), [1])
    gone, other = await connection()
    other.close()
    receiver._begin("twilio", socket.socket())  # one whose peer is not known any more
    assert len(handed) == 1
    for each in (sock, theirs, gone):
        each.close()
    gives.close()
    await asyncio.sleep(0.05)
    receiver.close()


async def test_who_takes_none_or_is_gone_is_given_none() -> None:
    gives, takes = pair()
    ours, theirs = await connection()
    handed, more = 0, ours.dup()
    while handed < 10_000 and hand_over(gives, "audiosocket", more):
        handed, more = handed + 1, ours.dup()
    assert 0 < handed < 10_000, "its queue has an end"
    takes.close()
    assert not hand_over(gives, "audiosocket", ours)
    for each in (ours, theirs, gives, more):
        each.close()


# --- the store --------------------------------------------------------------------------------------------------------


def shared(most: int = 10, most_of_peer: int | None = None) -> SharedStore:
    return SharedStore(lambda: asyncio.get_running_loop().time(), most, most_of_peer)


async def test_a_call_is_claimed_once_and_counted_once() -> None:
    store = shared(most=2)
    await store.kept.announce(Announcement(id="a", caller_id="1"))
    first = await store.claim(1, "a", "p")
    assert first.refusal is None and first.announcement == Announcement(id="a", caller_id="1")
    assert (await store.claim(2, "a", "p")).refusal is CallRefusal.LIVE_CALL
    assert (await store.claim(2, "b", "p")).refusal is None
    assert (await store.claim(2, "c", "p")).refusal is CallRefusal.LIMIT
    assert (store.worker_of("a"), store.calls_of(2), store.count_of(2), len(store)) == (1, ["b"], 1, 2)
    assert store.lose(2) == ["b"] and store.worker_of("b") is None and store.count_of(2) == 0
    again = await store.claim(1, "a", "p")
    assert again.refusal is None, "the worker's own lines know that the last one is over"
    store.release_of(1, "a", first.ticket)
    assert store.worker_of("a") == 1, "a late word about the last one"
    store.release_of(2, "a", ANY)
    assert store.worker_of("a") == 1, "or of somebody who has it not"
    store.release_of(1, "a", ANY)
    assert store.worker_of("a") is None and len(store) == 0


async def test_a_dialplan_that_tries_again_at_once_waits_for_its_last_call_to_be_released() -> None:
    store = shared()
    first = await store.claim(1, "a", "p")
    again = asyncio.create_task(store.claim(2, "a", "p"))
    await asyncio.sleep(HELD_S / 2)
    store.release("a", first.ticket)
    assert (await again).refusal is None and store.worker_of("a") == 2
    two = [asyncio.create_task(store.claim(number, "a", "p")) for number in (3, 4)]
    await asyncio.sleep(HELD_S / 2)
    store.release("a", (await again).ticket)
    assert [(await each).refusal for each in two] == [None, CallRefusal.LIVE_CALL]


async def test_one_address_has_so_many_calls_in_all_workers() -> None:
    store = shared(most_of_peer=1)
    first = await store.claim(1, "a", "p")
    assert (await store.claim(2, "b", "p")).refusal is CallRefusal.CALLS_PER_PEER
    assert (await store.claim(2, "c", "q")).refusal is None
    store.release("a", first.ticket)
    assert (await store.claim(2, "b", "p")).refusal is None


async def test_a_worker_asks_and_without_an_answer_a_call_is_not_taken(linked: tuple[Link, Link, LinkEnd]) -> None:
    ours, theirs, other = linked
    store = AskedStore(ours)
    kept = {"word": "completed", "values": {"a": "b"}, "until_s": 1.0}
    told = {"id": "a", "agent": "x", "caller_id": "", "dialled": "", "variables": {}}
    answers = {
        "claim": {"refusal": "limit", "announcement": told, "ticket": 7},
        "ended": True,
        "announce": {"lifetime_s": 120.0},
    }
    other.answer = lambda what, _said: answers.get(what, kept)
    assert await store.claim("a", "p") == CallClaim(CallRefusal.LIMIT, Announcement(id="a", agent="x"), 7)
    await store.keep_result("a", "completed", {})
    assert await store.announce(Announcement(id="a")) == Announced(120.0)
    found = await store.result("a")
    assert found is not None and (found.word, found.values) == ("completed", {"a": "b"})
    answers["result"] = None
    assert await store.result("b") is None
    store.release("a", CallClaim(ticket=7))
    store.refuse("b", "drain")
    await asyncio.sleep(0.05)
    assert other.told == [("release", {"id": "a", "ticket": 7}), ("refused", {"id": "b", "reason": "drain"})]
    theirs.close()
    await ours.over.wait()
    assert (await store.claim("c", "p")).refusal is CallRefusal.BUSY
    await store.keep_result("a", "completed", {})
    assert (await store.announce(Announcement(id="a"))).why == "full" and await store.result("a") is None


# --- who is next ------------------------------------------------------------------------------------------------------


def test_a_pause_doubles_to_a_bound_and_is_forgotten_after_a_while() -> None:
    backoff = Backoff()
    backoff.began(0.0)
    pauses = [backoff.failed(1.0) for _ in range(9)]
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S] and pauses[-1] == MOST_S
    backoff.began(10.0)
    assert backoff.failed(10.0 + LASTED_S) == FIRST_S


async def test_a_worker_has_to_do_what_it_was_given_until_it_is_known_to_be_a_call_or_none() -> None:
    worker = WorkerProcess(1, 0, None)  # type: ignore[arg-type]
    worker._handed.extend([None] * 3)
    assert worker.load(0.0, calls=2) == 5
    worker.has_taken(2, 0.0)
    worker.has_claimed()
    assert worker.load(0.0, calls=3) == 5
    assert worker.load(SETTLES_S, calls=3) == 4, "the second one was none"
    worker.has_claimed()
    assert worker.load(SETTLES_S, calls=4) == 4
    ours, theirs = socket.socketpair()
    assert worker.pid == 0 and not worker.hand_over("audiosocket", ours, 1)
    ours.close()
    theirs.close()
    worker.kill()
