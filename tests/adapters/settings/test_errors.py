"""What is wrong with a configuration: each kind with its exact place, all at once, and never a secret in it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.settings import config as settings_config
from adapters.settings.config import load_settings
from fsm.language.problem import Problem, SpecError
from tests.adapters.settings.test_config import load_once
from tests.fsm.language import mini

KEY = "sk-proj-abcDEF123456789"
ENVIRONMENT = {"OPENAI_API_KEY": KEY}


@pytest.fixture(autouse=True)
def _specs_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundled spec is type-checked once a test process, not once a case."""
    monkeypatch.setattr(settings_config, "load_file", load_once)


def problems(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> list[Problem]:
    path = folder / "turnspec.yaml"
    path.write_text(textwrap.dedent(text))
    with pytest.raises(SpecError) as caught:
        load_settings(path, environment)
    return [each for each in caught.value.problems if each.severity == "error"]


TOOL = "tools:\n  - name: t\n    function: {}\n    parameters: {}\n"

CASES = [
    ("provider:\n  turn_detection: {treshold: 0.5}", "2:20", "unknown-key", "did you mean 'threshold'"),
    ("provider:\n  turn_detection: {threshold: 9}",
     "2:31", "type", "provider.turn_detection.threshold: '9' is not a number from 0 to 1"),
    ("provider:\n  turn_detection: {type: semantic_vad, eagerness: hi}",
     "2:51", "unknown-name", "did you mean 'high'?"),
    # the file itself
    ("a: ]", "1:4", "yaml", "not YAML"),
    ("provider: {api_key: ${X}}", "1:22", "yaml", "write \"${NAME}\" in quotes"),
    ("talk_key: *", "1:12", "yaml", "put the value in quotes"),
    ("", "1:1", "empty", "the file is empty"),
    ("- spec", "1:1", "type", "a configuration is a mapping"),
    ("spec: server_vad\nspec: owned_turns", "2:1", "duplicate-key", "'spec' is written twice"),
    ("provider:\n  voice: a\n  voice: b", "3:3", "duplicate-key", "'voice' is written twice"),
    (TOOL.format("time:ctime", "{type: object, type: object}"), "4:32", "duplicate-key", "'type' is written twice"),
    # unknown keys
    ("provder: {}", "1:1", "unknown-key", "did you mean 'provider'?"),
    ("provider:\n  api-key: x", "2:3", "unknown-key", "did you mean 'api_key'?"),
    ("listen: {adiosocket: x}", "1:10", "unknown-key", "did you mean 'audiosocket'?"),
    ("limits: {callz: 3}", "1:10", "unknown-key", "did you mean 'calls'?"),
    ("log: {wires: true}", "1:7", "unknown-key", "did you mean 'wire'?"),
    ("listen: {rates: []}", "1:17", "missing", "listen.rates: a call has some rate"),
    ("listen: {rates: [8000, 44100]}", "1:24", "value", "a call can have one of 8000, 16000, 24000 Hz"),
    ("listen: {rates: 8000}", "1:17", "type", "listen.rates: a list is expected here"),
    ("listen: {refuse: politely}", "1:18", "unknown-name", "did you mean 'polite'?"),
    ("limits: {unidentified: 5}", "1:24", "type", "'5' is not a whole number from 32 to 100000"),
    ("limits: {calls_per_peer: 0}", "1:26", "type", "'0' is not a whole number"),
    ("journal: {folder: x}", "1:11", "unknown-key", "known: dir"),
    ("tools: [{name: a, function: 'time:ctime', deadline: 3}]", "1:43", "unknown-key", "did you mean 'deadline_s'?"),
    # types
    ("provider: 3", "1:11", "type", "a mapping is expected here"),
    ("tools: {}", "1:8", "type", "tools: a list is expected here, this is a mapping"),
    ("tools: [x]", "1:9", "type", "a mapping is expected here"),
    ("greeting: [a]", "1:11", "type", "greeting: a text is expected here, this is a list"),
    ("limits: {calls: many}", "1:17", "type", "'many' is not a whole number from 1 to 100000"),
    ("limits: {calls: 0}", "1:17", "type", "'0' is not a whole number"),
    ("limits: {calls: 1.5}", "1:17", "type", "'1.5' is not a whole number"),
    ("limits: {calls: true}", "1:17", "type", "'true' is not a whole number"),
    ("limits: {handshake_s: soon}", "1:23", "type", "'soon' is not a number from 0.1 to 60"),
    ("limits: {handshake_s: .inf}", "1:23", "type", "'.inf' is not a number"),
    ("limits: {calls: }", "1:17", "type", "this is not a whole number"),
    ("log: {wire: yes}", "1:13", "type", "'yes' is neither true nor false"),
    ("log: {wire: yes}", "1:13", "type", "write true"),
    ("log: {level: verbose}", "1:14", "unknown-name", "'verbose' is not known here"),
    ("log: {format: jsn}", "1:15", "unknown-name", "did you mean 'json'?"),
    ("provider: {format: g711_ulaw}", "1:20", "unknown-name", "known: pcm16, pcm16_16k, pcm16_8k, pcma, pcmu, wav_16k"),
    ("provider: {server: azzure}", "1:20", "unknown-name", "did you mean 'azure'?"),
    ("provider: {dialect: beta}", "1:12", "unknown-key", "write server: NAME"),
    ("provider: {server: vllm}", "1:20", "server", "no call can be held with vLLM: its /v1/realtime transcribes"),
    ("provider: {url: 'wss://x/?intent=transcription'}", "1:17", "server", "a transcription session"),
    ("provider: {transcription: whisper-1}", "1:27", "type", "a mapping is expected here, this is a text"),
    ("provider: {turn_detection: [a]}", "1:28", "type", "a mapping or 'none'"),
    ("provider: {model: ' '}", "1:19", "empty", "a text is expected here, this is empty"),
    ("turns: ask", "1:8", "type", "a mapping of settings of the spec"),
    ("turns: {on_silent_answers: ask}", "1:9", "unknown-name", "did you mean 'on_silent_answer'?"),
    ("turns: {on_silent_answer: aks}", "1:27", "value", "'aks' is not a value of on_silent_answer: ask, accept"),
    ("talk_key: x", "1:11", "unknown-name", "'x' is not known here"),
    # a scalar is what it is written as: texts, numbers and booleans are no substitutes for each other
    ("provider:\n  voice: 5", "2:10", "type", "provider.voice: a text or {id: ...} is expected"),
    ("provider:\n  voice: 5", "2:10", "type", "write it in quotes"),
    ("provider: {model: 4.1}", "1:19", "type", "provider.model: a text is expected here, this is a number"),
    ("provider: {api_key: 0x10}", "1:21", "type", "provider.api_key: a text is expected here, this is a number"),
    ("provider: {instructions: true}", "1:26", "type", "provider.instructions: a text is expected here, this is a b"),
    ("provider: {url: 1}", "1:17", "type", "provider.url: a text is expected here, this is a number"),
    ("provider: {server: false}", "1:20", "type", "provider.server: a text is expected here, this is a boolean"),
    ("provider: {format: 8000}", "1:20", "type", "provider.format: a text is expected here, this is a number"),
    ("provider: {voice: [a]}", "1:19", "type", "provider.voice: a text or {id: ...} is expected here, this is a list"),
    ("provider: {voice: {id: 5}}", "1:24", "type", "provider.voice.id: a text is expected here, this is a number"),
    ("provider: {voice: {name: x}}", "1:20", "unknown-key", "'name' is not a key of 'provider.voice'"),
    ("provider: {voice: {}}", "1:19", "missing", "'id:' is missing here"),
    ("provider: {transcription: {model: 5}}", "1:35", "type", "provider.transcription.model: a text is expected"),
    ("provider: {transcription: {model: [x]}}", "1:35", "type", "provider.transcription.model: a text is expected"),
    ("provider: {transcription: {}}", "1:27", "missing", "'model:' is missing here"),
    ("audio: {half_duplex: 1}", "1:22", "type", "audio.half_duplex: '1' is neither true nor false"),
    ("audio: {min_speech_ms: 20}", "1:24", "type", "'20' is not a whole number from 40 to 5000"),
    ("provider: {noise_reduction: near}", "1:29", "unknown-name", "provider.noise_reduction: 'near'"),
    ("provider: {noise_reduction: {type: near_field}}", "1:29", "type", "provider.noise_reduction: a text is expected"),
    ("provider: {turn_detection: {type: 5}}", "1:35", "type", "provider.turn_detection.type: a text is expected here"),
    ("provider: {turn_detection: {threshold: '0.5'}}",
     "1:40", "type", "threshold: '0.5' in quotes is a text; a number from"),
    ("provider: {turn_detection: {create_response: 'true'}}",
     "1:46", "type", "'true' in quotes is a text; true or false is expected"),
    ("provider: {turn_detection: {silence_duration_ms: 0.5s}}",
     "1:50", "type", "'0.5s' is not a whole number from 0 to 3600000"),
    ("spec: 1", "1:7", "type", "spec: a text is expected here, this is a number"),
    ("greeting: true", "1:11", "type", "greeting: a text is expected here, this is a boolean"),
    ("talk_key: 5", "1:11", "type", "talk_key: a text is expected here, this is a number"),
    ("listen: {audiosocket: 9019}", "1:23", "type", "listen.audiosocket: a text is expected here, this is a number"),
    ("listen: {allow: 127.0.0.1}", "1:17", "type", "listen.allow: a list is expected here, this is a text"),
    ("listen: {allow: {}}", "1:17", "type", "listen.allow: a list is expected here, this is a mapping"),
    ("listen: {allow: [7]}", "1:18", "type", "listen.allow[0]: a text is expected here, this is a number"),
    ("journal: {dir: 5}", "1:16", "type", "journal.dir: a text is expected here, this is a number"),
    ("recording: {dir: true}", "1:18", "type", "recording.dir: a text is expected here, this is a boolean"),
    ("tools: [{name: 5, function: 'time:ctime'}]", "1:16", "type", "tools[0].name: a text is expected"),
    ("tools: [{name: a, function: 5}]", "1:29", "type", "tools[0].function: a text is expected here, this is a number"),
    ("tools: [{name: a, function: 'time:ctime', description: 5}]", "1:56", "type", "tools[0].description: a text is"),
    ("tools: [{name: a, function: 'time:ctime', deadline_s: '5'}]", "1:55", "type", "tools[0].deadline_s: '5' in"),
    ("tools: [{name: a, function: 'time:ctime', deadline_s: 5s}]",
     "1:55", "type", "tools[0].deadline_s: '5s' is not a number"),
    ("limits: {calls: '5'}", "1:17", "type", "limits.calls: '5' in quotes is a text; a whole number from 1 to 100000"),
    ("limits: {calls: [5]}", "1:17", "type", "limits.calls: a whole number from 1 to 100000 is expected here, this is"),
    ("limits: {connect_s: '5'}", "1:21", "type", "limits.connect_s: '5' in quotes is a text; a number from 0.1 to 60"),
    ("limits: {connect_s: 5s}", "1:21", "type", "limits.connect_s: '5s' is not a number from 0.1 to 60"),
    ("limits: {connect_s: .nan}", "1:21", "type", "limits.connect_s: '.nan' is not a number from 0.1 to 60"),
    ("limits: {silence_hold_ms: 2e3}", "1:27", "type", "limits.silence_hold_ms: '2e3' is not a whole number"),
    ("limits: [calls]", "1:9", "type", "limits: a mapping is expected here, this is a list"),
    ("log: {wire: 'true'}", "1:13", "type", "log.wire: 'true' in quotes is a text; true or false is expected"),
    ("log: {wire: 1}", "1:13", "type", "log.wire: '1' is neither true nor false"),
    ("log: {wire: {}}", "1:13", "type", "log.wire: true or false is expected here, this is a mapping"),
    ("log: {level: 10}", "1:14", "type", "log.level: a text is expected here, this is a number"),
    # addresses
    ("listen: {audiosocket: localhost}", "1:23", "address", "host:port is expected"),
    ("listen: {audiosocket: 'localhost:70000'}", "1:23", "address", "host:port is expected"),
    ("listen: {audiosocket: '::1:9019'}", "1:23", "address", "[::1]:9019"),
    ("listen: {audiosocket: '[1.2.3]:9019'}", "1:23", "address", "host:port is expected"),
    ("listen:\n  allow:\n    - 10.0.0.0/8\n    - 10.0.0.1/8", "4:7", "address", "an address or a network"),
    ("provider: {url: 'https://api.openai.com/v1'}", "1:17", "url", "must be ws or wss, not 'https'"),
    ("provider: {url: 'https://api.openai.com/v1'}", "1:17", "url", "write wss:// for https://"),
    ("provider: {url: 'api.openai.com'}", "1:17", "url", "must be ws or wss"),
    ("provider: {url: ''}", "1:17", "url", "must be ws or wss"),
    ("provider: {url: 'wss://'}", "1:17", "url", "has no host"),
    ("provider: {url: 'wss://u:p@x/'}", "1:17", "url", "a user or a password"),
    ("provider: {url: 'wss://x.example:99999/'}", "1:17", "url", "cannot be read"),
    ("provider: {server: azure, model: d, url: 'wss://x/?api-version=1'}", "1:42", "url", "answers 401"),
    ("provider: {url: 'wss://r.openai.azure.com'}", "1:11", "missing", "the name of the deployment"),
    # the environment
    ("provider:\n  model: ${NO_SUCH}", "2:10", "environment", "variable NO_SUCH is not set"),
    ("provider:\n  model: ${NO_SUCH}", "2:10", "environment", "${NO_SUCH:-default}"),
    ("greeting: 'a ${no good} b'", "1:11", "environment", "names no variable"),
    ("greeting: 'a ${ b'", "1:11", "environment", "names no variable"),
    ("greeting: '${}'", "1:11", "environment", "names no variable"),
    ("greeting: '${A-b}'", "1:11", "environment", "names no variable"),
    ("limits:\n  calls: ${NO_SUCH}", "2:10", "environment", "NO_SUCH is not set"),
    ("provider:\n  turn_detection:\n    threshold: ${NO_SUCH}", "3:16", "environment", "NO_SUCH is not set"),
    ("provider:\n  url: ${NO_SUCH}", "2:8", "environment", "NO_SUCH is not set"),
    ("provider:\n  api_key: ${NO_SUCH}", "2:12", "environment", "NO_SUCH is not set"),
    ("spec: ${NO_SUCH}", "1:7", "environment", "NO_SUCH is not set"),
    # the key
    ("provider:\n  api_key:", "2:11", "missing", "'api_key' is empty"),
    ("provider: {api_key: \"a\\nb\"}", "1:21", "provider", "no header may hold"),
    # spec and turn detection
    ("spec: server_vat", "1:7", "no-file", "did you mean 'server_vad'?"),
    ("spec: \"a\\0b\"", "1:7", "no-file", "the spec cannot be read: embedded null byte"),
    ("spec: ~nobody-of-test/x.yaml", "1:7", "no-file", "the spec cannot be read: No such file"),
    ("spec: .", "1:7", "no-file", "the spec cannot be read: Is a directory"),
    ("spec: [a]", "1:7", "type", "a text is expected here"),
    ("provider:\n  turn_detection:\n    create_response: false", "3:5", "turn-detection", "use owned_turns"),
    ("provider:\n  turn_detection:\n    create_response: false", "3:5", "turn-detection", "specs/server_vad.yaml:"),
    ("provider:\n  turn_detection: none", "2:3", "turn-detection", "use push_to_talk for manual turns"),
    ("provider:\n  turn_detection:", "2:3", "turn-detection", "use push_to_talk for manual turns"),
    ("spec: owned_turns\nprovider: {turn_detection: {idle_timeout_ms: 5000}}", "2:29", "turn-detection", "idle"),
    ("spec: owned_turns\nprovider: {turn_detection: {create_response: true}}", "2:29", "turn-detection", "server_vad"),
    ("spec: owned_turns\nprovider: {turn_detection: {create_response: 'no'}}", "2:29", "turn-detection", "needs"),
    ("spec: owned_turns\nprovider: {turn_detection: none}", "2:12", "turn-detection", "use push_to_talk"),
    (
        "spec: guarded_turns\nprovider: {turn_detection: {interrupt_response: true}}",
        "2:29",
        "turn-detection",
        "must not cut",
    ),
    ("spec: push_to_talk\nprovider: {turn_detection: {type: server_vad}}", "2:29", "turn-detection", "VAD off"),
    ("spec: push_to_talk\nprovider: {turn_detection: {threshold: 1}}", "2:29", "turn-detection", "threshold is set"),
    # the session's own fields
    ("provider: {speed: 2}", "1:19", "type", "0.25 to 1.5"),
    ("provider: {max_output_tokens: 5000}", "1:31", "type", "1 to 4096"),
    ("provider: {reasoning: hard}", "1:23", "unknown-name", "'hard' is not known here"),
    ("provider: {truncation: never}", "1:24", "unknown-name", "'never' is not known here"),
    ("provider: {prompt: p1}", "1:20", "type", "a mapping"),
    ("provider: {server: beta, truncation: auto}", "1:38", "provider", "the beta dialect has no such field"),
    ("provider: {extra: {audio: {output: {voice: x}}}}", "1:19", "two-meanings", "'voice' is known"),
    ("provider: {extra: {type: transcription}}", "1:19", "two-meanings", "'type' is known"),
    # journals
    ("journal: {hide_patterns: ['[']}", "1:27", "pattern", "not a regular expression"),
    ("journal: {keep_days: 0}", "1:22", "type", "0.01"),
    # tools
    ("tools: [{function: 'time:ctime'}]", "1:9", "missing", "tools[0]: 'name:' is missing here"),
    ("tools: [{name: a}]", "1:9", "missing", "tools[0]: 'function:' is missing here"),
    (TOOL.format("nowhere_at_all:f", "{type: object}"), "3:15", "tool-import", "'nowhere_at_all' cannot be imported"),
    (TOOL.format("time:nothing", "{type: object}"), "3:15", "tool-import", "no callable 'nothing'"),
    (TOOL.format("ctime", "{type: object}"), "3:15", "tool-import", "module:function"),
    (TOOL.format("broken_of_test:f", "{type: object}"), "3:15", "tool-import", "RuntimeError: boom"),
    (TOOL.format("exits_of_test:f", "{type: object}"), "3:15", "tool-import", "SystemExit: 3 (exits_of_test.py:2)"),
    (TOOL.format("time:ctime", "{type: nonsense}"), "4:17", "tool-schema", "'type: object'"),
    (TOOL.format("time:ctime", "{type: object, properties: 3}"), "4:17", "tool-schema", "not a JSON schema"),
    (TOOL.format("time:ctime", "[a]"), "4:17", "type", "a mapping (a JSON schema)"),
    (TOOL.format("good_of_test:f", "{type: object}"),
     "3:15", "tool-signature", "what the schema requires: missing a required argument: 'order'"),
    (TOOL.format("good_of_test:f", "{type: object, properties: {order: {}, x: {}}, required: [order]}"),
     "3:15", "tool-signature", "the schema offers: got an unexpected keyword argument 'x'"),
    ("tools: [{name: 'a b', function: 'time:ctime'}]", "1:16", "tool-name", "letters, digits"),
    ("tools:\n  - {name: a, function: 'time:ctime'}\n  - {name: a, function: 'time:ctime'}", "3:12",
     "duplicate-name", "two tools 'a'"),
    ("tools: [{name: a, function: 'time:ctime', environment: [OPENAI_API_KEY]}]",
     "1:56", "tool-process", "add process: true; any other tool has"),
    ("tools: [{name: a, function: 'time:ctime', process: true, environment: [NOT_SET_HERE]}]",
     "1:72", "no-variable", "the environment has no 'NOT_SET_HERE'"),
    ("tools: [{name: a, function: 'time:ctime', process: true, environment: ['sk-1']}]",
     "1:72", "name", "the name of an environment variable"),
    ("tools: [{name: a, function: 'adapters.call_tools:end_call', process: true}]",
     "1:70", "tool-process", "a function that is given its call cannot run in a process"),
    ("tools: [{name: a, function: 'time:ctime', process: 1}]",
     "1:52", "type", "tools[0].process: '1' is neither true nor false"),
    ("limits: {tool_processes: 0}", "1:26", "type", "not a whole number from 1 to 256"),
    ("tools: [{name: a, function: 'time:ctime', deadline_s: 500}]", "1:55", "type", "not a number from 0.1 to 120"),
    # folders
    ("journal:\n  dir: turnspec.yaml", "2:8", "no-folder", "this is a file"),
    ("recording:\n  dir: turnspec.yaml/x", "2:8", "no-folder", "this is a file"),
    ("journal:\n  dir: " + "x" * 300, "2:8", "no-folder", "journal.dir: the folder cannot be made: File name too long"),
    ("recording:\n  dir: /proc/self/x", "2:8", "no-folder", "recording.dir: the folder cannot be made: No such file"),
    ("recording:\n  dir: /proc/self", "2:8", "no-folder", "recording.dir: nothing can be written to this folder: "),
    ("journal:\n  dir: \"a\\0b\"", "2:8", "no-folder", "journal.dir: the folder cannot be made: embedded null byte"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "code", "words"), CASES)
def test_each_kind_of_problem_is_reported_at_its_place(
    tmp_path: Path, text: str, place: str, code: str, words: str
) -> None:
    (tmp_path / "good_of_test.py").write_text("def f(order): return order\n")
    (tmp_path / "broken_of_test.py").write_text("raise RuntimeError('boom')\n")
    (tmp_path / "exits_of_test.py").write_text("import sys\nsys.exit(3)\n")
    found = problems(tmp_path, text)
    assert [(f"{each.place.line}:{each.place.column}", each.code) for each in found] == [(place, code)], found
    assert words in str(found[0])
    assert str(found[0]).startswith(f"{tmp_path / 'turnspec.yaml'}:{place}: error[{code}]: ")


def test_every_variable_of_a_text_is_looked_up(tmp_path: Path) -> None:
    found = problems(tmp_path, "greeting: ${NO_A} ${B:-b} ${NO_C} ${")
    assert ["NO_A" in str(found[1]), "NO_C" in str(found[2]), "names no variable" in str(found[0])] == [True] * 3


def test_no_key_anywhere(tmp_path: Path) -> None:
    found = problems(tmp_path, "spec: server_vad", {})
    assert [each.code for each in found] == ["missing"] and "OPENAI_API_KEY is not set" in str(found[0])


def test_a_bad_url_in_the_environment_says_so(tmp_path: Path) -> None:
    found = problems(tmp_path, "spec: server_vad", {**ENVIRONMENT, "OPENAI_REALTIME_BASE_URL": "https://x/"})
    assert "OPENAI_REALTIME_BASE_URL: url: the scheme must be ws or wss" in str(found[0])


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """\
        spec: owned_turns
        spec: owned_turns
        listen: {audiosocket: nowhere}
        provider:
          url: http://x
          model: ${A}
          api_key: ${B}
          server: x
          voice: ${C}
          instructions: ${D}
          turn_detection: {create_response: true}
          transcription: x
        greeting: ${E}
        tools: [{name: "a b", function: nowhere, deadline_s: x}]
        limits: {calls: x, handshake_s: x}
        log: {level: x, wire: x, format: x}
        x: 1
        """,
    )
    lines = [each.place.line for each in found]
    assert lines == [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 14, 15, 15, 16, 16, 16, 17], found


