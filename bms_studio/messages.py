"""What findings, verdicts and checks say: code -> English template, rendered for the reader.

Recordings store code and parameters; the sentence is made here, in today's language, also for old
recordings. Parameters carry units in their names (value_v, limit_degc); a code or parameter that is
unknown falls back to the English sentence stored beside it. No Qt.
"""

from collections.abc import Mapping

from bms_studio.language import text

Parameters = Mapping[str, float | str | int]

TEMPLATES: dict[str, str] = {
    "limits.cell_over_voltage": (
        "Cell {cell} at {value_v:.3f} V is above its limit of {limit_v:.3f} V"
    ),
    "limits.cell_under_voltage": (
        "Cell {cell} at {value_v:.3f} V is below its limit of {limit_v:.3f} V"
    ),
    "limits.over_temperature": (
        "Probe {probe} at {value_degc:.1f} °C is above its limit of {limit_degc:.1f} °C"
    ),
    "limits.under_temperature": (
        "Probe {probe} at {value_degc:.1f} °C is below its limit of {limit_degc:.1f} °C"
    ),
    "limits.over_current": "Current of {value_a:.1f} A is beyond the limit of {limit_a:.1f} A",
    "limits.pack_sum": ("The cells add up to {sum_v:.2f} V but the pack reports {value_v:.2f} V"),
    "dips.one_cell": "Cell {cell} dipped by {depth_mv:.0f} mV, alone: a joint or the cell itself",
    "dips.sense_wire": ("Cells {cell} and {other}: {depth_mv:.0f} mV opposite, a sense wire"),
    "dips.load": "All cells dipped by {depth_mv:.0f} mV together: a load step",
    "dips.link": "Frames are missing for {gap_s:.2f} s: the link, not the pack",
    "link.stale": "No frame for {age_s:.0f} s",
    "link.lost": "The adapter is gone: {reason}",
    "sensor.stuck": "Cell {cell} has not changed by a single step while its neighbours did",
    "sensor.implausible": "Cell {cell} reports {value_v:.3f} V, which no cell can have",
    "verdict.not_enough_data": "Not enough data for a verdict yet",
    "verdict.limits_ok": "Nothing beyond the limits so far; health has not been judged",
    "verdict.limit_exceeded": "A limit is exceeded: {what}",
    "action.connect": "Connect to a pack or open a recording",
    "action.wait": "Let it run: rest, a ride or a charge shows more",
    "action.stop_charging": "Stop charging and let the pack rest",
    "check.limits": "voltage and temperature limits",
    "check.cell_limits": "cell limits",
    "check.temperature_limits": "temperatures",
    "check.current_limits": "current limits",
    "check.pack_sum": "sum of the cells",
    "check.dips": "dips",
    "check.link": "link quality",
    "check.sensors": "sensors",
    "check.sign": "sign of the current",
    "check.capacity": "capacity",
    "check.resistance": "resistance",
    "check.self_discharge": "self-discharge",
    "check.health": "capacity, resistance, self-discharge",
    "question.pack_changed": "Is this still the same pack?",
    "question.pack_alone": "Is the pack alone on this cable?",
}


def render(code: str, parameters: Parameters | None = None, fallback: str = "") -> str:
    """The sentence of `code` in the current language; `fallback` (else the code) when it is unknown
    or a parameter is missing."""
    template = TEMPLATES.get(code)
    if template is None:
        return fallback or code
    try:
        return text(template).format(**dict(parameters or {}))
    except (KeyError, ValueError, TypeError, IndexError):
        # An old or foreign recording with other parameters: its own English sentence is better.
        return fallback or code


def render_all(items: tuple[tuple[str, Parameters], ...]) -> str:
    """Several short items in one line, separated as the language does."""
    return text(", ").join(render(code, parameters) for code, parameters in items)
