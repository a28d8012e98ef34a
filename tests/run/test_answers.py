"""The way of answering questions, from the command line to the result."""

import json
from pathlib import Path

from benchmarks.cli.main import main
from benchmarks.store.store import Store
from benchmarks.tasks.families.instruction import Instruction


def test_a_cell_with_generated_answers_keeps_the_texts_beside_the_names_of_the_choices(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "ARC-Easy"
    folder.mkdir(parents=True)
    rows = [
        Instruction().row({"question": "Why?", "choices": ["a", "b", "c"], "label": label}) for label in (0, 1, 2, 0)
    ]
    entries = [{"instruction": row["question"], "answer": row["answer"]} for row in rows]
    for split in ("train", "test"):
        (folder / f"{split}.json").write_text(json.dumps(entries))
    asked = ("--preset", "llm", "--model", "random:decoder", "--tasks", "arc_easy", "--methods", "frozen")
    where = ("--data", str(tmp_path / "data"), "--partial", "--runs", str(tmp_path / "runs"))
    assert main(["run", *asked, *where, "--set", "run.answers=generated", "--set", "run.max_length=32"]) == 0
    store = Store(folder=tmp_path / "runs")
    (result,) = store.results()
    prediction = store.predictions(result)["test"]
    assert result.metrics["test"].keys() == {"acc"}
    assert prediction["labels"] == ["answer1", "answer2", "answer3", "answer1"]
    assert len(prediction["predictions"]) == len(prediction["texts"]) == 4
