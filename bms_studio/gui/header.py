"""What stands above every page: top bar and verdict strip, put into words from the status.

Words only; the widgets paint them.
"""

import math
from dataclasses import replace

from bms_studio.gui.readings import number
from bms_studio.gui.risk_words import duration_words
from bms_studio.language import language, languages, text
from bms_studio.messages import render, render_all
from bms_studio.status import LinkStatus, PackStatus, RecordingStatus, Status
from widgets.top_bar import TopBarState
from widgets.verdict_strip import VerdictText

_DAYS_S = 172_800.0
_SEVERITY = {
    "OK": "ok",
    "WATCH": "watch",
    "REPAIR": "warn",
    "REPLACE": "high",
    "STOP": "stop",
    "NOT_ENOUGH_DATA": "",
}
_MODE_TONES = {"listen": "ok", "acknowledge": "accent", "active": "warn", "replay": "accent"}
_LINK_STATES = {
    "idle": "none",
    "connecting": "connecting",
    "connected": "connected",
    "stale": "stale",
    "lost": "lost",
    "reconnecting": "connecting",
    "replay": "replay",
}


def verdict_word(code: str) -> str:
    """The word in the strip's frame."""
    return {
        "OK": text("OK"),
        "WATCH": text("WATCH"),
        "REPAIR": text("REPAIR"),
        "REPLACE": text("REPLACE"),
        "STOP": text("STOP – DO NOT CHARGE"),
    }.get(code, text("NOT ENOUGH DATA"))


def mode_word(mode: str) -> str:
    """The bus mode as it is named on screen."""
    return {
        "listen": text("LISTEN"),
        "acknowledge": text("ACKNOWLEDGE"),
        "active": text("ACTIVE"),
        "replay": text("REPLAY"),
    }.get(mode, mode.upper())


def no_pack() -> VerdictText:
    """The strip while nothing is open."""
    return VerdictText(
        word=verdict_word(""),
        headline=text("No pack yet"),
        detail=text("Next: {action}", action=render("action.connect")),
    )


def verdict_text(status: Status, evidence: str, has_current: bool) -> VerdictText:
    """The strip for a pack. evidence: how much has been seen, already in words; has_current: a
    current is known, so that its sign matters."""
    verdict = status.verdict
    if verdict is None:
        word, severity, headline, detail = verdict_word(""), "", text("Listening…"), ""
    else:
        word, severity = verdict_word(verdict.code), _SEVERITY.get(verdict.code, "")
        headline = render(*verdict.headline)
        # Connected already: what is missing stands in the strip below, with what would help.
        pointless = verdict.next_action[0] == "action.connect" and status.bus is not None
        action = render(*verdict.next_action)
        parts = [] if pointless else [text("Next: {action}", action=action)]
        if verdict.checked:
            parts.append(text("Checked: {checks}", checks=render_all(verdict.checked)))
        if verdict.not_checked:
            parts.append(text("Not checked: {checks}", checks=render_all(verdict.not_checked)))
        detail = "   ".join(parts)
    sign = sign_words(status.pack) if has_current else ""
    state = " · ".join(w for w in (use_words(status.pack.state), evidence, sign) if w)
    return VerdictText(
        word=word,
        severity=severity,
        headline=headline,
        detail=detail,
        identity=identity_words(status.pack),
        state=state,
        tag=text("SIMULATED") if status.link.simulated else "",
    )


def identity_words(pack: PackStatus) -> str:
    """Who the pack is: "Pack 7F-0233 · 20s NMC 31 Ah"; only what is known."""
    name = pack.serial or pack.name
    who = text("Pack {name}", name=name) if name else text("Unknown pack")
    what = [f"{pack.cells}s" if pack.cells else "", pack.chemistry]
    if pack.capacity_ah > 0:
        what.append(f"{pack.capacity_ah:g} Ah")
    return " · ".join(part for part in (who, " ".join(w for w in what if w)) if part)


def use_words(state: str) -> str:
    """Rest, ride or charge."""
    words = {"rest": text("resting"), "ride": text("riding"), "charge": text("charging")}
    return words.get(state, "")


def sign_words(pack: PackStatus) -> str:
    """What is known of the current's sign, when that matters."""
    if pack.sign == "contradicts":
        return text("current sign contradicts the voltages")
    return text("current sign unverified") if pack.sign == "unverified" else ""


