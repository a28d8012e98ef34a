"""Table 5 from cost runs: training time in multiples of one method's, and the cost of a step in each stage."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.core.spec import InputError
from benchmarks.report.tables.grid import Grid, write
from benchmarks.store.cost_record import Cost, CostRun
from benchmarks.store.published import PublishedTable

REFERENCE = "adalora"
"""The method whose cost is 1 in the paper, and in every run that includes it; in others it is the first method."""
AS_PUBLISHED = {"lora_grid": "lora_grid", "lora_grid_sequential": "lora_grid"}
"""Method -> the published row to compare it with, for methods whose name differs from the row's."""
EPOCH_RATIOS = (0.25, 0.5, 2 / 3, 1.0, 1.5, 2.0)
"""Epochs of the search per epoch of the retraining; 2/3 is the released code's ratio on most tasks, 20 to 30."""


@dataclass(frozen=True, kw_only=True)
class Multiple:
    """A ratio of two costs: the median over rounds, and the range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> "Multiple":
        """From ratios, one per round."""
        return cls(median=statistics.median(ratios), low=min(ratios), high=max(ratios))

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """Training time of one method in multiples of the reference method's."""

    method: str
    title: str
    by_task: Mapping[str, Multiple]
    average: Multiple
    """Ratio of the mean costs over tasks, averaged as in the paper."""
    published: float | None
    """The paper's cost in multiples of the same method's; None where the paper lacks either."""


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """Cost of one stage of one method on one task."""

    task: str
    method: str
    stage: str
    steps: int
    step_seconds: float
    tokens: float
    """Tokens per step."""
    padding: float
    """Fraction of the tokens that are padding."""
    flops: float
    """Floating-point operations per step."""
    share_of_peak: float
    """Fraction of the FLOP/s that the device reaches in matrix products."""
    watt_hours: float | None
    """Energy of the whole stage, at the mean power measured over the rounds of the method; None if unmeasured."""
    peak_memory_bytes: int | None
    trainable_parameters: int


@dataclass(frozen=True, kw_only=True)
class CostReport:
    """The tables and remarks of one cost run."""

    title: str
    tasks: Mapping[str, str]
    """Task -> title."""
    reference: str
    """Title of the method whose cost is 1."""
    rows: Sequence[CostRow]
    calibration: Multiple | None
    """Cost of the calibration copy of a method in multiples of that method's; None without a copy."""
    copied: str | None
    """Title of the method that has a calibration copy."""
    stages: Sequence[StageRow]
    search_ratios: Mapping[float, float]
    """Epochs of AutoLoRA's search per epoch of its retraining -> AutoLoRA's cost in multiples of the reference
    method's, which trains for as many epochs as the retraining."""
    remarks: Sequence[str]


def cost_report(run: CostRun, published: PublishedTable) -> CostReport:
    """Report a cost run without its disturbed rounds. Raises InputError: every round was disturbed."""
    tasks, methods, undisturbed = run.tasks, run.methods, len(run.sound)
    if not undisturbed:
        raise InputError(f"every round of the cost run of {run.finished} was disturbed; measure again")
    reference = REFERENCE if REFERENCE in methods else next(iter(methods))
    one = _published_cost(reference, published)
    rows = [
        CostRow(
            method=method,
            title=title,
            by_task={task: Multiple.of(run.ratios(method, reference, [task])) for task in tasks},
            average=Multiple.of(run.ratios(method, reference)),
            published=cost / one if one and (cost := _published_cost(method, published)) else None,
        )
        for method, title in methods.items()
    ]
    copied = next((cost.method for cost in run.costs if cost.again), None)
    as_one = "" if reference == REFERENCE else f"{methods[reference]}'s as 1, "
    return CostReport(
        title=f"{published.name}, {published.title}; here {as_one}{run.model_title}, preset {run.preset}, protocol "
        f"{run.protocol}; {'projected' if run.timed_steps else 'measured'}",
        tasks=tasks,
        reference=methods[reference],
        rows=rows,
        calibration=Multiple.of(run.ratios(copied, copied, again=True)) if copied else None,
        copied=methods[copied] if copied else None,
        stages=[stage for cost in run.costs if not cost.again for stage in _stages(cost, run)],
        search_ratios=_search_ratios(run, reference),
        remarks=_remarks(run, methods[reference], undisturbed),
    )


def _published_cost(method: str, published: PublishedTable) -> float | None:
    row = published.row(AS_PUBLISHED.get(method, method))
    return row.scores["cost"] if row else None


def render_costs(reports: Sequence[CostReport], form: str, width: int) -> str:
    """Render reports in one of `grid.FORMATS`."""
    if form == "json":
        return json.dumps([asdict(report) for report in reports], indent=1, ensure_ascii=False)
    return write((grid for report in reports for grid in cost_grids(report)), form, width)


def cost_grids(report: CostReport) -> tuple[Grid, Grid]:
    """The table of multiples, and the table of stages."""
    multiples = [
        (
            row.title,
            *(str(row.by_task[task]) for task in report.tasks),
            str(row.average),
            "-" if row.published is None else f"{row.published:.2f}",
        )
        for row in report.rows
    ]
    headers = ("Method", *report.tasks.values(), "Average", "Paper")
    return Grid(title=report.title, headers=headers, rows=multiples, notes=_notes(report)), _stage_grid(report)


