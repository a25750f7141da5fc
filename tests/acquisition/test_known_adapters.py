"""Which adapters there are: the last one first, what keeps one from working, what is tried."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bms_studio.acquisition import client, known
from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.ports import list_adapters, listens, try_serial
from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.acquisition.system_adapters import can_links, driverless, missing_parts
from bms_studio.connection import AdapterChoice
from bms_studio.language import languages, set_language
from bms_studio.messages import TEMPLATES, render
from tests.acquisition.stick import SocketStick, answer_nothing


def sys_tree(root: Path, *, up: bool, driver: bool = True) -> Path:
    """A /sys as a candleLight adapter leaves it: USB device, interface and, with a driver, can0."""
    device = root / "devices" / "usb1" / "1-2"
    face = device / "1-2:1.0"
    face.mkdir(parents=True)
    for name, word in {
        "idVendor": "1d50",
        "idProduct": "606f",
        "product": "candleLight USB to CAN adapter",
        "serial": "0042003B",
    }.items():
        (device / name).write_text(f"{word}\n")
    listed = root / "bus" / "usb" / "devices"
    listed.mkdir(parents=True)
    (listed / "1-2").symlink_to(device)
    (root / "class" / "net").mkdir(parents=True)
    (root / "class" / "net" / "lo").mkdir()
    (root / "class" / "net" / "lo" / "type").write_text("772\n")
    if driver:
        link = face / "net" / "can0"
        link.mkdir(parents=True)
        (link / "type").write_text("280\n")
        (link / "flags").write_text("0x40081\n" if up else "0x40080\n")
        (link / "device").symlink_to(face)
        (root / "class" / "net" / "can0").symlink_to(link)
    return root


def test_a_can_link_is_listed_by_the_name_and_serial_number_of_its_adapter(tmp_path: Path) -> None:
    [link] = can_links(sys_tree(tmp_path, up=True))
    assert (link["interface"], link["channel"]) == ("socketcan", "can0")
    assert link["name"] == "candleLight USB to CAN adapter"
    assert link["serial"] == "0042003B"
    assert (link["vid"], link["pid"]) == (0x1D50, 0x606F)
    assert link["missing"] == ""
    assert driverless(tmp_path) == []


def test_a_link_that_is_down_says_how_to_bring_it_up_listening(tmp_path: Path) -> None:
    [link] = can_links(sys_tree(tmp_path, up=False))
    words = render(f"adapter.{link['missing']}", link["parameters"])
    assert "ip link set can0 up type can bitrate 500000 listen-only on" in words


def test_an_adapter_that_no_driver_took_names_its_module(tmp_path: Path) -> None:
    root = sys_tree(tmp_path, up=False, driver=False)
    assert can_links(root) == []
    [adapter] = driverless(root)
    assert adapter["serial"] == "0042003B"
    assert "modprobe gs_usb" in render(f"adapter.{adapter['missing']}", adapter["parameters"])


def test_a_system_without_sys_has_no_links(tmp_path: Path) -> None:
    assert can_links(tmp_path) == driverless(tmp_path) == []


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_what_other_systems_lack_is_said_with_its_fix(platform: str) -> None:
    parts = missing_parts(platform)
    assert bool(parts) == (platform != "linux")
    for part in parts:
        words = render(f"missing.{part['code']}", part)
        assert part["name"] in words
        assert part["fix"] in words
    if platform == "win32":
        assert any("Zadig" in part["fix"] for part in parts) or not parts


def test_the_adapter_used_last_stands_first_and_is_known_by_its_serial_number(home: Path) -> None:
    one = AdapterSettings("slcan", "/dev/ttyACM0")
    known.remember(one, "A1")
    known.remember(AdapterSettings("pcan", "PCAN_USBBUS1"), "")
    before = known.used()
    assert [e["interface"] for e in before] == ["pcan", "slcan"]
    # The same adapter in another socket, and another adapter in its old one.
    moved = {"interface": "slcan", "channel": "/dev/ttyACM3", "serial": "A1"}
    other = {"interface": "slcan", "channel": "/dev/ttyACM0", "serial": "B7"}
    assert known.place(moved, before) == 1
    assert known.place(other, before) == len(before)
    known.remember(AdapterSettings("slcan", "/dev/ttyACM3"), "A1")
    assert [e["channel"] for e in known.used()] == ["/dev/ttyACM3", "PCAN_USBBUS1"]


def test_a_damaged_memory_of_adapters_is_no_memory(home: Path) -> None:
    home.mkdir()
    for text in ("", "[1, 2", '{"a": 1}', '[3, {"interface": "slcan"}]'):
        (home / "adapters.json").write_text(text)
        assert len(known.used()) <= 1
        assert list_adapters() == list_adapters()


def test_connecting_is_remembered(home: Path) -> None:
    stick = SocketStick()
    acquisition = client.start(AdapterSettings("slcan", stick.channel), owned=True)
    acquisition.quit()
    acquisition.close()
    stick.close()
    assert known.used()[0]["channel"] == stick.channel


def test_a_port_is_tried_as_slcan_and_says_who_is_there() -> None:
    stick = SocketStick()
    assert try_serial(stick.channel) == {"name": "SLCAN V1013", "serial": "A123"}
    stick.close()
    deaf = SocketStick(answer_nothing)
    with pytest.raises(AdapterError, match="nothing there answers as an SLCAN adapter"):
        try_serial(deaf.channel)
    deaf.close()


def test_adapters_that_cannot_be_kept_from_acknowledging_say_so_before_connecting() -> None:
    assert listens("slcan") == listens("pcan") == listens("kvaser") == "yes"
    assert listens("socketcan") == "link"
    assert listens("gs_usb") == listens("ixxat") == "no"


@pytest.mark.parametrize("code", languages())
def test_all_that_can_be_missing_has_its_sentence(code: str) -> None:
    set_language(code)
    try:
        about = {"channel": "can0", "group": "dialout", "module": "gs_usb", "name": "N", "fix": "F"}
        for name in TEMPLATES:
            if name.startswith(("adapter.", "missing.")):
                assert "{" not in render(name, about)
    finally:
        set_language("en")
    assert AdapterChoice("slcan", "x", "y").listens == "yes"


def test_the_command_lists_and_tries(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "bms_studio", "adapters"]
    done = subprocess.run([*program, "--json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    wanted = {"interface", "channel", "name", "serial", "likely", "last_used", "missing", "listens"}
    for adapter in json.loads(done.stdout):
        assert wanted <= adapter.keys()
    stick = SocketStick()
    done = subprocess.run(
        [*program, "--try", stick.channel], capture_output=True, text=True, timeout=60
    )
    stick.close()
    assert done.stdout.strip() == "SLCAN V1013 A123"
    done = subprocess.run(
        [*program, "--try", str(tmp_path / "no-port")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4
    assert "cannot be opened" in done.stderr
