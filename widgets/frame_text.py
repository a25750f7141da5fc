"""How CAN frames are written for people: ids, bytes, flags, candump lines, and the filter words.

Pure text and arrays, no Qt, no knowledge of what frames mean. Flags are the bits of a recording:
1 extended, 2 FD, 4 bit-rate switch, 8 remote, 16 error, 32 transmitted.

    id_text(id, flags); bytes_text(data, length); flags_text(flags); period_text(s, s); age_text(s)
    candump_line(time_ns, channel, id, flags, data) -> "(1700000000.123456) can0 123#1122"
    FrameFilter(text).accepts(id, flags, name) -> bool; .ids(ids, flags, names) -> bool[n]
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

EXTENDED, FD, BIT_RATE_SWITCH, REMOTE, ERROR, TRANSMITTED = 1, 2, 4, 8, 16, 32


def id_text(frame_id: int, flags: int) -> str:
    """Three hex digits, or eight for an extended identifier."""
    return f"{frame_id:08X}" if flags & EXTENDED else f"{frame_id:03X}"


def bytes_text(data: NDArray[np.uint8], length: int) -> str:
    """Payload as hex pairs with blanks between."""
    return data[:length].tobytes().hex(" ").upper()


def flags_text(flags: int) -> str:
    """What is unusual about a frame, in the letters that CAN tools use; "" for an ordinary one."""
    words = (
        (ERROR, "ERR"),
        (REMOTE, "RTR"),
        (FD, "FD"),
        (BIT_RATE_SWITCH, "BRS"),
        (TRANSMITTED, "TX"),
    )
    return " ".join(word for bit, word in words if flags & bit)


def period_text(period_s: float, jitter_s: float) -> str:
    """Mean period and its standard deviation in milliseconds; a dash where unknown."""
    if not math.isfinite(period_s):
        return "–"
    period_ms, jitter_ms = period_s * 1e3, jitter_s * 1e3
    digits = 1 if period_ms < 1000 else 0
    text = f"{period_ms:.{digits}f}"
    return f"{text} ± {jitter_ms:.{digits}f}" if math.isfinite(jitter_ms) else text


def age_text(age_s: float) -> str:
    """How old, in one short unit; a dash where unknown."""
    if not math.isfinite(age_s):
        return "–"
    age_s = max(age_s, 0.0)
    if age_s < 10:
        return f"{age_s:.1f} s"
    if age_s < 100:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 6000 else f"{age_s / 3600:.0f} h"


def candump_line(
    time_ns: int, channel: str, frame_id: int, flags: int, data: NDArray[np.uint8]
) -> str:
    """One line of a candump log (the format of `candump -L`), microseconds.

    An FD frame has `##` and one digit of FD flags (1 = bit-rate switch); a remote frame `#R` and
    its length where it has one; an error frame the error bit 0x20000000 in an 8-digit identifier.
    """
    micros = time_ns // 1000
    stamp = f"({micros // 1_000_000}.{micros % 1_000_000:06d})"
    written = f"{frame_id | 0x20000000:08X}" if flags & ERROR else id_text(frame_id, flags)
    payload = data.tobytes().hex().upper()
    if flags & FD:
        body = f"##{1 if flags & BIT_RATE_SWITCH else 0}{payload}"
    elif flags & REMOTE:
        body = "#R"
    else:
        body = f"#{payload}"
    return f"{stamp} {channel} {written}{body}"


@dataclass(frozen=True)
class FrameFilter:
    """Which frames to show. Words are separated by blanks or commas and a frame needs one of them:
    hex digits anywhere in the id, `100-1FF` a range of ids, other words a part of the name."""

    text: str = ""

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(self.text.replace(",", " ").upper().split())

    @cached_property
    def _ranges(self) -> tuple[tuple[int, int], ...]:
        pairs = (word.split("-") for word in self._words if word.count("-") == 1)
        found = []
        for low, high in pairs:
            try:
                found.append((int(low, 16), int(high, 16)))
            except ValueError:  # "cell-voltage" is a name, not a range
                continue
        return tuple(found)

    def accepts(self, frame_id: int, flags: int, name: str = "") -> bool:
        """Whether this frame is shown; everything is while there are no words."""
        if not self._words:
            return True
        if any(low <= frame_id <= high for low, high in self._ranges):
            return True
        digits, title = id_text(frame_id, flags), name.upper()
        return any(
            word.removeprefix("0X") in digits or (title and word in title) for word in self._words
        )

    def ids(
        self, ids: NDArray[np.uint32], flags: NDArray[np.uint8], names: Sequence[str]
    ) -> NDArray[np.bool_]:
        """`accepts` for arrays of identifiers."""
        rows = zip(ids.tolist(), flags.tolist(), names, strict=True)
        return np.array([self.accepts(i, f, name) for i, f, name in rows], np.bool_)
