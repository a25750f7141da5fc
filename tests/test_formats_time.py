"""Stamps that cannot be true: one of them costs itself, never the time of the frames around it."""

from pathlib import Path

import numpy as np
import pytest

from protocols.frames import Frames, concatenate, empty_frames
from recordings.formats import read_log, write_log
from recordings.log_clock import DAMAGED, RESTART, StampClock, unbroken
from recordings.logs import LogReport

SECOND = 10**9
START = 1_700_000_000 * SECOND


def frames(time_ns: list[int]) -> Frames:
    made = empty_frames(len(time_ns))
    made.time[:] = time_ns
    made.id[:] = 0x351
    made.length[:] = 8
    made.data[:, 0] = np.arange(len(time_ns)) % 256
    return made


def trc(made: Frames) -> bytes:
    """PEAK TRC 1.1, as in PEAK's description of the format."""
    lines = [";$FILEVERSION=1.1", ";$STARTTIME=45000.5"]
    for k in range(len(made)):
        milli = (int(made.time[k]) - START) / 1e6
        lines.append(
            f"{k + 1:6d}) {milli:12.1f}  Rx     0351  8  " + made.data[k].tobytes().hex(" ")
        )
    return ("\n".join(lines) + "\n").encode()


def log(path: Path, name: str, made: Frames) -> tuple[Frames, LogReport]:
    if name == "trc":
        path.write_bytes(trc(made))
    else:
        write_log(path, [made], name, ("can0",))
    reader = read_log(path, name)
    return concatenate(list(reader)), reader.report


@pytest.mark.parametrize("place", [0, 40, 99, 42_000])
@pytest.mark.parametrize("name", ["candump", "asc", "trc", "blf", "slcan"])
def test_one_damaged_stamp_changes_no_other(tmp_path: Path, name: str, place: int) -> None:
    count = 100 if place < 100 else 60_000
    good = [START + k * SECOND // 100 for k in range(count)]
    spoiled = list(good)
    # Ten years ahead; SLCAN has 60 s, and of those 20 s lie within what a pause could be.
    ahead = 20 * SECOND if name == "slcan" else 3650 * 86_400 * SECOND
    spoiled[place] += ahead
    if name == "slcan" and place in (0, 99):
        pytest.skip("of a first or last stamp of 16 bits nobody can say that it is wrong")
    if name in ("asc", "blf") and place == 0:
        pytest.skip("these count from the first stamp: what lies before it cannot be written")
    got, report = log(tmp_path / "a", name, frames(spoiled))
    expected = list(good)
    expected[place] = good[1] if place == 0 else good[place - 1]
    step = 1_000_000 if name == "slcan" else 100_000  # TRC has tenths of a millisecond
    moved = np.array(got.time) - got.time[1] - (np.array(expected) - expected[1])
    assert np.abs(moved).max() <= step
    assert (report.damaged, report.restarts, report.backwards) == (1, 0, 0)
    assert f"frame {place + 1}" in report.marks[0][2]
    assert any("damaged stamp" in note for note in report.notes)


@pytest.mark.parametrize("name", ["candump", "asc", "trc", "blf"])
def test_a_clock_that_is_set_back_goes_on_and_is_an_event(tmp_path: Path, name: str) -> None:
    made = [START + 3600 * SECOND + k * SECOND // 10 for k in range(200)]
    made += [START + k * SECOND // 10 for k in range(200)]
    if name == "asc":  # counts from the first stamp: no minus sign in the file
        made = [START, *made]
    got, report = log(tmp_path / "a", name, frames(made))
    got = got[1:] if name == "asc" else got
    if name == "blf":
        pytest.skip("BLF stamps have no sign: before the first there is nothing")
    assert np.diff(got.time).max() <= SECOND // 10
    assert (report.restarts, report.backwards) == (1, 0)
    assert [kind for _, kind, _ in report.marks] == ["clock-step"]


def test_stamps_that_run_backwards_are_marked_once_per_stretch(tmp_path: Path) -> None:
    made = [START + k * SECOND // 100 for k in range(300)]
    made[100] -= SECOND // 2
    made[200] -= SECOND // 2
    made[201] -= SECOND // 2
    got, report = log(tmp_path / "a", "candump", frames(made))
    assert np.diff(got.time).min() == 0
    assert report.backwards == 3
    assert [when - START for when, _, _ in report.marks] == [
        99 * SECOND // 100,
        199 * SECOND // 100,
    ]


def test_decisions_do_not_depend_on_where_blocks_end() -> None:
    rng = np.random.default_rng(3)
    time = np.cumsum(rng.integers(0, SECOND // 50, 3000)).astype(np.int64)
    time[rng.choice(2900, 30, replace=False) + 5] += rng.integers(2, 10**6, 30) * SECOND
    time[1500:] -= 7 * SECOND
    whole, kinds = StampClock().run(time, True)
    for size in (1, 7, 64, 1000):
        clock, waiting = StampClock(), np.empty(0, np.int64)
        parts: list[np.ndarray] = []
        for first in range(0, len(time), size):
            waiting = np.concatenate([waiting, time[first : first + size]])
            done, _ = clock.run(waiting, first + size >= len(time))
            parts.append(done)
            waiting = waiting[len(done) :]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (kinds == DAMAGED).sum() >= 28
    assert (kinds == RESTART).sum() == 1


def test_absurd_stamps_overflow_nothing() -> None:
    time = np.array([0, 2**62, -(2**62), 2**63 - 1, -(2**63), 5] * 20, np.int64)
    running, _ = unbroken(time)
    assert len(running) == 120
    assert np.abs(running.astype(float)).max() <= 8e18


def test_numbers_that_only_python_would_read_are_bad_lines_in_trc(tmp_path: Path) -> None:
    path = tmp_path / "odd.trc"
    lines = [
        ";$FILEVERSION=2.0",
        ";$STARTTIME=1e999999",
        ";$COLUMNS=N,O,T,I,d,l,D",
        "1 1.0 DT 0100 Rx 1 AA",
        "2 1e99999999 DT 0100 Rx 1 AA",
        "3 3.0 DT -1A8 Rx 1 AA",
        "4 4.0 DT 0100 Rx -1 AA",
        "5 5.0 DT 0100 Rx 1 BB",
    ]
    path.write_text("\n".join(lines), encoding="latin-1")
    reader = read_log(path)
    found = concatenate(list(reader))
    assert found.data[:, 0].tolist() == [0xAA, 0xBB]
    assert reader.report.bad_lines == [5, 6, 7]
