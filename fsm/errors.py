"""The errors of the product, divided by whose fault they are, as h11 does. Every room derives its own from these.

`except TurnspecError` is all that can be wrong; a bug of turnspec's own is none of these and is raised as it is.
"""

from __future__ import annotations


class TurnspecError(Exception):
    """What turnspec raises on purpose."""


class LocalError(TurnspecError):
    """What is wrong is on this side: a spec, a journal, a setting, or how a function was called."""


class RemoteError(TurnspecError):
    """What is wrong is on the other side of a connection: the provider, the telephone line, a tool."""
