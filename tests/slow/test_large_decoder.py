"""GPT2-medium's size on a CPU: a step of the training and of the search, and a text, within 12 GB."""

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

LIMIT_BYTES = 12e9
PROGRAM = """
import json, resource
import torch
from autolora.problem import Problem
from autolora.rank_search.search import search
from autolora.rank_search.config import SearchConfig
from autolora.training.config import TrainingConfig
from baselines.lora import Lora
from benchmarks.core import registry
from benchmarks.tasks.families.beam_search import Beam, beam_search
from benchmarks.data.models.backbones import open_backbone

task, backbone = registry.task("e2e"), open_backbone("random:gpt2-medium")
prepared = task.prepare(task.load("embedded"), backbone.tokenizer, 256)
problem = Problem(
    build_model=backbone.builder(0, 0, head="language", label_smoothing=0.1, checkpointing=True),
    train=prepared.train[:32], collate=prepared.collate, groups=prepared.groups[:32], head=(),
)
training = TrainingConfig(steps=1, batch_size=16, micro_batches=4)
model = Lora(training=training).train(problem).model
prompt = prepared.train[0]["input_ids"][: prepared.train[0]["prompt"]]
(text,) = beam_search(model, [prompt], Beam(), new_tokens=16, runtime=problem.runtime)
del model
found = search(problem, SearchConfig(training=training))
print(json.dumps({
    "parameters": backbone.parameters,
    "written": len(text),
    "ranks": len(found.ranks),
    "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_gpt2_medium_takes_a_step_and_writes_within_12_gb() -> None:
    done = subprocess.run(  # noqa: S603  the program is our own
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["parameters"] == 354_823_168
    assert found["ranks"] == 48
    assert found["written"] <= 16
    assert found["peak"] < LIMIT_BYTES
