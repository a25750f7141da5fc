"""Roles: what a signal is in a pack, in words that every pack shares ("cell.12.voltage").

The vocabulary of mappings, profiles and recordings. A role has a canonical unit; a binding brings a
signal to it. Numbers start at 1.
"""

import re
from dataclasses import dataclass

KINDS = ("cell", "probe", "balancing", "pack", "location")


@dataclass(frozen=True, slots=True)
class Field:
    """A scalar channel: its name in files and roles, canonical unit, and words for people."""

    name: str
    unit: str
    long_name: str


PACK_FIELDS = (
    Field("voltage", "V", "Pack voltage"),
    Field("current", "A", "Pack current, + = discharge"),
    Field("soc", "1", "State of charge reported by the BMS"),
    Field("soh", "1", "State of health reported by the BMS"),
    Field("charge_current_limit", "A", "Charge current allowed by the BMS"),
    Field("discharge_current_limit", "A", "Discharge current allowed by the BMS"),
    Field("charge_voltage_limit", "V", "Charge voltage allowed by the BMS"),
    Field("discharge_voltage_limit", "V", "Discharge voltage limit of the BMS"),
    Field("cell_voltage_min", "V", "Lowest cell voltage reported by the BMS"),
    Field("cell_voltage_max", "V", "Highest cell voltage reported by the BMS"),
    Field("temperature_min", "degC", "Lowest temperature reported by the BMS"),
    Field("temperature_max", "degC", "Highest temperature reported by the BMS"),
    Field("remaining_ah", "Ah", "Remaining charge reported by the BMS"),
    Field("full_ah", "Ah", "Full charge capacity reported by the BMS"),
    Field("cycles", "1", "Cycle count reported by the BMS"),
    Field("charging", "1", "Charging flag of the BMS"),
    Field("fault", "1", "Fault word of the BMS, 0 = none"),
    Field("cell_count", "1", "Number of cells reported by the BMS"),
)
LOCATION_FIELDS = (
    Field("latitude", "deg", "Latitude"),
    Field("longitude", "deg", "Longitude"),
    Field("speed", "km/h", "Speed"),
    Field("satellites", "1", "Satellites in view"),
    Field("fix", "1", "Position fix"),
    Field("odometer", "km", "Odometer"),
)
UNITS = {"cell": "V", "probe": "degC", "balancing": "1"}

_PATTERN = re.compile(
    r"(?:pack(?P<pack>[1-9]\d*)\.)?"
    r"(?:(?P<cell>cell)\.(?P<cell_number>\d+)\.voltage"
    r"|(?P<single>probe|balancing)\.(?P<number>\d+)"
    r"|(?P<scalar>pack|location)\.(?P<field>\w+))"
)


@dataclass(frozen=True, slots=True, order=True)
class Role:
    """`kind` one of KINDS; `number` from 1 for cell, probe and balancing; `field` for pack and
    location. Number 0: taken from the payload, see `Binding.index`."""

    kind: str
    number: int = 0
    field: str = ""
    pack: int = 1

    def __str__(self) -> str:
        prefix = "" if self.pack == 1 else f"pack{self.pack}."
        if self.kind in ("pack", "location"):
            return f"{prefix}{self.kind}.{self.field}"
        suffix = ".voltage" if self.kind == "cell" else ""
        return f"{prefix}{self.kind}.{self.number or '*'}{suffix}"

    @property
    def unit(self) -> str:
        """The canonical unit of this role's values."""
        if self.kind in UNITS:
            return UNITS[self.kind]
        return fields(self.kind)[self.column].unit

    @property
    def group(self) -> int:
        """Number of the sample group: five kinds per pack, in the order of KINDS."""
        return (self.pack - 1) * len(KINDS) + KINDS.index(self.kind)

    @property
    def column(self) -> int:
        """Column within the group, from 0 (-1 while the number comes from the payload)."""
        if self.kind in ("pack", "location"):
            return [f.name for f in fields(self.kind)].index(self.field)
        return self.number - 1


def fields(kind: str) -> tuple[Field, ...]:
    """The scalar fields of `pack` or `location`."""
    return PACK_FIELDS if kind == "pack" else LOCATION_FIELDS


def parse_role(text: str) -> Role:
    """The role a profile or a person wrote; ValueError with the remedy if it is none."""
    match = _PATTERN.fullmatch(text.strip())
    if not match:
        raise ValueError(
            f"'{text}' is not a role: write cell.12.voltage, probe.3, balancing.7, pack.current, "
            "location.latitude, or pack2.cell.3.voltage"
        )
    pack = int(match["pack"] or 1)
    if match["cell"]:
        return Role("cell", int(match["cell_number"]), pack=pack)
    if match["single"]:
        return Role(match["single"], int(match["number"]), pack=pack)
    names = [f.name for f in fields(match["scalar"])]
    if match["field"] not in names:
        raise ValueError(f"'{text}': {match['scalar']} has {', '.join(names)}")
    return Role(match["scalar"], field=match["field"], pack=pack)


@dataclass(frozen=True, slots=True)
class Index:
    """Number carried in the payload: number = (raw(signal) - first) * stride + position + 1, and
    (raw(module) - module_first) * module_stride more where a second signal counts modules."""

    signal: str
    first: int = 0
    stride: int = 1
    position: int = 0
    module: str = ""
    module_first: int = 0
    module_stride: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """Signal -> role: canonical value = physical * factor + shift; NaN outside `valid`.

    why: one short phrase for people ("name says cell 12, unit mV"). count_signal: a signal of the
    same message holding how many cells or probes exist; numbers beyond it are dropped. bit: only
    this bit of the signal's raw value, 0 the lowest (-1: all of it); factor and shift then change 0
    or 1. flag: a signal of the same message that vouches for the value; unknown while its raw value
    is not `flag_good`.
    """

    message: str
    signal: str
    role: Role
    factor: float = 1.0
    shift: float = 0.0
    valid: tuple[float, float] = (float("-inf"), float("inf"))
    index: Index | None = None
    count_signal: str = ""
    why: str = ""
    bit: int = -1
    flag: str = ""
    flag_good: int = 1


@dataclass(frozen=True, slots=True)
class Alarm:
    """A signal with which a BMS warns.

    text: what it warns of, in English ("Cell voltage high"). raised: raw values that mean it
    stands, each with a word to be added to the text ("" nothing, "high", "low"). severity:
    "warning" or "alarm"; of a value in `warnings` always "warning". bit: only this bit of the
    signal, 0 the lowest; -1 the whole.
    """

    message: str
    signal: str
    text: str
    raised: tuple[tuple[int, str], ...] = ((1, ""),)
    severity: str = "alarm"
    warnings: tuple[int, ...] = ()
    bit: int = -1
    pack: int = 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a bus means: bindings, how current counts on the wire, and how sure we are.

    sign: "+discharge" or "+charge", the sign on the wire (the binding's factor already turns it).
    confidence 0..1. alarms: what the BMS warns of; plain frames only.
    """

    protocol: str
    bindings: tuple[Binding, ...]
    sign: str = "+discharge"
    confidence: float = 1.0
    runner_up: str = ""
    notes: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
