"""The VESC BMS protocol: a cell-monitoring board of light electric vehicles.

29-bit identifiers = packet << 8 | controller; big endian; no polling, no checksum.
Cells and probes come three to a frame behind the number of the first one (from 0), and the last
frame is shorter. Source: vedderb/vesc_bms_fw comm_can.c and vedderb/bldc bms.c, datatypes.h,
buffer.c; no public log was found, so the layout is read, not measured. The firmware counts the
balancing bits from its first cell input, bldc's re-sender from the first cell: equal where the
pack begins at input 0. Real numbers are written as IEEE 754 single precision.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from protocols.contract import Evidence, Example, Protocol
from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.roles import Binding, Index, Mapping, Role
from protocols.signals import Database, Message, Signal

_MASK = 0x1FFFFF00
BALANCING_BITS = 56
_WHY = "VESC BMS protocol"
_PER_FRAME = 3


def _big(name: str, byte: int, length: int, unit: str = "", **more: float) -> Signal:
    """A big-endian number that begins at a byte."""
    scale = more.get("scale", 1.0)
    return Signal(
        name,
        8 * byte + 7,
        length,
        little_endian=False,
        signed=bool(more.get("signed", 0)),
        is_float=bool(more.get("real", 0)),
        scale=scale,
        unit=unit,
    )


def _message(packet: int, name: str, *signals: Signal) -> Message:
    return Message(name, packet << 8, 8, signals, extended=True, id_mask=_MASK)


def _bit(index: int) -> Signal:
    """Balancing of a cell: bit 0 is the lowest of the last byte."""
    byte, bit = divmod(index, 8)
    return Signal(f"Cell_{index + 1:02d}_Balancing", 8 * (7 - byte) + bit, 1)


DATABASE = Database(
    "vesc",
    (
        _message(
            38,
            "BMS_V_TOT",
            _big("Pack_Voltage", 0, 32, "V", real=1),
            _big("Charge_Port_Voltage", 4, 32, "V", real=1),
        ),
        _message(
            39,
            "BMS_I",
            _big("Pack_Current", 0, 32, "A", real=1),
            _big("Pack_Current_IC", 4, 32, "A", real=1),
        ),
        _message(
            40,
            "BMS_AH_WH",
            _big("Ah_Counter", 0, 32, "Ah", real=1),
            _big("Wh_Counter", 4, 32, "Wh", real=1),
        ),
        _message(
            41,
            "BMS_V_CELL",
            _big("First_Cell", 0, 8),
            _big("Cells", 1, 8),
            *(
                _big(f"Cell_Voltage_{k + 1}", 2 + 2 * k, 16, "V", scale=0.001, signed=1)
                for k in range(_PER_FRAME)
            ),
        ),
        _message(42, "BMS_BAL", _big("Cells", 0, 8), *(_bit(i) for i in range(BALANCING_BITS))),
        _message(
            43,
            "BMS_TEMPS",
            _big("First_Probe", 0, 8),
            _big("Probes", 1, 8),
            *(
                _big(f"Temperature_{k + 1}", 2 + 2 * k, 16, "degC", scale=0.01, signed=1)
                for k in range(_PER_FRAME)
            ),
        ),
        _message(
            44,
            "BMS_HUM",
            _big("Board_Temperature", 0, 16, "degC", scale=0.01, signed=1),
            _big("Humidity", 2, 16, "%", scale=0.01, signed=1),
            _big("IC_Temperature", 4, 16, "degC", scale=0.01, signed=1),
            _big("Pressure", 6, 16, "Pa", scale=10.0, signed=1),
        ),
        _message(
            45,
            "BMS_SOC_SOH_TEMP_STAT",
            _big("Cell_Voltage_Min", 0, 16, "V", scale=0.001, signed=1),
            _big("Cell_Voltage_Max", 2, 16, "V", scale=0.001, signed=1),
            _big("SOC", 4, 8, "1", scale=1 / 255),
            _big("SOH", 5, 8, "1", scale=1 / 255),
            _big("Temperature_Max", 6, 8, "degC", signed=1),
            Signal("Charging", 56, 1),
            Signal("Balancing", 57, 1),
            Signal("Charge_Allowed", 58, 1),
        ),
        _message(
            53,
            "BMS_AH_WH_CHG_TOTAL",
            _big("Ah_Charged_Total", 0, 32, "Ah", real=1),
            _big("Wh_Charged_Total", 4, 32, "Wh", real=1),
        ),
        _message(
            54,
            "BMS_AH_WH_DIS_TOTAL",
            _big("Ah_Discharged_Total", 0, 32, "Ah", real=1),
            _big("Wh_Discharged_Total", 4, 32, "Wh", real=1),
        ),
    ),
)

_STATUS = "BMS_SOC_SOH_TEMP_STAT"
_PACK = (
    ("BMS_V_TOT", "Pack_Voltage", "voltage"),
    ("BMS_I", "Pack_Current", "current"),
    ("BMS_V_CELL", "Cells", "cell_count"),
    (_STATUS, "Cell_Voltage_Min", "cell_voltage_min"),
    (_STATUS, "Cell_Voltage_Max", "cell_voltage_max"),
    (_STATUS, "SOC", "soc"),
    (_STATUS, "SOH", "soh"),
    (_STATUS, "Temperature_Max", "temperature_max"),
    (_STATUS, "Charging", "charging"),
)


def _bindings() -> tuple[Binding, ...]:
    bindings = [
        Binding(message, signal, Role("pack", field=name), why=_WHY)
        for message, signal, name in _PACK
    ]
    for k in range(_PER_FRAME):
        bindings.append(
            Binding(
                "BMS_V_CELL",
                f"Cell_Voltage_{k + 1}",
                Role("cell"),
                index=Index("First_Cell", position=k),
                count_signal="Cells",
                why=_WHY,
            )
        )
        bindings.append(
            Binding(
                "BMS_TEMPS",
                f"Temperature_{k + 1}",
                Role("probe"),
                valid=(-60.0, 200.0),
                index=Index("First_Probe", position=k),
                count_signal="Probes",
                why=_WHY,
            )
        )
    for i in range(BALANCING_BITS):
        role = Role("balancing", i + 1)
        bindings.append(Binding("BMS_BAL", _bit(i).name, role, count_signal="Cells", why=_WHY))
    return tuple(bindings)


def _cell_frames(frames: Frames) -> NDArray[np.bool_]:
    """Which frames are cell voltages of any controller."""
    usable: NDArray[np.bool_] = (frames.flags & (EXTENDED | REMOTE | ERROR)) == EXTENDED
    usable &= (frames.id & np.uint32(_MASK)) == DATABASE.message("BMS_V_CELL").id
    return usable


def verify(frames: Frames) -> Evidence:
    """Whether the cell frames have the length that their first number and their total demand."""
    mine = frames[_cell_frames(frames)]
    if not len(mine):
        return Evidence(0.0, "no cell voltages seen")
    first, total = mine.data[:, 0].astype(np.int64), mine.data[:, 1].astype(np.int64)
    expected = 2 + 2 * np.clip(total - first, 0, _PER_FRAME)
    right = int(np.sum((mine.length == expected) & (first < total)))
    return Evidence(right / len(mine), f"{right} of {len(mine)} cell frames count right")


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Two and more controllers are as many packs, numbered by their identifiers."""
    controllers = np.unique(frames.id[_cell_frames(frames)] & np.uint32(0xFF)).tolist()
    if len(controllers) < 2:
        return None
    messages, bindings = [], []
    for pack, controller in enumerate(controllers, 1):
        for message in DATABASE.messages:
            name = f"{message.name}_{controller:02X}"
            exact = replace(message, name=name, id=message.id | controller, id_mask=0x1FFFFFFF)
            messages.append(exact)
        for binding in PROTOCOL.mapping.bindings:
            role = replace(binding.role, pack=pack)
            name = f"{binding.message}_{controller:02X}"
            bindings.append(replace(binding, message=name, role=role))
    found = ", ".join(str(controller) for controller in controllers)
    notes = (f"one pack per controller: {found}",)
    return Database("vesc", tuple(messages)), Mapping("vesc", tuple(bindings), notes=notes)


