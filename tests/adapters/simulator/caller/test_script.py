"""Scripts as data: what is understood, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import cattrs
import pytest
import yaml

from adapters.simulator.caller import script as steps
from adapters.simulator.caller.script import CallerSettings, Echo, Script, load_script, load_telephone
from adapters.simulator.speech.library import wav_path


def test_every_step_short_and_long() -> None:
    document = yaml.safe_load("""
        steps:
          - wait_agent_speaking
          - wait_agent_speaking: 3000
          - wait_agent_silent
          - wait_agent_silent: 600
          - wait_agent_silent: {for_ms: 700, within_ms: 8000}
          - say: caller_weather
          - say: {file: mine/hello.wav}
          - interrupt: {file: caller_interrupt, after_ms: 250}
          - interrupt: caller_interrupt
          - press: 5
          - press: "#"
          - wait_ms: 40
          - until_hung_up: 2000
          - reset
          - hang_up
    """)
    assert load_script(document, Path("/home")) == Script(
        (
            steps.WaitAgentSpeaking(),
            steps.WaitAgentSpeaking(within_ms=3000),
            steps.WaitAgentSilent(),
            steps.WaitAgentSilent(for_ms=600),
            steps.WaitAgentSilent(for_ms=700, within_ms=8000),
            steps.Say(wav_path("caller_weather")),
            steps.Say(Path("/home/mine/hello.wav")),
            steps.Interrupt(wav_path("caller_interrupt"), after_ms=250),
            steps.Interrupt(wav_path("caller_interrupt")),
            steps.Press("5"),
            steps.Press("#"),
            steps.WaitMs(40),
            steps.UntilHungUp(within_ms=2000),
            steps.Reset(),
            steps.HangUp(),
        )
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "a list `steps`"),
        ("{steps: hang_up}", "a list `steps`"),
        ("{steps: [], setings: 1}", "not setings"),
        ("{steps: [hang_up, {say: a, press: b}]}", r"steps\[1\]: a step is its name"),
        ("{steps: [7]}", r"steps\[0\]: a step is its name"),
        ("{steps: [shout]}", r"steps\[0\]: no step is called 'shout'; there are say, wait_ms"),
        ("{steps: [{hang_up: now}]}", r"steps\[0\]\.hang_up: takes no value"),
        ("{steps: [say]}", r"steps\[0\]\.say: required field missing @ \$\.file"),
        ("{steps: [{press: E}]}", r"steps\[0\]\.press: .*'digit' must be in"),
        ("{steps: [{wait_ms: soon}]}", r"steps\[0\]\.wait_ms: could not convert string to float: 'soon' @ \$\.ms"),
        ("{steps: [{wait_ms: -1}]}", r"steps\[0\]\.wait_ms: .*'ms' must be >= 0"),
        ("{steps: [{say: {file: a, volume: 3}}]}", r"steps\[0\]\.say: extra fields found \(volume\)"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_script(yaml.safe_load(text))


def test_settings_are_plain_values() -> None:
    data = {"ptime_ms": 30, "rate_hz": 16_000, "dtx": True, "echo": {"delay_ms": 80, "gain_db": -30}, "driver": "dial"}
    settings = cattrs.structure(data, CallerSettings)
    assert settings == CallerSettings(ptime_ms=30, rate_hz=16_000, dtx=True, echo=Echo(80, -30), driver="dial")
    assert settings.frame_bytes == 960


def test_a_telephone_is_read_with_its_echo() -> None:
    read = load_telephone(yaml.safe_load("{dtx: true, echo: {gain_db: -14, delay_ms: 90}}"), keep_audio=False)
    assert read == CallerSettings(dtx=True, echo=Echo(90, -14), keep_audio=False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[dtx]", "telephone: a mapping is expected"),
        ("{dtx: true, ech: {}}", r"telephone: extra fields found \(ech\)"),
        ("{echo: {gain_db: 3}}", "telephone: .*gain_db"),
    ],
)
def test_a_mistake_about_the_telephone_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_telephone(yaml.safe_load(text))


@pytest.mark.parametrize("wrong", [{"ptime_ms": 25}, {"rate_hz": 11_025}, {"driver": "sip"}])
def test_settings_no_telephone_has(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be in"):
        CallerSettings(**wrong)  # type: ignore[arg-type]
