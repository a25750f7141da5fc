"""Which limits hold for a pack: the profile's, else its chemistry's; unknown stays unknown.

Plain numbers. Limits of a chemistry that was only recognised are asked for by name (`unstated`).
"""

from dataclasses import fields

from bms_studio.pack.chemistry import NAMES, load_chemistry
from bms_studio.pack.profile import Limits


def resolve_limits(stated: Limits, chemistry: str) -> Limits:
    """`stated` with what it leaves open filled from the chemistry, if that is a known one."""
    if chemistry not in NAMES:
        return stated
    usual = load_chemistry(chemistry)
    filled = Limits(
        cell_voltage_min=usual.cell_voltage_min,
        cell_voltage_max=usual.cell_voltage_max,
        temperature_min=usual.temperature_min,
        temperature_max=usual.temperature_max,
    )
    chosen = {}
    for field in fields(Limits):
        value = getattr(stated, field.name)
        chosen[field.name] = getattr(filled, field.name) if value is None else value
    return Limits(**chosen)


def unstated(stated: Limits, chemistry: str) -> Limits:
    """What a chemistry says of the limits that `stated` leaves open, and of those only."""
    every = resolve_limits(Limits(), chemistry)
    return Limits(
        **{
            field.name: getattr(every, field.name)
            for field in fields(Limits)
            if getattr(stated, field.name) is None
        }
    )
