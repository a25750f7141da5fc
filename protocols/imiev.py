"""Mitsubishi i-MiEV, Citroen C-Zero, Peugeot iOn: 88 cells (80 in the later small pack).

11-bit identifiers, big endian, 500 kbit/s, no polling. Four messages per module (0x6E1 to 0x6E4)
carry two cells each as 16 bits of 5 mV above 2.1 V; the low half of byte 0 is the module, 1 to 12.
Modules 6 and 12 have four cells and three probes, the others eight and six. Source: dalathegreat/
Battery-Emulator IMIEV-CZERO-ION-BATTERY.cpp and the Mitsubishi module of the Open Vehicle
Monitoring System, tested by its authors on a Peugeot iOn; no log was at hand. That module counts a
positive current as energy received: charging is positive.
"""

import numpy as np

from protocols.bytecheck import Ints, judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import big, cell, pack_bindings, probe
from protocols.signals import Database, Message, MuxCondition, Signal

FIRST_ID = 0x6E1
MODULES = 12
FRAMES = 4
SMALL = (6, 12)
_WHY = "i-MiEV protocol"


def _first_cell(module: int, frame: int) -> int:
    """Number of the first of the two cells of a module's frame (0 to 3)."""
    return 8 * (module - 1) + 2 * frame - (4 if module > SMALL[0] else 0) + 1


def _probe_numbers(module: int, frame: int) -> dict[int, int]:
    """Byte -> number of the probe, of a module's frame."""
    first = 6 * (module - 1) + 2 * frame - (3 if module > SMALL[0] else 0) + 1
    if frame == 0:
        return {2: first, 3: first + 1}
    if module in SMALL:
        return {1: first} if frame == 1 else {}
    return {1: first, 2: first + 1} if frame < 3 else {}


def _frames_of(module: int) -> int:
    return 2 if module in SMALL else FRAMES


def _module_message(frame: int) -> Message:
    signals = [Signal("Module", 0, 4, is_selector=True)]
    for module in range(1, MODULES + 1):
        if frame >= _frames_of(module):
            continue
        mine = (MuxCondition("Module", (module,)),)
        first = _first_cell(module, frame)
        for byte, number in ((4, first), (6, first + 1)):
            name = f"Cell_{number:02d}"
            signals.append(
                big(name, byte, 16, 0.005, "V", offset=2.1, invalid=(0, 0xFFFF), mux=mine)
            )
        for byte, number in _probe_numbers(module, frame).items():
            name = f"Probe_{number:02d}"
            signals.append(
                big(name, byte, 8, 1.0, "degC", offset=-50.0, invalid=(0, 0xFF), mux=mine)
            )
    return Message(f"Modules_{frame + 1}", FIRST_ID + frame, 8, tuple(signals))


DATABASE = Database(
    "imiev",
    (
        Message(
            "Pack_Status",
            0x373,
            8,
            (
                big("Cell_Voltage_Max", 0, 8, 0.01, "V", offset=2.1),
                big("Cell_Voltage_Min", 1, 8, 0.01, "V", offset=2.1),
                big("Pack_Current", 2, 16, 0.01, "A", offset=-327.68, comment="+ = charge"),
                big("Pack_Voltage", 4, 16, 0.1, "V"),
            ),
        ),
        Message("Pack_SOC", 0x374, 8, (big("SOC", 1, 8, 0.5, "%", offset=-5.0),)),
        *(_module_message(frame) for frame in range(FRAMES)),
    ),
)


def _bindings() -> tuple[Binding, ...]:
    found = pack_bindings(
        _WHY,
        (
            ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
            ("Pack_Status", "Pack_Current", "current", -1.0),
            ("Pack_Status", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
            ("Pack_Status", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
        ),
    )
    role = Role("pack", field="soc")
    found.append(Binding("Pack_SOC", "SOC", role, 0.01, valid=(0.0, 1.05), why=_WHY))
    for frame in range(FRAMES):
        message = f"Modules_{frame + 1}"
        for module in range(1, MODULES + 1):
            if frame >= _frames_of(module):
                continue
            first = _first_cell(module, frame)
            for number in (first, first + 1):
                found.append(cell(message, f"Cell_{number:02d}", number, _WHY))
            for number in _probe_numbers(module, frame).values():
                found.append(probe(message, f"Probe_{number:02d}", number, _WHY))
    return tuple(found)


def verify(frames: Frames) -> Evidence:
    """Whether modules are numbered 1 to 12 and hold voltages of cells."""
    right = checked = 0
    for frame in range(FRAMES):
        rows = payloads(frames, FIRST_ID + frame)
        modules = rows[:, 0] & 0x0F
        possible = (modules >= 1) & (modules <= MODULES)
        right, checked = right + int(np.sum(possible)), checked + len(rows)
        for byte in (4, 6):
            fit, of = _cells(modules[possible], word(rows[possible], byte))
            right, checked = right + fit, checked + of
    return judged(right, checked, "modules and cell voltages")


def _cells(modules: Ints, raw: Ints) -> tuple[int, int]:
    there = (raw != 0) & (raw != 0xFFFF)
    return like_cells(modules[there], raw[there] * 0.005 + 2.1)


_EXAMPLES = (
    # 357.2 V, 12.34 A flowing out (32768 - 1234)
    Example(
        0x373,
        False,
        bytes.fromhex("c9c87b2e0df40000"),
        {
            "pack.voltage": 357.2,
            "pack.current": 12.34,
            "pack.cell_voltage_max": 4.11,
            "pack.cell_voltage_min": 4.10,
        },
    ),
    Example(0x374, False, bytes.fromhex("00ab000000000000"), {"pack.soc": 0.805}),
    # module 1 with a status bit above its number: cells 1 and 2, probes 1 and 2
    Example(
        0x6E1,
        False,
        bytes.fromhex("81004b4c01900191"),
        {"cell.1.voltage": 4.100, "cell.2.voltage": 4.105, "probe.1": 25.0, "probe.2": 26.0},
    ),
    # module 6 ends with cell 44 and its third probe, the 33rd
    Example(
        0x6E2,
        False,
        bytes.fromhex("064b000001900191"),
        {"cell.43.voltage": 4.100, "cell.44.voltage": 4.105, "probe.33": 25.0},
    ),
    Example(
        0x6E1,
        False,
        bytes.fromhex("07004b4c01900191"),
        {"cell.45.voltage": 4.100, "cell.46.voltage": 4.105, "probe.34": 25.0, "probe.35": 26.0},
    ),
    # module 12 ends with cell 88
    Example(
        0x6E2,
        False,
        bytes.fromhex("0c4b000001900191"),
        {"cell.87.voltage": 4.100, "cell.88.voltage": 4.105, "probe.66": 25.0},
    ),
    # no module 6 in the third message
    Example(0x6E3, False, bytes.fromhex("064b4b4b01900190"), {}),
    Example(
        0x6E4,
        False,
        bytes.fromhex("0b00000001900191"),
        {"cell.83.voltage": 4.100, "cell.84.voltage": 4.105},
    ),
)

PROTOCOL = Protocol(
    name="imiev",
    title="Mitsubishi i-MiEV / Citroen C-Zero / Peugeot iOn",
    database=DATABASE,
    mapping=Mapping("imiev", _bindings(), sign="+charge"),
    bitrates=(500_000,),
    source_confidence="Two public decoders, one tested on a car; no real capture was available.",
    required=("Modules_1", "Modules_2", "Modules_3", "Modules_4"),
    examples=_EXAMPLES,
    verify=verify,
)
