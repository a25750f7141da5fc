"""Leaf and Kona as they were recorded: what is polled, what is broadcast, what they are not."""

import re
from pathlib import Path

import numpy as np
import pytest

from bms_studio.pipeline import Pipeline
from protocols.contract import Example, Protocol
from protocols.detect import Candidate, detect
from protocols.evidence import Bus
from protocols.frames import Frames, concatenate, empty_frames
from protocols.isotp import segment
from protocols.polled import Decoder, decode_transfers, reassemble
from protocols.registry import load
from protocols.roles import KINDS, PACK_FIELDS

DATA = Path(__file__).parents[2] / "shared" / "data" / "can"
_FIELDS = [field.name for field in PACK_FIELDS]


def frames_of(rows: list[tuple[int, int, bytes]]) -> Frames:
    """Time in ms, identifier, data."""
    frames = empty_frames(len(rows))
    for k, (time_ms, frame_id, data) in enumerate(rows):
        frames.time[k], frames.id[k], frames.length[k] = time_ms * 1_000_000, frame_id, len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def capture(name: str) -> Frames:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the captures of ../shared/data are not here ({name})")
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        tabs = line.split("\t")
        if len(tabs) > 8 and tabs[6].startswith("0x"):
            data = bytes(int(byte, 16) for byte in tabs[8].split())
            rows.append((int(tabs[4]), int(tabs[6], 16), data))
        elif match := re.match(r" *(\d+\.\d+) 0 +([0-9A-F]+)\tRx +d \d ([0-9A-F ]+)", line):
            rows.append((int(1000 * float(match[1])), int(match[2], 16), bytes.fromhex(match[3])))
    return frames_of(rows)


def decoded(frames: Frames, found: Candidate) -> dict[str, np.ndarray]:
    """Values in order of arrival per kind, and per field of the pack."""
    samples = Decoder(found.databases, found.mapping).push(frames)
    values = {kind: samples.group(k)[2] for k, kind in enumerate(KINDS)}
    _, index, value = samples.group(KINDS.index("pack"))
    return values | {name: value[index == k] for k, name in enumerate(_FIELDS)}


def test_a_driving_leaf_shows_the_cells_that_another_tester_asks_for() -> None:
    frames = capture("leaf/EV-CANeplus2.log")
    found = detect(frames)
    assert [c.name for c in found] == ["leaf"]
    assert found[0].confidence > 0.95
    assert "sum is the pack voltage" in found[0].why
    values = decoded(frames, found[0])
    sweeps = values["cell"].reshape(-1, 96)
    assert len(sweeps) == 4
    assert sweeps[0, :4].tolist() == pytest.approx([3.910, 3.869, 3.859, 3.871])
    assert sweeps[0].min() == pytest.approx(3.853)
    assert int(sweeps[0].argmin()) + 1 == 43
    assert sweeps[0].sum() == pytest.approx(371.320)
    assert sweeps[1].sum() == pytest.approx(384.047)
    assert (sweeps[1].min(), sweeps[1].max()) == pytest.approx((3.990, 4.015))
    assert values["probe"][:4].tolist() == [19.0, 20.0, 19.0, 18.0]
    assert values["balancing"].reshape(-1, 96).sum(axis=1).tolist() == [41.0] * 4
    assert values["soc"][0] == pytest.approx(0.9344, abs=5e-5)
    # The car counts discharge as negative.
    assert (values["current"].min(), values["current"].max()) == (-40.0, 482.5)
    assert values["full_ah"][0] == pytest.approx(162.2, abs=0.01)
    assert values["soh"][0] == pytest.approx(0.91)


def test_the_sum_that_the_leaf_sends_along_is_the_sum_of_its_cells() -> None:
    frames = capture("leaf/EV-CANeplus2.log")
    transfer = next(t for t in load("leaf").database.transfers if t.prefix == b"\x61\x02")
    samples = decode_transfers(frames, [transfer])
    names = [signal.name for signal in transfer.message.signals]
    rows = samples.value.reshape(-1, len(names))
    sums = rows[:, :96].sum(axis=1)
    assert sums == pytest.approx(rows[:, names.index("Sum_Of_Cells")], abs=0.01)


def test_the_polled_cells_become_rows_of_the_pipeline_wherever_it_is_cut() -> None:
    frames = capture("leaf/EV-CANeplus2.log")
    found = detect(frames)[0]
    tables = []
    for step in (len(frames), 997):
        pipeline = Pipeline(found.databases, found.mapping)
        rows = [r for at in range(0, len(frames), step) for r in pipeline.push(frames[at:][:step])]
        rows += pipeline.flush()
        tables.append({r.name: None for r in rows})
        for name in tables[-1]:
            mine = [r.scans for r in rows if r.name == name]
            tables[-1][name] = [np.concatenate([s.time for s in mine]), *(s.rows for s in mine)]
    whole, cut = tables
    assert whole["cells"][1].shape[1] == 96
    assert len(whole["cells"][0]) == 4
    for name in ("cells", "probes", "balancing", "pack"):
        assert whole[name][0].tolist() == cut[name][0].tolist()
        assert np.array_equal(np.vstack(whole[name][1:]), np.vstack(cut[name][1:]), equal_nan=True)


