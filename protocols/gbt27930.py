"""GB/T 27930-2015: what a battery and a DC charger say to each other while a car charges in China.

J1939 on 250 kbit/s: 29-bit identifiers, the charger is 0x56, the battery 0xF4, little endian;
what is longer than a frame travels by J1939's transport. Nothing is asked: the talk begins when the
cable is plugged in. The battery tells pack voltage, current, state of charge, the highest cell with
its group (10 mV steps), the extremes of temperature, what it wants and which alarms stand; cells
one by one (BMV) and probes (BMT) are optional and few send them. Currents count from -400 A and
charging is negative: positive is discharge, unless a bus shows the opposite while it charges.
Identifiers differ in priority between makers: priority is not looked at. The identification (BRM)
holds the vehicle's number, which is personal: it is not decoded.

Source: the standard's message table as restated in public decoders (Shianji/charging_pile,
LeChaEgg/CAN_27930_Decode and others, which agree); checked against one public capture of a session
with a pack of 114 LFP cells: 378.1 V beside a highest cell of 3.32 V, -28.9 A, 77 %, 364.8 V and
152 Ah rated.
"""

import numpy as np

from protocols.alarm_words import flagged
from protocols.bytecheck import judged, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.j1939 import IDENTITY
from protocols.polled import reassemble
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import CELL_V, PROBE_DEGC, letters, little, pack_bindings
from protocols.signals import Database, Message, Signal, Transfer

CELLS = 256
PROBES = 128
_WHY = "GB/T 27930 protocol"
_BATTERY, _CHARGER = 0x56F4, 0xF456
# 0xFF and 0xFFFF are "not available" in J1939.
_NONE_8, _NONE_16 = (0xFF,), (0xFFFF,)
CHEMISTRIES = {
    1: "lead acid",
    2: "NiMH",
    3: "LFP",
    4: "LMO",
    5: "LCO",
    6: "NMC",
    7: "polymer",
    8: "LTO",
    255: "other",
}
_HIGH_LOW = {0: "normal", 1: "high", 2: "low", 3: "not trusted"}
_BAD = {0: "normal", 1: "abnormal", 2: "not trusted", 3: "not trusted"}
_REACHED = {0: "no", 1: "yes", 2: "not trusted", 3: "not trusted"}
STOP_REASONS = ("SOC_Reached", "Pack_Voltage_Reached", "Cell_Voltage_Reached", "Charger_Stopped")
STOP_FAULTS = (
    "Insulation_Fault",
    "Connector_Hot",
    "BMS_Hot",
    "Connector_Fault",
    "Battery_Hot",
    "Relay_Fault",
    "Detection_Point_Fault",
    "Other_Fault",
)
STOP_ERRORS = ("Current_Beyond_Demand", "Voltage_Abnormal")


def _amps(name: str, byte: int) -> Signal:
    return little(name, byte, 16, 0.1, "A", offset=-400.0, invalid=_NONE_16)


def _volts(name: str, byte: int, scale: float = 0.1) -> Signal:
    return little(name, byte, 16, scale, "V", invalid=_NONE_16)


def _degrees(name: str, byte: int) -> Signal:
    return little(name, byte, 8, 1.0, "degC", offset=-50.0, invalid=_NONE_8)


def _twos(byte: int, names: tuple[str, ...], choices: dict[int, str]) -> tuple[Signal, ...]:
    return tuple(Signal(name, 8 * byte + 2 * k, 2, choices=choices) for k, name in enumerate(names))


def _said(group: int, name: str, length: int, *signals: Signal, by: int = _BATTERY) -> Message:
    frame_id = group << 8 & 0x3FF0000 | by
    return Message(name, frame_id, length, signals, extended=True, id_mask=IDENTITY)


