"""Peak memory of plain LoRA's training, or of a rank search, on a model with random weights.

One run per process:

python examples/memory.py smollm2-135m lora
python examples/memory.py smollm2-135m exact
python examples/memory.py smollm2-135m finite-difference --gradient-checkpointing
"""

# ruff: noqa: T201  an example prints

import argparse
import resource
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    LlamaConfig,
    Trainer,
    TrainingArguments,
)

from autolora import SearchConfig, find_ranks

MODELS = {
    "minilm-l6": (
        AutoModelForSequenceClassification,
        BertConfig(hidden_size=384, intermediate_size=1536, num_hidden_layers=6),
    ),
    "bert-base": (AutoModelForSequenceClassification, BertConfig()),
    "smollm2-135m": (
        AutoModelForCausalLM,
        LlamaConfig(
            vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
            num_key_value_heads=3, tie_word_embeddings=True, pad_token_id=0,
        ),
    ),
}  # fmt: skip
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", choices=MODELS)
parser.add_argument("method", choices=["lora", "exact", "finite-difference", "first-order"])
parser.add_argument("--tokens", type=int, default=64, help="tokens per example; a batch has 4 examples")
parser.add_argument("--gradient-checkpointing", action="store_true")
options = parser.parse_args()
kind, config = MODELS[options.model]


def model_init():  # noqa: ANN201, D103
    torch.manual_seed(0)
    return kind.from_config(config)


def resident() -> int:
    """Bytes of memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


ids = torch.randint(1, config.vocab_size, (16, options.tokens)).tolist()
rows = [{"input_ids": row, "labels": row if kind is AutoModelForCausalLM else i % 2} for i, row in enumerate(ids)]
lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear")
args = TrainingArguments(
    "out", max_steps=3, per_device_train_batch_size=4, gradient_checkpointing=options.gradient_checkpointing,
    report_to="none", save_strategy="no", disable_tqdm=True,
)  # fmt: skip
before = resident()
if options.method == "lora":
    model = get_peft_model(model_init(), lora)
    Trainer(model, args, train_dataset=rows).train()
else:
    find_ranks(model_init, rows, lora_config=lora, args=args, settings=SearchConfig(engine=options.method))
if torch.cuda.is_available():
    peak = torch.cuda.max_memory_allocated()
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
weights = sum(weight.numel() * weight.element_size() for weight in model_init().parameters())
print(f"{options.model} {options.method}: peak {peak / 2**20:.0f} MiB, of which weights {weights / 2**20:.0f} MiB")
