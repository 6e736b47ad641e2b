"""The `serve` section: processes, and their loop."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from adapters.settings import config as settings_config
from adapters.settings.kinds import usable_cores
from adapters.settings.serve import ServeSettings
from fsm.language.problem import SpecError
from tests.adapters.settings.test_config import load_once, loaded


@pytest.fixture(autouse=True)
def _specs_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_config, "load_file", load_once)


def test_one_process_on_asyncio_unless_it_is_said(tmp_path: Path) -> None:
    assert loaded(tmp_path, "greeting: Hello.\n").serve == ServeSettings(workers=1, loop="asyncio")
    assert loaded(tmp_path, "serve: {workers: 4}\n").serve.workers == 4
    assert loaded(tmp_path, "serve: {workers: cores}\n").serve.workers == usable_cores() >= 1


@pytest.mark.parametrize("value", ["0", "257", "many", "1.5", "[2]"])
def test_anything_else_is_an_error_with_its_place(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError) as raised:
        loaded(tmp_path, f"serve: {{workers: {value}}}\n")
    assert ":1:18: error[type]" in str(raised.value)


def test_a_loop_that_is_not_installed_is_an_error_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvloop" else real(name))
    with pytest.raises(SpecError) as raised:
        loaded(tmp_path, "serve: {loop: uvloop}\n")
    assert "error[missing-extra]" in str(raised.value) and "turnspec[fast]" in str(raised.value)