def test_an_older_leaf_that_nobody_asks_is_known_and_its_start_is_dropped() -> None:
    frames = capture("leaf/ZE0w24kWhstock.log")
    found = detect(frames)
    assert [c.name for c in found] == ["leaf"]
    assert "must be asked" in found[0].why
    values = decoded(frames, found[0])
    assert len(values["cell"]) == 0
    # Four frames of 511.5 V and one of 511.5 A are left out.
    assert len(values["voltage"]) == 7781 - 4
    assert values["voltage"].max() == 386.5
    assert values["current"].min() == -2.0
    assert values["current"].max() == 3.0
    assert values["soh"][0] == pytest.approx(0.51)
    assert values["temperature_max"].tolist() == [3.0] * 52
    layout = load("leaf").database.message("LBC_Charge")
    gids = decoded_signal(frames, load("leaf"), layout.name, "GIDs")
    assert set(gids.tolist()) == {111.0}


def decoded_signal(frames: Frames, protocol: Protocol, message: str, signal: str) -> np.ndarray:
    return Bus([protocol.database], frames).values(message, signal)


@pytest.mark.parametrize(
    ("name", "soc", "degc"),
    [("kona_bms_uds_idle_30s.asc", 0.485, 11.0), ("kona_bms_uds_precharge.asc", 0.49, 10.0)],
)
def test_a_kona_whose_cells_nobody_asks_for_shows_its_pack(
    name: str, soc: float, degc: float
) -> None:
    frames = capture(f"kona/{name}")
    found = detect(frames)
    assert [c.name for c in found] == ["hyundai_kia_bus"]
    values = decoded(frames, found[0])
    assert len(values["cell"]) == 0
    assert (values["voltage"].min(), values["voltage"].max()) == pytest.approx((360.8, 360.9))
    assert set(values["current"].tolist()) == {0.0}
    assert values["soc"][0] == pytest.approx(soc)
    assert set(values["temperature_max"].tolist()) == {degc}
    # Tester present and its answer are all that was said.
    answers = reassemble(frames, load("hyundai_kia").database.transfers)
    assert {answers.payload(k)[0] for k in range(len(answers))} <= {0x7E, 0x6F}


def spoken(examples: tuple[Example, ...], rounds: int = 5) -> Frames:
    rows = []
    for _ in range(rounds):
        for example in examples:
            for data in segment(example.data) if example.isotp else [example.data]:
                rows.append((5 * len(rows), example.id, data))
    return frames_of(rows)


def test_answers_at_the_diagnostic_connector_are_hyundai_or_kia() -> None:
    protocol = load("hyundai_kia")
    found = detect(spoken(protocol.examples))
    assert [c.name for c in found] == ["hyundai_kia"]
    values = decoded(spoken(protocol.examples), found[0])
    assert values["voltage"][0] == pytest.approx(399.5)


def test_where_the_bms_broadcasts_too_the_battery_bus_is_meant() -> None:
    frames = spoken(load("hyundai_kia_bus").examples)
    found = detect(frames)
    assert [c.name for c in found] == ["hyundai_kia_bus"]
    assert len(decoded(frames, found[0])["cell"]) > 0


@pytest.mark.parametrize("prefix", ["6101", "620101", "620102"])
def test_other_cars_with_the_same_identifiers_are_not_taken_for_it(prefix: str) -> None:
    """Older answers, twice as many cells in series, cells of two bytes."""
    random = np.random.default_rng(1)
    datas = []
    for _ in range(20):
        body = bytearray(random.integers(0, 256, 62, np.uint8).tobytes())
        body[:3] = bytes.fromhex(prefix).ljust(3, b"\x00")
        if prefix == "620101":
            body[15:17], body[26] = (7000).to_bytes(2, "big"), 195
        datas += segment(bytes(body if prefix != "620102" else body[:39]))
    frames = frames_of([(k, 0x7EC, data) for k, data in enumerate(datas)])
    assert detect(frames) == []


def test_a_bus_with_the_leafs_identifiers_and_no_checksums_is_no_leaf() -> None:
    random = np.random.default_rng(2)
    ids = (0x1DB, 0x1DC, 0x55B, 0x5BC, 0x7BB)
    rows = [(k, ids[k % 5], random.integers(0, 256, 8, np.uint8).tobytes()) for k in range(2000)]
    assert detect(frames_of(rows)) == []


def test_a_lost_frame_costs_a_sweep_and_never_shifts_cells() -> None:
    example = next(e for e in load("leaf").examples if "cell.1.voltage" in e.expected)
    good = spoken((example,), 1)
    broken = concatenate([good[:7], good[8:]])
    layout = load("leaf")
    assert len(Decoder([layout.database], layout.mapping).push(broken)) == 0
    samples = Decoder([layout.database], layout.mapping).push(concatenate([broken, good]))
    assert samples.index.tolist() == list(range(96))
    assert samples.value[0] == pytest.approx(3.801)


def test_the_leafs_serial_number_is_read_where_somebody_asks() -> None:
    payload = b"\x61\x84230UK1192E001482 \xa0\x00\x00"
    leaf = load("leaf")
    assert leaf.serial is not None
    frames = frames_of([(k, 0x7BB, data) for k, data in enumerate(segment(payload))])
    assert leaf.serial(frames) == "230UK1192E001482"
    assert leaf.serial(frames[:-2]) is None


@pytest.mark.parametrize("name", ["leaf", "hyundai_kia", "hyundai_kia_bus", "hyundai_kia_egmp"])
def test_every_answer_that_is_read_has_its_question(name: str) -> None:
    protocol = load(name)
    asked = {(p.answer_id, bytes([p.payload[0] + 0x40]) + p.payload[1:]) for p in protocol.polls}
    for transfer in protocol.database.transfers:
        assert (transfer.message.id, transfer.prefix) in asked
    for poll in protocol.polls:
        assert poll.flow_control_id == poll.id
        assert poll.period_s >= 0.5
