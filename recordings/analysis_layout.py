"""The columns of /estimates and /health: what an analysis says of every cell and of the pack.

Plain data, restated from the program's own list of quantities (a test compares them), because this
room knows nothing of estimators.
"""

# name, unit, whether `<name>_sigma` exists, long name
PER_CELL = (
    ("soc", "1", True, "State of charge of each cell"),
    ("rest_voltage_v", "V", True, "Voltage after the newest rest"),
    ("capacity_ah", "Ah", True, "Capacity of each cell"),
    ("capacity_difference", "1", True, "Capacity against the mean cell, relative"),
    ("soh_capacity", "1", True, "Capacity against new"),
    ("resistance_ohm", "ohm", True, "Ohmic resistance at 25 degC, 50 %"),
    ("ten_second_ohm", "ohm", True, "Resistance after 10 s at 25 degC, 50 %"),
    ("resistance_difference", "1", True, "Ohmic resistance against the median, relative"),
    ("soh_resistance", "1", True, "Resistance when new against now"),
    ("leak_a", "A", True, "Self-discharge beyond the mean cell"),
    ("offset_v", "V", True, "Sensor offset against the mean cell"),
    ("imbalance", "1", True, "State of charge minus the median"),
    ("sag_voltage_v", "V", True, "Voltage after 10 s of the rider's peak current"),
    ("sag_margin_v", "V", True, "That voltage above the cut-off"),
    ("lag_s", "s", False, "How much later than the current this cell is measured"),
    ("risk", "1", True, "How likely this cell fails first, 0 none"),
    ("warmth_difference", "1", True, "Temperature rise beyond what its heat explains"),
    ("slow_difference", "1", True, "Slow resistance against the mean cell, share of the usual one"),
)
# In /health, named pack_<name>.
OF_PACK = (
    ("soc", "1", True, "State of charge of the mean cell"),
    ("usable_soc", "1", True, "Usable share, by the weakest cells"),
    ("usable_ah", "Ah", False, "Charge until the first cell is empty"),
    ("usable_wh", "Wh", True, "Energy until the first cell is empty"),
    ("limiting_cell", "1", False, "Cell that is empty first, 0 unknown"),
    ("costs_wh", "Wh", False, "Energy that this cell costs against the median one"),
    ("full_cell", "1", False, "Cell that is full first, 0 unknown"),
    ("capacity_ah", "Ah", True, "Capacity of the mean cell"),
    ("soh", "1", True, "Capacity against new"),
    ("temperature_degc", "degC", False, "Mean temperature of the span"),
    ("peak_a", "A", False, "99th percentile of the rider's discharge current"),
    ("current_offset_a", "A", True, "Offset of the current sensor"),
    ("throughput_ah", "Ah", False, "Charge moved in the span, both ways"),
    ("observed_s", "s", False, "Time with samples in the span"),
    ("cycles", "1", False, "Throughput as full cycles in the span"),
    ("bleed_a", "A", False, "Current of a bleed resistor"),
    ("rise_k", "K", False, "How much the hardest load of the span warms the middle probe"),
    ("scale_ah", "Ah", False, "Rough capacity that charge was compared with"),
)
# In /estimates beside soc and soc_sigma; limiting_cell and other cell numbers are uint16 there.
OUTLOOK = (
    ("pack_soc", "1", True, "State of charge of the mean cell"),
    ("coulomb_soc", "1", False, "State of charge by counting charge alone"),
    ("usable_soc", "1", True, "Charge that the weakest cell lets the pack deliver"),
    ("usable_ah", "Ah", False, "Charge until the first cell is empty"),
    ("usable_wh", "Wh", True, "Energy until the first cell is empty"),
    ("costs_wh", "Wh", False, "Energy that the limiting cell costs"),
    ("offset_a", "A", False, "Offset of the current sensor"),
    ("correcting", "1", False, "1 voltage corrects the state of charge, 0 plateau or start"),
    ("peak_a", "A", False, "99th percentile of the rider's discharge current"),
    *(
        entry
        for way in ("discharge", "charge")
        for seconds in (2, 10, 30)
        for entry in (
            (f"{way}_{seconds}_a", "A", False, f"Possible {way} current for {seconds} s"),
            (f"{way}_{seconds}_w", "W", True, f"Possible {way} power for {seconds} s"),
            (
                f"{way}_{seconds}_cause",
                "1",
                False,
                "What limits: 0 voltage, 1 current, 2 temperature, 3 empty or full",
            ),
        )
    ),
    ("hysteresis", "1", False, "Share of the hysteresis, -1 after discharge, 1 after charge"),
)
CELL_NUMBERS = (
    ("limiting_cell", "Number of the cell that is empty first, 0 unknown"),
    ("full_cell", "Number of the cell that is full first, 0 unknown"),
    *(
        (f"{way}_{seconds}_cell", f"Number of the cell that limits {way}, 0 none")
        for way in ("discharge", "charge")
        for seconds in (2, 10, 30)
    ),
)
