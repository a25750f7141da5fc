"""The low-voltage family that home-storage inverters understand: Pylontech, SMA, Victron, BYD.

11-bit identifiers, little endian, once a second, 500 kbit/s (REC: 250), no checksum. What the whole
pack says; the standard set knows no single cells, only the extremes. The members share identifiers
and differ in what some of them hold; they are told apart by what is on the bus:

| member | alarms | 0x370, 0x371 |
|---|---|---|
| Pylontech | 0x359, bits, with "PN" | absent, or extremes and their places (V2.0.6) |
| Victron | 0x35A, two bits per item | model name, ASCII |
| SMA | 0x35A and 0x35B | absent |

Orion's inverter profile has 0x351, 0x355 and 0x356 too, with 0.1 V in 0x356; SimpBMS puts cells
into 0x372: both are recognised and refused here. Sources: dalathegreat/Battery-Emulator (inverter
side), mr-manuel/venus-os_dbus-serialbattery, dfch/BydCanProtocol; checked against four public
captures (Eco-Worthy, SHEnergy, REC, Pylontech). Positive is charging.
"""

import numpy as np
from numpy.typing import NDArray

from protocols.alarm_words import flagged, home_storage_items
from protocols.bytecheck import judged, payloads, signed, word, written
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import flag, flags, letters, little, pack_bindings
from protocols.signals import Database, Message

_WHY = "Pylontech/Victron/SMA protocol"
_SERIAL_IDS = (0x380, 0x381)
_KELVIN = -273.0

PROTECTIONS = (
    "",
    "Overvoltage",
    "Undervoltage",
    "Overtemperature",
    "Undertemperature",
    "",
    "",
    "Discharge_Overcurrent",
    "Charge_Overcurrent",
    "",
    "",
    "System_Error",
)


def _text(name: str, frame_id: int) -> Message:
    return Message(name, frame_id, 8, letters(name, 0, 8))


def _state_messages() -> tuple[Message, ...]:
    return (
        Message(
            "Limits",
            0x351,
            8,
            (
                little("Charge_Voltage_Limit", 0, 16, 0.1, "V"),
                little("Charge_Current_Limit", 2, 16, 0.1, "A", signed=True),
                little("Discharge_Current_Limit", 4, 16, 0.1, "A", signed=True),
                little("Discharge_Voltage_Limit", 6, 16, 0.1, "V"),
            ),
        ),
        Message(
            "Pack_SOC",
            0x355,
            8,
            (
                little("SOC", 0, 16, 1.0, "%"),
                little("SOH", 2, 16, 1.0, "%"),
                little("SOC_Fine", 4, 16, 0.01, "%"),
            ),
        ),
        Message(
            "Pack_Status",
            0x356,
            8,
            (
                little("Pack_Voltage", 0, 16, 0.01, "V", signed=True),
                little("Pack_Current", 2, 16, 0.1, "A", signed=True, comment="+ = charge"),
                little("Temperature", 4, 16, 0.1, "degC", signed=True),
                little("Cycles", 6, 16),
            ),
        ),
        Message(
            "Protection",
            0x359,
            8,
            (
                *flags(0, PROTECTIONS),
                little("Protection", 0, 16),
                *flags(2, [name and f"Warning_{name}" for name in PROTECTIONS]),
                little("Modules", 4, 8),
            ),
        ),
        Message(
            "Alarms", 0x35A, 8, (*home_storage_items("Alarm", 0), *home_storage_items("Warning", 4))
        ),
        Message(
            "Requests",
            0x35C,
            8,
            (
                flag("Charge_Enabled", 0, 7),
                flag("Discharge_Enabled", 0, 6),
                flag("Force_Charge_1", 0, 5),
                flag("Force_Charge_2", 0, 4),
                flag("Full_Charge_Wanted", 0, 3),
            ),
        ),
    )


def _identity_messages() -> tuple[Message, ...]:
    return (
        _text("Maker", 0x35E),
        Message(
            "Product",
            0x35F,
            8,
            (
                little("Battery_Type", 0, 16),
                little("Firmware", 2, 16),
                little("Capacity", 4, 16, 1.0, "Ah"),
                little("Product_Number", 6, 16),
            ),
        ),
        Message(
            "Module_Counts",
            0x372,
            8,
            tuple(
                little(name, 2 * k)
                for k, name in enumerate(("Ok", "Blocking_Charge", "Blocking_Discharge", "Offline"))
            ),
        ),
        Message(
            "Extremes",
            0x373,
            8,
            (
                little("Cell_Voltage_Min", 0, 16, 0.001, "V"),
                little("Cell_Voltage_Max", 2, 16, 0.001, "V"),
                little("Temperature_Min", 4, 16, 1.0, "degC", offset=_KELVIN),
                little("Temperature_Max", 6, 16, 1.0, "degC", offset=_KELVIN),
            ),
        ),
        _text("Cell_Min_Place", 0x374),
        _text("Cell_Max_Place", 0x375),
        _text("Probe_Min_Place", 0x376),
        _text("Probe_Max_Place", 0x377),
        Message(
            "Energy",
            0x378,
            8,
            (
                little("Energy_In", 0, 32, 0.1, "kWh"),
                little("Energy_Out", 4, 32, 0.1, "kWh"),
            ),
        ),
        Message("Installed", 0x379, 8, (little("Installed_Capacity", 0, 16, 1.0, "Ah"),)),
        _text("Serial_1", 0x380),
        _text("Serial_2", 0x381),
        _text("Family", 0x382),
    )


