from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from autolora.compute.runtime import NonFiniteLossError, Runtime
from benchmarks.core.spec import Prediction, Prepared, Row
from benchmarks.data.sources.dataset import DataSet
from benchmarks.data.sources.rows import Columns, task_data
from benchmarks.data.sources.tsv import TsvLayout
from benchmarks.tasks.families.classification import TextClassification
from benchmarks.tasks.families.evaluation import evaluation_mode, in_batches

WORDS = ("[PAD]", "[UNK]", "a", "b", "c", "d")


def task(labels: tuple[str, ...], metric: str, *also: str) -> TextClassification:
    dataset = DataSet(
        hub=("someone/something", "letters"),
        columns=Columns(text=("first", "second"), labels=labels),
        tsv=TsvLayout(folder="Letters", text=("first", "second"), label="label"),
    )
    return TextClassification(version=1, title="Letters", metric=metric, also=also, dataset=dataset)


CLASSES = task(("no", "yes"), "matthews", "accuracy")
SCORES = task((), "spearman", "pearson")


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")  # noqa: S106


def prepare(task: TextClassification, rows: Sequence[Row], max_length: int = 16) -> Prepared:
    return task.prepare(task_data({"train": rows, "validation": rows}, "here"), tokenizer(), max_length)


def model(num_labels: int = 2) -> BertForSequenceClassification:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, num_labels=num_labels,
    )  # fmt: skip
    return BertForSequenceClassification(config)


CLASS_ROWS = [
    {"first": "a", "second": "b", "label": 1},
    {"first": "a b c d", "second": "b c", "label": 0},
    {"first": "c", "second": "d d", "label": 1},
]
SCORE_ROWS = [{**row, "label": score} for row, score in zip(CLASS_ROWS, (0.4, 5.0, 3.9), strict=True)]


def test_examples_have_the_tokens_of_both_texts_and_the_label() -> None:
    first = prepare(CLASSES, CLASS_ROWS).train[0]
    assert (first["input_ids"], first["labels"]) == ([2, 3], 1)


def test_long_texts_are_truncated_and_nothing_is_padded_before_batching() -> None:
    train = prepare(CLASSES, CLASS_ROWS, max_length=4).train
    assert [len(example["input_ids"]) for example in train] == [2, 4, 3]


def test_batches_are_padded_to_their_own_longest() -> None:
    prepared = prepare(CLASSES, CLASS_ROWS)
    batch = prepared.collate([prepared.train[0], prepared.train[2]])
    assert batch["input_ids"].tolist() == [[2, 3, 0], [4, 5, 5]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert (batch["labels"].tolist(), batch["labels"].dtype) == ([1, 1], torch.int64)


def test_scores_are_float_labels_and_their_whole_parts_the_strata() -> None:
    prepared = prepare(SCORES, SCORE_ROWS)
    labels = prepared.collate(prepared.train)["labels"]
    assert torch.equal(labels, torch.tensor([0.4, 5.0, 3.9]))
    assert list(prepared.strata) == [0, 5, 3]


def test_a_score_is_learned_by_mean_squared_error() -> None:
    prepared, regressor = prepare(SCORES, SCORE_ROWS), model(SCORES.num_labels)
    batch = prepared.collate(prepared.train)
    with evaluation_mode(regressor):
        output = regressor(**batch)
    assert output.loss.item() == pytest.approx((output.logits[:, 0] - batch["labels"]).square().mean().item())


def test_predictions_are_the_likeliest_classes_in_the_datas_order() -> None:
    prepared = prepare(CLASSES, CLASS_ROWS)
    prediction = CLASSES.predict(model(), prepared.evaluation["validation"], prepared, Runtime())
    assert prediction.labels == [1, 0, 1]
    assert prediction.predictions == [scores.index(max(scores)) for scores in prediction.scores]
    alone = [CLASSES.predict(model(), [example], prepared, Runtime()).scores[0] for example in prepared.train]
    assert torch.allclose(torch.tensor(prediction.scores), torch.tensor(alone), atol=1e-5)


def test_the_prediction_of_a_score_is_the_output_itself() -> None:
    prepared = prepare(SCORES, SCORE_ROWS)
    prediction = SCORES.predict(model(1), prepared.train, prepared, Runtime())
    assert prediction.predictions == [scores[0] for scores in prediction.scores]
    assert len(prediction.predictions) == 3


def test_the_size_of_a_batch_changes_no_logit() -> None:
    prepared = prepare(CLASSES, CLASS_ROWS * 5)
    one, all_at_once = (
        torch.stack(in_batches(model(), prepared.train, prepared.collate, Runtime(), batch_size=size))
        for size in (1, 64)
    )
    assert torch.allclose(one, all_at_once, atol=1e-5)


def test_predicting_leaves_modes_and_random_states_alone() -> None:
    prepared, classifier = prepare(CLASSES, CLASS_ROWS), model().train()
    classifier.bert.embeddings.eval()
    state, modes = torch.get_rng_state(), [module.training for module in classifier.modules()]
    CLASSES.predict(classifier, prepared.train, prepared, Runtime())
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in classifier.modules()] == modes


@pytest.mark.bfloat16
def test_bfloat16_is_used_on_request_and_logits_are_float32() -> None:
    prepared = prepare(CLASSES, CLASS_ROWS)
    exact, rounded = (
        torch.stack(in_batches(model(), prepared.train, prepared.collate, Runtime(precision=precision)))
        for precision in ("fp32", "bf16")
    )
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert torch.allclose(exact, rounded, atol=0.05)


class Broken(nn.Module):
    def forward(self, input_ids: Tensor, **_: Tensor) -> SimpleNamespace:
        logits = torch.zeros(len(input_ids), 2)
        logits[0, 1] = float("nan")
        return SimpleNamespace(logits=logits)


def test_a_logit_that_is_not_finite_is_an_error() -> None:
    prepared = prepare(CLASSES, CLASS_ROWS)
    with pytest.raises(NonFiniteLossError, match="Letters: the logits of 1 of 3 examples are not finite"):
        CLASSES.predict(Broken(), prepared.train, prepared, Runtime())


def test_scores_are_on_the_papers_scale_the_headline_first() -> None:
    perfect = Prediction(labels=[0, 1, 1], predictions=[0, 1, 1], scores=[])
    assert list(CLASSES.score(perfect).items()) == [("matthews", 100.0), ("accuracy", 100.0)]
    reversed_order = Prediction(labels=[0.0, 2.5, 5.0], predictions=[3.0, 2.0, 1.0], scores=[])
    assert SCORES.score(reversed_order) == {"spearman": pytest.approx(-100.0), "pearson": pytest.approx(-100.0)}


def test_predictions_read_back_as_floats_score_the_same() -> None:
    assert CLASSES.score(Prediction(labels=[0.0, 1.0, 1.0], predictions=[0.0, 1.0, 0.0], scores=[])) == CLASSES.score(
        Prediction(labels=[0, 1, 1], predictions=[0, 1, 0], scores=[])
    )


def test_an_unknown_metric_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown metric 'bleu'; known: accuracy, f1, matthews"):
        task(("no", "yes"), "bleu")
