"""An Asterisk of one's own: in a folder that is thrown away, with our dialplans, and what it has executed as lines."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final

import attrs

_EXECUTED: Final = re.compile(r'Executing \[(.+?)@(.+?):\d+\] (\w+)\("[^"]*", "(.*)"\)')
_FOLDER: Final = re.compile(r"^\s*(ast\w+)\s*=>\s*(\S+)", re.MULTILINE)
_KEPT: Final = ("astmoddir", "astdatadir", "astvarlibdir", "astagidir")
_BOOT_S: Final = 60.0
TRY_CONTEXTS: Final = """
[try]
exten => hello,1,Answer()
 same => n,Wait(0.5)
 same => n,Playback(hello-world)
 same => n,Wait(30)
exten => unanswered,1,TryExec(AudioSocket(${UUID()},127.0.0.1:9019))
 same => n,Hangup()
exten => not-allowed,1,Answer()
 same => n,TryExec(AudioSocket(${UUID()},127.0.0.1:9018))
 same => n,NoOp(${TRYSTATUS})
exten => g711,1,Dial(AudioSocket/127.0.0.1:9019/${UUID()}/c(ulaw),30,g)
"""
_FILES: Final = {
    "modules.conf": "[modules]\nautoload = yes\n",
    "logger.conf": "[general]\n[logfiles]\nfull => notice,warning,error,verbose\n",
    "queues.conf": "[general]\n[support]\nstrategy = ringall\njoinempty = no\n",
    "amd.conf": "[general]\n",
    "http.conf": "[general]\nenabled = no\n",
    "cdr.conf": "[general]\nenable = yes\n",
    "websocket_client.conf": (
        "[agent]\ntype = websocket_client\nconnection_type = per_call_config\nuri = ws://127.0.0.1:9020/media\n"
        "protocols = media\n"
    ),
}


@attrs.frozen
class Executed:
    """An application of the dialplan."""

    where: str
    """EXTENSION@CONTEXT"""
    what: str
    """APP(ARGUMENTS)"""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def command() -> list[str] | None:
    """How to start it; None: there is none. ASTERISK_ROOT is the root of another system, with Asterisk in it."""
    root = os.environ.get("ASTERISK_ROOT", "")
    if root:
        return ["chroot", root, "asterisk"] if (Path(root) / "usr/sbin/asterisk").exists() else None
    return ["asterisk"] if shutil.which("asterisk") else None


class AsteriskBox:
    """Started by `with`, and gone after it."""

    def __init__(self, command: list[str], dialplan: str) -> None:
        self._command = command
        self._dialplan = dialplan
        self._root = Path(os.environ.get("ASTERISK_ROOT", "/"))

    def __enter__(self) -> AsteriskBox:
        self._folder = Path(tempfile.mkdtemp(prefix="turnspec-asterisk-", dir=self._root / "tmp"))
        inside = Path("/") / self._folder.relative_to(self._root)
        kept = [f"{key} => {path}" for key, path in self._system_folders().items()]
        own = [f"ast{name}dir => {inside}/{name}" for name in ("etc", "db", "key", "spool", "run", "log")]
        for name in ("etc", "db", "key", "spool", "run", "log"):
            (self._folder / name).mkdir()
        main = "\n".join(["[directories]", *kept, *own, "[options]", "verbose = 5", "nocolor = yes", ""])
        files = {**_FILES, "asterisk.conf": main, "extensions.conf": self._dialplan + TRY_CONTEXTS}
        for name, text in files.items():
            (self._folder / "etc" / name).write_text(text, encoding="utf-8")
        self._config = str(inside / "etc/asterisk.conf")
        self._process = subprocess.Popen(
            [*self._command, "-C", self._config, "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_booted()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def say(self, line: str) -> str:
        """A command of its console."""
        asked = [*self._command, "-C", self._config, "-rx", line]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=40, check=False)
        return done.stdout + done.stderr

    @property
    def is_quiet(self) -> bool:
        return "0 active channels" in self.say("core show channels count")

    def executed(self) -> list[Executed]:
        """All that dialplans have done so far."""
        log = self._folder / "log/full"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        found = (_EXECUTED.search(line) for line in text.splitlines())
        return [Executed(f"{each[1]}@{each[2]}", f"{each[3]}({each[4]})") for each in found if each is not None]

    def _system_folders(self) -> dict[str, str]:
        config = self._root / "etc/asterisk/asterisk.conf"
        found = dict(_FOLDER.findall(config.read_text(encoding="utf-8"))) if config.exists() else {}
        return {key: path for key, path in found.items() if key in _KEPT}

    def _wait_until_booted(self) -> None:
        until = time.monotonic() + _BOOT_S
        while "fully booted" not in self.say("core waitfullybooted"):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("Asterisk does not start: try `asterisk -fvvv` by hand")
            time.sleep(0.5)
