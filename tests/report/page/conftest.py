from pathlib import Path

import pytest

from benchmarks.store.published import RESULTS


@pytest.fixture(scope="session")
def some_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real results of two tasks and four methods: enough for every part of a page."""
    folder = tmp_path_factory.mktemp("results")
    for task in ("cola", "rte"):
        for method in ("full", "adapter", "lora", "autolora"):
            (folder / task).mkdir(exist_ok=True)
            (folder / task / method).symlink_to(RESULTS / "reference" / "small" / task / method)
    return folder
