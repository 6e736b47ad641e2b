"""The `cluster` section: where nodes share what they know, under which name; and what is wrong with it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.settings.cluster import ClusterSettings
from adapters.settings.config import Settings, load_settings
from fsm.language.problem import SpecError

ENVIRONMENT = {"OPENAI_API_KEY": "sk-1234567890"}
SECRET = "hunter2-hunter2"


def loaded(folder: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Settings:
    path = folder / "turnspec.yaml"
    path.write_text(text)
    return load_settings(path, environment)


def test_there_is_none_unless_it_is_asked_for(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "spec: server_vad", {**ENVIRONMENT, "REDIS_URL": "redis://127.0.0.1"})
    assert settings.cluster is None and settings.warnings == ()


def test_the_environment_says_where_redis_is_and_the_host_what_the_node_is_called(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "cluster: {}", {**ENVIRONMENT, "REDIS_URL": "redis://127.0.0.1"})
    url, shown = "redis://127.0.0.1", "redis://127.0.0.1:6379"
    assert settings.cluster == ClusterSettings(url=url, shown=shown, node=socket.gethostname())


def test_every_key(tmp_path: Path) -> None:
    text = (
        f"cluster: {{url: 'rediss://user:{SECRET}@redis.example.com:6380/3', node: node-a, prefix: shop,"
        " deadline_ms: 200, heartbeat_s: 1, announced_s: 60, kept_s: 600, haproxy_stats: 'http://127.0.0.1:8404/stats'}"
    )
    settings = loaded(tmp_path, text)
    cluster = settings.cluster
    assert cluster is not None and settings.warnings == ()
    assert (cluster.shown, cluster.node, cluster.prefix) == ("rediss://redis.example.com:6380/3", "node-a", "shop")
    assert (cluster.deadline_s, cluster.heartbeat_s, cluster.announced_s, cluster.kept_s) == (0.2, 1.0, 60.0, 600.0)
    assert cluster.haproxy_stats == "http://127.0.0.1:8404/stats"
    assert SECRET in settings.secrets and SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("url", "shown"),
    [("unix:///run/redis.sock", "unix:///run/redis.sock"), ("redis://[::1]:7000/2", "redis://[::1]:7000/2")],
)
def test_other_forms_of_the_address(tmp_path: Path, url: str, shown: str) -> None:
    cluster = loaded(tmp_path, f"cluster: {{url: '{url}'}}").cluster
    assert cluster is not None and cluster.shown == shown


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("cluster: {}", "missing", "cluster.url is not set, and REDIS_URL is not in the environment"),
        (f"cluster: {{url: 'valkey://:{SECRET}@h'}}", "url", "the address of Redis or Valkey is expected here"),
        (f"cluster: {{url: 'redis://:{SECRET}@h:99999'}}", "url", "the address of Redis or Valkey"),
        (f"cluster: {{url: 'redis://:{SECRET}@h/tenth'}}", "url", "the address of Redis or Valkey"),
        ("cluster: {url: 'redis://h', node: 'a b'}", "name", "cluster.node: 1 to 64 letters"),
        ("cluster: {url: 'redis://h', prefix: 'a:*'}", "name", "cluster.prefix: 1 to 64 letters"),
        ("cluster: {url: 'redis://h', deadline_ms: 1}", "type", "from 10 to 5000"),
        ("cluster: {url: 'redis://h', haproxy_stats: here}", "url", "the address of HAProxy's statistics"),
        ("cluster: {url: [1]}", "type", "cluster.url"),
        ("cluster: {urls: x}", "unknown-key", "'urls' is not a key of 'cluster'"),
    ],
)
def test_what_is_wrong_is_named_and_no_password_shown(tmp_path: Path, text: str, code: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, text)
    said = str(caught.value)
    assert f"error[{code}]" in said and words in said and SECRET not in said


def test_a_password_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"cluster: {{url: 'redis://:{SECRET}@10.0.0.5'}}")
    (warning,) = settings.warnings
    assert warning.code == "clear-text" and SECRET not in str(warning)
    assert loaded(tmp_path, f"cluster: {{url: 'redis://:{SECRET}@127.0.0.1'}}").warnings == ()
