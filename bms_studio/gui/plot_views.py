"""Saved views of the Plots page: which signals in which plot, by role, so that they fit any pack.

Plain lists in the settings; nothing of a pack is stored.
"""

from bms_studio.gui.settings import Settings
from bms_studio.language import text

Cards = list[list[str]]
_KEY = "plots/views"
_CURRENT = "plots/current"


def built_in_views() -> dict[str, Cards]:
    """Views that every installation has, by name in the reader's language."""
    return {
        text("Overview"): [["cells"], ["deviation"], ["pack.current"], ["probes"]],
        text("Differences"): [["deviation"], ["pack.current"]],
        text("Charge and balancing"): [["cells"], ["statistics.spread"], ["balancing"]],
        text("Temperatures"): [["probes"], ["pack.current"]],
    }


def saved_views(settings: Settings) -> dict[str, Cards]:
    """The person's own views; damaged entries are left out."""
    stored = settings.json(_KEY)
    if not isinstance(stored, dict):
        return {}
    return {str(name): cards for name, value in stored.items() if (cards := _cards(value))}


def save_view(settings: Settings, name: str, cards: Cards) -> None:
    """Remember a view under this name, replacing one of the same name."""
    settings.put_json(_KEY, {**saved_views(settings), name: cards})


def delete_view(settings: Settings, name: str) -> None:
    """Forget a saved view."""
    left = {other: cards for other, cards in saved_views(settings).items() if other != name}
    settings.put_json(_KEY, left)


def current_cards(settings: Settings) -> Cards:
    """What was shown last; the overview at first."""
    return _cards(settings.json(_CURRENT)) or next(iter(built_in_views().values()))


def put_current_cards(settings: Settings, cards: Cards) -> None:
    """Remember what is shown."""
    settings.put_json(_CURRENT, cards)


def _cards(value: object) -> Cards:
    if not isinstance(value, list):
        return []
    cards = [[str(name) for name in card] for card in value if isinstance(card, list)]
    return [card for card in cards if card]
