"""Every signal that can be plotted, named by role so that a saved view fits any pack.

Names: "cells", "deviation", "probes", "balancing", "cell.12.voltage", "cell.12.deviation",
"probe.3", "pack.current", "statistics.spread", "location.speed", "signal.<Message>.<Signal>",
"estimate.soc" (every cell), "estimate.pack.usable_soc".
Knows groups and units; draws nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bms_studio.analysis.contract import ESTIMATES, HEALTH, PACK_GROUP
from bms_studio.gui.cells_table import QUANTITIES
from bms_studio.gui.contract import PackView
from bms_studio.gui.estimates import quantity_name
from bms_studio.gui.sources import BalancingSource, FieldSource, GroupSource
from bms_studio.language import text
from protocols.roles import LOCATION_FIELDS, PACK_FIELDS
from widgets.sources import Source

_SCALED = {"V": ("V", 1.0), "1": ("", 1.0), "degC": ("°C", 1.0)}
_PERCENT = ("soc", "soh")
_BY_CELL = ("cells", "deviation", "balancing")


@dataclass(frozen=True, slots=True)
class PlotSignal:
    """name: the role; folder: heading in the tree; columns None: the whole group. Screen value =
    stored value * factor."""

    name: str
    label: str
    unit: str
    folder: str
    group: str
    columns: tuple[int, ...] | None = None
    field: str = ""
    factor: float = 1.0
    step: bool = False
    message: str = ""

    @property
    def by_cell(self) -> bool:
        """Whether its columns are the cells."""
        name = self.group.split("/", 2)[-1] if self.group.startswith("packs/") else self.group
        return name in _BY_CELL or (name != PACK_GROUP and name.startswith((ESTIMATES, HEALTH)))

    def source(self, view: PackView) -> Source:
        """Its curve data from this view."""
        timeline = view.timeline
        if self.name == "balancing":
            return BalancingSource(timeline, self.group)
        if self.field:
            return FieldSource(timeline, self.group, self.field, self.factor)
        return GroupSource(timeline, self.group, self.columns, self.factor)

    def measured_columns(self, view: PackView) -> list[int]:
        """Column numbers of its group, for measuring."""
        names = view.timeline.columns(self.group)
        if self.field:
            return [names.index(self.field)] if self.field in names else []
        if self.columns is not None:
            return [column for column in self.columns if column < len(names)]
        return list(range(len(names)))

    def column_label(self, column: int, view: PackView) -> str:
        """What one column of it is called in tables and at curve ends."""
        if self.columns is not None or self.field:
            return self.label
        if self.by_cell:
            return text("Cell {cell}", cell=column + 1)
        return view.timeline.columns(self.group)[column]


def all_signals(view: PackView, prefix: str = "") -> list[PlotSignal]:
    """Everything this view can plot, in the order of the tree; prefix: of the pack's groups."""
    return [
        *_overview(prefix),
        *_pack_fields(view, prefix),
        *_statistics(view, prefix),
        *_estimates(view, prefix),
        *_cells(view, prefix),
        *_probes(view, prefix),
        *_location(view),
        *_database(view),
    ]


def _overview(prefix: str) -> Iterator[PlotSignal]:
    folder = text("Pack overview")
    yield PlotSignal("cells", text("All cells"), "V", folder, prefix + "cells")
    yield PlotSignal(
        "deviation",
        text("Differences to the median"),
        "mV",
        folder,
        prefix + "deviation",
        factor=1000.0,
    )
    yield PlotSignal("probes", text("All probes"), "°C", folder, prefix + "probes")
    yield PlotSignal("balancing", text("Balancing"), "", folder, prefix + "balancing", step=True)


def _pack_fields(view: PackView, prefix: str) -> Iterator[PlotSignal]:
    known = view.timeline.columns(prefix + "pack")
    for field in PACK_FIELDS:
        if known and field.name not in known:
            continue
        unit, factor = _SCALED.get(field.unit, (field.unit, 1.0))
        if field.name in _PERCENT:
            unit, factor = "%", 100.0
        yield PlotSignal(
            f"pack.{field.name}",
            text(field.long_name),
            unit,
            text("Pack"),
            prefix + "pack",
            field=field.name,
            factor=factor,
        )


