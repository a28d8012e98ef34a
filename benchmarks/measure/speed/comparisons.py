"""The speed comparisons: their contenders, baselines and targets."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from autolora.rank_search.config import SearchConfig
from autolora.rank_search.search import search
from autolora.training.batches import gather
from autolora.training.config import TrainingConfig
from baselines.adalora import AdaLora
from baselines.adapter import Adapter
from baselines.stacking.lora_stack import StackConfig
from benchmarks.data.models.backbones import open_backbone
from benchmarks.data.synthetic import generate
from benchmarks.measure.speed import peers
from benchmarks.measure.speed.comparison import Comparison, Contender, Target
from benchmarks.measure.speed.problems import LENGTHS
from benchmarks.measure.speed.setting import BATCH, Setting, timed, timed_if_recorded
from benchmarks.measure.speed.work import (
    adapted,
    forward_seconds,
    generation_seconds,
    grid_seconds,
    lora_training,
    released_search_seconds,
)
from benchmarks.tasks.families.beam_search import Beam

WRITTEN = 48
"""Most tokens of a generated text."""
RANKS = tuple(range(1, 17))
"""Ranks of the grid search."""
STACKS = (1, 2, 4, 8, 16)
"""Numbers of configurations per pass that are compared."""
BETTY = SearchConfig(engine="betty", eta=1.0, look_ahead="optimizer", order="selection-first")
BETTY_PLAIN = replace(BETTY, order="simultaneous")


def lora(setting: Setting) -> Iterator[Comparison]:
    """LoRA training, compared with a plain loop over PEFT and with `transformers.Trainer`."""
    for task in LENGTHS:
        yield Comparison(
            work=f"LoRA, {setting.steps} steps, {task}'s lengths",
            contenders=_lora_contenders(setting, task),
        )


def _lora_contenders(setting: Setting, task: str) -> list[Contender]:
    problem, full = setting.problem(task), setting.problem(task, precision="fp32")
    plain = replace(full, runtime=replace(full.runtime, onednn=False))
    precision = problem.runtime.precision
    ours, ours_full = lora_training(problem, setting.training), lora_training(full, setting.training)
    without_onednn = Contender(
        name="ours, fp32, without oneDNN", run=lora_training(plain, setting.training), baseline="ours, fp32"
    )
    trainer = peers.trainer(full, setting.training)
    return [
        Contender(
            name=f"plain PEFT loop, {precision}",
            run=peers.plain_loop(problem, setting.training, peers.lora_config(problem)),
        ),
        Contender(
            name=f"ours, {precision}",
            run=ours,
            baseline=f"plain PEFT loop, {precision}",
            targets=[Target(device="cpu", bound=1.05), Target(device="cuda", bound=0.5)],
        ),
        Contender(name="ours again", run=lora_training(problem, setting.training), baseline=f"ours, {precision}"),
        *([Contender(name="ours, fp32", run=ours_full)] if precision != "fp32" else []),
        *([without_onednn] if full.runtime.onednn else []),
        *(_trainer_contender(trainer, task, each) for each in dict.fromkeys(("fp32", precision))),
    ]


def _trainer_contender(trainer: Callable[[], float], task: str, precision: str) -> Contender:
    """`transformers.Trainer`, compared with our LoRA training at one precision; targets are set for CoLA alone."""
    cpu, cuda = {"fp32": (1.7, 4.0), "bf16": (3.0, 4.0)}[precision]
    targets = [Target(device="cpu", bound=cpu, at_most=False), Target(device="cuda", bound=cuda, at_most=False)]
    return Contender(
        name=f"Trainer's defaults, over ours in {precision}",
        run=trainer,
        baseline=f"ours, {precision}",
        targets=targets if task == "cola" else [],
    )


def adalora(setting: Setting) -> Iterator[Comparison]:
    """AdaLoRA training, compared with a plain loop over PEFT's AdaLoRA."""
    problem = setting.problem("cola")
    peer = peers.plain_loop(problem, setting.training, peers.adalora_config(problem, setting.steps))
    ours, recorded = AdaLora(training=setting.training), timed_if_recorded(problem, setting.steps)
    yield Comparison(
        work=f"AdaLoRA, {setting.steps} steps, cola's lengths",
        contenders=[
            Contender(name="PEFT's loop", run=peer),
            Contender(name="ours", run=lambda: ours.train(recorded).seconds["train"], baseline="PEFT's loop"),
        ],
    )


def searching(setting: Setting) -> Iterator[Comparison]:
    """The search with each engine, compared with LoRA training; and betty-ml's engine, compared with the exact one."""
    problem = setting.problem("cola")
    timing_problem = timed(problem, setting.steps)

    def contender(name: str, config: SearchConfig, baseline: str, *targets: Target) -> Contender:
        own = replace(config, training=setting.training, valid_share=0.5)
        return Contender(name=name, run=lambda: search(timing_problem, own).seconds, baseline=baseline, targets=targets)

    lora_step = "LoRA's step"
    exact_targets = [Target(device="cpu", bound=3.5), Target(device="cuda", bound=3.5)]
    betty_targets = [Target(device="cpu", bound=1.6, at_most=False), Target(device="cuda", bound=4.0, at_most=False)]
    yield Comparison(
        work=f"search, {setting.steps} steps, cola's lengths",
        contenders=[
            Contender(name=lora_step, run=lora_training(problem, setting.training)),
            contender("exact", SearchConfig(), lora_step, *exact_targets),
            contender("exact, weights first", SearchConfig(order="weights-first"), lora_step),
            contender("finite differences", SearchConfig(engine="finite-difference"), lora_step),
            contender("one-sided differences", SearchConfig(engine="finite-difference-one-sided"), lora_step),
            contender("first order", SearchConfig(engine="first-order"), lora_step),
            contender("betty", BETTY, "exact", *betty_targets),
            contender("betty without roll-back", BETTY_PLAIN, "exact"),
        ],
    )


