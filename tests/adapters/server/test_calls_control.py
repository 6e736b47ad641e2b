"""Who tells a provider what becomes of its calls: where there can be such calls, with the key of the configuration."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import attrs
import pytest

from adapters.lines.sideband.rest import SidebandRest
from adapters.server.calls_control import calls_control, renew_control
from adapters.settings.config import Settings, load_settings

DOOR = "http: {listen: 9080}\n"


def settings(folder: Path, more: str = DOOR, key: str = "sk-1") -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(f"provider: {{url: 'ws://127.0.0.1:1/v1/realtime'}}\n{more}")
    return load_settings(path, {"OPENAI_API_KEY": key})


async def test_it_has_the_address_and_the_key_of_the_provider_and_follows_a_reload(tmp_path: Path) -> None:
    control = calls_control(settings(tmp_path, DOOR + "sideband: {deadline_s: 3}\n"))
    assert isinstance(control, SidebandRest)
    told = control._settings
    assert (told.calls_url, told.deadline_s) == ("http://127.0.0.1:1/v1/realtime/calls", 3.0)
    assert told.headers["Authorization"] == "Bearer sk-1"
    renew_control(control, settings(tmp_path, key="sk-2"))
    assert control._settings.headers["Authorization"] == "Bearer sk-2"
    renew_control(None, settings(tmp_path))
    await control.close()


def test_there_is_none_where_nobody_brings_such_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = settings(tmp_path)
    assert calls_control(attrs.evolve(whole, http=None)) is None
    assert calls_control(attrs.evolve(whole, serve=attrs.evolve(whole.serve, workers=2))) is None
    (tmp_path / "live.yaml").write_text(
        DOOR + "spec: full_duplex\nprovider: {protocol: live, url: 'ws://127.0.0.1:1', model: m}\n"
    )
    assert calls_control(load_settings(tmp_path / "live.yaml", {"OPENAI_API_KEY": "sk-1"})) is None
    spec_of = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httpx2" else spec_of(name))
    assert calls_control(whole) is None
