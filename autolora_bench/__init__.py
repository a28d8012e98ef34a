"""The benchmark as an installed package: the command `autolora-bench`.

A wheel holds `benchmarks/`, `baselines/` and `results/` inside this package, so that no such names come up in anybody's
environment; only the command's own process and its workers see them, where a checkout has them: at the top.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).parent


def main() -> None:
    """Run the command line and leave with its exit status."""
    if (_HERE / "benchmarks").is_dir():  # installed from a wheel; a checkout has it on the path already
        sys.path.insert(0, str(_HERE))
    from benchmarks.__main__ import run  # noqa: PLC0415  found only now

    run()
