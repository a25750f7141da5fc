"""What the simulated pack says on the bus: right bytes, at the right moments, from a seed."""

import dataclasses
import math
import time
from itertools import pairwise

import numpy as np
import pytest

from bms_studio.simulator.bms import Protection
from bms_studio.simulator.faults import KINDS, Fault, parse_fault
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.rider import STORY
from bms_studio.simulator.simulation import Simulation, generate, run
from protocols import scooter
from protocols.encode import encode
from protocols.frames import EXTENDED, Frames, concatenate, to_bytes
from protocols.roles import Role

CELLS = scooter.DATABASE.message("Cell_Voltages")


def collect(seconds: float, **options: object) -> Frames:
    """All frames of `generate` in one block."""
    return concatenate(list(generate(seconds, **options)))  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    faults = ("resistance:13", "intermittent:3")
    first = collect(3.0, faults=faults, plan=STORY)
    second = collect(3.0, faults=faults, plan=STORY)
    other = collect(3.0, faults=faults, plan=STORY, seed=2)
    assert to_bytes(first) == to_bytes(second)
    assert to_bytes(first) != to_bytes(other)


@pytest.mark.parametrize("cells", [1, 2, 20, 32, 33, 96, 400])
def test_scooter_frames_are_what_the_protocol_s_own_encoder_makes_of_the_readings(
    cells: int,
) -> None:
    simulation = Simulation(PackSpec(cells=cells, probes=7), rate_hz=10)
    simulation.bms.balancing[::5] = True
    frames = simulation.step()
    readings = simulation.readings
    assert readings is not None
    number = 0
    for row in frames.data[frames.id == CELLS.id]:
        names = {
            f"Cell_{k + 1:03d}_Voltage": float(readings.cell_v[0, k])
            for k in range(number, min(number + 3, cells))
        }
        used = 2 + 2 * len(names)  # places beyond the last cell are void
        assert row[:used].tobytes() == encode(CELLS, names)[:used]
        assert np.all(row[used:] == 0xFF)
        number += 3
    assert number >= cells
    status = frames.data[frames.id == 0x3A0]
    for k, row in enumerate(status):
        values = {
            "Pack_Voltage": float(readings.pack_v[k]),
            "Pack_Current": float(readings.current_a[k]),
            "SOC": float(readings.soc[k]) * 100.0,
        }
        assert row.tobytes() == encode(scooter.DATABASE.message("Pack_Status"), values)
    _compare_probes(frames, readings.probe_degc)
    _compare_balancing(frames, simulation.bms.balancing)


def _compare_probes(frames: Frames, probe_degc: np.ndarray) -> None:
    message = scooter.DATABASE.message("Temperatures")
    rows = [row.tobytes() for row in frames.data[frames.id == message.id]]
    expected = [
        encode(
            message,
            {
                f"Probe_{n:03d}_Temperature": float(probe_degc[n - 1])
                for n in range(a, min(a + 3, 8))
            },
        )
        for a in (1, 4, 7)
    ]
    assert rows == expected


def _compare_balancing(frames: Frames, balancing: np.ndarray) -> None:
    message = scooter.DATABASE.message("Balancing")
    cells = len(balancing)
    rows = [row.tobytes() for row in frames.data[frames.id == message.id]]
    expected = []
    for first in range(1, cells + 1, 32):
        values: dict[str, float] = {"Balancing_Cell_Count": cells}
        for n in range(first, min(first + 32, cells + 1)):
            values[f"Cell_{n:03d}_Balancing"] = float(balancing[n - 1])
        expected.append(encode(message, values))
    assert rows == expected


def test_the_scooter_protocol_recognises_its_own_pack_and_reads_its_serial_number() -> None:
    frames = collect(2.0, spec=PackSpec(serial="7F-0233-LONG-SERIAL"))
    assert scooter.verify(frames).score == 1.0
    assert scooter.serial(frames) == "7F-0233-LONG-SERIAL"
    known = {message.id for message in scooter.DATABASE.messages}
    assert set(frames.id.tolist()) == known
    assert np.all(frames.length == 8)


def test_protection_bits_stand_in_the_order_that_the_protocol_documents() -> None:
    names = [fault.name for fault in Protection]
    assert names == [text.upper() for text in scooter.FAULTS]


