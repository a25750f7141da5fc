"""The columns of frames as views need them: any object with these arrays serves, none is copied.

`FrameColumns` are frames in order of arrival, `IdColumns` one row per identifier. A block of frames
and an identifier table of other rooms fit as they are. Only types live here.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class FrameColumns(Protocol):
    """N frames. time: int64 ns since 1970 UTC; id: uint32; flags, channel, length: uint8;
    data: uint8 (N, 8) or (N, 64)."""

    @property
    def time(self) -> NDArray[np.int64]: ...
    @property
    def id(self) -> NDArray[np.uint32]: ...
    @property
    def flags(self) -> NDArray[np.uint8]: ...
    @property
    def channel(self) -> NDArray[np.uint8]: ...
    @property
    def length(self) -> NDArray[np.uint8]: ...
    @property
    def data(self) -> NDArray[np.uint8]: ...


class IdColumns(FrameColumns, Protocol):
    """One row per identifier, with its newest frame. count: int64; period_s, jitter_s: float64,
    NaN unknown; changed: int64 (N, width), when each byte last changed, ns, 0 never."""

    @property
    def count(self) -> NDArray[np.int64]: ...
    @property
    def period_s(self) -> NDArray[np.float64]: ...
    @property
    def jitter_s(self) -> NDArray[np.float64]: ...
    @property
    def changed(self) -> NDArray[np.int64]: ...
