"""Tesla Model 3 and Model Y: the pack on the vehicle bus.

11-bit identifiers, little endian, 500 kbit/s, no polling. Cells ("bricks") come three to a frame
behind the number of the group (0x401); two bits each say whether the three are valid. Source:
joshwardell/model3dbc (community) and dalathegreat/Battery-Emulator; single frames, no log. The
database swaps two cells of group 11, which is taken for its mistake: here the order is the same in
every group. It gives the current a factor of -0.1, which makes discharge positive.
"""

import numpy as np

from protocols.bytecheck import judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Alarm, Binding, Index, Mapping
from protocols.shorthand import counted, little, pack_bindings
from protocols.signals import Database, Message, MuxCondition, Signal

CELL_ID = 0x401
GROUPS = 36
CELLS_PER_GROUP = 3
_VALID = 2
CONTACTORS = {
    1: "open",
    2: "opening",
    3: "closing",
    4: "closed",
    5: "welded",
    6: "blocked",
}
CHARGE_STATUS = {
    0: "disconnected",
    1: "no power",
    2: "about to charge",
    3: "charging",
    4: "complete",
    5: "stopped",
}
STATES = {
    0: "standby",
    1: "drive",
    2: "support",
    3: "charge",
    4: "front-end isolation",
    5: "clears a fault",
    6: "fault",
    7: "welded contactor",
    8: "test",
    10: "diagnosis",
}
_ALARMS = (Alarm("State", "State", "BMS state", ((6, "fault"), (7, "welded contactor"))),)
_WHY = "Tesla protocol"


def _cell_message() -> Message:
    known = MuxCondition("Group", tuple(range(GROUPS)))
    signals = [little("Group", 0, 8)]
    for k in range(CELLS_PER_GROUP):
        state = f"State_{k + 1}"
        valid = (known, MuxCondition(state, (_VALID,)))
        signals.append(Signal(state, 8 + 2 * k, 2, choices={0: "not there", _VALID: "valid"}))
        signals.append(little(f"Cell_Voltage_{k + 1}", 2 + 2 * k, 16, 0.0001, "V", mux=valid))
    return Message("Cell_Voltages", CELL_ID, 8, tuple(signals))


def _extremes() -> Message:
    degrees, volts = (MuxCondition("Part", (0,)),), (MuxCondition("Part", (1,)),)
    return Message(
        "Extremes",
        0x332,
        8,
        (
            Signal("Part", 0, 2, is_selector=True),
            little("Temperature_Max", 2, 8, 0.5, "degC", offset=-40.0, mux=degrees),
            little("Temperature_Min", 3, 8, 0.5, "degC", offset=-40.0, mux=degrees),
            Signal("Cell_Voltage_Max", 2, 12, scale=0.002, unit="V", mux=volts),
            Signal("Cell_Voltage_Min", 16, 12, scale=0.002, unit="V", mux=volts),
            Signal("Cell_Number_Max", 32, 7, offset=1.0, mux=volts),
            Signal("Cell_Number_Min", 40, 7, offset=1.0, mux=volts),
        ),
    )


DATABASE = Database(
    "tesla",
    (
        Message(
            "Pack_Status",
            0x132,
            8,
            (
                little("Pack_Voltage", 0, 16, 0.01, "V", invalid=(0xFFFF,)),
                little("Pack_Current", 2, 16, -0.1, "A", signed=True),
                Signal("Minutes_To_Full", 48, 12, unit="min", invalid=(0xFFF,)),
            ),
        ),
        Message(
            "Pack_SOC",
            0x292,
            8,
            tuple(
                Signal(name, 10 * k, 10, scale=0.1, unit="%", invalid=(0x3FF,))
                for k, name in enumerate(("SOC_Min", "SOC_Shown", "SOC_Max", "SOC_Mean"))
            ),
        ),
        _extremes(),
        Message(
            "Limits",
            0x2D2,
            8,
            (
                little("Discharge_Voltage_Limit", 0, 16, 0.01, "V"),
                little("Charge_Voltage_Limit", 2, 16, 0.01, "V"),
                Signal("Charge_Current_Limit", 32, 14, scale=0.1, unit="A"),
                Signal("Discharge_Current_Limit", 48, 14, scale=0.128, unit="A"),
            ),
        ),
        Message(
            "Power_Limits",
            0x252,
            8,
            (
                little("Recuperation_Power_Limit", 0, 16, 0.01, "kW"),
                little("Discharge_Power_Limit", 2, 16, 0.01, "kW"),
            ),
        ),
        Message(
            "State",
            0x212,
            8,
            (
                Signal("Contactors", 8, 3, choices=CONTACTORS),
                Signal("Charge_Status", 11, 3, choices=CHARGE_STATUS),
                Signal("Isolation", 19, 10, scale=10.0, unit="kOhm", invalid=(0x3FF,)),
                Signal("State", 32, 4, choices=STATES),
            ),
        ),
        Message(
            "Pack_Energy",
            0x352,
            8,
            tuple(
                Signal(name, 11 * k, 11, scale=0.1, unit="kWh", invalid=(0x7FF,))
                for k, name in enumerate(
                    ("Nominal_Full", "Nominal_Remaining", "Expected", "Ideal", "To_Charge")
                )
            ),
        ),
        _cell_message(),
    ),
)

