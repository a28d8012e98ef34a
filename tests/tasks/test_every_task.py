"""The contract of tasks, checked for every file in `benchmarks/tasks/`."""

from pathlib import Path

import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Value
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from autolora.compute.runtime import Runtime
from benchmarks.core import registry
from benchmarks.core.spec import InputError, TaskData
from benchmarks.data.sources.hub import REVISIONS
from benchmarks.tasks.families.classification import TextClassification
from benchmarks.tasks.families.evaluation import in_batches
from tests.support.paths import SHARED

GLUE = {"cola", "sst2", "mrpc", "qqp", "mnli", "qnli", "rte", "stsb", "wnli"}
OFFICIAL_COLUMNS = {
    "cola": "source|label|judgement|sentence",  # without a header line
    "sst2": "sentence|label",
    "mrpc": "Quality|#1 ID|#2 ID|#1 String|#2 String",
    "qqp": "id|qid1|qid2|question1|question2|is_duplicate",
    "mnli": "index|promptID|pairID|genre|sentence1_binary_parse|sentence2_binary_parse|sentence1_parse|sentence2_parse"
    "|sentence1|sentence2|label1|gold_label",
    "qnli": "index|question|sentence|label",
    "rte": "index|sentence1|sentence2|label",
    "stsb": "index|genre|filename|year|old_index|source1|source2|sentence1|sentence2|score",
    "wnli": "index|sentence1|sentence2|label",
}
"""Header lines of GLUE's training files, with bars instead of tabs."""
LABELLED_IN_WORDS = {"mnli", "qnli", "rte"}
DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no folder shared/data beside the repository")

TASKS = {name: task for name in registry.task_names() if isinstance(task := registry.task(name), TextClassification)}


def test_the_tasks_of_glue_are_found() -> None:
    assert TASKS.keys() >= GLUE


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> TextClassification:
    return TASKS[request.param]


@pytest.fixture(scope="module")
def data(task: TextClassification) -> TaskData:
    """The first rows of the embedded data."""
    whole = task.load("embedded")
    return TaskData(
        splits={split: rows[:30] for split, rows in whole.splits.items()},
        fingerprint=whole.fingerprint,
        source=whole.source,
    )


def tokenizer(data: TaskData) -> PreTrainedTokenizerFast:
    """A word-level tokenizer with BERT's special tokens; its vocabulary is the words of the data."""
    text = " ".join(str(value) for rows in data.splits.values() for row in rows for value in row.values())
    vocabulary = {
        word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(set(text.split()))])
    }
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")  # noqa: S106


def test_it_is_described(task: TextClassification) -> None:
    assert task.version >= 1
    assert task.title
    assert task.dataset.hub[0] in REVISIONS
    assert task.dataset.tsv.files.keys() == set(task.dataset.splits)
    assert task.dataset.paper_rows.keys() in (set(), set(task.dataset.splits))


def test_its_embedded_data_train_predict_and_score(task: TextClassification, data: TaskData) -> None:
    words = tokenizer(data)
    prepared = task.prepare(data, words, max_length=48)
    assert len(prepared.strata) == len(prepared.train)
    assert prepared.evaluation.keys() == set(task.evaluation_splits)

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=48, num_labels=task.num_labels,
    )  # fmt: skip
    model = BertForSequenceClassification(config)
    assert model(**prepared.collate(prepared.train[:8])).loss.isfinite()

    for examples in prepared.evaluation.values():
        scores = task.score(task.predict(model, examples, prepared, Runtime()))
        assert next(iter(scores)) == task.metric
        assert all(-100 <= value <= 100 for value in scores.values())
        one, many = (
            torch.stack(in_batches(model, examples, prepared.collate, Runtime(), batch_size=size)) for size in (1, 64)
        )
        assert torch.allclose(one, many, atol=1e-5)


def write_tsv(name: str, data: TaskData, folder: Path) -> None:
    """Write rows as TSV files in GLUE's layout; unused columns contain a dash."""
    official, columns, layout = OFFICIAL_COLUMNS[name].split("|"), TASKS[name].dataset.columns, TASKS[name].dataset.tsv
    for split, rows in data.splits.items():
        lines = [] if name == "cola" else ["\t".join(official)]
        for row in rows:
            cells = {column: row[text] for column, text in zip(layout.text, columns.text, strict=True)}
            cells[layout.label] = columns.labels[row["label"]] if name in LABELLED_IN_WORDS else str(row["label"])
            lines.append("\t".join(cells.get(column, "-") for column in official))
        (folder / f"{layout.files[split]}.tsv").write_text("\n".join(lines))


def write_parquet(task: TextClassification, data: TaskData, folder: Path) -> None:
    """Write rows as parquet files in the Hub's layout."""
    columns = task.dataset.columns
    label = ClassLabel(names=list(columns.labels)) if columns.labels else Value("float32")
    features = Features({name: Value("string") for name in columns.text} | {"label": label, "idx": Value("int32")})
    for split, rows in data.splits.items():
        table = Dataset.from_list([{**row, "idx": index} for index, row in enumerate(rows)], features=features)
        table.to_parquet(folder / f"{split}-00000-of-00001.parquet")


@pytest.mark.parametrize("name", OFFICIAL_COLUMNS)
def test_official_files_and_the_hubs_give_the_same_rows(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    embedded = task.load("embedded")
    tsv, parquet = tmp_path / "glue" / task.title, tmp_path / "copy" / name
    for folder in (tsv, parquet):
        folder.mkdir(parents=True)
    write_tsv(name, embedded, tsv)
    write_parquet(task, embedded, parquet)
    from_tsv, from_parquet = task.load(str(tmp_path), partial=True), task.load(str(tmp_path / "copy"))
    assert from_tsv.splits == from_parquet.splits == embedded.splits
    assert from_tsv.fingerprint == from_parquet.fingerprint == embedded.fingerprint
    assert from_tsv.source != from_parquet.source


@needs_data
@pytest.mark.parametrize("name", ["cola", "sst2", "stsb", "rte"])
def test_the_real_data_sets_have_the_papers_counts(name: str) -> None:
    task = TASKS[name]
    data = task.load(str(DATA))
    assert {split: len(rows) for split, rows in data.splits.items()} == task.dataset.paper_rows
    assert (data.partial, data.notes) == ((), ())


@needs_data
@pytest.mark.parametrize(
    ("name", "partial"),
    [("qnli", ("train",)), ("mnli", ("train", "validation_mismatched")), ("qqp", ("train", "validation"))],
)
def test_real_data_that_are_samples_are_refused_unless_allowed(name: str, partial: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="--partial"):
        TASKS[name].load(str(DATA))
    data = TASKS[name].load(str(DATA), partial=True)
    assert data.partial == partial
    assert len(data.notes) == len(partial)


@needs_data
@pytest.mark.parametrize("name", ["mrpc", "wnli"])
def test_real_data_that_are_absent_are_an_error(name: str) -> None:
    with pytest.raises(InputError, match=f"does not contain {TASKS[name].title}"):
        TASKS[name].load(str(DATA))
