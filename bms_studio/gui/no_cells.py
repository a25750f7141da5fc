"""The sentence where cells would stand and there are none: what is missing, as far as is known.

Words only. Why a live bus is silent or in error is `bms_studio.hearing`'s; no widget enters.
"""

from functools import lru_cache

from bms_studio.gui.contract import PackView, Playable
from bms_studio.language import text
from bms_studio.status import Status
from protocols.registry import available, load


def no_cells_of(view: PackView) -> str:
    """What to say of a view without a single cell; a recording is read before it is judged."""
    if isinstance(view, Playable) and not view.filled.is_set():
        return text("reading…")
    return no_cells(view.status)


def no_cells(status: Status) -> str:
    """What to say of a view without a single cell."""
    if status.protocol and _is_asked(status.protocol):
        return text("{protocol} tells its cells only when asked", protocol=status.protocol)
    if status.protocol:
        return text("{protocol}: no single cells in these data", protocol=status.protocol)
    if status.link.state == "replay":
        return text("no BMS data: an inverter's or a vehicle's bus, or its database is missing")
    if status.bus is not None:
        return text("no cell yet: what is missing stands above")
    return text("no cell found yet: name a database or profile, or look at the frames")


@lru_cache(maxsize=64)
def _is_asked(known: str) -> bool:
    """Whether a built-in protocol of this name or title puts questions."""
    return any(load(name).polls for name in available() if known in (name, load(name).title))
