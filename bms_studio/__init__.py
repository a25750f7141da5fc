"""BMS Studio: see inside battery packs.

`open(path)` gives a recording as pandas DataFrames, `estimate` and `diagnose` what every cell of it
is worth. Importing this package loads neither Qt nor
pandas nor numba nor h5py; it only tells numba where compiled kernels may be kept, because numba
reads that once, when it is first imported.
"""

import os
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bms_studio.analysis.tables import Diagnosis, Estimates
    from bms_studio.pack.profile import Profile
    from recordings.dataframes import RecordingFrames

__version__ = "0.1.0"
__all__ = ["__version__", "diagnose", "estimate", "open"]


def open(path: "str | Path") -> "RecordingFrames":  # noqa: A001 - bms_studio.open is the contract
    """The recording at `path`: `.cells.voltage`, `.pack`, `.signals["Message"]` as DataFrames.

    Raises recordings.errors.UnreadableRecording, one sentence, when it is none.
    """
    from recordings.dataframes import RecordingFrames

    return RecordingFrames(path)


def estimate(
    recording: "str | Path | RecordingFrames",
    *,
    profile: "str | Path | Profile | None" = None,
    **settings: Any,
) -> "Estimates":
    """State of charge, resistance, capacity, leak … of every cell of a recording, with sigma.

    recording: a path, or what `open` gave; profile: instead of the recording's own; settings: the
    fields of `bms_studio.analysis.contract.Settings` (chemistry="LFP", capacity_ah=31.0, ocv=the
    text of a CSV table …). The file is not changed. Raises ValueError, one sentence, for settings
    that cannot be used, recordings.errors.UnreadableRecording.
    """
    from bms_studio.analysis.contract import Settings
    from bms_studio.analysis.tables import analysed, estimates

    return estimates(analysed(recording, Settings(**settings), profile))


def diagnose(
    recording: "str | Path | RecordingFrames",
    *,
    profile: "str | Path | Profile | None" = None,
    **settings: Any,
) -> "Diagnosis":
    """Which cell fails first and why: verdict, ranked cells, findings. As `estimate`."""
    from bms_studio.analysis.contract import Settings
    from bms_studio.analysis.tables import analysed, diagnosis

    return diagnosis(analysed(recording, Settings(**settings), profile))


def _keep_kernels() -> None:
    """Compiled kernels go to the user's cache, or to a temporary folder if that is read-only."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    import platformdirs

    # numba looks only at the file that a kernel stands in, but a kernel contains those it calls,
    # and these rooms have kernels that call kernels of other files.
    home = Path(__file__).resolve().parent
    rooms = (home.parent / "protocols", home.parent / "recordings", home / "estimators")
    stamps = [entry.stat().st_mtime_ns for room in rooms for entry in sorted(room.glob("*.py"))]
    key = zlib.crc32(repr(stamps).encode())
    folder = Path(platformdirs.user_cache_path("bms-studio", False)) / f"kernels-{key:08x}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        folder = Path(tempfile.gettempdir()) / "bms-studio-kernels"
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


_keep_kernels()
