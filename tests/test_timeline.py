"""The timeline: what views fetch is what was appended, at every zoom, with gaps as gaps."""

import numpy as np
import pytest

from bms_studio.pack.scans import Scanner
from bms_studio.timeline import Timeline
from protocols.frames import EXTENDED, empty_frames

SECOND = 1_000_000_000


def filled(rows: int, cells: int = 20, period_ns: int = 10_000_000) -> tuple[Timeline, np.ndarray]:
    rng = np.random.default_rng(1)
    values = (3.6 + 0.01 * rng.standard_normal((rows, cells))).astype(np.float32)
    timeline = Timeline()
    time = SECOND + np.arange(rows, dtype=np.int64) * period_ns
    for start in range(0, rows, 777):
        timeline.append("cells", time[start : start + 777], values[start : start + 777])
    return timeline, values


def test_few_samples_come_as_they_are() -> None:
    timeline, values = filled(500)
    reduced = timeline.fetch("cells", SECOND, SECOND + 4 * SECOND, 1500)
    np.testing.assert_array_equal(reduced.low[:, :400], values.T[:, :400])
    assert reduced.low is reduced.high


def test_many_samples_keep_their_extremes() -> None:
    timeline, values = filled(50_000)
    values_low, values_high = values.min(axis=0), values.max(axis=0)
    span = timeline.span()
    assert span is not None
    reduced = timeline.fetch("cells", *span, 800)
    assert reduced.low.shape[1] <= 802
    np.testing.assert_array_equal(np.nanmin(reduced.low, axis=1), values_low)
    np.testing.assert_array_equal(np.nanmax(reduced.high, axis=1), values_high)


def test_deviation_is_each_cell_minus_the_median_of_its_scan() -> None:
    timeline, values = filled(100)
    _, deviation = timeline.raw("deviation", 0, 10 * SECOND)
    expected = values - np.median(values, axis=1, keepdims=True)
    np.testing.assert_allclose(deviation, expected, atol=1e-6)


def test_a_gap_is_not_joined() -> None:
    timeline, _ = filled(100)
    late = np.array([100 * SECOND], np.int64)
    timeline.append("cells", late, np.full((1, 20), 3.5, np.float32))
    reduced = timeline.fetch("cells", 0, 200 * SECOND, 1000)
    assert np.isnan(reduced.low[0]).sum() == 1


def test_held_looks_back_for_each_column_and_leaves_unknown_unknown() -> None:
    timeline = Timeline()
    values = np.array([[1.0, np.nan, np.nan], [np.nan, 2.0, np.nan]], np.float32)
    timeline.append("probes", np.array([10, 20], np.int64), values)
    held, when = timeline.held("probes", 25)
    np.testing.assert_array_equal(held, [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(when, [10, 20, 0])
    assert np.isnan(timeline.held("probes", 5)[0]).all()


def test_more_cells_may_appear_later() -> None:
    timeline = Timeline()
    timeline.append("cells", np.array([1], np.int64), np.ones((1, 2), np.float32))
    timeline.append("cells", np.array([2], np.int64), np.ones((1, 5), np.float32))
    timeline.append("cells", np.array([3], np.int64), np.ones((1, 3), np.float32))
    _, values = timeline.raw("cells", 0, 10)
    assert values.shape == (3, 5)
    assert np.isnan(values[0, 2:]).all()
    assert np.isnan(values[2, 3:]).all()


def test_beyond_the_cap_the_overview_remains() -> None:
    timeline = Timeline(cap_bytes=2_000_000)
    rows = 40_000
    values = np.sin(np.arange(rows, dtype=np.float32) / 500)[:, None].repeat(8, axis=1)
    values[100, 3] = 9.0
    time = np.arange(rows, dtype=np.int64) * 10_000_000
    for start in range(0, rows, 1000):
        timeline.append("cells", time[start : start + 1000], values[start : start + 1000])
    span = timeline.span()
    assert span == (0, int(time[-1]))
    reduced = timeline.fetch("cells", *span, 500, [3])
    assert np.nanmax(reduced.high) == 9.0
    assert len(timeline.raw("cells", *span)[0]) < rows


def test_frames_are_counted_by_identifier_also_when_looking_back() -> None:
    timeline = Timeline()
    frames = empty_frames(300)
    frames.time[:] = np.arange(300) * 10_000_000
    frames.id[:] = np.where(np.arange(300) % 3 == 0, 0x100, 0x200)
    frames.flags[::3] = EXTENDED
    frames.length[:] = 8
    frames.data[:, 7] = np.arange(300) % 256
    timeline.append_frames(frames)
    late = timeline.frames.by_id(2_990_000_000)
    np.testing.assert_array_equal(late.id, [0x200, 0x100])
    np.testing.assert_array_equal(late.count, [200, 100])
    assert late.period_s[1] == pytest.approx(0.03)
    early = timeline.frames.by_id(300_000_000)
    assert early.count.sum() == 31


def test_scans_close_when_a_column_comes_again_whatever_the_block_size() -> None:
    cells, rounds = 7, 40
    index = np.tile(np.arange(cells, dtype=np.int32), rounds)
    time = 1 + np.arange(len(index), dtype=np.int64) * 1_000_000
    value = np.arange(len(index), dtype=np.float64)
    keep = np.ones(len(index), bool)
    keep[[0, 15, 16, 100]] = False
    index, time, value = index[keep], time[keep], value[keep]
    whole = Scanner().push(time, index, value)
    scanner, parts = Scanner(), []
    for start in range(0, len(index), 5):
        block = slice(start, start + 5)
        scans = scanner.push(time[block], index[block], value[block])
        parts += [(t, row.tolist()) for t, row in zip(scans.time, scans.rows, strict=True)]
    assert len(parts) == len(whole)
    for (t, row), t_whole, row_whole in zip(parts, whole.time, whole.rows, strict=True):
        assert t == t_whole
        np.testing.assert_array_equal(np.float32(row), row_whole[: len(row)])


def test_ages_are_scan_end_minus_arrival() -> None:
    scanner = Scanner()
    time = np.array([10, 20, 30, 1000], np.int64) * 1_000_000
    scans = scanner.push(time, np.array([0, 1, 2, 0], np.int32), np.ones(4))
    np.testing.assert_allclose(scans.age_s[0], [0.02, 0.01, 0.0], atol=1e-6)
    assert scans.time[0] == 30_000_000


def test_a_missing_cell_is_unknown_in_its_scan_only() -> None:
    scanner = Scanner()
    index = np.array([0, 1, 2, 0, 2, 0, 1, 2, 0], np.int32)
    time = np.arange(1, 10, dtype=np.int64) * 1_000_000
    scans = scanner.push(time, index, index.astype(float))
    np.testing.assert_array_equal(scans.rows[1], np.float32([0, np.nan, 2]))
    assert not np.isnan(scans.rows[[0, 2]]).any()
