"""The configuration of `turnspec serve`: one YAML file as typed values, or every problem with its place. Never acts.

Keys, all optional: spec, listen {audiosocket, allow}, provider {url, model, api_key, dialect, voice, instructions,
format, turn_detection, transcription}, greeting, talk_key, tools, journal {dir}, recording {dir}, limits, log {format,
level, wire}. turnspec.example.yaml explains each. Paths are relative to the file. `${NAME}` and `${NAME:-default}` are
expanded in every value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from adapters.call.settings import CallSettings
from adapters.lines.audiosocket.settings import AudioSocketSettings
from adapters.logs import LogSettings, Redactor
from adapters.settings.reader import SettingsReader
from adapters.settings.sections import SectionsReader
from adapters.specs import display_path
from fsm.language.problem import Place, Problem, Problems, SpecError
from fsm.language.source import read
from fsm.language.spec import Spec


@attrs.frozen(kw_only=True)
class Settings:
    """All that a server needs. Printing it shows no secret; `secrets` are for logs.Redactor alone."""

    file: str
    spec: Spec
    spec_digest: str
    """As fsm.journal.journal.digest makes it: which text of the spec a journal belongs to."""
    call: CallSettings
    audiosocket: AudioSocketSettings
    log: LogSettings
    shutdown_s: float
    """How long live calls may take to end politely when the server is asked to stop."""
    tool_threads: int
    listen_place: Place
    """Where the address to listen on was written, for an error about it."""
    warnings: tuple[Problem, ...] = ()
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks a configuration file, its spec and its tools. Raises SpecError with every problem, no secret."""
    environment = os.environ if environment is None else environment
    problems = Problems()
    reader = SettingsReader(problems, environment)
    sections = None
    text = _text(path)
    try:
        root = read(text, display_path(path), problems)
        if root.pairs is None:
            problems.add(root.place, "type", f"a configuration is a mapping, this is a {root.kind}")
        else:
            sections = SectionsReader(reader, root, path.resolve().parent)
            sections.read()
    except SpecError as error:
        problems.adopt(SpecError(_explained(each, text) for each in error.problems))
    secrets = _secrets(environment, reader, sections)
    clean = [_without_secrets(problem, Redactor(secrets)) for problem in problems]
    if sections is None or problems.errors:
        raise SpecError(clean)
    return _settings(sections, tuple(clean), secrets)


def _settings(sections: SectionsReader, warnings: tuple[Problem, ...], secrets: tuple[str, ...]) -> Settings:
    assert sections.provider is not None and sections.spec is not None  # or there was a problem
    endpoint, session = sections.provider
    call = CallSettings(endpoint=endpoint, session=session, tools=sections.tools, **sections.call)
    return Settings(
        file=sections.file,
        spec=sections.spec,
        spec_digest=sections.spec_digest,
        call=call,
        audiosocket=AudioSocketSettings(**sections.audiosocket),
        log=LogSettings(**sections.log),
        shutdown_s=sections.shutdown_s,
        tool_threads=sections.tool_threads,
        listen_place=sections.listen_place,
        warnings=warnings,
        secrets=secrets,
    )


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MAX_CHARS + 1)  # not more: it may be a device
        if len(text) > _MAX_CHARS:
            raise OSError(0, f"it is longer than {_MAX_CHARS} characters")
        return text
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        message = f"the configuration cannot be read: {reason}"
        raise SpecError([Problem(Place(display_path(path), 1, 1), "no-file", message)]) from None


def _explained(problem: Problem, text: str) -> Problem:
    """YAML's own words say little to whoever wrote `{api_key: ${KEY}}`: a plain text in { } may hold no { itself."""
    line = "".join(text.splitlines()[problem.place.line - 1 : problem.place.line])
    if problem.code != "yaml":
        return problem
    if "${" in line:
        return attrs.evolve(problem, hint="""inside { } and [ ] write "${NAME}" in quotes""")
    if _BEGINS_ODDLY.search(line):
        return attrs.evolve(problem, hint="quote what begins with *, &, %, @ or `")
    return problem


_BEGINS_ODDLY: Final = re.compile(r"[:\-,\[{]\s*[*&%@`]")
_MAX_CHARS: Final = 1_000_000
_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def _secrets(
    environment: Mapping[str, str], reader: SettingsReader, sections: SectionsReader | None
) -> tuple[str, ...]:
    """The key, and every variable that was asked for and is called like one."""
    named = {value for name, value in reader.used.items() if any(word in name.upper() for word in _SECRET_NAMES)}
    named.add(environment.get("OPENAI_API_KEY", ""))
    if sections is not None:
        named.add(sections.secret)
    return tuple(sorted((text.strip() for text in named if text.strip()), key=len, reverse=True))


def _without_secrets(problem: Problem, redactor: Redactor) -> Problem:
    message, hint = redactor.text(problem.message), redactor.text(problem.hint)
    return attrs.evolve(problem, message=message, hint=hint, trail=tuple(map(redactor.text, problem.trail)))
