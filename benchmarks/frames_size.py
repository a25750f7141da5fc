"""Bytes per frame of /frames: the simulated demo, and a measured capture where it is at hand."""

import tempfile
from pathlib import Path

import h5py

from bms_studio.simulator.simulation import generate
from protocols.frames import Frames, concatenate
from recordings.formats import read_log
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter

REACH = 9
SECONDS = 600
CAPTURE = Path("shared/data/can/orion/candump-2025-11-05_214230.log")


def bytes_per_frame(frames: Frames, path: Path) -> tuple[float, float]:
    """(all of /frames as stored, data and chunk index; the whole file) per frame."""
    with RecordingWriter(path, RecordingAttributes("import")) as writer:
        writer.frames(frames)
        writer.close()
    with h5py.File(path) as file:
        stored = sum(dataset.id.get_storage_size() for dataset in file["frames"].values())
    return stored / len(frames), path.stat().st_size / len(frames)


def main() -> None:
    measured = {"demo": concatenate(list(generate(float(SECONDS), 20, rate_hz=100)))}
    capture = Path(__file__).parents[2] / CAPTURE
    if capture.exists():
        measured["Orion capture"] = concatenate(list(read_log(capture)))
    else:
        print(f"Orion capture: not measured, {CAPTURE} is not beside this clone")
    with tempfile.TemporaryDirectory(prefix="bms-studio-bench-") as folder:
        for name, frames in measured.items():
            stored, whole = bytes_per_frame(frames, Path(folder) / "a.h5")
            print(
                f"/frames of the {name}: {stored:.2f} bytes per frame ({whole:.2f} with the file's "
                f"own overhead, {len(frames)} frames); to reach: {REACH}, "
                f"{REACH / stored:.2f} x headroom"
            )


if __name__ == "__main__":
    main()
