"""What every page shares: the view it looks at, the moment it shows, the selection, the actions.

The base of a page and its context; nothing of a particular page may enter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PySide6.QtWidgets import QWidget

from bms_studio.diagnosis.contract import Finding
from bms_studio.further_extremes import FurtherExtremes
from bms_studio.gui.contract import Analysed, AnalysisStatus, Estimated, PackView
from bms_studio.gui.estimates import Estimates, read_estimates
from bms_studio.gui.readings import Readings, read
from bms_studio.gui.selection import Selection
from bms_studio.gui.settings import Settings
from bms_studio.status import Extreme, PackStatus
from widgets.time_view import TimeView

_ESTIMATES_NS = 500_000_000  # estimates are renewed every few seconds
_JUDGED_NS = 200_000_000  # of a further pack


@dataclass(eq=False)
class Context:
    """Handed to every page by the window. `do` runs an action of actions.ACTIONS by name."""

    settings: Settings
    selection: Selection
    time: TimeView
    do: Callable[[str], None]
    view: PackView | None = None
    signal: str = ""  # "Message.Signal" that an action is about, "" none
    _readings: Readings | None = field(default=None, repr=False)
    _key: tuple[object, ...] = field(default=(), repr=False)
    pack: int = 1  # the pack looked at, where a bus has several
    _estimates: Estimates | None = field(default=None, repr=False)
    _estimates_key: tuple[object, ...] = field(default=(), repr=False)
    _judged: AnalysisStatus | None = field(default=None, repr=False)
    _judged_key: tuple[object, ...] = field(default=(), repr=False)
    _further: dict[tuple[int, int], FurtherExtremes] = field(default_factory=dict, repr=False)

    @property
    def prefix(self) -> str:
        """What the names of this pack's groups in the timeline begin with."""
        return "" if self.pack == 1 else f"packs/{self.pack}/"

    def packs(self) -> tuple[int, ...]:
        """Numbers of the packs on this bus, in order; (1,) while there is one."""
        groups = self.view.timeline.groups() if self.view is not None else ()
        names = (group.split("/") for group in groups if group.startswith("packs/"))
        return tuple(sorted({1, *(int(parts[1]) for parts in names if parts[1].isdigit())}))

    def pack_status(self) -> PackStatus:
        """Who the pack looked at is. What the profile says of cells holds for every pack on the
        bus; serial number, labels and state are known of the first only."""
        view = self.view
        if view is None:
            return PackStatus()
        status = view.status.pack
        if self.pack == 1:
            return status
        columns = view.timeline.columns
        cells, probes = columns(self.prefix + "cells"), columns(self.prefix + "probes")
        return PackStatus(
            cells=len(cells),
            probes=len(probes),
            chemistry=status.chemistry,
            cell_voltage_min=status.cell_voltage_min,
            cell_voltage_max=status.cell_voltage_max,
        )

    def findings(self) -> Sequence[Finding]:
        """Findings of the pack looked at."""
        if self.view is None:
            return ()
        told = self.analysis() if self.pack != 1 else None
        return self.view.findings if told is None else told.findings

    def extremes(self) -> tuple[Extreme, ...]:
        """Extreme deviations of the pack looked at."""
        if self.view is None or self.pack == 1:
            return self.view.status.extremes if self.view is not None else ()
        return self._further_extremes().read()

    def reset_extremes(self) -> None:
        """Those of the pack looked at begin anew."""
        if self.view is not None and self.pack == 1:
            self.view.reset_extremes()
        elif self.view is not None:
            self._further_extremes().reset(self.present_ns)

    def _further_extremes(self) -> FurtherExtremes:
        assert self.view is not None
        key = (id(self.view.timeline), self.pack)
        if key not in self._further:
            others = {k: kept for k, kept in self._further.items() if k[0] == key[0]}
            made = FurtherExtremes(self.view.timeline, self.prefix)
            self._further = {**others, key: made}
        return self._further[key]

    def analysis(self) -> AnalysisStatus | None:
        """What is known of the analysis of the pack looked at; None where nothing is analysed."""
        view = self.view
        if not isinstance(view, Estimated):
            return None
        if self.pack == 1 or not isinstance(view, Analysed):
            return view.analysis
        key = (id(view), self.pack, self.present_ns // _JUDGED_NS, len(view.analysis.runs))
        if key != self._judged_key or self._judged is None:
            self._judged, self._judged_key = view.analysis_of(self.pack), key
        return self._judged

    @property
    def present_ns(self) -> int:
        """The moment that tiles and grid show: now, the playhead, or where one looks back to."""
        if self.view is None:
            return 0
        now = self.view.now_ns
        return now if self.time.following else min(now, self.time.t1_ns)

    def readings(self) -> Readings | None:
        """The pack at the present moment, computed once per change; None without a view."""
        view = self.view
        if view is None:
            return None
        t = self.present_ns
        key = (id(view), self.pack, t, view.timeline.version)
        if key != self._key or self._readings is None:
            self._readings, self._key = read(view, t, self.prefix), key
        return self._readings

    def estimates(self) -> Estimates | None:
        """What is estimated at the present moment, at most 0.5 s old, of as many cells as the
        newest readings have (both are shown together); None without a view."""
        view = self.view
        if view is None:
            return None
        same = self._key[:2] == (id(view), self.pack)
        readings = self._readings if same else self.readings()
        count = len(readings.cells_v) if readings is not None else 0
        t, status = self.present_ns, self.analysis()
        rows = view.timeline.rows(self.prefix + "health/soc")
        key = (id(view), self.pack, t // _ESTIMATES_NS, rows, id(status and status.health), count)
        if key != self._estimates_key or self._estimates is None:
            self._estimates = read_estimates(view.timeline, t, self.prefix, status, count)
            self._estimates_key = key
        return self._estimates


class Page(QWidget):
    """A page of the window. `refresh` is called on every tick while it is visible."""

    key = ""
    icon = ""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context

    def view_changed(self) -> None:
        """Another view came, or none (context.view)."""

    def refresh(self) -> None:
        """Bring what is visible up to date."""

    def autorange(self) -> None:
        """Fit plots to their data."""

    def measure(self) -> None:
        """Begin or end measuring a range."""

    def begin_search(self) -> None:
        """Begin to search, where the page can."""

    def toggle_drawer(self) -> None:
        """Show or hide the right column, where the page has one."""
