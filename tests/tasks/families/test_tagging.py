"""Tags are predicted at first tokens, and entities are scored as by seqeval and conlleval."""

import json
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    DebertaV2Tokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
)

from autolora.compute.runtime import NonFiniteLossError, Runtime
from benchmarks.core.spec import Prediction, Prepared, Row
from benchmarks.data.models.backbones import open_backbone
from benchmarks.data.sources.rows import task_data
from benchmarks.data.sources.tagged import TaggedDataSet
from benchmarks.tasks.families.tagging import IGNORED, EntityTagging
from benchmarks.tasks.metrics.local import LocalMetric
from tests.support.paths import SHARED

TASK = EntityTagging(
    version=1,
    title="Names",
    dataset=TaggedDataSet(
        name="names",
        hub=("someone/names", "default"),
        types=("x", "y"),
        files={"train": "a", "test": "b"},
        official_rows={},
    ),
)
ROWS: list[Row] = [
    {"tokens": "ab c ab", "tags": ["B-x", "O", "B-y"]},
    {"tokens": "c c ab ab c", "tags": ["O", "O", "B-x", "I-x", "O"]},
]


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with the vocabulary a, b and c, so that "ab" is two tokens."""
    pieces = {"[PAD]": 0, "[UNK]": 1, "a": 2, "##b": 3, "c": 4}
    words = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")  # noqa: S106


def prepared(max_length: int = 16) -> Prepared:
    return TASK.prepare(task_data({"train": ROWS, "test": ROWS}, "here"), tokenizer(), max_length)


def model() -> BertForTokenClassification:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=5, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, num_labels=TASK.num_labels,
    )  # fmt: skip
    return BertForTokenClassification(config)


def test_only_a_word_s_first_token_has_a_label() -> None:
    first, second = prepared().train
    assert TASK.tags == ["O", "B-x", "I-x", "B-y", "I-y"]
    assert first["labels"] == [1, IGNORED, 0, 3, IGNORED]
    assert second["labels"] == [0, 0, 1, IGNORED, 2, IGNORED, 0]
    assert prepared().strata == [1, 1]


def running_words() -> list[Row]:
    return [{"tokens": "the protein binds it 's", "tags": ["O", "B-x", "O", "O", "O"]}]


def byte_level(kind: str) -> PreTrainedTokenizerBase:
    """A byte-level tokenizer as RoBERTa's, without or with a space before the first word of a text, or its own class."""
    trained = ByteLevelBPETokenizer(add_prefix_space=kind == "prefixed")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(["the protein binds it 's"] * 50, vocab_size=300, special_tokens=special)
    if kind == "roberta":
        model = json.loads(trained.to_str())["model"]
        return RobertaTokenizer(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])
    return PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, pad_token="<pad>")  # noqa: S106


@pytest.mark.parametrize("kind", ["plain", "prefixed", "roberta"])
def test_every_word_before_a_byte_level_tokenizer_begins_with_its_space(kind: str) -> None:
    tokens = byte_level(kind)
    (example,) = TASK._tokenise(running_words(), tokens, 64)
    running = tokens(" the protein binds it 's", return_attention_mask=False)
    assert example["input_ids"] == running["input_ids"]
    starts = [name for name, word in zip(running.tokens(), example["words"], strict=True) if word is not None]
    assert [start[0] for start in starts] == ["Ġ"] * 5  # the byte-level alphabet's letter for a space


@pytest.mark.parametrize("name", ["minilm", "sentencepiece"])
def test_the_words_before_another_tokenizer_are_given_as_they_are(name: str, tmp_path: Path) -> None:
    tokens = sentence_piece(tmp_path) if name == "sentencepiece" else open_backbone(name).tokenizer
    rows = running_words()
    (example,) = TASK._tokenise(rows, tokens, 64)
    as_given = tokens([rows[0]["tokens"].split(" ")], is_split_into_words=True, return_attention_mask=False)
    assert {name: example[name] for name in as_given} == {name: values[0] for name, values in as_given.items()}


def sentence_piece(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer as DeBERTa-v3's."""
    with (folder / "spm.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the protein binds it 's"] * 40), model_writer=file, vocab_size=17, minloglevel=2
        )
    return DebertaV2Tokenizer.from_pretrained(folder)


def test_batches_are_padded_and_the_loss_ignores_padding() -> None:
    task = prepared()
    batch = task.collate(task.train)
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
    assert batch["labels"].tolist()[0] == [1, IGNORED, 0, 3, IGNORED, IGNORED, IGNORED]
    assert batch["attention_mask"].sum().item() == 5 + 7


def test_every_word_gets_a_tag_whatever_its_tokens_and_the_batch_s_size() -> None:
    task = prepared()
    found = TASK.predict(model(), task.evaluation["test"], task, Runtime())
    assert [len(tags) for tags in found.predictions] == [3, 5]
    assert found.labels == [row["tags"] for row in ROWS]
    (alone,) = TASK.predict(model(), task.evaluation["test"][:1], task, Runtime()).predictions
    assert alone == found.predictions[0]


def test_a_truncated_entity_counts_as_missed() -> None:
    task = prepared(max_length=4)
    found = TASK.predict(model(), task.evaluation["test"], task, Runtime())
    assert [len(tags) for tags in found.predictions] == [3, 5]
    assert found.predictions[1][3:] == ["O", "O"]
    perfect = [["B-x", "O", "B-y"], ["O", "O", "B-x", "O", "O"]]  # the second word of the last entity is truncated
    scores = TASK.score(Prediction(labels=found.labels, predictions=perfect, scores=[]))
    assert scores["entity_recall"] == pytest.approx(100 * 2 / 3)
    assert scores["entity_precision"] == pytest.approx(100 * 2 / 3)


def test_logits_that_are_not_finite_are_an_error() -> None:
    broken, task = model(), prepared()
    broken.classifier.bias.data.fill_(float("nan"))
    with pytest.raises(NonFiniteLossError, match="Names"):
        TASK.predict(broken, task.train, task, Runtime())


def test_an_i_tag_that_begins_an_entity_is_a_start() -> None:
    found = LocalMetric("entities").compute(predictions=[["I-x", "I-x", "O"]], references=[["B-x", "I-x", "O"]])
    assert found == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    nothing = LocalMetric("entities").compute(predictions=[["O"]], references=[["O"]])
    assert nothing == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder shared beside the repository")
def test_entities_are_scored_as_by_seqeval_and_conlleval() -> None:
    reference = json.loads((SHARED / "metrics_reference" / "ner.json").read_text(encoding="utf-8"))
    gold, said = ([item[side] for item in reference["items"]] for side in ("gold", "pred"))
    expected = reference["expected"]["seqeval_default"]["micro"]
    found: dict[str, Any] = LocalMetric("entities").compute(predictions=said, references=gold)
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-9)
