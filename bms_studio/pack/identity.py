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
    """What tells one pack from another: serial ("" unknown), and its newest cell voltages (N,)."""

    serial: str
    voltages: NDArray[np.float64]


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
    if len(before.voltages) != len(after.voltages):
        return "other"
    if len(known_before) < _MIN_CELLS:
        return "doubt"
    difference = (after.voltages - np.nanmedian(after.voltages)) - (
        before.voltages - np.nanmedian(before.voltages)
    )
    typical = float(np.nanmedian(np.abs(difference)))
    spread = float(np.nanmedian(np.abs(before.voltages - np.nanmedian(before.voltages))))
    if typical <= min(_SAME_PATTERN_V, max(spread, 0.002)):
        return "same"
    return "other" if typical > _OTHER_PATTERN_V else "doubt"
