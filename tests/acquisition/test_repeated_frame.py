"""A pack alone on its cable, whose one frame nobody acknowledges: real program, real terminal."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.acquisition.stick import Stick

FRAME = b"t35680A1B2C3D4E5F6070\r"


def test_one_endlessly_repeated_frame_leads_to_the_question_whether_the_pack_is_alone(
    stick: Stick, tmp_path: Path
) -> None:
    ended = threading.Event()

    def repeat() -> None:
        stick.open.wait(30.0)
        while not ended.is_set():
            with contextlib.suppress(BlockingIOError):  # the reader is gone
                os.write(stick.master, FRAME * 20)
            time.sleep(0.01)  # about 2000 frames a second: nothing else fits between

    sender = threading.Thread(target=repeat, daemon=True)
    sender.start()
    target = tmp_path / "alone.h5"
    command = [sys.executable, "-m", "bms_studio", "record", "-i", "slcan", "-c", str(stick.link)]
    try:
        done = subprocess.run(
            [*command, "--seconds", "5", "-o", str(target)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        ended.set()
        sender.join(10.0)
    words = done.stdout + done.stderr
    assert done.returncode == 0, words
    assert "356" in words
    assert "alone" in words
    assert b"O" not in stick.commands, "it only listened"
    assert target.exists()