_EXAMPLES = (
    # 74.125 V, charge port 0.0 V
    Example(0x260A, True, bytes.fromhex("4294400000000000"), {"pack.voltage": 74.125}),
    Example(0x270A, True, bytes.fromhex("c148000000000000"), {"pack.current": -12.5}),
    # 14 cells, from the first one on
    Example(
        0x290A,
        True,
        bytes.fromhex("000e0f1e0f1f0f20"),
        {
            "cell.1.voltage": 3.870,
            "cell.2.voltage": 3.871,
            "cell.3.voltage": 3.872,
            "pack.cell_count": 14,
        },
    ),
    # the last frame of 14 cells is shorter: cells 13 and 14
    Example(
        0x290A,
        True,
        bytes.fromhex("0c0e0f1e0f1f"),
        {"cell.13.voltage": 3.870, "cell.14.voltage": 3.871, "pack.cell_count": 14},
    ),
    # cells 1 and 9 of 9 are being balanced
    Example(
        0x2A0A,
        True,
        bytes.fromhex("0900000000000101"),
        {f"balancing.{n}": float(n in (1, 9)) for n in range(1, 10)},
    ),
    Example(0x2B0A, True, bytes.fromhex("000209c4fe0c0000"), {"probe.1": 25.0, "probe.2": -5.0}),
    Example(
        0x2D0A,
        True,
        bytes.fromhex("0f0a0f1fccff1b01"),
        {
            "pack.cell_voltage_min": 3.85,
            "pack.cell_voltage_max": 3.871,
            "pack.soc": 0.8,
            "pack.soh": 1.0,
            "pack.temperature_max": 27.0,
            "pack.charging": 1.0,
        },
    ),
)

PROTOCOL = Protocol(
    name="vesc",
    title="VESC BMS",
    database=DATABASE,
    mapping=Mapping("vesc", _bindings()),
    bitrates=(500_000, 1_000_000, 250_000, 125_000),
    source_confidence="Read in the firmware that sends it; no real capture was available.",
    required=("BMS_V_CELL",),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
