"""The table of turns, the transcript, the tokens and the recording: what is in them, and that a browser draws them."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.audit.page import page, turns
from adapters.audit.prices import PricesError, bundled, load, said
from adapters.cli import main
from fsm.audit.report.report import LogReport, Usage
from tests.fsm.audit.bench import audited, untimed
from tests.fsm.audit.logbook import LogBook

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
USED: dict[str, Any] = {
    "total_tokens": 160, "input_tokens": 110, "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 60, "audio_tokens": 50, "cached_tokens": 30, "cached_tokens_details": {"text_tokens": 30},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}  # fmt: skip


def call() -> LogBook:
    """A greeting; an answer after 0.3 s; one after 2 s, cut by a caller whom nobody answers."""
    book = LogBook().greeted()
    for number, wait in enumerate((0.0, 1.7), 1):
        book.says().wait(wait + 0.001)
        kind = "conversation.item.input_audio_transcription.completed"
        book.server(kind, item_id=f"item_u{number:03d}", transcript=f"Question <b>{number}</b>")
        book.answer()
        name = f"resp_{book.responses:04d}"
        book.server("response.output_audio_transcript.done", response_id=name, transcript=f"Answer {number}")
        book.wait(0.5)
    name = book.begin()
    book.wait(0.1).item(name)
    book.audio(name, 3000)
    book.speech_started()
    book.done(name, "cancelled", "turn_detected")
    book.wait(3).server("rate_limits.updated", rate_limits=[])
    return book


def report() -> LogReport:
    rows = call().rows
    for row in rows:
        if row["event"]["type"] == "response.done":
            row["event"]["response"]["usage"] = USED
        if row["event"]["type"].startswith("session."):
            row["event"]["session"]["model"] = "gpt-realtime-2025-08-28"
    return audited(rows)


def test_each_turn_has_its_wait_its_overlap_and_its_silence() -> None:
    (timeline,) = report().timelines
    opening, first, second, third = timeline.rows
    assert (opening.number, opening.latency_ms) == (0, None)
    assert first.latency_ms == pytest.approx(301, abs=2)
    assert second.latency_ms == pytest.approx(2001, abs=2)
    assert second.dead_air_ms == pytest.approx(2001, abs=2)
    assert first.heard_ms == pytest.approx(1000, abs=60)
    assert (second.cut, third.cut, third.unanswered) == (True, False, True)
    assert third.talk_over_ms > 0


def test_the_waits_of_all_turns_are_ranked() -> None:
    shown = dict(turns.percentiles(report().timelines))
    assert shown == {"first audio p50": "301 ms", "first audio p95": "2.0 s", "first audio worst": "2.0 s"}
    assert turns.percentiles([]) == []


def test_without_times_no_wait_is_told() -> None:
    found = audited(untimed(call().rows))
    assert turns.percentiles(found.timelines) == []
    assert "Question" in page([found])


def test_what_was_said_stands_in_the_transcript_with_silence_to_scale() -> None:
    (timeline,) = report().timelines
    lines = list(turns.transcript(timeline))
    assert [(line.who, line.text[:8]) for line in lines] == [
        ("caller", "Question"), ("agent", "Answer 1"), ("caller", "Question"), ("agent", "Answer 2"),
    ]  # fmt: skip
    waits = [line.gap_px for line in lines]
    assert waits[1] == 0 and waits[3] == pytest.approx(12, abs=0.1)  # six pixels for each second
    text = page([report()])
    assert "Question &lt;b&gt;1&lt;/b&gt;" in text and "<b>1</b>" not in text


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_cost_what_the_table_says() -> None:
    usage = Usage()
    usage.add(USED)
    assert usage.tokens == {"text in": 30, "audio in": 50, "text out": 10, "audio out": 40}
    assert usage.cached["text in"] == 30
    cost = bundled().cost("gpt-realtime-2025-08-28", usage)
    assert cost == pytest.approx((30 * 4 + 50 * 32 + 10 * 16 + 40 * 64 + 30 * 0.4) / 1e6)
    mini = bundled().cost("gpt-realtime-mini-2025", usage)
    assert mini is not None and cost is not None and mini < cost
    assert bundled().cost("somebody-elses", usage) is None


def test_the_page_tells_tokens_and_cost() -> None:
    text = said(report().timelines, bundled())
    assert text.startswith("640 tokens of gpt-realtime-2025-08-28 (120 text in")
    assert "about $0.0" in text and text in page([report()])


@pytest.mark.parametrize("value", [None, "many", -5, float("inf"), 10**400, True, {"a": 1}])
def test_a_usage_of_nonsense_counts_nothing(value: object) -> None:
    usage = Usage()
    usage.add({"total_tokens": value, "input_token_details": {"text_tokens": value}, "output_token_details": value})
    assert usage.total == 0 and not any(usage.tokens.values())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "is not YAML"), ("a: 1", "`models:` is missing"), ("models: {m: 5}", "m: is not a mapping"),
        ("models: {m: {cakes: 1}}", "'cakes' is not one of"), ("models: {m: {text in: dear}}", "is not a price"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_prices_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(PricesError, match=says):
        load(path)


# --- the recording, the browser ---------------------------------------------------------------------------------------


def recorded(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000 * 30))
    return path


def test_a_recording_beside_the_log_is_heard_in_the_page(tmp_path: Path) -> None:
    log = tmp_path / "call.jsonl"
    log.write_text('{"type":"session.created","session":{"id":"x"}}\n')
    out = tmp_path / "page.html"
    assert CliRunner().invoke(main, ["audit", str(log), "--html", str(out)]).exit_code == 0
    assert "<audio" not in out.read_text()
    recorded(tmp_path / "call.wav")
    assert CliRunner().invoke(main, ["audit", str(log), "--html", str(out)]).exit_code == 0
    text = out.read_text()
    assert 'src="data:audio/wav;base64,UklGR' in text
    assert text.count("<script>") == 1 and "script-src &#39;sha256-" in text


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    log, wrong = tmp_path / "call.jsonl", tmp_path / "x.wav"
    log.write_text('{"type":"session.created","session":{"id":"x"}}\n')
    wrong.write_text("no sound")
    result = CliRunner().invoke(main, ["audit", str(log), "--html", str(tmp_path / "p"), "--recording", str(wrong)])
    assert result.exit_code == 2 and "is not a WAV file" in result.output


def browsed(folder: Path, text: str, width: int) -> str:
    """The page as a browser has it after loading; its title is what the page's own check has found."""
    file = folder / "page.html"
    check = (
        "<script>addEventListener('load',()=>{const b=[...document.querySelectorAll('main *')].filter(e=>!e.closest("
        "'.wide')&&e.getBoundingClientRect().right>innerWidth+1);document.title='wide:'+document.documentElement"
        ".scrollWidth+' beyond:'+b.length+' svg:'+document.querySelectorAll('svg').length;const a=document"
        ".querySelector('audio');if(a){const r=document.querySelectorAll('tr[data-at]')[1];r.click();document.title+="
        "' turn:'+(Math.abs(a.currentTime-r.dataset.at)<0.01);const s=document.querySelector('svg[data-from]');"
        "const x=s.getBoundingClientRect();s.dispatchEvent(new MouseEvent('click',{bubbles:true,clientX:x.left+x.width}"
        "));document.title+=' end:'+(Math.abs(a.currentTime-s.dataset.to)<0.01)}})</script>"
    )
    start = text.index('<meta http-equiv="Content-Security-Policy"')
    file.write_text(text[:start] + text[text.index(">", start) + 1 :].replace("</main>", f"</main>{check}"))
    assert CHROMIUM is not None
    found = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
         f"--window-size={width},1200", "--virtual-time-budget=3000", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return found.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: nobody has looked at the page (apt-get install chromium)")
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_draws_the_page_without_anything_beyond_its_edge(tmp_path: Path, width: int) -> None:
    dom = browsed(tmp_path, page([report()], recorded(tmp_path / "x.wav").read_bytes()), width)
    title = dom[dom.index("<title>") : dom.index("</title>")]
    assert "beyond:0" in title and "svg:0" not in title, title
    assert "turn:true" in title and "end:true" in title, title


@pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: nobody has looked at the page (apt-get install chromium)")
def test_no_script_of_a_log_runs_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    evil = "<script>document.title='RAN'</script><img src=x onerror=\"document.title='RAN'\">"
    rows = call().rows
    rows.append({"at": 99.0, "dir": "server", "event": {"type": "error", "error": {"code": evil, "message": evil}}})
    text = page([audited(rows)]).replace("</main>", f"{evil}</main>")  # as if the escaping had failed, too
    file.write_text(text)
    assert CHROMIUM is not None
    found = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=2000", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<title>turnspec audit</title>" in found.stdout