def _stages(cost: Cost, run: CostRun) -> list[StageRow]:
    rows = []
    watts = [each.watts for each in cost.rounds if each.watts is not None]
    memory = [each.peak_memory_bytes for each in cost.rounds if each.peak_memory_bytes is not None]
    for stage, work in cost.work.items():
        seconds = cost.step_seconds(stage)
        if seconds is None:
            continue
        rows.append(
            StageRow(
                task=cost.task_title,
                method=cost.method_title,
                stage=stage,
                steps=work.steps,
                step_seconds=seconds,
                tokens=work.tokens,
                padding=work.padding,
                flops=work.flops,
                share_of_peak=work.flops / seconds / run.matmul_flops_per_second,
                watt_hours=statistics.mean(watts) * seconds * work.steps / 3600 if watts else None,
                peak_memory_bytes=max(memory, default=None),
                trainable_parameters=cost.trainable_parameters,
            )
        )
    return rows


def _search_ratios(run: CostRun, reference: str) -> dict[float, float]:
    """Search ratios from the seconds per step; an epoch of the search has as many steps as D_tr has batches.

    Empty where a task lacks AutoLoRA, the reference method, or the time of a step.
    """
    multiples = {}
    for ratio in EPOCH_RATIOS:
        ours = others = 0.0
        for task in run.tasks:
            autolora, other = run.of(task, "autolora"), run.of(task, reference)
            if not autolora or not other:
                return {}
            searching, training = autolora.step_seconds("search"), autolora.step_seconds("train")
            reference_step = other.step_seconds("train")
            if not searching or not training or not reference_step:
                return {}
            train_share = 1 - autolora.config["method"]["search"]["valid_share"]
            steps = autolora.work["train"].steps
            ours += steps * (ratio * train_share * searching + training)
            others += steps * reference_step
        multiples[ratio] = ours / others
    return multiples


def _remarks(run: CostRun, reference: str, undisturbed: int) -> list[str]:
    where = run.environment
    total = max(len(cost.rounds) for cost in run.costs)
    how = (
        f"Projected: {run.timed_steps} steps of typical length timed per stage and configuration, after "
        f"{run.warmup_steps} that were not"
        if run.timed_steps
        else "Measured: every step was run"
    )
    remarks = [
        (
            f"Multiples of {reference}'s training time, the median over {undisturbed} rounds and their range. {how}; loading, "
            "evaluation and checkpoints left out. The methods took turns on one host."
        ),
        (
            f"Computed on {where.machine}, threads: {where.threads}, {where.precision}, torch "
            f"{where.packages['torch']}, commit {(where.commit or 'unknown')[:12]}"
            f"{'' if where.clean else ', with changes'}. In matrix products the device reached "
            f"{run.matmul_flops_per_second / 1e9:,.0f} GFLOP/s. Data: "
            f"{', '.join(sorted({source.split()[0] for source in run.data_sources.values()}))}."
        ),
        (
            "The paper measured on an A100 and gives neither epochs nor which 16 configurations the grid had; its multiple "
            "for the grid leaves no room for training the winner again, which is included here."
        ),
    ]
    if undisturbed < total:
        remarks.append(f"{total - undisturbed} of {total} rounds do not count: the machine slept or its clock was set.")
    return remarks


def _notes(report: CostReport) -> list[str]:
    notes = list(report.remarks)
    if report.calibration:
        notes.insert(
            1, f"Calibration: a second copy of {report.copied} in multiples of the first, {report.calibration}."
        )
    if report.search_ratios:
        curve = ", ".join(f"{ratio:.2f}: {cost:.2f}" for ratio, cost in report.search_ratios.items())
        notes.append(
            f"AutoLoRA's multiple by epochs of the search per epoch of the retraining (as many epochs as the "
            f"reference's), from the times of a step: {curve}."
        )
    return notes


def _stage_grid(report: CostReport) -> Grid:
    rows = [
        {
            "Task": row.task,
            "Method": row.method,
            "Stage": row.stage,
            "Steps": f"{row.steps:,}",
            "ms/step": f"{1e3 * row.step_seconds:.1f}",
            "Tokens/step": f"{row.tokens:.0f}",
            "Padding": f"{row.padding:.0%}",
            "GFLOP/step": f"{row.flops / 1e9:.1f}",
            "Of peak": f"{row.share_of_peak:.0%}",
            "Memory": _or_dash(row.peak_memory_bytes, lambda value: f"{value / 1e9:.2f} GB"),
            "Params": f"{row.trainable_parameters / 1e6:.3f}M",
            **({"Energy": _or_dash(row.watt_hours, lambda value: f"{value:.2f} Wh")} if _has_energy(report) else {}),
        }
        for row in report.stages
    ]
    return Grid.of("What a step is made of", rows)


def _has_energy(report: CostReport) -> bool:
    return any(row.watt_hours is not None for row in report.stages)


def _or_dash(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)
