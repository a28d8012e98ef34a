"""Findings about parameter counts, layer counts, costs and data counts, from the dimensions of the architectures."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from benchmarks.analysis.audit.finding import Finding
from benchmarks.store.published import LoraReport, LoraRow, PublishedTable, Statistics

BASE = {"width": 768, "layers": 12}
LARGE = {"width": 1024, "layers": 24}
GPT2_MEDIUM = {"width": 1024, "layers": 24}
"""Dimensions from the published configurations of roberta-base, roberta-large and gpt2-medium."""
HUB_ROWS: Mapping[str, tuple[int, tuple[int, ...]]] = {"qqp": (363_846, (40_430,))}
"""Task -> rows of train and dev on the Hub (nyu-mll/glue), for tasks where they differ from Table 6."""
WEBNLG_2017_PAIRS = 18_000
"""Training pairs of the WebNLG challenge of 2017, rounded to thousands."""
SEARCH_STEP_COSTS = (3, 5.5)
"""Cost of a search step in multiples of a LoRA step: the minimum (train gradient, validation gradient, mixed
derivative), and the cost with betty, which adds two perturbed passes, a roll-back and copies."""


def lora_parameters(rank: int, *, width: int, layers: int) -> int:
    """Parameters of LoRA on the query and value projections: 2 matrices per layer, each with rank * (width + width)."""
    return 2 * layers * rank * 2 * width


def head_parameters(classes: int, *, width: int) -> int:
    """Parameters of RoBERTa's classification head: a dense layer and the output layer."""
    return width * width + width + classes * width + classes


def adapter_parameters(width: int, bottleneck: int, layers: int, per_layer: int, *, layer_norms: bool = False) -> int:
    """Parameters of bottleneck adapters with biases, `per_layer` adapters in each layer.

    Args:
        width: d, the model's hidden size.
        bottleneck: width of the adapter.
        layers: number of Transformer blocks.
        per_layer: adapters per block.
        layer_norms: count a layer norm, of 2 * d parameters, with each adapter.
    """
    return layers * per_layer * (2 * width * bottleneck + bottleneck + width + 2 * width * layer_norms)


