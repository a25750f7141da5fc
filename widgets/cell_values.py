"""What the tiles of a cell grid say: texts, colours and flags per cell, as plain data.

    CellValues(main, second, fill, flags, age_s, unit)
    age_text(seconds) -> str;  fill_levels(fill) -> list[int]
No widget and no painting here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from widgets.cell_tiles import LEVELS, UNKNOWN_LEVEL


def _none() -> NDArray[np.float64]:
    return np.zeros(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class CellValues:
    """What the tiles say, per cell (position 0 = cell 1); shorter sequences leave the rest unknown.

    main: the large text ("3.622"); second: the small one without unit ("+2"), unit: its unit
    ("mV"). "" is shown as a dash. fill: -1…1 through the diverging map (a quantity with one bad
    side uses 0…-1, orange); NaN unknown. flags: BALANCING | WATCH | HIGH | STALE.
    age_s: age of each value in seconds, shown on stale tiles. lead: the one text that a compact
    tile has room for, "second" (the deviation) or "main".
    """

    main: Sequence[str] = ()
    second: Sequence[str] = ()
    fill: NDArray[np.float64] = field(default_factory=_none)
    flags: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    age_s: NDArray[np.float64] = field(default_factory=_none)
    unit: str = "mV"
    lead: str = "second"


def age_text(seconds: float) -> str:
    """A short age: "8 s", "3 min", "2 h"; "" if unknown."""
    if not np.isfinite(seconds):
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def fill_levels(fill: NDArray[np.float64]) -> list[int]:
    """Colour steps -LEVELS…LEVELS of fill values -1…1; UNKNOWN_LEVEL for NaN."""
    scaled = np.clip(np.asarray(fill, np.float64), -1.0, 1.0) * LEVELS
    unknown = np.isnan(scaled)
    levels = np.rint(np.where(unknown, 0.0, scaled)).astype(np.int64)
    levels[unknown] = UNKNOWN_LEVEL
    return [int(level) for level in levels]
