"""What every page shares: the view it looks at, the moment it shows, the selection, the actions.

The base of a page and its context; nothing of a particular page may enter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtWidgets import QWidget

from bms_studio.gui.contract import PackView
from bms_studio.gui.readings import Readings, read
from bms_studio.gui.selection import Selection
from bms_studio.gui.settings import Settings
from widgets.time_view import TimeView


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
        key = (id(view), t, view.timeline.version)
        if key != self._key or self._readings is None:
            self._readings, self._key = read(view, t), key
        return self._readings


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

    def toggle_drawer(self) -> None:
        """Show or hide the right column, where the page has one."""
