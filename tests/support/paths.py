"""Where things lie that tests read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""This repository."""
SHARED = ROOT.parent / "shared"
"""Real data and reference values, where there are any; tests that need them are skipped without."""
