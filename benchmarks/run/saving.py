"""Saves a cell's trained adapter in PEFT's format, with a model card."""

import logging
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from peft import PeftModel, PeftType
from torch import nn

from autolora.adapters.fused import SplitProjection, export
from benchmarks.core import registry
from benchmarks.report.cell_report import cell_report
from benchmarks.store.result import Result

LOG = logging.getLogger(__name__)
HUB_TASKS = {"sequence": "text-classification", "token": "token-classification", "language": "text-generation"}
"""Kind of head -> the Hub's name of the task."""
TEMPLATE = Path(__file__).with_name("model_card.md")


def save_adapter(model: nn.Module, result: Result, folder: Path) -> bool:
    """Write an adapter and its model card into a folder; returns False where PEFT could not load the adapter.

    Args:
        model: as a method returned it. It has no adapter to save if it is no PEFT model, or has AdaLoRA adapters on
            split projections, which `autolora.export` cannot join.
        result: of the cell.
        folder: is created.
    """
    split = any(isinstance(module, SplitProjection) for module in model.modules())
    if not isinstance(model, PeftModel) or (split and model.peft_type != PeftType.LORA):
        LOG.warning("%s has no adapter that PEFT can load: nothing is saved", result.method_title)
        return False
    export(model).save_pretrained(folder)
    model_card(result, folder).save(folder / "README.md")
    return True


def model_card(result: Result, folder: Path) -> ModelCard:
    """The model card of a cell's adapter: the template, filled in from the result."""
    report = cell_report(result, folder)
    data = ModelCardData(
        base_model=result.config["model"],
        library_name="peft",
        tags=["lora", "autolora"],
        model_name=report.title,
        eval_results=_eval_results(result) or None,
    )
    where = result.environment
    card: ModelCard = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        title=report.title,
        method=result.method_title,
        task=result.task_title,
        backbone=f"{result.model_title} (`{result.config['model']}`)",
        data=report.facts["data"],
        score=report.score,
        parameters=f"{result.trainable_parameters:,} and a head of {result.head_parameters:,}",
        seed=result.seed,
        machine=f"{where.machine}, {where.precision}, torch {where.packages['torch']}",
        ranks=report.ranks,
        settings=report.settings,
        commit=where.commit or "unknown",
        identity=result.identity,
    )
    return card


def _eval_results(result: Result) -> list[EvalResult]:
    """The defined metrics on the headline split, in the Hub's form."""
    return [
        EvalResult(
            task_type=HUB_TASKS[registry.task(result.task).head],
            dataset_type=result.data_source.split()[-1],
            dataset_name=result.task_title,
            dataset_split=result.split,
            metric_type=name,
            metric_value=round(value, 4),
        )
        for name, value in result.metrics.get(result.split, {}).items()
        if value is not None
    ]
