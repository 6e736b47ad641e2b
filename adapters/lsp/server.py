"""The language server: editors' requests to the workbench, its answers back. Never here: what a spec means.

Texts are read in one thread, so that a long check never keeps the editor waiting; what is typed meanwhile makes the
answer stale, and it is thrown away. Whatever a text is, the server goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import TextDocument

from adapters.lsp.workbench import MOST_CHARACTERS, Desk, SpecWorkbench
from fsm.language.cursor import Spot, spot_at
from fsm.language.outline import keys
from fsm.language.problem import Place, Problem

QUIET_S: Final = 0.25
"""A check begins when nothing has been typed for so long."""
MOST_OPEN: Final = 200
MOST_SYMBOLS: Final = 5000
DEPTH: Final = 4
_WORD: Final = re.compile(r"[\w.*]+")
_KINDS: Final = {
    "event": lsp.CompletionItemKind.Event,
    "state": lsp.CompletionItemKind.Class,
    "effect": lsp.CompletionItemKind.Method,
    "action": lsp.CompletionItemKind.Function,
    "slot": lsp.CompletionItemKind.Variable,
    "context": lsp.CompletionItemKind.Variable,
    "value": lsp.CompletionItemKind.EnumMember,
    "key": lsp.CompletionItemKind.Property,
}
log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Asked = lsp.CompletionParams | lsp.HoverParams | lsp.DefinitionParams


class SpecServer(LanguageServer):
    """One editor's server."""

    def __init__(self) -> None:
        super().__init__("turnspec", version("turnspec"), text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental)
        self.bench = SpecWorkbench()
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="specs")
        self.changes = 0
        self.waiting: dict[Path, asyncio.Task[None]] = {}
        self.shown: dict[Path, set[str]] = {}
        """By spec: the files whose problems an editor shows."""

    # --- texts --------------------------------------------------------------------------------------------------------

    def opened(self, uri: str) -> None:
        """A text is open, or another one than it was."""
        path = path_of(uri)
        document = self.workspace.get_text_document(uri)
        if path is None or (str(path) not in self.bench.opened and len(self.bench.opened) >= MOST_OPEN):
            return
        self.changes += 1
        self.bench.opened[str(path)] = document.source[: MOST_CHARACTERS + 1]
        self._check_soon(path)

    def closed(self, uri: str) -> None:
        """A text is closed: what is wrong with a spec is shown as long as the spec is open, or somebody writes it."""
        path = path_of(uri)
        if path is not None and self.bench.opened.pop(str(path), None) is not None:
            self.changes += 1
            if (task := self.waiting.pop(path, None)) is not None:
                task.cancel()
            for shown in self.shown.pop(path, ()):
                self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(shown, []))

    def _check_soon(self, path: Path) -> None:
        if (task := self.waiting.get(path)) is not None:
            task.cancel()
        self.waiting[path] = asyncio.get_running_loop().create_task(self._check(path))

    async def _check(self, path: Path) -> None:
        await asyncio.sleep(QUIET_S)
        change = self.changes
        desk = await self.aside(lambda: self.bench.read(path))
        if desk is not None and change == self.changes:
            self._show(desk)
            checked = await self.aside(partial(self.bench.checked, desk))
            if checked is not None and change == self.changes:
                self._show(checked)
        if self.waiting.get(path) is asyncio.current_task():
            del self.waiting[path]

    async def aside(self, act: Callable[[], _T]) -> _T | None:
        """In the thread that reads texts; None where a text is too much for it, which is a mistake of ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.reader, act)
        except Exception as error:  # an editor's server goes on, whatever a text is
            log.error("a text could not be read", exc_info=error)
            return None

    def _show(self, desk: Desk) -> None:
        by_file: dict[str, list[Problem]] = {}
        for problem in desk.problems:
            by_file.setdefault(problem.place.file, []).append(problem)
        uris = {self._uri(desk, file): problems for file, problems in by_file.items()}
        for uri in (self.shown.get(desk.root, set()) | {from_fs_path(str(desk.root)) or ""}) - set(uris):
            uris[uri] = []
        self.shown[desk.root] = {uri for uri, problems in uris.items() if problems}
        for uri, problems in uris.items():
            found = [self._diagnostic(uri, problem) for problem in problems]
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found))

    def _uri(self, desk: Desk, file: str) -> str:
        return from_fs_path(str(desk.files.get(file, Path(file).absolute()))) or ""

    def _diagnostic(self, uri: str, problem: Problem) -> lsp.Diagnostic:
        trail = ("how it gets there:", *problem.trail) if problem.trail else ()
        text = "\n".join(part for part in (problem.message, problem.hint, *trail) if part)
        severity = lsp.DiagnosticSeverity.Warning if problem.severity == "warning" else lsp.DiagnosticSeverity.Error
        return lsp.Diagnostic(self.range_of(uri, problem.place), text, severity, problem.code, source="turnspec")

    def range_of(self, uri: str, place: Place) -> lsp.Range:
        """The word at a place, in the editor's units."""
        document = self.workspace.get_text_document(uri)
        line, column = max(place.line - 1, 0), max(place.column - 1, 0)
        lines: Sequence[str] = []
        with contextlib.suppress(OSError, UnicodeDecodeError):
            lines = document.lines
        word = _WORD.match(lines[line], column) if line < len(lines) else None
        return self.in_units(document, lines, line, column, word.end() if word is not None else column + 1)

    def in_units(self, document: TextDocument, lines: Sequence[str], line: int, start: int, end: int) -> lsp.Range:
        plain = lsp.Range(lsp.Position(line, start), lsp.Position(line, end))
        return document.position_codec.range_to_client_units(list(lines), plain) if line < len(lines) else plain

    # --- questions ----------------------------------------------------------------------------------------------------

    async def asked(self, params: _Asked, *, whole: bool = True) -> tuple[TextDocument, Spot, Desk] | None:
        """What is asked about: the text, the spot in it, and the spec that knows."""
        path = path_of(params.text_document.uri)
        if path is None or str(path) not in self.bench.opened:
            return None
        document = self.workspace.get_text_document(params.text_document.uri)
        position = document.position_codec.position_from_client_units(document.lines, params.position)
        spot = spot_at(document.source[:MOST_CHARACTERS], position.line, position.character, whole=whole)
        desk = await self.aside(lambda: self.bench.known(path))
        return (document, spot, desk) if desk is not None else None


