import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, BertTokenizer, Trainer, TrainingArguments

from autolora import problem_from_trainer
from tests.support.paths import ROOT
from tests.support.tiny import build, examples

EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "data.py")
TRAINING = [path for path in EXAMPLES if path.stem in ("plain_loop", "with_trainer")]
WORDS = [
    "the",
    "dog",
    "dogs",
    "cat",
    "cats",
    "bird",
    "birds",
    "child",
    "childs",
    "sleep",
    "sleeps",
    "eat",
    "eats",
    "jump",
    "jumps",
    "sing",
    "sings",
]


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """A folder with a tiny BERT and a tokenizer that knows the examples' words."""
    folder = tmp_path / "backbone"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")
    BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    build().save_pretrained(folder)
    return folder


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} == {"memory.py", "plain_loop.py", "several_seeds.py", "with_trainer.py"}


@pytest.fixture
def printed(
    backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What an example prints that runs in tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.delitem(sys.modules, "data", raising=False)

    def run(path: Path, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [path.name, *(arguments or [str(backbone)])])
        capsys.readouterr()
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_searches_from_several_seeds_are_compared(printed: Callable[..., str]) -> None:
    lines = [line for line in printed(ROOT / "examples" / "several_seeds.py").splitlines() if "loss" not in line]
    *searches, verdict = lines
    assert len(searches) == 5
    assert all(len(line.split()) == 4 for line in searches)
    assert "over 5 searches" in verdict


@pytest.mark.parametrize("method", ["lora", "first-order"])
def test_memory_is_printed_beside_that_of_the_weights(method: str, printed: Callable[..., str]) -> None:
    shown = printed(ROOT / "examples" / "memory.py", "minilm-l6", method, "--tokens", "8").splitlines()[-1]
    found = re.fullmatch(rf"minilm-l6 {method}: peak (\d+) MiB, of which weights (\d+) MiB", shown)
    assert found
    assert int(found[2]) == 87


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_an_adapter_for_plain_peft(
    path: Path, printed: Callable[..., str], backbone: Path, tmp_path: Path
) -> None:
    shown = printed(path)
    assert "layer.1" in shown
    assert "attention.self.value" in shown
    base = AutoModelForSequenceClassification.from_pretrained(backbone, num_labels=2)
    model = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    logits = model(input_ids=torch.tensor([[2, 5, 6, 3]])).logits
    merged = model.merge_and_unload()
    assert torch.allclose(merged(input_ids=torch.tensor([[2, 5, 6, 3]])).logits, logits, atol=1e-6)


def test_a_trainers_model_is_left_alone_and_its_classes_are_the_strata(tmp_path: Path) -> None:
    model = build()
    trainer = Trainer(model, TrainingArguments(str(tmp_path), report_to="none", seed=7), train_dataset=examples(6))
    task = problem_from_trainer(trainer)
    assert (task.seed, task.strata) == (7, [row["labels"] for row in examples(6)])
    assert task.build_model() is not task.build_model()
    assert task.build_model() is not model


def test_a_trainer_without_a_training_set_is_refused(tmp_path: Path) -> None:
    trainer = Trainer(build(), TrainingArguments(str(tmp_path), report_to="none"))
    with pytest.raises(ValueError, match="no train_dataset"):
        problem_from_trainer(trainer)
