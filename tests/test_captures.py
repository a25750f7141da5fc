"""Every statement of ../shared/data about its captures, read the way a person's log is read.

From the file through format, detection and mapping to values; expected beside found. Absent folder:
skipped, a user's clone has none.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bms_studio.interpret import Interpretation, Request, interpret
from protocols.dbc import load_database
from protocols.detect import detect
from protocols.frames import Frames, concatenate
from protocols.polled import Decoder
from protocols.roles import KINDS, PACK_FIELDS
from recordings.formats import read_log

FIELDS = [field.name for field in PACK_FIELDS]


@cache
def frames_of(path: Path) -> Frames:
    return concatenate(list(read_log(path)))


def meaning_of(
    shared_data: Path, log: str, *databases: str
) -> tuple[Frames, Interpretation | None]:
    folder = shared_data / "can"
    given = tuple(load_database(folder / name) for name in databases)
    frames = frames_of(folder / log)
    return frames, interpret(frames, Request(databases=given))


def values(frames: Frames, meaning: Interpretation) -> dict[str, np.ndarray]:
    """Values per field of the pack, in order of arrival; "cell", "probe", "balancing": rows of
    number and value."""
    samples = Decoder(meaning.databases, meaning.mapping).push(frames)
    found = {}
    for kind in ("cell", "probe", "balancing"):
        _, index, value = samples.group(KINDS.index(kind))
        found[kind] = np.column_stack([index + 1, value])
    _, index, value = samples.group(KINDS.index("pack"))
    return found | {name: value[index == k] for k, name in enumerate(FIELDS) if k in index}


# log, databases, frames, title, what is expected: a number (all values), or (lowest, highest)
Expected = dict[str, float | tuple[float, float]]
STATEMENTS: list[tuple[str, tuple[str, ...], int, Expected]] = [
    ("orion/big.raw", ("orion/Orion_CANBUS.dbc",), 1566,
     {"voltage": 282.4, "current": 0.0, "soc": 0.805, "cell_count": 72.0, "soh": 1.0}),
    ("orion/big.raw", (), 1566, {"voltage": 282.4, "current": 0.0, "soc": 0.80}),
    ("orion/candump-2025-11-05_214230.log", ("orion/Orion_CANBUS.dbc",), 56_676,
     {"voltage": (292.4, 292.5), "soc": 0.83}),
    ("orion/candump-2025-11-05_214230.log", (), 56_676, {"voltage": (292.4, 292.5), "soc": 0.83}),
    ("leaf/EV-CANeplus2.log", (), 25_832, {"current": (-40.0, 482.5), "soh": 0.91}),
    ("leaf/EV-CANeplus2.log", ("leaf/EV-can_ZE1.dbc",), 25_832, {"current": (-40.0, 482.5)}),
    ("leaf/ZE0w24kWhstock.log", (), 59_966, {"voltage": (385.0, 386.5), "current": (-2.0, 3.0)}),
    ("leaf/ZE0w24kWhstock.log", ("leaf/EV-can_ZE0.dbc",), 59_966,
     {"voltage": (385.0, 386.5), "current": (-2.0, 3.0), "soc": (0.751, 0.752)}),
    ("bmw_i3/I3_akku_only.trc", ("bmw_i3/BMW-i3-PT-CAN2.dbc",), 1149,
     {"voltage": 377.7, "current": 0.0, "soc": 0.513}),
    ("kona/kona_bms_uds_idle_30s.asc", (), 5934, {"voltage": (360.8, 360.9), "soc": 0.485}),
    ("kona/kona_bms_uds_idle_30s.asc", ("kona/hyundai_kona.dbc",), 5934,
     {"voltage": (360.8, 360.9), "soc": 0.5}),
    ("kona/kona_bms_uds_idle_30s.asc", ("kona/pcan.dbc",), 5934,
     {"voltage": (360.8, 360.9), "soc": 0.485}),
    ("kona/kona_bms_uds_precharge.asc", ("kona/hyundai_kona.dbc",), 857, {"soc": 0.505}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("log", "databases", "count", "expected"),
    STATEMENTS,
    ids=[f"{log} {' '.join(dbs) or 'alone'}" for log, dbs, _, _ in STATEMENTS],
)
def test_a_capture_says_of_its_pack_what_its_owner_saw(
    shared_data: Path, log: str, databases: tuple[str, ...], count: int, expected: Expected
) -> None:
    frames, meaning = meaning_of(shared_data, log, *databases)
    assert len(frames) == count
    assert meaning is not None
    found = values(frames, meaning)
    for field, value in expected.items():
        low, high = value if isinstance(value, tuple) else (value, value)
        assert (found[field].min(), found[field].max()) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("databases", [("orion/Orion_CANBUS.dbc",), ()])
@pytest.mark.parametrize(
    ("log", "cells", "low_v", "high_v", "probes"),
    [
        ("orion/big.raw", 52, 3.9213, 3.9230, [18, 17, 17, 17, 17, 17, 20, 20]),
        ("orion/candump-2025-11-05_214230.log", 67, 4.0544, 4.0641, [15] * 6 + [17, 18]),
    ],
)
def test_both_orion_captures_give_cells_probes_and_no_balancing(
    shared_data: Path,
    log: str,
    cells: int,
    low_v: float,
    high_v: float,
    probes: list[float],
    databases: tuple[str, ...],
) -> None:
    frames, meaning = meaning_of(shared_data, log, *databases)
    assert meaning is not None
    found = values(frames, meaning)
    assert len(np.unique(found["cell"][:, 0])) == cells
    assert (found["cell"][:, 1].min(), found["cell"][:, 1].max()) == pytest.approx((low_v, high_v))
    assert not found["balancing"][:, 1].any()
    newest = dict(found["probe"].tolist())
    assert [newest[n] for n in range(1, 9)] == probes


@pytest.mark.parametrize("databases", [(), ("leaf/EV-can_ZE1.dbc",)])
def test_the_leaf_gives_both_sweeps_to_the_millivolt(
    shared_data: Path, databases: tuple[str, ...]
) -> None:
    frames, meaning = meaning_of(shared_data, "leaf/EV-CANeplus2.log", *databases)
    assert meaning is not None
    found = values(frames, meaning)
    sweeps = found["cell"][:, 1].reshape(-1, 96)
    assert sweeps[0, :4] == pytest.approx([3.910, 3.869, 3.859, 3.871])
    assert (int(sweeps[0].argmin()) + 1, sweeps[0].min()) == (43, pytest.approx(3.853))
    assert sweeps[:2].sum(axis=1) == pytest.approx([371.320, 384.047])
    assert (sweeps[1].min(), sweeps[1].max()) == pytest.approx((3.990, 4.015))
    assert found["probe"][:4, 1].tolist() == [19, 20, 19, 18]
    assert found["balancing"][:96, 1].sum() == 41
    assert found["soc"][0] == pytest.approx(0.9344, abs=5e-5)


def test_the_inverter_bus_has_no_bms_whatever_database_is_given(shared_data: Path) -> None:
    log = "tecnun/candump-2024-12-28_152319.log"
    for databases in (
        (),
        ("tecnun/HVBMS.dbc",),
        ("tecnun/AMS.dbc",),
        ("tecnun/HVBMS.dbc", "tecnun/AMS.dbc"),
    ):
        frames, meaning = meaning_of(shared_data, log, *databases)
        assert len(frames) == 74_381
        assert meaning is None


def test_an_i3_that_nobody_asks_is_no_protocol_of_ours(shared_data: Path) -> None:
    frames = frames_of(shared_data / "can" / "bmw_i3" / "I3_akku_only.trc")
    assert not [c for c in detect(frames) if c.confidence >= 0.8]


@pytest.mark.parametrize(
    "log",
    [
        "orion/big.raw",
        "leaf/EV-CANeplus2.log",
        "leaf/ZE0w24kWhstock.log",
        "kona/kona_bms_uds_idle_30s.asc",
        "bmw_i3/I3_akku_only.trc",
    ],
)
def test_no_database_of_another_car_takes_a_capture_for_its_own(
    shared_data: Path, log: str
) -> None:
    """Identifiers overlap between makers: what a foreign database then says is not believed."""
    own = Path(log).parent
    folder = shared_data / "can"
    frames = frames_of(folder / log)
    truth = interpret(frames, Request())
    for path in sorted(folder.rglob("*.dbc")):
        if path.parent.name == own.name:
            continue
        found = interpret(frames, Request(databases=(load_database(path),)))
        if found is None or (truth is not None and found.title == truth.title):
            continue
        cells = [b for b in found.mapping.bindings if b.role.kind == "cell"]
        strange = [b for b in cells if found.confidence > 0.5]
        builtin = {m.name for d in (truth.databases if truth else ()) for m in d.messages}
        assert not [b for b in strange if b.message not in builtin], (path.name, found.why)
