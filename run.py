"""The one command that starts everything: python3 run.py demo | test | bench | any bms-studio verb.

It makes what the program needs (a .venv beside this file with pinned packages and, on Debian and
its relatives, the system libraries of Qt), then hands over. When there is nothing to do it costs a
fraction of a second. Only the standard library may be used here, no shell, and nothing that only
POSIX has outside a guarded place: this file runs before anything is installed, on every system.

  python3 run.py demo            the simulated pack
  python3 run.py test [ARGS]     the tests; ARGS go to pytest
  python3 run.py bench [NAME]    the measurements in benchmarks/
  python3 run.py --setup-only    set up and stop
  python3 run.py VERB [ARGS]     any verb of bms-studio; without a verb the window
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
UNFINISHED = VENV / "set-up-unfinished"
OLDEST_PYTHON = (3, 11)

# Verbs that neither show nor draw anything; only they run where the libraries of Qt are missing.
WINDOWLESS = {
    *("adapters", "analyze", "export", "import", "info"),
    *("record", "repair", "replay", "simulate"),
}

# Shared library -> Debian package. Found by running Qt in a Debian 12 that had only Python and pip.
QT_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
CJK_FONT_PACKAGE = "fonts-wqy-microhei"
CJK_FONT_NAMES = {
    *("cjk", "wqy", "droidsansfallback", "sourcehan", "uming", "ukai", "simsun", "msyh"),
    *("notosanssc", "notoserifsc", "unifont", "hanazono"),
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
APT_INSTALL = ["apt-get", "install", "-y", "--no-install-recommends"]


class SetupError(Exception):
    """The set-up cannot go on; the text is what the user reads, with the remedy."""


def say(text: str) -> None:
    """One line of progress; standard output belongs to the program."""
    print(text, file=sys.stderr, flush=True)


def succeeds(command: Sequence[str], env: dict[str, str] | None = None) -> bool:
    """Run a command without input and output; whether it exists and ends with status 0."""
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(command, env=env, stdin=quiet, stdout=quiet, stderr=quiet)
    except OSError:
        return False
    return done.returncode == 0


# --- system libraries and fonts (Linux) --------------------------------------------------------


def missing_packages() -> list[str]:
    """Debian packages of the shared libraries that Qt needs here and the loader does not find."""
    wanted = dict(QT_LIBRARIES)
    if os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        wanted.update(X11_LIBRARIES)
    packages = []
    for library, package in wanted.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            packages.append(package)
    return sorted(set(packages))


def has_cjk_font() -> bool:
    """Whether some font file bears the name of one that draws Chinese."""
    for folder in FONT_FOLDERS:
        for _, _, files in os.walk(Path(folder).expanduser()):
            names = [name.lower().replace("-", "") for name in files]
            if any(known in name for name in names for known in CJK_FONT_NAMES):
                return True
    return False


def privilege() -> list[str] | None:
    """What apt-get needs before it: nothing for root, sudo if it asks no password, None if none."""
    if shutil.which("apt-get") is None:
        return None
    if sys.platform != "win32" and os.geteuid() == 0:
        return []
    return ["sudo", "-n"] if succeeds(["sudo", "-n", "true"]) else None


def apt_install(prefix: Sequence[str], packages: Sequence[str]) -> bool:
    """Install Debian packages, with fresh lists if the present ones do not know them."""
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *APT_INSTALL, *packages]
    if succeeds(command):
        return True
    say("Reading the list of Debian packages.")
    succeeds([*prefix, "apt-get", "update"])
    return succeeds(command)


def ensure_libraries() -> None:
    """Install what Qt lacks, or say exactly what to type."""
    packages = missing_packages()
    if not packages:
        return
    line = " ".join(["sudo", *APT_INSTALL, *packages])
    prefix = privilege()
    if prefix is not None:
        say(f"Installing system libraries that the window needs: {', '.join(packages)}.")
        if apt_install(prefix, packages) and not missing_packages():
            return
    if shutil.which("apt-get"):
        raise SetupError(f"The window needs system libraries that are missing. Type:\n{line}")
    raise SetupError(
        "The window needs system libraries that are missing; install with your package manager "
        f"what Debian calls {', '.join(packages)}, then run the same command again."
    )


def ensure_cjk_font() -> None:
    """A font for Chinese, or a line that says how to get one; the program works without."""
    if has_cjk_font():
        return
    prefix = privilege()
    if prefix is not None:
        say(f"Installing a font for Chinese: {CJK_FONT_PACKAGE}.")
        if apt_install(prefix, [CJK_FONT_PACKAGE]):
            return
    say("There is no font for Chinese: install one, such as Noto Sans CJK, to read Chinese texts.")
    if shutil.which("apt-get"):
        say(" ".join(["sudo", *APT_INSTALL, CJK_FONT_PACKAGE]))


# --- the virtual environment ---------------------------------------------------------------------


def venv_python() -> Path:
    """The interpreter inside .venv."""
    if sys.platform == "win32":
        return VENV / "Scripts" / "python.exe"
    return VENV / "bin" / "python"


def outer_python() -> str:
    """The interpreter outside .venv, also when this file was started with the one inside."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def venv_fits() -> bool:
    """Whether .venv has a working interpreter of the same Python version as this one."""
    version = tuple(sys.version_info[:2])
    return succeeds(
        [str(venv_python()), "-c", f"import sys; sys.exit(sys.version_info[:2] != {version})"]
    )


