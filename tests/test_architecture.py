"""The house rules that a machine can check: who imports whom, how big, how fast, what is named."""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOMS = ("bms_studio", "protocols", "recordings", "resources", "widgets")
TOP_FOLDERS = {*ROOMS, ".ci", "benchmarks", "docs", "tests"}
LONGEST = 400

MODULES = """
import json, sys, time
begun = time.perf_counter()
{statement}
spent = time.perf_counter() - begun
print(json.dumps({{"seconds": spent, "modules": sorted(sys.modules)}}))
"""

LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def run(python: str, code: str, folder: Path) -> str:
    """The standard output of a child interpreter that runs `code`; its error text if it fails."""
    child = subprocess.run(
        [python, "-c", code], cwd=folder, capture_output=True, text=True, timeout=150, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


def loaded_by(python: str, statement: str, folder: Path) -> tuple[float, set[str]]:
    """Seconds that a statement takes in a new interpreter, and the top-level modules it leaves."""
    answer = json.loads(run(python, MODULES.format(statement=statement), folder))
    return answer["seconds"], {name.partition(".")[0] for name in answer["modules"]}


@pytest.fixture(scope="session")
def room_files(tracked_files: list[Path]) -> list[Path]:
    """Every Python file of the five rooms, relative to the checkout."""
    return [path for path in tracked_files if path.suffix == ".py" and path.parts[0] in ROOMS]


def module_name(path: Path) -> str:
    """Dotted name of a room's file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_import_contract_holds(python: str, repository: Path) -> None:
    assert "0 broken" in run(python, LINT, repository)


def test_a_forbidden_import_breaks_the_contract_that_forbids_it(
    python: str, repository: Path, tracked_files: list[Path], tmp_path: Path
) -> None:
    for path in tracked_files:
        if path.parts[0] in ROOMS or path.name == "pyproject.toml":
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / path, tmp_path / path)
    crimes = {
        "protocols/crime.py": "import bms_studio.pack",
        "widgets/crime.py": "import protocols.frames",
        "recordings/formats/crime.py": "import recordings.formats.victim",
        "recordings/formats/victim.py": "",
        "bms_studio/crime.py": "import PySide6, widgets, h5py, can",
        "bms_studio/acquisition/crime.py": "import numba",
        "protocols/vesc.py": "import protocols.orion",
        "widgets/rail.py": "import widgets.cards",
        "bms_studio/diagnosis/dips.py": "import bms_studio.diagnosis.limits",
        "bms_studio/diagnosis/crime.py": "import pandas",
        "bms_studio/simulator/crime.py": "import recordings.layout",
        "bms_studio/estimators/leak.py": "import bms_studio.estimators.power",
    }
    for name, line in crimes.items():
        (tmp_path / name).write_text(line, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {LINT}"
    child = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert child.returncode == 1
    assert "0 kept, 14 broken" in child.stdout, child.stdout


def test_no_file_is_too_long_to_be_read_at_a_sitting(
    repository: Path, room_files: list[Path]
) -> None:
    lengths = {
        str(path): len((repository / path).read_text(encoding="utf-8").splitlines())
        for path in room_files
    }
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST}


def test_every_module_says_what_it_is_for(repository: Path, tracked_files: list[Path]) -> None:
    silent = [
        str(path)
        for path in tracked_files
        if path.suffix == ".py"
        and not ast.get_docstring(ast.parse((repository / path).read_text(encoding="utf-8")))
    ]
    assert not silent


def test_importing_bms_studio_is_quick_and_loads_nothing_heavy(
    python: str, repository: Path
) -> None:
    runs = [loaded_by(python, "import bms_studio", repository) for _ in range(3)]
    assert not runs[0][1] & {"PySide6", "pyqtgraph", "pandas", "numba", "h5py", "can", "cantools"}
    assert min(seconds for seconds, _ in runs) < 0.5


def test_every_module_can_be_imported_without_a_warning(
    python: str, repository: Path, room_files: list[Path]
) -> None:
    names = [module_name(path) for path in room_files]
    code = f"""
import importlib, warnings
warnings.simplefilter("error")
for foreign in ("can", "cantools", "textparser", "bitstruct"):
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=foreign)
for name in {names!r}:
    try:
        importlib.import_module(name)
    except BaseException as error:
        raise SystemExit(f"{{name}}: {{error!r}}") from error
"""
    run(python, code, repository)


def test_the_acquisition_program_loads_neither_window_nor_numerics(
    python: str, repository: Path
) -> None:
    if not (repository / "bms_studio" / "acquisition" / "__main__.py").exists():
        pytest.skip("the acquisition program is not there yet")
    _, modules = loaded_by(python, "import bms_studio.acquisition.__main__", repository)
    assert "bms_studio" in modules
    heavy = {"PySide6", "pyqtgraph", "h5py", "pandas", "numba", "cantools", "asammdf", "pyarrow"}
    assert not modules & heavy


def test_the_rooms_lie_beside_each_other_and_no_other_stands_there(
    repository: Path, tracked_files: list[Path]
) -> None:
    assert {path.parts[0] for path in tracked_files if len(path.parts) > 1} == TOP_FOLDERS
    assert [path for path in tracked_files if len(path.parts) == 1 and path.suffix == ".py"] == [
        Path("run.py")
    ]
    assert all((repository / room / "__init__.py").is_file() for room in ROOMS)


def test_nothing_tracked_names_a_machine_or_a_package_index(
    repository: Path, tracked_files: list[Path]
) -> None:
    # Put together here so that this file does not find itself.
    folders = "|".join(("tmp", "work", "root", "home", "Users", "opt"))
    hosts = "|".join(("pypi" + ".org", "python" + "hosted", "deb.deb" + "ian", "index" + "-url"))
    pattern = re.compile(rf"(?<![\w.~)}}>\]-])/(?:{folders})/\w|{hosts}")
    found = []
    for name in tracked_files:
        try:
            text = (repository / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}: {line.strip()[:90]}" for line in text.splitlines() if pattern.search(line)
        ]
    assert not found
