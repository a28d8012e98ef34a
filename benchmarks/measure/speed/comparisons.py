"""What is compared, and what it should come to."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import torch
from peft import PeftModel
from torch import nn
from torch.utils.data import DataLoader

from autolora.adapters.adapt import adapt, fresh_model
from autolora.adapters.projections import find_projections
from autolora.adapters.ranks import RankAllocation
from autolora.compute.runtime import Runtime, TimingRun
from autolora.problem import Batch, Example, Problem
from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import begin, search, split
from autolora.training.train import TrainingConfig, batch_order, gather, lengthened, train
from baselines.adalora import AdaLora
from baselines.adapter import Adapter
from baselines.lora_grid import one_after_another, stacked
from baselines.stacking.lora_stack import StackConfig
from benchmarks.data.models.backbones import Backbone, open_backbone
from benchmarks.data.synthetic import generate
from benchmarks.measure.speed import peers
from benchmarks.measure.speed.comparison import Comparison, Contender, Reach
from benchmarks.measure.speed.problems import LENGTHS, problem_of_lengths
from benchmarks.tasks.families.generation import Beam, write

BATCH = 16
RELEASED_LENGTH = 512
"""Tokens that the authors' search pads everything to."""
WRITTEN = 48
"""Tokens of a text at most, where writing is timed."""
RANKS = tuple(range(1, 17))
"""Of a grid search."""
STACKS = (1, 2, 4, 8, 16)
"""Members of a pass that are compared."""
BETTY = SearchConfig(engine="betty", eta=1.0, look_ahead="optimizer", order="selection-first")
BETTY_PLAIN = replace(BETTY, order="simultaneous")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where speed is measured."""

    backbone: Backbone
    runtime: Runtime
    steps: int
    """Steps that each contender does per round."""
    released_length: int = RELEASED_LENGTH
    """Tokens that the released setting pads everything to."""

    def problem(self, task: str, *, precision: str | None = None) -> Problem:
        """As many examples of a task's lengths as make up the steps."""
        runtime = replace(self.runtime, precision=precision) if precision else self.runtime  # type: ignore[arg-type]
        return problem_of_lengths(task, self.backbone, runtime, examples=BATCH * self.steps)

    @property
    def training(self) -> TrainingConfig:
        """The same for all contenders."""
        return TrainingConfig(lr=1e-4, steps=self.steps, batch_size=BATCH)


def _timed(problem: Problem, steps: int) -> Problem:
    """The problem, of which so many steps are timed; recordings are made before."""
    return replace(problem, runtime=replace(problem.runtime, timing_run=TimingRun(steps=steps, warmup=0)))


def _recorded_before(problem: Problem, steps: int) -> Problem:
    """As `_timed` where steps are recorded; else the problem, which is trained on as it is."""
    return _timed(problem, steps) if problem.runtime.graphs else problem


def lora(setting: Setting) -> Iterator[Comparison]:
    """LoRA's training against a plain loop over PEFT, and against `transformers.Trainer`."""
    for task in LENGTHS:
        problem, full = setting.problem(task), setting.problem(task, precision="fp32")
        plain = replace(full, runtime=replace(full.runtime, onednn=False))
        ours, ours_full = _our_lora(problem, setting.training), _our_lora(full, setting.training)
        without = Contender(
            name="ours, fp32, without oneDNN", run=_our_lora(plain, setting.training), over="ours, fp32"
        )
        trainer = peers.trainer(full, setting.training)
        bounds = {"fp32": (1.7, 4.0), "bf16": (3.0, 4.0)} if task == "cola" else {}
        yield Comparison(
            work=f"LoRA, {setting.steps} steps, {task}'s lengths",
            contenders=[
                Contender(
                    name=f"plain PEFT loop, {problem.runtime.precision}",
                    run=peers.plain_loop(problem, setting.training, peers.lora_config(problem)),
                ),
                Contender(
                    name=f"ours, {problem.runtime.precision}",
                    run=ours,
                    over=f"plain PEFT loop, {problem.runtime.precision}",
                    reach=[Reach(device="cpu", bound=1.05), Reach(device="cuda", bound=0.5)],
                ),
                Contender(
                    name="ours again",
                    run=_our_lora(problem, setting.training),
                    over=f"ours, {problem.runtime.precision}",
                ),
                *([Contender(name="ours, fp32", run=ours_full)] if problem.runtime.precision != "fp32" else []),
                *([without] if full.runtime.onednn else []),
                *(
                    Contender(
                        name=f"Trainer's defaults, over ours in {precision}",
                        run=trainer,
                        over=f"ours, {precision}",
                        reach=[
                            Reach(device="cpu", bound=bounds[precision][0], at_most=False),
                            Reach(device="cuda", bound=bounds[precision][1], at_most=False),
                        ]
                        if bounds
                        else [],
                    )
                    for precision in dict.fromkeys(("fp32", problem.runtime.precision))
                ),
            ],
        )


