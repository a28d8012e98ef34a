"""LoRA and AdaLoRA training with PEFT and transformers alone: a plain training loop, and `transformers.Trainer`."""

import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

import torch
from peft import AdaLoraConfig, LoraConfig, get_peft_model
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    get_linear_schedule_with_warmup,
)

from autolora.adapters.head import present_heads
from autolora.adapters.projections import find_projections
from autolora.problem import Problem
from autolora.training.batch_order import batch_order
from autolora.training.batches import gather
from autolora.training.config import TrainingConfig

RANK = 4


def lora_config(problem: Problem) -> LoraConfig:
    """LoRA on queries and values, as any user of PEFT would write it."""
    model = problem.build_model()
    head = present_heads(model, problem.head)
    names = [projection.name for projection in find_projections(model, problem.targets, head)]
    return LoraConfig(r=RANK, lora_alpha=16, target_modules=names, modules_to_save=head)


def adalora_config(problem: Problem, steps: int) -> AdaLoraConfig:
    """AdaLoRA on the same projections, with ranks reduced from 6 to 4 over the given number of steps."""
    plain = lora_config(problem)
    return AdaLoraConfig(
        init_r=6,
        target_r=RANK,
        lora_alpha=16,
        tinit=steps // 10,
        tfinal=3 * steps // 10,
        total_step=steps,
        target_modules=plain.target_modules,
        modules_to_save=plain.modules_to_save,
    )


def plain_loop(problem: Problem, config: TrainingConfig, peft: LoraConfig | AdaLoraConfig) -> Callable[[], float]:
    """The training loop of PEFT's examples, on the batches of `autolora.training`; returns the seconds of all steps."""
    model = get_peft_model(problem.build_model(), peft).to(problem.runtime.device)
    order = batch_order(problem.train, config.batch_size, seed=problem.seed, stream="train")
    steps = config.total_steps(order.steps_per_epoch)
    adaptive = isinstance(peft, AdaLoraConfig)
    trained: nn.Module = (
        model.base_model if adaptive else model
    )  # the loss of the AdaLoRA model includes its orthogonality penalty

    def run() -> float:
        optimizer = AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=config.lr)
        schedule = get_linear_schedule_with_warmup(optimizer, steps // 16, steps)  # type: ignore[no-untyped-call]
        trained.train()
        started = time.perf_counter()
        for step in range(steps):
            _plain_step(trained, problem, order.batch(step), optimizer, schedule)
            if adaptive:
                model.base_model.update_and_allocate(step + 1)
            optimizer.zero_grad()
        _synchronize(problem)
        return time.perf_counter() - started

    return run


def trainer(problem: Problem, config: TrainingConfig) -> Callable[[], float]:
    """`transformers.Trainer` over PEFT with default settings: float32, random order, dynamic padding per batch."""
    clock = _Clock()

    def run() -> float:
        backbone = problem.build_model()
        assert isinstance(backbone, PreTrainedModel)
        backbone.set_attn_implementation("sdpa")  # the default of transformers
        model = get_peft_model(backbone, lora_config(problem))
        with TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=config.batch_size,
                num_train_epochs=1,
                learning_rate=config.lr,
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=torch.device(problem.runtime.device).type == "cpu",
            )
            training = Trainer(
                model=model,
                args=arguments,
                train_dataset=[dict(example) for example in problem.train],
                data_collator=lambda batch: dict(problem.collate(batch)),
                callbacks=[clock],
            )
            training.remove_callback(PrinterCallback)
            training.train()
        return clock.seconds

    return run


class _Clock(TrainerCallback):
    """Seconds from the start of training to its end, without setting up the trainer."""

    def on_train_begin(self, *_: object, **__: object) -> None:
        self._began = time.perf_counter()

    def on_train_end(self, *_: object, **__: object) -> None:
        self.seconds = time.perf_counter() - self._began


def _plain_step(model: nn.Module, problem: Problem, indices: list[int], optimizer: AdamW, schedule: LambdaLR) -> None:
    batch = gather(problem, problem.train, indices)
    with problem.runtime.autocast():
        loss = model(**batch).loss
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def _synchronize(problem: Problem) -> None:
    """Wait until the GPU has finished all queued kernels."""
    if torch.device(problem.runtime.device).type == "cuda":
        torch.cuda.synchronize(problem.runtime.device)
