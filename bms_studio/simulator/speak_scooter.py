"""The electronics' readings as frames of the scooter protocol (layout: `protocols/scooter.py`).

Fast messages (pack, cells, balancing, probes) are packed with NumPy, block by block; slow ones go
through the protocol's own encoder. Tests compare both with `protocols/encode.py`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bms_studio.simulator.bms import Bms, Readings
from bms_studio.simulator.bus import Due, due, frame_ns, lay_out, periodic
from bms_studio.simulator.cell import Floats
from bms_studio.simulator.pack import STEP_S, PackSpec
from protocols.encode import encoder
from protocols.frames import Frames
from protocols.scooter import (
    BALANCING_PER_FRAME,
    CELLS_PER_FRAME,
    CHEMISTRIES,
    DATABASE,
    PROBES_PER_FRAME,
    SERIAL_LENGTH,
    SERIAL_PER_FRAME,
    STATES,
)

Speaker = Callable[[Bms, Readings, str, int], Frames]

_STEP_NS = round(STEP_S * 1e9)
_ENCODE = {
    message.name: encoder(message)
    for message in DATABASE.messages
    if message.name not in ("Cell_Voltages", "Temperatures", "Balancing")
}
_IDS = {message.name: message.id for message in DATABASE.messages}
_STATE_NUMBER = {text: number for number, text in STATES.items()}
_CHEMISTRY_NUMBER = {text: number for number, text in CHEMISTRIES.items()}
_FIRMWARE = (1, 0, 0)


def build_speaker(spec: PackSpec, rate_hz: int) -> Speaker:
    """A function (bms, readings, what, begin_ns) -> Frames of one block for this pack."""
    spacing_ns = frame_ns(extended=False, rate_hz=rate_hz)
    identity = _identity(spec)
    state = {"counter": 0, "sent_until_ns": 0, "begun_ns": -1}

    def speak(bms: Bms, readings: Readings, what: str, begin_ns: int) -> Frames:
        if state["begun_ns"] < 0:
            state["begun_ns"] = begin_ns
        begin_s = (begin_ns - state["begun_ns"]) * 1e-9
        block_s = len(readings.pack_point) * 0.010
        messages = [_status(readings), *_cells(readings)]
        for when in periodic(begin_s, block_s, 0.1, 0.0):
            state["counter"] = (state["counter"] + 1) % 256
            messages += _tenths(bms, readings, what, int(when), state["counter"])
        for when in periodic(begin_s, block_s, 1.0, 0.0):
            messages += _seconds(bms, readings, begin_s, int(when))
            messages += identity_frames(identity, int(when))
        frames = lay_out(
            messages, begin_ns, state["sent_until_ns"], spacing_ns, round(block_s * 1e9)
        )
        state["sent_until_ns"] = int(frames.time[-1])
        return frames

    return speak


def _status(readings: Readings) -> Due:
    data = np.zeros((len(readings.pack_point), 8), np.uint8)
    _put24(data, 0, np.round(readings.pack_v * 1e3))
    _put24(data, 3, np.round(readings.current_a * 1e3))
    _put16(data, 6, np.round(readings.soc * 1e4))
    return due(_IDS["Pack_Status"], readings.pack_point * _STEP_NS, data)


def _cells(readings: Readings) -> list[Due]:
    """Cell voltages, three to a frame, each frame due when its last cell has been read."""
    scans, cells = readings.cell_v.shape
    groups = -(-cells // CELLS_PER_FRAME)
    raw = np.full((scans, groups * CELLS_PER_FRAME), 0xFFFF, np.float64)
    raw[:, :cells] = np.round(readings.cell_v * 1e4)
    data = np.zeros((scans, groups, 8), np.uint8)
    _put16(data, 0, np.broadcast_to(np.arange(groups) * CELLS_PER_FRAME + 1, (scans, groups)))
    for slot in range(CELLS_PER_FRAME):
        _put16(data, 2 + 2 * slot, raw[:, slot::CELLS_PER_FRAME])
    last = np.minimum(np.arange(1, groups + 1) * CELLS_PER_FRAME, cells) - 1
    when = readings.scan_point[:, last] * _STEP_NS
    return [due(_IDS["Cell_Voltages"], when.reshape(-1), data.reshape(-1, 8))]


def _tenths(bms: Bms, readings: Readings, what: str, when: int, counter: int) -> list[Due]:
    """What is sent every 100 ms."""
    newest = readings.cell_v[-1]
    current = float(readings.current_a[-1])
    chemistry, cells = bms.chemistry, len(newest)
    status = {
        "State": _STATE_NUMBER[_state(bms, what)],
        "Charging": current < -0.5,
        "Discharging": current > 0.5,
        "Balancing_Active": bool(bms.balancing.any()),
        "Charge_Allowed": bms.charge_allowed,
        "Discharge_Allowed": bms.discharge_allowed,
        "Derating": bms.derating,
        "Contactor_Closed": bms.charge_allowed or bms.discharge_allowed,
        "Simulated": 1,
        "Fault": int(bms.faults),
        "SOH": 100.0,
        "Warnings": int(bms.warnings),
        "Life_Counter": counter,
    }
    limits = {
        "Charge_Current_Limit": bms.charge_limit_a,
        "Discharge_Current_Limit": bms.discharge_limit_a,
        "Charge_Voltage_Limit": chemistry.cell_voltage_max * cells,
        "Discharge_Voltage_Limit": chemistry.cell_voltage_min * cells,
    }
    extremes = {
        "Cell_Voltage_Min": float(newest.min()),
        "Cell_Voltage_Max": float(newest.max()),
        "Cell_Number_Min": int(newest.argmin()) + 1,
        "Cell_Number_Max": int(newest.argmax()) + 1,
    }
    return [
        _one("Pack_State", status, when + 1_000_000),
        _one("Pack_Limits", limits, when + 1_000_000),
        _one("Cell_Extremes", extremes, when + 90_000_000),
        _balancing(bms.balancing, when + 2_000_000),
    ]


def _seconds(bms: Bms, readings: Readings, begin_s: float, when: int) -> list[Due]:
    """What is sent every second."""
    probes = readings.probe_degc
    extremes = {
        "Temperature_Min": float(probes.min()),
        "Temperature_Max": float(probes.max()),
        "Board_Temperature": readings.board_degc,
        "Probe_Number_Min": int(probes.argmin()) + 1,
        "Probe_Number_Max": int(probes.argmax()) + 1,
    }
    charge = {
        "Remaining_Capacity": bms.soc * bms.capacity_ah,
        "Full_Capacity": bms.capacity_ah,
        "Cycles": int(_life_ah(bms) / bms.capacity_ah),
    }
    counters = {"Uptime": begin_s, "Discharged_Total": _life_ah(bms)}
    return [
        _one("Temperature_Extremes", extremes, when + 5_000_000),
        _one("Pack_Charge", charge, when + 15_000_000),
        _one("Pack_Counters", counters, when + 25_000_000),
        _temperatures(probes, when + 5_000_000),
    ]


def _life_ah(bms: Bms) -> float:
    """Charge delivered in the pack's life: about 140 cycles lie before the simulation."""
    return 140.0 * bms.capacity_ah + bms.discharged_ah


