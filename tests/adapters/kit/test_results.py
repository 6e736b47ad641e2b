"""What a run leaves: JUnit's XML, the wire as a file that the audit reads, certificates."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from adapters.audit.run import auditor
from adapters.kit.certificates import CertificateError, made_on_demand, of_files
from adapters.kit.faults import CALLER_FAULTS, CallFault
from adapters.kit.junit import write_junit
from adapters.kit.wire_file import WireFile
from adapters.simulator.providers.realtime import Seen, SessionStats
from fsm.audit.conversation import AuditOptions

CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
DELTA = {"type": "response.output_audio.delta", "response_id": "resp_1", "item_id": "i", "audio_chars": 4000}


def test_junit_has_a_case_for_each_fault_and_a_failure_for_each_that_counts(tmp_path: Path) -> None:
    faults = [CallFault("dropped", "why\x00", 1000.0), CallFault("dropped", "again"), CallFault("dead-air", "long")]
    write_junit(tmp_path / "x.xml", "a suite", CALLER_FAULTS, faults, {"dropped"}, 1.25)
    [suite] = ElementTree.parse(tmp_path / "x.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == (str(len(CALLER_FAULTS)), "1", "1.250")
    cases = {case.get("name"): case for case in suite}
    failure = cases["dropped"].find("failure")
    assert failure is not None and failure.text == "dropped: 1.00 s: why?\ndropped: again"
    assert cases["dead-air"].find("failure") is None and cases["dead-air"].findtext("system-out") == "dead-air: long"
    assert list(cases["call-died"]) == []


def test_the_wire_log_is_what_the_audit_reads(tmp_path: Path) -> None:
    stats = SessionStats(1)
    path = tmp_path / "wire.jsonl"
    with WireFile(path, 5.0) as file:
        stats.sent.append(Seen(5.2, "response.created", CREATED))
        file.write_new([stats])
        stats.received.append(Seen(5.1, "response.create", {"type": "response.create"}))
        stats.sent.append(Seen(5.3, "response.output_audio.delta", DELTA))
        file.write_new([stats])
        file.write_new([stats])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["direction"], line["event"]["type"]) for line in lines] == [
        ("in", "response.created"), ("out", "response.create"), ("in", "response.output_audio.delta"),
    ]  # fmt: skip
    assert lines[2]["event"]["delta"] == {"audio_bytes": 3000} and "audio_chars" not in lines[2]["event"]
    assert lines[0]["time"].endswith("Z")
    report = auditor(None, AuditOptions()).audit(str(path))
    assert (report.figures.creates, report.figures.responses, report.figures.skipped) == (1, 1, 0)
    assert report.timed


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(CertificateError, match=r"extra 'kit': pip install 'turnspec\[kit\]'"):
        made_on_demand("127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "bridge.test"])
async def test_a_certificate_on_demand_is_trusted_by_who_trusts_its_authority(host: str, tmp_path: Path) -> None:
    made = made_on_demand(host, tmp_path / "ca.pem")
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=made.serving)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trusting = ssl.create_default_context(cafile=str(made.ca))
        name = "127.0.0.1" if host == "0.0.0.0" else host
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
        assert await reader.read() == b""
        writer.close()


def test_the_authority_gets_a_file_of_its_own_where_nobody_names_one() -> None:
    made = made_on_demand("127.0.0.1")
    try:
        assert "BEGIN CERTIFICATE" in made.ca.read_text()
    finally:
        made.ca.unlink()


def test_files_that_are_no_certificate_are_said(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(CertificateError, match=r"x\.pem"):
        of_files(tmp_path / "x.pem", tmp_path / "x.pem")
    with pytest.raises(CertificateError, match="No such file"):
        of_files(tmp_path / "y.pem", tmp_path / "x.pem")