def _statistics(view: PackView, prefix: str) -> Iterator[PlotSignal]:
    if prefix + "statistics" not in view.timeline.groups():
        return
    labels = (
        ("minimum", text("Lowest cell"), "V", 1.0),
        ("median", text("Median of the cells"), "V", 1.0),
        ("maximum", text("Highest cell"), "V", 1.0),
        ("spread", text("Cell spread"), "mV", 1000.0),
    )
    for field, label, unit, factor in labels:
        yield PlotSignal(
            f"statistics.{field}",
            label,
            unit,
            text("Pack"),
            prefix + "statistics",
            field=field,
            factor=factor,
        )


def _estimates(view: PackView, prefix: str) -> Iterator[PlotSignal]:
    """What has been estimated so far: of the pack, then of all cells."""
    groups, folder = view.timeline.groups(), text("Estimates")
    columns = view.timeline.columns(prefix + PACK_GROUP)
    for field, label, unit, factor in (
        ("soc", text("Charge, estimated"), "%", 100.0),
        ("coulomb_soc", text("Charge, counted only"), "%", 100.0),
        ("usable_soc", text("Usable charge"), "%", 100.0),
        ("discharge_10_a", text("Discharge 10 s"), "A", 1.0),
        ("charge_10_a", text("Charge 10 s"), "A", 1.0),
    ):
        if field in columns:
            name = f"estimate.pack.{field}"
            group = prefix + PACK_GROUP
            yield PlotSignal(name, label, unit, folder, group, field=field, factor=factor)
    for quantity in QUANTITIES.values():
        places = (f"{prefix}{place}{quantity.name}" for place in (ESTIMATES, HEALTH))
        group = next((place for place in places if place in groups), "")
        if group:
            label = text("{what} of all cells", what=quantity_name(quantity.name))
            unit, factor = quantity.unit, quantity.factor
            yield PlotSignal(f"estimate.{quantity.name}", label, unit, folder, group, factor=factor)


def _cells(view: PackView, prefix: str) -> Iterator[PlotSignal]:
    count = len(view.timeline.columns(prefix + "cells"))
    for n in range(count):
        label = text("Cell {cell}", cell=n + 1)
        yield PlotSignal(f"cell.{n + 1}.voltage", label, "V", text("Cells"), prefix + "cells", (n,))
    for n in range(count):
        label = text("Cell {cell} − median", cell=n + 1)
        folder = text("Cells minus median")
        yield PlotSignal(
            f"cell.{n + 1}.deviation",
            label,
            "mV",
            folder,
            prefix + "deviation",
            (n,),
            factor=1000.0,
        )


def _probes(view: PackView, prefix: str) -> Iterator[PlotSignal]:
    for n, name in enumerate(view.timeline.columns(prefix + "probes")):
        label = name if name != str(n + 1) else text("Probe {probe}", probe=name)
        yield PlotSignal(f"probe.{n + 1}", label, "°C", text("Probes"), prefix + "probes", (n,))


def _location(view: PackView) -> Iterator[PlotSignal]:
    known = view.timeline.columns("location")
    for field in LOCATION_FIELDS:
        if field.name in known:
            unit = _SCALED.get(field.unit, (field.unit, 1.0))[0]
            yield PlotSignal(
                f"location.{field.name}",
                text(field.long_name),
                unit,
                text("Location"),
                "location",
                field=field.name,
            )


def _database(view: PackView) -> Iterator[PlotSignal]:
    for message, signals in view.database_messages():
        for signal in signals:
            yield PlotSignal(
                f"signal.{message.name}.{signal.name}",
                signal.name,
                signal.unit,
                message.name,
                f"signals/{message.name}",
                field=signal.name,
                step=bool(signal.choices),
                message=message.name,
            )
