"""Every test runs without network, and on one thread: tiny tensors lose more to threads than they gain."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # before every test: a command may have set the machine's number
