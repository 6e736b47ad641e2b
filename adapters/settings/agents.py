"""The agents of a configuration: each is the file itself with its own words, voice, tools and spec laid over it.

What an agent does not say, the file says; the file without any of them is the agent `default`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from adapters.call.words import unfilled
from adapters.settings.reader import SettingsReader, Written
from adapters.settings.sections import DEFAULT_AGENT, AgentSection, ConfigFile, PromptsSection, ProviderSection

_OF_THE_PROVIDER: Final = ("instructions", "voice")
_OF_EACH: Final = ("voice",)
"""What a further provider has of its own, or not at all."""
_OF_THE_CALL: Final = ("spec", "greeting", "talk_key", "turns", "tools", "call_tools")


def agent_files(reader: SettingsReader, config: ConfigFile) -> Iterator[tuple[str, tuple[str, ...], ConfigFile]]:
    """Each agent: its name, the numbers that are its own, and the file as it would stand for it alone."""
    yield DEFAULT_AGENT, (), config
    numbers: dict[str, str] = {}
    for name, section in config.agents.items():
        for number in section.numbers:
            if number in numbers:
                message = f"'{number}' is already the number of agent '{numbers[number]}'"
                reader.problems.add(section.written.place_of("numbers"), "two-meanings", message)
            numbers[number] = name
        yield name, section.numbers, _laid_over(config, section)


def warn_of_places(reader: SettingsReader, config: ConfigFile) -> None:
    """`{calller_id}` would be read out to the model as it stands."""
    texts: tuple[tuple[str, Written, str], ...] = ((config.greeting, config.written, "greeting"),)
    texts += tuple((each.instructions or "", each.written, "instructions") for each in config.provider)
    texts += tuple((text, config.written, "say") for text in config.say.values())
    for text, written, key in texts:
        for word in dict.fromkeys(unfilled(text)):
            hint = "known are {caller_id}, {dialled}, {call_id}, {agent} and {call.NAME}"
            reader.problems.warn(written.place_of(key), "unknown-name", f"'{{{word}}}' is not filled in", hint)


def _laid_over(config: ConfigFile, agent: AgentSection) -> ConfigFile:
    return attrs.evolve(
        config,
        **_written_of(agent, _OF_THE_CALL),
        provider=tuple(_provider(each, agent, index) for index, each in enumerate(config.provider)),
        prompts=_prompts(config.prompts, agent.prompts),
        say={**config.say, **agent.say},
        journal=config.journal if agent.journal else attrs.evolve(config.journal, dir=None),
        recording=config.recording if agent.recording else attrs.evolve(config.recording, dir=None),
        written=_merged(config.written, agent.written, _OF_THE_CALL),
    )


def _provider(section: ProviderSection, agent: AgentSection, index: int) -> ProviderSection:
    """A voice that stands with a further provider stays: the agent's may be one that only the first has."""
    keys = tuple(key for key in _OF_THE_PROVIDER if index == 0 or key not in (*_OF_EACH, *section.written.pairs))
    return attrs.evolve(section, **_written_of(agent, keys), written=_merged(section.written, agent.written, keys))


def _written_of(agent: AgentSection, keys: tuple[str, ...]) -> Mapping[str, Any]:
    return {key: getattr(agent, key) for key in keys if key in agent.written.pairs}


def _prompts(whole: PromptsSection, own: PromptsSection) -> PromptsSection:
    more = {**whole.more, **own.more}
    return attrs.evolve(whole, more=more, **{key: getattr(own, key) for key in own.written.pairs})


def _merged(outer: Written, inner: Written, keys: tuple[str, ...]) -> Written:
    pairs = {key: pair for key, pair in inner.pairs.items() if key in keys}
    rejected = (outer.rejected - pairs.keys()) | (inner.rejected & set(keys))
    return attrs.evolve(outer, pairs={**outer.pairs, **pairs}, rejected=rejected)
