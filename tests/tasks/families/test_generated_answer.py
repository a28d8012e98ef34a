"""Generated answers: prompts and solutions as tokens, greedy decoding, extraction and the score."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from autolora.compute.runtime import Runtime
from autolora.training.batches import IGNORED
from benchmarks.core import registry
from benchmarks.core.spec import InputError, Prediction, Prepared, Row
from benchmarks.data.sources.rows import task_data
from benchmarks.tasks.families.generated_answer import ALPACA, GeneratedAnswer

WORDS = ["<end>", "Q", "A", "one", "two", "three", "is", "so", "and", "more"]
ROWS: list[Row] = [
    {"question": "one and one", "solution": "so two", "answer": "two"},
    {"question": "one", "solution": "one", "answer": "one"},
    {"question": "one and one and one more", "solution": "so so so three", "answer": "three"},
]
TASK = GeneratedAnswer(
    version=1,
    title="Sums",
    dataset=registry.task("gsm8k").dataset,  # type: ignore[attr-defined]
    prompt="Q {question} A",
    extract=lambda text: text.split()[-1] if text else "",
    new_tokens=6,
    batch_size=2,
)


def tokenizer(end: str | None = "<end>") -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<end>"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token=end)


def prepared(max_length: int = 32, task: GeneratedAnswer = TASK) -> Prepared:
    return task.prepare(task_data({"train": ROWS, "test": ROWS}, "here"), tokenizer(), max_length)


def gpt2(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    config = GPT2Config(vocab_size=len(WORDS), n_positions=32, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval()


def llama(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        initializer_range=0.5, pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def with_lora(seed: int = 0) -> nn.Module:
    return get_peft_model(llama(seed), LoraConfig(target_modules=["q_proj"], init_lora_weights=False)).eval()


@torch.inference_mode()
def likeliest(model: nn.Module, prompt: Sequence[int], new_tokens: int) -> list[int]:
    """One prompt without padding and cache, token by token, until the end-of-text token."""
    found: list[int] = []
    while len(found) < new_tokens:
        token = int(model(input_ids=torch.tensor([[*prompt, *found]]), use_cache=False).logits[0, -1].argmax())
        if token == 0:
            break
        found.append(token)
    return found


@pytest.mark.parametrize("build", [gpt2, llama, with_lora])
def test_the_text_is_the_likeliest_token_after_the_other(build: Callable[[int], nn.Module]) -> None:
    ready, lengths = prepared(), set()
    for seed in range(4):
        model = build(seed)
        prediction = TASK.predict(model, ready.evaluation["test"], ready, Runtime())
        expected = [likeliest(model, e["input_ids"][: e["prompt"]], 6) for e in ready.evaluation["test"]]
        assert prediction.texts == [" ".join(WORDS[token] for token in tokens) for tokens in expected]
        lengths |= set(map(len, expected))
    assert len(lengths) > 1  # some texts end before the limit


def test_the_answer_is_looked_for_in_the_text_and_kept_beside_it() -> None:
    model, ready = gpt2(), prepared()
    prediction = TASK.predict(model, ready.evaluation["test"], ready, Runtime())
    assert prediction.labels == ["two", "one", "three"]
    assert prediction.predictions == [text.split()[-1] if text else "" for text in prediction.texts]


def test_the_score_is_the_percentage_of_equal_answers() -> None:
    prediction = Prediction(labels=["2", "1", "3", "4"], predictions=["2", "", "4", "4"], scores=[], texts=[""] * 4)
    assert TASK.score(prediction) == {"exact_match": 50}
    assert replace(TASK, metric="acc").score(prediction) == {"acc": 50}


def test_an_example_is_the_prompt_the_solution_and_the_end_and_the_loss_covers_the_last_two() -> None:
    ready = prepared()
    first = ready.train[0]
    words = [WORDS[token] for token in first["input_ids"]]
    assert words == ["Q", "one", "and", "one", "A", "so", "two", "<end>"]
    labels = ready.collate(ready.train)["labels"]
    assert labels[0].tolist() == [IGNORED] * 5 + [WORDS.index("so"), WORDS.index("two"), 0] + [IGNORED] * 5
    assert (labels != IGNORED).sum(1).tolist() == [3, 2, 5]
    assert ready.notes == ()


def test_what_is_too_long_is_cut_and_noted() -> None:
    ready = prepared(max_length=8)
    long = ready.train[2]
    assert [WORDS[token] for token in long["input_ids"]] == ["and", "one", "more", "A", "so", "so", "so", "three"]
    assert {len(example["input_ids"]) <= 8 for example in ready.train} == {True}
    assert ready.notes == (
        "train: the prompts of 2 of 3 questions are longer than max_length allows; their beginning is cut off.",
        "train: the solutions of 1 of 3 questions are longer than max_length allows; their end is cut off.",
        "test: the prompts of 2 of 3 questions are longer than max_length allows; their beginning is cut off.",
    )
    texts = TASK.predict(gpt2(), ready.evaluation["test"], ready, Runtime()).texts
    assert max(len(text.split()) for text in texts) <= 4


def test_a_tokenizer_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match=r"Sums: .* no end-of-text token"):
        TASK.prepare(task_data({"train": ROWS, "test": ROWS}, "here"), tokenizer(end=None), 32)


def test_the_prompt_is_alpacas() -> None:
    assert registry.task("gsm8k").prompt == registry.task("aqua").prompt == ALPACA  # type: ignore[attr-defined]
    assert ALPACA.format(question="Why?").endswith("\n\n### Instruction:\nWhy?\n\n### Response:\n")
