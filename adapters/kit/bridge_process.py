"""A bridge under test as a process of its own: started, waited for until it listens, ended with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fsm.errors import RemoteError

STARTS_S = 20.0
ENDS_S = 5.0
_POLL_S = 0.05
_TAIL_BYTES = 4_000
_LISTEN = "0A"


class BridgeStartError(RemoteError, RuntimeError):
    """The bridge did not come to listen: what it printed last."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at the moment."""
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def is_listening(host: str, port: int) -> bool:
    """Looked up where the system tells it: for a telephone line, a connection on trial is a call."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if any(table.exists() for table in tables):
        lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
        return any(line[3] == _LISTEN and int(line[1].rpartition(":")[2], 16) == port for line in lines)
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
        return True
    return False


class BridgeProcess:
    """`with BridgeProcess([sys.executable, "bridge.py"], port=9019, env={...}) as bridge: bridge.address`.

    `env` comes on top of this process's own. It is ready when it listens on `port`.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        port: int,
        host: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        starts_within_s: float = STARTS_S,
    ) -> None:
        self.host, self.port = host, port
        self._starts_within_s = starts_within_s
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        try:
            self._process = subprocess.Popen(
                [str(each) for each in command], env={**os.environ, **(env or {})}, cwd=cwd, stdin=subprocess.DEVNULL,
                stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._output.close()
            raise BridgeStartError(f"{command[0]}: {error.strerror}") from None
        try:
            self._await_listening()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """HOST:PORT"""
        return f"{self.host}:{self.port}"

    @property
    def output(self) -> str:
        """The last that it printed."""
        if self._output.closed:
            return ""
        handle = self._output.fileno()
        begin = max(0, os.fstat(handle).st_size - _TAIL_BYTES)
        return os.pread(handle, _TAIL_BYTES, begin).decode("utf-8", "replace")

    def close(self) -> None:
        """SIGTERM to it and its children, then SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDS_S)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_listening(self) -> None:
        until_s = time.monotonic() + self._starts_within_s
        while True:
            if self._process.poll() is not None:
                raise BridgeStartError(f"the bridge ended with {self._process.returncode}:\n{self.output}")
            if is_listening(self.host, self.port):
                return
            if time.monotonic() > until_s:
                raise BridgeStartError(
                    f"nobody listens on {self.address} after {self._starts_within_s:g} s:\n{self.output}"
                )
            time.sleep(_POLL_S)
