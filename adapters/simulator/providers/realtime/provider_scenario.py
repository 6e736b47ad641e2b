"""What the simulated model says and does, and what goes wrong: a YAML file as values, and the model that follows it.

The loader names the file and the key of what is wrong: `x.yaml: responses[1].output[0].say: ...`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import cattrs
import yaml
from cattrs.gen import make_dict_structure_fn

from adapters.simulator.providers.realtime.faults import KINDS, OnClientEvent, PlannedFault
from adapters.simulator.providers.realtime.provider_settings import Latency
from adapters.simulator.providers.realtime.provider_words import EVENTS, WORDS
from adapters.simulator.providers.realtime.wire_audio import RATES_HZ
from adapters.simulator.speech import line_for_text, lines, read_samples, wav_path
from fsm.audit.realtime_events import CLIENT_FIELDS, SERVER_FIELDS
from fsm.errors import LocalError
from fsm.scenario.expectation import Expectation, read_expectation


class ScenarioError(LocalError):
    """A scenario file that cannot be used: file, key, reason."""


@attrs.frozen(kw_only=True)
class SpokenMessage:
    """A spoken message. `speech` names a recorded line or a WAV file; without it, a line with the same text, or noise
    with the length and rhythm of speech. `phase` as on gpt-realtime-2: commentary or final_answer."""

    say: str
    speech: Path | None = None
    phase: Literal["commentary", "final_answer"] | None = None


@attrs.frozen(kw_only=True)
class FunctionCall:
    """A function call. `arguments` is an object or, to be sent verbatim, a string; without them, what the schema that
    the client offered asks for."""

    call: str
    arguments: str | None = None


@attrs.frozen(kw_only=True)
class McpProblem:
    """How a call on an MCP server fails. `code` belongs to all but a tool_execution_error."""

    type: Literal["protocol_error", "http_error", "tool_execution_error"]
    message: str
    code: int | None = None

    def __attrs_post_init__(self) -> None:
        if (self.code is None) != (self.type == "tool_execution_error"):
            raise ValueError("code: a protocol_error and an http_error have one, a tool_execution_error has none")


@attrs.frozen(kw_only=True)
class McpCall:
    """A call of a tool on an MCP server, which the provider itself makes: `result`, or `error`."""

    mcp: str
    server: str
    arguments: str | None = None
    result: str = ""
    error: McpProblem | None = None
    takes_s: float = attrs.field(default=0.2, validator=attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class McpTool:
    """A tool as an MCP server lists it."""

    name: str
    description: str | None = None
    input_schema: Mapping[str, Any] = attrs.field(factory=lambda: {"type": "object", "properties": {}})


@attrs.frozen(kw_only=True)
class McpServer:
    """What is at a `server_label`; `fails`: its tools cannot be imported."""

    tools: tuple[McpTool, ...] = ()
    fails: bool = False
    listing_s: float = attrs.field(default=0.3, validator=attrs.validators.ge(0))


OutputPart = SpokenMessage | FunctionCall | McpCall


@attrs.frozen(kw_only=True)
class AnswersWhen:
    """When a rule applies: all that is given must hold. `after`: what the response answers to."""

    after: Literal["user", "tools", "idle", "nothing"] | None = None
    user_turn: int | None = None
    heard: str | None = None
    tool: str | None = None
    automatic: bool | None = None
    out_of_band: bool = False
    nth: int | None = None
    instructions: str | None = None


@attrs.frozen(kw_only=True)
class AnswerRule:
    """What one response says. `times`: how often the rule may be used, 0 without limit. `cut_after_ms`: an incomplete
    answer ends there. `delay_s` comes on top of the usual wait; `pace` replaces the usual one."""

    when: AnswersWhen = attrs.field(factory=AnswersWhen)
    output: tuple[SpokenMessage | FunctionCall | McpCall, ...] = ()
    status: Literal["completed", "incomplete", "failed"] = "completed"
    reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"
    error: Mapping[str, Any] = attrs.field(factory=dict)
    cut_after_ms: int | None = None
    interleave: bool = True
    delay_s: float = 0.0
    pace: float | None = None
    times: int = 1


@attrs.frozen(kw_only=True)
class UserTurn:
    """What the caller's nth spoken turn said, for the input transcript; or the code with which transcribing fails."""

    text: str = ""
    fails: str | None = None


@attrs.frozen(kw_only=True)
class ProviderScenario:
    """One conversation's script. Responses: the first rule that applies and is not used up; else sensible defaults.

    `latency` stands in for the settings' latency as a whole, `session_max_s` for the longest life of a session,
    `skew_ms` and `truncation_tolerance_ms` for those of the settings. `mcp`: the MCP servers there are, by label.
    `unoffered_calls`: what becomes of a scripted call of a tool that the client has not offered. Every connection
    starts the script anew. `expect` is of all of them together (.provider_numbers has the words).
    """

    description: str = ""
    user_turns: tuple[UserTurn, ...] = ()
    responses: tuple[AnswerRule, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    latency: Latency | None = None
    mcp: Mapping[str, McpServer] = attrs.field(factory=dict)
    unoffered_calls: Literal["drop", "make"] = "drop"
    skew_ms: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))
    truncation_tolerance_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    session_max_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.gt(0)))
    expect: Expectation | None = None


