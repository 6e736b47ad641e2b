"""A configuration file as values: defaults, the environment, dialects, turn detection joined with the spec."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.providers.realtime.endpoint import RealtimeEndpoint
from adapters.providers.realtime.provider import RealtimeProvider
from adapters.providers.realtime.realtime_server import GA
from adapters.providers.realtime.session import UNSET, SessionSettings, session_object
from adapters.settings import config as settings_config
from adapters.settings.config import Settings, load_settings
from adapters.settings.protocols import KEYS
from adapters.settings.reader import scalar
from adapters.specs import Texts, load_file, spec_path
from adapters.tools import ToolProcess
from fsm.language.loader import Loaded
from fsm.language.problem import SpecError

BUNDLED_SPEC = spec_path("server_vad")
KEY = "sk-proj-abcDEF123456789"
AZURE = "wss://r.openai.azure.com"
ENVIRONMENT = {"OPENAI_API_KEY": KEY}


@pytest.fixture(autouse=True)
def _specs_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundled spec is type-checked once a test process, not once a case."""
    monkeypatch.setattr(settings_config, "load_file", load_once)


LOADED: dict[tuple[Path, bytes], tuple[Loaded, tuple[str, ...]]] = {}


def load_once(path: Path, typestate: bool = True, on_disk: Texts | None = None) -> tuple[Loaded, tuple[str, ...]]:
    key = (path, path.read_bytes())
    if key not in LOADED:
        LOADED[key] = load_file(path, typestate, on_disk)
    return LOADED[key]


def loaded(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(textwrap.dedent(text))
    return load_settings(path, environment)


def session_of(settings: Settings) -> SessionSettings:
    assert isinstance(settings.provider, RealtimeProvider)
    return settings.provider.session


def test_an_all_but_empty_file_is_openai_with_the_default_spec(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "spec: server_vad")
    assert settings.spec.name == "server_vad"
    assert settings.provider.endpoint.url == "wss://api.openai.com/v1/realtime?model=gpt-realtime"
    assert settings.provider.endpoint.headers["Authorization"] == f"Bearer {KEY}"
    assert (settings.audiosocket.host, settings.audiosocket.port) == ("127.0.0.1", 9019)
    assert session_of(settings).turn_detection is UNSET
    assert settings.call.greeting is None
    assert settings.warnings == ()
    assert len(settings.spec_digest) == 16


def test_every_key(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """\
        spec: owned_turns
        listen: {audiosocket: "[::1]:9100", allow: [10.0.0.0/8, "::1"], rates: [16000, 8000], refuse: polite}
        provider:
          url: ws://127.0.0.1:8000/v1/realtime
          model: m
          api_key: secret-key-1
          server: beta
          voice: {id: voice_1}
          instructions: Be kind.
          format: pcm16
          turn_detection: {type: semantic_vad, eagerness: low}
          transcription: {model: whisper-1, language: de}
          noise_reduction: far_field
        audio: {half_duplex: true, min_speech_ms: 200}
        greeting: "  Hello.  "
        talk_key: "#"
        turns: {on_silent_answer: accept}
        tools:
          - {name: clock, function: "time:ctime", description: The time., deadline_s: 2.5}
        journal: {dir: journals}
        recording: {dir: /tmp}
        limits: {calls: 7, unidentified: 40, calls_per_peer: 5,
                 handshake_s: 1.5, hang_up_s: 4, mailbox_events: 64, caller_audio_kept_ms: 0,
                 silence_threshold_dbfs: -50, connect_s: 3, tool_threads: 2, shutdown_s: 0, silence_hold_ms: 900}
        log: {format: console, level: debug, wire: true}
        """,
    )
    call, provider, audiosocket = settings.call, settings.provider, settings.audiosocket
    assert (audiosocket.host, audiosocket.port, audiosocket.max_connections) == ("::1", 9100, 7)
    assert (audiosocket.max_unidentified, audiosocket.max_calls_per_peer) == (40, 5)
    assert (audiosocket.rates_hz, audiosocket.refuse) == ((8000, 16000), "polite")
    assert [str(each) for each in audiosocket.allowed_peers] == ["10.0.0.0/8", "::1/128"]
    assert (audiosocket.handshake_deadline_s, audiosocket.hang_up_deadline_s, call.limits.hang_up_s) == (1.5, 4.0, 7.0)
    assert isinstance(provider.endpoint, RealtimeEndpoint)
    assert provider.endpoint.dialect == "beta" and provider.endpoint.headers["OpenAI-Beta"] == "realtime=v1"
    assert provider.session.voice == {"id": "voice_1"} and provider.session.input_format == "pcm16"
    assert provider.session.turn_detection == {"type": "semantic_vad", "eagerness": "low", "create_response": False}
    assert provider.session.transcription == {"model": "whisper-1", "language": "de"}
    assert provider.session.noise_reduction == {"type": "far_field"}
    assert call.turns == {"on_silent_answer": "accept"}
    assert (call.greeting, call.talk_key, call.half_duplex) == ("Hello.", "#", True)
    assert call.limits.min_speech_ms == 200
    assert call.tools["clock"].deadline_s == 2.5 and len(provider.session.tools or ()) == 1
    assert (call.journal_dir, call.recording_dir) == (tmp_path / "journals", Path("/tmp"))
    assert (call.limits.mailbox_events, call.limits.caller_audio_kept_ms) == (64, 0)
    assert (call.limits.silence_threshold_dbfs, call.limits.silence_hold_ms) == (-50.0, 900)
    assert provider.limits.open_s == 3.0 and settings.spec.deadlines["connect_overdue"].after_ms == 3000
    assert (settings.tool_threads, settings.shutdown_s) == (2, 0.0)
    assert (settings.log.format, settings.log.level, settings.log.wire) == ("console", "debug", True)
    assert not (tmp_path / "journals").exists(), "reading a configuration makes nothing"


def test_how_long_a_connection_may_take_is_one_number(tmp_path: Path) -> None:
    """The deadline of the spec and that of the socket: the spec's own, or the operator's instead."""
    for text, ms in (("{}", 5000), ("limits: {connect_s: 0.25}", 250)):
        settings = loaded(tmp_path, text)
        assert settings.spec.deadlines["connect_overdue"].after_ms == ms
        assert settings.provider.limits.open_s * 1000 == ms
        unset = [each for each in settings.spec.deadlines.values() if each.setting is None]
        assert [each.after_ms for each in unset] == [
            each.after_ms for each in load_once(BUNDLED_SPEC)[0].spec.deadlines.values() if each.setting is None
        ]


def test_a_deadline_that_is_set_by_what_is_no_limit_of_deadlines_is_an_error_at_its_line(tmp_path: Path) -> None:
    for part in ("parts/conversation/session.yaml", "server_vad.yaml"):
        text = (BUNDLED_SPEC.parent / part).read_text().replace("setting: connect_s", "setting: conect_s")
        text = text.replace("vocabularies/", f"{BUNDLED_SPEC.parent}/vocabularies/")
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).write_text(text)
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, "spec: ./server_vad.yaml")
    (problem,) = caught.value.problems
    assert problem.place.file.endswith("parts/conversation/session.yaml") and problem.place.line > 1
    assert problem.message == "deadline 'connect_overdue' is set by limits.conect_s, which is not a limit of deadlines"
    assert "connect_s" in problem.hint


