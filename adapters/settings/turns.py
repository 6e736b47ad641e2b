"""The provider's turn detection: what the operator set and what the spec needs, as one value. Never sent if neither.

A setting that contradicts the spec is a problem here, at its own line, and not a call in which nobody answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Final, Literal

import attrs

from adapters.providers.realtime.session import UNSET, Unset
from adapters.settings.reader import Between, RejectedError, Section, SettingsReader, scalar
from fsm.language.problem import Place, suggestion
from fsm.language.spec import Refusal, Spec
from fsm.language.yaml_nodes import Node

TurnDetection = Mapping[str, object] | Unset | None
Milliseconds = Annotated[int, Between(0, 3_600_000)]


# One field the provider does not know, or of a wrong type, costs the whole session.update (facts section 2).
@attrs.frozen(kw_only=True)
class ServerVad(Section):
    """By the energy of the audio."""

    type: str = "server_vad"
    threshold: Annotated[float, Between(0.0, 1.0)] | None = None
    prefix_padding_ms: Milliseconds | None = None
    silence_duration_ms: Milliseconds | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None
    idle_timeout_ms: Annotated[int, Between(5_000, 30_000)] | None = None


@attrs.frozen(kw_only=True)
class SemanticVad(Section):
    """By what the caller says."""

    type: str = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


_KINDS: Final[Mapping[str, type[Section]]] = {"server_vad": ServerVad, "semantic_vad": SemanticVad}


def read_turn_detection(
    reader: SettingsReader, pair: tuple[Node, Node] | None, spec: Spec | None, kinds: Collection[str] = ()
) -> TurnDetection:
    """UNSET where nobody says anything, None for manual turns. `pair`: key and value as configured, if they were.

    `kinds`: those of the provider, where they are known.
    """
    if pair is None:
        return _combined({}, spec)
    key, node = pair
    value = reader.value(node, lenient=True)
    if value == "none" or (isinstance(value, dict) and value.get("type", "") in (None, "none")):
        value = None
    if value is not None and not isinstance(value, dict):
        reader.mistyped(node, "a mapping or 'none'")
        return UNSET
    contradicted = _contradictions(reader, spec, value, key.place, node) if spec is not None else set()
    if value is None:
        return None
    _check_fields(reader, node, contradicted, kinds)
    return _combined(value, spec)


def demanded(spec: Spec) -> TurnDetection:
    """Of a spec, where the operator says nothing."""
    return _combined({}, spec)


def _combined(value: Mapping[str, object], spec: Spec | None) -> TurnDetection:
    """What is sent: the operator's words, then what the spec cannot do without."""
    demands = spec.turn_detection if spec is not None else None
    if demands is not None and demands.manual:
        return None
    needs = {key: scalar(text) for key, text in demands.needs.items()} if demands is not None else {}
    if not value and not needs:
        return UNSET
    return {"type": "server_vad", **value, **needs}


def _contradictions(
    reader: SettingsReader, spec: Spec, value: Mapping[str, object] | None, key: Place, node: Node
) -> set[str]:
    """Reports what the spec cannot run with; returns those fields."""
    places = {str(name.text): name.place for name, _ in node.pairs or ()}
    given: Mapping[str, object] = {"type": None} if value is None else value
    found = set()
    for refusal in spec.turn_detection.refuses:
        if _is_refused(refusal, given):
            found.add(refusal.key)
            message = f"{refusal.key}: {_as_spec(given[refusal.key])} contradicts the spec: {refusal.reason}"
            place = places.get(refusal.key, key)
            reader.problems.add(place, "turn-detection", message, f"the spec says so at {refusal.place}")
    for name, complaint in _unmet(spec, value):
        if name not in found:
            reader.problems.add(places.get(name, key), "turn-detection", complaint, f"the spec is {spec.file}")
            found.add(name)
    return found


def _unmet(spec: Spec, value: Mapping[str, object] | None) -> Iterator[tuple[str, str]]:
    """Settings the spec has no refusal for, and cannot run with."""
    demands = spec.turn_detection
    if demands.manual:
        for name in value or ():
            yield name, f"{name} is set, but {spec.name} turns the provider's turn detection off"
        return
    if value is None and demands.needs:
        yield "type", f"turn detection is switched off, but {spec.name} needs it"
    for name, text in demands.needs.items():
        if value is not None and name in value and value[name] != scalar(text):
            yield name, f"{name}: {_as_spec(value[name])} is set, but {spec.name} needs {name}: {text}"


def _is_refused(refusal: Refusal, given: Mapping[str, object]) -> bool:
    if refusal.key not in given:
        return False
    value = given[refusal.key]
    return value is not None if refusal.value is None else _as_spec(value) == refusal.value


def _as_spec(value: object) -> str:
    """A value as a spec writes it."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _check_fields(reader: SettingsReader, node: Node, contradicted: set[str], kinds: Collection[str]) -> None:
    """What is left, by the class of its kind; of a kind that is not known the provider decides."""
    rest = attrs.evolve(node, pairs=tuple(pair for pair in node.pairs or () if pair[0].text not in contradicted))
    named = node.get("type")
    try:
        kind = reader.text(named) if named is not None else "server_vad"
        if kind in _KINDS:
            reader.read(rest, _KINDS[kind])
        elif named is not None and kind not in kinds:
            message = f"'{named.text}' is not a kind known here; a provider that does not know it rejects the session"
            reader.problems.warn(named.place, "unknown-name", message, suggestion(str(named.text), _KINDS))
    except RejectedError:
        return
