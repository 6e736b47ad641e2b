"""The sections of a configuration file but the provider's: addresses, folders, limits, logs. Opens none of them.

Every number has its bounds here, in one table, so that a limit of a configuration is a limit.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

from adapters.call.settings import CallLimits
from adapters.lines.audiosocket.protocol import DIGITS
from adapters.providers.realtime.connection import Limits
from adapters.providers.realtime.endpoint import Endpoint
from adapters.providers.realtime.session import SessionSettings
from adapters.settings.compat import incompatibilities
from adapters.settings.folders import reason_of, unusable
from adapters.settings.provider import ProviderReader
from adapters.settings.reader import SettingsReader
from adapters.settings.tools import read_tools
from adapters.specs import BUNDLED, display_path, fetcher
from adapters.specs import spec_path as bundled_path
from adapters.tools import Tool
from fsm.journal.journal import digest
from fsm.language.loader import load
from fsm.language.problem import SpecError, suggestion
from fsm.language.source import Node
from fsm.language.spec import Spec

# Of `limits`: where the number goes, its kind, least and most.
LIMITS: Final[Mapping[str, tuple[str, str, float, float]]] = {
    "calls": ("audiosocket.max_connections", "whole", 1, 100_000),
    "handshake_s": ("audiosocket.handshake_deadline_s", "real", 0.1, 60),
    "hang_up_s": ("audiosocket.hang_up_deadline_s", "real", 0.1, 60),
    "mailbox_events": ("call.mailbox_events", "whole", 16, 1_000_000),
    "caller_audio_kept_ms": ("call.caller_audio_kept_ms", "whole", 0, 60_000),
    "agent_audio_queued_ms": ("call.agent_audio_queued_ms", "whole", 1_000, 3_600_000),
    "silence_hold_ms": ("call.silence_hold_ms", "whole", 100, 60_000),
    "silence_threshold_dbfs": ("call.silence_threshold_dbfs", "real", -90, 0),
    "connect_s": ("provider.open_s", "real", 0.1, 60),
    "ping_interval_s": ("provider.ping_interval_s", "real", 1, 600),
    "ping_timeout_s": ("provider.ping_timeout_s", "real", 1, 600),
    "tool_threads": ("server.tool_threads", "whole", 1, 1_000),
    "shutdown_s": ("server.shutdown_s", "real", 0, 3_600),
}
LEVELS: Final = ("debug", "info", "warning", "error")
_SECTIONS: Final = (
    "spec", "listen", "provider", "greeting", "talk_key", "tools", "journal", "recording", "limits", "log"
)  # fmt: skip
_ADDRESS: Final = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_HANG_UP_MARGIN_S: Final = 3.0


class SectionsReader:
    """One use: `read()`, then the attributes hold what was found."""

    def __init__(self, reader: SettingsReader, root: Node, folder: Path) -> None:
        self._reader = reader
        self._root = root
        self._folder = folder
        self.file = root.place.file
        self.spec: Spec | None = None
        self.spec_digest = ""
        self.provider: tuple[Endpoint, SessionSettings] | None = None
        self.secret = ""
        self.tools: dict[str, Tool] = {}
        self.call: dict[str, Any] = {}
        self.audiosocket: dict[str, Any] = {}
        self.log: dict[str, Any] = {}
        self.listen_place = root.place
        self.shutdown_s = 10.0
        self.tool_threads = 32

    def read(self) -> None:
        reader = self._reader
        found = reader.mapping(self._root, _SECTIONS)
        self._spec(found.get("spec"))
        self.tools = read_tools(reader, found.get("tools"), self._folder)
        provider = ProviderReader(reader, self._root, self.spec)
        self.provider = provider.read(list(self.tools.values()))
        self.secret = provider.secret
        reader.section(found.get("listen"), {"audiosocket": self._listen, "allow": self._allow})
        reader.section(found.get("journal"), {"dir": lambda node: self._dir("journal_dir", node)})
        reader.section(found.get("recording"), {"dir": lambda node: self._dir("recording_dir", node)})
        reader.section(found.get("log"), {"format": self._log_format, "level": self._log_level, "wire": self._log_wire})
        if "greeting" in found:
            self.call["greeting"] = reader.text(found["greeting"]).strip() or None
        if "talk_key" in found:
            self.call["talk_key"] = reader.choice(found["talk_key"], tuple(sorted(DIGITS))) or "*"
        self._limits(found.get("limits"))
        self._check_fit(found.get("spec"))
        self._warn_of_open_port(found.get("listen"))

    # --- spec ---------------------------------------------------------------------------------------------------------

    def _spec(self, node: Node | None) -> None:
        name = self._reader.filled(node) if node is not None else "server_vad"
        if name is None:
            return
        path = bundled_path(name) if name in BUNDLED else self._path(name)
        place = node.place if node is not None else self._root.place
        texts: list[str] = []
        fetch = fetcher(path.parent)

        def fetched(reference: str) -> tuple[str, str]:
            text, file = fetch(reference)
            texts.append(text)
            return text, file

        try:
            texts.append(path.read_text(encoding="utf-8"))
            self.spec = load(texts[0], display_path(path), fetched).spec
            self.spec_digest = digest(texts)
        except (OSError, ValueError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else reason_of(error)
            hint = suggestion(name, BUNDLED) + "; or the path of a file"
            self._reader.problems.add(place, "no-file", f"the spec cannot be read: {reason}", hint)
        except SpecError as error:
            self._reader.problems.adopt(error)

    def _check_fit(self, node: Node | None) -> None:
        if self.spec is not None:
            place = node.place if node is not None else self._root.place
            for complaint in incompatibilities(self.spec, self.call.get("greeting") is not None):
                self._reader.problems.add(place, "spec-fit", f"spec {self.spec.name}: {complaint}")

    # --- listen -------------------------------------------------------------------------------------------------------

    def _listen(self, node: Node) -> None:
        self.listen_place = node.place
        text = self._reader.expanded(node)
        if text is None:
            return
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 65535 or not _is_address(match["six"]):
            hint = "e.g. 127.0.0.1:9019, 0.0.0.0:9019 or [::1]:9019"
            self._reader.tell(node, "address", "host:port is expected here", hint)
            return
        self.audiosocket |= {"host": match["six"] or match["host"], "port": int(match["port"])}

    def _allow(self, node: Node) -> None:
        networks = []
        for item in self._reader.listed(node):
            text = self._reader.filled(item)
            if text is None:
                continue
            try:
                networks.append(ip_network(text))
            except ValueError:
                hint = "e.g. 192.0.2.7 or 10.0.0.0/8 (no bits set behind the mask)"
                self._reader.tell(item, "address", "an address or a network is expected here", hint)
        self.audiosocket["allowed_peers"] = tuple(networks)

    def _warn_of_open_port(self, node: Node | None) -> None:
        host = self.audiosocket.get("host", "127.0.0.1")
        if node is None or self.audiosocket.get("allowed_peers") or _is_loopback(host):
            return
        message = "AudioSocket has no authentication: whoever reaches this port can call"
        self._reader.problems.warn(
            self.listen_place, "open-port", message, "name your Asterisk: listen.allow: [ADDRESS]"
        )

    # --- folders, limits, logs ----------------------------------------------------------------------------------------

    def _dir(self, name: str, node: Node) -> None:
        text = self._reader.filled(node)
        if text is None:
            return
        path = self._path(text)
        complaint = unusable(path)
        if complaint:
            self._reader.tell(node, "no-folder", complaint)
        self.call[name] = path

    def _path(self, text: str) -> Path:
        """Relative to the file; a home that is not there stays as it is written, and is not found."""
        path = Path(text)
        with contextlib.suppress(RuntimeError):
            path = path.expanduser()
        return self._folder / path

    def _limits(self, node: Node | None) -> None:
        found = self._reader.mapping(node, tuple(LIMITS)) if node is not None and node.text != "" else {}
        values: dict[str, dict[str, Any]] = {"audiosocket": {}, "call": {}, "provider": {}, "server": {}}
        for key, item in found.items():
            target, kind, least, most = LIMITS[key]
            room, _, field = target.partition(".")
            value = (
                self._reader.whole(item, int(least), int(most))
                if kind == "whole"
                else self._reader.real(item, least, most)
            )
            if value is not None:
                values[room][field] = value
        self.audiosocket |= values["audiosocket"]
        deadline_s = values["audiosocket"].get("hang_up_deadline_s")
        if deadline_s is not None:  # what waits for the line must wait longer than the line itself
            values["call"]["hang_up_s"] = deadline_s + _HANG_UP_MARGIN_S
        self.call["limits"] = CallLimits(**values["call"])
        self.call["provider_limits"] = Limits(**values["provider"])
        self.tool_threads = values["server"].get("tool_threads", self.tool_threads)
        self.shutdown_s = values["server"].get("shutdown_s", self.shutdown_s)
        self._warn_of_short_hold(found.get("silence_hold_ms"))

    def _warn_of_short_hold(self, node: Node | None) -> None:
        detection = self.provider[1].turn_detection if self.provider is not None else None
        waits = detection.get("silence_duration_ms") if isinstance(detection, Mapping) else None
        hold_ms = self.call["limits"].silence_hold_ms
        if isinstance(waits, int | float) and waits >= hold_ms:
            message = f"turns would be cut: the provider waits {waits} ms for the end of one, we {hold_ms} ms"
            place = node.place if node is not None else self._root.place
            self._reader.problems.warn(place, "short-hold", message, "limits.silence_hold_ms must be longer")

    def _log_format(self, node: Node) -> None:
        self.log["format"] = self._reader.choice(node, ("json", "console")) or "json"

    def _log_level(self, node: Node) -> None:
        self.log["level"] = self._reader.choice(node, LEVELS) or "info"

    def _log_wire(self, node: Node) -> None:
        self.log["wire"] = self._reader.flag(node) or False


def _is_address(six: str | None) -> bool:
    try:
        return six is None or ip_address(six).version == 6
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