def base_counts(table: PublishedTable, lists: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """Parameter counts of LoRA, AutoLoRA and the adapter on RoBERTa-base."""
    small, large = (lora_parameters(rank, **BASE) for rank in (4, 8))
    head = head_parameters(2, width=BASE["width"])
    learned = [sum(ranks) * 2 * BASE["width"] for label, ranks in lists.items() if _is_glue_second_order(label)]
    lora = table.row("lora")
    printed = lora.parameters if lora else None
    yield Finding(
        where=f"Table {table.table}, Params of LoRA and AutoLoRA",
        printed=f"{(printed or 0) / 1e6:.1f}M",
        follows=f"{small / 1e6:.2f}M at the rank of 4 that section 5.1 names, {large / 1e6:.2f}M at 8; "
        f"with the head {(small + head) / 1e6:.2f}M and {(large + head) / 1e6:.2f}M",
        how=f"24 * 4 * (768 + 768) = {small:,}; 24 * 8 * 1536 = {large:,}; head {head:,}",
        weight="wrong",
    )
    yield Finding(
        where="the authors' rank lists for GLUE",
        printed="0.3M",
        follows=f"{statistics.mean(learned) / 1e6:.2f}M on average, {statistics.mean(learned) / small:.2f} of LoRA's "
        "at rank 4",
        how=f"1536 * sum of the ranks, {len(learned)} lists: {min(learned):,} to {max(learned):,}",
        weight="note",
    )
    yield adapter_readings(table, BASE)


def adapter_readings(table: PublishedTable, dimensions: Mapping[str, int], known: LoraRow | None = None) -> Finding:
    """The widths with which one or two adapters per block have the printed number of parameters, to 0.1M.

    Args:
        table: has the printed number.
        dimensions: width (d, the hidden size) and layers (Transformer blocks) of the model.
        known: an adapter of LoRA's authors, whose parameters are those of the last reading at its smallest width.
    """
    row = table.row("adapter")
    assert row is not None
    printed = f"{(row.parameters or 0) / 1e6:.1f}M"
    width, layers = dimensions["width"], dimensions["layers"]
    readings, counts = [], []
    for per_layer, layer_norms in product((2, 1), (False, True)):
        found = {
            bottleneck: adapter_parameters(width, bottleneck, layers, per_layer, layer_norms=layer_norms)
            for bottleneck in range(1, width)
        }
        fitting = [bottleneck for bottleneck, count in found.items() if f"{count / 1e6:.1f}M" == printed]
        first, last = fitting[0], fitting[-1]
        number, norms = ("one", "two")[per_layer - 1], f" + 2 * {width}" if layer_norms else ""
        reading = f"{number} per block of width {first}{f' to {last}' if last > first else ''}"
        readings.append(f"{reading} with layer norms" if layer_norms else reading)
        terms = f"2 * {width} * {first} + {first} + {width}{norms}"
        counts.append(f"{layers} * {per_layer} * ({terms}) = {found[first]:,}")
    of_lora = (
        f"the last, at width {first}, is the {known.parameters / 1e6:.2f}M that LoRA's authors print; " if known else ""
    )
    return Finding(
        where=f"Table {table.table}, Params of the adapter",
        printed=printed,
        follows=f"{'; '.join(readings)}: {of_lora}the paper names neither width nor number",
        how="; ".join(counts),
        weight="open",
    )


def large_counts(statistics_: Statistics) -> Iterator[Finding]:
    """Parameter counts of LoRA on RoBERTa-large, and the methods that it is compared with."""
    small, large = (lora_parameters(rank, **LARGE) for rank in (4, 8))
    yield Finding(
        where="Figure 2, RoBERTa-large",
        printed="no parameter counts",
        follows=f"{small / 1e6:.2f}M at rank 4, {large / 1e6:.2f}M at rank 8",
        how=f"48 * 4 * (1024 + 1024) = {small:,}; head {head_parameters(2, width=1024):,}",
        weight="note",
    )
    used, shown = statistics_.text["baselines"], statistics_.text["baselines_large"]
    yield Finding(
        where="Figure 2, the baselines",
        printed=f'"{shown.says}"',
        follows=f"section {used.section} names three; which two are meant is not said",
        how=f'section {used.section}: "{used.says}"; compared with the text of section {shown.section} and the caption, not '
        "with the picture",
        weight="open",
    )


def gpt2_layers(statistics_: Statistics, table: PublishedTable, report: LoraReport) -> Iterator[Finding]:
    """Layer count of GPT2-medium, and parameter counts of LoRA and the adapter on this model."""
    claimed = statistics_.text["layers_base"]
    medium = lora_parameters(4, **GPT2_MEDIUM)
    twelve = lora_parameters(4, width=1024, layers=12)
    yield Finding(
        where=f"section {claimed.section}",
        printed=f'"{claimed.says}"',
        follows="GPT2-medium has 24, and 48 query and value projections",
        how="n_layer of gpt2-medium's configuration, a fact from outside the paper",
        weight="open",
    )
    small = lora_parameters(4, width=768, layers=12)
    three = lora_parameters(3, **GPT2_MEDIUM)
    loras = report.gpt2_medium["lora"]
    yield Finding(
        where=f"Table {table.table}, Params of LoRA",
        printed="0.3M",
        follows=f"{medium / 1e6:.2f}M at rank 4 on GPT2-medium, {twelve / 1e6:.2f}M with 12 layers; 0.3M can be rank 3 "
        f"({three / 1e6:.2f}M), rank 8 on GPT2 small ({2 * small / 1e6:.2f}M), or the {loras.parameters / 1e6:.2f}M that LoRA's "
        "authors print for rank 4 on GPT2-medium, cut to one decimal",
        how=f"48 * 4 * (1024 + 1024) = {medium:,}; 48 * 3 * 2048 = {three:,}; 24 * 8 * (768 + 768) = {2 * small:,}",
        weight="open",
    )
    yield Finding(
        where=f"Table {table.table}, the model",
        printed="354.9M parameters; E2E BLEU 67.1 for LoRA",
        follows="12 layers, few parameters and such scores are those of GPT2 small, whose users report 67.3; for "
        f"GPT2-medium LoRA's authors report {loras.e2e_bleu}. The row of full fine-tuning says 354.9M: which model it was cannot "
        "be settled from the paper",
        how=f"github.com/microsoft/LoRA, issue 165 and README; 24 * 4 * 1536 = {small:,}",
        weight="open",
    )
    yield adapter_readings(table, GPT2_MEDIUM, report.gpt2_medium["wide_adapter"])


def cost_multiples(table: PublishedTable, statistics_: Statistics) -> Iterator[Finding]:
    """Costs of a LoRA run and of the search that follow from the multiples in Table 5."""
    costs = {row.method: row.scores["cost"] for row in table.rows}
    grid = int(statistics_.text["grid_configurations"].value)
    lora_run = costs["lora_grid"] / grid
    autolora = costs["autolora"] / lora_run
    search = autolora - 1
    yield Finding(
        where=f"Table {table.table}",
        printed=f"AdaLoRA 1, LoRA with a grid of {grid} {costs['lora_grid']}, AutoLoRA {costs['autolora']}",
        follows=f"a LoRA run costs {lora_run:.3f} of AdaLoRA's, AutoLoRA {autolora:.2f} LoRA runs, its search {search:.2f} if "
        "the retraining costs one",
        how=f"{costs['lora_grid']} / {grid} = {lora_run:.3f}; {costs['autolora']} / {lora_run:.3f} = {autolora:.2f}; "
        f"- 1 = {search:.2f}",
        weight="note",
    )
    train_share = 0.5  # D_tr is half of the training set
    lengths = {epochs: [search * epochs / step / train_share for step in SEARCH_STEP_COSTS] for epochs in (10, 30)}
    yield Finding(
        where=f"Table {table.table}, length of the search",
        printed="not printed; the released search has 20 epochs",
        follows="; ".join(
            f"beside a retraining of {epochs} epochs, {minimum:.1f} of search at the least possible cost of its step, "
            f"{with_betty:.1f} at betty's"
            for epochs, (minimum, with_betty) in lengths.items()
        ),
        how=f"{search:.2f} * epochs / {' or '.join(str(step) for step in SEARCH_STEP_COSTS)} / {train_share}",
        weight="open",
    )


def data_counts(statistics_: Statistics) -> Iterator[Finding]:
    """Table 6 and the text, compared with the data sets as distributed."""
    for task, (train, dev) in HUB_ROWS.items():
        counts = statistics_.rows[task]
        yield Finding(
            where=f"Table 6, {counts.title}",
            printed=f"{counts.train:,} and {', '.join(f'{rows:,}' for rows in counts.dev)}",
            follows=f"{train:,} and {', '.join(f'{rows:,}' for rows in dev)} on the Hub",
            how="rows of nyu-mll/glue; all other counts of Table 6 agree",
            weight="note",
        )
    yield Finding(
        where="Table 6, WNLI",
        printed=f"{statistics_.rows['wnli'].train} and {statistics_.rows['wnli'].dev[0]}",
        follows="listed, and in no table of results",
        how="columns of Tables 1 and 4",
        weight="note",
    )
    pairs = statistics_.text["webnlg_pairs"]
    yield Finding(
        where=f"section {pairs.section}, WebNLG",
        printed=f'"{pairs.says}"',
        follows=f"about {WEBNLG_2017_PAIRS:,} in the challenge of 2017: which release was used is open",
        how="LoRA's log of the same data: 11,270 steps of 8 in 5 epochs",
        weight="open",
    )


def _is_glue_second_order(label: str) -> bool:
    return "second" in label and label.split(maxsplit=1)[0] in (
        "cola",
        "sst2",
        "mrpc",
        "qqp",
        "mnli",
        "qnli",
        "rte",
        "stsb",
    )
