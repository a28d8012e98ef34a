import time
from pathlib import Path

import pytest

from benchmarks.measure import energy
from benchmarks.measure.energy import Watts


def counters(folder: Path, *microjoules: int) -> list[Path]:
    paths = [folder / f"intel-rapl:{number}" / "energy_uj" for number in range(len(microjoules))]
    for path, value in zip(paths, microjoules, strict=True):
        path.parent.mkdir()
        path.write_text(f"{value}\n")
    return paths


def test_power_is_the_energy_of_all_packages_over_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = counters(tmp_path, 1_000_000, 5_000_000)
    clock = [0.0]
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    watts = Watts("cpu")
    with watts.measure():
        first.write_text("31000000\n")
        second.write_text("15000000\n")
        clock[0] = 2.0
    assert watts.mean == pytest.approx(20.0)


def test_a_counter_that_began_anew_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (counter,) = counters(tmp_path, 9_000_000)
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    watts = Watts("cpu")
    with watts.measure():
        counter.write_text("1\n")
    assert watts.mean is None


def test_where_nothing_reports_energy_it_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "RAPL", tmp_path)
    watts = Watts("cpu")
    with watts.measure():
        pass
    assert watts.mean is None
