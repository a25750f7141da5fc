"""What can be done while nothing is open: the cards of an empty page. Words only."""

from bms_studio.language import text
from widgets.cards import CardItem


def start_cards() -> list[CardItem]:
    """Connect, open, demo; keys are names of actions."""
    return [
        CardItem(
            "connect",
            "check",
            text("Check a pack"),
            text("Connect a USB-CAN adapter and see every cell live."),
            text("Connect…"),
            primary=True,
        ),
        CardItem(
            "open",
            "open",
            text("Open a recording"),
            text("A recording, or a log of another tool. You can also drop the file here."),
            text("Open…"),
        ),
        CardItem(
            "demo",
            "demo",
            text("Demo"),
            text("A simulated scooter pack with one weak cell, no hardware needed."),
            text("Start"),
        ),
    ]
