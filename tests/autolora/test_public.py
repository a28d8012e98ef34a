"""The public names of `autolora`, and what importing them costs."""

import dataclasses
import inspect
import pydoc
import re
import subprocess
import sys

import pytest

import autolora
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", autolora.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(autolora, name).__doc__


@pytest.mark.parametrize("name", autolora.__all__)
def test_every_argument_and_every_field_of_a_public_name_is_documented(name: str) -> None:
    public = getattr(autolora, name)
    if dataclasses.is_dataclass(public):
        source = inspect.getsource(public)
        wanted = [field.name for field in dataclasses.fields(public)]
        missing = [
            field
            for field in wanted
            if not re.search(rf'^    {field}:.*(\n(?!    \w).*)*?\n    """', source, re.MULTILINE)
        ]
    else:
        wanted = list(inspect.signature(public).parameters) if inspect.isfunction(public) else []
        missing = [argument for argument in wanted if not re.search(rf"\b{argument}\b", public.__doc__)]
    assert not missing


def test_the_help_of_find_ranks_fits_a_screen() -> None:
    assert len(pydoc.render_doc(autolora.find_ranks).splitlines()) <= 50


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="serch"):
        _ = autolora.serch  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_torch() -> None:
    code = (
        "import sys, autolora; assert 'torch' not in sys.modules; from autolora import search; assert callable(search)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # noqa: S603  our own words
