"""The trials of the dialplans: they are about the file, and a machine without Asterisk says that nothing was tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.asterisk import box
from tools.asterisk.__main__ import DIALPLAN, main
from tools.asterisk.box import TRY_CONTEXTS
from tools.asterisk.trials import TRIALS, DialplanTrial


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_trial_dials_what_is_there(trial: DialplanTrial) -> None:
    for dialled in (trial.dial, *trial.caller.removeprefix("extension ").split()[:1]):
        extension, is_dialled, context = dialled.partition("@")
        _, _, body = (DIALPLAN.read_text() + TRY_CONTEXTS).partition(f"[{context}]\n")
        assert not is_dialled or f"exten => {extension},1," in body.partition("\n[")[0]


def test_names_of_trials_are_different() -> None:
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)


def test_without_an_asterisk_it_says_loudly_that_nothing_was_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASTERISK_ROOT", str(tmp_path))
    assert box.command() is None
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0 and result.output.startswith("SKIPPED, NOTHING WAS TRIED")