def test_vesc_frames_carry_the_readings() -> None:
    simulation = Simulation(PackSpec(cells=20, faults=(parse_fault("hot:2"),)), "vesc", 100)
    simulation.bms.balancing[[0, 9, 19]] = True
    frames = simulation.step()
    readings = simulation.readings
    assert readings is not None
    assert np.all(frames.flags == EXTENDED)
    assert np.all((frames.id & 0xFF) == 10)
    packet = frames.id >> 8
    cells = frames[packet == 41]
    volts = np.full(readings.cell_v.shape, math.nan)
    seen = np.zeros(20, np.int64)
    for row, length in zip(cells.data, cells.length, strict=True):
        assert row[1] == 20
        values = row[2:length].tobytes()
        for slot in range((int(length) - 2) // 2):
            k = int(row[0]) + slot
            raw = int.from_bytes(values[2 * slot : 2 * slot + 2], "big", signed=True)
            volts[seen[k], k] = raw * 1e-3
            seen[k] += 1
    assert volts == pytest.approx(readings.cell_v, abs=1e-9)
    current = frames.data[packet == 39].copy().view(">f4")
    assert current[:, 0] == pytest.approx(readings.current_a, abs=1e-4)
    total = frames.data[packet == 38].copy().view(">f4")
    assert total[:, 0] == pytest.approx(readings.pack_v, abs=1e-4)
    bits = int.from_bytes(frames.data[packet == 42][0, 1:].tobytes(), "big")
    assert bits == 1 | 1 << 9 | 1 << 19
    temperatures = frames[packet == 43][:3]
    board = int.from_bytes(temperatures.data[0, 2:4].tobytes(), "big", signed=True) / 100
    assert temperatures.data[0, 1] == 7
    assert board == pytest.approx(readings.board_degc)


def test_vesc_refuses_a_pack_that_it_cannot_carry() -> None:
    with pytest.raises(ValueError, match="at most 50 cells"):
        generate(1.0, cells=96, protocol="vesc")


@pytest.mark.parametrize(("rate_hz", "cells"), [(1, 20), (10, 400), (100, 20), (1000, 20)])
def test_cells_come_at_the_rate_asked_for_in_order_of_time_and_never_closer_than_the_bus_allows(
    rate_hz: int, cells: int
) -> None:
    blocks = list(generate(2.0, cells=cells, rate_hz=rate_hz))
    frames = concatenate(blocks)
    spacing_ns = np.diff(frames.time)
    assert spacing_ns.min() >= (131_000 if rate_hz > 200 else 262_000)
    first = (frames.id == CELLS.id) & (frames.data[:, 0] == 1) & (frames.data[:, 1] == 0)
    scans = frames.time[first]
    assert len(scans) == 2 * rate_hz
    assert np.median(np.diff(scans)) == pytest.approx(1e9 / rate_hz, rel=0.02)
    assert frames.time[-1] - frames.time[0] < 2.1e9


def test_more_frames_than_a_bus_carries_do_not_queue_up_for_ever() -> None:
    generated = generate(3.0, cells=96, rate_hz=500)
    for number, frames in enumerate(generated, start=1):
        assert len(frames) > 1500
        late_ns = frames.time[-1] - (generated.simulation.start_ns + number * 100_000_000)
        assert late_ns < 20_000_000


@pytest.mark.parametrize("protocol", ["scooter", "vesc"])
def test_the_program_s_own_decoder_reads_back_what_the_electronics_measured(protocol: str) -> None:
    from protocols.decode import compile_mapping, decode
    from protocols.registry import load

    simulation = Simulation(PackSpec(), protocol, rate_hz=10)
    simulation.bms.balancing[[2, 18]] = True
    frames = simulation.step()
    readings = simulation.readings
    assert readings is not None
    known = load(protocol)
    samples = decode(frames, compile_mapping([known.database], known.mapping))
    _, cell, volts = samples.group(Role("cell", 1).group)
    assert sorted(cell.tolist()) == list(range(20))
    assert volts[np.argsort(cell)] == pytest.approx(readings.cell_v[0], abs=1e-9)
    _, probe, degc = samples.group(Role("probe", 1).group)
    expected = readings.probe_degc.tolist()
    if protocol == "vesc":
        expected.insert(0, readings.board_degc)
    assert degc[np.argsort(probe)] == pytest.approx(expected, abs=1e-9)
    _, cell, active = samples.group(Role("balancing", 1).group)
    assert active[np.argsort(cell)].astype(bool).tolist() == simulation.bms.balancing.tolist()
    _, field, value = samples.group(Role("pack", field="voltage").group)
    mean = value[field == Role("pack", field="voltage").column].mean()
    assert mean == pytest.approx(readings.pack_v.mean(), abs=0.02)


def test_the_default_demo_fills_the_bus_as_a_scooter_does() -> None:
    frames = collect(5.0)
    per_second = len(frames) / 5.0
    assert 700 < per_second < 2000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate_hz": 33}, "choose one of"),
        ({"protocol": "morse"}, "choose scooter or vesc"),
        ({"cells": 0}, "1 to 400 cells"),
        ({"cells": 401}, "1 to 400 cells"),
        ({"spec": PackSpec(capacity_ah=-1.0)}, "Ah"),
        ({"faults": ("resistance:21",)}, "no cell 21; choose 1 to 20"),
        ({"faults": ("connection:20",)}, "no joint 20; choose 1 to 19"),
        ({"faults": ("rust:3",)}, "no fault is called 'rust': known are resistance"),
        ({"faults": ("resistance",)}, "write NAME:CELL"),
        ({"faults": ("capacity:3:2",)}, "choose up to 0.9"),
        ({"faults": ("short:3:0",)}, "choose up to"),
    ],
)
def test_impossible_wishes_get_one_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        generate(1.0, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_every_fault_can_be_written_with_size_and_growth() -> None:
    for kind in KINDS:
        assert parse_fault(f"{kind}:3", 20) == Fault(kind, 3, KINDS[kind].size)
    assert parse_fault("sensor-offset:2:-0.004") == Fault("sensor-offset", 2, -0.004)
    grown = parse_fault("Resistance:13:0.5@600")
    assert dataclasses.astuple(grown) == ("resistance", 13, 0.5, 600.0)
    assert [grown.share(t) for t in (0.0, 300.0, 900.0)] == [0.0, 0.5, 1.0]


def test_the_story_rests_charges_and_rides_with_one_weak_cell() -> None:
    generated = generate(600.0, faults=("resistance:13",), plan=STORY, rate_hz=10)
    sag, current = [], []
    for _ in generated:
        readings = generated.simulation.readings
        assert readings is not None
        sag.append(float(readings.cell_v[-1, 12] - np.median(readings.cell_v[-1])))
        current.append(generated.truth[-1].current_a)
    what = [truth.what for truth in generated.truth]
    changes = [a for a, b in pairwise(what) if a != b]
    assert changes[:3] == ["rest", "charge", "rest"]
    assert what[-10] == "ride"
    steady = np.abs(np.array(current) - 34.0) < 1.5
    assert steady.sum() > 100
    assert -0.053 < np.median(np.array(sag)[steady]) < -0.042
    assert max(current) > 55.0
    assert min(current[1200:]) < -5.0  # regeneration while riding
    assert not generated.simulation.bms.faults


def test_random_riding_after_the_story_never_ends_and_comes_back_from_empty() -> None:
    generated = generate(2000.0, rate_hz=1, seed=5, spec=PackSpec(soc=0.28))
    for _ in generated:
        pass
    what = {truth.what for truth in generated.truth}
    soc = np.array([truth.soc.mean() for truth in generated.truth])
    assert what == {"rest", "ride", "charge"}
    assert soc.min() < 0.25
    assert soc[-1] > soc.min() + 0.02 > 0.02


def test_run_keeps_the_pace_of_the_clock_and_catches_up_after_a_short_stall() -> None:
    simulation = Simulation(PackSpec(), rate_hz=100)
    sent: list[tuple[float, int]] = []
    begun = time.monotonic()
    stalled = False

    def wait(seconds: float) -> bool:
        nonlocal stalled
        now = time.monotonic() - begun
        if not stalled and now > 0.6:
            stalled = True
            time.sleep(0.4)
        time.sleep(seconds)
        return now > 2.0

    run(simulation, lambda frames: sent.append((time.monotonic() - begun, len(frames))), wait)
    total = sum(count for _, count in sent)
    elapsed = sent[-1][0]
    assert total / elapsed == pytest.approx(851.0, rel=0.15)
    largest_gap = max(b[0] - a[0] for a, b in pairwise(sent))
    assert largest_gap >= 0.4
