"""Ears for what a process complains of, for the time of a test: pytest has hooks of its own."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator

import structlog

from tools.campaign.complaints import Complaints


@contextlib.contextmanager
def heard() -> Iterator[Complaints]:
    root, hook = logging.getLogger(), sys.unraisablehook
    handlers, level = list(root.handlers), root.level
    complaints = Complaints()
    with warnings.catch_warnings():
        complaints.listen()
        try:
            yield complaints
        finally:
            logging.captureWarnings(False)
            sys.unraisablehook = hook
            root.handlers[:] = handlers
            root.setLevel(level)
            structlog.reset_defaults()
