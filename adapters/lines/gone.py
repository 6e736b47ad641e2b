"""Why a line ended: the reasons that a call, its log and its summary know."""

from __future__ import annotations

from enum import StrEnum


class Gone(StrEnum):
    CALLER_HUNG_UP = "caller_hung_up"
    """Over AudioSocket FIN and RST are the same: Asterisk's kernel decides which one a hang-up is."""
    HUNG_UP = "hung_up"
    PEER_NOT_READING = "peer_not_reading"
    HANDLER_FAILED = "handler_failed"
    SERVER_CLOSING = "server_closing"
    REFUSED = "refused"
    CONNECTION_LOST = "connection_lost"
    """Neither side said that the call was over; a line that cannot tell says that the caller hung up."""
