"""What every estimator of this room is: parameters, state as plain arrays, and a step.

Arrays in, arrays out. No files, buses, Qt, pandas or threads may enter this room, and one estimator
never imports another: they share this module, `model` and the kernels.

An estimator is a module with a frozen dataclass `Params` (every default with its reason), and

    start(params, cells) -> State
    step(params, state, samples) -> Outputs

`step` changes the arrays of `state` in place and answers what the samples closed. How a stream is
cut into blocks never changes the result: concatenating the outputs of the blocks gives the output
of the whole. A state is nothing but arrays, so `numpy.savez(file, **state)` stores it and
`dict(numpy.load(file))` brings it back.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
Outputs = MappingProxyType[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """T scans of a string of N cells; unknown is NaN, never zero.

    time_ns: int64 (T,), ns since 1970 UTC, not decreasing; current_a: float64 (T,), + = discharge;
    cells_v: float32 or float64 (T, N); temperature_degc: float64 (T,), of the cells; age_s: (T, N),
    how much older than `time_ns` each cell's value is; balancing: (T, N), share of the time 0..1
    for which a bleed resistor draws from the cell.
    """

    time_ns: NDArray[np.int64]
    current_a: NDArray[np.float64]
    cells_v: NDArray[np.floating[Any]]
    temperature_degc: NDArray[np.float64]
    age_s: NDArray[np.floating[Any]]
    balancing: NDArray[np.floating[Any]]

    def __getitem__(self, rows: slice) -> "Samples":
        """The scans of a slice of rows, not copied."""
        return Samples(
            self.time_ns[rows],
            self.current_a[rows],
            self.cells_v[rows],
            self.temperature_degc[rows],
            self.age_s[rows],
            self.balancing[rows],
        )

    def __len__(self) -> int:
        return len(self.time_ns)


class Estimator(Protocol):
    """A module that passes the compliance test; `Params` needs no argument but the cell model."""

    def start(self, params: Any, cells: int) -> State:
        """The state before the first sample."""

    def step(self, params: Any, state: State, samples: Samples) -> Outputs:
        """What these samples closed; the state goes on."""


def samples(
    time_ns: NDArray[np.int64],
    current_a: NDArray[Any] | None,
    cells_v: NDArray[Any],
    temperature_degc: NDArray[Any] | None = None,
    age_s: NDArray[Any] | None = None,
    balancing: NDArray[Any] | None = None,
) -> Samples:
    """Samples with what is missing filled in as unknown (current, temperature) or zero (age_s,
    balancing: a scan without ages is taken to be simultaneous, a pack without bleeders to have
    none).

    Raises ValueError when the shapes do not fit or time runs backwards.
    """
    if cells_v.ndim != 2 or time_ns.shape != (len(cells_v),):
        raise ValueError(f"cells_v {cells_v.shape} needs one row per time {time_ns.shape}")
    if len(time_ns) and np.any(np.diff(time_ns) < 0):
        raise ValueError("time runs backwards: sort the samples or cut the recording there")
    rows, cells = cells_v.shape
    if not np.issubdtype(cells_v.dtype, np.floating):
        raise ValueError(f"cells_v must be volts as floating point, not {cells_v.dtype}")
    return Samples(
        np.ascontiguousarray(time_ns, np.int64),
        _column(current_a, rows, "current_a"),
        np.ascontiguousarray(cells_v),
        _column(temperature_degc, rows, "temperature_degc"),
        _table(age_s, (rows, cells), "age_s"),
        _table(balancing, (rows, cells), "balancing"),
    )


def frozen(**arrays: NDArray[Any]) -> Outputs:
    """Outputs by name; the first dimension is that of `time_ns` among them."""
    return MappingProxyType(arrays)


def _column(values: NDArray[Any] | None, rows: int, name: str) -> NDArray[np.float64]:
    if values is None:
        return np.full(rows, np.nan)
    if values.shape != (rows,):
        raise ValueError(f"{name} {values.shape} needs {rows} rows")
    return np.ascontiguousarray(values, np.float64)


def _table(
    values: NDArray[Any] | None, shape: tuple[int, int], name: str
) -> NDArray[np.floating[Any]]:
    if values is None:
        # One zero seen through strides: a day of 96 cells costs nothing.
        return np.broadcast_to(np.zeros(1, np.float32), shape)
    if values.shape != shape:
        raise ValueError(f"{name} {values.shape} needs the shape of cells_v {shape}")
    return np.asarray(values, np.float32)
