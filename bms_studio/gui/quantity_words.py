"""Quantities of a cell for people: title, unit on screen, factor to it, decimals. Words only."""

from bms_studio.language import text


def quantity_words(name: str) -> tuple[str, str, float, int]:
    """Title, unit, factor to that unit and decimals of a quantity on screen."""
    table = {
        "resistance_ohm": (text("Resistance"), text("mΩ at 25 °C"), 1e3, 2),
        "ten_second_ohm": (text("10 s resistance"), text("mΩ at 25 °C"), 1e3, 2),
        "resistance_difference": (text("Resistance against the median"), "%", 1e2, 1),
        "capacity_ah": (text("Capacity"), "Ah", 1.0, 2),
        "capacity_difference": (text("Capacity against the mean cell"), "%", 1e2, 1),
        "leak_a": (text("Self-discharge"), text("mA beyond the mean cell"), 1e3, 2),
        "offset_v": (text("Sensor offset"), "mV", 1e3, 1),
        "imbalance": (text("Charge against the median"), text("points of SOC"), 1e2, 2),
        "warmth_difference": (
            text("Warmer than its heat explains"),
            text("% of the pack's rise"),
            1e2,
            0,
        ),
        "rest_voltage_v": (text("Rest voltage against the median"), "mV", 1e3, 1),
        "sag_margin_v": (text("Margin to the cut-off"), text("mV at peak current"), 1e3, 0),
    }
    return table.get(name, (name, "", 1.0, 3))
