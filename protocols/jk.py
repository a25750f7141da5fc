"""JK BMS (JIKONG) over CAN: the broadcast of the maker's "JK CAN" setting, second version.

Little endian, 250 kbit/s, no checksum. Pack quantities in 11-bit identifiers, cells and probes in
29-bit ones; the lowest nibble is 4 plus the number of the pack, so several share a bus. Cells come
four to a frame, seven frames, 0 mV where none is wired; the first version of the protocol has none
and is not recognised here. Source: ai-republic/bms-to-inverter, mr-manuel/venus-os_dbus-
serialbattery (jkbms_can, in use on many packs), a document of the maker's with one frame of cells,
and single frames of a pack that somebody compared with its RS-485 port (capacity, cycles); no long
CAN log was found. Another document puts the cycles elsewhere; the pack agrees with the driver.
Positive is charging.
"""

from dataclasses import replace

import numpy as np

from protocols.alarm_words import flagged
from protocols.bytecheck import Ints, identifiers, judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Alarm, Binding, Mapping
from protocols.shorthand import cell, flags, levels, little, pack_bindings, probe
from protocols.signals import Database, Message, Signal

CELLS = 28
PROBES = 4
# The lowest four bits of every identifier are the pack's address, 4 for the first.
_ANY_ADDRESS = 0x1FFFFFF0
_FIRST_ADDRESS = 4
_PER_FRAME = 4
_WHY = "JK BMS protocol"
_CELL_ID = 0x18E028F4
_STATUS_ID = 0x2F4

_ALARMS = (
    ("Cell_Voltage_High", "Cell_Voltage_Low", "Pack_Voltage_High", "Pack_Voltage_Low"),
    (
        "Cell_Voltage_Difference",
        "Discharge_Current_High",
        "Charge_Current_High",
        "Temperature_High",
    ),
    ("Temperature_Low", "Temperature_Difference", "SOC_Low", "Insulation_Low"),
    ("Interlock_Open", "External_Communication_Failed", "Internal_Communication_Failed", ""),
)


