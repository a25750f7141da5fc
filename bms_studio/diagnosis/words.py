"""The words of findings: for every code its kind, its English sentence and what to do about it.

One table serves detectors (text beside the code), windows and reports (which translate it). Codes
begin with the mechanism they speak of where they speak of one. No numbers are judged here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bms_studio.diagnosis.contract import Finding, Parameters


@dataclass(frozen=True, slots=True)
class Words:
    """kind: a mechanism of `contract.MECHANISMS`, or what else the finding speaks of; action: code
    of what to do; sentence: English, with the finding's parameters."""

    kind: str
    action: str
    sentence: str


CODES: dict[str, Words] = {
    "resistance.high": Words(
        "resistance",
        "action.check_joint",
        "Cell {cell}: resistance {percent:.0f} % above that of its neighbours",
    ),
    "resistance.growing": Words(
        "resistance",
        "action.check_joint",
        "Cell {cell}: resistance has grown by {percent:.0f} % against its neighbours "
        "in {days:.0f} days",
    ),
    "connection.joint": Words(
        "connection",
        "action.tighten_joint",
        "Cell {cell}: {milliohm:.2f} mΩ too much, the same warm or cold, full or empty: a joint",
    ),
    "connection.erratic": Words(
        "connection",
        "action.tighten_joint",
        "Cell {cell}: resistance jumps by {percent:.0f} % from one measurement to the next, "
        "a loose joint",
    ),
    "connection.sense_wire": Words(
        "connection",
        "action.check_sense_wire",
        "Cells {cell} and {other}: resistance {percent:.0f} % off in opposite directions, "
        "the sense wire between them",
    ),
    "capacity.low": Words(
        "capacity",
        "action.full_charge_again",
        "Cell {cell}: capacity {percent:.1f} % below that of its neighbours",
    ),
    "capacity.shrinking": Words(
        "capacity",
        "action.replace_cell",
        "Cell {cell}: has lost {percent:.1f} % of capacity against its neighbours "
        "in {days:.0f} days",
    ),
    "capacity.first_full_first_empty": Words(
        "capacity",
        "action.full_charge_again",
        "Cell {cell} is first full and first empty: it limits the pack, balancing cannot help",
    ),
    "self-discharge.leak": Words(
        "self-discharge",
        "action.rest_and_return",
        "Cell {cell}: loses {milliampere:.2f} mA more than its neighbours",
    ),
    "self-discharge.strong": Words(
        "self-discharge",
        "action.watch_charging",
        "Cell {cell}: loses {milliampere:.1f} mA more than its neighbours, empty within days",
    ),
    "self-discharge.repeated": Words(
        "self-discharge",
        "action.replace_cell",
        "Cell {cell}: loses {milliampere:.2f} mA more than its neighbours, on {count} days",
    ),
    "self-discharge.visits": Words(
        "self-discharge",
        "action.rest_and_return",
        "Cell {cell}: has fallen behind by {percent:.1f} % of charge in {days:.0f} days",
    ),
    "internal-short.growing": Words(
        "internal-short",
        "action.replace_soon",
        "Cell {cell}: loses {milliampere:.1f} mA, and more each time: an internal short",
    ),
    "imbalance.level": Words(
        "imbalance",
        "action.measure_in_a_week",
        "Cell {cell}: rests {millivolt:.0f} mV off its neighbours",
    ),
    "imbalance.drift": Words(
        "imbalance",
        "action.replace_cell",
        "Cell {cell}: has sunk by {millivolt:.0f} mV against its neighbours in {days:.0f} days",
    ),
    "imbalance.first_full_last_empty": Words(
        "imbalance",
        "action.leave_charging",
        "Cell {cell} is first full and last empty: it holds more charge, balancing helps",
    ),
    "imbalance.last_full_first_empty": Words(
        "imbalance",
        "action.leave_charging",
        "Cell {cell} is last full and first empty: it holds less charge, balancing helps",
    ),
    "imbalance.charge": Words(
        "imbalance",
        "action.leave_charging",
        "Cell {cell}: {percent:+.1f} % of charge off its neighbours",
    ),
    "sag.low": Words(
        "sag",
        "action.check_joint",
        "Cell {cell}: sags {millivolt:.0f} mV deeper than its neighbours at the usual peak load",
    ),
    "sag.emptier": Words(
        "imbalance",
        "action.full_charge",
        "Cell {cell}: sags {millivolt:.0f} mV deeper than its neighbours at the usual peak load: "
        "it is emptier, not weaker",
    ),
    "sag.falling": Words(
        "sag",
        "action.check_joint",
        "Cell {cell}: sags {millivolt:.0f} mV deeper than {days:.0f} days ago",
    ),
    "thermal.hot_group": Words(
        "thermal",
        "action.check_cooling",
        "Probe {probe}: {kelvin:.1f} K warmer under load than its neighbours explain",
    ),
    "thermal.fast_rise": Words(
        "thermal",
        "action.stop_charging",
        "Probe {probe}: rises by {kelvin_per_minute:.1f} K a minute while the others do not",
    ),
    "thermal.cooling": Words(
        "thermal",
        "action.check_cooling",
        "Cell {cell}: becomes {kelvin:.1f} K warmer under load than its own heat explains",
    ),
    "thermal.cooling_worse": Words(
        "thermal",
        "action.check_cooling",
        "Cell {cell}: its cooling has become {percent:.0f} % worse in {days:.0f} days",
    ),
    "thermal.efficiency": Words(
        "thermal",
        "action.check_joint",
        "Cell {cell}: gives {percent:.2f} % less voltage under load than {days:.0f} days ago",
    ),
    "shift.step": Words(
        "shift",
        "action.wiggle",
        "Cell {cell}: its voltage stepped by {millivolt:+.1f} mV at steady current",
    ),
    "sensor.offset": Words(
        "sensor",
        "action.check_sensor",
        "Cell {cell}: reads {millivolt:+.1f} mV off whatever it does: the measurement, "
        "not the cell",
    ),
    "sensor.sense_wire": Words(
        "sensor",
        "action.check_sense_wire",
        "Cells {cell} and {other}: read {millivolt:.1f} mV off in opposite directions, "
        "the sense wire between them",
    ),
    "sensor.lag": Words(
        "sensor",
        "action.none",
        "Cell {cell}: is read {milliseconds:.0f} ms later than the others",
    ),
    "sensor.stuck": Words(
        "sensor",
        "action.check_sensor",
        "Cell {cell} has not changed by a single step while its neighbours did",
    ),
    "sensor.frozen": Words(
        "sensor",
        "action.check_bms",
        "No cell has changed by a single step for {seconds:.0f} s while the current did",
    ),
    "sensor.noisy": Words(
        "sensor",
        "action.check_sense_wire",
        "Cell {cell}: noise of {millivolt:.1f} mV, its neighbours {usual_mv:.1f} mV",
    ),
    "sensor.implausible": Words(
        "sensor",
        "action.check_sense_wire",
        "Cell {cell} reports {value_v:.4g} V, which no cell can have",
    ),
    "sensor.probe_implausible": Words(
        "sensor",
        "action.check_probe",
        "Probe {probe} reports {value_degc:.0f} °C, which cannot be",
    ),
    "balancing.stuck_on": Words(
        "balancing",
        "action.check_balancer",
        "Cell {cell}: its balancer has been on for {hours:.0f} h without an end",
    ),
    "balancing.against": Words(
        "balancing",
        "action.check_balancer",
        "Cell {cell}: is being discharged by its balancer although it is {millivolt:.0f} mV "
        "below the median",
    ),
    "balancing.stuck_off": Words(
        "balancing",
        "action.check_balancer",
        "Cell {cell}: stands {millivolt:.0f} mV above the others but is never balanced",
    ),
    "balancing.too_weak": Words(
        "balancing",
        "action.replace_cell",
        "Cell {cell}: loses {milliampere:.1f} mA, the balancer can make up for {can_ma:.1f} mA",
    ),
    "balancing.hours": Words(
        "balancing",
        "action.leave_charging",
        "Balancing still needs about {hours:.0f} h at this rate",
    ),
    "bms.soc_jump": Words(
        "bms",
        "action.check_bms",
        "The BMS's charge level jumped by {percent:+.0f} % within {seconds:.0f} s",
    ),
    "bms.soc_wrong": Words(
        "bms",
        "action.full_charge",
        "The BMS says {reported:.0f} % charge, the cells say {percent:.0f} %",
    ),
    "bms.charge_when_full": Words(
        "bms",
        "action.stop_charging",
        "The BMS allows {value_a:.0f} A of charge with a cell at {value_v:.3f} V",
    ),
    "bms.charge_when_cold": Words(
        "bms",
        "action.warm_before_charge",
        "The BMS allows {value_a:.0f} A of charge at {degc:.0f} °C",
    ),
    "bms.frozen": Words(
        "bms",
        "action.check_bms",
        "The BMS's charge level stands still at {percent:.0f} % although {moved_ah:.1f} Ah "
        "were moved",
    ),
    "bms.silent_cells": Words(
        "bms",
        "action.check_cable",
        "Cells {cells} have not been heard for {seconds:.0f} s while others are",
    ),
    "exposure.cold_charge": Words(
        "exposure",
        "action.warm_before_charge",
        "Charged for {minutes:.0f} min at {degc:.0f} °C and up to {value_a:.0f} A: "
        "lithium plating becomes likely",
    ),
    "exposure.hot": Words(
        "exposure",
        "action.check_cooling",
        "Spent {hours:.1f} h above {limit_degc:.0f} °C, up to {degc:.0f} °C: it ages faster",
    ),
}

