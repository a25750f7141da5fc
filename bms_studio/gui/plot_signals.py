"""Every signal that can be plotted, named by role so that a saved view fits any pack.

Names: "cells", "deviation", "probes", "balancing", "cell.12.voltage", "cell.12.deviation",
"probe.3", "pack.current", "statistics.spread", "location.speed", "signal.<Message>.<Signal>".
Knows groups and units; draws nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bms_studio.gui.contract import PackView
from bms_studio.gui.sources import BalancingSource, FieldSource, GroupSource
from bms_studio.language import text
from protocols.roles import LOCATION_FIELDS, PACK_FIELDS
from widgets.sources import Source

_SCALED = {"V": ("V", 1.0), "1": ("", 1.0), "degC": ("°C", 1.0)}
_PERCENT = ("soc", "soh")


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

    def source(self, view: PackView) -> Source:
        """Its curve data from this view."""
        timeline = view.timeline
        if self.name == "balancing":
            return BalancingSource(timeline)
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
        if self.group in ("cells", "deviation", "balancing"):
            return text("Cell {cell}", cell=column + 1)
        return view.timeline.columns(self.group)[column]


def all_signals(view: PackView) -> list[PlotSignal]:
    """Everything this view can plot, in the order of the tree."""
    return [
        *_overview(),
        *_pack_fields(view),
        *_statistics(view),
        *_cells(view),
        *_probes(view),
        *_location(view),
        *_database(view),
    ]


def _overview() -> Iterator[PlotSignal]:
    folder = text("Pack overview")
    yield PlotSignal("cells", text("All cells"), "V", folder, "cells")
    yield PlotSignal(
        "deviation", text("Differences to the median"), "mV", folder, "deviation", factor=1000.0
    )
    yield PlotSignal("probes", text("All probes"), "°C", folder, "probes")
    yield PlotSignal("balancing", text("Balancing"), "", folder, "balancing", step=True)


def _pack_fields(view: PackView) -> Iterator[PlotSignal]:
    known = view.timeline.columns("pack")
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
            "pack",
            field=field.name,
            factor=factor,
        )


def _statistics(view: PackView) -> Iterator[PlotSignal]:
    if "statistics" not in view.timeline.groups():
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
            "statistics",
            field=field,
            factor=factor,
        )


def _cells(view: PackView) -> Iterator[PlotSignal]:
    count = len(view.timeline.columns("cells"))
    for n in range(count):
        label = text("Cell {cell}", cell=n + 1)
        yield PlotSignal(f"cell.{n + 1}.voltage", label, "V", text("Cells"), "cells", (n,))
    for n in range(count):
        label = text("Cell {cell} − median", cell=n + 1)
        folder = text("Cells minus median")
        yield PlotSignal(
            f"cell.{n + 1}.deviation", label, "mV", folder, "deviation", (n,), factor=1000.0
        )


def _probes(view: PackView) -> Iterator[PlotSignal]:
    for n, name in enumerate(view.timeline.columns("probes")):
        label = name if name != str(n + 1) else text("Probe {probe}", probe=name)
        yield PlotSignal(f"probe.{n + 1}", label, "°C", text("Probes"), "probes", (n,))


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
