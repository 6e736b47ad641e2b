"""`effects:` of a configuration: the functions that are bound to the effects a vocabulary has for the application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.application import effects_for_application, mismatch
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import ConfigFile
from adapters.tools import Tool, call_parameter
from fsm.language.spec import Spec


def read_effects(reader: SettingsReader, config: ConfigFile, spec: Spec) -> Mapping[str, Tool]:
    """What the effects of this spec are bound to; each must be, and by a function that takes what it is given."""
    words, bound = effects_for_application(spec.vocabulary), dict[str, Tool]()
    for name, word in words.items():
        section = config.effects.get(name)
        if section is None:
            if not _is_rejected(config, name) and not (word.optional and not _delegates(config)):
                message = f"nothing is bound to the effect '{name}', which is for the application"
                hint = f"bind it in the configuration: effects: {{{name}: module:function}}"
                reader.problems.add(word.place, "unbound", message, hint)
            continue
        wrong = mismatch(section.function, word, call_parameter(section.function))
        if wrong:
            reader.problems.add(section.written.place_of("function"), "effect-signature", wrong)
        bound[name] = Tool(name, section.function, deadline_s=section.deadline_s)
    return bound


def check_effect_names(reader: SettingsReader, config: ConfigFile, specs: Iterable[Spec]) -> None:
    """A function for an effect that no spec of the file has is a mistake."""
    specs = tuple(specs)
    known = {name for spec in specs for name in effects_for_application(spec.vocabulary)}
    who = " or ".join(dict.fromkeys(spec.name for spec in specs))
    if specs:
        reader.check_names(
            config.written, "effects", known, f"an effect that the vocabulary of {who} has for the application"
        )


def _delegates(config: ConfigFile) -> bool:
    """Does a model give its work to the application? Then somebody must do it."""
    return any(each.delegation is not None and each.delegation.to == "client" for each in config.provider)


def _is_rejected(config: ConfigFile, name: str) -> bool:
    """Is it written, and reported as wrong?"""
    node = config.written.pairs["effects"][1] if "effects" in config.written.pairs else None
    return node is not None and node.get(name) is not None
