"""Set-up as a stranger meets it: run.py in a new folder, pinned packages, a wheel that is whole."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOMS = ("bms_studio", "protocols", "recordings", "resources", "widgets")

# A program as small as can be, with a builder of its own, so that set-up needs no network.
TINY_PROJECT = """
[build-system]
requires = ["pip"]
build-backend = "builder"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
dependencies = ["pip"]
scripts = {}
[dependency-groups]
test = []
"""
TINY_BUILDER = """
import pathlib, zipfile
def build_editable(folder, settings=None, metadata=None):
    name, info = "tiny-1-py3-none-any.whl", "tiny-1.dist-info/"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("tiny.pth", str(pathlib.Path(__file__).parent))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        tags = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", tags)
        wheel.writestr(info + "RECORD", "")
    return name
"""
TINY_PROGRAM = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ.get("QT_QPA_PLATFORM"))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def tiny(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with run.py and the tiny program, not set up yet."""
    folder = tmp_path_factory.mktemp("a folder with spaces")
    shutil.copy(repository / "run.py", folder)
    (folder / "pyproject.toml").write_text(TINY_PROJECT, encoding="utf-8")
    (folder / "builder.py").write_text(TINY_BUILDER, encoding="utf-8")
    (folder / "constraints.txt").write_text("", encoding="utf-8")
    (folder / "bms_studio").mkdir()
    (folder / "bms_studio" / "__main__.py").write_text(TINY_PROGRAM, encoding="utf-8")
    return folder


