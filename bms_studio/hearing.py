"""What a bus gives, in a word: cells, or why there are none and what would help.

Codes and parameters only; `messages.py` has the sentences. Judges what was heard, asks and opens
nothing. Offers name what a click would do on the bus, with exactly what that sends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bms_studio.status import BusWord, Offer
from protocols.frames import ERROR, TRANSMITTED, Frames
from protocols.registry import load

USUAL_BITRATES = (500_000, 250_000, 1_000_000, 125_000)
# Asked for when a bus is silent: the others broadcast at least something by themselves.
SILENT_UNTIL_ASKED = ("daly", "jbd")
_REPEATED_HZ = 200.0  # nothing that is acknowledged comes this often with nothing else beside it
_REPEATED_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class Heard:
    """The facts of some seconds of listening.

    frames: what came in that time (their own frames and errors included); mode: of the bus;
    errors: error frames, and errors that the adapter told of otherwise; protocol, title, cells:
    what was recognised ("" and 0: nothing); asking: state of the questions, other_id: who else
    asks (-1 nobody); refused: whether the named protocol has no answer for us yet.
    """

    frames: Frames
    seconds: float
    mode: str
    bitrate: int
    errors: int = 0
    bus_state: str = ""
    protocol: str = ""
    title: str = ""
    cells: int = 0
    asking: str = ""
    other_id: int = -1


def judge(heard: Heard, tried: Sequence[int] = ()) -> BusWord | None:
    """Why there are no cells, and what would help; None where all is well or it is too early.

    tried: bitrates at which nobody was heard, where they were searched.
    """
    if heard.asking == "yielding":
        about: dict[str, float | str | int] = {"id": f"{heard.other_id:X}"}
        return BusWord("bus.other_tester", about, "bus.other_tester.remedy", (Offer("hush"),))
    if heard.bus_state == "off":
        return BusWord("bus.off", {}, "bus.off.remedy")
    flags = heard.frames.flags
    good = heard.frames[(flags & (ERROR | TRANSMITTED)) == 0]
    if not len(good):
        return _nothing(heard, tried)
    if _repeated(good, heard):
        about = {"id": f"{int(good.id[0]):X}", "rate": len(good) / max(heard.seconds, 1e-3)}
        offers = (Offer("acknowledge"),) if heard.mode == "listen" else ()
        remedy = "alone" if heard.mode == "listen" else "acknowledged"
        return BusWord("bus.repeated", about, f"bus.repeated.{remedy}", offers)
    if heard.cells:
        if not heard.asking:
            return None
        return BusWord("bus.asking", {"protocol": heard.title}, "", (Offer("hush"),))
    if heard.protocol:
        return _known(heard)
    about = {"ids": len(np.unique(good.id)), "rate": len(good) / max(heard.seconds, 1e-3)}
    return BusWord("bus.no_bms", about, "bus.no_bms.remedy")


def _nothing(heard: Heard, tried: Sequence[int]) -> BusWord:
    rates = sorted(tried) or [heard.bitrate]
    about: dict[str, float | str | int] = {
        "bitrates": ", ".join(f"{rate / 1000:g}" for rate in rates),
        "errors": heard.errors,
    }
    if heard.errors:
        alone = heard.mode == "listen"
        remedy = "bus.errors.alone" if alone else "bus.errors.remedy"
        offers = (Offer("acknowledge"),) if alone else _other_bitrates(heard)
        return BusWord("bus.errors", about, remedy, offers)
    if heard.asking:
        mute = heard.asking == "unanswered"
        return BusWord(
            "bus.mute" if mute else "bus.waiting",
            about,
            "bus.mute.remedy" if mute else "bus.waiting.remedy",
            (Offer("hush"), *(_other_bitrates(heard) if mute else ())),
        )
    if heard.mode == "listen":
        offers = (Offer("acknowledge"), *silent_offers())
        return BusWord("bus.silent", about, "bus.silent.alone", offers)
    offers = (*silent_offers(), *_other_bitrates(heard))
    return BusWord("bus.silent", about, "bus.silent.acknowledged", offers)


def _known(heard: Heard) -> BusWord | None:
    """A protocol that was recognised, or named by the person, and gives no cells."""
    offer = ask_offer(heard.protocol) if not heard.asking else None
    about: dict[str, float | str | int] = {"protocol": heard.title or heard.protocol}
    if offer is not None:
        return BusWord("bus.must_be_asked", about, "bus.must_be_asked.remedy", (offer,))
    if heard.asking == "unanswered":
        return BusWord("bus.mute", about, "bus.mute.remedy", (Offer("hush"),))
    return None


def _repeated(good: Frames, heard: Heard) -> bool:
    """One frame over and over: its sender gets no acknowledge and tries again at once."""
    if len(good) < _REPEATED_HZ * max(heard.seconds, 0.5):
        return False
    same = (good.id == good.id[-1]) & (good.data == good.data[-1]).all(axis=1)
    return bool(np.mean(same) >= _REPEATED_SHARE)


def _other_bitrates(heard: Heard) -> tuple[Offer, ...]:
    """The next usual bitrate, round and round."""
    rates = USUAL_BITRATES
    at = rates.index(heard.bitrate) if heard.bitrate in rates else -1
    return (Offer("bitrate", bitrate=rates[(at + 1) % len(rates)]),)


def silent_offers() -> tuple[Offer, ...]:
    """Asking those protocols that say nothing by themselves."""
    return tuple(o for o in map(ask_offer, SILENT_UNTIL_ASKED) if o is not None)


def ask_offer(name: str) -> Offer | None:
    """What asking this protocol sends; None for one that has no questions."""
    protocol = load(name)
    if not protocol.polls:
        return None
    always = [p for p in protocol.schedule if p.only_after is None]
    ids = {p.id for p in protocol.schedule}
    ids |= {p.flow_control_id for p in protocol.polls if p.flow_control_id is not None}
    width = 8 if any(p.extended for p in protocol.polls) else 3
    return Offer(
        "ask",
        protocol=name,
        title=protocol.title,
        bitrate=protocol.bitrates[0],
        ids=_in_short(sorted(ids), width),
        per_second=round(sum(1.0 / poll.period_s for poll in always), 1),
    )


def _in_short(ids: Sequence[int], width: int) -> tuple[str, ...]:
    """Identifiers as text; those that differ by an address only as "first - last"."""
    groups: dict[int, list[int]] = {}
    for frame_id in ids:
        groups.setdefault(frame_id & ~0xF00 if width == 8 else frame_id, []).append(frame_id)
    return tuple(
        f"{group[0]:0{width}X}" + (f" - {group[-1]:0{width}X}" if len(group) > 1 else "")
        for group in groups.values()
    )
