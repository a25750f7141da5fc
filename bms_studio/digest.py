"""Fingerprints of the files that a recording was made from. No Qt."""

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


def sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_BLOCK):
            digest.update(piece)
    return digest.hexdigest()
