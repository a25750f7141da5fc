"""The pyramid against brute force, and while it grows."""

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recordings.pyramid import Pyramid


def brute_force(
    raw: NDArray[np.float32], edges: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    low = np.full((len(columns), len(edges) - 1), np.nan, np.float32)
    high = low.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN slices are the point here
        for p in range(len(edges) - 1):
            rows = raw[edges[p] : edges[p + 1]][:, columns]
            if len(rows):
                low[:, p], high[:, p] = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    return low, high


def random_rows(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    raw = rng.normal(size=(rows, columns)).astype(np.float32)
    raw[rng.random(raw.shape) < 0.2] = np.nan
    raw[rng.random(raw.shape) < 0.01] = np.inf
    raw[rng.random(raw.shape) < 0.01] = -np.inf
    return raw


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 700),
    columns=st.integers(1, 7),
    pixels=st.integers(1, 40),
    base=st.sampled_from([1, 2, 5, 16, 64]),
    factor=st.sampled_from([2, 3, 4]),
)
def test_any_row_range_has_the_extremes_that_brute_force_finds(
    seed: int, rows: int, columns: int, pixels: int, base: int, factor: int
) -> None:
    rng = np.random.default_rng(seed)
    raw = random_rows(rng, rows, columns)
    pyramid = Pyramid(columns, base, factor)
    at = 0
    while at < rows:
        step = int(rng.integers(1, 120))
        pyramid.extend(raw[at : at + step])
        at += step
    edges = np.sort(rng.integers(0, rows + 1, pixels + 1))
    chosen = rng.permutation(columns)[: int(rng.integers(1, columns + 1))]
    for wanted in (chosen, np.arange(columns)):
        low, high = pyramid.fetch(raw, edges, wanted)
        low_true, high_true = brute_force(raw, edges, wanted)
        np.testing.assert_array_equal(low, low_true)
        np.testing.assert_array_equal(high, high_true)


def test_a_single_sample_extreme_survives_in_a_million_rows() -> None:
    raw = np.full((1_000_000, 3), 3.7, np.float32)
    raw[654_321, 1] = 3.1
    raw[654_322, 1] = 4.2
    pyramid = Pyramid(3)
    pyramid.extend(raw)
    low, high = pyramid.fetch(raw, np.array([0, 1_000_000]))
    assert low[1, 0] == np.float32(3.1)
    assert high[1, 0] == np.float32(4.2)
    assert low[0, 0] == high[0, 0] == np.float32(3.7)


def test_rows_that_the_pyramid_has_not_seen_yet_come_from_raw() -> None:
    rng = np.random.default_rng(5)
    raw = random_rows(rng, 1000, 4)
    pyramid = Pyramid(4, base=8)
    pyramid.extend(raw[:500])
    edges = np.array([0, 100, 490, 1000])
    np.testing.assert_array_equal(
        pyramid.fetch(raw, edges)[0], brute_force(raw, edges, np.arange(4))[0]
    )


def test_columns_that_appear_late_leave_older_rows_without_value() -> None:
    rng = np.random.default_rng(6)
    raw = random_rows(rng, 3000, 5)
    raw[:1700, 3:] = np.nan
    pyramid = Pyramid(3, base=4, factor=2)
    pyramid.extend(raw[:1700, :3])
    pyramid.widen(5)
    pyramid.extend(raw[1700:])
    edges = np.arange(0, 3001, 50)
    for got, true in zip(
        pyramid.fetch(raw, edges), brute_force(raw, edges, np.arange(5)), strict=True
    ):
        np.testing.assert_array_equal(got, true)


def test_spans_without_raw_data_still_show_their_whole_blocks() -> None:
    raw = np.arange(1000, dtype=np.float32).reshape(-1, 1)
    pyramid = Pyramid(1, base=10)
    pyramid.extend(raw)
    low, high = pyramid.fetch(raw[500:], np.array([3, 205, 600]), raw_start=500)
    assert (low[0, 0], high[0, 0]) == (10, 199)
    assert (low[0, 1], high[0, 1]) == (210, 599)


@pytest.mark.parametrize("edges", [[-1, 5], [0, 101], [5, 4]])
def test_edges_outside_the_data_are_refused(edges: list[int]) -> None:
    pyramid = Pyramid(2)
    raw = np.zeros((100, 2), np.float32)
    pyramid.extend(raw)
    with pytest.raises(IndexError, match="edges"):
        pyramid.fetch(raw, np.array(edges))
    with pytest.raises(IndexError, match="columns"):
        pyramid.fetch(raw, np.array([0, 100]), np.array([2]))


def test_levels_live_where_the_allocator_puts_them(tmp_path: Path) -> None:
    names: list[str] = []

    def allocate(name: str, shape: tuple[int, int], dtype: Any) -> NDArray[np.float32]:
        names.append(name)
        return np.memmap(tmp_path / name, dtype, "w+", shape=shape)

    raw = np.random.default_rng(7).normal(size=(60_000, 4)).astype(np.float32)
    pyramid = Pyramid(4, base=16, allocate=allocate)
    for at in range(0, len(raw), 999):
        pyramid.extend(raw[at : at + 999])
    assert len(names) == len(set(names)) > 2
    edges = np.linspace(0, len(raw), 33).astype(np.int64)
    np.testing.assert_array_equal(
        pyramid.fetch(raw, edges)[1], brute_force(raw, edges, np.arange(4))[1]
    )


def test_readers_see_whole_blocks_while_the_writer_appends() -> None:
    raw = np.random.default_rng(8).normal(size=(40_000, 8)).astype(np.float32)
    pyramid = Pyramid(8, base=16)
    pyramid.extend(raw[:16])
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            rows = pyramid.rows
            low, _ = pyramid.fetch(raw, np.array([0, rows]))
            if not np.array_equal(low[:, 0], raw[:rows].min(axis=0)):
                wrong.append(rows)

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(16, len(raw), 37):
        pyramid.extend(raw[at : at + 37])
    done.set()
    reader.join()
    assert wrong == []


def test_the_levels_take_at_most_five_per_cent_of_the_data() -> None:
    raw = np.zeros((200_000, 10), np.float32)
    pyramid = Pyramid(10)
    pyramid.extend(raw)
    assert pyramid.nbytes <= 0.05 * raw.nbytes
