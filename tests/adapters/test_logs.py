"""Log lines: what they look like, that no secret is in one, and that nothing a caller of the logger does can raise."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from adapters import logs
from adapters.logs import LogSettings, Redactor, configure
from tests.adapters.providers.realtime.scripted_server import KEY, connected, scripted

SECRET = "plainsecret-without-a-pattern"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def configured(**settings: object) -> io.StringIO:
    stream = io.StringIO()
    configure(LogSettings(**settings), [SECRET], stream)  # type: ignore[arg-type]
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Revealing:
    def __repr__(self) -> str:
        return f"Revealing(api_key={SECRET}, other='sk-proj-0123456789')"


def test_a_line_is_json_with_its_call() -> None:
    stream = configured()
    log = structlog.get_logger("x").bind(call_id="c1")
    log.info("call_began", peer="10.0.0.1", n=3)
    log.debug("not at this level", peer=1)
    (line,) = lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "event", "call_id"]
    assert (line["level"], line["event"], line["call_id"], line["n"]) == ("info", "call_began", "c1", 3)


def test_the_call_is_known_to_all_that_its_task_logs() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(call_id="c2"):
        structlog.get_logger("tools").warning("tool_overdue")
    assert lines(stream)[0]["call_id"] == "c2"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_levels(level: str) -> None:
    stream = configured(level=level)
    log = structlog.get_logger()
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)(name)
    names = [line["event"] for line in lines(stream)]
    assert names == ["debug", "info", "warning", "error"][["debug", "info", "warning", "error"].index(level) :]


class Unlisted(dict[str, object]):
    def items(self) -> Any:
        raise RuntimeError("no items")


async def test_a_logger_has_all_names_of_structlogs_and_no_other() -> None:
    stream = configured(level="info")
    log = structlog.get_logger()
    await log.ainfo("said", n=1)
    await log.adebug("not at this level")
    log.msg("said", n=2)
    log.warn("said", n=Unlisted(a=1))
    with pytest.raises(AttributeError, match="a logger has no 'shout'"):
        log.bind().shout("said")
    assert [(line["level"], line["n"]) for line in lines(stream)] == [
        ("info", 1),
        ("info", 2),
        ("warning", "<not loggable: RuntimeError>"),
    ]


@pytest.mark.parametrize("kind", ["json", "console"])
@pytest.mark.parametrize("level", ["debug", "error"])
def test_no_key_and_no_value_makes_a_line_raise(kind: str, level: str) -> None:
    stream = configured(format=kind, level=level)
    failures = logs.lost.failures
    round_and_round: list[object] = []
    round_and_round.append(round_and_round)
    log = structlog.get_logger().bind(event="bound", level="bound")
    for name in ("debug", "info", "warning", "error", "exception", "critical"):
        method = getattr(log, name)
        method("said", event=1, level=2, self=3, method_name=4, timestamp=5, name=6)
        method("said", a=Hostile(), b=object(), c={1: Hostile()}, d=round_and_round, e=b"\0" * 9, f={2, 3}, g=10**40)
        method("said", h=float("nan"), i=float("inf"), j="\ud800", k="x" * 100_000, l=Exception("x"), m=range(10**9))
        method("said %s %d", "one")
        method("100 %", Hostile())
        method(Hostile())
        method()
        method(None, event=None)
    text = stream.getvalue()
    assert text.count("said") >= 8 and len(text) < 200_000
    if kind == "json":
        first, second, *_ = lines(stream)
        assert (first["event"], first["event_"], first["level_"], first["self"]) == ("said", 1, 2, 3)
        assert second["e"] == "<9 bytes>" and "no repr" not in text and "RuntimeError" in str(second["a"])
    assert logs.lost.failures == failures + (12 if level == "debug" else 6), "only what has no text at all is lost"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_process_without_a_stderr_logs_to_nobody(
    monkeypatch: pytest.MonkeyPatch, form: Literal["json", "console"]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    configure(LogSettings(format=form))
    structlog.get_logger("test").error("nobody_hears", exc_info=ValueError("x"))


def test_a_stream_that_is_gone_ends_nobody() -> None:
    stream = configured()
    stream.close()
    before = logs.lost.failures
    structlog.get_logger().error("said")
    assert logs.lost.failures == before + 1


@pytest.mark.parametrize("kind", ["json", "console"])
def test_no_secret_in_any_place_of_a_line(kind: str) -> None:
    stream = configured(format=kind)
    log = structlog.get_logger().bind(bound=f"x {SECRET} y")
    log.info(f"said {SECRET}", a=SECRET, b=[{"deep": (SECRET,)}], c={SECRET: 1}, d=Revealing(), e=SECRET.encode())
    log.info(
        "patterns", a="sk-proj-0123456789", b="Authorization: Bearer abc.def", c="ek_0123456789", d="?api-key=zzz9"
    )
    log.info("keys", a={"sk-proj-0123456789": 1}, b=[{"x": ["ek_0123456789"]}])
    log.info("names", api_key="zzz9", headers={"Authorization": "zzz9", "x": "zzz9"}, password="zzz9")
    try:
        raise ValueError(f"cannot connect with {SECRET}")
    except ValueError:
        log.exception("failed", key=SECRET)
    logging.getLogger("some.library").error("failed with %s", SECRET)
    text = stream.getvalue()
    assert "cannot connect with ***" in text and "some.library" in text
    for secret in (SECRET, "0123456789", "abc.def", "zzz9"):
        assert secret not in text


def test_libraries_log_through_us_and_never_their_headers() -> None:
    stream = configured(level="debug")
    websockets = logging.getLogger("websockets.client")
    websockets.setLevel(logging.DEBUG)  # as somebody in a tool's module may
    websockets.debug("> Authorization: Bearer abc")
    websockets.info("> Authorization: Bearer abc")
    logging.getLogger("asyncio").warning("slow: %s", "callback")
    logging.getLogger("any").error("bad %d", "format")
    logging.getLogger("any").info("chatter")
    found = lines(stream)
    assert [line["message"] for line in found] == ["slow: callback", "bad %d"]
    assert found[0]["logger"] == "asyncio"


async def test_a_connection_at_debug_prints_no_key() -> None:
    stream = configured(level="debug", wire=True)

    async def nothing(_: object) -> None:
        return

    logging.getLogger("adapters.providers.realtime.websockets").setLevel(logging.DEBUG)
    async with scripted(nothing) as endpoint, connected(endpoint):
        pass
    text = stream.getvalue()
    assert "provider_opened" in text
    assert KEY not in text and "uthorization" not in text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES)
def test_whatever_is_logged_becomes_plain_and_clean(value: object) -> None:
    line = Redactor([SECRET])(None, "info", {"event": "x", "value": value})
    assert SECRET not in json.dumps(line)
