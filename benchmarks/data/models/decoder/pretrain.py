"""Makes the small decoder's weights: `python -m benchmarks.data.models.decoder.pretrain FOLDER`.

A GPT-2 of 4.4 million parameters with a byte-pair vocabulary of its own, trained on generated documents that never
come again. What lies in `weights/` was made by these settings; `training.json` keeps the first losses, which a test
finds again, and what it was made with.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from autolora.training.train import schedule
from benchmarks.data.models.decoder.corpus import END, documents

WEIGHTS = Path(__file__).parent / "weights"
"""Where the weights lie that come with the project."""
KEPT_LOSSES = 20
"""First losses that `training.json` keeps."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How the decoder is made."""

    seed: int = 0
    """Of the initial weights and of the corpus."""
    vocabulary: int = 4096
    vocabulary_documents: int = 20_000
    """Documents that the byte pairs are counted in."""
    width: int = 256
    layers: int = 4
    heads: int = 4
    positions: int = 512
    """Longest sequence."""
    steps: int = 3000
    tokens: int = 4096
    """Per step."""
    lengths: tuple[int, ...] = (128, 128, 128, 512)
    """Tokens per sequence, step by step in turns: short ones are cheap, and every position is trained."""
    lr: float = 2e-3
    """AdamW's peak step size."""
    warmup: float = 0.05
    """Share of the steps with a rising step size; then it falls to 0."""
    weight_decay: float = 0.01
    precision: Literal["fp32", "bf16"] = "bf16"
    """Of the forward pass: bf16 is faster where the processor has it, and a hundred times slower where it has not."""


def train_tokenizer(config: Pretraining) -> PreTrainedTokenizerFast:
    """Byte pairs of the corpus: any text can be written in them, and comes back as it was."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = islice(documents(f"vocabulary/{config.seed}"), config.vocabulary_documents)
    tokenizer.train_from_iterator((text.replace(END, "\n") for text in texts), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, bos_token=END)  # type: ignore[no-untyped-call]


def build(config: Pretraining) -> GPT2LMHeadModel:
    """The untrained model."""
    torch.manual_seed(config.seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocabulary,
            n_positions=config.positions,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=config.heads,
            bos_token_id=0,
            eos_token_id=0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
    )


def batches(config: Pretraining, tokenizer: PreTrainedTokenizerFast) -> Iterator[Tensor]:
    """Token ids, shape (tokens / length, length), cut from one long row of documents."""
    texts = documents(f"training/{config.seed}")
    waiting: list[int] = []
    step = 0
    while True:
        while len(waiting) < config.tokens:
            waiting += [token for ids in tokenizer(list(islice(texts, 256)))["input_ids"] for token in ids]
        yield torch.tensor(waiting[: config.tokens]).view(-1, config.lengths[step % len(config.lengths)])
        waiting = waiting[config.tokens :]
        step += 1


def pretrain(config: Pretraining, tokenizer: PreTrainedTokenizerFast, model: GPT2LMHeadModel) -> Iterator[float]:
    """Train the model in place, a step at a time; yields the loss of each."""
    optimizer = AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98))
    rates = LambdaLR(optimizer, schedule(config.steps, config.warmup))
    model.train()
    for batch in islice(batches(config, tokenizer), config.steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rates.step()
        optimizer.zero_grad()
        yield loss.item()


def main() -> None:
    """Make the decoder and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where model, tokenizer and training.json are written")
    folder: Path = parser.parse_args().folder
    config = Pretraining()
    tokenizer = train_tokenizer(config)
    model = build(config)
    losses: list[float] = []
    began = time.monotonic()
    for loss in pretrain(config, tokenizer, model):
        losses.append(loss)
        if len(losses) % 50 == 0:
            seconds = time.monotonic() - began
            print(f"step {len(losses)} of {config.steps}, loss {_mean(losses[-50:]):.3f}, {seconds:.0f} s", flush=True)  # noqa: T201  a script's own words
    write(folder, config, tokenizer, model, losses)


def write(
    folder: Path,
    config: Pretraining,
    tokenizer: PreTrainedTokenizerFast,
    model: GPT2LMHeadModel,
    losses: list[float],
) -> None:
    """Weights in 16 bits, tokenizer, and how they were made."""
    model.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    made: dict[str, Any] = {
        "settings": asdict(config),
        "parameters": model.num_parameters(),
        "first_losses": losses[:KEPT_LOSSES],
        "last_loss": _mean(losses[-50:]),
        "perplexity": math.exp(_mean(losses[-50:])),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    (folder / "training.json").write_text(json.dumps(made, indent=2) + "\n", "utf-8")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
