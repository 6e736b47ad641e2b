"""What a spec says can be said: each recording and each instruction that it names is there. Never when it is said.

A spec names its own words (`prompts:`, `say:`); what they are stands beside the name or, where that is left empty, in
the configuration, which may also replace what the spec has. The rest are ours: recordings, causes of a response.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import attrs

from adapters.audio.prompt import NAMES as OUR_PROMPTS
from adapters.audio.prompt import OPENING
from adapters.audio.wav import load_wav
from adapters.providers.realtime.protocol import CAUSES
from adapters.settings.folders import reason_of
from adapters.settings.kinds import RECORDING_HZ
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import AgentSection, ConfigFile
from fsm.language.problem import Problem
from fsm.language.spec import Deadline, Emit, OwnWord, Spec

Kind = Literal["prompts", "say"]
_OURS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "prompts": tuple(name for name in OUR_PROMPTS if name != OPENING),
    "say": CAUSES,
}
_WHAT: Final[Mapping[Kind, str]] = {"prompts": "recording", "say": "instruction"}
_EXAMPLE: Final[Mapping[Kind, str]] = {"prompts": "{name}.wav", "say": "Say goodbye."}
_NO_FILES: Final[Mapping[str, Path]] = MappingProxyType({})
_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Words:
    """By name: the spec's own, and what a configuration has said instead."""

    prompts: Mapping[str, Path]
    say: Mapping[str, str]


def words_of(spec: Spec, prompts: Mapping[str, Path] = _NO_FILES, say: Mapping[str, str] = _NO_TEXTS) -> Words:
    """`prompts` and `say` are the configuration's, which go first."""
    files = {name: recording_of(word) for name, word in spec.prompts.items() if word.text}
    texts = {name: word.text for name, word in spec.say.items() if word.text}
    return Words(prompts=files | dict(prompts), say=texts | dict(say))


def unsaid(spec: Spec, words: Words | None = None) -> Iterator[Problem]:
    """Each word that nothing here knows, where it is used, and each recording of the spec that cannot be played.

    Without `words` a name that is left to the configuration is good.
    """
    for word in spec.prompts.values():
        if word.text:
            yield from _unplayable(word)
    if words is not None:
        yield from _too_long(spec, words)
    emits = {(emit.place, emit.text): emit for emit in spec.emits()}
    for emit in emits.values():
        kind = _kind(spec, emit)
        for name in emit.literals if kind is not None else ():
            if kind is None or name in _OURS[kind]:
                continue
            own: Mapping[str, object] = getattr(spec, kind)
            if name not in own:
                yield _problem(emit, kind, name, f"nobody knows the {_WHAT[kind]} '{name}'", "the spec")
            elif words is not None and name not in getattr(words, kind):
                yield _problem(emit, kind, name, f"there is no {_WHAT[kind]} '{name}'", "the spec or the configuration")


def warn_of_names(reader: SettingsReader, config: ConfigFile, specs: Mapping[str, Spec]) -> None:
    """Names of a configuration that no spec of it says are mistakes; `specs` by agent."""
    _names_known(reader, config, specs)
    for name, section in config.agents.items():
        _names_known(reader, section, {name: specs[name]} if name in specs else {})


def _names_known(reader: SettingsReader, section: ConfigFile | AgentSection, specs: Mapping[str, Spec]) -> None:
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (("prompts", OUR_PROMPTS), ("say", ()))
    for kind, ours in kinds:
        known = {*ours, *(name for spec in specs.values() for name in getattr(spec, kind))}
        who = " or ".join(dict.fromkeys(spec.name for spec in specs.values()))
        if specs:
            reader.check_names(section.written, kind, known, f"the name of any {_WHAT[kind]} of {who}")


def _kind(spec: Spec, emit: Emit) -> Kind | None:
    own = spec.vocabulary.own_words(emit.effect)
    return "prompts" if own == "prompts" else "say" if own == "say" else None


def _problem(emit: Emit, kind: Kind, name: str, message: str, where: str) -> Problem:
    example = _EXAMPLE[kind].format(name=name)
    hint = f"say what it is, in {where}: {kind}: {{{name}: {example}}}"
    return Problem(emit.place, "unsaid", f"'{emit.text}': {message}", hint)


def recording_of(word: OwnWord) -> Path:
    """Relative to the file that names it, which is how problems name that file, too."""
    return Path(word.place.file).absolute().parent / Path(word.text).expanduser()


def _too_long(spec: Spec, words: Words) -> Iterator[Problem]:
    """Recordings that go on when a deadline has taken their end for granted."""
    waits = list(_deadlines_of_prompts(spec))
    if not waits:
        return
    shortest = min(waits, key=lambda deadline: deadline.after_ms)
    for name, path in words.prompts.items():
        if name not in spec.prompts:
            continue
        try:
            lasts_ms = len(load_wav(path, RECORDING_HZ)) // 2 * 1000 // RECORDING_HZ
        except (OSError, ValueError, RuntimeError):
            continue  # which is reported
        if lasts_ms >= shortest.after_ms:
            after = f"the deadline '{shortest.name}' takes its end for granted after {shortest.after_ms / 1000:g} s"
            message = f"the recording '{name}' lasts {lasts_ms / 1000:.1f} s: {after}"
            hint = f"a longer deadline ({shortest.place}), or a shorter recording ({path})"
            yield Problem(spec.prompts[name].place, "prompt-deadline", message, hint)


def _deadlines_of_prompts(spec: Spec) -> Iterator[Deadline]:
    """Those that run while a recording plays, and for nothing else."""
    names = [name for name in spec.vocabulary.effects if spec.vocabulary.own_words(name) == "prompts"]
    slots = {spec.slot_index[slot] for name in names for slot in spec.vocabulary.effects[name].moves}
    for deadline in spec.deadlines.values():
        if deadline.condition.reads and deadline.condition.reads <= slots:
            yield deadline


def _unplayable(word: OwnWord) -> Iterator[Problem]:
    path = recording_of(word)
    try:
        load_wav(path, RECORDING_HZ)
    except (OSError, ValueError, RuntimeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
        if word.said:
            hint = f"make it of its text: turnspec prompts {word.place.file} --with 'COMMAND {{wav}} {{text}}'"
            yield Problem(word.place, "prompt", f"there is no recording '{word.text}': {reason}", hint)
            return
        hint = "a text is not read out: make a WAV of it first" if " " in word.text else "16-bit PCM, any rate"
        yield Problem(word.place, "prompt", f"the recording '{word.text}' cannot be played: {reason}", hint)
