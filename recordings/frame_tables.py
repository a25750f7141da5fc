"""One group of a recording as a pandas table: wide (one dataset) or narrow (all scalar ones)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recordings.layout import UNKNOWN_UINT8
from recordings.reader import Recording


def time_index(time: NDArray[np.int64]) -> pd.DatetimeIndex:
    """ns since 1970 UTC as an index that says so."""
    return pd.DatetimeIndex(time.view("datetime64[ns]"), name="time").tz_localize("UTC")


def wide(recording: Recording, group: str, column: str, noun: str) -> pd.DataFrame:
    """One (rows, N) dataset; columns 1..N. Empty where the recording has none."""
    info = recording.columns(group).get(column)
    if info is None:
        empty = pd.DataFrame(index=time_index(np.empty(0, np.int64)))
        empty.attrs.update(unit="", units={}, labels=())
        return empty
    rows = recording.read(group, [column])
    values = rows[column]
    if values.dtype == np.uint8:
        values = np.where(values == UNKNOWN_UINT8, np.nan, values).astype(np.float32)
    columns = pd.RangeIndex(1, info.width + 1, name=noun)
    table = pd.DataFrame(values, time_index(rows["time"]), columns, copy=False)
    table.attrs["unit"] = info.unit
    table.attrs["units"] = dict.fromkeys(columns, info.unit)
    table.attrs["long_name"] = info.long_name
    table.attrs["labels"] = recording.labels(group)
    return table


def narrow(recording: Recording, group: str) -> pd.DataFrame:
    """All one-dimensional datasets of a group side by side."""
    infos = {name: info for name, info in recording.columns(group).items() if not info.width}
    if not infos:
        empty = pd.DataFrame(index=time_index(np.empty(0, np.int64)))
        empty.attrs["units"] = {}
        return empty
    rows = recording.read(group, list(infos))
    table = pd.DataFrame({name: rows[name] for name in infos}, time_index(rows["time"]))
    table.attrs["units"] = {name: info.unit for name, info in infos.items()}
    table.attrs["long_names"] = {name: info.long_name for name, info in infos.items()}
    return table