def released(setting: Setting) -> Iterator[Comparison]:
    """The search as the authors' code runs it (512 tokens per example, a new loader per validation batch), and ours."""
    steps = max(5, setting.steps // 4)
    shorter = replace(setting, steps=steps)
    problem = shorter.problem("cola")
    timing_problem = timed(problem, steps)
    config = replace(BETTY, training=shorter.training)
    yield Comparison(
        work=f"search, {steps} steps, cola's lengths, and padded to {setting.released_length}",
        contenders=[
            Contender(
                name="exact", run=lambda: search(timing_problem, SearchConfig(training=shorter.training)).seconds
            ),
            Contender(
                name="released setting",
                run=partial(released_search_seconds, problem, config, setting.released_length),
                baseline="exact",
                targets=[Target(device=device, bound=25.0, at_most=False) for device in ("cpu", "cuda")],
            ),
        ],
    )


def grid(setting: Setting) -> Iterator[Comparison]:
    """A grid search over sixteen ranks: stacked, compared with one after another."""
    for task, (cpu, cuda) in {"cola": (0.6, 0.2), "rte": (1.0, 1.0)}.items():
        shorter = replace(setting, steps=max(3, setting.steps // 4))
        problem = timed_if_recorded(shorter.problem(task), shorter.steps)
        yield Comparison(
            work=f"grid of {len(RANKS)} ranks, {shorter.steps} steps each, {task}'s lengths",
            contenders=[
                Contender(name="one after another", run=partial(grid_seconds, problem, shorter.training, None, RANKS)),
                Contender(
                    name="stacked",
                    run=partial(grid_seconds, problem, shorter.training, StackConfig(), RANKS),
                    baseline="one after another",
                    targets=[Target(device="cpu", bound=cpu), Target(device="cuda", bound=cuda)],
                ),
            ],
        )


def stack(setting: Setting) -> Iterator[Comparison]:
    """A grid search over sixteen ranks, with 1 to 16 configurations per pass."""
    for task in LENGTHS:
        shorter = replace(setting, steps=max(3, setting.steps // 4))
        problem = shorter.problem(task)
        contenders = [
            Contender(
                name=f"{members} in a pass",
                run=partial(grid_seconds, problem, shorter.training, StackConfig(members=members), RANKS),
                baseline=None if members == 1 else "1 in a pass",
            )
            for members in STACKS
        ]
        yield Comparison(
            work=f"stack of {len(RANKS)} ranks, {shorter.steps} steps, {task}'s lengths, {problem.runtime.precision}",
            contenders=contenders,
        )


def inference(setting: Setting) -> Iterator[Comparison]:
    """Forward passes of adapted models: section 1 of the paper says that adapters make inference slower."""
    problem = setting.problem("cola")
    unadapted = "no adaptation"
    models = {
        unadapted: problem.build_model(),
        "LoRA, merged": adapted(problem).merge_and_unload(),
        "LoRA, unmerged": adapted(problem),
        "Adapter": Adapter(training=TrainingConfig(steps=1)).train(problem).model,
    }
    for size, sentences in ((1, "one sentence"), (BATCH, f"{BATCH} sentences")):
        batch = gather(problem, problem.train, range(size))
        contenders = [
            Contender(
                name=name,
                run=partial(forward_seconds, model, batch, problem, times=10 * setting.steps),
                baseline=None if name == unadapted else unadapted,
            )
            for name, model in models.items()
        ]
        yield Comparison(work=f"inference on {sentences}, cola's lengths", contenders=contenders)


def generation(setting: Setting) -> Iterator[Comparison]:
    """Beam search with the small decoder: batched and cached, compared with one record at a time without a cache."""
    decoder = open_backbone("decoder")
    model = decoder.builder(0, seed=0, head="language")().to(setting.runtime.device)
    records = [row["record"] for row in generate("e2e")["test"][: max(4, setting.steps)]]
    prompts = [[*tokens, decoder.tokenizer.eos_token_id] for tokens in decoder.tokenizer(records)["input_ids"]]

    def run(*, batch_size: int, cached: bool) -> Callable[[], float]:
        beam = Beam(batch_size=batch_size)
        return partial(generation_seconds, model, prompts, beam, setting.runtime, new_tokens=WRITTEN, cached=cached)

    uncached = "one by one without a cache"
    yield Comparison(
        work=f"texts of at most {WRITTEN} tokens from {len(prompts)} records, {Beam().width} beams, small GPT-2",
        contenders=[
            Contender(name=uncached, run=run(batch_size=1, cached=False)),
            Contender(name="one by one", run=run(batch_size=1, cached=True), baseline=uncached),
            Contender(
                name="ours",
                run=run(batch_size=Beam().batch_size, cached=True),
                baseline=uncached,
                targets=[Target(device=device, bound=0.2) for device in ("cpu", "cuda")],
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
        "writing": generation,
    }
)
"""Name on the command line -> function that sets up its comparisons."""
