"""Pack voltage, current, state of charge, limits: the scalar roles, found by name, unit and range.

A rule says which concepts a name must have and must not have; the score says how well it fits, so
that rivals can be ordered. No frame is looked at here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocols.names import Name, message_words, take_apart
from protocols.plausibility import (
    CELL_V,
    PROBE_DEGC,
    cell_factor,
    ones_excluded,
    physical_range,
    ratio_factor,
    temperature_change,
    unit_of,
)
from protocols.roles import Binding, Role
from protocols.signals import Database, Message, Signal

LOWEST_SCORE = 1.0
_MOST_OF_A_CELL = 6.6


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALWAYS_OUT = _words(
    "fault flag warning checksum machine history time threshold command avg delta id twelve "
    "resistance balancing state cycle count open raw"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One way to name a field: `need` holds alternatives, one word of each must be there."""

    field: str
    quantity: str
    need: tuple[frozenset[str], ...]
    out: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    bonus: float = 0.0


_EXTREME = _words("max min")
_DIRECTION = _words("charge discharge")
_LIMIT = _words("limit max")

_RULES = (
    _Rule("voltage", "voltage", (_words("voltage"),), _words(
        "cell module max min limit charge discharge open energy power soc soh remaining full")),
    _Rule("voltage", "voltage", (_words("hv"), _words("pack")), _words(
        "cell module max min limit charge discharge current temperature thermistor soc soh power "
        "energy capacity remaining full string"), bonus=-0.3),
    _Rule("current", "current", (_words("current"),), _words(
        "cell module max min limit ccl dcl charge discharge power energy voltage temperature")),
    _Rule("soc", "ratio", (_words("soc"),), _words(
        "cell max min limit voltage current energy power charge discharge module")),
    _Rule("soh", "ratio", (_words("soh"),), _words("cell max min limit module")),
    _Rule("charge_current_limit", "current", (_words("ccl"),)),
    _Rule("charge_current_limit", "current", (_words("charge"), _words("current"), _LIMIT),
          _words("discharge cell min power")),
    _Rule("discharge_current_limit", "current", (_words("dcl"),)),
    _Rule("discharge_current_limit", "current", (_words("discharge"), _words("current"), _LIMIT),
          _words("charge cell min power")),
    _Rule("charge_voltage_limit", "voltage", (_words("cvl"),)),
    _Rule("charge_voltage_limit", "voltage", (_words("charge"), _words("voltage"), _LIMIT),
          _words("discharge cell min module")),
    _Rule("charge_voltage_limit", "voltage", (_words("max"), _words("pack"), _words("voltage")),
          _words("discharge cell min module")),
    _Rule("discharge_voltage_limit", "voltage", (
        _words("discharge"), _words("voltage"), _words("limit min")), _words("charge cell module")),
    _Rule("discharge_voltage_limit", "voltage", (
        _words("min"), _words("pack"), _words("voltage")), _words("charge cell max module")),
    _Rule("cell_voltage_min", "cell", (_words("min"), _words("cell"), _words("voltage")),
          _words("max limit charge discharge soc module")),
    _Rule("cell_voltage_max", "cell", (_words("max"), _words("cell"), _words("voltage")),
          _words("min limit charge discharge soc module")),
    _Rule("cell_voltage_min", "extreme", (_words("min"), _words("voltage"), _words("bms pack")),
          _words("max limit charge discharge soc module total")),
    _Rule("cell_voltage_max", "extreme", (_words("max"), _words("voltage"), _words("bms pack")),
          _words("min limit charge discharge soc module total")),
    _Rule("temperature_min", "temperature", (_words("min"), _words("temperature")),
          _words("max limit charge discharge voltage")),
    _Rule("temperature_max", "temperature", (_words("max"), _words("temperature")),
          _words("min limit charge discharge voltage")),
    _Rule("remaining_ah", "charge", (_words("remaining"), _words("capacity charge")),
          _words("full max min cell discharge energy")),
    _Rule("full_ah", "charge", (_words("full"), _words("capacity charge")),
          _words("remaining min cell discharge energy")),
    _Rule("full_ah", "charge", (_words("total"), _words("capacity")),
          _words("remaining min cell charge discharge energy")),
    _Rule("cycles", "number", (_words("cycle"),), _words("power current voltage charge discharge"),
          _words("cycle count id")),
    _Rule("charging", "flag", (_words("charge"),), _words(
        "limit current voltage full max min request discharge fault energy power cell capacity "
        "remaining"), _words("state flag")),
    _Rule("cell_count", "number", (_words("cell"), _words("count")),
          _words("max min voltage temperature module"), _words("count id")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible source of a scalar field."""

    field: str
    binding: Binding
    score: float
    step: float  # canonical resolution: finer is better among equals


def pack_candidates(databases: Sequence[Database]) -> dict[Role, list[Candidate]]:
    """Possible sources of every scalar role, the best by name first."""
    found: dict[Role, list[Candidate]] = {}
    for database in databases:
        for message in database.all_messages:
            context = message_words(message)
            charger = _talks_to_charger(message)
            for signal in message.signals:
                for candidate in _candidates(message, context, signal, charger):
                    found.setdefault(candidate.binding.role, []).append(candidate)
    for role in list(found):
        found[role] = _one_per_signal(found[role])
        if _only_counted(role, found[role]):
            del found[role]
    counts = Role("pack", field="cell_count")
    if len(found.get(counts, ())) > 3:
        del found[counts]  # one per module: none of them counts the pack
    return found


def _only_counted(role: Role, listed: list[Candidate]) -> bool:
    """Whether nothing but a number tells rivals apart ("Voltage1", "Voltage2"), of which none says
    that it is the pack's."""
    if role.field != "voltage" or len(listed) < 2:
        return False
    names = [take_apart(candidate.binding.signal) for candidate in listed]
    first = names[0]
    alike = all(name.words == first.words and name.numbers for name in names)
    return alike and not first.has("pack", "bms", "hv", "total")


def _one_per_signal(listed: list[Candidate]) -> list[Candidate]:
    best: dict[tuple[str, str], Candidate] = {}
    repeated = Counter(candidate.binding.signal for candidate in listed)
    for candidate in listed:
        if repeated[candidate.binding.signal] > 3:  # one per module
            candidate = replace(candidate, score=candidate.score - 0.6)
        key = (candidate.binding.message, candidate.binding.signal)
        if key not in best or candidate.score > best[key].score:
            best[key] = candidate
    return sorted(best.values(), key=lambda c: (-c.score, c.step))


def _talks_to_charger(message: Message) -> bool:
    """A command to a charger repeats limits of the pack in the charger's own scaling."""
    return any("charger" in signal.name.lower() for signal in message.signals) or (
        "charger" in message.name.lower()
    )


def _candidates(message: Message, context: Name, signal: Signal, charger: bool) -> list[Candidate]:
    name = take_apart(signal.name)
    if name.twelve_volt or signal.is_selector or context.twelve_volt or context.has("twelve"):
        return []
    found = []
    for rule in _RULES:
        score = _fits(rule, name, context, signal)
        if score is None or (rule.field == "charging" and "charging" not in signal.name.lower()):
            continue
        change = _change(rule, signal)
        if change is None:
            continue
        score += _unit_score(rule, signal) + rule.bonus
        if charger and rule.field not in ("voltage", "current", "soc", "soh"):
            score -= 0.6
        if rule.field == "current" and (signal.signed or signal.offset < 0):
            score += 0.2
        if score >= LOWEST_SCORE:
            found.append(_candidate(rule, message, signal, change, score, name.pack))
    return found


def _fits(rule: _Rule, name: Name, context: Name, signal: Signal) -> float | None:
    """Score of the name alone; None if a needed word is missing or a forbidden one there."""
    words = set(name.words) | _of_unit(name, signal)
    if words & ((_ALWAYS_OUT | rule.out) - rule.allow):
        return None
    if context.has("machine", "history") and not name.has("pack", "bms"):
        return None
    if rule.field == "charging" and len(name.unknown) > 1:
        return None
    lent = words | (set(context.words) & _words("cell"))
    if context.limits:
        lent.add("limit")
    if rule.field in ("voltage", "current") and "limit" in lent:
        return None  # "Charge_Current" in a message of limits
    if rule.field not in ("cell_voltage_min", "cell_voltage_max"):
        lent.discard("cell") if "cell" not in words else None
    for alternatives in rule.need:
        if not alternatives & lent:
            return None
    score = 1.0 - 0.15 * len(name.unknown) - 0.1 * max(len(name.numbers) - 1, 0)
    about = ("pack", "bms", "hv", "total")
    if name.has(*about):
        score += 0.7 if name.has("bms") and name.has("pack") else 0.5
    elif context.has(*about):
        score += 0.3
    elif rule.quantity in ("voltage", "current", "temperature"):
        score -= 0.3
    if name.has("module", "string"):
        score -= 0.4
    if name.has("display"):
        score -= 0.2
    if name.numbers and name.numbers[-1] > 1 and rule.field in ("voltage", "current"):
        score -= 0.1
    return score


def _of_unit(name: Name, signal: Signal) -> set[str]:
    """ "Result_I" in amperes is a current, though a letter alone says little."""
    quantity = unit_of(signal.unit).quantity
    return {quantity} if (quantity, True) in (("current", "i" in name.words),) else set()


def _unit_score(rule: _Rule, signal: Signal) -> float:
    quantity = unit_of(signal.unit).quantity
    wanted = {"cell": "voltage", "extreme": "voltage"}.get(rule.quantity, rule.quantity)
    return 0.4 if quantity == wanted else 0.0


def _change(rule: _Rule, signal: Signal) -> tuple[float, float] | None:
    """Factor and shift to the canonical unit; None if unit or range cannot be the quantity."""
    unit = unit_of(signal.unit)
    if rule.quantity == "ratio":
        factor = ratio_factor(signal)
        return None if factor is None else (factor, 0.0)
    if rule.quantity == "cell":
        factor = cell_factor(signal)
        return None if factor is None else (factor, 0.0)
    if rule.quantity == "extreme":  # of cells, because no pack fits into its bits
        factor = cell_factor(signal)
        least = 1.0 if factor is None else physical_range(signal)[1] * factor
        return (factor, 0.0) if factor is not None and least <= _MOST_OF_A_CELL else None
    if rule.quantity == "temperature":
        return temperature_change(signal)
    if rule.quantity == "flag":
        return (1.0, 0.0) if signal.length == 1 and not signal.mux else None
    if rule.quantity == "number":
        whole = unit.quantity in ("", "other") and signal.length >= 4 and not signal.is_float
        return (1.0, 0.0) if whole and signal.scale == 1.0 else None
    if unit.quantity not in (rule.quantity, "") or (signal.length < 7 and not signal.is_float):
        return None
    if rule.quantity == "voltage":
        low, high = physical_range(signal)
        if high * unit.factor < 10.0 or low * unit.factor > 60.0:
            return None
    return unit.factor, unit.shift


def _candidate(
    rule: _Rule,
    message: Message,
    signal: Signal,
    change: tuple[float, float],
    score: float,
    pack: int,
) -> Candidate:
    factor, shift = change
    unit = signal.unit.strip()
    why = f"name says {rule.field.replace('_', ' ')}, {f'unit {unit}' if unit else 'no unit given'}"
    binding = Binding(
        message.name,
        signal.name,
        Role("pack", field=rule.field, pack=pack),
        factor,
        shift,
        _valid(rule, signal, change),
        why=why,
    )
    return Candidate(rule.field, binding, score, abs(signal.scale * factor))


def _valid(rule: _Rule, signal: Signal, change: tuple[float, float]) -> tuple[float, float]:
    ranges = {
        "ratio": (-0.001, 1.1),
        "cell": CELL_V,
        "extreme": CELL_V,
        "temperature": PROBE_DEGC,
        "voltage": (0.0, 2000.0),
        "current": (-5000.0, 5000.0),
        "charge": (0.0, 10_000.0),
    }
    if rule.quantity not in ranges:
        return float("-inf"), float("inf")
    return ones_excluded(signal, change[0], change[1], ranges[rule.quantity])


def with_reason(candidate: Candidate, reason: str) -> Binding:
    """The binding with a further reason for people."""
    return replace(candidate.binding, why=f"{candidate.binding.why}; {reason}")