_PACK = (
    ("Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    ("Limits", "Discharge_Current_Limit", "discharge_current_limit", 1.0),
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", 1.0),
    ("Pack_SOC", "SOC_Shown", "soc", 0.01),
    ("Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Extremes", "Temperature_Min", "temperature_min", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    cells = [f"Cell_Voltage_{k + 1}" for k in range(CELLS_PER_GROUP)]
    index = Index("Group", stride=CELLS_PER_GROUP)
    return (
        *pack_bindings(_WHY, _PACK),
        *counted("Cell_Voltages", cells, "cell", index, _WHY),
    )


def verify(frames: Frames) -> Evidence:
    """Whether groups and states are those of the cell message and its values are cells."""
    rows = payloads(frames, CELL_ID)
    right = int(np.sum((rows[:, 0] < GROUPS) & np.isin(rows[:, 1], (0x00, 0x02, 0x0A, 0x2A))))
    checked = len(rows)
    for k in range(CELLS_PER_GROUP):
        there = rows[(rows[:, 1] >> 2 * k) & 3 == _VALID]
        fit, of = like_cells(there[:, 0], word(there, 2 + 2 * k, little=True) / 10_000.0)
        right, checked = right + fit, checked + of
    return judged(right, checked, "groups and cell voltages")


_EXAMPLES = (
    # from a car (fl4p/tescan)
    Example(
        0x132,
        False,
        bytes.fromhex("7096aeff5c26ff0f"),
        {"pack.voltage": 385.12, "pack.current": 8.2},
    ),
    # 240 to 403.2 V, 120 A in, 896 A out
    Example(
        0x2D2,
        False,
        bytes.fromhex("c05d809db004581b"),
        {
            "pack.discharge_voltage_limit": 240.0,
            "pack.charge_voltage_limit": 403.2,
            "pack.charge_current_limit": 120.0,
            "pack.discharge_current_limit": 896.0,
        },
    ),
    # 80.0 % at the lowest, 80.5 % shown
    Example(0x292, False, bytes.fromhex("2097ac3200000000"), {"pack.soc": 0.805}),
    Example(
        0x332,
        False,
        bytes.fromhex("0000827d00000000"),
        {"pack.temperature_max": 25.0, "pack.temperature_min": 22.5},
    ),
    # 4.022 V (cell 4) and 4.020 V (cell 8)
    Example(
        0x332,
        False,
        bytes.fromhex("6d1fda0703070000"),
        {"pack.cell_voltage_max": 4.022, "pack.cell_voltage_min": 4.020},
    ),
    Example(
        CELL_ID,
        False,
        bytes.fromhex("012a089d099d0a9d"),
        {"cell.4.voltage": 4.0200, "cell.5.voltage": 4.0201, "cell.6.voltage": 4.0202},
    ),
    # the last group of 106 cells: only its first place
    Example(CELL_ID, False, bytes.fromhex("2302089d00000000"), {"cell.106.voltage": 4.0200}),
)

PROTOCOL = Protocol(
    name="tesla",
    title="Tesla Model 3 / Model Y",
    database=DATABASE,
    mapping=Mapping("tesla", _bindings(), alarms=_ALARMS),
    bitrates=(500_000,),
    source_confidence="A community database and one public decoder; no real capture was available.",
    required=("Cell_Voltages",),
    examples=_EXAMPLES,
    verify=verify,
)
