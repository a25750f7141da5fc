"""What findings, verdicts and checks say: code -> English template, rendered for the reader.

Recordings store code and parameters; the sentence is made here, in today's language, also for old
recordings. Parameters carry units in their names (value_v, limit_degc); a code or parameter that is
unknown falls back to the English sentence stored beside it. No Qt.
"""

from collections.abc import Mapping

from bms_studio.diagnosis.words import CODES
from bms_studio.language import text
from bms_studio.status import Offer

Parameters = Mapping[str, float | str | int]

TEMPLATES: dict[str, str] = {
    **{code: words.sentence for code, words in CODES.items()},
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
    "dips.short": (
        "Cell {cell} dipped by {depth_mv:.0f} mV while it gave no current: a short inside, or a"
        " sense wire"
    ),
    "dips.sense_wire": ("Cells {cell} and {other}: {depth_mv:.0f} mV opposite, a sense wire"),
    "dips.load": "All cells dipped by {depth_mv:.0f} mV together: a load step",
    "dips.link": "Frames are missing for {gap_s:.2f} s: the link, not the pack",
    "link.stale": "No frame for {age_s:.0f} s",
    "link.lost": "The adapter is gone: {reason}",
    "verdict.no_cells": "No cell voltages are known among what was received",
    "verdict.not_enough_data": "Not enough data for a verdict yet",
    "verdict.limits_ok": "Nothing beyond the limits so far; health has not been judged",
    "verdict.limits_unknown": "Nothing found so far, but neither limits nor health could be judged",
    "verdict.ok": "Nothing wrong in what could be checked",
    "verdict.ok_unsure": (
        "Nothing wrong in what could be checked; cell {cell} differs a little, which is not sure"
    ),
    "verdict.named": "Cell {cell} stands out from the others: see First to fail",
    "verdict.ohm": "Cell {cell}: resistance {percent:.0f} % above the others",
    "verdict.ohm_10": "Cell {cell}: resistance over 10 s {percent:.0f} % above the others",
    "verdict.joint": "Cell {cell}: joint or busbar, resistance {percent:.0f} % above the others",
    "verdict.joint_10": "Cell {cell}: joint or busbar, 10 s resistance {percent:.0f} % too high",
    "verdict.limit_exceeded": "A limit is exceeded: {what}",
    "action.connect": "Connect to a pack or open a recording",
    "action.wait": "Let it run: rest, a ride or a charge shows more",
    "action.none": "Nothing to do",
    "action.stop_charging": "Stop charging and let the pack rest",
    "action.stop_and_replace": "Do not charge; keep it outside and away, replace cell {cell}",
    "action.replace_soon": "Replace cell {cell}; until then do not charge it unattended",
    "action.check_joint": "Check the joint between {cell} and {other} before replacing cell {cell}",
    "action.tighten_joint": "Clean and tighten the joint between {cell} and {other}, measure again",
    "action.check_joints": (
        "Check the joints of cell {cell} on both sides before replacing the cell"
    ),
    "action.tighten_joints": (
        "Clean and tighten the joints of cell {cell} on both sides, measure again"
    ),
    "action.check_sense_wires": "Check the sense wires of cell {cell} and their plug",
    "action.short_or_wire": (
        "Check the sense wires of cell {cell}; if they are sound, do not charge it unattended"
    ),
    "action.check_sense_wire": "Check the sense wire between {cell} and {other} and its plug",
    "action.replace_cell": "Replace cell {cell}, or its module, by one of the same capacity",
    "action.full_charge_again": (
        "Charge fully, ride until nearly empty and measure cell {cell} again"
    ),
    "action.full_charge": "Charge fully, so that the BMS finds its zero again",
    "action.watch_charging": (
        "Do not charge it unattended; measure cell {cell} again tomorrow, without a charge between"
    ),
    "action.rest_and_return": (
        "Let it rest for a week without charging and measure cell {cell} again"
    ),
    "action.measure_in_a_week": "Measure again in a week: does cell {cell} move?",
    "action.check_cooling": "Check cooling and joints at this probe",
    "action.check_sensor": "Measure cell {cell} with a voltmeter and compare",
    "action.check_probe": "Check this probe and its plug, or leave it out if there is none",
    "action.check_balancer": "Check the balancer of cell {cell} with a voltmeter",
    "action.check_bms": "Check the BMS's settings and supply",
    "action.check_cable": "Check cable and plugs between adapter, BMS and measuring boards",
    "action.check_mapping": "Check what the signals mean: a cell may be missing or counted twice",
    "action.leave_charging": "Leave it on the charger until balancing has ended",
    "action.warm_before_charge": "Warm the pack to 10 °C before charging",
    "action.charge_soon": "Charge soon and gently; do not leave it empty",
    "action.wiggle": "Move joints and plugs at cell {cell} gently and watch for dips",
    "action.load_steps": "Ride with hard starts, or switch a load of a few seconds ten times",
    "action.log_faster": "Log every 2 s or faster and ride with hard starts",
    "action.full_charge_and_ride": "One full charge and a ride of at least a third of it",
    "action.rest_day": "A day of rest, or come back after a week",
    "action.rest_30_min": "Rest for 30 minutes without current",
    "action.name_chemistry": "Name the pack's chemistry",
    "action.state_capacity": "State the pack's capacity",
    "action.single_cell": "Come back with it: a single cell is compared with its earlier visits",
    "action.add_database": "Add the database (DBC) of this bus, or name its protocol",
    "why.no_limits": "no limits are known: state the chemistry",
    "why.no_current_limits": "no current limits are known: state them in a profile",
    "why.no_probes": "too few probes",
    "why.no_pack_voltage": "the pack's voltage is not sent",
    "why.no_flags": "balancing flags are not sent",
    "why.no_bms_soc": "the BMS sends no charge level",
    "why.no_data": "no data yet",
    "why.no_cells": "no cell voltages were received",
    "why.few_cells": "fewer than three cells",
    "why.family_oxide": "unknown, judged as a 4.2 V oxide: state it",
    "why.sign_contradicts": "the current counts the other way: turn its sign",
    "alert.also": "{sentence} (also cells {also})",
    "alert.assumed": "{sentence} (usual for {assumed}, which the data speak for)",
    "check.limits": "voltage and temperature limits",
    "check.cell_limits": "cell limits",
    "check.temperature_limits": "temperatures",
    "check.current_limits": "current limits",
    "check.pack_sum": "sum of the cells",
    "check.dips": "dips",
    "check.link": "link quality",
    "check.sensors": "sensors",
    "check.sign": "sign of the current",
    "check.chemistry": "chemistry",
    "check.capacity": "capacity",
    "check.resistance": "resistance",
    "check.self_discharge": "self-discharge",
    "check.balance": "balance of charge",
    "check.shifts": "small steps",
    "check.thermal": "heat",
    "check.balancers": "balancers",
    "check.bms": "the BMS's own word",
    "check.health": "capacity, resistance, self-discharge",
    "guide.rest": "Leave the pack at rest: no charger, no load",
    "guide.charge": "Switch the charger on",
    "guide.charger_off": "Switch the charger off and let the pack rest",
    "guide.pull": "Turn the throttle fully and hold it",
    "guide.let_go": "Let go of the throttle and wait",
    "guide.load_on": "Switch the load on",
    "guide.load_off": "Switch the load off and let the pack rest",
    "guide.done": "That is enough: the data suffice for what this check can decide",
    "guide.done_partly": "The check is over; not everything became known",
    "guide.other_way": "Current flows the other way: do as asked, or turn its sign",
    "guide.hot": "Stop and let the pack cool: a probe shows {cell} °C",
    "guide.cold": "Do not charge a cold pack: a probe shows {cell} °C, warm it to 10 °C first",
    "guide.near_empty": "Stop drawing current: cell {cell} comes near its lower limit",
    "guide.near_full": "Stop charging: cell {cell} comes near its upper limit",
    "compare.cells": "{before} cells then, {now} now: not the same pack",
    "compare.chemistry": "{before} was assumed then, {now} now: analyze one of them again",
    "compare.unknown_before": "it was not known then",
    "compare.unknown_now": "it is not known now",
    "compare.temperature": "{apart_k:.0f} K apart: measure again at a like temperature",
    "compare.charge": "{apart_percent:.0f} points of charge apart: measure again at a like charge",
    # What would make an estimate known: short, they stand below a dash in a table.
    "need.rest_30_min": "rest 30 min",
    "need.rest_day": "rest 1 day",
    "need.current": "needs current",
    "need.sign": "turn the sign",
    "need.sign_steps": "load steps",
    "need.load_steps": "load steps",
    "need.chemistry": "set chemistry",
    "need.chemistry_contradicts": "check the chemistry",
    "need.capacity": "set capacity",
    "need.rated_capacity": "set rated Ah",
    "need.pulse_10_s": "10 s load",
    "need.faster_scans": "faster scans",
    "need.new_resistance": "R when new",
    "need.swing_30": "30 % swing",
    "need.hours_6": "6 h of data",
    "need.more_cells": "more cells",
    "need.full_charge": "full charge",
    "need.ride": "ride 1 min",
    "need.own_probes": "a temperature probe at every cell",
    # The same as a reason, after the name of what could not be checked.
    "because.rest_30_min": "no rest of 30 minutes yet",
    "because.rest_day": "no rest of a day, and no visit a week ago",
    "because.current": "this bus tells no current",
    "because.sign": "the current counts the other way: turn its sign",
    "because.sign_steps": "too few load steps yet",
    "because.load_steps": "too few load steps yet",
    "because.chemistry": "the chemistry is not known: state it",
    "because.chemistry_contradicts": "the voltages contradict the chemistry stated: check it",
    "because.capacity": "the rated capacity is not known: state it",
    "because.pulse_10_s": "no load of 10 s yet",
    "because.faster_scans": "cells were logged too seldom: every 2 s or faster shows it",
    "because.swing_30": "less than 30 % of the charge was moved",
    "because.hours_6": "less than 6 hours were seen",
    "because.more_cells": "a single cell has no neighbours",
    "because.full_charge": "no full charge and ride were seen",
    "because.ride": "no ride was seen",
    "basis.no_chemistry": "The chemistry is unknown: name it, or let the pack rest at two charges",
    "basis.no_capacity": "The capacity is unknown: state it; until then only voltages are judged",
    "basis.no_current": "No current on this bus: charge is known at rest only",
    "basis.sign_contradicts": "The current's sign contradicts the voltages: turn it first",
    "basis.nearer_nmc": "The voltages follow the NMC table: SOC uses that one",
    "basis.nearer_nmc532": "The voltages follow the NMC532 table: SOC uses that one",
    "basis.nearer_nca": "The voltages follow the NCA table: SOC uses that one",
    "basis.nearer_nca-c6": "The voltages follow the NCA-C6 table: SOC uses that one",
    "basis.nearer_lco": "The voltages follow the LCO table: SOC uses that one",
    "basis.nearer_lmo": "The voltages follow the LMO table: SOC uses that one",
    "basis.nearer_lfp": "The voltages lie beside the LFP table: SOC is less sure",
    "basis.nearer_lfp-si": "The voltages follow the LFP-SI table: SOC uses that one",
    "basis.judged_as_oxide": "unnamed 4.2 V oxide, likeliest {table} ({percent:.0f} %)",
    "basis.rough_capacity": (
        "The capacity is known only roughly: cells are compared, nothing is told in Ah. State it"
    ),
    "basis.against_oxide": (
        "The voltages are those of a 4.2 V oxide and contradict the chemistry stated: check it; "
        "until then nothing is judged that needs it"
    ),
    "basis.against_lfp": (
        "The voltages are those of LFP and contradict the chemistry stated: check it; until then "
        "nothing is judged that needs it"
    ),
    "basis.oxide_nmc": "Chemistry unknown: judged as a 4.2 V oxide, likeliest NMC. State it",
    "basis.oxide_nmc532": "Chemistry unknown: judged as a 4.2 V oxide, likeliest NMC532. State it",
    "basis.oxide_nca": "Chemistry unknown: judged as a 4.2 V oxide, likeliest NCA. State it",
    "basis.oxide_nca-c6": "Chemistry unknown: judged as a 4.2 V oxide, likeliest NCA-C6. State it",
    "basis.oxide_lco": "Chemistry unknown: judged as a 4.2 V oxide, likeliest LCO. State it",
    "basis.oxide_lmo": "Chemistry unknown: judged as a 4.2 V oxide, likeliest LMO. State it",
    "basis.against_nmc": (
        "The voltages follow the NMC table rather than the chemistry stated: check it"
    ),
    "basis.against_nmc532": (
        "The voltages follow the NMC532 table rather than the chemistry stated: check it"
    ),
    "basis.against_nca": (
        "The voltages follow the NCA table rather than the chemistry stated: check it"
    ),
    "basis.against_nca-c6": (
        "The voltages follow the NCA-C6 table rather than the chemistry stated: check it"
    ),
    "basis.against_lco": (
        "The voltages follow the LCO table rather than the chemistry stated: check it"
    ),
    "basis.against_lmo": (
        "The voltages follow the LMO table rather than the chemistry stated: check it"
    ),
    "question.pack_changed": "Is this still the same pack?",
    "question.pack_alone": "Is the pack alone on this cable?",
    "bus.silent": "Nothing was heard at {bitrates} kbit/s.",
    "bus.silent.alone": (
        "Is the pack alone on this cable? Then the adapter has to acknowledge. Else wake the pack "
        "(key, button, charger); check that H and L are not swapped and that there are 120 Ω."
    ),
    "bus.silent.acknowledged": (
        "Wake the pack (key, button, charger), swap H and L, check the 120 Ω. Some packs have to "
        "be asked; one with only UART, RS-485 or Bluetooth has no CAN."
    ),
    "bus.errors": "Only errors at {bitrates} kbit/s, not one frame.",
    "bus.errors.alone": (
        "Is the pack alone on this cable? Then the adapter has to acknowledge. Else the bitrate "
        "is another, H and L are swapped, or the 120 Ω are missing."
    ),
    "bus.errors.remedy": "Try another bitrate, swap H and L, check the 120 Ω.",
    "bus.repeated": (
        "One frame ({id}) comes {rate:.0f} times a second and no other: nobody acknowledges it."
    ),
    "bus.repeated.alone": ("Is the pack alone on this cable? Then the adapter has to acknowledge."),
    "bus.repeated.acknowledged": (
        "The adapter was told to acknowledge and does not: plug it in again, or try another one."
    ),
    "bus.no_bms": (
        "{ids} identifiers, {rate:.0f} frames/s, but no BMS data: an inverter's or a vehicle's bus."
    ),
    "bus.no_bms.remedy": ("Connect to the pack's own bus, or add the database (DBC) of this BMS."),
    "bus.must_be_asked": "{protocol} is there, but tells its cells only to who asks.",
    "bus.must_be_asked.remedy": "Let another tester ask, or ask from here.",
    "bus.asking": "{protocol} is being asked: this program transmits on the bus.",
    "bus.waiting": "Asking; no answer yet.",
    "bus.waiting.remedy": "The first answer may take a second.",
    "bus.mute": "Nobody answers the questions.",
    "bus.mute.remedy": (
        "Wake the pack (key, button, charger), check bitrate, H and L and the 120 Ω; it may speak "
        "another protocol, or have no CAN."
    ),
    "bus.other_tester": (
        "Another tester asks (identifier {id}): this program is silent and listens."
    ),
    "bus.other_tester.remedy": "It asks again when nobody else has for 10 s.",
    "bus.off": "The adapter is bus-off: too many of its frames failed.",
    "bus.off.remedy": (
        "Check the bitrate, H and L and the 120 Ω; the adapter is opened again by itself."
    ),
    "adapter.serial_right": (
        "{channel} may not be opened by you: sudo usermod -aG {group} $USER, then log out and in."
    ),
    "adapter.link_down": (
        "{channel} is down: sudo ip link set {channel} up type can bitrate 500000 listen-only on"
    ),
    "adapter.kernel_module": "No driver has taken it: sudo modprobe {module}",
    "adapter.listens.no": (
        "This adapter cannot be told to listen only: it acknowledges frames. It transmits nothing."
    ),
    "adapter.listens.link": (
        "Whether it only listens is set up in the system: ip link set {channel} type can "
        "listen-only on"
    ),
    "adapter.unknown": "A serial port that may be an SLCAN adapter: try it.",
    "missing.extra": "{name}: install {fix}",
    "missing.driver": "{name}: its driver is not installed ({fix})",
    "offer.acknowledge": "Yes, acknowledge",
    "offer.acknowledge.means": "The adapter acknowledges frames; nothing else is sent.",
    "offer.bitrate": "Try {bitrate} kbit/s",
    "offer.bitrate.means": "The adapter is opened again at this bitrate.",
    "offer.hush": "Stop asking",
    "offer.hush.means": "The adapter only listens again.",
    "offer.ask": "Ask: {title}…",
    "offer.ask.means": (
        "Asking ({title}) sends the identifiers {ids}: at most {per_second:.0f} frames a second, "
        "at {bitrate} kbit/s, until you stop it."
    ),
    "risk.none": "Nothing found",
    "risk.no_evidence": "Checked: no evidence against this cell",
    "risk.not_enough_data": "Not enough data to judge this cell",
    "risk.no_trend": "It stands out today; no trend yet",
    "risk.steady": "It stands out, but has not grown over {visits} visits",
    "risk.trend": "It grows: seen over {visits} visits",
    "risk.beyond_limit": "It is beyond the limit of failure already",
    "risk.swapped": "Cell {cell} changed places with another: its history begins anew",
    "risk.replaced": "Cell {cell} was replaced: its history begins anew",
    "risk.no_remedy": "Nothing to do",
    "remedy.measure_again": "Measure again after {days} days",
    "remedy.check_joint": "Check the joints of cell {cell} before replacing it",
    "remedy.pulse_rest_charge": "Do a 10 s pulse, rest 30 minutes, and one full charge",
    "remedy.check_sensor": "Measure cell {cell} with a voltmeter",
    "remedy.stop_using": "Do not charge unattended; replace cell {cell}",
    "rival.no_cell": "Not the cell: what lies behind its ohmic part did not grow along",
    "rival.no_joint": "Not a joint: the slow part of the resistance grew along",
    "rival.open_joint": "A joint is not excluded: check it first",
    "rival.no_wire": "Not a sense wire: no neighbour shows the opposite",
    "rival.open_wire": "A sense wire shared with cell {other} is not excluded",
    "rival.no_cold": (
        "Not the temperature: it would have to be {kelvin:.0f} K colder than the others"
    ),
    "rival.open_cold": "A cell that is {kelvin:.0f} K colder would show the same",
    "rival.no_sensor": "Not the sensor: its offset is {millivolt:+.1f} mV",
    "rival.open_sensor": "The sensor's offset is not known yet",
    "rival.open_offset": "The sensor is off by {millivolt:+.1f} mV as well",
    "rival.no_low_charge": "Not a low charge alone: {percent:+.1f} % at the start is allowed for",
    "rival.no_capacity": (
        "Not a small cell: its capacity differs by {percent:+.1f} %, and the loss goes on at rest"
    ),
    "rival.open_capacity": "Its capacity is not known yet",
    "rival.open_bleeder": "A bleeder that stays on, or a load on this cell, would show the same",
    "rival.no_leak": "Not a leak: {milliampere:+.1f} mA against the others",
    "rival.open_leak": "A leak is not excluded: rest for six hours",
}


