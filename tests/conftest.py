"""Every test runs without network, on one thread, and in no precision that the processor only emulates."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch

from benchmarks.run.machine.environment import resolve_precision

HAS_BFLOAT16 = resolve_precision("auto", "cpu") == "bf16"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("bfloat16") and not HAS_BFLOAT16:
        pytest.skip("this processor has no bfloat16 products: it emulates them a hundred times slower than float32")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tiny tensors lose more to threads than they gain."""
    torch.set_num_threads(1)  # before every test: a command may have set the machine's number


@pytest.fixture(autouse=True)
def bfloat16_is_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a test marked `bfloat16` may use it, on whatever processor it was written."""
    enter = torch.autocast.__enter__

    def checked(context: torch.autocast) -> object:
        assert not (context._enabled and context.device == "cpu" and context.fast_dtype == torch.bfloat16), (
            "mark this test with `bfloat16`, or let it compute in float32"
        )
        return enter(context)

    if not request.node.get_closest_marker("bfloat16"):
        monkeypatch.setattr(torch.autocast, "__enter__", checked)
