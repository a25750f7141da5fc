"""Moving in time: play, pause, step, speed, loop, scrub, freeze, back to live; one rule for all.

The right edge of the view is the present: what tiles, grid and trace show. While following it is
now (live) or the playhead (replay); looking elsewhere detaches it; playing or stepping a replay
begins at the present. Wires the timeline bar and the keys to the view.
"""

from PySide6.QtCore import QObject

from bms_studio.gui.alert_words import shades, shown_severity
from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import PackView, Playable
from bms_studio.gui.page import Context
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.phrases import retell
from widgets.axes import TimeMode
from widgets.timeline_bar import TimelineBar
from widgets.timeline_track import TimelineEvent, TimelineMark, TimelineSpan

SECOND_NS = 1_000_000_000
_THE_END_NS = 1 << 62
_FIRST_LOOK_NS = 60 * SECOND_NS
_YOUNG_NS = (15 * SECOND_NS, 30 * SECOND_NS)
_EVENT_SEVERITY = {
    "gap": "watch",
    "drop": "warn",
    "clock-step": "watch",
    "lost": "warn",
    "disk-full": "high",
    "pack-changed": "warn",
    "bms-alarm": "warn",
}
_MOST_SHOWN = 500
_EVENT_TICKS = 5


def timeline_texts() -> dict[str, str]:
    """The words of the timeline bar, in the reader's language."""
    return {
        "live": text("LIVE"),
        "live_tip": text("Back to live"),
        "timeline": text("Timeline"),
        "play": text("Play"),
        "pause": text("Pause"),
        "slower": text("Replay slower"),
        "faster": text("Replay faster"),
        "loop": text("Repeat the replay"),
        "speed": text("Speed"),
    }


