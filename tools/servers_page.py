"""docs/servers.md: its words, and the tables that are made of servers.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from adapters.providers.realtime.realtime_server import COLUMNS, RealtimeServer
from adapters.settings.servers import bundled_servers

_WORDS: Final = """\
# Servers

Written by `python -m tools.pages servers` from
[servers.yaml](../adapters/providers/realtime/servers.yaml); `make drift` checks that it is fresh. What is known of each
server, with sources, is in [facts/compatible_servers.md](facts/compatible_servers.md). **None of them but OpenAI and Azure
has been reached by us**: a row is what is written of a server, and `turnspec serve --check --probe` is how you find out.

```yaml
provider:
  url: wss://api.x.ai/v1/realtime          # its row is found by the URL, and named in the log (`ready`) and by --check
  # server: xai                            # or named here
  api_key: ${XAI_API_KEY}
```

A server of your own network has no address that tells what it is: name its row, or `ga` or `beta` (the names it has for
events). What differs is a column; code reads columns and never the name of a server. Keys of the configuration that a
server refuses are errors at start, keys without an effect warnings, and so are formats: `format` is `pcmu` where a server
takes it, else PCM at the rate it takes, which may be another one in each direction.

`turnspec simulate provider --like SERVER` plays a row; the demo's call (six turns, keys, two tools at once, a barge-in) is
held over each of them by the suite. What nobody of us has seen is in `unsure`, and `--but COLUMN=VALUE` plays the server as
it could be otherwise: `--like xai --but metadata=refused`.

## Rows of your own

```yaml
servers:                                   # or the path of a file of them: servers: servers.yaml
  mine: {like: beta, matches: ['voice\\.example\\.com(/.*)?'], metadata: not_echoed, never_sent: [conversation.item.truncate]}
provider: {url: wss://voice.example.com/v1/realtime}
```

A row that is called like one of ours takes its place. What no column says can be said to the session with `provider.extra`,
which is laid over it as it is.

## Several providers

```yaml
provider:
  - {url: wss://api.openai.com/v1/realtime, api_key: "${OPENAI_API_KEY}", instructions: You are ...}
  - {url: wss://RESOURCE.openai.azure.com, model: my-deployment, api_key: "${AZURE_KEY}", voice: alloy}
limits: {provider_failures: 3}
```

A call begins with the first one. When its session is lost, or does not come to be in time, the spec reconnects as it
always does, and the next provider is taken: the conversation moves along (`restored_answers`), whatever the formats. A
refusal that no retry repairs (key, quota, model) is told to the caller only where there is no other provider. Whoever comes
later in the list is told the instructions of the first unless it has its own; of the environment only the first one is
given a key.

`limits.provider_failures` of them within 30 s, or one refusal that no retry repairs, and new calls pass the provider over, so
that an outage costs each caller nothing. After 30 s one call tries it again and decides. Where every provider refuses for
want of a key or of quota, calls are not taken (`refused:no_provider`), so that the dialplan goes on, and `GET /readyz` says
`no_provider`; where one is passed over while calls go on, it says so as `degraded`. The metric is
`turnspec_provider_circuit{provider}`: 0 calls go there, 1 one may try, 2 passed over. All of it is of one process: with
`serve.workers` each finds out for itself.

## The table

"""
_FORMAT_COLUMNS: Final = ("audio_in", "audio_out")
_FIRST: Final = ("about", "refused", "unsure", "matches")


def servers_page() -> str:
    """The whole page."""
    rows = bundled_servers().values()
    held = [row for row in rows if not row.refused]
    lines = [
        *_table(("server", "what it is", "address", "names", "sent", "sends"), map(_summary, held)),
        "", "## What each does otherwise", "",
        *(line for row in held for line in _otherwise(row)),
        "## No call can be held with", "",
        *(f"- `{row.name}`: {row.about}. {row.refused[:1].upper()}{row.refused[1:]}." for row in rows if row.refused),
        "", "## Columns", "",
        *_table(("column", "meaning"), ((f"`{name}`", about) for name, about in COLUMNS.items())),
    ]  # fmt: skip
    return _WORDS + "\n".join(lines) + "\n"


def _summary(row: RealtimeServer) -> tuple[str, ...]:
    address = f"`{row.url}`" if row.url else "yours"
    return (f"`{row.name}`", row.about, address, row.names, ", ".join(row.formats_in), ", ".join(row.formats_out))


def _otherwise(row: RealtimeServer) -> Iterator[str]:
    plain = RealtimeServer()
    named = (*_FIRST, "name", "url", "names", *_FORMAT_COLUMNS)
    columns = [each.name for each in attrs.fields(RealtimeServer) if each.name not in named]
    told = [f"`{name}`: {_shown(getattr(row, name))}" for name in columns if getattr(row, name) != getattr(plain, name)]
    told += [f"not seen by us: {why} (`{column}`)" for column, why in row.unsure.items()]
    if told:
        yield f"- **{row.name}**: " + "; ".join(told) + "."
        yield ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"`{json.dumps(dict(value))}`" if value else "nothing"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value) or "nothing"
    return f"`{value}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
