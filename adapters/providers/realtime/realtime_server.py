"""What a server that speaks Realtime, or nearly, does otherwise: a row of servers.yaml as a value. Never which server.

Whoever reads a row reads its columns; a name is for people (docs/servers.md says where each row is from). The values
without a table are those of the protocol itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import SplitResult

import attrs

from adapters.audio.formats import PCM_24K, PCMA, PCMU, AudioFormat

Dialect = Literal["ga", "beta"]
"""The two sets of names that the protocol has: of events, and of where a session has its fields."""

FORMATS: Final[Mapping[str, AudioFormat]] = {
    "pcmu": PCMU,
    "pcma": PCMA,
    "pcm16": PCM_24K,
    "pcm16_16k": AudioFormat("pcm16", 16_000),
    "pcm16_8k": AudioFormat("pcm16", 8_000),
    "wav_16k": AudioFormat("pcm16", 16_000),
}
"""Our names of formats. `wav`: each chunk is a file of its own, with a header."""

SPELLED: Final[Mapping[Dialect, Mapping[str, object]]] = {
    "ga": {
        "pcmu": {"type": "audio/pcmu"},
        "pcma": {"type": "audio/pcma"},
        "pcm16": {"type": "audio/pcm", "rate": 24000},
    },
    "beta": {"pcmu": "g711_ulaw", "pcma": "g711_alaw", "pcm16": "pcm16"},
}

Metadata = Literal["echoed", "not_echoed", "refused"]


@attrs.frozen(kw_only=True)
class RealtimeServer:
    """A row. What a column means is said in docs/servers.md, which has this table's text from `COLUMNS`."""

    name: str = "ga"
    about: str = ""
    refused: str = ""
    matches: tuple[str, ...] = ()
    url: str = ""
    query: Mapping[str, object] = attrs.field(factory=lambda: {"model": "{model}"})
    session_query: str = ""
    no_query: tuple[str, ...] = ()
    key_header: str = "Authorization"
    key_form: str = "Bearer {key}"
    needs_key: bool = False
    headers: Mapping[str, object] = attrs.field(factory=dict)
    model: str = ""
    names: Dialect = "ga"
    fixed: Mapping[str, object] = attrs.field(factory=dict)
    paths: Mapping[str, object] = attrs.field(factory=dict)
    tools: Literal["flat", "nested"] = "flat"
    voice: Mapping[str, object] = attrs.field(factory=dict)
    audio_in: Mapping[str, object] = attrs.field(factory=dict)
    audio_out: Mapping[str, object] = attrs.field(factory=dict)
    begins: tuple[str, ...] = ("session.created",)
    never_sent: tuple[str, ...] = ()
    detection: str = ""
    detections: tuple[str, ...] = ()
    metadata: Metadata = "echoed"
    creates: Literal["options", "bare"] = "options"
    committed_by: tuple[str, ...] = ()
    calls_by: Literal["items", "arguments"] = "items"
    ids: Literal["given", "missing"] = "given"
    superseded: Literal["done", "silent"] = "done"
    busy: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    refuses: Mapping[str, object] = attrs.field(factory=dict)
    ignores: Mapping[str, object] = attrs.field(factory=dict)
    unsure: Mapping[str, object] = attrs.field(factory=dict)

    @property
    def formats_in(self) -> Mapping[str, object]:
        """What it can be sent: our name of a format, and its own."""
        return self.audio_in or SPELLED[self.names]

    @property
    def formats_out(self) -> Mapping[str, object]:
        return self.audio_out or SPELLED[self.names]

    @property
    def speaks_plainly(self) -> bool:
        """Nothing on the wire is other than the protocol has it, but for the session object."""
        plain = RealtimeServer()
        return all(getattr(self, column) == getattr(plain, column) for column in TRANSLATED)

    def is_at(self, parts: SplitResult) -> bool:
        """By the form of the URL: host, path and query against `matches`."""
        text = (parts.hostname or "").lower() + parts.path + (f"?{parts.query}" if parts.query else "")
        return any(re.fullmatch(pattern, text) for pattern in self.matches)


TRANSLATED: Final = (
    "begins", "never_sent", "metadata", "creates", "committed_by", "calls_by", "ids", "superseded", "busy", "harmless",
)  # fmt: skip
"""The columns that need an accent (accent.py) on the wire."""

GA: Final = RealtimeServer()
BETA: Final = RealtimeServer(name="beta", names="beta", headers={"OpenAI-Beta": "realtime=v1"})

COLUMNS: Final[Mapping[str, str]] = {
    "about": "what it is",
    "refused": "why no call can be held with it; the configuration is an error then",
    "matches": "patterns of host, path and query by which its URL is known",
    "url": "where it is; of a URL without a path the path is taken from here",
    "query": "what stands in the URL's query; `{model}` is the model. What your URL says itself is kept",
    "session_query": "a key of the query with an id of ours, another one for each session",
    "no_query": "keys of the query that it answers with 401",
    "key_header": "the header that the key goes into",
    "key_form": "how it stands there",
    "needs_key": "without a key it does not start",
    "headers": "further headers",
    "model": "what `model` is here: without one it does not start",
    "names": "the names of events, and the form of the session: ga | beta",
    "fixed": "fields of the session that are always sent, in place of the protocol's own",
    "paths": "where a field of the session is, if elsewhere; empty: there is no such field",
    "tools": "flat | nested: `{type, function: {name, ...}}`, as in chat completions",
    "voice": "the object around the name of a voice, which is `{voice}` in it",
    "audio_in": "what it can be sent: our name of the format, and its own",
    "audio_out": "what it sends",
    "begins": "the events of which the first is the session; empty: none comes, and the open socket is one",
    "never_sent": "client events that it does not know, or answers with an error",
    "detection": "turn detection is off by default: this kind is sent where nothing is configured",
    "detections": "the kinds of turn detection that it knows; empty: as the protocol has them",
    "metadata": "of a response: echoed | not_echoed | refused",
    "creates": "options | bare: `response.create` takes none; instructions go before it as a system message",
    "committed_by": "no `input_audio_buffer.committed`: the first of these of a turn stands for it",
    "calls_by": "items | arguments: a call is only in `response.function_call_arguments.done`",
    "ids": "given | missing: deltas come without `item_id` or `response_id`",
    "superseded": "done | silent: a response that another one takes the place of has no `response.done`",
    "busy": "words in an error's code or message that say: a response is active already",
    "harmless": "words in an error's code or message of which nothing comes",
    "refuses": "keys of the configuration that it answers with an error, and why",
    "ignores": "keys of the configuration that have no effect, and why",
    "unsure": "columns that nobody of us has seen, and what could be otherwise",
}