def test_what_the_spec_does_not_know_is_found_beside_a_faulty_provider(tmp_path: Path) -> None:
    found = problems(tmp_path, "provider: {model: [x]}\nturns: {barge_in: x}\n")
    assert [(each.place.line, each.code) for each in found] == [(1, "type"), (2, "unknown-name")]


def test_a_sound_spec_that_nobody_here_can_serve(tmp_path: Path) -> None:
    (tmp_path / "words.yaml").write_text(mini.WORDS)
    (tmp_path / "house.yaml").write_text(mini.HOUSE)
    found = problems(tmp_path, "spec: house.yaml")
    places = {Path(each.place.file).name + f":{each.place.line}:{each.place.column}" for each in found}
    assert {each.code for each in found} == {"spec-fit"}
    assert places == {"turnspec.yaml:1:7", *(f"words.yaml:{line}:3" for line in (16, 17, 18, 19))}
    text = "\n".join(map(str, found))
    assert "no event 'caller.hung_up'" in text and "effect 'open_door'" in text and "set 'greeting:'" in text


def test_problems_of_the_spec_come_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("spec: mine\nvocabulary: [vocabularies/realtime/session.yaml]\nstates: {}\n")
    found = problems(tmp_path, "spec: mine.yaml\nlog: {level: x}")
    assert {Path(each.place.file).name for each in found} == {"mine.yaml", "turnspec.yaml"}


