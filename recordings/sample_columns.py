"""What the columns of a table of samples are, by their names and units, as with signals.

Names are taken apart by `protocols.names`; here are only the habits of tables: `V_1`, `T_1`, bare
`Voltage`, Chinese headers, units in brackets. Values are not looked at; `sample_scale` does that.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.names import Name, take_apart
from protocols.plausibility import Unit, unit_of
from protocols.roles import Role

_CHINESE = (
    ("单体电池", "cell "),
    ("电池单体", "cell "),
    ("单体", "cell "),
    ("电芯", "cell "),
    ("总电压", "pack voltage "),
    ("总电流", "pack current "),
    ("电压", " voltage "),
    ("电流", " current "),
    ("探针", " probe "),
    ("温度", " temperature "),
    ("最高", " max "),
    ("最低", " min "),
    ("最大", " max "),
    ("最小", " min "),
    ("平均", " avg "),
    ("累计里程", " odometer "),
    ("里程", " odometer "),
    ("车速", " speed "),
    ("经度", " longitude "),
    ("纬度", " latitude "),
    ("采集时间", " time "),
    ("时间", " time "),
    ("日期", " date "),
    ("报警", " warning "),
    ("告警", " warning "),
    ("故障", " fault "),
    ("值", " "),
    ("号", " "),
)
_BRACKETS = re.compile(r"[\[(（{<]\s*([^\])）}>]*)\s*[\])）}>]")
_BEHIND = re.compile(
    r"(?:[\s_/]|\bin\s)(mV|V|mA|A|°C|degC|deg_C|C|K|°F|degF|%|pct|percent|Ah|mAh|km/h|kmh|mph|km|mi"
    r"|ms|us|µs|s|sec|min|h)$"
)
_AUXILIARY = re.compile(r"^aux(?:iliary)?[\s_-]*(?=temp|t\d)", re.I)
"""A cycler's word for its extra inputs; in a vehicle it is the 12 V supply."""
_LOCATION = {
    "latitude": ("latitude", "lat", "gpslat"),
    "longitude": ("longitude", "lon", "long", "lng", "gpslon", "gpslng"),
    "odometer": ("odometer", "odo", "mileage", "milage", "odometre", "kilometerstand"),
    "speed": ("speed", "vehspeed", "velocity", "geschwindigkeit"),
    "satellites": ("satellites", "sats", "numsats"),
    "fix": ("fix", "gpsfix"),
}
_KM = {"mi": 1.609344, "miles": 1.609344, "m": 0.001, "": 1.0, "km": 1.0}
_KMH = {"mph": 1.609344, "mi/h": 1.609344, "m/s": 3.6, "": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_CELL = _words(
    "max min avg delta limit threshold fault flag warning balancing resistance open "
    "current soc soh capacity power energy total remaining charge discharge temperature "
    "thermistor probe state count cycle twelve machine history command loop step id time"
)
_NO_PROBE = _words(
    "max min avg delta limit threshold fault flag warning voltage current resistance soc "
    "soh power energy capacity machine history command count time twelve id state"
)
_NO_PACK = _words("limit threshold command history machine twelve delta count id open flag display")
_TIMES = _words(
    "time timer ts date datetime timestamp zeit datum zeitstempel clock heure uhrzeit epoch "
    "seconds elapsed"
)
_TIME_UNITS = _words("s sec ms us µs min h")
_LESS_TIMES = _words("step cycle loop idle charge discharge remaining total history seconds")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its place from 0, header, unit's text, and the role it has."""

    place: int
    header: str
    unit: str
    role: Role
    factor: float = 1.0
    shift: float = 0.0
    has_unit: bool = False


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """A column that may be time."""

    place: int
    header: str
    unit: str


@dataclass(frozen=True, slots=True)
class Plan:
    """times: candidates, the best first. unused: headers without a meaning. notes: decisions."""

    times: tuple[TimeColumn, ...]
    columns: tuple[Column, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    place: int
    text: str
    unit: str
    name: Name
    plain: str

    @property
    def meaning(self) -> Unit:
        return unit_of(self.unit)


def plan(headers: Sequence[str], units: Sequence[str] = ()) -> Plan:
    """The roles of a table's columns. units: of a line of units below the headers, or empty."""
    given = [*units, *([""] * (len(headers) - len(units)))]
    parsed = [_header(k, text, given[k]) for k, text in enumerate(headers) if text.strip()]
    times = _times(parsed)
    taken = {time.place for time in times}
    rest = [h for h in parsed if h.place not in taken]
    columns: list[Column] = []
    notes: list[str] = []
    for kind in ("balancing", "cell", "probe"):
        found = _numbered(kind, [h for h in rest if _may_be(kind, h)], notes)
        columns += found
        used = {column.place for column in found}
        rest = [h for h in rest if h.place not in used]
    if not any(column.role.kind == "probe" for column in columns):
        columns += _only_probe(rest)
    if not any(column.role.kind == "cell" for column in columns):
        columns += _only_cell(rest)
    columns += _single(rest)
    used = {column.place for column in columns} | taken
    unused = tuple(h.text for h in parsed if h.place not in used)
    return Plan(tuple(times), tuple(columns), unused, tuple(notes))


def _header(place: int, text: str, unit: str) -> _Header:
    plain = text.strip()
    for chinese, english in _CHINESE:
        plain = plain.replace(chinese, english)
    if not unit and (match := _BRACKETS.search(plain)):
        unit, plain = match[1], plain[: match.start()] + " " + plain[match.end() :]
    elif not unit and (match := _BEHIND.search(plain)) and not plain[: match.start()].isdigit():
        unit, plain = match[1], plain[: match.start()]
    plain = _AUXILIARY.sub("", plain.replace("#", " ").strip())
    letters = re.sub(r"[^a-z]", "", plain.lower())
    return _Header(place, text.strip(), unit.strip(), take_apart(plain), letters)


def _times(headers: Sequence[_Header]) -> list[TimeColumn]:
    """Columns that may be time, the best first: full dates before counters, whole before parts."""
    ranked = []
    for header in headers:
        words = set(re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", header.text).lower()))
        words |= {word for word in _TIMES if header.plain.endswith(word)}
        seconds = header.plain == "t" and header.unit.lower() in _TIME_UNITS
        if header.text.lower() == "t" or seconds:
            words = {"time"}
        if not words & _TIMES or header.name.has("voltage", "current", "temperature", "soc"):
            continue
        score = 2 * bool(words & {"datetime", "timestamp", "real", "date", "utc"})
        score += 1 - 3 * bool(set(header.name.words) & {"step", "idle"})
        score -= bool(words & _LESS_TIMES)
        ranked.append((-score, header.place, TimeColumn(header.place, header.text, header.unit)))
    found = [column for _, _, column in sorted(ranked, key=lambda entry: entry[:2])]
    # Beside another time a T is a temperature.
    return [column for column in found if column.header != "T"] or found


# --- cells, probes, balancing -------------------------------------------------------------------


def _may_be(kind: str, header: _Header) -> bool:
    name, quantity = header.name, header.meaning.quantity
    numbered = bool(name.numbers)
    words = set(name.words)
    if not numbered or name.twelve_volt:
        return False
    if kind == "balancing":
        return "balancing" in words and not words & {"voltage", "current", "temperature", "state"}
    if kind == "cell":
        if words & _NO_CELL or quantity not in ("", "voltage"):
            return False
        short = words <= {"v", "u", "c", "vc", "uc", "m"} and bool(words & {"v", "u", "c", "vc"})
        return "cell" in words or short or ("voltage" in words and "pack" not in words)
    if words & _NO_PROBE or quantity not in ("", "temperature"):
        return False
    short = words <= {"t", "tc", "m"} and bool(words & {"t", "tc"})
    return short or bool(words & {"temperature", "thermistor"}) or words == {"probe"}


def _numbered(kind: str, headers: Sequence[_Header], notes: list[str]) -> list[Column]:
    """The largest family of headers that differ by their numbers."""
    groups: dict[tuple[str, ...], list[_Header]] = defaultdict(list)
    for header in headers:
        groups[_words_without_places(header)].append(header)
    ranked = sorted(groups.values(), key=lambda group: (-_weight(kind, group), group[0].place))
    if not ranked:
        return []
    best = ranked[0]
    if kind == "cell" and len(best) < 2 and not best[0].name.has("cell"):
        return []
    others = [group for group in ranked[1:] if len(group) > 1]
    if others:
        noun = {"cell": "cells", "probe": "probes", "balancing": "balancing flags"}[kind]
        notes.append(f"{noun} from {best[0].text} …; {others[0][0].text} … could be another source")
    keys = [_key(header) for header in best]
    if len(set(keys)) < len(keys):
        return []
    return [
        Column(
            header.place,
            header.text,
            header.unit,
            Role(kind, number),
            header.meaning.factor,
            header.meaning.shift,
            bool(header.meaning.quantity),
        )
        for header, number in zip(best, _numbers_from_1(keys), strict=True)
    ]


def _weight(kind: str, group: Sequence[_Header]) -> float:
    named = {"cell": "cell", "probe": "probe", "balancing": "balancing"}[kind]
    return len(group) + 0.5 * group[0].name.has(named) + 0.2 * bool(group[0].meaning.quantity)


def _words_without_places(header: _Header) -> tuple[str, ...]:
    return tuple(word for word in header.name.words if len(word) > 1 or word in "vutci")


def _key(header: _Header) -> tuple[tuple[str, int], ...]:
    """Letters and numbers that count, as written: `Cell Voltage A12` -> (("A", 12),)."""
    found = re.findall(r"(?<![A-Za-z])([A-Za-z]?)[\s_.-]?(\d+)", header.text)
    if not found or [int(n) for _, n in found] != list(header.name.numbers):
        return tuple(("", number) for number in header.name.numbers)
    return tuple((letter.upper(), int(number)) for letter, number in found)


def _numbers_from_1(keys: Sequence[tuple[tuple[str, int], ...]]) -> list[int]:
    """Numbers of cells: those written where they are single and count from 0 or 1 with few holes,
    else ranks in order."""
    letters = {tuple(letter for letter, _ in key) for key in keys}
    if len(letters) == 1 and all(len(key) == 1 for key in keys):
        written = [key[0][1] for key in keys]
        low, high = min(written), max(written)
        if low in (0, 1) and high - low < 2 * len(written) + 8:
            return [number - low + 1 for number in written]
    order = {key: rank for rank, key in enumerate(sorted(keys), 1)}
    return [order[key] for key in keys]


def _only_probe(headers: Sequence[_Header]) -> list[Column]:
    """One temperature without a number, as cyclers write it, if there is no other."""
    named = ({"temperature"}, {"cell", "temperature"}, {"t"})
    return _only("temperature", named, Role("probe", 1), headers)


def _only_cell(headers: Sequence[_Header]) -> list[Column]:
    """One cell's voltage without a number, if no other column is one: a cell on a cycler. Its
    current is then that of the pack."""
    found = _only("voltage", ({"cell", "voltage"},), Role("cell", 1), headers)
    if not found:
        return []
    return found + _only("current", ({"cell", "current"},), Role("pack", field="current"), headers)


def _only(
    quantity: str, named: Sequence[set[str]], role: Role, headers: Sequence[_Header]
) -> list[Column]:
    """The column of this quantity whose words are one of `named`, if there is just one."""
    found = [h for h in headers if set(h.name.words) in named and not h.name.numbers]
    found = [h for h in found if h.meaning.quantity in ("", quantity) and not h.name.unknown]
    return [_column(found[0], role)] if len(found) == 1 else []


# --- single quantities ------------------------------------------------------------------------


def _single(headers: Sequence[_Header]) -> list[Column]:
    """Pack and location fields: the best column of each."""
    best: dict[Role, tuple[float, Column]] = {}
    for header in headers:
        for column, score in _candidates(header):
            if column.role not in best or score > best[column.role][0]:
                best[column.role] = score, column
    return [column for _, column in sorted(best.values(), key=lambda entry: entry[1].place)]


def _candidates(header: _Header) -> list[tuple[Column, float]]:
    field = _location_field(header)
    if field:
        unit = header.unit.lower().replace(" ", "")
        table = {"odometer": _KM, "speed": _KMH}.get(field, {})
        return [(_column(header, Role("location", field=field), table.get(unit, 1.0)), 1.0)]
    name = _pack_field(header)
    if not name or header.name.numbers not in ((), (1,)):
        return []
    score = 1.0 - 0.2 * len(header.name.unknown)
    score += 0.5 * header.name.has("pack", "bms", "hv", "total")
    score += 0.3 * bool(header.meaning.quantity)
    return [(_column(header, Role("pack", field=name)), score)]


def _column(header: _Header, role: Role, factor: float | None = None) -> Column:
    meaning = header.meaning
    return Column(
        header.place,
        header.text,
        header.unit,
        role,
        meaning.factor if factor is None else factor,
        meaning.shift if factor is None else 0.0,
        meaning.quantity not in ("", "other"),
    )


def _location_field(header: _Header) -> str:
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", header.text).lower())
    words += [*header.name.words, header.plain]
    for field, names in _LOCATION.items():
        if set(names) & set(words) and not header.name.has("max", "min", "avg", "machine"):
            return field
    return ""


def _pack_field(header: _Header) -> str:
    """The name of the pack field that a header means, or ""."""
    name, quantity = header.name, header.meaning.quantity
    words = set(name.words)
    extreme = "max" if "max" in words else "min" if "min" in words else ""
    if words & {"warning", "fault"} and not words & _NO_PACK - {"flag", "display"}:
        return "fault"
    if words & _NO_PACK or words & {"power", "energy", "resistance", "balancing", "avg"}:
        return ""
    if "soh" in words or "soc" in words:
        return "" if extreme or "cell" in words else "soh" if "soh" in words else "soc"
    if "temperature" in words or "thermistor" in words or quantity == "temperature":
        return f"temperature_{extreme}" if extreme else ""
    if "voltage" in words or quantity == "voltage" or words in ({"v"}, {"u"}):
        if "cell" in words:
            return f"cell_voltage_{extreme}" if extreme else ""
        return "" if extreme or words & {"charge", "discharge", "module", "string"} else "voltage"
    if (
        ("current" in words and "time" not in words)
        or quantity == "current"
        or words in ({"i"}, {"i", "a"})
    ):
        return "" if extreme or words & {"cell", "module", "string", "charge"} else "current"
    if "capacity" in words and words & {"remaining", "full"}:
        return "remaining_ah" if "remaining" in words else "full_ah"
    if "cycle" in words and words & {"bms", "pack"}:
        return "cycles"
    return ""
