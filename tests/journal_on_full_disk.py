"""Run by test_journal.py: write, run into a limit of the file size, get room again, write on."""

import json
import resource
import sys
import time
from pathlib import Path

from recordings.journal import JournalWriter
from tests.test_journal import numbered


def main() -> None:
    folder, most = Path(sys.argv[1]), int(sys.argv[2])
    writer = JournalWriter(folder, {})
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, unlimited[1]))
    for first in range(0, 2000, 100):
        writer.append(numbered(100, first))
    writer.flush()
    error = writer.error
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    time.sleep(0.6)
    for first in range(2000, 3000, 100):
        writer.append(numbered(100, first))
    writer.close()
    counts = writer.counts
    answer = {
        "offered": counts.offered,
        "written": counts.written,
        "refused": counts.refused,
        "error_while_full": error,
        "error_after": writer.error,
    }
    sys.stdout.write(json.dumps(answer))


main()