def remove_venv() -> None:
    """Take .venv away; a program that still runs from it keeps it on Windows."""
    try:
        shutil.rmtree(VENV)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SetupError(
            f"{VENV} cannot be removed ({error.strerror}): close BMS Studio, delete that folder, "
            "then run the same command again."
        ) from None


def make_venv() -> None:
    """Create .venv: with pip, else without (Debian keeps ensurepip apart), else by virtualenv."""
    say(f"Making an environment for the program in {VENV.name}.")
    for options in ([], ["--without-pip"]):
        succeeds([outer_python(), "-m", "venv", *options, str(VENV)])
        if venv_fits() and (options or has_pip(venv_python())):
            return
        remove_venv()
    with tempfile.TemporaryDirectory() as folder:
        pip(outer_pip(), ["--target", folder, "virtualenv"])
        command = [outer_python(), "-m", "virtualenv", str(VENV)]
        if not succeeds(command, {**os.environ, "PYTHONPATH": folder}):
            raise SetupError(f"No environment could be made in {VENV}: is the folder writable?")


def has_pip(python: str | Path) -> bool:
    """Whether an interpreter has pip."""
    return succeeds([str(python), "-m", "pip", "--version"])


def outer_pip() -> list[str]:
    """The command of the pip outside .venv; SetupError with the remedy if there is none."""
    if has_pip(outer_python()):
        return [outer_python(), "-m", "pip"]
    raise SetupError(
        "This Python has no pip: install it (on Debian: sudo apt-get install python3-pip), "
        "then run the same command again."
    )


def pip(program: Sequence[str], what: Sequence[str], *, binary: bool = True) -> None:
    """Run `pip install` of `what` with the pinned versions, and tell how it gets on.

    Only wheels are taken unless `binary` is False: nothing is compiled on the user's machine.
    Raises SetupError with the end of pip's output.
    """
    only = ["--only-binary", ":all:"] if binary else []
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command = [*program, "install", *options, *only, "-c", str(CONSTRAINTS), *what]
    # A user's own pip settings must not send the packages elsewhere.
    env = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        command,
        env=env,
        close_fds=False,  # the lock goes along: where it is killed and pip lives on, the next waits
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as running:
        lines = []
        for line in running.stdout or ():
            lines.append(line.rstrip())
            report = plain_sentence(line)
            if report:
                say(report)
    if running.returncode != 0:
        tail = "\n".join(lines[-15:])
        raise SetupError(
            f"{tail}\nThe packages could not be installed (the lines above say why). Check the "
            "network connection, then run the same command again."
        )


def plain_sentence(line: str) -> str:
    """What a line of pip's output means for the user; empty for the many that mean nothing."""
    wheel = re.match(r"\s*(?:Downloading|Using cached) (\S+?)-([^\s-]+)-\S+\.whl \((.+)\)", line)
    if wheel:
        verb = "Downloading" if "Downloading" in line else "Already downloaded:"
        return f"  {verb} {wheel[1].replace('_', '-')} {wheel[2]} ({wheel[3]})"
    if line.startswith("Installing collected packages: "):
        return f"  Unpacking packages: {line.count(',') + 1}."
    return ""


# --- set-up as a whole ---------------------------------------------------------------------------


def requirements(group: str) -> tuple[list[str], str]:
    """What a group ("program" or "test") needs, and a fingerprint of all that it rests on."""
    import tomllib  # not in Python 3.10, which gets a sentence instead of an ImportError

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    # The builder makes the editable install, in the same environment and without a download.
    wanted += project["build-system"]["requires"]
    if group == "test":
        wanted += project["dependency-groups"]["test"]
    rests_on = (
        wanted,
        project["project"]["version"],
        project["project"]["scripts"],
        CONSTRAINTS.read_text(encoding="utf-8"),
        (sys.version, platform.machine(), str(ROOT)),
    )
    return wanted, hashlib.sha256(repr(rests_on).encode()).hexdigest()


