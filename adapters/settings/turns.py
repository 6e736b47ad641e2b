"""The provider's turn detection: what the operator set and what the spec needs, as one value. Never sent if neither.

A setting that contradicts the spec is a problem here, at its own line, and not a call in which nobody answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from adapters.providers.realtime.session import UNSET, Unset
from adapters.settings.reader import SettingsReader, scalar
from fsm.language.problem import Place, suggestion
from fsm.language.source import Node
from fsm.language.spec import Refusal, Spec

TurnDetection = Mapping[str, object] | Unset | None


def read_turn_detection(
    reader: SettingsReader, key: Node | None, node: Node | None, spec: Spec | None
) -> TurnDetection:
    """UNSET where nobody says anything, None for manual turns. `key`, `node`: as configured, if it was."""
    if key is None or node is None:
        return _combined({}, spec)
    value = reader.value(node, lenient=True)
    if value == "none" or (isinstance(value, dict) and value.get("type", "") in (None, "none")):
        value = None
    if value is not None and not isinstance(value, dict):
        reader.tell(node, "type", f"a mapping or 'none' is expected here, this is a {node.kind}")
        return UNSET
    places = {str(name.text): name.place for name, _ in node.pairs or ()}
    if spec is not None:
        _contradictions(reader, spec, value, {"": key.place, **places})
    if value is None:
        return None
    _check_fields(reader, value, places)
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


def _as_written(value: object) -> str:
    return f"'{value}' in quotes" if isinstance(value, str) and not isinstance(scalar(value), str) else _shown(value)


def _check_fields(reader: SettingsReader, value: Mapping[str, object], places: Mapping[str, Place]) -> None:
    """One field the provider does not know, or of a wrong type, costs the whole session.update (facts section 2)."""
    kind = value.get("type", "server_vad")
    if not isinstance(kind, str):
        reader.problems.add(places["type"], "type", f"type is a name, not {_shown(kind)}")
        return
    fields = _FIELDS.get(kind)
    if fields is None:
        message = f"'{kind}' is new to us; a provider that does not know it rejects the session"
        reader.problems.warn(places["type"], "unknown-name", message, suggestion(kind, _FIELDS))
        return
    told = {problem.place for problem in reader.problems}
    for name, given in value.items():
        if places[name] in told or given in ("", None):  # what a variable that is not set leaves behind
            continue
        if name not in fields:
            hint = suggestion(name, fields)
            reader.problems.add(places[name], "unknown-key", f"'{name}' means nothing to {kind}", hint)
        elif not fields[name][1](given):
            reader.problems.add(places[name], "type", f"{name} is {fields[name][0]}, not {_as_written(given)}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


_Check = tuple[str, Callable[[object], bool]]
_YES_NO: Final[_Check] = ("true or false", lambda v: isinstance(v, bool))
_MS: Final[_Check] = ("a number of milliseconds", _is_whole)
_FIELDS: Final[Mapping[str, Mapping[str, _Check]]] = {
    "server_vad": {
        "type": ("a name", lambda v: isinstance(v, str)),
        "threshold": ("a number from 0 to 1", _is_share),
        "prefix_padding_ms": _MS,
        "silence_duration_ms": _MS,
        "create_response": _YES_NO,
        "interrupt_response": _YES_NO,
        "idle_timeout_ms": ("a number of milliseconds, or null", lambda v: v is None or _is_whole(v)),
    },
    "semantic_vad": {
        "type": ("a name", lambda v: isinstance(v, str)),
        "eagerness": ("low, medium, high or auto", lambda v: v in ("low", "medium", "high", "auto")),
        "create_response": _YES_NO,
        "interrupt_response": _YES_NO,
    },
}
