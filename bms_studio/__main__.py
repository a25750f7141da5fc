"""The program `bms-studio`: hands the command line to `bms_studio.commands`. Nothing heavy here."""

import sys


def main() -> int:
    """Run the command line of this process; the exit status."""
    from bms_studio.commands import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
