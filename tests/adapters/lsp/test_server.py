"""The language server as an editor starts it: the real process, over stdin and stdout."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest_asyncio
from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

from adapters.specs import specs_folder

SERVER_VAD = (specs_folder() / "server_vad.yaml").read_text(encoding="utf-8")
PATIENCE_S = 120
"""Nothing is asserted of it: so long a lost answer is waited for."""


@attrs.define
class Editor:
    """A client that keeps what it is told, and texts that are open in it."""

    client: LanguageClient
    told: asyncio.Queue[lsp.PublishDiagnosticsParams]
    texts: dict[str, list[str]] = attrs.field(factory=dict)

    def open(self, path: Path, text: str) -> str:
        uri = path.as_uri()
        self.texts[uri] = text.split("\n")
        item = lsp.TextDocumentItem(uri, "yaml", 1, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def type(self, uri: str, text: str) -> None:
        self.texts[uri] = text.split("\n")
        version = lsp.VersionedTextDocumentIdentifier(2, uri)
        change = lsp.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(version, [change]))

    async def problems(self, uri: str, code: str) -> lsp.Diagnostic:
        """The first problem of a code that is reported in a file; "" waits until there is none."""
        while True:
            told = await asyncio.wait_for(self.told.get(), PATIENCE_S)
            found = [each for each in told.diagnostics if each.code == code]
            if told.uri == uri and (found or (not code and not told.diagnostics)):
                return found[0] if found else lsp.Diagnostic(lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0)), "")

    def at(self, uri: str, fragment: str, column: int = 0) -> tuple[lsp.TextDocumentIdentifier, lsp.Position]:
        lines = self.texts[uri]
        number = next(n for n, line in enumerate(lines) if fragment in line)
        before = lines[number][: lines[number].index(fragment) + column]
        units = len(before.encode("utf-16-le")) // 2
        return lsp.TextDocumentIdentifier(uri), lsp.Position(number, units)


@pytest_asyncio.fixture
async def editor() -> AsyncIterator[Editor]:
    client = LanguageClient("tests", "1")
    told: asyncio.Queue[lsp.PublishDiagnosticsParams] = asyncio.Queue()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)  # type: ignore[untyped-decorator]
    def note(params: lsp.PublishDiagnosticsParams) -> None:
        told.put_nowait(params)

    await client.start_io(sys.executable, "-m", "turnspec", "lsp", "--stdio")
    await client.initialize_async(lsp.InitializeParams(capabilities=lsp.ClientCapabilities()))
    client.initialized(lsp.InitializedParams())
    yield Editor(client, told)
    await asyncio.wait_for(client.shutdown_async(None), PATIENCE_S)
    client.exit(None)
    await asyncio.wait_for(client.stop(), PATIENCE_S)  # type: ignore[no-untyped-call]


async def test_problems_come_as_one_types_and_go(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "mine.yaml", SERVER_VAD.replace("to: user_speaking}", "to: user_speakin}", 1))
    problem = await editor.problems(uri, "unknown-name")
    assert "did you mean 'user_speaking'?" in problem.message and problem.source == "turnspec"
    line = SERVER_VAD.split("\n")[problem.range.start.line]
    assert line[problem.range.start.character :].startswith("user_speaking")
    editor.type(uri, SERVER_VAD)
    await editor.problems(uri, "")
    editor.type(uri, SERVER_VAD.replace("  waiting: create == sent or", "  waiting: create == sent or ["))
    await editor.problems(uri, "expression")
    editor.type(uri, SERVER_VAD + "\n  : {[\n\t")
    await editor.problems(uri, "yaml")
    editor.type(uri, SERVER_VAD)
    await editor.problems(uri, "")
    editor.type(uri, SERVER_VAD + "adds: {}\n")
    await editor.problems(uri, "unknown-key")
    identifier = lsp.TextDocumentIdentifier(uri)
    editor.client.text_document_did_close(lsp.DidCloseTextDocumentParams(identifier))
    await editor.problems(uri, "")


async def test_the_type_check_is_asked_too_and_says_how_it_gets_there(editor: Editor, tmp_path: Path) -> None:
    text = SERVER_VAD.replace("create == sent or auto == due or turn", "create == sent or turn")
    editor.open(tmp_path / "mine.yaml", text)
    part = specs_folder() / "parts" / "conversation" / "answers.yaml"
    problem = await editor.problems(part.as_uri(), "illegal-effect")
    assert "how it gets there:\n" in problem.message and "auto is due" in problem.message


async def test_a_part_is_checked_within_the_spec_that_includes_it(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    spec, part = tmp_path / "mine.yaml", tmp_path / "own" / "part.yaml"
    spec.write_text("spec: mine\nextends: server_vad\ninclude: [own/part.yaml]\n", encoding="utf-8")
    part.write_text("context: {}\n", encoding="utf-8")
    text = "# ä𝄞\ncontext: {news_of_mine: {values: [no, yes]}}\nactions: {mine: [news_of_mine = maybe]}\n"
    uri = editor.open(part, text)
    editor.type(uri, text + "groups: {live: {on: {caller.hung_upp: {do: [mine], to: closed}}}}\n")
    assert (await editor.problems(uri, "unknown-event")).range.start.line == 3
    editor.type(uri, text)
    target = await editor.client.text_document_definition_async(
        lsp.DefinitionParams(*editor.at(uri, "news_of_mine = maybe", 4))
    )
    assert isinstance(target, lsp.Location) and (target.uri, target.range.start.line) == (uri, 1)


async def test_completion_hover_definition_and_outline(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "mine.yaml", SERVER_VAD)
    client = editor.client
    row = "timer.answer_overdue: "
    hover = await client.text_document_hover_async(lsp.HoverParams(*editor.at(uri, row, 8)))
    assert hover is not None and isinstance(hover.contents, lsp.MarkupContent)
    assert "auto == due" in hover.contents.value and "goes on in configured" in hover.contents.value
    proposals = await client.text_document_completion_async(
        lsp.CompletionParams(*editor.at(uri, "while: auto == due", len("while: auto == ")))
    )
    assert isinstance(proposals, lsp.CompletionList)
    assert {each.label for each in proposals.items} == {"none", "due", "lost"}
    target = await client.text_document_definition_async(
        lsp.DefinitionParams(*editor.at(uri, "parts/conversation.yaml", 9))
    )
    assert isinstance(target, lsp.Location) and target.uri == (specs_folder() / "parts/conversation.yaml").as_uri()
    target = await client.text_document_definition_async(lsp.DefinitionParams(*editor.at(uri, "take_provider_debt", 3)))
    assert isinstance(target, lsp.Location) and target.uri == uri
    symbols = await client.text_document_document_symbol_async(
        lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(uri))
    )
    names = {each.name: each for each in symbols or () if isinstance(each, lsp.DocumentSymbol)}
    assert {"spec", "conditions", "states"} <= set(names)
    assert [each.name for each in names["states"].children or ()] == ["user_speaking"]


async def test_other_files_and_other_texts_are_left_alone(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "turnspec.yaml", "spec: server_vad\nprovider: {url: 'ws://x'}\nstates: 3\n")
    assert await editor.client.text_document_hover_async(lsp.HoverParams(*editor.at(uri, "provider"))) is None
    empty = editor.open(tmp_path / "empty.yaml", "")
    proposals = await editor.client.text_document_completion_async(
        lsp.CompletionParams(lsp.TextDocumentIdentifier(empty), lsp.Position(7, 3))
    )
    assert isinstance(proposals, lsp.CompletionList) and not proposals.items
    assert editor.told.empty()
