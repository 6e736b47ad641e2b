"""The client side of the Realtime wire: settings, codec, endpoint and one connection. Never a decision about turns.

session.py     what a session is to be, and its `session` object in either dialect
protocol.py    effects to wire events, wire text to decoded events; bytes and dicts only, no socket
codec.py       what is said and read on one session's socket (adapters.providers.connection), with a server's accent
endpoint.py    where a server of the table is, and its headers
provider.py    all of it as the `Provider` that a call knows (adapters.providers.provider)
"""

from typing import Final

CAUSES: Final = ("greeting", "turn", "tools", "say")
"""Why we ask for a response; any other is an instruction of the spec's own."""
