"""Questions with choices: log-likelihoods, the two accuracies, truncation, and the loss of the right answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from autolora.compute.runtime import NonFiniteLossError, Runtime
from autolora.training.batches import IGNORED
from benchmarks.core import registry
from benchmarks.core.spec import InputError, Prediction, Prepared, Row
from benchmarks.data.models.backbones import _next_token_loss
from benchmarks.data.sources.rows import task_data
from benchmarks.tasks.families.answering import answered_with
from benchmarks.tasks.families.collapse import has_collapsed
from benchmarks.tasks.families.multiple_choice import MultipleChoice

WORDS = ["<end>", "Q", "A", "red", "blue", "big", "small", "grass", "sky", "is", "very"]
ROWS: list[Row] = [
    {"question": "sky is", "choices": ["red", "very blue", "big big big"], "label": 1},
    {"question": "grass is very very", "choices": ["small", "sky sky"], "label": 0},
    {"question": "big", "choices": ["sky", "grass", "red", "blue", "very very very small"], "label": 4},
]
TASK = MultipleChoice(
    version=1, title="Things", dataset=registry.task("arc_easy").dataset, prompt="Q {question} A"  # type: ignore[attr-defined]
)  # fmt: skip


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<end>"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")  # noqa: S106


def prepared(max_length: int = 32, rows: Sequence[Row] = ROWS) -> Prepared:
    return TASK.prepare(task_data({"train": rows, "test": rows}, "here"), tokenizer(), max_length)


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(WORDS), n_positions=32, n_embd=16, n_layer=2, n_head=2, initializer_range=0.4)
    return GPT2LMHeadModel(config).eval()


def llama() -> nn.Module:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        initializer_range=0.4, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def with_lora() -> nn.Module:
    return get_peft_model(llama(), LoraConfig(target_modules=["q_proj"], init_lora_weights=False)).eval()


@torch.inference_mode()
def log_likelihood(model: nn.Module, row: Row, choice: str) -> float:
    """One sequence at a time, without padding, token by token."""
    prompt, answer = ([WORDS.index(word) for word in text.split()] for text in (f"Q {row['question']} A", choice))
    total = 0.0
    for done, token in enumerate(answer):
        logits = model(input_ids=torch.tensor([[*prompt, *answer[:done]]])).logits[0, -1]
        total += float(logits.double().log_softmax(0)[token])
    return total


@pytest.mark.parametrize("build", [gpt2, llama, with_lora])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_a_choices_score_is_the_log_likelihood_of_its_tokens_after_the_prompt(
    build: Callable[[], nn.Module], batch_size: int
) -> None:
    model, ready = build(), prepared()
    task = replace(TASK, batch_size=batch_size)
    prediction = task.predict(model, ready.evaluation["test"], ready, Runtime())
    expected = [[log_likelihood(model, row, choice) for choice in row["choices"]] for row in ROWS]
    assert [len(scores) for scores in prediction.scores] == [3, 2, 5]
    for scores, others in zip(prediction.scores, expected, strict=True):
        assert scores == pytest.approx(others, abs=1e-4)
    assert prediction.predictions == [int(np.argmax(scores)) for scores in expected]
    assert prediction.labels == [1, 0, 4]


def test_a_prompt_is_computed_once_and_its_logits_are_those_of_its_last_token() -> None:
    model, ready, tokens, kept = gpt2(), prepared(), [], []
    model.transformer.wte.register_forward_hook(lambda *parts: tokens.append(tuple(parts[-1].shape[:2])))
    model.lm_head.register_forward_hook(lambda *parts: kept.append(tuple(parts[-1].shape[:2])))
    TASK.predict(model, ready.evaluation["test"][:1], ready, Runtime())
    assert tokens == [(1, 4), (3, 2)]  # "Q sky is A", then all tokens but the last of the three choices
    assert kept == [(1, 1), (3, 2)]


def test_one_accuracy_is_of_the_sums_and_the_other_of_the_means_per_character() -> None:
    prediction = Prediction(
        labels=[0, 1, 1], predictions=[1, 1, 0], scores=[[-4.0, -3.0], [-5.0, -1.0], [-1.0, -2.0, -9.0]],
        characters=[[8, 2], [5, 5], [1, 8, 9]],
    )  # fmt: skip
    # Means: -0.5 and -1.5; -1 and -0.2; -1, -0.25 and -1.
    assert TASK.score(prediction) == {"acc": pytest.approx(100 / 3), "acc_norm": pytest.approx(100)}


def test_the_characters_are_those_of_the_choice_without_the_space_before_it() -> None:
    ready = prepared()
    prediction = TASK.predict(gpt2(), ready.evaluation["test"], ready, Runtime())
    assert prediction.characters == [[3, 9, 11], [5, 7], [3, 5, 3, 4, 20]]


def test_the_loss_is_that_of_the_right_answers_tokens_alone() -> None:
    model, ready = gpt2(), prepared()
    batch = ready.collate(ready.train)
    counted = (batch["labels"] != IGNORED).sum(1).tolist()
    assert counted == [2, 1, 4]
    loss = _next_token_loss(model(**{**batch, "labels": None}).logits, batch["labels"], smoothing=0)
    expected = -sum(log_likelihood(model, row, row["choices"][row["label"]]) for row in ROWS) / sum(counted)
    assert float(loss) == pytest.approx(expected, abs=1e-4)


def test_a_prompt_that_is_too_long_is_cut_from_the_left_for_all_its_choices_and_noted() -> None:
    ready = prepared(max_length=6)
    (long,) = [example for example in ready.evaluation["test"] if example["label"] == 4]
    cut, whole = ready.evaluation["test"][1], prepared().evaluation["test"][1]
    assert cut["input_ids"] == whole["input_ids"][-5:]  # four tokens are left beside the two of the longest choice
    assert [WORDS[token] for token in long["input_ids"][: long["prompt"]]] == ["big", "A"]
    assert {len(example["input_ids"]) <= 6 for example in ready.evaluation["test"]} == {True}
    assert ready.notes == (
        "train: the prompts of 3 of 3 questions are longer than max_length allows; their beginning is cut off.",
        "test: the prompts of 3 of 3 questions are longer than max_length allows; their beginning is cut off.",
    )
    assert prepared().notes == ()


def test_a_choice_that_leaves_no_room_for_a_prompt_is_an_error() -> None:
    with pytest.raises(InputError, match=r"max_length 4 .* a choice of 4 tokens"):
        prepared(max_length=4)


def test_the_same_choice_everywhere_is_a_collapse() -> None:
    same = Prediction(labels=[0, 1], predictions=[1, 1], scores=[[-1.0, -2.0]] * 2, characters=[[1, 1]] * 2)
    assert has_collapsed(TASK, same)
    assert not has_collapsed(TASK, replace(same, predictions=[1, 0]))


def test_scores_that_are_not_finite_are_an_error() -> None:
    model, ready = gpt2(), prepared()
    model.lm_head.weight.data.fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match="3 of 3 questions"):
        TASK.predict(model, ready.evaluation["test"], ready, Runtime())


def test_with_letters_the_prompt_lists_the_choices_and_their_letters_are_scored() -> None:
    task = replace(registry.task("arc_easy"), answers="letters")  # type: ignore[type-var]
    prompt, letters = task._prompt_and_choices(ROWS[0])
    assert prompt == "Question: sky is\nA. red\nB. very blue\nC. big big big\nAnswer:"
    assert letters == "ABC"
    without_cue = replace(registry.task("openbookqa"), answers="letters")  # type: ignore[type-var]
    assert without_cue._prompt_and_choices(ROWS[1]) == ("grass is very very\nA. small\nB. sky sky\nAnswer:", "AB")


def test_the_setting_replaces_the_tasks_own_way_of_answering() -> None:
    mmlu, arc = registry.task("mmlu"), registry.task("arc_easy")
    assert answered_with(mmlu, None) is mmlu
    assert answered_with(mmlu, "cloze") == replace(mmlu, answers="cloze")  # type: ignore[type-var]
    assert answered_with(arc, "letters") == replace(arc, answers="letters")  # type: ignore[type-var]
    with pytest.raises(InputError, match="CoLA has none"):
        answered_with(registry.task("cola"), "letters")


def test_more_choices_than_letters_are_an_error() -> None:
    with pytest.raises(InputError, match="27 choices are more than there are letters"):
        replace(TASK, answers="letters")._prompt_and_choices({"question": "q", "choices": ["red"] * 27, "label": 0})