def adalora(setting: Setting) -> Iterator[Comparison]:
    """AdaLoRA against PEFT's own loop."""
    problem = setting.problem("cola")
    peer = peers.plain_loop(problem, setting.training, peers.adalora_config(problem, setting.steps))
    ours, recorded = AdaLora(training=setting.training), _recorded_before(problem, setting.steps)
    yield Comparison(
        work=f"AdaLoRA, {setting.steps} steps, cola's lengths",
        contenders=[
            Contender(name="PEFT's loop", run=peer),
            Contender(name="ours", run=lambda: ours.train(recorded).seconds["train"], over="PEFT's loop"),
        ],
    )


def searching(setting: Setting) -> Iterator[Comparison]:
    """A search's engines against LoRA's step and against betty-ml's engine."""
    problem = setting.problem("cola")
    quicker = _timed(problem, setting.steps)

    def run(config: SearchConfig) -> Callable[[], float]:
        own = replace(config, training=setting.training, valid_share=0.5)
        return lambda: search(quicker, own).seconds

    yield Comparison(
        work=f"search, {setting.steps} steps, cola's lengths",
        contenders=[
            Contender(name="LoRA's step", run=_our_lora(problem, setting.training)),
            Contender(
                name="exact",
                run=run(SearchConfig()),
                over="LoRA's step",
                reach=[Reach(device="cpu", bound=3.5), Reach(device="cuda", bound=3.5)],
            ),
            Contender(name="exact, weights first", run=run(SearchConfig(order="weights-first")), over="LoRA's step"),
            Contender(name="finite differences", run=run(SearchConfig(engine="finite-difference")), over="LoRA's step"),
            Contender(
                name="one-sided differences",
                run=run(SearchConfig(engine="finite-difference-one-sided")),
                over="LoRA's step",
            ),
            Contender(name="first order", run=run(SearchConfig(engine="first-order")), over="LoRA's step"),
            Contender(
                name="betty",
                run=run(BETTY),
                over="exact",
                reach=[
                    Reach(device="cpu", bound=1.6, at_most=False),
                    Reach(device="cuda", bound=4.0, at_most=False),
                ],
            ),
            Contender(name="betty without roll-back", run=run(BETTY_PLAIN), over="exact"),
        ],
    )


