# ruff: noqa: S603  the commands are our own

import subprocess
import sys

import pytest

from benchmarks.core import registry
from benchmarks.core.spec import InputError
from tests.support import fakes


def test_tasks_and_methods_are_found_by_their_files_names() -> None:
    assert {"cola", "stsb", "wnli"} <= set(registry.task_names())
    assert {"full", "adapter", "lora", "adalora", "autolora"} <= set(registry.method_names())


def test_hyphens_stand_for_underscores() -> None:
    assert registry.canonical(" lora-grid ") == "lora_grid"


def test_other_packages_add_tasks_and_methods_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(monkeypatch.setattr)
    assert registry.task("coin") is fakes.COIN
    assert registry.method("steady") is fakes.Steady
    assert "cola" in registry.task_names()


def test_an_unknown_name_is_answered_with_the_nearest_known_ones() -> None:
    with pytest.raises(InputError, match="unknown task 'colla'; did you mean cola"):
        registry.task("colla")
    with pytest.raises(InputError, match=r"unknown method 'zzz'; known: .*autolora"):
        registry.method("zzz")


def test_listing_names_loads_no_torch() -> None:
    script = (
        "import sys; from benchmarks.core import registry; registry.task_names(); registry.method_names();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