def _state(bms: Bms, what: str) -> str:
    if bms.faults:
        return "fault"
    if what == "rest" and bms.soc >= 0.995:
        return "full"
    if what == "rest" and bms.soc <= 0.01:
        return "empty"
    return what


def _one(name: str, values: dict[str, float], when: int) -> Due:
    payload = np.frombuffer(_ENCODE[name](values, None), np.uint8).reshape(1, 8)
    return due(_IDS[name], np.array([when], np.int64), payload)


def _temperatures(probes: Floats, when: int) -> Due:
    groups = -(-len(probes) // PROBES_PER_FRAME)
    raw = np.full(groups * PROBES_PER_FRAME, -0x8000, np.float64)
    raw[: len(probes)] = np.round(probes * 10.0)
    data = np.zeros((groups, 8), np.uint8)
    _put16(data, 0, np.arange(groups) * PROBES_PER_FRAME + 1)
    for slot in range(PROBES_PER_FRAME):
        _put16(data, 2 + 2 * slot, raw[slot::PROBES_PER_FRAME])
    return due(_IDS["Temperatures"], np.full(groups, when, np.int64), data)


def _balancing(active: NDArray[np.bool_], when: int) -> Due:
    groups = -(-len(active) // BALANCING_PER_FRAME)
    bits = np.zeros(groups * BALANCING_PER_FRAME, np.bool_)
    bits[: len(active)] = active
    data = np.zeros((groups, 8), np.uint8)
    _put16(data, 0, np.arange(groups) * BALANCING_PER_FRAME + 1)
    _put16(data, 2, np.full(groups, len(active)))
    data[:, 4:] = np.packbits(bits.reshape(groups, BALANCING_PER_FRAME), axis=1, bitorder="little")
    return due(_IDS["Balancing"], np.full(groups, when, np.int64), data)


def _identity(spec: PackSpec) -> NDArray[np.uint8]:
    """The parts of the identity message (parts, 8); a zero byte ends the serial number."""
    major, minor, patch = _FIRMWARE
    rows: list[dict[str, float]] = [
        {
            "Part": 0,
            "Protocol_Version": 1,
            "Cells_In_Series": spec.cells,
            "Cells_In_Parallel": 1,
            "Chemistry": _CHEMISTRY_NUMBER.get(spec.chemistry.upper(), 0),
            "Probes": spec.probes,
        },
        {
            "Part": 1,
            "Rated_Capacity": spec.capacity_ah,
            "Firmware_Major": major,
            "Firmware_Minor": minor,
            "Firmware_Patch": patch,
        },
    ]
    text = spec.serial.encode("ascii")[:SERIAL_LENGTH].ljust(SERIAL_LENGTH, b"\0")
    for part in range(SERIAL_LENGTH // SERIAL_PER_FRAME):
        letters = text[part * SERIAL_PER_FRAME : (part + 1) * SERIAL_PER_FRAME]
        names = range(part * SERIAL_PER_FRAME + 1, (part + 1) * SERIAL_PER_FRAME + 1)
        rows.append({f"Serial_{n:02d}": code for n, code in zip(names, letters, strict=True)})
    encode = _ENCODE["Identity"]
    return np.array([list(encode(row, None)) for row in rows], np.uint8)


def identity_frames(identity: NDArray[np.uint8], when: int) -> list[Due]:
    """The identity's parts, spread over the second that begins at `when` (ns since block begin)."""
    moments = when + 30_000_000 + np.arange(len(identity), dtype=np.int64) * 8_000_000
    return [due(_IDS["Identity"], moments, identity)]


def _put16(data: NDArray[np.uint8], at: int, values: NDArray[np.generic]) -> None:
    """Write the low 16 bits of whole numbers, little endian, at byte `at` of each row."""
    raw = values.astype(np.int64)
    data[..., at] = raw & 0xFF
    data[..., at + 1] = (raw >> 8) & 0xFF


def _put24(data: NDArray[np.uint8], at: int, values: NDArray[np.generic]) -> None:
    """Write the low 24 bits of whole numbers, little endian, at byte `at` of each row."""
    _put16(data, at, values)
    data[..., at + 2] = (values.astype(np.int64) >> 16) & 0xFF
