"""The table of docs/regression.md is what its command prints."""

import re

import pytest

from benchmarks.cli.main import main
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def test_the_table_of_power_is_what_its_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "regression.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- python -m benchmarks judge power -->\n```\n(.*?)```\n<!-- end -->", page, re.DOTALL)
    assert main(["judge", "power"]) == 0
    assert capsys.readouterr().out == shown
