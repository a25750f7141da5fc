"""What can go wrong with a file, as exceptions whose text is one sentence for people."""


class UnreadableRecording(ValueError):
    """Not a recording that can be read, or one that is refused; exit status 3."""


class UnreadableLog(ValueError):
    """Not a log that can be read, or one that is refused; exit status 3."""


class Cancelled(Exception):
    """The caller's `cancelled()` said yes; nothing was left behind."""


class NotVerified(OSError):
    """What was read back is not what was written; the part file is gone, the source untouched."""


class TooLarge(Exception):
    """A single read beyond the limit; the reader turns it into a ValueError."""