def render(code: str, parameters: Parameters | None = None, fallback: str = "") -> str:
    """The sentence of `code` in the current language; `fallback` (else the code) when it is unknown
    or a parameter is missing."""
    template = TEMPLATES.get(code)
    if template is None:
        return fallback or code
    try:
        sentence = text(template).format(**dict(parameters or {}))
        for more in ("also", "assumed"):
            word = (parameters or {}).get(more)
            if word:
                about = {"sentence": sentence, more: word}
                sentence = text(TEMPLATES[f"alert.{more}"]).format(**about)
        return sentence
    except (KeyError, ValueError, TypeError, IndexError):
        # An old or foreign recording with other parameters: its own English sentence is better.
        return fallback or code


def check_words(code: str, parameters: Parameters) -> str:
    """One item of a verdict's checks, with the reason where it could not be made."""
    check, why = render(code, parameters), str(parameters.get("why", ""))
    if not why:
        return check
    because = f"because.{why.removeprefix('need.')}"
    reason = render(because if because in TEMPLATES else why)
    return text("{check}: {reason}", check=check, reason=reason)


def offer_words(offer: Offer, means: bool = False) -> str:
    """What stands on the button of an offer, or (`means`) what exactly a click does."""
    suffix = ".means" if means else ""
    about: dict[str, float | str | int] = {
        "title": offer.title,
        "ids": text(", ").join(offer.ids),
        "per_second": offer.per_second,
        "bitrate": f"{offer.bitrate / 1000:g}",
    }
    return render(f"offer.{offer.deed}{suffix}", about)


def render_all(items: tuple[tuple[str, Parameters], ...]) -> str:
    """Several short items in one line, separated as the language does."""
    return text(", ").join(render(code, parameters) for code, parameters in items)
