"""The provider's turn detection: what the operator set and what the spec needs, as one value. Never sent if neither.

A setting that contradicts the spec is a problem here, at its own line, and not a call in which nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from adapters.realtime.session import UNSET, Unset
from adapters.settings_reader import SettingsReader, scalar
from fsm.problem import Place, suggestion
from fsm.source import Node
from fsm.spec import Refusal, Spec

TurnDetection = Mapping[str, object] | Unset | None

_SERVER_VAD: Final = frozenset(
    {"type", "threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response",
     "idle_timeout_ms"}
)  # fmt: skip
_SEMANTIC_VAD: Final = frozenset({"type", "eagerness", "create_response", "interrupt_response"})
_KEYS: Final = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}


def read_turn_detection(
    reader: SettingsReader, key: Node | None, node: Node | None, spec: Spec | None
) -> TurnDetection:
    """UNSET where nobody says anything, None for manual turns. `key`, `node`: as configured, if it was."""
    if key is None or node is None:
        return _combined({}, spec)
    value = reader.value(node)
    if value == "none" or (isinstance(value, dict) and value.get("type", "") in (None, "none")):
        value = None
    if value is not None and not isinstance(value, dict):
        reader.problems.add(node.place, "type", f"a mapping or 'none' is expected here, this is a {node.kind}")
        return UNSET
    places = {str(name.text): name.place for name, _ in node.pairs or ()}
    if spec is not None:
        _contradictions(reader, spec, value, {"": key.place, **places})
    if value is None:
        return None
    _warn_of_unknown(reader, value, places)
    return _combined(value, spec)


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
    reader: SettingsReader, spec: Spec, value: Mapping[str, object] | None, places: Mapping[str, Place]
) -> None:
    said: Mapping[str, object] = {"type": None} if value is None else value
    known = set()
    for refusal in spec.turn_detection.refuses:
        if _is_refused(refusal, said):
            known.add(refusal.key)
            place = places.get(refusal.key, places[""])
            shown = _shown(said[refusal.key])
            reader.problems.add(
                place, "turn-detection", f"{refusal.key}: {shown} contradicts the spec: {refusal.reason}",
                f"the spec says so at {refusal.place}",
            )  # fmt: skip
    for name, complaint in _unmet(spec, value):
        if name not in known:
            reader.problems.add(places.get(name, places[""]), "turn-detection", complaint, f"the spec is {spec.file}")
            known.add(name)


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
            yield name, f"{name}: {_shown(value[name])} is set, but {spec.name} needs {name}: {text}"


def _is_refused(refusal: Refusal, said: Mapping[str, object]) -> bool:
    if refusal.key not in said:
        return False
    value = said[refusal.key]
    return value is not None if refusal.value is None else _shown(value) == refusal.value


def _shown(value: object) -> str:
    """A value as a spec writes it."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _warn_of_unknown(reader: SettingsReader, value: Mapping[str, object], places: Mapping[str, Place]) -> None:
    """One field the provider does not know costs the whole session.update (facts/realtime_api.md section 2)."""
    keys = _KEYS.get(str(value.get("type", "server_vad")))
    for name in value if keys is not None else ():
        if keys is not None and name not in keys:
            message = f"'{name}' is new to us; a provider that does not know it rejects the session"
            reader.problems.warn(places[name], "unknown-key", message, suggestion(name, keys))