_MESSAGES = (
    _said(0x2700, "Vehicle_Handshake", 2, _volts("Voltage_Limit", 0)),
    _said(
        0x1000,
        "Charge_Demand",
        5,
        _volts("Voltage_Wanted", 0),
        _amps("Current_Wanted", 2),
        Signal("Mode", 32, 8, choices={1: "constant voltage", 2: "constant current"}),
    ),
    _said(
        0x1300,
        "Battery_State",
        7,
        little("Cell_Number_Max", 0, 8, offset=1.0, invalid=_NONE_8),
        _degrees("Temperature_Max", 1),
        little("Probe_Number_Max", 2, 8, offset=1.0, invalid=_NONE_8),
        _degrees("Temperature_Min", 3),
        little("Probe_Number_Min", 4, 8, offset=1.0, invalid=_NONE_8),
        *_twos(5, ("Cell_Voltage", "SOC_Alarm"), _HIGH_LOW),
        *(
            Signal(name, 44 + 2 * k, 2, choices=_BAD)
            for k, name in enumerate(("Charge_Overcurrent", "Overtemperature"))
        ),
        *_twos(6, ("Insulation", "Connector"), _BAD),
        Signal("Charging_Permitted", 52, 2, choices={0: "forbidden", 1: "permitted"}),
    ),
    _said(
        0x1900,
        "Battery_Stops",
        4,
        *_twos(0, STOP_REASONS, {0: "no", 1: "reached"}),
        *_twos(1, STOP_FAULTS, _REACHED),
        *_twos(3, STOP_ERRORS, _REACHED),
    ),
    _said(
        0x1C00,
        "Battery_Statistics",
        7,
        little("SOC_At_End", 0, 8, 1.0, "%", invalid=_NONE_8),
        _volts("Cell_Voltage_Lowest", 1, 0.01),
        _volts("Cell_Voltage_Highest", 3, 0.01),
        _degrees("Temperature_Lowest", 5),
        _degrees("Temperature_Highest", 6),
    ),
    _said(
        0x1200,
        "Charger_State",
        8,
        _volts("Output_Voltage", 0),
        _amps("Output_Current", 2),
        little("Minutes", 4, 16, 1.0, "min", invalid=_NONE_16),
        by=_CHARGER,
    ),
    _said(
        0x0800,
        "Charger_Ability",
        8,
        _volts("Most_Voltage", 0),
        _volts("Least_Voltage", 2),
        _amps("Most_Current", 4),
        _amps("Least_Current", 6),
        by=_CHARGER,
    ),
)


def _packed(group: int, name: str, length: int, *signals: Signal) -> Transfer:
    return Transfer(_said(group, name, length, *signals), b"", transport="j1939")


_TRANSFERS = (
    _packed(
        0x0200,
        "Identification",
        41,
        Signal("Battery_Type", 24, 8, choices=CHEMISTRIES),
        little("Rated_Capacity", 4, 16, 0.1, "Ah", invalid=_NONE_16),
        _volts("Rated_Voltage", 6),
        *letters("Maker", 8, 4),
        little("Pack_Number", 12, 32, invalid=(0xFFFFFFFF, 0)),
        little("Made_Year", 16, 8, 1.0, "a", offset=1985.0, invalid=_NONE_8),
        little("Made_Month", 17, 8, invalid=_NONE_8),
        little("Made_Day", 18, 8, invalid=_NONE_8),
        little("Charges", 19, 24, invalid=(0xFFFFFF,)),
    ),
    _packed(
        0x0600,
        "Charge_Parameters",
        13,
        _volts("Cell_Voltage_Limit", 0, 0.01),
        _amps("Charge_Current_Limit", 2),
        little("Rated_Energy", 4, 16, 0.1, "kWh", invalid=_NONE_16),
        _volts("Charge_Voltage_Limit", 6),
        _degrees("Temperature_Limit", 8),
        little("SOC", 9, 16, 0.1, "%", invalid=_NONE_16),
        _volts("Pack_Voltage", 11),
    ),
    _packed(
        0x1100,
        "Charge_State",
        9,
        _volts("Pack_Voltage", 0),
        _amps("Pack_Current", 2),
        little("Cell_Voltage_Max", 4, 12, 0.01, "V", invalid=(0xFFF,)),
        Signal("Cell_Group_Max", 44, 4),
        little("SOC", 6, 8, 1.0, "%", invalid=_NONE_8),
        little("Minutes_Left", 7, 16, 1.0, "min", invalid=_NONE_16),
    ),
    _packed(
        0x1500,
        "Cell_Voltages",
        2 * CELLS,
        *(
            little(f"Cell_{k + 1:03d}_Voltage", 2 * k, 12, 0.01, "V", invalid=(0xFFF,))
            for k in range(CELLS)
        ),
    ),
    _packed(
        0x1600, "Temperatures", PROBES, *(_degrees(f"Probe_{k + 1}", k) for k in range(PROBES))
    ),
)

