"""NIU MQi GT EVO and MQi GT 100: an electric scooter with two swappable packs of 20 cells.

29-bit identifiers, little endian, 500 kbit/s, broadcast about 600 frames a second, no checksum.
Battery A (source 0x11) is pack 1, battery B (source 0x12, one higher in the third byte) is pack 2.
Source: openvehicles/Open-Vehicle-Monitoring-System-3, vehicle_niu_gtevo (a decoder in use on the
road; no public log was found). That decoder takes a positive current for charging: it turns the
sign before it compares it with zero to know that the charger works. Eight probes have a place;
five are cell probes. How temperatures below zero are written is not known: they are dropped.
"""

import numpy as np

from protocols.bytecheck import judged, like_cells, payloads, word, written
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import cell, letters, little, pack_bindings
from protocols.signals import Database, Message, Signal

BATTERIES = {1: ("A", 0x19F20011), 2: ("B", 0x19F30012)}
CELLS = 20
PROBES = 5
_WHY = "NIU protocol"
_CELL_CODES = (0x1E, 0x1F, 0x20, 0x21, 0x22)
_PROBE_CODES = (0x24, 0x25)
_PER_FRAME = 4


def _messages(letter: str, base: int) -> list[Message]:
    def message(code: int, name: str, *signals: Signal) -> Message:
        return Message(f"Battery_{letter}_{name}", base | code << 8, 8, signals, extended=True)

    listed = [
        message(0x04, "Firmware", *letters("Firmware", 0, 8)),
        message(0x08, "Hardware", *letters("Hardware", 0, 8)),
        message(0x17, "Counters", little("Battery_Type", 0), little("Cycles", 6)),
        message(
            0x1A,
            "Status",
            little("Voltage", 0, 16, 0.01, "V"),
            little("Current", 2, 16, 0.01, "A", signed=True, comment="+ = charge"),
            little("SOC", 4, 16, 0.1, "%"),
        ),
    ]
    for group, code in enumerate(_CELL_CODES):
        first = _PER_FRAME * group + 1
        cells = (little(f"Cell_{first + k:02d}", 2 * k, 16, 0.001, "V") for k in range(_PER_FRAME))
        listed.append(message(code, f"Cells_{first:02d}", *cells))
    for group, code in enumerate(_PROBE_CODES):
        first = _PER_FRAME * group + 1
        probes = (little(f"Probe_{first + k}", 2 * k, 16, 0.1, "degC") for k in range(_PER_FRAME))
        listed.append(message(code, f"Probes_{first}", *probes))
    return listed


# Stands for the status of either battery: one alone is a pack, whichever bay it came from.
_EITHER = Message(
    "Battery_Status", 0x19F21A10, 8, (little("Voltage", 0, 16, 0.01, "V"),), True, 0x1FFEFFFC
)
DATABASE = Database(
    "niu",
    (*(m for letter, base in BATTERIES.values() for m in _messages(letter, base)), _EITHER),
)


def _bindings(pack: int, letter: str) -> list[Binding]:
    name = f"Battery_{letter}"
    found = pack_bindings(
        _WHY,
        (
            (f"{name}_Status", "Voltage", "voltage", 1.0),
            (f"{name}_Status", "Current", "current", -1.0),
            (f"{name}_Status", "SOC", "soc", 0.01),
            (f"{name}_Counters", "Cycles", "cycles", 1.0),
        ),
        pack,
    )
    for number in range(1, CELLS + 1):
        first = number - (number - 1) % _PER_FRAME
        found.append(cell(f"{name}_Cells_{first:02d}", f"Cell_{number:02d}", number, _WHY, pack))
    for number in range(1, PROBES + 1):
        first = number - (number - 1) % _PER_FRAME
        role = Role("probe", number, pack=pack)
        message = f"{name}_Probes_{first}"
        # Beyond 120 degC: a number below zero that this decoder cannot read.
        found.append(Binding(message, f"Probe_{number}", role, valid=(0.0, 120.0), why=_WHY))
    return found


def _mapping(letters_present: str) -> Mapping:
    """One pack per battery, in the order of their letters."""
    found = [b for pack, name in enumerate(letters_present, 1) for b in _bindings(pack, name)]
    return Mapping("niu", tuple(found), sign="+charge")


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Battery B alone is pack 1."""
    seen = {
        letter: len(payloads(frames, base | 0x1E00, extended=True)) > 0
        for letter, base in BATTERIES.values()
    }
    return (DATABASE, _mapping("B")) if seen["B"] and not seen["A"] else None


def verify(frames: Frames) -> Evidence:
    """Whether the cell frames of both batteries hold voltages of cells."""
    right = checked = 0
    for _, base in BATTERIES.values():
        for code in _CELL_CODES:
            rows = payloads(frames, base | code << 8, extended=True)
            for k in range(_PER_FRAME):
                volts = word(rows, 2 * k, little=True) / 1000.0
                volts = volts[volts > 0.0]
                fit, of = like_cells(np.zeros(len(volts), np.int64), volts)
                right, checked = right + fit, checked + of
    return judged(right, checked, "cell voltages")


_EXAMPLES = (
    # 74.12 V, 12.5 A flowing out, 81.2 %
    Example(
        0x19F21A11,
        True,
        bytes.fromhex("f41c1efb2c030000"),
        {"pack.voltage": 74.12, "pack.current": 12.5, "pack.soc": 0.812},
    ),
    Example(
        0x19F21E11,
        True,
        bytes.fromhex("1f0f200f210f1e0f"),
        {
            "cell.1.voltage": 3.871,
            "cell.2.voltage": 3.872,
            "cell.3.voltage": 3.873,
            "cell.4.voltage": 3.870,
        },
    ),
    # battery B: cells 17 to 20
    Example(
        0x19F32212,
        True,
        bytes.fromhex("100e110e120e130e"),
        {
            "pack2.cell.17.voltage": 3.600,
            "pack2.cell.18.voltage": 3.601,
            "pack2.cell.19.voltage": 3.602,
            "pack2.cell.20.voltage": 3.603,
        },
    ),
    Example(
        0x19F22411,
        True,
        bytes.fromhex("f500f600f700f800"),
        {"probe.1": 24.5, "probe.2": 24.6, "probe.3": 24.7, "probe.4": 24.8},
    ),
    # the sixth to eighth place hold no cell probe
    Example(0x19F32512, True, bytes.fromhex("0e01000000002c01"), {"pack2.probe.5": 27.0}),
    Example(0x19F21711, True, bytes.fromhex("0100000000007b00"), {"pack.cycles": 123.0}),
)


def identity(frames: Frames) -> dict[str, str]:
    """Firmware and hardware of the first battery that tells them."""
    for _, base in BATTERIES.values():
        firmware = written(frames, base | 0x0400, extended=True)
        if firmware:
            return {"firmware": firmware, "hardware": written(frames, base | 0x0800, extended=True)}
    return {}


PROTOCOL = Protocol(
    name="niu",
    identity=identity,
    title="NIU MQi GT EVO / GT 100",
    database=DATABASE,
    mapping=_mapping("AB"),
    bitrates=(500_000,),
    source_confidence="Read in one public decoder that is in use; no real capture was available.",
    required=("Battery_Status",),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