def test_the_environment_in_every_value_and_as_defaults(tmp_path: Path) -> None:
    text = """\
    provider:
      instructions: "${WHO} says $${WHO} costs $5; ${EMPTY:-nothing}, ${NONE:-}."
      turn_detection:
        silence_duration_ms: ${T}
      transcription: {model: "${T}"}
    limits: {calls: "${CALLS}"}
    tools: [{name: "${TOOL:-clock}", function: "time:${F}"}]
    """
    environment = {
        "WHO": "Ann", "EMPTY": "", "T": "500", "CALLS": "3", "F": "ctime", "OPENAI_API_KEY": KEY,
        "OPENAI_MODEL": "gpt-x", "OPENAI_VOICE": "cedar", "OPENAI_REALTIME_BASE_URL": "wss://proxy.example/v1",
        "OPENAI_SYSTEM_PROMPT": "unused",
    }  # fmt: skip
    settings = loaded(tmp_path, text, environment)
    session = session_of(settings)
    assert session.instructions == "Ann says ${WHO} costs $5; nothing, ."
    assert session.turn_detection == {"type": "server_vad", "silence_duration_ms": 500}
    assert session.transcription == {"model": "500"}
    assert settings.audiosocket.max_connections == 3
    assert list(settings.call.tools) == ["clock"]
    assert settings.provider.endpoint.url == "wss://proxy.example/v1?model=gpt-x"
    assert session.voice == "cedar"
    assert loaded(tmp_path, "spec: server_vad", environment).provider.session.instructions == "unused"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("Null", None), ("true", True), ("FALSE", False), ("yes", "yes"), ("on", "on"),
        ("0", 0), ("-7", -7), ("+7", 7), ("007", 7), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("1:30", "1:30"),
        ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015), ("1.", 1.0), (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e", "1e"), ("9" * 30, 1e30), ("2026-01-01", "2026-01-01"), ("0b1", "0b1"), ("nul", "nul"),
    ],
)  # fmt: skip
def test_plain_scalars_are_read_by_yaml_1_2(text: str, value: object) -> None:
    found = scalar(text)
    assert found == value and type(found) is type(value)


