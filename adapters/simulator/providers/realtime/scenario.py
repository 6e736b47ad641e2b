"""What the simulated model says and does, and what goes wrong: a YAML file as values. Nothing here acts.

The loader names the file and the key of what is wrong: `x.yaml: responses[1].output[0].say: ...`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import cattrs
import yaml
from cattrs.gen import make_dict_structure_fn

from adapters.simulator.providers.realtime.faults import KINDS, DelayClient, Fault, IgnoreClient
from adapters.simulator.providers.realtime.settings import Latency
from adapters.simulator.providers.realtime.words import RATES_HZ
from adapters.simulator.speech import line_for_text, lines, read_samples, wav_path
from fsm.audit.names import CLIENT_FIELDS, SERVER_FIELDS


class ScenarioError(Exception):
    """A scenario file that cannot be used: file, key, reason."""


@attrs.frozen(kw_only=True)
class Say:
    """A spoken message. `speech` names a recorded line or a WAV file; without it, a line with the same text, or noise
    with the length and rhythm of speech. `phase` as on gpt-realtime-2: commentary or final_answer."""

    say: str
    speech: Path | None = None
    phase: Literal["commentary", "final_answer"] | None = None


@attrs.frozen(kw_only=True)
class Call:
    """A function call. `arguments` is an object or, to be sent verbatim, a string."""

    call: str
    arguments: str = "{}"


@attrs.frozen(kw_only=True)
class When:
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
class Rule:
    """What one response says. `times`: how often the rule may be used, 0 for ever. `cut_after_ms`: an incomplete
    answer ends there. `delay_s` comes on top of the usual wait; `pace` replaces the usual one."""

    when: When = attrs.field(factory=When)
    output: tuple[Say | Call, ...] = ()
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
class Scenario:
    """One conversation's script. Responses: the first rule that applies and is not used up; else sensible defaults.

    `latency` stands in for the settings' latency as a whole. Every connection starts the script anew.
    """

    description: str = ""
    user_turns: tuple[UserTurn, ...] = ()
    responses: tuple[Rule, ...] = ()
    faults: tuple[Fault, ...] = ()
    latency: Latency | None = None


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. ScenarioError: the file or key at fault and why."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ScenarioError(f"{path}: {problem.strerror}") from problem
    return parse_scenario(text, path)


def parse_scenario(text: str, path: Path) -> Scenario:
    """A scenario from YAML text; `path` is what errors name and what speech files are found beside."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise ScenarioError(f"{path}: not YAML: {problem}") from problem
    try:
        return _converter(path.parent).structure(document or {}, Scenario)
    except Exception as problem:
        found = "; ".join(cattrs.transform_error(problem, path="$", format_exception=_reason))
        raise ScenarioError(f"{path}: {found.replace(' @ $.', ' @ ')}") from problem


def _reason(problem: BaseException, kind: type | None) -> str:
    if isinstance(problem, cattrs.ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(problem.extra_fields))}"
    if isinstance(problem, KeyError):
        return f"missing key {problem}"
    if isinstance(problem, ScenarioError):
        return str(problem)
    if isinstance(problem, (ValueError, TypeError)) and not isinstance(problem, cattrs.BaseValidationError):
        return str(problem) or f"not a {kind}"
    return repr(problem)


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
    for mapping in (*KINDS.values(), When, Latency):
        converter.register_structure_hook(mapping, _strict(mapping, converter))
    converter.register_structure_hook(Say | Call, lambda given, _: converter.structure(given, _output_kind(given)))
    converter.register_structure_hook(Fault, lambda given, _: _fault(given, converter))
    structure_turn = _strict(UserTurn, converter)
    converter.register_structure_hook(
        UserTurn, lambda given, kind: UserTurn(text=given) if isinstance(given, str) else structure_turn(given, kind)
    )
    structure_call = _strict(Call, converter)
    converter.register_structure_hook(Call, lambda given, kind: structure_call(_with_text_arguments(given), kind))
    converter.register_structure_hook(Path, lambda given, _: _speech(given, folder))
    structure_say = _strict(Say, converter)
    converter.register_structure_hook(Say, lambda given, kind: _found_by_text(structure_say(given, kind)))
    converter.register_structure_hook(Rule, _strict(Rule, converter))
    converter.register_structure_hook(Scenario, _strict(Scenario, converter))
    return converter


def _strict(kind: type, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    structure: Callable[[Any, Any], Any] = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def check(given: Any, target: Any) -> Any:
        if not isinstance(given, Mapping):
            raise ScenarioError(f"expected a mapping, got {given!r}")
        return structure(given, target)

    return check


def _output_kind(given: Any) -> type:
    if isinstance(given, Mapping) and ("say" in given) != ("call" in given):
        return Say if "say" in given else Call
    raise ScenarioError("an output has either `say` or `call`")


def _fault(given: Any, converter: cattrs.Converter) -> Fault:
    name = given.get("fault") if isinstance(given, Mapping) else None
    if name not in KINDS:
        raise ScenarioError(f"`fault` must be one of {', '.join(KINDS)}; got {name!r}")
    fault: Fault = converter.structure({key: value for key, value in given.items() if key != "fault"}, KINDS[name])
    _check_names(fault)
    return fault


def _check_names(fault: Fault) -> None:
    """A fault on an event that nobody ever sends would strike nothing, and nobody would notice."""
    is_clients = isinstance(fault, IgnoreClient | DelayClient)
    for key, known in (
        ("type", CLIENT_FIELDS if is_clients else SERVER_FIELDS), ("after", SERVER_FIELDS),
        ("after_client", CLIENT_FIELDS),
    ):  # fmt: skip
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


def _found_by_text(said: Say) -> Say:
    line = line_for_text(said.say) if said.speech is None else None
    return attrs.evolve(said, speech=wav_path(line.name)) if line else said
