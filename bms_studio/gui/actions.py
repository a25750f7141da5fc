"""Every action of the window in one table: menu, keys, tooltips, help and palette read it.

Words and keys only; what an action does stands in the window.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """name: how code calls it; label: English, a key of the catalogue; keys: Qt's portable text;
    section: heading in help and menu; needs: "", "pack", "live" or "replay"."""

    name: str
    label: str
    keys: tuple[str, ...] = ()
    section: str = "View"
    needs: str = ""


ACTIONS: tuple[Action, ...] = (
    Action("open", "Open a recording or log…", ("Ctrl+O",), "Pack"),
    Action("database", "Add a database…", ("Ctrl+Shift+O",), "Pack", "pack"),
    Action("receipt", "Import receipt…", (), "Pack", "replay"),
    Action("share", "Save a copy to share…", (), "Pack", "replay"),
    Action("connect", "Connect to a pack…", ("F5",), "Pack"),
    Action("disconnect", "Disconnect", ("Shift+F5",), "Pack", "pack"),
    Action("demo", "Demo: a simulated pack", (), "Pack"),
    Action("record", "Record, or stop recording", ("Ctrl+R",), "Pack", "live"),
    Action("keep_alerts", "Keep half a minute around alerts: on or off", (), "Pack"),
    Action("mark", "Mark this moment", ("M",), "Pack", "pack"),
    Action("reset_extremes", "Reset the extreme deviations", (), "Pack", "pack"),
    Action("mapping", "What the signals mean…", ("Ctrl+M",), "Pack", "pack"),
    Action("analyse", "Run the analysis again…", ("Ctrl+Shift+A",), "Pack", "pack"),
    Action("check", "Check the pack…", ("Ctrl+K",), "Pack", "live"),
    Action("report", "Report…", ("Ctrl+P",), "Pack", "pack"),
    Action("compare", "Compare with an earlier visit…", (), "Pack", "pack"),
    Action("quit", "Quit", ("Ctrl+Q",), "Pack"),
    Action("play", "Play or pause; freeze when live", ("Space",), "Time", "pack"),
    Action("step_back", "One sample back", ("Left",), "Time", "pack"),
    Action("step_forward", "One sample forward", ("Right",), "Time", "pack"),
    Action("second_back", "One second back", ("Shift+Left",), "Time", "pack"),
    Action("second_forward", "One second forward", ("Shift+Right",), "Time", "pack"),
    Action("slower", "Replay slower", ("[",), "Time", "replay"),
    Action("faster", "Replay faster", ("]",), "Time", "replay"),
    Action("loop", "Repeat the replay", (), "Time", "replay"),
    Action("start", "To the beginning", ("Home",), "Time", "pack"),
    Action("end", "To the end", ("End",), "Time", "pack"),
    Action("live", "Back to live", ("L",), "Time", "pack"),
    Action("autorange", "Fit the plots to their data", ("A",), "View", "pack"),
    Action("measure", "Measure a range", ("R",), "View", "pack"),
    Action("find_cell", "Find a cell", ("Ctrl+F",), "View", "pack"),
    Action("plot_cell", "Plot the cell chosen", ("P",), "View", "pack"),
    Action("picture", "Save a picture…", ("Ctrl+E",), "View"),
    Action("drawer", "Show or hide the right column", ("Ctrl+D",), "View", "pack"),
    Action("theme", "Switch between dark and light", ("Ctrl+T",), "View"),
    Action("language", "Switch the language", ("Ctrl+L",), "View"),
    Action("full_screen", "Full screen", ("F11",), "View"),
    Action("palette", "Find an action…", ("Ctrl+Shift+P",), "Help"),
    Action("help", "Keys and help", ("F1",), "Help"),
    Action("log_folder", "Open the log folder", (), "Help"),
    Action("diagnostic_zip", "Save a diagnostic zip…", (), "Help"),
)

SECTIONS = ("Pack", "Time", "View", "Help")
PAGE_KEYS = tuple(f"Ctrl+{number}" for number in range(1, 10))
