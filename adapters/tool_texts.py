"""What the model reads of a tool: its result or its failure as one text. A tool's own process imports this, too."""

from __future__ import annotations

from typing import Final

import orjson

MAX_OUTPUT_BYTES: Final = 64 * 1024


def output_text(result: object) -> str:
    """A text as it is, everything else as JSON, cut to a bound."""
    if not isinstance(result, str):
        try:
            result = orjson.dumps(result, default=str).decode()
        except TypeError as error:
            return error_text(f"the tool's result cannot be written as JSON: {error}")
    encoded = result.encode("utf-8", "replace")
    if len(encoded) > MAX_OUTPUT_BYTES:
        return encoded[:MAX_OUTPUT_BYTES].decode("utf-8", "ignore") + " ... (cut)"
    return result


def error_text(message: str) -> str:
    return orjson.dumps({"error": message}).decode()


def words_of(error: BaseException) -> str:
    """What an exception says, where that does not fail as well."""
    try:
        return str(error)
    except Exception:
        return ""