class Transport(QObject):
    """Live and replay behind the same keys and the same bar."""

    def __init__(self, context: Context, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.bar: TimelineBar | None = None
        self._shown: tuple[object, ...] = ()
        self._given_span_ns = _FIRST_LOOK_NS
        self._ticks = 0

    # -- what is played ------------------------------------------------------------------------

    @property
    def replay(self) -> Playable | None:
        """The view, when it is a recording."""
        view = self.context.view
        return view if isinstance(view, Playable) else None

    def view_changed(self) -> None:
        """Another view: live follows now, a recording first shows its last minute: there all that
        can be said of the pack is known. Space plays it from the start."""
        view, time = self.context.view, self.context.time
        if view is None:
            return
        time.set_range(None)
        # A replay begins at its start; live times are told by the clock on the wall.
        time.set_mode(TimeMode.ELAPSED if self.replay else TimeMode.CLOCK, view.now_ns)
        if self.replay is not None:
            self.replay.seek(_THE_END_NS)
        time.set_now(view.now_ns)
        self._given_span_ns = _FIRST_LOOK_NS if self.replay else _YOUNG_NS[0]
        time.follow(self._given_span_ns)
        self._shown = ()

    # -- the bar -------------------------------------------------------------------------------

    def attach(self, bar: TimelineBar) -> None:
        """Use this bar from now on (the window is rebuilt when the language changes)."""
        self.bar = bar
        bar.set_texts(timeline_texts())
        bar.window_changed.connect(self.context.time.set_view)
        bar.playhead_moved.connect(self.seek)
        bar.live_clicked.connect(self.live)
        bar.play_toggled.connect(self._play_toggled)
        bar.speed_changed.connect(self._set_speed)
        bar.loop_toggled.connect(self._set_loop)
        self._shown = ()

    def refresh(self) -> None:
        """Bring view and bar up to date; on every tick."""
        view, time, bar = self.context.view, self.context.time, self.bar
        if view is None or bar is None:
            return
        time.set_now(view.now_ns)
        replay = self.replay
        self._fit_span(view)
        span = view.timeline.span() or (view.now_ns, view.now_ns)
        end = span[1] if replay else max(span[1], view.now_ns)
        bar.set_extent(span[0], end)
        bar.set_window(max(time.t0_ns, span[0]), max(min(time.t1_ns, end), span[0]))
        bar.set_live(time.following)
        if replay is not None:
            bar.set_playhead(self.context.present_ns)
            if bar.play.isChecked() != replay.playing:
                bar.set_playing(replay.playing)
        self._ticks += 1
        if self._ticks % _EVENT_TICKS == 0 or not self._shown:
            self._show_events(view)

    def _fit_span(self, view: PackView) -> None:
        """Until a person chooses a span, it grows with what there is, up to a minute."""
        time, span = self.context.time, view.timeline.span()
        if span is None or not time.following or time.span_ns != self._given_span_ns:
            return
        if self.replay is not None and not self.replay.filled.is_set():
            return
        age = (span[1] if self.replay is not None else view.now_ns) - span[0]
        wanted = next((step for step in _YOUNG_NS if age <= step), _FIRST_LOOK_NS)
        if wanted != time.span_ns:
            self._given_span_ns = wanted
            time.follow(wanted)

    def show_kind(self) -> None:
        """Buttons of replay or of live."""
        bar, replay = self.bar, self.replay
        if bar is None:
            return
        bar.set_replay(replay is not None)
        if replay is not None:
            bar.set_speed(replay.speed)
            bar.set_loop(replay.loop)
            bar.set_playing(replay.playing)

    def _show_events(self, view: PackView) -> None:
        bar = self.bar
        findings, events = view.findings, view.timeline.events
        key = (id(view), len(events), tuple((f.id, f.state, f.time) for f in findings))
        if key == self._shown or bar is None:
            return
        self._shown = key
        marks = [e for e in events if e.kind == "mark"]
        bar.set_marks([TimelineMark(e.time, e.text) for e in marks[-_MOST_SHOWN:]])
        shown = [
            TimelineEvent(
                e.time, _EVENT_SEVERITY[e.kind], f"{clock(e.time)}  {retell(e.text) or e.kind}"
            )
            for e in events
            if e.kind in _EVENT_SEVERITY
        ]
        shown += [
            TimelineEvent(
                f.start,
                shown_severity(f),
                f"{clock(f.start)}  {render(f.code, f.parameters, f.text)}",
            )
            for f in findings
        ]
        bar.set_events(shown[-_MOST_SHOWN:])
        bar.set_spans([TimelineSpan(s.t0_ns, s.t1_ns, s.tone) for s in shades(view)])

    # -- deeds ---------------------------------------------------------------------------------

    def play_or_pause(self) -> None:
        """Replay: play or pause. Live: freeze what is shown, or follow again."""
        replay, time = self.replay, self.context.time
        if replay is None:
            if time.following:
                time.set_view(time.t0_ns, time.t1_ns)
            else:
                time.follow()
        elif replay.playing:
            replay.pause()
        else:
            self._from_the_present()
            replay.play()

    def seek(self, t: int) -> None:
        """Put the playhead at t and follow it; live: look there."""
        replay, time = self.replay, self.context.time
        if replay is None:
            time.set_view(t - time.span_ns, t)
            return
        replay.seek(t)
        view = self.context.view
        assert view is not None
        time.set_now(view.now_ns)
        time.follow()

    def step(self, count: int) -> None:
        """One sample back (-1) or forward (1)."""
        replay = self.replay
        if replay is None:
            self._look(self._neighbour(count))
            return
        self._from_the_present()
        replay.step(count)
        self._follow_playhead()

    def jump(self, seconds: int) -> None:
        """Seconds back or forward."""
        t = self.context.present_ns + seconds * SECOND_NS
        if self.replay is None:
            self._look(t)
        else:
            self.seek(t)

    def speed(self, direction: int) -> None:
        """Next faster (1) or slower (-1); only in replay."""
        if self.replay is not None and self.bar is not None:
            self.bar.step_speed(direction)

    def toggle_loop(self) -> None:
        """Repeat or not; only in replay."""
        if self.replay is not None and self.bar is not None:
            self.bar.set_loop(not self.replay.loop)
            self._set_loop(not self.replay.loop)

    def to_start(self) -> None:
        """The beginning of what is held."""
        view, time = self.context.view, self.context.time
        span = view.timeline.span() if view is not None else None
        if span is None:
            return
        if self.replay is None:
            time.set_view(span[0], span[0] + time.span_ns)
        else:
            self.seek(span[0])

    def to_end(self) -> None:
        """Live: now. Replay: the end."""
        view = self.context.view
        span = view.timeline.span() if view is not None else None
        if self.replay is None:
            self.live()
        elif span is not None:
            self.seek(span[1])

    def live(self) -> None:
        """Follow now, or the playhead."""
        self.context.time.follow()

    def _look(self, t: int | None) -> None:
        time = self.context.time
        if t is not None:
            time.set_view(t - time.span_ns, min(t, time.now_ns))

    def _neighbour(self, count: int) -> int | None:
        """Time of the scan before or after the present."""
        view = self.context.view
        if view is None:
            return None
        t = self.context.present_ns
        t0, t1 = (t + 1, t + 10 * SECOND_NS) if count > 0 else (t - 10 * SECOND_NS, t - 1)
        group = "cells" if view.timeline.rows("cells") else "pack"
        moments, _ = view.timeline.raw(group, t0, t1)
        if not len(moments):
            return None
        return int(moments[0] if count > 0 else moments[-1])

    def _from_the_present(self) -> None:
        """A detached view becomes the playhead."""
        if self.replay is not None and not self.context.time.following:
            self.seek(self.context.present_ns)

    def _follow_playhead(self) -> None:
        view = self.context.view
        if view is not None:
            self.context.time.set_now(view.now_ns)
            self.context.time.follow()

    def _play_toggled(self, playing: bool) -> None:
        replay = self.replay
        if replay is not None and playing != replay.playing:
            self.play_or_pause()

    def _set_speed(self, speed: float) -> None:
        if self.replay is not None:
            self.replay.set_speed(speed)

    def _set_loop(self, loop: bool) -> None:
        if self.replay is not None:
            self.replay.loop = loop
