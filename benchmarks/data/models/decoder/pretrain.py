"""Pretraining of the small decoder: `python -m benchmarks.data.models.decoder.pretrain FOLDER`.

The model is a GPT-2 of 4.4 million parameters with its own byte-pair vocabulary, trained on generated documents, each
of which is used once. These settings produced the files in `weights/`; `training.json` records the settings, the
versions and the first losses, which a test reproduces.
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

from autolora.training.optimization import schedule
from benchmarks.data.models.decoder.corpus import END, documents

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the project's own weights."""
KEPT_LOSSES = 20
"""Number of first losses that `training.json` records."""


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """Settings of the decoder's tokenizer, architecture and pretraining."""

    seed: int = 0
    """Seed of the initial weights and of the corpus."""
    vocabulary: int = 4096
    vocabulary_documents: int = 20_000
    """Number of documents that the tokenizer is trained on."""
    width: int = 256
    layers: int = 4
    heads: int = 4
    positions: int = 512
    """Maximum sequence length, in tokens."""
    steps: int = 3000
    tokens: int = 4096
    """Tokens per step."""
    lengths: tuple[int, ...] = (128, 128, 128, 512)
    """Tokens per sequence, cycled over the steps: short sequences are cheap, long ones train all positions."""
    lr: float = 2e-3
    """Peak learning rate of AdamW."""
    warmup: float = 0.05
    """Share of all steps with a rising learning rate; afterwards it falls linearly to 0."""
    weight_decay: float = 0.01
    precision: Literal["fp32", "bf16"] = "bf16"
    """Precision of the forward pass: bf16 is faster on CPUs that support it, and about 100 times slower on others."""


def train_tokenizer(config: Pretraining) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the corpus; it encodes any text without loss."""
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


def untrained_model(config: Pretraining) -> GPT2LMHeadModel:
    """Build the untrained model."""
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
    """Yield token ids, shape (tokens / length, length), cut from the concatenated documents."""
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
    """Train the model in place; yields the loss after each step."""
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
    """Train tokenizer and decoder, and write them to a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that model, tokenizer and training.json are written to")
    folder: Path = parser.parse_args().folder
    config = Pretraining()
    tokenizer = train_tokenizer(config)
    model = untrained_model(config)
    losses: list[float] = []
    began = time.monotonic()
    for loss in pretrain(config, tokenizer, model):
        losses.append(loss)
        if len(losses) % 50 == 0:
            seconds = time.monotonic() - began
            print(f"step {len(losses)} of {config.steps}, loss {_mean(losses[-50:]):.3f}, {seconds:.0f} s", flush=True)  # noqa: T201  progress of a script
    write(folder, config, tokenizer, model, losses)


def write(
    folder: Path,
    config: Pretraining,
    tokenizer: PreTrainedTokenizerFast,
    model: GPT2LMHeadModel,
    losses: list[float],
) -> None:
    """Write the weights in float16, the tokenizer, and a record of the training."""
    model.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(folder)
    record: dict[str, Any] = {
        "settings": asdict(config),
        "parameters": model.num_parameters(),
        "first_losses": losses[:KEPT_LOSSES],
        "last_loss": _mean(losses[-50:]),
        "perplexity": math.exp(_mean(losses[-50:])),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    (folder / "training.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
