"""What systemd is told (Type=notify): ready, reloading, stopping, and in each watchdog interval that the loop turns.

A few lines over a datagram socket (sd_notify(3)) in place of a library: those on the registry are unmaintained or need
systemd's headers, and the protocol is a line of text. Without NOTIFY_SOCKET nothing is sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger(__name__)

_OFTEN: Final = 2
"""Beats in one watchdog interval: sd_watchdog_enabled(3) recommends half of it."""


class ServiceManager:
    """Of a process; `ready` starts the watchdog's beat in the running loop, `stopping` leaves it on until `close`."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = _watchdog_s(environment) if self._address else 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._has_failed = False

    def ready(self) -> None:
        """Calls may come; after a reload, too."""
        self._tell("READY=1")
        if self._watchdog_s and self._timer is None:
            self._beat()

    def reloading(self) -> None:
        """Until it is `ready` again. The time is for Type=notify-reload."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        """A loop that a tool holds sends none, and the service manager starts the process anew."""
        self._tell("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._watchdog_s / _OFTEN, self._beat)

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(text.encode(), address)
        except OSError as error:
            if not self._has_failed:
                log.warning("service_manager_not_told", error=error.strerror or str(error))
            self._has_failed = True


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """0: there is none, or it is another process's."""
    microseconds, of_process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (of_process and of_process != str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6
