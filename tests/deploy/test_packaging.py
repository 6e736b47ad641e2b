"""What is deployed names what exists: paths, commands, keys, services. Docker itself is not run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.cli import COMMANDS
from adapters.settings.config import load_settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT_FILE = ROOT / "deploy/systemd/turnspec.service"
UNIT = UNIT_FILE.read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
EXTRAS: set[str] = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
ENVIRONMENT = {"OPENAI_API_KEY": "sk-1", "TURNSPEC_TOKEN": "0123456789abcdef0", "REDIS_URL": "redis://redis:6379/0"}


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile: a word and the rest, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def unit(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


# --- the image --------------------------------------------------------------------------------------------------------


def test_the_image_is_made_of_known_instructions_and_files_that_exist() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL"}
    assert {word for word, _ in instructions()} == known | {"ENTRYPOINT", "CMD"}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists() and f"!{source}" in ignored, source
    assert ignored[0] == "*", "no key and no journal gets into an image"


def test_the_packages_of_the_distribution_are_in_the_image() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {each.rstrip("*") for each in found} == {"fsm", "adapters", "specs", "turnspec"}
    for each in found:
        assert f"COPY {each.rstrip('*')} " in DOCKERFILE


def test_the_image_does_not_run_as_root_and_knows_whether_it_is_alive() -> None:
    words = [word for word, _ in instructions()]
    assert words.index("USER") < words.index("ENTRYPOINT") and dict(instructions())["USER"] == "turnspec"
    check = dict(instructions())["HEALTHCHECK"].partition("CMD ")[2]
    *_, program = json.loads(check)
    compile(program, "HEALTHCHECK", "exec")
    assert "/livez" in program and ":9080/" in program
    (extras,) = re.findall(r"\.\[([a-z,]+)\]", DOCKERFILE)
    assert set(extras.split(",")) <= EXTRAS
    start = json.loads(dict(instructions())["ENTRYPOINT"]) + json.loads(dict(instructions())["CMD"])
    assert start[0] == "turnspec" and start[1] in COMMANDS


# --- compose ----------------------------------------------------------------------------------------------------------


def test_every_file_that_compose_mounts_exists() -> None:
    mounted = [each for service in COMPOSE["services"].values() for each in service.get("volumes", ())]
    for source, target, *_ in (each.split(":") for each in mounted):
        assert target.startswith("/")
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


def test_compose_runs_a_configuration_that_is_good_and_ports_that_it_has() -> None:
    settings = load_settings(ROOT / "deploy/compose/turnspec.yaml", ENVIRONMENT)
    assert settings.http is not None and settings.cluster is not None
    service = COMPOSE["services"]["turnspec"]
    ports = {int(each.rpartition(":")[2]) for each in service["ports"]}
    assert ports == {settings.audiosocket.port, settings.http.port}
    assert service["command"] == ["serve", "/etc/turnspec/turnspec.yaml"]
    assert set(service["environment"]) == set(ENVIRONMENT)
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
    journals, saved = settings.call.journal_dir, [each.split(":")[1] for each in service["volumes"]]
    assert journals is not None and any(journals.is_relative_to(each) for each in saved)
    assert int(service["stop_grace_period"].rstrip("s")) >= settings.notice_s + settings.shutdown_s + 20


def test_prometheus_asks_the_door_and_grafana_prometheus() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["turnspec:9080"]
    assert Path(job["authorization"]["credentials_file"]).name in COMPOSE["services"]["prometheus"]["secrets"]
    mounted = {each.split(":")[1] for each in COMPOSE["services"]["prometheus"]["volumes"]}
    assert set(config["rule_files"]) <= mounted
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/turnspec.yaml").read_text())["providers"]
    boards = [each.split(":")[1] for each in COMPOSE["services"]["grafana"]["volumes"] if "turnspec.json" in each]
    assert [str(Path(each).parent) for each in boards] == [provider["options"]["path"]]


# --- systemd ----------------------------------------------------------------------------------------------------------


def test_the_unit_starts_a_command_that_exists_and_tells_systemd_of_it() -> None:
    (start,), (check,) = unit("ExecStart"), unit("ExecStartPre")
    assert start.split()[1] in COMMANDS and check.split()[1:3] == ["serve", "--check"]
    assert unit("Type") == ["notify"] and unit("NotifyAccess") == ["main"] and unit("WatchdogSec") == ["30"]
    assert "AF_UNIX" in unit("RestrictAddressFamilies")[0], "NOTIFY_SOCKET is one"
    assert not any("@resources" in each for each in unit("SystemCallFilter")), "serve raises RLIMIT_NOFILE"
    (extras,) = re.findall(r"turnspec\[([a-z,]+)\]", UNIT)
    assert set(extras.split(",")) <= EXTRAS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NO systemd-analyze: the unit was NOT verified")
def test_systemd_understands_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    """The command is not installed here: a program that is stands for it."""
    path = tmp_path / "turnspec.service"
    path.write_text(UNIT.replace("/opt/turnspec/bin/turnspec", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    asked = ["systemd-analyze", "security", "--offline=true", str(path)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    if "Overall exposure level" not in told:
        pytest.skip("THIS systemd-analyze cannot look at a file (older than 250): the hardening was NOT measured")
    level = re.search(r"exposure level for turnspec.service: ([\d.]+)", told)
    assert level is not None and float(level[1]) <= 2.0, told
