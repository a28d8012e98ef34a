"""A Llama of 1.1B parameters on a CPU: a step of LoRA and the scores of questions, within 20 GB."""

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

LIMIT_BYTES = 20e9
PROGRAM = """
import json, resource
import torch
from autolora.problem import Problem
from autolora.training.config import TrainingConfig
from baselines.lora import Lora
from benchmarks.core import registry
from benchmarks.data.models.backbones import open_backbone
from benchmarks.tasks.families.answering import answered_with

task, backbone = answered_with(registry.task("arc_easy"), "letters"), open_backbone("random:tinyllama-1.1b")
prepared = task.prepare(task.load("embedded"), backbone.tokenizer, 128)
problem = Problem(
    build_model=backbone.builder(0, 0, dropout=0.0, head="language", checkpointing=True),
    train=prepared.train[:4], collate=prepared.collate, head=(),
)
model = Lora(training=TrainingConfig(steps=1, batch_size=4, micro_batches=2)).train(problem).model
trained = [weight for name, weight in model.named_parameters() if "lora_B" in name]
scored = task.predict(model, prepared.evaluation["test"][:2], prepared, problem.runtime)
print(json.dumps({
    "adapted": len(trained),
    "changed": sum(bool(weight.abs().max() > 0) for weight in trained),
    "scores": [len(each) for each in scored.scores],
    "choices": [len(each["choices"]) for each in prepared.evaluation["test"][:2]],
    "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_llama_of_a_billion_parameters_takes_a_step_and_answers_within_20_gb() -> None:
    done = subprocess.run(  # noqa: S603  the program is our own
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["changed"] == found["adapted"] == 44  # query and value of 22 layers
    assert found["scores"] == found["choices"]
    assert found["peak"] < LIMIT_BYTES