def test_quoted_scalars_stay_texts_in_free_forms(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """\
        tools:
          - name: order
            function: builtins:dict
            parameters:
              type: object
              properties:
                number: {enum: ["1", 1, "true", true, null, "null", 1.5, yes], minimum: 0x10}
                note:
                  description: |
                    42
        """,
    )
    parameters = settings.call.tools["order"].parameters
    properties = parameters["properties"]
    assert isinstance(properties, dict)
    assert properties["number"] == {"enum": ["1", 1, "true", True, None, "null", 1.5, "yes"], "minimum": 16}
    assert properties["note"] == {"description": "42\n"}


@pytest.mark.parametrize(
    ("provider", "url", "dialect", "header"),
    [
        (f"{{url: '{AZURE}', model: d}}", f"{AZURE}/openai/v1/realtime?model=d", "ga", "api-key"),
        (f"{{url: '{AZURE}/openai/v1/realtime?model=d'}}", f"{AZURE}/openai/v1/realtime?model=d", "ga", "api-key"),
        (f"{{url: '{AZURE}/openai/realtime?api-version=v9&deployment=d'}}",
         f"{AZURE}/openai/realtime?api-version=v9&deployment=d", "beta", "api-key"),
        (f"{{url: '{AZURE}', server: azure_preview, model: d}}",
         f"{AZURE}/openai/realtime?api-version=2025-04-01-preview&deployment=d", "beta", "api-key"),
        ("{url: 'wss://gate.example/x', server: azure, model: d}", "wss://gate.example/x?model=d", "ga", "api-key"),
        (f"{{url: '{AZURE}', server: ga, model: d}}", f"{AZURE}?model=d", "ga", "Authorization"),
        ("{url: 'wss://x.example/v1?model=in-url'}", "wss://x.example/v1?model=in-url", "ga", "Authorization"),
        ("{url: 'ws://localhost:1/', api_key: }", "ws://localhost:1/?model=gpt-realtime", "ga", ""),
    ],
)  # fmt: skip
def test_dialects_and_urls(tmp_path: Path, provider: str, url: str, dialect: str, header: str) -> None:
    endpoint = loaded(tmp_path, f"provider: {provider}").provider.endpoint
    assert isinstance(endpoint, RealtimeEndpoint)
    assert (endpoint.url, endpoint.dialect) == (url, dialect)
    assert set(endpoint.headers) == ({header} if header else set())


@pytest.mark.parametrize(
    ("spec", "said", "sent"),
    [
        ("server_vad", "", "nothing"),
        ("server_vad", "turn_detection: {threshold: 0.4}", {"type": "server_vad", "threshold": 0.4}),
        ("server_vad", "turn_detection: {}", "nothing"),
        ("server_vad", "turn_detection: {idle_timeout_ms: 5000}", {"type": "server_vad", "idle_timeout_ms": 5000}),
        ("owned_turns", "", {"type": "server_vad", "create_response": False}),
        ("owned_turns", "turn_detection: {type: semantic_vad, create_response: false}",
         {"type": "semantic_vad", "create_response": False}),
        ("owned_turns", "turn_detection: {idle_timeout_ms: null}",
         {"type": "server_vad", "idle_timeout_ms": None, "create_response": False}),
        ("guarded_turns", "turn_detection: {threshold: 0.6}",
         {"type": "server_vad", "threshold": 0.6, "create_response": False, "interrupt_response": False}),
        ("push_to_talk", "", None),
        ("push_to_talk", "turn_detection: none", None),
        ("push_to_talk", "turn_detection: null", None),
        ("push_to_talk", "turn_detection: {type: none}", None),
    ],
)  # fmt: skip
def test_turn_detection_is_what_the_operator_says_and_the_spec_needs(
    tmp_path: Path, spec: str, said: str, sent: object
) -> None:
    settings = loaded(tmp_path, f"spec: {spec}\nprovider:\n  voice: alloy\n  {said}\n")
    assert isinstance(settings.provider.endpoint, RealtimeEndpoint)
    session = session_object(session_of(settings), settings.provider.endpoint.server)
    audio = session["audio"]
    assert isinstance(audio, dict)
    assert audio["input"].get("turn_detection", "nothing") == sent


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("listen: {audiosocket: '0.0.0.0:9019'}", "1:23", "open-port"),
        ("provider: {url: 'ws://model.example/v1'}", "1:17", "clear-text"),
        ("provider:\n  turn_detection: {type: azure_semantic_vad}", "2:26", "unknown-name"),
        ("provider:\n  turn_detection: {silence_duration_ms: 3000}", "1:1", "short-hold"),
        ("provider:\n  transcription: {model: m, diarize: true}", "2:29", "unknown-name"),
        ("limits: {silence_hold_ms: 500}\nprovider:\n  turn_detection: {silence_duration_ms: 500}", "1:27",
         "short-hold"),
    ],
)  # fmt: skip
def test_what_works_and_is_seldom_meant_is_a_warning(tmp_path: Path, text: str, place: str, code: str) -> None:
    warnings = loaded(tmp_path, text).warnings
    assert [(f"{each.place.line}:{each.place.column}", each.code) for each in warnings] == [(place, code)]
    assert "warning[" in str(warnings[0])


