"""20,000 mutated files of every kind that a stranger can send, read in workers that may die.

    python tests/long/hostile.py [--count 20000] [--seed 1] [--kinds dbc,hdf5] [--keep FOLDER]

Each file must be read, or refused with one clear sentence (a known exception, one line), in less
than 1 GB; without an answer for 60 s it counts as hung (kernels may have to be compiled first).
HDF5 is read by a library that may crash or hang on a damaged file: its worker dies, and the program
goes on; all other kinds must not even lose a worker. Prints a table and ends with status 1 if
anything else happened. Files that failed are kept where --keep says.
"""

import argparse
import faulthandler
import io
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

LIMIT_S = 60.0
MEMORY = 1 << 30
BATCH = 250
MOST_WORDS = 600
MAY_DIE = {"hdf5"}
SUFFIX = {"hdf5": ".h5", "samples": ".csv", "samples-packed": ".csv.gz", "profile": ".toml"}


# -- mutation ----------------------------------------------------------------------------------


def mutate(good: bytes, rng: random.Random) -> bytes:
    """One to six damages of one file."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(DAMAGES)(data, rng)
        if not data:
            break
    return bytes(data[: 8 << 20])


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 4, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    size = rng.choice((1, 2, 4, 8, 64))
    fill = rng.choice((b"\0", b"\xff", b"9", b"\x80", bytes([rng.randrange(256)])))
    data[at : at + size] = (fill * size)[: len(data) - at]


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _remove(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 7, 100, 3000))]


def _splice(data: bytearray, rng: random.Random) -> None:
    at, to = rng.randrange(len(data)), rng.randrange(len(data))
    piece = bytes(data[at : at + rng.choice((3, 40, 500, 5000))])
    data[to:to] = piece * rng.choice((1, 1, 2, 50))


def _junk(data: bytearray, rng: random.Random) -> None:
    junk = rng.choice(
        (
            rng.randbytes(rng.choice((1, 9, 300))),
            b"\0" * 100_000,
            b"A" * 200_000,
            b"\n" * 5000,
            b"(" * 3000,
            b"[" * 3000,
            b'"',
            b"\xef\xbb\xbf\xff\xfe",
            "电池∞".encode(),
            b"&lol9;" * 50,
            b"%s%n" * 20,
        )
    )
    at = rng.randrange(len(data) + 1)
    data[at:at] = junk


def _number(data: bytearray, rng: random.Random) -> None:
    """A number becomes a monstrous one."""
    places = list(re.finditer(rb"\d+", bytes(data[:200_000])))
    if not places:
        _overwrite(data, rng)
        return
    place = rng.choice(places)
    data[place.start() : place.end()] = rng.choice(
        (
            b"9" * 1_000_000,
            b"9" * 20,
            b"-1",
            b"0",
            b"1e308",
            b"1e-400",
            b"nan",
            b"inf",
            b"4294967295",
            b"18446744073709551616",
            b"0x7fffffffffffffff",
            b"0-4294967295",
            b"99999999999999-1",
        )
    )


def _swap(data: bytearray, rng: random.Random) -> None:
    """Lines change places."""
    lines = bytes(data).split(b"\n")
    rng.shuffle(lines)
    data[:] = b"\n".join(lines)


DAMAGES = (_flip, _flip, _overwrite, _cut, _remove, _splice, _junk, _number, _number, _swap)


def mutant(kind: str, goods: list[bytes], rng: random.Random) -> bytes:
    """One mutated file; of a journal, one of its files inside a zip that is whole."""
    good = rng.choice(goods)
    if kind != "journal":
        return mutate(good, rng)
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as source, zipfile.ZipFile(held, "w") as target:
        names = source.namelist()
        spoiled = rng.choice(names)
        for name in names:
            content = source.read(name)
            target.writestr(name, mutate(content, rng) if name == spoiled else content)
    return held.getvalue()


# -- the worker --------------------------------------------------------------------------------


def work(kind: str, folder: Path, first: int, count: int, seed: int) -> None:
    """Read `count` mutants and print one JSON line for each."""
    from hostile_readers import KNOWN, reader
    from hostile_seeds import seeds

    goods = seeds(folder)[kind]
    read, known = reader(kind, folder), KNOWN
    for good in goods:
        place = folder / f"good{SUFFIX.get(kind, '.' + kind)}"
        place.write_bytes(good)
        try:
            read(place, 1)  # compiled, and accepted as it is
        except known as problem:
            print(json.dumps({"seed": f"{problem}"}), flush=True)
    _limit()
    path = folder / f"mutant{SUFFIX.get(kind, '.' + kind)}"
    for number in range(first, first + count):
        rng = random.Random(f"{seed} {kind} {number}")
        path.write_bytes(mutant(kind, goods, rng))
        print(json.dumps({"begin": number}), flush=True)
        faulthandler.dump_traceback_later(LIMIT_S, exit=True)
        begun = time.process_time()
        told: dict[str, Any] = {"number": number, "outcome": "read", "words": ""}
        try:
            read(path, number)
        except known as problem:
            words = str(problem)
            clear = bool(words.strip()) and "\n" not in words and len(words) <= MOST_WORDS
            told |= {"outcome": "refused" if clear else "unclear", "words": words[:MOST_WORDS]}
        except BaseException as problem:  # what the program would not expect
            told |= {"outcome": "unexpected", "words": f"{type(problem).__name__}: {problem}"[:300]}
        faulthandler.cancel_dump_traceback_later()
        told |= {"seconds": time.process_time() - begun, "mb": _peak_mb()}
        print(json.dumps(told), flush=True)


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY + (256 << 20), MEMORY + (256 << 20)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak_mb() -> float:
    try:
        import resource
    except ImportError:
        return 0.0
    kilo = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilo / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# -- the one who watches -----------------------------------------------------------------------


def batch(kind: str, first: int, count: int, seed: int) -> list[dict[str, Any]]:
    """The answers for `count` mutants; a worker that died is started again behind the file."""
    answers: list[dict[str, Any]] = []
    number = first
    while number < first + count:
        with tempfile.TemporaryDirectory(prefix="bms-studio-hostile-") as folder:
            todo = [kind, folder, str(number), str(first + count - number), str(seed)]
            command = [sys.executable, str(Path(__file__)), "--work", *todo]
            done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
        begun = number - 1
        for line in done.stdout.splitlines():
            answer = json.loads(line) if line.startswith("{") else {}
            if "seed" in answer and first == 0:
                print(f"{kind}: the good file itself is refused: {answer['seed']}", flush=True)
            begun = answer.get("begin", begun)
            if "outcome" in answer:
                answers.append(answer)
        if done.returncode == 0:
            break
        if begun < number:
            raise SystemExit(f"{kind}: the worker cannot begin: {done.stderr[-2000:]}")
        hung = "Timeout" in done.stderr
        outcome = "hung" if hung else "died"
        words = " | ".join(done.stderr.strip().splitlines()[-6:])[:600]
        answers.append({"number": begun, "outcome": outcome, "words": words, "seconds": 0, "mb": 0})
        number = begun + 1
    return answers


def keep(kind: str, number: int, seed: int, folder: Path) -> Path:
    """Write a mutant again, to be looked at."""
    from hostile_seeds import seeds

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        goods = seeds(Path(place))[kind]
    path = folder / f"{kind}-{seed}-{number}{SUFFIX.get(kind, '.' + kind)}"
    path.write_bytes(mutant(kind, goods, random.Random(f"{seed} {kind} {number}")))
    return path


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--keep", default="")
    options = parser.parse_args()
    if options.work:
        kind, folder, first, count, seed = options.work
        work(kind, Path(folder), int(first), int(count), int(seed))
        return 0
    from hostile_seeds import seeds

    with tempfile.TemporaryDirectory() as place:
        kinds = list(seeds(Path(place)))
    kinds = options.kinds.split(",") if options.kinds else kinds
    each = -(-options.count // len(kinds))
    wrong = 0
    begun = time.monotonic()
    for kind in kinds:
        answers = []
        for first in range(0, each, BATCH):
            answers += batch(kind, first, min(BATCH, each - first), options.seed)
        wrong += tell(kind, answers, options)
    print(f"{each * len(kinds)} files in {time.monotonic() - begun:.0f} s, {wrong} wrong")
    return 1 if wrong else 0


def tell(kind: str, answers: list[dict[str, Any]], options: argparse.Namespace) -> int:
    """One line of the table; what went wrong, in full. The number of wrong ones."""
    counts = Counter(answer["outcome"] for answer in answers)
    slowest = max(answer["seconds"] for answer in answers)
    memory = max(answer["mb"] for answer in answers)
    shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    print(f"{kind:18s} {shown}; slowest {slowest:.2f} s of CPU, peak {memory:.0f} MB", flush=True)
    allowed = {"read", "refused"} | ({"died", "hung"} if kind in MAY_DIE else set())
    wrong = [answer for answer in answers if answer["outcome"] not in allowed]
    for answer in wrong[:10]:
        place = ""
        if options.keep:
            place = f" kept as {keep(kind, answer['number'], options.seed, Path(options.keep))}"
        print(f"    {answer['number']} {answer['outcome']}: {answer['words']}{place}", flush=True)
    return len(wrong) + (memory > MEMORY >> 20)


if __name__ == "__main__":
    if shutil.which(sys.executable) is None:
        raise SystemExit("no Python to start workers with")
    sys.exit(main())
