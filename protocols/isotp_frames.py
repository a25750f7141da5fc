"""ISO-TP (ISO 15765-2) as it is written: the classic CAN frames of a message, and flow control.

Bytes only, no bus and no state; what is heard is put together in `protocols/isotp.py`. No numba:
the acquisition program, which asks, imports this module.
"""

LONGEST = 4095
SINGLE, FIRST, CONSECUTIVE, FLOW_CONTROL = range(4)


def segment(payload: bytes, fill: int = 0xFF, address: int | None = None) -> list[bytes]:
    """The classic CAN frames that carry a message, the last padded with `fill`.

    address: of extended addressing, which stands before everything else in each frame (0..255).
    Raises ValueError for an empty message or one beyond 4095 bytes.
    """
    if not 1 <= len(payload) <= LONGEST:
        raise ValueError(f"ISO-TP carries 1 to {LONGEST} bytes, not {len(payload)}")
    front = b"" if address is None else bytes([address])
    room = 7 - len(front)
    if len(payload) <= room:
        frames = [bytes([len(payload)]) + payload]
    else:
        begin = room - 1
        frames = [bytes([0x10 | len(payload) >> 8, len(payload) & 0xFF]) + payload[:begin]]
        for number, at in enumerate(range(begin, len(payload), room), 1):
            frames.append(bytes([0x20 | number & 15]) + payload[at : at + room])
    return [(front + frame).ljust(8, bytes([fill])) for frame in frames]


def flow_control(separation_ms: int, fill: int = 0, address: int | None = None) -> bytes:
    """Permission to send the rest of a message without further questions.

    separation_ms: the least pause between its frames, 0 to 127 ms (STmin).
    """
    front = b"" if address is None else bytes([address])
    return (front + bytes([0x30, 0, separation_ms])).ljust(8, bytes([fill]))
