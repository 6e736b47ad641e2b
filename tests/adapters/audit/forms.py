"""The same call as different programs log it: collectors, SDKs in debug mode, print and console.log. Never a check."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby

from tests.fsm.audit.logbook import Row

_FIRST = datetime(2026, 10, 21, 10, 0, tzinfo=UTC)


def stamp(row: Row) -> datetime:
    return _FIRST + timedelta(seconds=row["at"])


def iso(row: Row) -> str:
    return stamp(row).isoformat(timespec="microseconds")


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def arrows(row: Row) -> str:
    return "-->" if row["dir"] == "client" else "<--"


def text(rows: list[Row]) -> str:
    return "".join(f"{iso(r)} DEBUG realtime {arrows(r)} {json.dumps(r['event'])}\n" for r in rows)


def many_a_line(rows: list[Row]) -> str:
    """Events that came together share a line."""
    together = [list(group) for _, group in groupby(rows, key=lambda row: row["at"])]
    return "".join(f"{iso(g[0])} wire " + " ".join(json.dumps(r["event"]) for r in g) + "\n" for g in together)


def docker(rows: list[Row]) -> str:
    """A container's output: each line in an object, events printed over several lines."""
    made = []
    for row in rows:
        printed = f"{arrows(row)} event {json.dumps(row['event'], indent=2)}"
        made += [{"log": line + "\n", "stream": "stdout", "time": iso(row)} for line in printed.split("\n")]
    return "".join(json.dumps(line) + "\n" for line in made)


def cloud(rows: list[Row]) -> str:
    """A collector's entries: an object in an object, a text with words before the event."""
    made = [
        {"timestamp": iso(r), "severity": "DEBUG", "jsonPayload": {"direction": "sent", "wire": r["event"]}}
        if r["dir"] == "client"
        else {"timestamp": iso(r), "textPayload": f"DEBUG realtime: received {json.dumps(r['event'])}"}
        for r in rows
    ]
    return "".join(json.dumps(entry) + "\n" for entry in made)


def journald(rows: list[Row]) -> str:
    made = [
        {"__REALTIME_TIMESTAMP": str(int(stamp(r).timestamp() * 1e6)), "PRIORITY": "7", "timestamp": iso(r),
         "MESSAGE": f"{arrows(r)} {json.dumps(r['event'])}"} for r in rows
    ]  # fmt: skip
    return "".join(json.dumps(entry) + "\n" for entry in made)


def har(rows: list[Row]) -> str:
    """What a browser exports: everything in one object, messages as texts."""
    messages = [
        {"type": "send" if r["dir"] == "client" else "receive", "time": stamp(r).timestamp(), "opcode": 1,
         "data": json.dumps(r["event"])} for r in rows
    ]  # fmt: skip
    entry = {"request": {"method": "GET", "url": "wss://example/v1/realtime"}, "_webSocketMessages": messages}
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector"}, "entries": [entry]}}, indent=2)


def one_object(rows: list[Row]) -> str:
    return json.dumps({"call": "abc", "meta": {"took": 12}, "events": rows})


def one_array(rows: list[Row]) -> str:
    return json.dumps(rows)


def logfmt(rows: list[Row]) -> str:
    return "".join(
        f"ts={iso(r)} level=debug dir={r['dir']} payload={json.dumps(json.dumps(r['event']))}\n" for r in rows
    )


def table(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["time", "direction", "event"])
    for row in rows:
        writer.writerow([iso(row), row["dir"], json.dumps(row["event"])])
    return out.getvalue()


def pydantic(rows: list[Row]) -> str:
    """`print(event)` of the SDK's own types; what is sent is printed as a dict."""
    made = []
    for row in rows:
        event = row["event"]
        printed = repr(event) if row["dir"] == "client" else _printed(event["type"], event)
        made.append(f"{iso(row)} {'sent' if row['dir'] == 'client' else 'received'} {printed}\n")
    return "".join(made)


def _printed(name: str, value: object) -> str:
    if isinstance(value, dict):
        title = "".join(part.capitalize() for part in name.replace("_", ".").split("."))
        return f"{title}({', '.join(f'{k}={_printed(k, v)}' for k, v in value.items())})"
    if isinstance(value, list):
        return f"[{', '.join(_printed(name, v) for v in value)}]"
    return repr(value)


def node(rows: list[Row]) -> str:
    """`console.log(event.type, event)`."""
    return "".join(f"[{iso(r)}] {arrows(r)} {r['event']['type']} {_inspected(r['event'], 0)}\n" for r in rows)


def _inspected(value: object, depth: int) -> str:
    """As util.inspect prints it: bare keys, three levels, long texts in pieces."""
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        if depth > 2:
            return "[Object]"
        pairs = [f"{k}: {_inspected(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inner + pair for pair in pairs) + f"\n{outer}}}" if pairs else "{}"
    if isinstance(value, list):
        if depth > 2:
            return "[Array]"
        return "[ " + ", ".join(_inspected(v, depth + 1) for v in value) + " ]" if value else "[]"
    if isinstance(value, str):
        quote = '"' if "'" in value else "'"
        pieces = [value[i : i + 70] for i in range(0, len(value), 70)] or [""]
        return f" +\n{inner}".join(f"{quote}{piece}{quote}" for piece in pieces)
    return {None: "null", True: "true", False: "false"}.get(value, str(value))  # type: ignore[call-overload, no-any-return]


def relative_ms(rows: list[Row]) -> str:
    """Milliseconds since the begin, under a name that does not say so."""
    return "".join(json.dumps({"t": int(r["at"] * 1000), "event": r["event"]}) + "\n" for r in rows)


def performance_now(rows: list[Row]) -> str:
    return "".join(json.dumps({"ts": r["at"] * 1000 + 0.3000000715, "data": r["event"]}) + "\n" for r in rows)


FORMS: Mapping[str, Callable[[list[Row]], str]] = {
    made.__name__: made
    for made in (
        lines, text, many_a_line, docker, cloud, journald, har, one_object, one_array, logfmt, table, pydantic, node,
        relative_ms, performance_now,
    )
}  # fmt: skip


# --- and what has become of it ----------------------------------------------------------------------------------------


def websockets_debug(rows: list[Row]) -> str:
    """The library's own debug output: long frames lose their middle."""
    made = []
    for row in rows:
        frame = repr(json.dumps(row["event"]))
        if len(frame) > 75:
            frame = f"{frame[:48]}...{frame[-24:]}"
        arrow = ">" if row["dir"] == "client" else "<"
        made.append(f"{iso(row)} DEBUG websockets.client {arrow} TEXT {frame} [{len(frame)} bytes]\n")
    return "".join(made)


def cut(made: str, at: int) -> str:
    """A collector that keeps the first so many characters of a line."""
    return "".join(line[:at] + "\n" for line in made.splitlines())


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def with_bom(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


def broken_utf8(data: bytes) -> bytes:
    """A byte that is no UTF-8 in every text."""
    return data.replace(b"Of course", b"Of c\xff\xfeourse").replace(b"Greet", b"Gr\xe9et").replace(b"degrees", b"\xb0")


DAMAGES: Mapping[str, Callable[[bytes], bytes]] = {
    "crlf": crlf, "bom": with_bom, "utf-16": utf16, "broken utf-8": broken_utf8,
}  # fmt: skip