def top_bar(status: Status | None, now_ns: int, can_record: bool) -> TopBarState:
    """The top bar's words; None while nothing is open."""
    common = TopBarState(
        product="BMS Studio", language=languages()[language()], settings=text("Menu")
    )
    if status is None:
        return replace(common, adapter=text("Not connected"), change=text("Connect…"), link="none")
    link = status.link
    replay = link.state == "replay"
    return replace(
        common,
        link=_LINK_STATES.get(link.state, "none"),
        adapter=adapter_words(link),
        protocol=status.protocol or ("" if replay else text("finding the protocol")),
        protocol_hint=text("What the signals mean…"),
        mode=mode_word("replay" if replay else link.mode),
        mode_tone=_MODE_TONES.get("replay" if replay else link.mode, "accent"),
        change=text("Change…"),
        rate="" if replay else text("{rate} frames/s", rate=grouped(link.frames_per_s)),
        load="" if replay else _bus_load(link),
        load_hint="" if replay else bus_words(link),
        load_tone="high" if link.bus_state == "off" else "muted",
        lost=text("{count} lost", count=grouped(link.lost)),
        lost_tone="high" if link.lost else "muted",
        recording=status.recording.state == "recording",
        record=recording_words(status.recording, now_ns) if can_record else "",
        record_tone="high" if status.recording.state in ("failed", "disk-full") else "text",
        record_button=_record_button(status.recording) if can_record else "",
        mark=text("Mark") if can_record else "",
    )


def _bus_load(link: LinkStatus) -> str:
    """Load of the bus, or that the adapter does not take part in it."""
    if link.bus_state == "off":
        return text("bus-off")
    return text("bus {load} %", load=number(100 * link.bus_load, 0))


def bus_words(link: LinkStatus) -> str:
    """Load, errors, state of the adapter's controller and where frames were lost, line by line."""
    states = {
        "active": text("the adapter takes part without errors"),
        "warning": text("errors on the bus"),
        "passive": text("many errors on the bus (error passive)"),
        "off": text("bus-off: the adapter is opened again by itself"),
    }
    lines = [
        text("Bus load at least {load} %", load=number(100 * link.bus_load, 1)),
        text("{count} bus errors", count=grouped(link.errors)),
        states.get(link.bus_state, text("this adapter does not tell its bus state")),
        text("{count} times bus-off", count=link.bus_offs) if link.bus_offs else "",
        *(
            text("{count} frames lost ({stage})", count=grouped(lost), stage=stage)
            for stage, lost in link.dropped
            if lost
        ),
    ]
    return "\n".join(line for line in lines if line)


def adapter_words(link: LinkStatus) -> str:
    """Adapter, bitrate and, when it is not well, its state."""
    states = {
        "connecting": text("connecting…"),
        "stale": text("no frames"),
        "lost": text("adapter gone"),
        "reconnecting": text("reconnecting…"),
    }
    bitrate = f"{link.bitrate / 1000:g} kbit/s" if link.bitrate else ""
    # A replay's interface is the recording's name; live, the channel tells adapters apart.
    name = link.interface if link.state == "replay" else link.channel or link.interface
    return " · ".join(part for part in (name, bitrate, states.get(link.state, "")) if part)


def recording_words(recording: RecordingStatus, now_ns: int) -> str:
    """What the pill beside the record button says."""
    if recording.state == "recording":
        seconds = max(0, now_ns - recording.since_ns) // 1_000_000_000
        return text("Recording {duration}", duration=hms(seconds))
    if recording.state == "building":
        return text("Saving {percent} %", percent=number(100 * recording.progress, 0))
    return {
        "saved": text("Saved"),
        "failed": text("Not recording: failed"),
        "disk-full": text("Not recording: disk full"),
    }.get(recording.state, text("Not recording"))


def _record_button(recording: RecordingStatus) -> str:
    return text("Stop") if recording.running else text("Record")


def seen_for(seconds: float) -> str:
    """How long something was seen: to the second, or in days where it is weeks."""
    return hms(int(seconds)) if seconds < _DAYS_S else duration_words(seconds)


def hms(seconds: int) -> str:
    """00:14:32."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def grouped(value: float) -> str:
    """1 842, with thin groups; a dash when unknown."""
    return "–" if math.isnan(value) else f"{value:,.0f}".replace(",", "\u202f")
