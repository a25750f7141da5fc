"""The analysis engine: live, replay and `analyze` say the same, whatever the blocks."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bms_studio.analysis.analyser import Analyser, Block
from bms_studio.analysis.basis import Known, settle
from bms_studio.analysis.contract import PACK_COLUMNS, Settings
from bms_studio.analysis.recorded import analyse_recording
from bms_studio.analysis.run import Analysed, Piece, Table, analyse, chunks
from bms_studio.analysis.runs import Runs
from bms_studio.build import Item, build
from bms_studio.derivation import Derivation
from bms_studio.diagnosis.verdict import judge
from bms_studio.interpret import Request
from bms_studio.jobs import Job
from bms_studio.pack.chemistry import load_chemistry
from bms_studio.pack.health import NAMES, PACK_QUANTITIES, QUANTITIES, Health
from bms_studio.pack.profile import Profile, parse_profile
from bms_studio.pipeline import Pipeline
from bms_studio.replay import Replay, open_replay
from bms_studio.simulator.rider import STORY
from bms_studio.simulator.simulation import generate
from bms_studio.timeline import Timeline
from protocols.frames import Frames
from protocols.registry import load
from protocols.roles import PACK_FIELDS
from recordings.analysis_layout import CELL_NUMBERS, OF_PACK, OUTLOOK, PER_CELL
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

PROFILE = '[pack]\nchemistry = "NMC"\ncapacity_ah = 31.0\n'
KNOWN = parse_profile(PROFILE)
SECONDS = 150.0
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def frames() -> list[Frames]:
    """A demo pack of 14 cells, number 13 weak, with the first minutes of the story."""
    faults = ("resistance:13",)
    return list(generate(SECONDS, cells=14, faults=faults, rate_hz=20, plan=STORY))


@pytest.fixture(scope="module")
def recording(frames: list[Frames], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analysis") / "demo.h5"
    attributes = RecordingAttributes(source="simulated", profile=PROFILE, protocol="scooter")
    items = (Item(frames=block) for block in frames)
    build(items, path, attributes, Request("scooter", (), KNOWN))
    return path


@pytest.fixture(scope="module")
def analysed(recording: Path) -> Analysed:
    return analyse_recording(Recording(recording), Settings())


def pieces(frames: list[Frames]) -> Iterator[Piece]:
    protocol = load("scooter")
    pipeline = Pipeline((protocol.database,), protocol.mapping)
    for block in frames:
        parts = pipeline.push(block)
        for part in sorted(parts, key=lambda p: p.kind == "cell"):
            if part.kind != "location":
                ages = part.scans.age_s if part.kind == "cell" else None
                yield Piece(1, part.kind, part.scans.time, part.scans.rows, ages)


def joined(blocks: list[Block]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    out: dict[str, list[Block]] = {}
    for block in blocks:
        out.setdefault(block.group, []).append(block)
    return {
        group: (np.concatenate([b.time for b in parts]), np.concatenate([b.rows for b in parts]))
        for group, parts in out.items()
    }


def results(given: list[Piece]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    analyser = Analyser(Settings(), KNOWN)
    blocks: list[Block] = []
    for piece in given:
        analyser.push(piece.kind, piece.time, piece.rows, piece.age_s)
        for evaluation in analyser.due():
            analyser.accept(evaluation.health())
        blocks += analyser.take()
    analyser.finish()
    for evaluation in analyser.due():
        analyser.accept(evaluation.health())
    return joined(blocks + analyser.take())


def test_blocks_of_any_size_give_the_same_numbers(frames: list[Frames]) -> None:
    whole = list(pieces(frames))
    kinds = {p.kind: [] for p in whole}
    for piece in whole:
        kinds[piece.kind].append(piece)
    at_once = []
    for kind in ("pack", "probe", "balancing", "cell"):
        parts = kinds[kind]
        ages = np.concatenate([p.age_s for p in parts]) if kind == "cell" else None
        moments = np.concatenate([p.time for p in parts])
        at_once.append(Piece(1, kind, moments, np.concatenate([p.rows for p in parts]), ages))
    expected = results(at_once)
    assert len(expected["estimates/soc"][0]) > 20
    assert {"health/soc", "health/resistance_ohm", "estimates/pack"} <= set(expected)
    small = results(whole)
    assert set(small) == set(expected)
    for group, (moments, rows) in expected.items():
        np.testing.assert_array_equal(small[group][0], moments, group)
        np.testing.assert_array_equal(small[group][1], rows, group)


def test_live_and_the_recording_of_it_say_the_same(
    frames: list[Frames], analysed: Analysed
) -> None:
    timeline = Timeline()
    derivation = Derivation(Request("scooter", (), KNOWN), timeline)
    for block in frames:
        derivation.push(block)
    derivation.analysis.finish(KNOWN)
    live = derivation.runs.all[0].analysis()
    kept = analysed.run.analysis()
    assert live is not None
    assert kept is not None
    known = dict(zip(kept.estimates["time"].tolist(), kept.estimates["soc"], strict=True))
    moments = live.estimates["time"].tolist()
    assert len(moments) > 20
    for moment, row in zip(moments, live.estimates["soc"], strict=True):
        np.testing.assert_allclose(row, known[moment], atol=1e-6)
    last, stored = live.health[-1], kept.health[-1]
    np.testing.assert_allclose(
        last.values("resistance_ohm"), stored.values("resistance_ohm"), rtol=1e-3
    )
    assert max(live.risks, key=lambda r: r.risk).cell == 13
    assert max(kept.risks, key=lambda r: r.risk).cell == 13


def opened(path: Path) -> Replay:
    job = Job("open", lambda job: open_replay(job, path))
    assert job.wait(120.0)
    assert not job.error, job.error + job.details
    replay: Replay = job.result
    assert replay.filled.wait(120.0)
    settled(replay)
    return replay


def settled(replay: Replay) -> None:
    """Wait until nothing runs beside and everything posted has been taken in."""
    end = time.monotonic() + 150.0
    while time.monotonic() < end:
        if math.isnan(replay.analysis.busy) and not replay._posted and replay.analysis.runs:
            return
        time.sleep(0.02)
    raise AssertionError("the analysis did not end")


def test_a_replay_shows_at_the_playhead_what_the_analysis_of_the_file_says(
    recording: Path, analysed: Analysed
) -> None:
    kept = analysed.run.analysis()
    assert kept is not None
    replay = opened(recording)
    try:
        end = int(kept.estimates["time"][-1])
        values, _ = replay.timeline.held("estimates/soc", end)
        np.testing.assert_allclose(values, kept.estimates["soc"][-1], atol=1e-6)
        replay.seek(int(kept.health[0].time) - 1)
        assert replay.analysis.health is None, "nothing is known before the first evaluation"
        replay.seek(10**19)
        health = replay.analysis.health
        assert health is not None
        assert health.time == kept.health[-1].time
        assert replay.analysis.basis.chemistry == "NMC"
        assert next(r.cell for r in replay.analysis.risks if r.rank == 1) == 13
    finally:
        replay.disconnect()


def test_an_analysis_again_is_kept_beside_the_first_and_either_can_be_shown(
    recording: Path,
) -> None:
    replay = opened(recording)
    try:
        replay.seek(10**19)
        before = replay.timeline.held("estimates/soc", replay.now_ns)[0]
        replay.analyse(Settings(name="twice the capacity", capacity_ah=62.0))
        end = time.monotonic() + 60.0
        while len(replay.analysis.runs) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        settled(replay)
        assert replay.analysis.runs == ("1", "twice the capacity")
        assert replay.analysis.shown == 1
        assert replay.analysis.settings.capacity_ah == 62.0
        after = replay.timeline.held("estimates/soc", replay.now_ns)[0]
        assert not np.allclose(before, after)
        old, new = replay.analysis_run(0), replay.analysis_run(1)
        assert old is not None
        assert new is not None
        np.testing.assert_allclose(old.estimates["soc"][-1], before, atol=1e-6)
        np.testing.assert_allclose(new.estimates["soc"][-1], after, atol=1e-6)
        replay.show_analysis(0)
        while replay.analysis.shown and time.monotonic() < end:
            time.sleep(0.02)
        shown = replay.timeline.held("estimates/soc", replay.now_ns)[0]
        np.testing.assert_array_equal(shown, before)
    finally:
        replay.disconnect()


def test_settings_that_cannot_be_used_are_refused_in_one_sentence(recording: Path) -> None:
    for settings, words in (
        (Settings(chemistry="unobtainium"), "known are"),
        (Settings(capacity_ah=-3.0), "must be positive"),
        (Settings(chemistry="custom"), "--ocv"),
        (Settings(model={"r9_ohm": 1.0}), "r9_ohm"),
        (Settings(ocv="soc,ocv_v\n0,3\n"), "row"),
    ):
        with pytest.raises(ValueError, match=words):
            settle(settings, Profile(), Known())


# -- odd recordings ------------------------------------------------------------------------------


def tables(cells_v: np.ndarray, current_a: np.ndarray | None, step_s: float = 1.0) -> list[Table]:
    moments = START_NS + (np.arange(len(cells_v)) * step_s * 1e9).astype(np.int64)
    found = [Table(1, "cell", moments, cells_v.shape[1], lambda i, j: (cells_v[i:j], None))]
    if current_a is not None:
        pack = np.full((len(moments), len(PACK_FIELDS)), np.nan, np.float32)
        pack[:, [f.name for f in PACK_FIELDS].index("current")] = current_a
        found.append(Table(1, "pack", moments, pack.shape[1], lambda i, j: (pack[i:j], None)))
    return found


def run_of(given: list[Table], profile: Profile) -> Analysed:
    return analyse(lambda: chunks(given), Settings(), {1: profile})


def volts(rows: int, cells: int, current_a: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(3)
    pulled = 3.7 - 0.002 * current_a[:, None] * (1 + 0.02 * np.arange(cells))
    return (pulled + 0.0005 * rng.standard_normal((rows, cells))).astype(np.float32)


PULSES = np.where(np.arange(600) // 10 % 2, 20.0, 0.0)


@pytest.mark.parametrize("cells", [1, 2, 400])
def test_one_cell_or_four_hundred_are_estimated(cells: int) -> None:
    done = run_of(tables(volts(600, cells, PULSES), PULSES), KNOWN)
    told = done.run.packs[1]
    assert told.cells == cells
    health = told.health[-1]
    assert np.isfinite(health.values("soc")).all()
    assert np.isfinite(health.values("resistance_ohm")).all()
    assert ("capacity_difference" in health.needs) == (cells == 1) or health.needs


def test_without_current_there_is_soc_and_nothing_that_current_would_tell() -> None:
    done = run_of(tables(volts(600, 3, 0 * PULSES), None), KNOWN)
    told = done.run.packs[1]
    health = told.health[-1]
    assert "basis.no_current" in told.basis.notes
    assert np.isfinite(health.values("soc")).all()
    for name in ("resistance_ohm", "leak_a", "capacity_ah", "sag_margin_v"):
        assert np.isnan(health.values(name)).all(), name
        assert health.needs[name] == "need.current"


def test_cells_logged_too_seldom_ask_for_faster_scans_not_for_harder_loads() -> None:
    hour = np.tile(PULSES, 6)
    done = run_of(tables(volts(3600, 4, hour), hour, step_s=10.0), KNOWN)
    health = done.run.packs[1].health[-1]
    assert np.isnan(health.values("resistance_ohm")).all()
    assert health.needs["resistance_ohm"] == "need.faster_scans"
    verdict = judge([], ("check.cell_limits", "check.sensors"), True, health)
    assert verdict.next_action == ("action.log_faster", {})


def test_an_unknown_chemistry_is_asked_for_and_not_assumed() -> None:
    done = run_of(tables(volts(600, 3, PULSES), PULSES), Profile(capacity_ah=31.0))
    told = done.run.packs[1]
    health = told.health[-1]
    if told.basis.chemistry_source != "recognised":
        assert told.basis.chemistry == ""
        assert np.isnan(health.values("soc")).all()
        assert health.needs["soc"] == "need.chemistry"
        assert "estimates/soc" not in done.run.blocks
    assert np.isfinite(health.values("resistance_ohm")).all(), "a ratio of volts and amperes"


def test_without_a_capacity_there_are_no_ampere_hours() -> None:
    done = run_of(tables(volts(600, 3, PULSES), PULSES), Profile(chemistry="NMC"))
    told = done.run.packs[1]
    assert math.isnan(told.basis.capacity_ah)
    assert "basis.no_capacity" in told.basis.notes
    stored = done.run.analysis()
    assert stored is not None
    assert np.isfinite(stored.estimates["soc"]).all()
    assert np.isnan(stored.estimates["usable_ah"]).all()
    assert np.isnan(stored.estimates["discharge_10_a"]).all()
    sure = run_of(tables(volts(600, 3, PULSES), PULSES), KNOWN).run.packs[1].health[-1]
    assert np.all(told.health[-1].sigma("soc") > sure.sigma("soc"))


def test_a_current_of_the_wrong_sign_is_not_believed() -> None:
    done = run_of(tables(volts(600, 3, PULSES), -PULSES), KNOWN)
    told = done.run.packs[1]
    assert "basis.sign_contradicts" in told.basis.notes
    health = told.health[-1]
    assert np.isnan(health.values("resistance_ohm")).all()
    assert health.needs["resistance_ohm"] == "need.sign"


def test_nothing_but_unknown_values_gives_nothing_but_unknown_answers() -> None:
    nothing = np.full((300, 4), np.nan, np.float32)
    told = run_of(tables(nothing, np.full(300, np.nan)), KNOWN).run.packs[1]
    health = told.health[-1]
    for name in ("resistance_ohm", "leak_a", "capacity_ah", "rest_voltage_v"):
        assert np.isnan(health.values(name)).all()


def test_time_that_runs_backwards_in_a_foreign_recording_does_no_harm() -> None:
    given = tables(volts(600, 3, PULSES), PULSES)
    analyser = Analyser(Settings(), KNOWN)
    for _ in range(2):
        for table in given[::-1]:
            rows, _ages = table.read(0, 600)
            analyser.push(table.kind, table.time, rows)
    analyser.finish()
    moments = np.concatenate([b.time for b in analyser.take() if b.group == "estimates/soc"])
    assert np.all(np.diff(moments) >= 0)


def test_cells_that_appear_late_join_those_that_are_known() -> None:
    given = volts(600, 4, PULSES)
    moments = START_NS + np.arange(600) * 1_000_000_000
    pack = tables(given, PULSES)[1]
    analyser = Analyser(Settings(), KNOWN)
    analyser.push("pack", pack.time, pack.read(0, 600)[0])
    analyser.push("cell", moments[:200], given[:200, :2])
    analyser.push("cell", moments[200:], given[200:])
    analyser.finish()
    for evaluation in analyser.due():
        analyser.accept(evaluation.health())
    assert analyser.count == 4
    assert np.isfinite(analyser.health[-1].values("resistance_ohm")).all()


def test_lfp_is_recognised_from_its_plateau_and_then_used_from_the_beginning() -> None:
    rows = 7200
    current = np.where(np.arange(rows) // 300 % 4 == 0, 0.0, 8.0)
    moved = np.cumsum(current) / 3600 / 31.0
    table = load_chemistry("LFP")
    cells = np.interp(0.85 - moved, table.soc, table.ocv_v)[:, None] - 0.001 * current[:, None]
    cells = (cells + np.zeros(4)).astype(np.float32)
    done = run_of(tables(cells, current), Profile(capacity_ah=31.0))
    basis = done.run.packs[1].basis
    assert (basis.chemistry, basis.chemistry_source) == ("LFP", "recognised")
    assert 0.8 <= basis.chemistry_confidence <= 1.0
    stored = done.run.analysis()
    assert stored is not None
    assert len(stored.estimates["soc"]) > 1000, "also of the time before it was recognised"


# -- one table of names --------------------------------------------------------------------------


def test_recordings_hold_every_quantity_under_its_name_and_unit() -> None:
    assert [e[:3] for e in PER_CELL if e[0] != "risk"] == [
        (q.name, q.unit, q.has_sigma) for q in QUANTITIES if q.name != "risk"
    ]
    assert [e[0] for e in PER_CELL] == list(NAMES)
    assert [e[:3] for e in OF_PACK] == [(q.name, q.unit, q.has_sigma) for q in PACK_QUANTITIES]
    stored = {n for name, _, sigma, _ in OUTLOOK for n in (name, *((f"{name}_sigma",) * sigma))}
    stored |= {name for name, _ in CELL_NUMBERS}
    wanted = {f"pack_{n}" if n in ("soc", "soc_sigma") else n for n in PACK_COLUMNS}
    assert stored == wanted


def test_the_status_of_a_view_without_any_analysis_is_empty() -> None:
    status = Runs(Timeline()).status(0)
    assert status.health is None
    assert status.runs == ()
    assert Health(0, 0, 3).values("soc").shape == (3,)