_EITHER_SIDE = {
    "action.check_joint": "action.check_joints",
    "action.tighten_joint": "action.tighten_joints",
    "action.check_sense_wire": "action.check_sense_wires",
}
# Codes whose findings are made elsewhere with sentences of their own.
_OTHER_ACTIONS = {
    "dips.one_cell": "action.wiggle",
    "dips.short": "action.short_or_wire",
    "dips.sense_wire": "action.check_sense_wire",
    "dips.link": "action.check_cable",
    "limits.cell_over_voltage": "action.stop_charging",
    "limits.over_temperature": "action.stop_charging",
    "limits.cell_under_voltage": "action.charge_soon",
    "limits.pack_sum": "action.check_mapping",
}


def action_of(finding: Finding) -> tuple[str, Parameters]:
    """What to do about a finding: message code and parameters."""
    known = CODES.get(finding.code)
    if finding.code == "internal-short.growing" and finding.severity == "stop":
        code = "action.stop_and_replace"
    else:
        code = known.action if known else _OTHER_ACTIONS.get(finding.code, "action.wait")
    # A joint or wire is named by the two cells it lies between, where that is known; what one cell
    # shows may lie on either side of it.
    other = finding.parameters.get("other")
    if other is None:
        return _EITHER_SIDE.get(code, code), {"cell": finding.cell}
    return code, {"cell": finding.cell, "other": other}


def found(
    code: str,
    time: int,
    span: tuple[int, int],
    cell: int,
    severity: str,
    score: float,
    parameters: Mapping[str, float | str | int],
    evidence: tuple[Parameters, ...] = (),
    count: int = 1,
) -> Finding:
    """An active finding of `code`, in one sentence; span: its evidence, int64 ns; cell 0: the pack
    (parameters then say "probe" or "cells" where it speaks of some). Its id is code and number."""
    words = CODES[code]
    filled: Parameters = {"cell": cell} if cell else {}
    # Plain numbers: they are stored as JSON.
    filled |= {k: v if isinstance(v, int | str) else float(v) for k, v in parameters.items()}
    number = parameters.get("probe", cell)
    return Finding(
        id=f"{code}.{number}",
        time=time,
        start=span[0],
        end=span[1],
        cell=cell,
        kind=words.kind,
        severity=severity,
        state="active",
        score=float(score),
        code=code,
        parameters=filled,
        text=words.sentence.format(**filled),
        count=count,
        evidence=evidence,
    )


def listed(numbers: Sequence[int]) -> str:
    """Cell numbers for people: 1–4, 7, 12."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in parts)
