"""The first look at Trace finds its kernel loaded, whether frames arrive or are mapped."""

from pathlib import Path

import numpy as np

from bms_studio import frame_log
from bms_studio.frame_log import FrameLog, warm
from bms_studio.unpacked import mapped_frames
from protocols.frames import empty_frames


def test_a_recording_of_mapped_frames_meets_no_type_that_was_not_warmed(tmp_path: Path) -> None:
    warm()
    known = list(frame_log._accumulate.signatures)
    frames = empty_frames(3)
    for name in ("time", "id", "flags", "channel", "length", "data"):
        np.save(tmp_path / f"frames-{name}.npy", getattr(frames, name))
    assert FrameLog(fixed=mapped_frames(tmp_path)).by_id(0).count.tolist() == [3]
    arriving = FrameLog()
    arriving.append(frames)
    assert arriving.by_id(0).count.tolist() == [3]
    assert list(frame_log._accumulate.signatures) == known
    assert len(known) == 2