@pytest.mark.parametrize(
    "text",
    [
        "spec: ${MY_KEY}",
        "${MY_KEY}: 1",
        f"{KEY}: 1",
        f"provider: {KEY}",
        "provider: {url: 'https://${MY_KEY}/'}",
        "provider: {url: 'wss://x/', format: '${MY_KEY}'}",
        "provider: {server: '${MY_KEY}', api_key: '${MY_KEY}'}",
        'provider: {api_key: "${MY_KEY}\\n\\x07"}',
        "limits: {calls: '${MY_KEY}'}",
        "tools: [{name: a, function: '${MY_KEY}'}]",
        "tools: [{name: a, function: '${MY_KEY}:f'}]",
        "tools: [{name: '${MY_KEY}', function: 'time:ctime', parameters: {type: object, properties: '${MY_KEY}'}}]",
        f"log: {{level: {KEY}}}",
        f"listen: {{audiosocket: {KEY}}}",
        f"journal: {{dir: {KEY}/x}}\nx: 1",
    ],
)
def test_no_secret_is_ever_in_a_problem(tmp_path: Path, text: str) -> None:
    hidden = "Hush0Hush0Hush0"
    found = problems(tmp_path, text, {"MY_KEY": hidden, "OPENAI_API_KEY": KEY})
    for each in found:
        assert hidden not in str(each) and KEY not in str(each)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.yaml", ENVIRONMENT)
    with pytest.raises(SpecError, match="longer than 1000000 characters"):
        load_settings(Path("/dev/zero"), ENVIRONMENT)
    (tmp_path / "latin.yaml").write_bytes(b"greeting: gr\xfc\xdf")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_settings(tmp_path / "latin.yaml", ENVIRONMENT)


WORDS = st.sampled_from(
    ["spec", "listen", "provider", "tools", "limits", "log", "journal", "turn_detection", "url", "dir", "name", "calls",
     "server_vad", "none", "${X}", "${OPENAI_API_KEY}", "", "1", "x: y", "true", "wss://x", "\x00", "é", "allow",
     "10.0.0.0/8"]
)  # fmt: skip
TREES = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tree=st.dictionaries(WORDS, TREES, max_size=5))
def test_any_tree_loads_or_is_a_list_of_problems(tmp_path: Path, tree: dict[str, object]) -> None:
    import yaml

    path = tmp_path / "any.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    try:
        load_settings(path, ENVIRONMENT)
    except SpecError as error:
        text = str(error)
    else:
        text = ""
    assert KEY not in text
