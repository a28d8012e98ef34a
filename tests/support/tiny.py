"""A tiny encoder and a tiny problem, for tests that train in milliseconds."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from autolora.compute.runtime import Progress, Runtime
from autolora.problem import Batch, Example, Problem
from autolora.training.batches import IGNORED

VOCABULARY = 40
_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "attn_implementation": "eager",
}
MODELS = {
    "bert": lambda **options: BertForSequenceClassification(BertConfig(**_SIZES, **options)),
    "roberta": lambda **options: RobertaForSequenceClassification(RobertaConfig(**_SIZES, **options)),
    "deberta-v3": lambda **options: DebertaV2ForSequenceClassification(
        DebertaV2Config(
            **_SIZES,
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_buckets=8,
            share_att_key=True,
            norm_rel_ebd="layer_norm",
            position_biased_input=False,
            type_vocab_size=0,
            **options,
        )
    ),
}


def build(kind: str = "bert", *, num_labels: int = 2, dtype: torch.dtype = torch.float32, **options: Any) -> nn.Module:
    """The same tiny model at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS[kind](num_labels=num_labels, **options).to(dtype)


def examples(number: int = 48, *, seed: int = 0) -> list[Example]:
    """Sequences of 3 to 12 tokens; the label says whether the first token is even."""
    rng = random.Random(seed)
    drawn = [[rng.randrange(2, VOCABULARY) for _ in range(rng.randrange(3, 13))] for _ in range(number)]
    return [{"input_ids": tokens, "labels": tokens[0] % 2} for tokens in drawn]


def collate(batch: list[Example]) -> Batch:
    """Pad with token 0."""
    length = max(len(example["input_ids"]) for example in batch)
    ids = torch.tensor([[*example["input_ids"], *[0] * (length - len(example["input_ids"]))] for example in batch])
    labels = torch.tensor([example["labels"] for example in batch])
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


def save_encoder(folder: Path) -> Path:
    """A folder with the encoder and a tokenizer that knows no word, as `--model` takes it."""
    build().base_model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """Write a tokenizer that knows no word and pads with token 1."""
    words = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))  # noqa: S106
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)  # noqa: S106


def decoder(*, dtype: torch.dtype = torch.float32) -> nn.Module:
    """The same tiny GPT-2 without dropout at every call; its loss is the mean over the tokens that are labelled."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=VOCABULARY, n_positions=40, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager",
        )  # fmt: skip
        model = GPT2LMHeadModel(config).to(dtype)
    model.loss_function = _token_loss
    return model


def _token_loss(logits: Tensor, labels: Tensor, **_: Any) -> Tensor:
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def texts(batch: list[Example]) -> Batch:
    """As `collate`, for a decoder: every token but the first is to be said, and padding is not."""
    padded = collate(batch)
    labels = padded["input_ids"].masked_fill(padded["attention_mask"] == 0, IGNORED)
    labels[:, 0] = IGNORED
    return {**padded, "labels": labels}


def text_loss(model: nn.Module, batch: Sequence[Example]) -> float:
    """Negative, so that larger is better."""
    with torch.no_grad():
        return -float(model.eval()(**texts(list(batch))).loss)


def accuracy(model: nn.Module, labelled: Sequence[Example]) -> float:
    """In percent."""
    model.eval()
    batch = collate(list(labelled))
    with torch.no_grad():
        right = model(**batch).logits.argmax(1) == batch["labels"]
    model.train()
    return 100 * float(right.float().mean())


def problem(**changes: Any) -> Problem:
    """A problem that every method can train on in well under a second."""
    train = changes.pop("train", examples())
    strata = [example["labels"] for example in train]
    base = Problem(build_model=build, train=train, collate=collate, strata=strata, score=accuracy)
    return replace(base, **changes)


def stop_after(steps: int, **options: Any) -> Runtime:
    """A runtime that asks to stop once so many steps, of all stages together, are done."""
    done: list[Progress] = []
    return Runtime(progress=done.append, stop=lambda: len(done) >= steps, **options)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """All weights of a model, detached and copied."""
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models agree in every bit."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
