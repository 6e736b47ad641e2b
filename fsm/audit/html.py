"""The report as one self-contained page: no script, no network, light and printable. Pure text; never a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from fsm.audit import svg, words
from fsm.audit.report import Group, LogReport, Timeline

_STYLE = """
:root{--ink:#1d2733;--soft:#5b6776;--line:#e1e6ec;--bad:#d1342f;--note:#8a6d1f;--card:#fff;--page:#f6f8fa}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1200px;margin:0 auto;padding:28px 24px 60px}h1{font-size:26px;margin:0 0 4px}
h2{font-size:19px;margin:34px 0 4px;overflow-wrap:anywhere}h3{font-size:16.5px;margin:0}
.verdict{font-size:16px;color:var(--soft);margin:0 0 18px}.verdict b{color:var(--bad)}
.verdict b.good{color:#22804d}.sub{color:var(--soft);margin:0 0 12px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px;margin:14px 0}
.finding{border-left:5px solid var(--bad)}.head{display:flex;flex-wrap:wrap;gap:10px;align-items:baseline}
.head .id{font-family:ui-monospace,monospace;font-size:12.5px;color:var(--soft)}
.count{background:#fdecea;color:var(--bad);border-radius:99px;padding:1px 10px;font-size:13px;font-weight:600;
white-space:nowrap}
.why{color:var(--soft);margin:4px 0 10px}ul{margin:6px 0;padding-left:20px}li{margin:3px 0}
code,.mono{font:12.5px/1.45 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
code{background:#eef1f5;border-radius:4px;padding:1px 5px;overflow-wrap:anywhere}
.evidence{list-style:none;padding-left:4px;margin:2px 0 6px}
.evidence code{background:none;color:var(--soft);padding:0}
.two{display:grid;grid-template-columns:1fr 1fr;gap:18px}
@media(max-width:820px){.two{grid-template-columns:1fr}}
h4.call{margin:14px 0 0;font-size:14px;overflow-wrap:anywhere}
.two h4{margin:8px 0 4px;font-size:13px;text-transform:uppercase;letter-spacing:.04em;color:var(--soft)}
.wide{overflow-x:auto}svg{display:block;width:100%;min-width:760px;height:auto;margin:8px 0}
svg text{font:11px system-ui,"DejaVu Sans",sans-serif}.lane{text-anchor:end;fill:#5b6776;font-weight:600}
.tick{text-anchor:middle;fill:#8793a1}.grid{stroke:#edf0f4}.here{stroke:#d1342f;stroke-dasharray:4 3}
.bar{text-anchor:middle}.light{fill:#fff}.dark{fill:#333}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;color:var(--soft);font-weight:600;border-bottom:2px solid var(--line);padding:4px 8px}
td{border-bottom:1px solid var(--line);padding:3px 8px;vertical-align:top;overflow-wrap:anywhere}
td.n{white-space:nowrap;color:var(--soft)}tr.bad td{color:var(--bad)}tr.here td{background:#fff5f4}
td.ours{background:#f3f8f5}summary{cursor:pointer;color:var(--soft);margin-top:8px}.notes li{margin:5px 0}
.legend{color:var(--soft);font-size:12.5px;margin:0}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin:0 4px 0 12px;vertical-align:-1px}
"""
_OPEN = 4  # timelines of calls that are shown at once
_LEGEND = (
    ("#4f8ef7", "caller speaks"), ("#35a86b", "agent is heard"), ("#8b7fd6", "response of the provider's own"),
    ("#c08a2c", "response asked for, create"), ("#2f7ed8", "what plays is cut"), ("#a0559b", "tool"),
    ("#d1342f", "rejected, finding"),
    ("#a9c8fb", "turnspec: user_speaking"), ("#f6d596", "response_pending"), ("#c3bbef", "responding"),
    ("#a5dcc0", "playing_out"), ("#e6b9da", "tool_call"), ("#d9dfe8", "configured"),
)  # fmt: skip


def page(reports: Sequence[LogReport]) -> str:
    """The whole page."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>turnspec audit</title><style>{_STYLE}</style></head><body><main>\n"
        + "\n".join(_body(reports))
        + "\n</main></body></html>\n"
    )


def _body(reports: Sequence[LogReport]) -> Iterator[str]:
    good = ' class="good"' if all(r.is_clean for r in reports) else ""
    yield f'<h1>Audit of Realtime calls</h1><p class="verdict"><b{good}>{escape(words.verdict(reports))}</b></p>'
    if len(reports) > 1:
        yield '<div class="card wide"><table><tr><th>log</th><th>findings</th><th>notes</th><th>what</th></tr>'
        for number, report in enumerate(reports, 1):
            what = ", ".join(dict.fromkeys(g.rule.title for g in report.findings)) or "clean"
            yield (
                f'<tr><td><a href="#log{number}">{escape(report.file)}</a></td><td>{len(report.findings)}</td>'
                f"<td>{len(report.notes)}</td><td>{escape(what)}</td></tr>"
            )
        yield "</table></div>"
    for number, report in enumerate(reports, 1):
        yield from _log(number, report)


def _log(number: int, report: LogReport) -> Iterator[str]:
    yield f'<h2 id="log{number}">{escape(report.file)}</h2><p class="sub">{escape(words.heading(report))}</p>'
    yield f'<div class="card"><p style="margin:0">{escape(words.figures(report))}</p>'
    yield from (f'<p class="sub" style="margin:2px 0 0">{escape(caveat)}</p>' for caveat in words.caveats(report))
    yield from _timelines(report)
    legend = "".join(f'<i style="background:{colour}"></i>{escape(text)}' for colour, text in _LEGEND)
    yield f'<p class="legend">{legend}</p></div>'
    for index, group in enumerate(report.findings, 1):
        yield from _finding(index, group, report)
    if report.notes:
        yield '<div class="card"><h3>Notes</h3><p class="why">Unwise or new, without harm in this log.</p>'
        yield '<ul class="notes">'
        for group in report.notes:
            seen = ", ".join(f"<code>{escape(e.where)}</code>" for e in group.first.evidence[:3])
            often = f" ({group.count} times)" if group.count > 1 else ""
            yield f"<li>{escape(group.first.text)}{often}: {seen} <code>{group.rule.id}</code></li>"
        yield "</ul></div>"


def _timelines(report: LogReport) -> Iterator[str]:
    """One for each call, the first few at once."""
    for timeline in report.timelines[:_OPEN]:
        yield from _timeline(timeline, len(report.timelines) > 1)
    rest = report.timelines[_OPEN:]
    if rest:
        yield f"<details><summary>{words.counted(len(rest), 'more call')}</summary>"
        for timeline in rest:
            yield from _timeline(timeline, True)
        yield "</details>"
    if report.undrawn:
        yield f'<p class="sub">{words.counted(report.undrawn, "more call")} not drawn.</p>'


def _timeline(timeline: Timeline, is_named: bool) -> Iterator[str]:
    lanes = timeline.lanes
    if is_named:
        yield f'<h4 class="call">{escape(f"Call {timeline.name}" if timeline.name else "The first call")}</h4>'
    yield f'<div class="wide">{svg.timeline(lanes, svg.whole(lanes))}</div>'
    if lanes.dropped:
        yield f'<p class="sub">{words.counted(lanes.dropped, "more thing")} not drawn.</p>'


def _finding(number: int, group: Group, report: LogReport) -> Iterator[str]:
    when = words.times(group)
    count = f'<span class="count">{escape(when)}</span>' if when else ""
    yield (
        f'<div class="card finding"><div class="head"><h3>{number}. {escape(group.rule.title)}</h3>{count}'
        f'<span class="id">{group.rule.id}</span></div><p class="why">{escape(group.rule.why)}</p>'
    )
    here = group.lanes.first_found.get(group.name) if group.lanes is not None else None
    if group.lanes is not None and here is not None:
        window = svg.around(group.lanes, here)
        yield f'<div class="wide">{svg.timeline(group.lanes, window, here)}</div>'
    yield '<div class="two"><div><h4>In the log</h4><ul>'
    for case in group.cases:
        lines = "".join(f"<li><code>{escape(words.evidence(found))}</code></li>" for found in case.evidence[:6])
        yield f'<li>{escape(words.case(case, report))}<ul class="evidence">{lines}</ul></li>'
    yield f"</ul></div><div><h4>turnspec ({escape(report.spec)})</h4><p>It {escape(group.rule.instead)}</p><ul>"
    for forbids in group.forbids:
        quote = f"<br><code>{escape(forbids.quote)}</code>" if forbids.quote else ""
        yield f"<li><code>{escape(forbids.where)}</code> {escape(forbids.says)}{quote}</li>"
    yield "</ul></div></div>"
    yield from _scene(group, report)
    yield "</div>"


def _scene(group: Group, report: LogReport) -> Iterator[str]:
    if group.scene is None or not group.scene.beats:
        return
    yield "<details open><summary>Side by side, around the first time</summary><div class=wide><table><tr><th>time</th>"
    yield (
        "<th>line</th><th>provider and caller</th><th>their client</th>"
        f"<th>turnspec ({escape(report.spec)}), fed the same</th></tr>"
    )
    for row in words.side_by_side(group.scene, report.timed):
        kind = " ".join(name for name, is_so in (("bad", row.bad), ("here", row.here)) if is_so)
        yield (
            f'<tr class="{kind}"><td class="n">{row.at}</td><td class="n">{row.line}</td><td>{escape(row.came)}</td>'
            f'<td>{escape(row.sent)}</td><td class="ours">{escape(row.turnspec)}</td></tr>'
        )
    yield "</table></div></details>"