def load_scenario(path: Path) -> ProviderScenario:
    """Read a scenario file. ScenarioError: the file or key at fault and why."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ScenarioError(f"{path}: {problem.strerror}") from problem
    return parse_scenario(text, path)


def parse_scenario(text: str, path: Path) -> ProviderScenario:
    """A scenario from YAML text; `path` is what errors name and what speech files are found beside."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise ScenarioError(f"{path}: not YAML: {problem}") from problem
    try:
        return _converter(path.parent).structure(document or {}, ProviderScenario)
    except Exception as problem:
        found = "; ".join(cattrs.transform_error(problem, path="$", format_exception=_reason))
        raise ScenarioError(f"{path}: {found.replace(' @ $.', ' @ ').removesuffix(' @ $')}") from problem


def _reason(problem: BaseException, kind: type | None) -> str:
    if isinstance(problem, cattrs.ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(problem.extra_fields))}"
    if isinstance(problem, KeyError):
        return f"missing key {problem}"
    if isinstance(problem, ScenarioError):
        return str(problem)
    if isinstance(problem, AttributeError):  # of a list or a word where cattrs asks for the items of a mapping
        return "expected a mapping"
    if isinstance(problem, (ValueError, TypeError)) and not isinstance(problem, cattrs.BaseValidationError):
        return str(problem) or f"not a {kind}"
    return repr(problem)


def _one_of(given: Any, kind: Any) -> Any:
    words = get_args(kind)
    if not isinstance(given, str) or given not in words:
        raise ScenarioError(f"expected one of {', '.join(words)}; got {given!r}")
    return given


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    """YAML's own scalars as they are: no silent str(42), no int("7"), no float(True)."""
    allowed = (int, float) if kind is float else kind

    def check(value: Any, _target: Any) -> Any:
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise ScenarioError(f"expected {kind.__name__}, got {value!r}")
        return value

    return check


def _converter(folder: Path) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _exactly(scalar))
    converter.register_structure_hook_func(lambda kind: getattr(kind, "__origin__", None) is Literal, _one_of)
    for mapping in (*KINDS.values(), AnswersWhen, Latency, McpProblem, McpTool, McpServer):
        converter.register_structure_hook(mapping, _strict(mapping, converter))
    converter.register_structure_hook(OutputPart, lambda given, _: converter.structure(given, _output_kind(given)))
    converter.register_structure_hook(PlannedFault, lambda given, _: _fault(given, converter))
    converter.register_structure_hook(Expectation, lambda given, _: read_expectation(given, WORDS, EVENTS))
    structure_turn = _strict(UserTurn, converter)
    converter.register_structure_hook(
        UserTurn, lambda given, kind: UserTurn(text=given) if isinstance(given, str) else structure_turn(given, kind)
    )
    for call in (FunctionCall, McpCall):
        converter.register_structure_hook(call, _call(call, converter))
    converter.register_structure_hook(Path, lambda given, _: _speech(given, folder))
    structure_say = _strict(SpokenMessage, converter)
    converter.register_structure_hook(SpokenMessage, lambda given, kind: _found_by_text(structure_say(given, kind)))
    converter.register_structure_hook(AnswerRule, _strict(AnswerRule, converter))
    converter.register_structure_hook(ProviderScenario, _strict(ProviderScenario, converter))
    return converter


def _strict(kind: type, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    structure: Callable[[Any, Any], Any] = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def check(given: Any, target: Any) -> Any:
        if not isinstance(given, Mapping):
            raise ScenarioError(f"expected a mapping, got {given!r}")
        return structure(given, target)

    return check


_OUTPUTS = {"say": SpokenMessage, "call": FunctionCall, "mcp": McpCall}


def _output_kind(given: Any) -> type:
    named = [kind for key, kind in _OUTPUTS.items() if isinstance(given, Mapping) and key in given]
    if len(named) == 1:
        return named[0]
    raise ScenarioError("an output has one of `say`, `call` and `mcp`")


def _call(kind: type, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    structure = _strict(kind, converter)
    return lambda given, target: structure(_with_text_arguments(given), target)


def _fault(given: Any, converter: cattrs.Converter) -> PlannedFault:
    name = given.get("fault") if isinstance(given, Mapping) else None
    if name not in KINDS:
        raise ScenarioError(f"`fault` must be one of {', '.join(KINDS)}; got {name!r}")
    fault: PlannedFault = converter.structure(
        {key: value for key, value in given.items() if key != "fault"}, KINDS[name]
    )
    _check_names(fault)
    return fault


def _check_names(fault: PlannedFault) -> None:
    """A fault on an event that nobody ever sends would strike nothing, and nobody would notice."""
    is_clients = isinstance(fault, OnClientEvent)
    for key, known in (
        ("type", CLIENT_FIELDS if is_clients else SERVER_FIELDS),
        ("after", SERVER_FIELDS),
        ("after_client", CLIENT_FIELDS),
    ):
        name = getattr(fault, key, None)
        if name is not None and name not in known:
            who = "client" if known is CLIENT_FIELDS else "provider"
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ScenarioError(f"{key}: no {who} sends an event '{name}'{hint}")


def _with_text_arguments(given: Any) -> Any:
    if isinstance(given, Mapping) and isinstance(given.get("arguments"), Mapping):
        return {**given, "arguments": json.dumps(given["arguments"])}
    return given


def _speech(given: Any, folder: Path) -> Path:
    if given in lines():
        return wav_path(given)
    found = folder / str(given)
    if not found.is_file():
        raise ScenarioError(f"no recorded line and no WAV file {str(given)!r}")
    try:
        read_samples(found, RATES_HZ["audio/pcmu"])
    except (OSError, ValueError) as error:
        raise ScenarioError(str(error)) from None
    return found


def _found_by_text(said: SpokenMessage) -> SpokenMessage:
    line = line_for_text(said.say) if said.speech is None else None
    return attrs.evolve(said, speech=wav_path(line.name)) if line else said
