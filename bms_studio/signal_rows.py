"""Any signal of a message as rows: one per frame; what the frame lacks is unknown. No Qt."""

import numpy as np
from numpy.typing import NDArray

from protocols.decode import decode
from protocols.frames import Frames
from protocols.layout import Layout
from protocols.signals import Message


def signal_rows(
    message: Message, layout: Layout, frames: Frames
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Time (M,) and physical values (M, signals) of every frame of the message in `frames`.

    layout: `compile_messages([message])`.
    """
    samples = decode(frames, layout)
    time = np.unique(samples.time)
    rows = np.full((len(time), len(message.signals)), np.nan, np.float32)
    when, index, value = samples.group(0)  # the one message; its signals are told by index
    rows[np.searchsorted(time, when), index] = value
    return time, rows
