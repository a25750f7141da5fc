"""The electronics' readings as frames of the VESC BMS protocol.

Layout: packet ids 38-45, 53 and 54 of the open VESC firmware (bldc `bms.c`, vesc_bms_fw
`comm_can.c`), extended id = packet << 8 | controller, big endian, every message once per scan.
The first temperature is the board's, the probes follow, as in that firmware.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bms_studio.simulator.bms import Bms, Readings
from bms_studio.simulator.bus import Due, due, frame_ns, lay_out
from bms_studio.simulator.cell import Floats
from bms_studio.simulator.pack import STEP_S, PackSpec
from protocols.frames import Frames

Speaker = Callable[[Bms, Readings, str, int], Frames]

MAX_CELLS = 50
MAX_PROBES = 49
CONTROLLER = 10
_PER_FRAME = 3
_STEP_NS = round(STEP_S * 1e9)
V_TOT, CURRENT, AH_WH, V_CELL, BAL, TEMPS, HUM, SOC = range(38, 46)
AH_WH_CHARGED, AH_WH_DISCHARGED = 53, 54


def build_speaker(spec: PackSpec, rate_hz: int) -> Speaker:
    """A function (bms, readings, what, begin_ns) -> Frames of one block for this pack.

    Raises ValueError when the pack has more cells or probes than the protocol can carry.
    """
    if spec.cells > MAX_CELLS or spec.probes > MAX_PROBES:
        raise ValueError(
            f"the VESC protocol carries at most {MAX_CELLS} cells and {MAX_PROBES} probes: choose "
            f"fewer than the {spec.cells} cells and {spec.probes} probes, or the scooter protocol"
        )
    spacing_ns = frame_ns(extended=True, rate_hz=rate_hz)
    sent = {"until_ns": 0}

    def speak(bms: Bms, readings: Readings, what: str, begin_ns: int) -> Frames:
        messages = _messages(bms, readings)
        block_ns = len(readings.pack_point) * 10_000_000
        frames = lay_out(messages, begin_ns, sent["until_ns"], spacing_ns, block_ns)
        sent["until_ns"] = int(frames.time[-1])
        return frames

    return speak


def _messages(bms: Bms, readings: Readings) -> list[Due]:
    when = readings.scan_point[:, 0] * _STEP_NS
    nearest = np.searchsorted(readings.pack_point, readings.scan_point[:, 0], side="right") - 1
    volts, current = readings.pack_v[nearest], readings.current_a[nearest]
    return [
        _floats(V_TOT, when, volts, np.zeros_like(volts)),
        _floats(CURRENT, when, current, current),
        _floats(
            AH_WH,
            when,
            np.full_like(volts, bms.discharged_ah - bms.charged_ah),
            np.full_like(volts, bms.discharged_wh - bms.charged_wh),
        ),
        *_cells(readings),
        _balancing(bms.balancing, when),
        *_temperatures(np.concatenate(([readings.board_degc], readings.probe_degc)), when),
        _climate(readings, when),
        _summary(bms, readings, readings.soc[nearest], current, when),
        _counter(AH_WH_CHARGED, when, bms.charged_ah, bms.charged_wh),
        _counter(AH_WH_DISCHARGED, when, bms.discharged_ah, bms.discharged_wh),
    ]


def _packet(
    packet: int,
    when: NDArray[np.int64],
    data: NDArray[np.uint8],
    length: NDArray[np.uint8] | None = None,
) -> Due:
    return due(packet << 8 | CONTROLLER, when, data, extended=True, length=length)


def _floats(packet: int, when: NDArray[np.int64], first: Floats, second: Floats) -> Due:
    """Two big-endian single floats: what `float32_auto` of the firmware writes."""
    both = np.stack([first, second], axis=1).astype(">f4")
    return _packet(packet, when, both.view(np.uint8).reshape(-1, 8))


def _counter(packet: int, when: NDArray[np.int64], ah: float, wh: float) -> Due:
    return _floats(packet, when, np.full(len(when), ah), np.full(len(when), wh))


def _groups(
    packet: int, values: NDArray[np.int64], when: NDArray[np.int64], total: int
) -> list[Due]:
    """Int16 values (S, total) three to a frame behind offset and total; when: (S, groups) ns."""
    scans = len(values)
    result = []
    for group, offset in enumerate(range(0, total, _PER_FRAME)):
        part = values[:, offset : offset + _PER_FRAME]
        data = np.zeros((scans, 8), np.uint8)
        data[:, 0], data[:, 1] = offset, total
        for slot in range(part.shape[1]):
            _put16(data, 2 + 2 * slot, part[:, slot])
        length = np.full(scans, 2 + 2 * part.shape[1], np.uint8)
        result.append(_packet(packet, when[:, group], data, length))
    return result


def _cells(readings: Readings) -> list[Due]:
    cells = readings.cell_v.shape[1]
    raw = np.round(readings.cell_v * 1e3).astype(np.int64)
    last = np.minimum(np.arange(_PER_FRAME, cells + _PER_FRAME, _PER_FRAME), cells) - 1
    return _groups(V_CELL, raw, readings.scan_point[:, last] * _STEP_NS, cells)


def _temperatures(values: Floats, when: NDArray[np.int64]) -> list[Due]:
    raw = np.broadcast_to(np.round(values * 100.0).astype(np.int64), (len(when), len(values)))
    groups = -(-len(values) // _PER_FRAME)
    return _groups(TEMPS, raw, np.repeat(when[:, np.newaxis], groups, axis=1), len(values))


def _balancing(active: NDArray[np.bool_], when: NDArray[np.int64]) -> Due:
    """Cell count, then 56 bits, big endian, lowest bit = first cell."""
    word = sum(1 << int(k) for k in np.flatnonzero(active))
    row = np.frombuffer(bytes([len(active)]) + word.to_bytes(7, "big"), np.uint8)
    return _packet(BAL, when, np.tile(row, (len(when), 1)))


def _climate(readings: Readings, when: NDArray[np.int64]) -> Due:
    data = np.zeros((len(when), 8), np.uint8)
    for at, value in ((0, readings.board_degc * 100), (2, 4500), (4, readings.board_degc * 100)):
        _put16(data, at, np.full(len(when), round(value)))
    _put16(data, 6, np.full(len(when), 10130))
    return _packet(HUM, when, data)


def _summary(
    bms: Bms, readings: Readings, soc: Floats, current_a: Floats, when: NDArray[np.int64]
) -> Due:
    data = np.zeros((len(when), 8), np.uint8)
    _put16(data, 0, np.round(readings.cell_v.min(axis=1) * 1e3))
    _put16(data, 2, np.round(readings.cell_v.max(axis=1) * 1e3))
    data[:, 4] = np.round(soc * 255.0).astype(np.uint8)
    data[:, 5] = 255
    data[:, 6] = np.int8(np.clip(readings.probe_degc.max(), -128, 127)).view(np.uint8)
    flags = 2 * bool(bms.balancing.any()) + 4 * bms.charge_allowed + 8 * bms.charge_allowed
    data[:, 7] = flags + (current_a < -0.5)
    return _packet(SOC, when, data)


def _put16(data: NDArray[np.uint8], at: int, values: NDArray[np.generic]) -> None:
    """Write the low 16 bits of whole numbers, big endian, at byte `at` of each row."""
    raw = values.astype(np.int64)
    data[:, at] = (raw >> 8) & 0xFF
    data[:, at + 1] = raw & 0xFF