def stamp(group: str) -> Path:
    """The file that holds the fingerprint of a finished set-up."""
    return VENV / f"set-up-{group}"


def is_ready(group: str, fingerprint: str) -> bool:
    """Whether the last set-up of this group finished and rested on the same things as today."""
    try:
        finished = stamp(group).read_text(encoding="ascii") == fingerprint
    except OSError:
        return False
    return finished and venv_python().exists() and not UNFINISHED.exists()


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold back a second set-up of this folder until the first has finished."""
    waiting = "Another set-up is running here: waiting for it."
    with (ROOT / ".venv.lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # tries for ten seconds
                    break
                except OSError:
                    say(waiting)
        else:
            import fcntl

            os.set_inheritable(file.fileno(), True)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say(waiting)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_up(group: str) -> None:
    """Bring .venv to what `group` needs; returns at once when it is there already."""
    wanted, fingerprint = requirements(group)
    if is_ready(group, fingerprint):
        return
    with only_one():
        if is_ready(group, fingerprint):
            return
        begun = time.monotonic()
        if UNFINISHED.exists():
            say("The last set-up was interrupted: starting again.")
            remove_venv()
        elif VENV.exists() and not venv_fits():
            say("The environment does not fit this Python: making a new one.")
            remove_venv()
        if not VENV.exists():
            make_venv()
        UNFINISHED.touch()
        try:
            install(wanted)
        except SetupError:
            UNFINISHED.unlink()  # pip takes back what fails; only a kill leaves halves
            raise
        warm()
        stamp(group).write_text(fingerprint, encoding="ascii")
        if group == "test":
            stamp("program").write_text(requirements("program")[1], encoding="ascii")
        UNFINISHED.unlink()
        say(f"Set-up finished in {time.monotonic() - begun:.0f} s.")


def install(wanted: Sequence[str]) -> None:
    """The packages, and this folder as an editable package so that every folder can start it."""
    if not has_pip(venv_python()):
        pip([*outer_pip(), "--python", str(venv_python())], ["pip"])
    inner = [str(venv_python()), "-m", "pip"]
    say("Installing packages (a few hundred megabytes the first time).")
    pip(inner, wanted)
    pip(inner, ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], binary=False)


def warm() -> None:
    """Compile the numerical kernels now, in a process of their own, so that no window waits."""
    if (ROOT / "bms_studio" / "gui" / "warm.py").exists():
        say("Compiling numerical code for this machine (a minute, once).")
        if not succeeds([str(venv_python()), "-P", "-m", "bms_studio.gui.warm"]):
            say("That failed; the program will compile when it first needs the code.")


# --- handing over --------------------------------------------------------------------------------


def hand_over(module: str, arguments: Sequence[str], **extra: str) -> int:
    """Become `python -m module`, so that signals and exit status are the program's own.

    Windows cannot: there wait for it and return its status; Ctrl-C is the child's to answer.
    Without a display Qt draws into memory.
    """
    command = [str(venv_python()), "-m", module, *arguments]
    env = {**os.environ, **extra}
    if sys.platform.startswith("linux") and not (
        env.get("DISPLAY") or env.get("WAYLAND_DISPLAY") or env.get("QT_QPA_PLATFORM")
    ):
        env["QT_QPA_PLATFORM"] = "offscreen"
    if sys.platform != "win32":
        os.execve(command[0], command, env)
    with subprocess.Popen(command, env=env) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def main(arguments: Sequence[str]) -> int:
    """Set up and run; returns the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        say(
            "BMS Studio needs Python 3.11 or newer and this is "
            f"{platform.python_version()}: install one and start run.py with it."
        )
        return 1
    verb = arguments[0] if arguments else ""
    if verb in ("-h", "--help"):
        print(__doc__)
        return 0
    windowless = verb in WINDOWLESS or (verb.startswith("-") and verb != "--setup-only")
    group = "test" if verb in ("test", "bench") else "program"
    try:
        if sys.platform.startswith("linux") and not windowless:
            ensure_libraries()
            if not is_ready(group, requirements(group)[1]):
                ensure_cjk_font()
        set_up(group)
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"The set-up cannot write or start {error.filename}: {error.strerror}.")
        return 1
    except KeyboardInterrupt:
        say("Set-up interrupted; the next start begins it again.")
        return 130
    if verb == "--setup-only":
        return 0
    if verb in ("test", "bench"):
        os.chdir(ROOT)
        return hand_over("pytest" if verb == "test" else "benchmarks", arguments[1:])
    # The user's folder must not stand in for a package: logs may lie beside a "can.py".
    return hand_over("bms_studio", arguments, PYTHONSAFEPATH="1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
