"""`python3 run.py bench [NAME]...`: every measurement of this folder, one after another.

Each is a script of its own and prints its own lines; this only starts them, in processes of their
own so that none warms another.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the scripts named (all without a name); 1 if one failed, 2 if there is none such."""
    scripts = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem[0] != "_"}
    if unknown := [name for name in names if name not in scripts]:
        print(
            f"There is no benchmark {unknown[0]}: there are {', '.join(scripts)}.", file=sys.stderr
        )
        return 2
    failed = []
    for name in names or scripts:
        print(f"## {name}", flush=True)
        if subprocess.run([sys.executable, str(scripts[name])], cwd=HERE.parent).returncode:
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