def path_of(uri: str) -> Path | None:
    """The file of a URI; None for what is not a file."""
    path = to_fs_path(uri) if uri.startswith("file:") else None
    return Path(path).resolve() if path else None


def new_server() -> SpecServer:
    """A server with all that it can do, not yet started."""
    server = SpecServer()
    _follow_texts(server)
    _answer_questions(server)
    return server


def _follow_texts(server: SpecServer) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: lsp.DidOpenTextDocumentParams) -> None:
        server.opened(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: lsp.DidChangeTextDocumentParams) -> None:
        server.opened(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: lsp.DidCloseTextDocumentParams) -> None:
        server.closed(params.text_document.uri)


def _answer_questions(server: SpecServer) -> None:
    @server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[".", "(", "=", " "]))
    async def complete(params: lsp.CompletionParams) -> lsp.CompletionList:
        found = await server.asked(params, whole=False)
        return lsp.CompletionList(False, _items(server, params, *found) if found is not None else [])

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(params: lsp.HoverParams) -> lsp.Hover | None:
        found = await server.asked(params)
        if found is None:
            return None
        document, spot, desk = found
        text = desk.assistant.meaning(spot) if desk.assistant is not None else ""
        at = server.in_units(document, document.lines, params.position.line, spot.start, spot.end)
        return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), at) if text else None

    @server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
    async def define(params: lsp.DefinitionParams) -> lsp.Location | None:
        found = await server.asked(params)
        if found is None:
            return None
        _, spot, desk = found
        return _file_at(spot, desk) if spot.kind == "file" else _defined(server, spot, desk)

    @server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def outline(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        return _symbols(server, server.workspace.get_text_document(params.text_document.uri))


def _items(
    server: SpecServer, params: lsp.CompletionParams, document: TextDocument, spot: Spot, desk: Desk
) -> list[lsp.CompletionItem]:
    if desk.assistant is None:
        return []
    at = server.in_units(document, document.lines, params.position.line, spot.start, spot.end)
    return [
        lsp.CompletionItem(
            each.label, kind=_KINDS.get(each.what.split()[0]), detail=each.what, documentation=each.about or None,
            filter_text=each.label, text_edit=lsp.TextEdit(at, each.label),
        )
        for each in desk.assistant.proposals(spot)
    ]  # fmt: skip


def _file_at(spot: Spot, desk: Desk) -> lsp.Location | None:
    """The file that an `include:` names: the one of the spec's that ends so."""
    name = spot.word.removeprefix("./").removeprefix("../")
    for path in desk.files.values():
        if path.as_posix().endswith((f"/{name}", f"/{name}.yaml")):
            return lsp.Location(from_fs_path(str(path)) or "", lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0)))
    return None


def _defined(server: SpecServer, spot: Spot, desk: Desk) -> lsp.Location | None:
    place = desk.assistant.definition(spot) if desk.assistant is not None else None
    if place is None or place.file not in desk.files:
        return None
    uri = from_fs_path(str(desk.files[place.file])) or ""
    return lsp.Location(uri, server.range_of(uri, place))


def _symbols(server: SpecServer, document: TextDocument) -> list[lsp.DocumentSymbol]:
    """The outline: sections, what is named in them, the events that are answered."""
    found: list[lsp.DocumentSymbol] = []
    above: list[lsp.DocumentSymbol] = []
    lines = document.lines
    with contextlib.suppress(RecursionError):
        for key in list(keys(document.source[:MOST_CHARACTERS]))[:MOST_SYMBOLS]:
            if key.depth >= DEPTH or not key.name:
                continue
            del above[key.depth :]
            at = server.in_units(document, lines, key.line, key.column, key.column + len(key.name))
            kind = (lsp.SymbolKind.Namespace, lsp.SymbolKind.Class, lsp.SymbolKind.Property)[min(key.depth, 2)]
            symbol = lsp.DocumentSymbol(key.name, kind, at, at, children=[])
            siblings = above[-1].children if above else found
            assert isinstance(siblings, list)
            siblings.append(symbol)
            for outer in above:
                outer.range = lsp.Range(outer.range.start, at.end)
            above.append(symbol)
    return found
