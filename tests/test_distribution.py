"""turnspec as others install it: below its own name, beside packages of theirs that are called as ours are."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import attrs
import pytest

from tools.wheel import below

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = ("adapters", "fsm", "specs", "tools")
TEST = """
import adapters, fsm, specs            # the bridge's own

def test_a_strangers_bridge(realtime_provider, phone):
    assert (adapters.WHOSE, fsm.WHOSE, specs.WHOSE) == ("theirs",) * 3
    from turnspec import Tool, TurnspecError
    assert Tool.__module__ == "turnspec.adapters.tools" and issubclass(TurnspecError, Exception)
    call = phone.call("127.0.0.1:1", "steps: [{say: caller_yes}]")
    assert [fault.kind for fault in call.faults()] == ["not-connected"]
    assert [fault.kind for fault in realtime_provider.faults()] == ["nobody-came"]
"""


@attrs.frozen
class Installed:
    """An environment with turnspec from a wheel, and a folder with foreign packages in which its commands run."""

    folder: Path
    here: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = str(self.folder / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]], cwd=self.here, capture_output=True, text=True, timeout=300, check=False
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a network; skips loudly where the build's own tools are too old."""
    setuptools = pytest.importorskip("setuptools", "77", reason="NO setuptools OF AT LEAST 77: no wheel was built")
    assert setuptools
    target = tmp_path_factory.mktemp("wheel")
    source = target / "source"
    copied = ("pyproject.toml", "README.md", "MANIFEST.in", "turnspec", "fsm", "adapters", "specs", "tools")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *copied],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    if not listed:
        pytest.skip("NO git HERE: no wheel was built")
    for name in listed:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(target)]
    done = subprocess.run([*build, str(source)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = target.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Foreign packages stand in site-packages and in the working folder; dependencies are this environment's own."""
    folder, here = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("somewhere")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    ours = sysconfig.get_paths()["purelib"]
    [site] = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{ours}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for place in (site, here):
        for name in FOREIGN:
            (place / name).mkdir()
            (place / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
    return Installed(folder, here)


def test_a_wheel_has_one_name_at_the_top(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"turnspec"}
    for needed in ("specs/server_vad.yaml", "adapters/simulator/speech/agent_greeting.wav", "py.typed",
                   "adapters/audit/page/templates/page.html.j2", "specs/worlds/properties.yaml"):  # fmt: skip
        assert f"turnspec/{needed}" in names


def test_no_module_of_a_wheel_imports_a_name_at_the_top(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        texts = {name: file.read(name).decode() for name in file.namelist() if name.endswith(".py")}
    assert len(texts) > 300
    assert [name for name, text in texts.items() if below(text, name) != text] == []


@pytest.mark.parametrize("program", [("turnspec",), ("python", "-m", "turnspec")])
def test_the_command_runs_beside_foreign_packages(installed: Installed, program: tuple[str, ...]) -> None:
    checked = installed.run(*program, "check", "server_vad")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    judged = installed.run(*program, "simulate", "caller", "127.0.0.1:1")
    assert judged.returncode == 1 and "not-connected" in judged.stdout, judged.stdout + judged.stderr


def test_every_module_finds_its_own(installed: Installed) -> None:
    walk = (
        "import importlib, pkgutil, turnspec; "
        "names = [m.name for m in pkgutil.walk_packages(turnspec.__path__, 'turnspec.')]; "
        "[importlib.import_module(name) for name in names if not name.endswith('__main__')]; print(len(names))"
    )
    done = installed.run("python", "-c", walk)
    assert done.returncode == 0 and int(done.stdout) > 300, done.stdout + done.stderr


def test_a_call_is_played_from_an_installation(installed: Installed) -> None:
    done = installed.run("turnspec", "test", "-k", "a greeting and a turn get one answer each")
    assert done.returncode == 0 and "2 hold, 0 fail" in done.stdout, done.stdout + done.stderr


def test_the_plugin_works_beside_foreign_packages(installed: Installed) -> None:
    (installed.here / "test_bridge.py").write_text(TEST)
    done = installed.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bridge.py")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("from adapters.x import y\n", "from turnspec.adapters.x import y\n"),
        ("    # ü\nif 1:\n    from fsm import y\n", "    # ü\nif 1:\n    from turnspec.fsm import y\n"),
        ("import specs as bundled, json\n", "import turnspec.specs as bundled, json\n"),
        ("from .adapters import y\nfrom adaptersx import z\n", "from .adapters import y\nfrom adaptersx import z\n"),
        ("'from fsm import y'\n", "'from fsm import y'\n"),
        ("ü = 1; from fsm import y\n", "ü = 1; from turnspec.fsm import y\n"),
    ],
)
def test_imports_are_moved_and_nothing_else(text: str, moved: str) -> None:
    assert below(text, "x.py") == moved


def test_an_import_that_cannot_be_moved_breaks_the_build() -> None:
    with pytest.raises(ValueError, match=r"x\.py:2: write `from \.\.\. import \.\.\.`"):
        below("import os\nimport fsm.language\n", "x.py")
