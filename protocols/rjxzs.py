"""RJXZS BMS: everything in one identifier, 0xF5, told apart by the first byte.

Big endian, 250 kbit/s, three 16-bit numbers behind the part's number: parts 0x07 to 0x46 are three
cells each. Source: dalathegreat/Battery-Emulator RJXZS-BMS.cpp; no log was at hand. That program
asks with a 29-bit identifier and does not look at the kind of the answer's: the protocol is offered
in both lengths. The current is a magnitude; which way it flows stands in another part (0x06), so it
is shown but not used. The order of the temperatures is too uncertain there to be used.
"""

import numpy as np

from protocols.bytecheck import judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Index, Mapping, Role
from protocols.shorthand import big, counted, flag, pack_bindings
from protocols.signals import Database, Message, MuxCondition, Signal

ID = 0xF5
CELLS = 192
CELLS_PER_PART = 3
_FIRST_CELLS, _LAST_CELLS = 0x07, 0x46
_LAST_PART = 0x54
_WHY = "RJXZS protocol"
_MESSAGE = "Broadcast"
_LOWEST, _HIGHEST = ("Cell_Voltage_Min", 0.001, "V"), ("Cell_Voltage_Max", 0.001, "V")
# Last protection of the log, in the lower half of the byte.
PROTECTIONS = {
    0: "none",
    1: "overcurrent",
    2: "overdischarge",
    3: "overcharge",
    4: "overtemperature",
    5: "number of cells",
    6: "charge relay",
    7: "discharge relay",
    8: "low supply voltage",
    9: "cell voltage difference",
    10: "low temperature",
}


def _part(*values: int) -> tuple[MuxCondition, ...]:
    return (MuxCondition("Part", values),)


def _words(part: int, *names: tuple[str, float, str]) -> list[Signal]:
    return [
        big(name, 1 + 2 * k, 16, scale, unit, mux=_part(part))
        for k, (name, scale, unit) in enumerate(names)
        if name
    ]


def _message(extended: bool) -> Message:
    cells = _part(*range(_FIRST_CELLS, _LAST_CELLS + 1))
    signals = [
        Signal("Part", 0, 8, is_selector=True),
        *_words(
            0x01,
            ("Discharge_Protection", 0.001, "V"),
            ("Current_Protection", 0.1, "A"),
            ("Rated_Capacity", 1.0, "Ah"),
        ),
        *_words(0x02, ("Cells", 1.0, ""), ("Charge_Protection", 0.001, "V"), ("", 1.0, "")),
        *_words(
            0x03,
            ("Pack_Voltage", 0.1, "V"),
            ("Current_Magnitude", 0.1, "A"),
            ("Power", 1.0, "W"),
        ),
        *_words(0x04, ("Used_Capacity", 1.0, ""), ("SOC", 1.0, "%"), ("Charged_Capacity", 1.0, "")),
        flag("Charging", 4, 6, mux=_part(0x06)),
        *_words(0x51, ("", 1.0, ""), _LOWEST, _HIGHEST),
        Signal("Last_Protection", 56, 4, mux=_part(0x53), choices=PROTECTIONS),
        *(
            big(f"Cell_Voltage_{k + 1}", 1 + 2 * k, 16, 0.001, "V", mux=cells)
            for k in range(CELLS_PER_PART)
        ),
    ]
    return Message(_MESSAGE, ID, 8, tuple(signals), extended=extended)


_PACK = (
    (_MESSAGE, "Cells", "cell_count", 1.0),
    (_MESSAGE, "Pack_Voltage", "voltage", 1.0),
    (_MESSAGE, "Charging", "charging", 1.0),
    (_MESSAGE, "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    (_MESSAGE, "Cell_Voltage_Max", "cell_voltage_max", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    found = pack_bindings(_WHY, _PACK)
    role = Role("pack", field="soc")
    # 0 is how this BMS says that it does not know.
    found.append(Binding(_MESSAGE, "SOC", role, 0.01, valid=(0.005, 1.0), why=_WHY))
    cells = [f"Cell_Voltage_{k + 1}" for k in range(CELLS_PER_PART)]
    index = Index("Part", first=_FIRST_CELLS, stride=CELLS_PER_PART)
    return (*found, *counted(_MESSAGE, cells, "cell", index, _WHY))


def _checked(frames: Frames, extended: bool) -> Evidence:
    """Whether parts are those of this protocol and cells like cells."""
    rows = payloads(frames, ID, extended=extended)
    right = int(np.sum((rows[:, 0] >= 1) & (rows[:, 0] <= _LAST_PART)))
    checked = len(rows)
    cells = rows[(rows[:, 0] >= _FIRST_CELLS) & (rows[:, 0] <= _LAST_CELLS)]
    if not {_FIRST_CELLS, _FIRST_CELLS + 1} <= set(cells[:, 0].tolist()):
        return Evidence(0.0, "the parts of the first cells were not seen")
    for k in range(CELLS_PER_PART):
        millivolts = word(cells, 1 + 2 * k)
        there = (millivolts != 0) & (millivolts != 0xFFFF)
        fit, of = like_cells(cells[there, 0], millivolts[there] / 1000.0)
        right, checked = right + fit, checked + of
    return judged(right, checked, "parts and cell voltages")


def _examples(extended: bool) -> tuple[Example, ...]:
    frames: tuple[tuple[str, dict[str, float]], ...] = (
        ("02000e0e42004100", {"pack.cell_count": 14.0}),
        # 53.2 V, 20.5 A in one direction or the other, 1091 W
        ("03021400cd044300", {"pack.voltage": 53.2}),
        ("0400000049000000", {"pack.soc": 0.73}),
        ("0600190040000000", {"pack.charging": 1.0}),
        (
            "070cd40cd50cd600",
            {"cell.1.voltage": 3.284, "cell.2.voltage": 3.285, "cell.3.voltage": 3.286},
        ),
        # cells 13 and 14; the third place is empty
        (
            "080cd40cd50cd600",
            {"cell.4.voltage": 3.284, "cell.5.voltage": 3.285, "cell.6.voltage": 3.286},
        ),
        ("0b0cd70cd8000000", {"cell.13.voltage": 3.287, "cell.14.voltage": 3.288}),
        ("510cd40cd40cd800", {"pack.cell_voltage_min": 3.284, "pack.cell_voltage_max": 3.288}),
        ("5300c80000000003", {}),
    )
    return tuple(Example(ID, extended, bytes.fromhex(data), means) for data, means in frames)


def _protocol(name: str, title: str, extended: bool) -> Protocol:
    return Protocol(
        name=name,
        title=title,
        database=Database(name, (_message(extended),)),
        mapping=Mapping(name, _bindings()),
        bitrates=(250_000, 500_000),
        source_confidence="One public decoder; no real capture was available.",
        required=(_MESSAGE,),
        examples=_examples(extended),
        verify=lambda frames: _checked(frames, extended),
    )


PROTOCOL = _protocol("rjxzs", "RJXZS BMS", False)
LONG_IDENTIFIER = _protocol("rjxzs_extended", "RJXZS BMS (29-bit identifier)", True)
