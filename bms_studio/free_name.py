"""Names that are not taken: nothing that was recorded is overwritten. No Qt."""

from pathlib import Path


def free_name(path: Path, between: str = "-", number: int = 2) -> Path:
    """The first of "stem-2.h5", "stem-3.h5" … beside `path` that does not exist."""
    while (free := path.with_name(f"{path.stem}{between}{number}{path.suffix}")).exists():
        number += 1
    return free
