"""The public names of `autolora`, and what importing them costs."""

import subprocess
import sys

import pytest

import autolora
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", autolora.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(autolora, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="serch"):
        _ = autolora.serch  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_torch() -> None:
    code = (
        "import sys, autolora; assert 'torch' not in sys.modules; from autolora import search; assert callable(search)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # noqa: S603  our own words
