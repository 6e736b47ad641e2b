"""The client side of the Realtime wire: settings, codec, endpoint and one connection. Never a decision about turns.

session.py     what a session is to be, and its `session` object in either dialect
protocol.py    effects to wire events, wire text to decoded events; bytes and dicts only, no socket
endpoint.py    where to connect and with which headers; the only holder of a secret
endings.py     which ends of a connection, or failures to open one, it makes sense to retry
connection.py  one session's socket: bytes out without a task, facts in
provider.py    all of it as the `Provider` that a call knows (adapters.providers.provider)
"""

from typing import Final

CAUSES: Final = ("greeting", "turn", "tools", "say")
"""Why we ask for a response; any other is an instruction of the spec's own."""
