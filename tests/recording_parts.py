"""Frames for the tests of recordings."""

import numpy as np

from protocols.frames import Frames, empty_frames


def some_frames(count: int, seed: int = 1, width: int = 8, start: int = 10**18) -> Frames:
    rng = np.random.default_rng(seed)
    frames = empty_frames(count, width)
    frames.time[:] = start + np.cumsum(rng.integers(0, 10**6, count))
    frames.id[:] = rng.integers(0, 2048, count)
    frames.flags[:] = rng.integers(0, 64, count)
    frames.channel[:] = rng.integers(0, 2, count)
    frames.length[:] = rng.integers(0, width + 1, count)
    data = rng.integers(0, 256, (count, width), np.uint8)
    frames.data[:] = np.where(np.arange(width) < frames.length[:, None], data, 0)
    return frames
