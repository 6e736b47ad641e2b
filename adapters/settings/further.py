"""Specs of further providers: under which a call goes on when its next session is over another protocol.

One for each protocol, and none whose caller holds the turns: who presses a key to speak would have to learn not to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from adapters.call.settings import CallSettings
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile, ProviderSection
from fsm.language.spec import Spec


@attrs.frozen(kw_only=True)
class FurtherSpec:
    """A spec, and what calls under it are configured with."""

    spec: Spec
    digest: str
    call: CallSettings = attrs.field(factory=CallSettings)
    prompts: Mapping[str, Path] = attrs.field(factory=dict)


NO_FURTHER: Final[Mapping[str, FurtherSpec]] = MappingProxyType({})
Load = Callable[[ProviderSection], tuple[Spec | None, str]]


def read_further(
    reader: SettingsReader, config: ConfigFile, first: Spec | None, load: Load
) -> Mapping[str, FurtherSpec]:
    """By the name in the configuration. `first`: the spec that calls begin under, None if it could not be loaded."""
    found: dict[str, FurtherSpec] = {}
    for section in config.provider:
        if section.spec is None or section.spec in found:
            continue
        spec, digest = load(section)
        if spec is None:
            continue
        if first is not None and (wrong := _misfit([first, *(each.spec for each in found.values())], spec)):
            reader.problems.add(section.written.place_of("spec"), "spec-fit", *wrong)
            continue
        found[section.spec] = FurtherSpec(spec=spec, digest=digest)
    return found


def domain_of(spec: Spec, setting: str) -> tuple[str, ...]:
    """The values that an operator may give to a setting, none if the spec does not have it."""
    return spec.variable(spec.settings[setting]).domain if setting in spec.settings else ()


def turns_of(spec: Spec, chosen: Mapping[str, str]) -> dict[str, str]:
    """What of an operator's `turns:` this spec has a word for."""
    return {name: value for name, value in chosen.items() if value in domain_of(spec, name)}


def _misfit(known: list[Spec], spec: Spec) -> tuple[str, str] | None:
    """What is wrong, and the cure."""
    protocol = spec.vocabulary.ledger.name
    for each in known:
        if each.vocabulary.ledger.name == protocol:
            message = f"spec {spec.name} is one for {protocol}, as {each.name} is: a call stays under that one"
            return message, "leave 'spec:' out here"
    for each in (*known, spec):
        if each.turn_detection.manual:
            return f"in {each.name} the caller holds the turns: a call cannot go on under another spec", "another spec"
    return None
