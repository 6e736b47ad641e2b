"""The dashboard and the alert rules ask for metrics that exist, by labels that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from adapters.audio.tick import Ticker
from adapters.metrics.metrics import Metrics
from adapters.server.measured import LoopLag, measure_server

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = re.compile(r"turnspec_[a-z_]+")
SUFFIXES = ("_bucket", "_sum", "_count", "_total")


def known() -> set[str]:
    metrics = Metrics()
    measure_server(metrics, Ticker(), LoopLag(), {}, 1)
    return {family.name for family in text_string_to_metric_families(metrics.render().decode())}


def asked_in(expression: str) -> set[str]:
    found = set(NAME.findall(expression))
    return {next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name) for name in found}


def expressions() -> dict[str, str]:
    board = json.loads((DEPLOY / "grafana/turnspec.json").read_text())
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    panels = {each["title"]: " ".join(target["expr"] for target in each["targets"]) for each in board["panels"]}
    alerts = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    return panels | alerts


@pytest.mark.parametrize("title", sorted(expressions()))
def test_what_is_asked_for_exists(title: str) -> None:
    asked = asked_in(expressions()[title])
    assert asked and asked <= known()


def test_all_that_is_measured_is_shown() -> None:
    shown = set().union(*map(asked_in, expressions().values()))
    beside = {"call_seconds", "longest_silence_seconds", "barge_ins", "requests", "events_waiting_most"}
    assert known() - shown <= {f"turnspec_{each}" for each in beside}


def test_what_an_alert_says_names_metrics_that_exist() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
    texts = [rule["annotations"]["description"] for group in rules["groups"] for rule in group["rules"]]
    assert set().union(*map(asked_in, texts)) <= known()