_MODEL_TEXT = (_text("Model_1", 0x370), _text("Model_2", 0x371))
_EXTREMES_WITH_PLACES = (
    Message(
        "Module_Extremes",
        0x370,
        8,
        (
            little("Temperature_Max", 0, 16, 0.1, "degC", signed=True),
            little("Temperature_Min", 2, 16, 0.1, "degC", signed=True),
            little("Cell_Voltage_Max", 4, 16, 0.001, "V"),
            little("Cell_Voltage_Min", 6, 16, 0.001, "V"),
        ),
    ),
    Message(
        "Module_Places",
        0x371,
        8,
        tuple(
            little(f"{name}_{part}", 2 * k + at, 8)
            for k, name in enumerate(("Probe_Max", "Probe_Min", "Cell_Max", "Cell_Min"))
            for at, part in enumerate(("Number", "Module"))
        ),
    ),
)

_LIMITS_AND_STATE = (
    ("Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    ("Limits", "Discharge_Current_Limit", "discharge_current_limit", 1.0),
    ("Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Pack_SOC", "SOH", "soh", 0.01),
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", -1.0),
    ("Protection", "Protection", "fault", 1.0),
)
_EXTREME_FIELDS = (
    ("Cell_Voltage_Min", "cell_voltage_min"),
    ("Cell_Voltage_Max", "cell_voltage_max"),
    ("Temperature_Min", "temperature_min"),
    ("Temperature_Max", "temperature_max"),
)


def _database(model: tuple[Message, ...]) -> Database:
    return Database("pylon_lv", (*_state_messages(), *model, *_identity_messages()))


def _mapping(extremes: str, soc: str, capacity: tuple[str, str], notes: tuple[str, ...]) -> Mapping:
    found: list[Binding] = pack_bindings(_WHY, _LIMITS_AND_STATE)
    found += pack_bindings(_WHY, [(extremes, s, f, 1.0) for s, f in _EXTREME_FIELDS])
    found += pack_bindings(_WHY, [("Pack_SOC", soc, "soc", 0.01)])
    # Not every member fills these: 0 is unknown.
    for message, signal, field in ((*capacity, "full_ah"), ("Pack_Status", "Cycles", "cycles")):
        role = Role("pack", field=field)
        found.append(Binding(message, signal, role, valid=(0.5, 65_534.5), why=_WHY))
    alarms = flagged(_state_messages(), ("Protection", "Alarms"))
    return Mapping("pylon_lv", tuple(found), sign="+charge", notes=notes, alarms=alarms)


def _printable(rows: NDArray[np.int64]) -> bool:
    """Whether the newest row is text: letters first, zeros or spaces behind."""
    if not len(rows):
        return False
    text = bytes(rows[-1].tolist()).rstrip(b"\0 ")
    return len(text) >= 2 and all(0x20 <= letter < 0x7F for letter in text)


def member(frames: Frames) -> str:
    """Which member of the family speaks: "Pylontech", "Victron", "SMA" or "" where none is sure."""
    marked = payloads(frames, 0x359, length=7)
    if len(marked) and bool(np.all(marked[:, 5:7] == (0x50, 0x4E))):
        return "Pylontech"
    if not len(payloads(frames, 0x35A)):
        return ""
    if len(payloads(frames, 0x35B)) and not len(payloads(frames, 0x370)):
        return "SMA"
    return "Victron"


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Layout of 0x370, source of extremes, capacity and state of charge as this bus has them."""
    text = payloads(frames, 0x370)
    numeric = len(text) > 0 and not _printable(text)
    standard = len(payloads(frames, 0x373)) > 0
    extremes = "Module_Extremes" if numeric and not standard else "Extremes"
    installed = len(payloads(frames, 0x379, length=2)) > 0
    capacity = ("Installed", "Installed_Capacity") if installed else ("Product", "Capacity")
    soc = payloads(frames, 0x355, length=6)
    coarse, fine = word(soc, 0, little=True), word(soc, 4, little=True) / 100.0
    # Members that do not know the finer one leave it 0.
    agree = len(soc) > 0 and bool(np.all(np.abs(fine - coarse) <= 1.5)) and bool(np.any(fine > 0))
    which = member(frames)
    notes = (f"{which} layout",) if which else ()
    mapping = _mapping(extremes, "SOC_Fine" if agree else "SOC", capacity, notes)
    return _database(_EXTREMES_WITH_PLACES if numeric else _MODEL_TEXT), mapping


def verify(frames: Frames) -> Evidence:
    """Whether voltage lies between the limits of 0x351, shares below 105 %, and a maker is named.

    The first refuses Orion's layout of the same identifiers, where 0x356 counts tenths of a volt.
    """
    limits, status = payloads(frames, 0x351, length=6), payloads(frames, 0x356, length=6)
    shares = payloads(frames, 0x355, length=4)
    if not (len(limits) and len(status) and len(shares)):
        return Evidence(0.0, "limits, state and charge were not all seen")
    if np.any(payloads(frames, 0x372)[:, 3] != 0):
        return Evidence(0.0, "0x372 counts no modules")
    if not (_printable(payloads(frames, 0x35E, length=2)) or member(frames)):
        return Evidence(0.0, "no maker is named")
    most_v = float(np.median(word(limits, 0, little=True))) / 10.0
    volts = signed(word(status, 0, little=True)) / 100.0
    right = int(np.sum((volts > 0.4 * most_v) & (volts < 1.15 * most_v)))
    right += int(
        np.sum((word(shares, 0, little=True) <= 105) & (word(shares, 2, little=True) <= 105))
    )
    return judged(right, len(volts) + len(shares), "voltages and shares")


def serial(frames: Frames) -> str | None:
    """The serial number of 0x380 and 0x381; None where it is not sent."""
    parts = [payloads(frames, frame_id, length=1) for frame_id in _SERIAL_IDS]
    if not _printable(parts[0]):
        return None
    text = b"".join(bytes(rows[-1].tolist()) for rows in parts if _printable(rows))
    return text.replace(b"\0", b"").decode("ascii").strip() or None


def identity(frames: Frames) -> dict[str, str]:
    """Maker, model or family as text; the firmware as the number it is sent as."""
    product = payloads(frames, 0x35F, length=4)
    number = int(word(product, 2, little=True)[-1]) if len(product) else 0
    return {
        "maker": written(frames, 0x35E),
        "model": written(frames, 0x370, 0x371) or written(frames, 0x382),
        "firmware": f"0x{number:04X}" if number else "",
    }


# From the public captures of an Eco-Worthy Cubix, an SHEnergy pack, a REC BMS and a Pylontech pack.
_EXAMPLES = (
    Example(
        0x351,
        False,
        bytes.fromhex("4802d007d007c001"),
        {
            "pack.charge_voltage_limit": 58.4,
            "pack.charge_current_limit": 200.0,
            "pack.discharge_current_limit": 200.0,
            "pack.discharge_voltage_limit": 44.8,
        },
    ),
    Example(0x355, False, bytes.fromhex("1e00640000000000"), {"pack.soc": 0.30, "pack.soh": 1.0}),
    # shorter, as Pylontech sends it
    Example(0x355, False, bytes.fromhex("5a006400"), {"pack.soc": 0.90, "pack.soh": 1.0}),
    Example(
        0x356,
        False,
        bytes.fromhex("6114d3feeb001a00"),
        {"pack.voltage": 52.17, "pack.current": 30.1, "pack.cycles": 26.0},
    ),
    Example(
        0x356, False, bytes.fromhex("8413f1ff3700"), {"pack.voltage": 49.96, "pack.current": 1.5}
    ),
    Example(0x359, False, bytes.fromhex("0000000004504e"), {"pack.fault": 0.0}),
    Example(0x35E, False, bytes.fromhex("50594c4f4e202020"), {}),
    Example(0x35F, False, bytes.fromhex("0000100430010000"), {"pack.full_ah": 304.0}),
    Example(
        0x373,
        False,
        bytes.fromhex("ca0ccf0c1b011c01"),
        {
            "pack.cell_voltage_min": 3.274,
            "pack.cell_voltage_max": 3.279,
            "pack.temperature_min": 10.0,
            "pack.temperature_max": 11.0,
        },
    ),
    Example(0x380, False, bytes.fromhex("31512d3138343500"), {}),
)

PROTOCOL = Protocol(
    name="pylon_lv",
    identity=identity,
    title="Pylontech / Victron / SMA low voltage",
    database=_database(_MODEL_TEXT),
    mapping=_mapping("Extremes", "SOC", ("Product", "Capacity"), ()),
    bitrates=(500_000, 250_000),
    source_confidence="Public drivers, checked against four public captures of real packs.",
    required=("Limits", "Pack_SOC", "Pack_Status"),
    examples=_EXAMPLES,
    verify=verify,
    serial=serial,
    specialise=specialise,
)
