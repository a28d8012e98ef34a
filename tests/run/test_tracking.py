from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.run.tracking import OPTIONS
from benchmarks.store.store import Store
from tests.support import fakes


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install(monkeypatch.setattr)
    monkeypatch.chdir(tmp_path)
    for variable in ("TRACKIO_DIR", "MLFLOW_TRACKING_URI", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    preset = str(fakes.write_preset(tmp_path))
    return ["run", "--preset", preset, "--tasks", "coin", "--methods", "steady", "--workers", "1"]


@pytest.mark.parametrize("tracker", OPTIONS)
def test_a_tracker_logs_and_changes_no_result(tracker: str, options: list[str], tmp_path: Path) -> None:
    if find_spec(tracker) is None:
        pytest.skip(f"{tracker} is not installed")
    assert main([*options, "--runs", str(tmp_path / "plain")]) == 0
    assert main([*options, "--runs", str(tmp_path / "tracked"), "--set", f"run.track={tracker}"]) == 0
    plain, tracked = (next(iter(Store(folder=tmp_path / name).results())) for name in ("plain", "tracked"))
    assert plain.fingerprints == tracked.fingerprints
    assert plain.identity == tracked.identity


def test_tensorboard_has_the_loss_of_every_step_and_the_scores(options: list[str], tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert main([*options, "--runs", str(tmp_path / "tracked"), "--set", "run.track=tensorboard"]) == 0
    found = events.EventAccumulator(str(tmp_path / "tracked" / "tracking" / "coin-steady-seed-0")).Reload()
    (result,) = Store(folder=tmp_path / "tracked").results()
    assert found.Scalars("validation.accuracy")[0].value == pytest.approx(result.score)
    assert [event.value for event in found.Scalars("train/loss")] == [1.0] * len(found.Scalars("train/loss"))
    assert found.Scalars("train/loss")[-1].step == 3


def test_a_tracker_whose_package_is_missing_is_an_error_that_says_what_to_install(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.run.tracking.find_spec", lambda _: None)
    assert main([*options, "--runs", str(tmp_path), "--set", "run.track=mlflow"]) == 2
    assert "pip install mlflow" in capsys.readouterr().err


def test_an_unknown_tracker_is_answered_with_those_that_there_are(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--runs", str(tmp_path), "--set", "run.track=tensorbord"]) == 2
    assert "tensorboard" in capsys.readouterr().err