def released(setting: Setting) -> Iterator[Comparison]:
    """A search as the authors run it, everything padded to 512 tokens and a loader per validation batch."""
    steps = max(5, setting.steps // 4)
    few = replace(setting, steps=steps)
    problem = few.problem("cola")
    quicker = _timed(problem, steps)
    yield Comparison(
        work=f"search, {steps} steps, cola's lengths, and padded to {setting.released_length}",
        contenders=[
            Contender(name="exact", run=lambda: search(quicker, SearchConfig(training=few.training)).seconds),
            Contender(
                name="released setting",
                run=partial(_released_search, problem, replace(BETTY, training=few.training), setting.released_length),
                over="exact",
                reach=[Reach(device=device, bound=25.0, at_most=False) for device in ("cpu", "cuda")],
            ),
        ],
    )


def grid(setting: Setting) -> Iterator[Comparison]:
    """Sixteen ranks, stacked and one after another."""
    for task, (cpu, cuda) in {"cola": (0.6, 0.2), "rte": (1.0, 1.0)}.items():
        few = replace(setting, steps=max(3, setting.steps // 4))
        problem = _recorded_before(few.problem(task), few.steps)
        yield Comparison(
            work=f"grid of {len(RANKS)} ranks, {few.steps} steps each, {task}'s lengths",
            contenders=[
                Contender(name="one after another", run=partial(_grid_search, problem, few.training, None)),
                Contender(
                    name="stacked",
                    run=partial(_grid_search, problem, few.training, StackConfig()),
                    over="one after another",
                    reach=[Reach(device="cpu", bound=cpu), Reach(device="cuda", bound=cuda)],
                ),
            ],
        )


def stack(setting: Setting) -> Iterator[Comparison]:
    """Sixteen ranks, so many in a pass: what a larger stack saves."""
    for task in LENGTHS:
        few = replace(setting, steps=max(3, setting.steps // 4))
        problem = few.problem(task)
        alone, *others = (
            Contender(
                name=f"{members} in a pass",
                run=partial(_grid_search, problem, few.training, StackConfig(members=members)),
                over=None if members == 1 else "1 in a pass",
            )
            for members in STACKS
        )
        yield Comparison(
            work=f"stack of {len(RANKS)} ranks, {few.steps} steps, {task}'s lengths, {problem.runtime.precision}",
            contenders=[alone, *others],
        )


def inference(setting: Setting) -> Iterator[Comparison]:
    """What an adapted model's answer costs: section 1 of the paper says that adapters add to it."""
    problem = setting.problem("cola")
    models = {
        "no adaptation": problem.build_model(),
        "LoRA, merged": _adapted(problem).merge_and_unload(),
        "LoRA, unmerged": _adapted(problem),
        "Adapter": Adapter(training=TrainingConfig(steps=1)).train(problem).model,
    }
    for size, work in ((1, "one sentence"), (BATCH, f"{BATCH} sentences")):
        batch = gather(problem, problem.train, range(size))
        first, *others = (
            Contender(
                name=name,
                run=partial(_answer, model, batch, problem, times=10 * setting.steps),
                over=None if name == "no adaptation" else "no adaptation",
            )
            for name, model in models.items()
        )
        yield Comparison(work=f"inference on {work}, cola's lengths", contenders=[first, *others])


def writing(setting: Setting) -> Iterator[Comparison]:
    """Texts by beam search, many records at a time and with a cache, against one by one; by the small decoder."""
    decoder = open_backbone("decoder")
    model = decoder.builder(0, seed=0, head="language")().to(setting.runtime.device)
    records = [row["record"] for row in generate("e2e")["test"][: max(4, setting.steps)]]
    prompts = [[*tokens, decoder.tokenizer.eos_token_id] for tokens in decoder.tokenizer(records)["input_ids"]]

    def run(*, at_once: int, cached: bool) -> Callable[[], float]:
        def seconds() -> float:
            began = time.perf_counter()
            beam = Beam(batch_size=at_once)
            write(model, prompts, beam, new_tokens=WRITTEN, runtime=setting.runtime, cached=cached)
            return time.perf_counter() - began

        return seconds

    alone = "one by one without a cache"
    yield Comparison(
        work=f"texts of at most {WRITTEN} tokens from {len(prompts)} records, {Beam().width} beams, small GPT-2",
        contenders=[
            Contender(name=alone, run=run(at_once=1, cached=False)),
            Contender(name="one by one", run=run(at_once=1, cached=True), over=alone),
            Contender(
                name="ours",
                run=run(at_once=Beam().batch_size, cached=True),
                over=alone,
                reach=[Reach(device=device, bound=0.2) for device in ("cpu", "cuda")],
            ),
        ],
    )


COMPARISONS: Mapping[str, Callable[[Setting], Iterator[Comparison]]] = MappingProxyType(
    {
        "lora": lora,
        "adalora": adalora,
        "search": searching,
        "released": released,
        "grid": grid,
        "stack": stack,
        "inference": inference,
        "writing": writing,
    }
)
"""Name -> comparisons."""


def _adapted(problem: Problem, rank: int = peers.RANK) -> PeftModel:
    projections = find_projections(fresh_model(problem), problem.targets)
    return adapt(problem, RankAllocation.uniform(projections, rank).to_lora_config()).to(problem.runtime.device)


def _our_lora(problem: Problem, config: TrainingConfig) -> Callable[[], float]:
    model, recorded = _adapted(problem), _recorded_before(problem, config.total_steps(1))
    return lambda: train(model, recorded, config)


def _grid_search(problem: Problem, config: TrainingConfig, stack: StackConfig | None) -> float:
    """Stacked, or one after another where there is no stack."""
    projections = find_projections(fresh_model(problem), problem.targets)
    configs = [RankAllocation.uniform(projections, rank).to_lora_config() for rank in RANKS]
    candidates = stacked(problem, configs, config, stack) if stack else one_after_another(problem, configs, config)
    return sum(seconds for _, seconds in candidates)


def _released_search(problem: Problem, config: SearchConfig, length: int) -> float:
    """With betty, everything padded to that length, the validation batches each from a loader of its own."""

    def collate(examples: Sequence[Example]) -> Batch:
        return lengthened(problem.collate(examples), length)

    long = replace(problem, collate=collate)
    train_part, valid_part = (list(part) for part in split(long, config.valid_share))
    steps = config.training.total_steps(1)
    order = batch_order(train_part, BATCH, seed=0, stream="search-train")
    searching = begin(long, config, steps)
    began = time.perf_counter()
    for step in range(steps):
        loader: DataLoader[Example] = DataLoader(valid_part, batch_size=BATCH, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
        valid_batch = {name: tensor.to(problem.runtime.device) for name, tensor in next(iter(loader)).items()}
        searching.step(step, gather(long, train_part, order.batch(step)), valid_batch).item()
    return time.perf_counter() - began


def _answer(model: nn.Module, batch: Batch, problem: Problem, *, times: int) -> float:
    """Seconds of one answer."""
    model.to(problem.runtime.device).eval()
    began = time.perf_counter()
    with torch.inference_mode(), problem.runtime.autocast():
        for _ in range(times):
            logits = model(**batch).logits
    float(logits[0, 0])  # fetched, so that an accelerator has finished
    return (time.perf_counter() - began) / times
