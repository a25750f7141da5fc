"""Any signal of a message as rows: one per frame, or per message that a transport carried whole.

What is lacking is unknown. State lives between blocks only where messages span frames. No Qt.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.decode import compile_messages, decode
from protocols.frames import Frames
from protocols.polled import TransferDecoder
from protocols.signals import Database, Message


class SignalReader:
    """The rows of one message of the databases, however it travels."""

    def __init__(self, message: Message, databases: Sequence[Database]) -> None:
        self.message = message
        carried = [t for d in databases for t in d.transfers if t.message == message]
        self._carried = TransferDecoder(carried[:1]) if carried else None
        self._layout = compile_messages([message])

    def push(self, frames: Frames) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Time (M,) and physical values (M, signals) of every such message in `frames`."""
        if self._carried is not None:
            samples = self._carried.push(frames)
        else:
            samples = decode(frames, self._layout)
        when, index, value = samples.group(0)  # the one message; its signals are told by index
        time = np.unique(when)
        rows = np.full((len(time), len(self.message.signals)), np.nan, np.float32)
        rows[np.searchsorted(time, when), index] = value
        return time, rows
