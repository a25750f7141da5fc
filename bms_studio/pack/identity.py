"""Is this the same pack as before? Asked after every gap; two packs are never mixed in one file.

Serial numbers decide where the protocol carries them; else the number of cells and their pattern of
voltages. Arrays in, a word out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Cell minus median keeps its pattern while nobody opens the pack: at rest it moves by a few mV.
_SAME_PATTERN_V = 0.008
_OTHER_PATTERN_V = 0.025
_MIN_CELLS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What tells one pack from another: serial ("" unknown), and its newest cell voltages (N,).

    complete: a whole round of cells was seen, so that N is their number.
    """

    serial: str
    voltages: NDArray[np.float64]
    complete: bool = True


def same_pack(before: Fingerprint, after: Fingerprint) -> str:
    """ "same", "other" or "doubt".

    Load moves all cells together and weak cells apart, so patterns are compared as deviations from
    the median; between clearly same and clearly other lies doubt.
    """
    if before.serial and after.serial:
        return "same" if before.serial == after.serial else "other"
    known_before = before.voltages[~np.isnan(before.voltages)]
    known_after = after.voltages[~np.isnan(after.voltages)]
    if not len(known_before) or not len(known_after):
        return "doubt"
    cells, cells_after = len(before.voltages), len(after.voltages)
    if cells_after > cells or (cells_after < cells and before.complete and after.complete):
        return "other"
    both = ~np.isnan(before.voltages[:cells_after]) & ~np.isnan(after.voltages)
    if both.sum() < _MIN_CELLS:
        return "doubt"
    one, two = before.voltages[:cells_after][both], after.voltages[both]
    difference = (two - np.median(two)) - (one - np.median(one))
    typical = float(np.median(np.abs(difference)))
    spread = float(np.median(np.abs(one - np.median(one))))
    if typical <= min(_SAME_PATTERN_V, max(spread, 0.002)):
        return "same"
    return "other" if typical > _OTHER_PATTERN_V else "doubt"
