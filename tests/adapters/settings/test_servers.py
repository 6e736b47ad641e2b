"""The table of servers: every row means something, the user may add to it, and no code knows a row by its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

from adapters.providers.realtime import realtime_server
from adapters.providers.realtime.endpoint import RealtimeEndpoint
from adapters.providers.realtime.realtime_server import COLUMNS, RealtimeServer
from adapters.settings.config import load_settings
from adapters.settings.servers import bundled_servers, server_at
from adapters.simulator.providers.realtime.likes import LikeError, _likes, row_like
from fsm.language.problem import SpecError

ROWS = bundled_servers()
ISSUE = (
    "openai", "azure", "azure_preview", "voice_live", "xai", "qwen", "stepfun", "glm", "localai", "speaches", "hf",
    "inworld",
)  # fmt: skip
ADAPTERS = Path(realtime_server.__file__).parents[2]
GENERIC = {"ga", "beta", "transcription"}
"""Rows that are called as a thing of the protocol is."""


def loaded(folder: Path, text: str) -> RealtimeServer:
    path = folder / "turnspec.yaml"
    path.write_text(text, encoding="utf-8")
    endpoint = load_settings(path, {"OPENAI_API_KEY": "sk-1"}).provider.endpoint
    assert isinstance(endpoint, RealtimeEndpoint)
    return endpoint.server


def problems(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        loaded(folder, text)
    return str(caught.value)


def test_the_rows_are_there_and_each_column_is_described() -> None:
    assert set(ISSUE) <= set(ROWS)
    assert set(COLUMNS) == set(attrs.fields_dict(RealtimeServer)) - {"name"}
    assert set(_likes()) <= {name for name, row in ROWS.items() if not row.refused}


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.matches and row.url])
def test_a_row_is_known_by_its_own_address(name: str) -> None:
    assert server_at(ROWS, urlsplit(ROWS[name].url)).name == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime", "qwen"),
        ("wss://ws1.cn-beijing.maas.aliyuncs.com/api-ws/v1/realtime", "qwen"),
        ("wss://r.openai.azure.com", "azure"), ("wss://r.openai.azure.com/?api-version=1", "azure_preview"),
        ("wss://r.cognitiveservices.azure.com/voice-live/realtime?api-version=2026-04-10", "voice_live"),
        ("ws://127.0.0.1:8000/v1/realtime", "ga"), ("wss://evil-api.openai.com.example/v1", "ga"),
        ("wss://notapi.x.ai/v1/realtime", "ga"), ("ws://gpu:8000/v1/realtime?intent=transcription", "transcription"),
        ("wss://integrate.api.nvidia.com/v1/realtime", "nvidia"),
    ],
)  # fmt: skip
def test_urls(url: str, name: str) -> None:
    assert server_at(ROWS, urlsplit(url)).name == name


def strings_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_code_knows_a_server_by_its_name() -> None:
    """`--provider openai` of the demo is a choice of its own."""
    known = {name for name in ROWS if name not in GENERIC}
    found = {
        f"{path.relative_to(ADAPTERS)}: {text}"
        for room in ("providers", "settings", "server", "call", "simulator")
        for path in (ADAPTERS / room).rglob("*.py")
        for text in strings_of(path)
        if text in known
    }
    assert found == set()


def test_rows_of_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").write_text("mine: {like: qwen, matches: ['gate(/.*)?'], metadata: refused}\n")
    row = loaded(tmp_path, "servers: rows.yaml\nprovider: {url: 'wss://gate/x'}\n")
    assert (row.name, row.metadata, row.tools, row.refused) == ("mine", "refused", "nested", "")
    own = loaded(tmp_path, "servers: {openai: {like: openai, metadata: not_echoed}}\nprovider: {server: openai}\n")
    assert own.metadata == "not_echoed" and own.needs_key


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("servers: {mine: {metdata: refused}}", "1:18: error[unknown-key]: 'metdata' is not a column of a server"),
        ("servers: {mine: {metadata: maybe}}", "1:28: error[unknown-name]"),
        ("servers: {mine: {matches: ['[']}}", "mine.matches: '[' is not a regular expression"),
        ("servers: {mine: {audio_in: {opus: x}}}", "mine.audio_in: 'opus' is not a format known here"),
        ("servers: {mine: {paths: {voize: x}}}", "'voize' is not a field of a session (did you mean 'voice'"),
        ("servers: {mine: {like: opnai}}", "did you mean 'openai'"),
        ("servers: nowhere.yaml", "1:10: error[no-file]"),
        ("provider: {server: qwen, format: pcmu, api_key: k}", "format: 'pcmu' is not one of pcm16_16k"),
        ("provider: {server: qwen, api_key: k, speed: 1.1}", "speed: Qwen-Omni-Realtime (Alibaba Cloud) refuses it"),
        ("provider: {server: xai, api_key: k, turn_detection: {type: semantic_vad}}", "voice has no semantic_vad"),
        ("provider: {turn_detection: {type: server_vad, idle_timeout_ms: 4000}}", "from 5000 to 30000"),
        ("provider: {server: glm, api_key: ''}", "'api_key' is empty"),
        ("provider: [{}, {model: m}]", "only the first provider has a default"),
        ("provider: [{}, {url: 'wss://api.x.ai'}]", "'api_key' is missing"),
        ("provider: []", "this list is empty"),
        ("provider: {mcp: [{server_label: x}]}", "mcp: 'x' needs a server_url or a connector_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place(tmp_path: Path, text: str, found: str) -> None:
    assert found in problems(tmp_path, text)


def test_what_has_no_effect_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "turnspec.yaml"
    path.write_text("provider: {include: [item.input_audio_transcription.logprobs], parallel_tool_calls: true}\n")
    warnings = [str(each) for each in load_settings(path, {"OPENAI_API_KEY": "sk-1"}).warnings]
    assert [each for each in warnings if "include has no effect: nothing is written down" in each]
    assert [each for each in warnings if "parallel_tool_calls has no effect: there are no tools" in each]


def test_a_fallback_has_the_words_of_the_first_and_keys_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "turnspec.yaml"
    path.write_text(
        "provider: [{instructions: Be kind., voice: marin}, {url: 'wss://api.x.ai', api_key: x, voice: eve}]\n"
        "agents: {night: {voice: cedar, instructions: Be brief.}}\n"
    )
    settings = load_settings(path, {"OPENAI_API_KEY": "sk-1"})
    first, second = settings.agents[0].providers
    assert (second.session.instructions, second.session.voice) == ("Be kind.", "eve")
    assert "sk-1" not in str(second.endpoint.headers) and "sk-1" in str(first.endpoint.headers)
    night = settings.agents[1].providers
    assert [each.session.voice for each in night] == ["cedar", "eve"]
    assert [each.session.instructions for each in night] == ["Be brief.", "Be brief."]


def test_a_row_can_be_played_as_it_could_be_otherwise() -> None:
    row = row_like("xai", ["metadata=refused", "begins=[conversation.created]"])
    assert (row.metadata, row.begins, row.paths) == ("refused", ("conversation.created",), ROWS["xai"].paths)
    for name, but, message in (
        ("xia", [], "did you mean 'xai'"), ("vllm", [], "no call can be held"),
        ("xai", ["metdata=x"], "is not a column"), ("xai", ["metadata=x"], "not known here"),
    ):  # fmt: skip
        with pytest.raises(LikeError, match=message):
            row_like(name, but)
