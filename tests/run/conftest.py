from pathlib import Path

import pytest

from tests.support import fakes


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that run the fake task with the fake methods; results lie in `runs` of the test's folder."""
    fakes.install(monkeypatch.setattr)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return ["run", "--preset", str(fakes.write_preset(tmp_path)), "--tasks", "coin", "--runs", str(tmp_path / "runs")]
