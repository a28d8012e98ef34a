"""Scores of questions with choices equal those of lm-evaluation-harness, example by example, with its own task files."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from autolora.compute.runtime import Runtime
from benchmarks.core import registry
from benchmarks.core.spec import Row
from benchmarks.data.models.backbones import open_backbone
from benchmarks.data.sources.rows import task_data
from benchmarks.data.synthetic import generate
from benchmarks.tasks.families.answering import answered_with

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not importlib.util.find_spec("lm_eval"), reason="lm-evaluation-harness is missing: pip install lm-eval==0.4.13"
    ),
]
LETTERS = "ABCDE"
LETTERED = ("commonsense_qa", "mmlu")
"""Tasks that the harness asks with letters."""
NUMBERS = {"commonsense_qa": 5, "mmlu": 4, "piqa": 2}
"""Number of choices, where it is the same for all questions."""


def padded(row: Row, number: int) -> Row:
    """The question with so many choices: the first of its own, and more words."""
    choices = [*row["choices"], "nothing", "everything", "water"][:number]
    return row | {"choices": choices}


def of_arc(row: Row, stem: str = "question") -> dict[str, Any]:
    """The Hub's form of a question."""
    choices = {"text": row["choices"], "label": list(LETTERS[: len(row["choices"])])}
    return {stem: row["question"], "choices": choices, "answerKey": LETTERS[row["label"]]}


def of_openbookqa(row: Row) -> dict[str, Any]:
    return of_arc(row, "question_stem")


def of_mmlu(row: Row) -> dict[str, Any]:
    return {"question": row["question"], "choices": row["choices"], "answer": row["label"]}


def of_piqa(row: Row) -> dict[str, Any]:
    return {"goal": row["question"], "sol1": row["choices"][0], "sol2": row["choices"][1], "label": row["label"]}


FORMS: dict[str, tuple[str, Callable[[Row], dict[str, Any]]]] = {
    "arc_easy": ("arc/arc_easy.yaml", of_arc),
    "commonsense_qa": ("commonsense_qa/default.yaml", of_arc),
    "mmlu": ("mmlu/default/_default_template_yaml", of_mmlu),
    "openbookqa": ("openbookqa/openbookqa.yaml", of_openbookqa),
    "piqa": ("piqa/piqa.yaml", of_piqa),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_choice_has_the_same_log_likelihood_and_both_accuracies_are_equal(name: str, tmp_path: Path) -> None:
    rows: list[Row] = generate("arc_easy")["test"][:40]
    number = NUMBERS.get(name, 0)
    if number:
        rows = [padded(row, number) for row in rows if row["label"] < number]
    backbone = open_backbone("decoder")
    model = backbone.builder(0, 0, dropout=0.0, head="language")().eval()
    task = answered_with(registry.task(name), "letters" if name in LETTERED else None)
    split = task.evaluation_splits[0]
    prepared = task.prepare(task_data({"train": rows, split: rows}, "here"), backbone.tokenizer, 256)
    ours = task.predict(model, prepared.evaluation[split], prepared, Runtime())
    theirs = _harness(model, backbone.tokenizer, name, rows, tmp_path)
    for scores, sample in zip(ours.scores, theirs["samples"][name], strict=True):
        assert scores == pytest.approx([value for ((value, _),) in sample["resps"]], abs=1e-4)
    measured = task.score(ours)
    reported = {metric: theirs["results"][name].get(f"{metric},none") for metric in ("acc", "acc_norm")}
    assert reported["acc"] is not None
    for metric, value in reported.items():
        assert value is None or measured[metric] == pytest.approx(100 * value)
    assert 0 < measured["acc"] < 100
    assert len({len(scores) for scores in ours.scores} - {number}) <= (0 if number else 3)
    assert np.ptp([max(scores) for scores in ours.scores]) > 1


def _harness(model: Any, tokenizer: Any, name: str, rows: list[Row], folder: Path) -> dict[str, Any]:
    """Results of lm-evaluation-harness on these rows, by its own task file with local data."""
    import lm_eval  # noqa: PLC0415  optional
    from lm_eval.api.task import ConfigurableTask  # noqa: PLC0415  likewise
    from lm_eval.models.huggingface import HFLM  # noqa: PLC0415  likewise

    file, form = FORMS[name]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(form(row)) for row in rows))
    config = yaml.safe_load(Path(lm_eval.__file__).with_name("tasks").joinpath(file).read_text("utf-8"))
    files = {split: str(path) for split in ("train", "validation", "test")}
    config.setdefault("task", name)
    config |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    task = ConfigurableTask(config=config)
    wrapped = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8)
    return dict(lm_eval.evaluate(wrapped, {config["task"]: task}, log_samples=True, bootstrap_iters=0))
