"""What to say where nothing could be read: which forms are read, and what to switch on in which client."""

from __future__ import annotations

from typing import Final

FORMS: Final = (
    "turnspec journals",
    "JSON lines, arrays and objects with the events in them, up to 12 levels deep: wrapped, escaped, flattened, a HAR",
    "spans and logs of OpenTelemetry (OTLP as JSON)",
    "cassettes in YAML, up to 16 MiB",
    "text with events as JSON, or as Python, pydantic, Node, Go, Ruby, Swift and Objective-C print them",
    "lists of event names; the words of well-known bridges",
)
SWITCHES: Final = (
    ("Python with websockets", "logging.getLogger('websockets').setLevel('DEBUG'), and WEBSOCKETS_MAX_LOG_SIZE=100000"),
    ("openai (Python)", "OPENAI_LOG=debug"),
    ("LiveKit agents", "LK_OPENAI_DEBUG=1"),
    ("pipecat", "LOGURU_LEVEL=TRACE, and the switch of websockets above"),
    ("OpenAI agents (JavaScript)", "DEBUG=openai-agents*"),
    ("Twilio's samples", "console.log(JSON.stringify(event)) where they receive and where they send"),
    ("a browser", "the network panel of its developer tools, the socket, save all as HAR"),
    ("turnspec", "journal: {dir: FOLDER} in the configuration"),
)


def nothing_read(log: str, form: str, first: tuple[int, str] | None) -> str:
    """Why there is no report of a log, and what to do."""
    seen = f"; the first line that was not understood is line {first[0]}: {first[1]}" if first is not None else ""
    width = max(len(name) for name, _ in SWITCHES)
    return "\n".join(
        (
            f"{log}: no event of a Realtime conversation was found (read as {form}){seen}",
            "What is read: " + "; ".join(FORMS) + ".",
            "What makes a client log its events:",
            *(f"  {name:{width}}  {how}" for name, how in SWITCHES),
        )
    )