_PACK = (
    ("Charge_State", "Pack_Voltage", "voltage", 1.0),
    ("Charge_State", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Charge_State", "SOC", "soc", 0.01),
    ("Battery_State", "Temperature_Max", "temperature_max", 1.0),
    ("Battery_State", "Temperature_Min", "temperature_min", 1.0),
    ("Charge_Demand", "Voltage_Wanted", "charge_voltage_limit", 1.0),
    ("Identification", "Rated_Capacity", "full_ah", 1.0),
)


def _mapping(sign: float = 1.0, notes: tuple[str, ...] = ()) -> Mapping:
    bindings: list[Binding] = pack_bindings(
        _WHY,
        (
            *_PACK,
            ("Charge_State", "Pack_Current", "current", sign),
            ("Charge_Demand", "Current_Wanted", "charge_current_limit", -sign),
        ),
    )
    for k in range(CELLS):
        signal = f"Cell_{k + 1:03d}_Voltage"
        role = Role("cell", k + 1)
        bindings.append(Binding("Cell_Voltages", signal, role, valid=CELL_V, why=_WHY))
    for k in range(PROBES):
        role = Role("probe", k + 1)
        bindings.append(Binding("Temperatures", f"Probe_{k + 1}", role, valid=PROBE_DEGC, why=_WHY))
    word_for = "+discharge" if sign > 0 else "+charge"
    alarms = flagged(_MESSAGES, ("Battery_State", "Battery_Stops"))
    return Mapping("gbt27930", tuple(bindings), sign=word_for, notes=notes, alarms=alarms)


DATABASE = Database("gbt27930", _MESSAGES, transfers=_TRANSFERS)


def _states(frames: Frames) -> np.ndarray:
    """Whole messages of the charging state (N, 9), in order of arrival."""
    pdus = reassemble(frames, [t for t in _TRANSFERS if t.message.name == "Charge_State"])
    return pdus.data[pdus.length == 9, :9].astype(np.int64)


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """The sign of the current: in this talk a clear current is always charging."""
    states = _states(frames)
    amps = word(states, 2, little=True) * 0.1 - 400.0
    clear = amps[(np.abs(amps) > 2.0) & (amps < 6000.0)]
    if not len(clear) or np.median(clear) < 0:
        return None
    note = "current counts up while charging, as seen"
    return DATABASE, _mapping(-1.0, (note,))


def verify(frames: Frames) -> Evidence:
    """Whether temperatures and wishes of the battery can be true, and its voltage the charger's."""
    wishes = payloads(frames, 0x1056F4, extended=True, mask=IDENTITY, length=5)
    states = payloads(frames, 0x1356F4, extended=True, mask=IDENTITY, length=7)
    if not len(wishes) or not len(states):
        return Evidence(0.0, "neither a wish nor a state of a charging battery")
    volts = word(wishes, 0, little=True) * 0.1
    right = int(np.sum((volts > 20.0) & (volts <= 1000.0) & (np.isin(wishes[:, 4], (1, 2)))))
    hot, cold = states[:, 1], states[:, 3]
    right += int(np.sum((hot >= cold) & (hot <= 150)))
    checked = len(wishes) + len(states)
    measured = word(_states(frames), 0, little=True) * 0.1
    if len(measured):
        most = 1.1 * float(np.median(volts))
        right += int(np.sum((measured > 0.3 * most) & (measured < most)))
        checked += len(measured)
    return judged(right, checked, "wishes and states of a charging battery")


def serial(frames: Frames) -> str | None:
    """Maker and pack number of the identification; None where it was not heard or is empty."""
    pdus = reassemble(frames, [t for t in _TRANSFERS if t.message.name == "Identification"])
    for k in range(len(pdus) - 1, -1, -1):
        data = pdus.payload(k)
        number = int.from_bytes(data[12:16], "little")
        maker = data[8:12].decode("ascii", "ignore").strip("\0 ")
        if len(data) >= 41 and number not in (0, 0xFFFFFFFF):
            return f"{maker} {number}".strip() if maker.isprintable() else str(number)
    return None


def identity(frames: Frames) -> dict[str, str]:
    """Maker, chemistry and date of the identification; not the vehicle's number beside them."""
    pdus = reassemble(frames, [t for t in _TRANSFERS if t.message.name == "Identification"])
    if not len(pdus) or pdus.length[-1] < 20:
        return {}
    data = pdus.payload(len(pdus) - 1)
    maker = data[8:12].decode("ascii", "ignore").strip("\0 ")
    year, month, day = 1985 + data[16], data[17], data[18]
    there = year > 1985 and 1 <= month <= 12 and 1 <= day <= 31
    return {
        "maker": maker if maker.isprintable() else "",
        "chemistry": CHEMISTRIES.get(data[3], ""),
        "date of manufacture": f"{year}-{month:02d}-{day:02d}" if there else "",
    }


# From the public capture; the identification without the vehicle's number.
_EXAMPLES = (
    Example(
        0x181056F4,
        True,
        bytes.fromhex("a510760e02"),
        {"pack.charge_voltage_limit": 426.1, "pack.charge_current_limit": 29.8},
    ),
    Example(
        0x181356F4,
        True,
        bytes.fromhex("1e3606350f0010"),
        {"pack.temperature_max": 4.0, "pack.temperature_min": 3.0},
    ),
    Example(
        0x1C1156F4,
        True,
        bytes.fromhex("e70e7f0e4f614d0000"),
        {
            "pack.voltage": 381.5,
            "pack.current": -28.9,
            "pack.cell_voltage_max": 3.35,
            "pack.soc": 0.77,
        },
        j1939=True,
    ),
    Example(
        0x1C0256F4,
        True,
        bytes.fromhex("01010003f005400e01000000010000000b0895000001ff") + bytes(26),
        {"pack.full_ah": 152.0},
        j1939=True,
    ),
    # no public capture has cells one by one: 3.32 V, 3.31 V (group 1), not measured, 3.30 V
    Example(
        0x1C1556F4,
        True,
        bytes.fromhex("4c01 4b11 ff0f 4a01 4c01"),
        {
            "cell.1.voltage": 3.32,
            "cell.2.voltage": 3.31,
            "cell.4.voltage": 3.30,
            "cell.5.voltage": 3.32,
        },
        j1939=True,
    ),
    Example(
        0x1C1656F4,
        True,
        bytes.fromhex("36 35 ff 37 35 36 36 36 36"),
        {
            f"probe.{n}": float(t)
            for n, t in ((1, 4), (2, 3), (4, 5), (5, 3), *((k, 4) for k in range(6, 10)))
        },
        j1939=True,
    ),
)

PROTOCOL = Protocol(
    name="gbt27930",
    identity=identity,
    title="GB/T 27930 (DC charging in China)",
    database=DATABASE,
    mapping=_mapping(),
    bitrates=(250_000,),
    source_confidence=(
        "The standard's table in several public decoders that agree, checked against one public "
        "capture; cells one by one and probes were in no capture."
    ),
    required=("Charge_Demand", "Battery_State"),
    examples=_EXAMPLES,
    verify=verify,
    serial=serial,
    specialise=specialise,
)
