"""How many files and sockets the process may open, against what its calls need. Source: getrlimit(2)."""

from __future__ import annotations

import resource
from typing import Final

import structlog

log = structlog.get_logger(__name__)

OF_A_CALL: Final = 4
"""The caller, the provider, and a connection of each that is still closing."""
OF_THE_PROCESS: Final = 100
"""Listeners, the loop, threads, logs, tools' own connections, callers who are being turned away."""


def needed(calls: int, files_of_a_call: int) -> int:
    """Descriptors of a process with so many calls, each with so many files (journal, recording)."""
    return calls * (OF_A_CALL + files_of_a_call) + OF_THE_PROCESS


def make_room(descriptors: int) -> str:
    """Raises the soft limit where it must be. Why that is not possible; "" if there is room now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= descriptors:
        return ""
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        return f"that needs {descriptors} file descriptors, and this process may have {hard} (ulimit -Hn)"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    except (OSError, ValueError) as error:
        return f"that needs {descriptors} file descriptors, and the limit of {soft} cannot be raised: {error}"
    log.info("descriptors_raised", before=soft, now=descriptors)
    return ""