def test_a_spec_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    bundled = Path(__file__).resolve().parents[3] / "specs" / "owned_turns.yaml"
    (tmp_path / "mine.yaml").write_text(bundled.read_text().replace("spec: owned_turns", "spec: mine"))
    first = loaded(tmp_path, "spec: mine.yaml")
    assert first.spec.name == "mine"
    (tmp_path / "mine.yaml").write_text(bundled.read_text().replace("spec: owned_turns", "spec: mine2"))
    assert loaded(tmp_path, "spec: ./mine.yaml").spec_digest != first.spec_digest


def test_tools_lie_beside_the_file_and_their_names_reach_the_session(tmp_path: Path) -> None:
    (tmp_path / "shop_of_test_settings.py").write_text("async def find(order, colour='red'): return order\n")
    settings = loaded(
        tmp_path,
        """\
        tools:
          - name: find
            function: shop_of_test_settings:find
            parameters: {type: object, properties: {order: {type: string}}, required: [order]}
        """,
    )
    definitions = settings.provider.session.tools
    assert definitions is not None
    assert definitions[0]["name"] == "find" and definitions[0]["type"] == "function"


def test_a_tool_may_have_a_process_with_some_of_our_environment(tmp_path: Path) -> None:
    text = """\
        tools:
          - {name: t, function: "time:${F}", process: true, environment: [SHOP_KEY]}
          - {name: u, function: time:time}
        limits: {tool_processes: 3}
        """
    settings = loaded(tmp_path, text, {"OPENAI_API_KEY": KEY, "SHOP_KEY": "hush", "F": "ctime"})
    assert settings.call.tools["t"].process == ToolProcess("time:ctime", ("SHOP_KEY",))
    assert settings.call.tools["u"].process is None and settings.tool_processes == 3


def test_trying_the_folders_leaves_nothing_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old.jsonl").write_text("{}")
    loaded(tmp_path, "journal: {dir: kept}\nrecording: {dir: a/b/c}")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["kept", "old.jsonl", "turnspec.yaml"]


def test_printing_settings_shows_no_secret(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "provider: {api_key: '${MY_KEY}'}", {"MY_KEY": "hush-hush-hush"})
    assert settings.secrets == ("hush-hush-hush",)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("", UNSET), ("noise_reduction: none", None), ("noise_reduction: near_field", {"type": "near_field"})],
)
def test_noise_reduction_is_sent_only_where_it_is_set(tmp_path: Path, line: str, wanted: object) -> None:
    settings = loaded(tmp_path, f"provider:\n  model: m\n  {line}\n", {"OPENAI_API_KEY": KEY})
    assert session_of(settings).noise_reduction == wanted


def test_more_of_the_session_goes_where_the_dialect_has_it(tmp_path: Path) -> None:
    more = (
        "provider:\n  speed: 1.1\n  max_output_tokens: inf\n  reasoning: low\n  parallel_tool_calls: false\n"
        "  truncation: {type: retention_ratio, retention_ratio: 0.8}\n  prompt: {id: pmpt_1}\n  include: [a.b]\n"
        "  tracing: auto\n  extra: {audio: {input: {x: 1}}, y: [2]}\n"
    )
    sent = session_object(session_of(loaded(tmp_path, more)), GA)
    wanted = {
        "max_output_tokens": "inf", "reasoning": {"effort": "low"}, "parallel_tool_calls": False,
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.8}, "prompt": {"id": "pmpt_1"},
        "include": ["a.b"], "tracing": "auto", "y": [2],
    }  # fmt: skip
    assert {key: sent[key] for key in wanted} == wanted
    audio = sent["audio"]
    assert isinstance(audio, dict) and audio["output"]["speed"] == 1.1
    assert audio["input"]["x"] == 1 and audio["input"]["format"] == {"type": "audio/pcmu"}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_the_environment_is_a_secret_whoever_asks_for_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "turnspec.yaml"
    path.write_text("spec: server_vad\nprovider: {api_key: another}\n", encoding="utf-8")
    assert "of-the-environment" in load_settings(path, {name: "of-the-environment"}).secrets