def start(
    folder: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the folder's run.py with the Python outside any environment, and wait for it."""
    outer = getattr(sys, "_base_executable", sys.executable)
    kept_out = ("PYTHONPATH", "QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if name not in kept_out}
    return subprocess.run(
        [outer, str(folder / "run.py"), *arguments],
        cwd=cwd or folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.fixture(scope="module")
def ready(tiny: Path) -> Path:
    """The tiny program, set up by its first start."""
    first = start(tiny, "info")
    assert first.returncode == 7, first.stderr
    assert "Set-up finished" in first.stderr
    return tiny


@pytest.fixture(scope="module")
def run_py(repository: Path) -> ModuleType:
    """run.py as a module."""
    spec = importlib.util.spec_from_file_location("run_py", repository / "run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_program_gets_the_arguments_the_users_folder_and_its_status_comes_back(
    ready: Path, tmp_path: Path
) -> None:
    # A module of the same name in the user's folder is not the program.
    (tmp_path / "bms_studio.py").write_text("raise SystemExit(1)", encoding="utf-8")
    done = start(ready, "info", "a b.h5", "--json", cwd=tmp_path)
    assert done.returncode == 7
    shown = "offscreen" if sys.platform.startswith("linux") else "None"
    assert done.stdout.strip() == f"{['info', 'a b.h5', '--json']} {tmp_path} {shown}"
    assert done.stderr == ""


def test_a_start_with_nothing_to_set_up_takes_less_than_two_seconds(ready: Path) -> None:
    begun = time.monotonic()
    start(ready, "info")
    assert time.monotonic() - begun < 2


def test_an_interrupted_set_up_is_begun_again_from_nothing(ready: Path) -> None:
    half = ready / ".venv" / "half-installed"
    half.touch()
    (ready / ".venv" / "set-up-unfinished").touch()
    done = start(ready, "info")
    assert done.returncode == 7, done.stderr
    assert "interrupted" in done.stderr
    assert not half.exists()
    assert start(ready, "info").stderr == ""


def test_a_killed_set_up_leaves_nothing_that_stops_the_next(ready: Path) -> None:
    (ready / "constraints.txt").write_text("# newer\n", encoding="utf-8")
    running = subprocess.Popen(
        [sys.executable, str(ready / "run.py"), "info"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stderr
        for line in running.stderr:
            if "Installing packages" in line:
                running.kill()
                break
    assert (ready / ".venv" / "set-up-unfinished").exists()
    done = start(ready, "info")
    assert done.returncode == 7, done.stderr
    assert "interrupted" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="environments of Windows hold no links")
def test_an_environment_whose_python_has_gone_is_made_anew(ready: Path) -> None:
    for link in (ready / ".venv" / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("gone")
    done = start(ready, "info")
    assert done.returncode == 7, done.stderr
    assert "does not fit this Python" in done.stderr


def test_two_first_starts_at_once_set_up_one_after_the_other(ready: Path) -> None:
    (ready / "constraints.txt").write_text("# newer still\n", encoding="utf-8")
    both = [
        subprocess.Popen(
            [sys.executable, str(ready / "run.py"), "info"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [running.communicate(timeout=100)[1] for running in both]
    assert [running.returncode for running in both] == [7, 7], said
    assert sum("Set-up finished" in text for text in said) == 1


def test_packages_that_cannot_be_had_end_in_one_sentence_and_the_next_start_works(
    ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = ready / "pyproject.toml"
    whole = project.read_text(encoding="utf-8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    project.write_text(whole.replace('["pip"]\nscripts', '["no-such-thing-1"]\nscripts'), "utf-8")
    done = start(ready, "info")
    project.write_text(whole, encoding="utf-8")
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert start(ready, "info").returncode == 7


def test_an_older_python_is_refused_with_one_sentence(repository: Path) -> None:
    code = (
        "import runpy, sys; sys.argv = ['run.py', 'demo']; sys.version_info = (3, 10, 12);"
        f"runpy.run_path({str(repository / 'run.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "needs Python 3.11" in done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lacks Qt's libraries")
def test_a_missing_system_library_is_named_with_the_line_to_type(
    run_py: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\nexit 100\n", encoding="ascii")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(run_py.QT_LIBRARIES, "libnot-on-this-machine.so.9", "libnot9")
    assert run_py.missing_packages() == ["libnot9"]
    line = "sudo apt-get install -y --no-install-recommends libnot9"
    with pytest.raises(run_py.SetupError, match=line):
        run_py.ensure_libraries()
    apt.unlink()
    with pytest.raises(run_py.SetupError, match="package manager what Debian calls libnot9"):
        run_py.ensure_libraries()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "  Downloading h5py-3.16.0-cp311-cp311-x.whl (5.0 MB)",
            "  Downloading h5py 3.16.0 (5.0 MB)",
        ),
        (
            "Using cached six_x-1.0-py3-none-any.whl (11 kB)",
            "  Already downloaded: six-x 1.0 (11 kB)",
        ),
        ("  Downloading h5py-3.16.0-cp311-cp311-x.whl.metadata (3.0 kB)", ""),
        ("Installing collected packages: a, b, c", "  Unpacking packages: 3."),
        ("Collecting numpy", ""),
    ],
)
def test_progress_is_told_in_plain_sentences(run_py: ModuleType, line: str, sentence: str) -> None:
    assert run_py.plain_sentence(line) == sentence


def pins(repository: Path) -> dict[str, str]:
    """Canonical name -> pinned version, of the lines that count on this machine."""
    found = {}
    for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines():
        requirement = Requirement(line) if line and not line.startswith("#") else None
        if requirement and (requirement.marker is None or requirement.marker.evaluate()):
            (version,) = requirement.specifier
            assert version.operator == "=="
            assert canonicalize_name(requirement.name) not in found
            found[canonicalize_name(requirement.name)] = version.version
    return found


def closure(wanted: list[str]) -> dict[str, str]:
    """Canonical name -> installed version, of requirements and all that they require in turn."""
    found: dict[str, str] = {}
    waiting = [Requirement(text) for text in wanted]
    while waiting:
        requirement = waiting.pop()
        for extra in {"", *requirement.extras}:
            key = canonicalize_name(requirement.name)
            if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
                continue
            if key in found and not extra:
                continue
            found[key] = importlib.metadata.version(key)
            for text in importlib.metadata.requires(key) or []:
                inner = Requirement(text)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    inner.marker = None
                    waiting.append(inner)
    return found


def test_everything_that_the_program_and_its_tests_need_is_pinned_to_what_is_installed(
    repository: Path,
) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["test"]
    pinned = pins(repository)
    installed = closure(wanted)
    assert len(installed) > 30
    assert {name: pinned.get(name) for name in installed} == installed


def test_the_pins_obey_the_ranges_of_the_project(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = pins(repository)
    for text in project["project"]["dependencies"] + project["dependency-groups"]["test"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


@pytest.fixture(scope="module")
def wheel(
    repository: Path, tracked_files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> zipfile.ZipFile:
    """The wheel that pip builds, without a network, from a clean checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    for path in tracked_files:
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / path, checkout / path)
    built = tmp_path_factory.mktemp("built")
    command = ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w"]
    done = subprocess.run(
        [sys.executable, *command, str(built), str(checkout)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_five_rooms_with_all_their_files_and_nothing_else(
    wheel: zipfile.ZipFile, tracked_files: list[Path]
) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == {path.as_posix() for path in tracked_files if path.parts[0] in ROOMS}
    suffixes = {Path(name).suffix for name in inside if name.startswith("resources/")}
    assert {".csv", ".ttf", ".toml"} <= suffixes
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "bms-studio = bms_studio.__main__:main" in wheel.read(entry_points).decode()


def test_the_installed_wheel_finds_its_resources_from_any_folder(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "site")
    code = (
        f"import importlib.resources, {', '.join(ROOMS)};"
        "print(bms_studio.__file__);"
        "print((importlib.resources.files('resources') / 'chemistry' / 'nmc.csv').read_text()[:40])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout


def test_ci_runs_the_tests_and_every_linter(repository: Path) -> None:
    script = (repository / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("run.py test", "ruff check", "ruff format --check", "mypy", "lint-imports"):
        assert re.search(rf"^step .*{re.escape(command)}", script, re.MULTILINE), command