def _messages(suffix: str = "", address: int | None = None) -> list[Message]:
    """Messages of one address, or of whichever address there is."""
    at = 0 if address is None else address - _FIRST_ADDRESS
    alarms = [s for byte, names in enumerate(_ALARMS) for s in levels(byte, names)]
    listed = [
        Message(
            f"Battery_Status{suffix}",
            _STATUS_ID + at,
            8,
            (
                little("Pack_Voltage", 0, 16, 0.1, "V"),
                little("Pack_Current", 2, 16, 0.1, "A", offset=-400.0, comment="+ = charge"),
                little("SOC", 4, 8, 1.0, "%"),
                little("Discharge_Time", 6, 16, 1.0, "h"),
            ),
        ),
        Message(
            f"Cell_Extremes{suffix}",
            0x4F4 + at,
            8,
            (
                little("Cell_Voltage_Max", 0, 16, 0.001, "V"),
                little("Cell_Number_Max", 2, 8),
                little("Cell_Voltage_Min", 3, 16, 0.001, "V"),
                little("Cell_Number_Min", 5, 8),
            ),
        ),
        Message(
            f"Temperature_Extremes{suffix}",
            0x5F4 + at,
            8,
            (
                little("Temperature_Max", 0, 8, 1.0, "degC", offset=-50.0),
                little("Probe_Number_Max", 1, 8),
                little("Temperature_Min", 2, 8, 1.0, "degC", offset=-50.0),
                little("Probe_Number_Min", 3, 8),
                little("Temperature_Mean", 4, 8, 1.0, "degC", offset=-50.0),
            ),
        ),
        Message(f"Alarms{suffix}", 0x7F4 + at, 8, (*alarms, little("Alarms", 0, 32))),
        Message(
            f"Capacity{suffix}",
            0x18F128F4 + at,
            8,
            (
                little("Remaining_Capacity", 0, 16, 0.1, "Ah"),
                little("Full_Capacity", 2, 16, 0.1, "Ah"),
                little("Discharged_Total", 4, 16, 0.1, "Ah"),
                little("Cycles", 6, 16),
            ),
            extended=True,
        ),
        Message(f"Temperatures{suffix}", 0x18F228F4 + at, 8, _temperatures(), extended=True),
        Message(
            f"Switches{suffix}",
            0x18F528F4 + at,
            8,
            flags(0, ("Charge_Switch_On", "Discharge_Switch_On", "Balancing")),
            extended=True,
        ),
    ]
    for first in range(1, CELLS + 1, _PER_FRAME):
        frame_id = _CELL_ID + at + ((first - 1) // _PER_FRAME << 16)
        cells = tuple(
            little(f"Cell_{first + k:02d}", 2 * k, 16, 0.001, "V") for k in range(_PER_FRAME)
        )
        listed.append(Message(f"Cells_{first:02d}{suffix}", frame_id, 8, cells, extended=True))
    if address is not None:
        return listed
    return [replace(m, id=m.id & _ANY_ADDRESS, id_mask=_ANY_ADDRESS) for m in listed]


def _temperatures() -> tuple[Signal, ...]:
    """Probes and, among them, the switches; 0 where there is none."""
    names = ("Probe_1", "Probe_2", "Switch_Temperature", "Probe_3", "Probe_4")
    return tuple(
        little(name, 1 + k, 8, 1.0, "degC", offset=-50.0, invalid=(0, 0xFF))
        for k, name in enumerate(names)
    )


_PACK = (
    ("Battery_Status", "Pack_Voltage", "voltage", 1.0),
    ("Battery_Status", "Pack_Current", "current", -1.0),
    ("Battery_Status", "SOC", "soc", 0.01),
    ("Cell_Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Cell_Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Temperature_Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Temperature_Extremes", "Temperature_Min", "temperature_min", 1.0),
    ("Alarms", "Alarms", "fault", 1.0),
    ("Capacity", "Remaining_Capacity", "remaining_ah", 1.0),
    ("Capacity", "Full_Capacity", "full_ah", 1.0),
    ("Capacity", "Cycles", "cycles", 1.0),
)


def _bindings(suffix: str, pack: int) -> list[Binding]:
    found = pack_bindings(_WHY, [(f"{m}{suffix}", s, f, k) for m, s, f, k in _PACK], pack)
    for number in range(1, CELLS + 1):
        first = number - (number - 1) % _PER_FRAME
        found.append(cell(f"Cells_{first:02d}{suffix}", f"Cell_{number:02d}", number, _WHY, pack))
    found += [
        probe(f"Temperatures{suffix}", f"Probe_{k + 1}", k + 1, _WHY, pack) for k in range(PROBES)
    ]
    return found


def _addresses(frames: Frames) -> list[int]:
    """Addresses of the packs whose first cells are on the bus."""
    mine = identifiers(frames, _CELL_ID & _ANY_ADDRESS, _CELL_ID | 0xF, extended=True)
    return sorted(set((mine.id & np.uint32(0xF)).tolist()))


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """The address, or several, of this bus: each is a pack."""
    addresses = _addresses(frames)
    if not addresses:
        return None
    messages: list[Message] = []
    bindings: list[Binding] = []
    alarms: tuple[Alarm, ...] = ()
    for pack, address in enumerate(addresses, 1):
        suffix = "" if len(addresses) == 1 else f"_{address - _FIRST_ADDRESS}"
        messages += _messages(suffix, address)
        bindings += _bindings(suffix, pack)
        alarms += flagged(messages, ("Alarms",), pack, suffix)
    mapping = Mapping("jk", tuple(bindings), sign="+charge", alarms=alarms)
    return Database("jk", tuple(messages)), mapping


def verify(frames: Frames) -> Evidence:
    """Whether the cell frames hold voltages of cells and the status says a possible charge."""
    right = checked = states = 0
    for address in _addresses(frames):
        at = address - _FIRST_ADDRESS
        for group in range(CELLS // _PER_FRAME):
            rows = payloads(frames, _CELL_ID + at + (group << 16), extended=True)
            for k in range(_PER_FRAME):
                fit, of = _cells(word(rows, 2 * k, little=True))
                right, checked = right + fit, checked + of
        status = payloads(frames, _STATUS_ID + at)
        right, states = right + int(np.sum(status[:, 4] <= 100)), states + len(status)
    if not checked:
        return Evidence(0.0, "no cell voltages seen")
    return judged(right, checked + states, "cell voltages and states of charge")


def _cells(millivolts: Ints) -> tuple[int, int]:
    there = millivolts[(millivolts != 0) & (millivolts != 0xFFFF)]
    return like_cells(np.zeros(len(there), np.int64), there / 1000.0)


_EXAMPLES = (
    # from a pack of 16 cells and 280 Ah: 1.8 A flow in
    Example(
        0x2F4,
        False,
        bytes.fromhex("1302b20f51000000"),
        {"pack.voltage": 53.1, "pack.current": -1.8, "pack.soc": 0.81},
    ),
    Example(
        0x4F4,
        False,
        bytes.fromhex("ff0c06fc0c010000"),
        {"pack.cell_voltage_max": 3.327, "pack.cell_voltage_min": 3.324},
    ),
    Example(
        0x5F4,
        False,
        bytes.fromhex("4801480048000000"),
        {"pack.temperature_max": 22.0, "pack.temperature_min": 22.0},
    ),
    Example(
        0x18F128F4,
        True,
        bytes.fromhex("e108f00a6b802300"),
        {"pack.remaining_ah": 227.3, "pack.full_ah": 280.0, "pack.cycles": 35.0},
    ),
    # a warning of the lowest cell
    Example(0x7F4, False, bytes.fromhex("0400000000000000"), {"pack.fault": 4.0}),
    # from the maker's document
    Example(
        0x18E028F4,
        True,
        bytes.fromhex("ad0eab0ea30ea60e"),
        {
            "cell.1.voltage": 3.757,
            "cell.2.voltage": 3.755,
            "cell.3.voltage": 3.747,
            "cell.4.voltage": 3.750,
        },
    ),
    # 14 cells: the last two places of the fourth frame are not wired
    Example(
        0x18E328F4,
        True,
        bytes.fromhex("d40cd50c00000000"),
        {"cell.13.voltage": 3.284, "cell.14.voltage": 3.285},
    ),
    # two probes of 25 and 20 degC; the switches have 35 degC
    Example(
        0x18F228F4, True, bytes.fromhex("034b465500000000"), {"probe.1": 25.0, "probe.2": 20.0}
    ),
)

PROTOCOL = Protocol(
    name="jk",
    title="JK BMS",
    database=Database("jk", tuple(_messages())),
    mapping=Mapping(
        "jk",
        tuple(_bindings("", 1)),
        sign="+charge",
        alarms=flagged(_messages(), ("Alarms",)),
    ),
    bitrates=(250_000, 500_000),
    source_confidence="Public drivers and the maker's document; single frames of a pack agree.",
    required=("Cells_01", "Battery_Status"),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
