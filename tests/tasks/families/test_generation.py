"""Text generation from records: loss, beam search, grouping by record, and scores."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from autolora.compute.runtime import Runtime
from autolora.training.batches import IGNORED
from benchmarks.core.spec import InputError, Prediction, Prepared, Row
from benchmarks.data.models.backbones import Backbone, _next_token_loss
from benchmarks.data.sources.described import DescribedDataSet, Form, HubForm
from benchmarks.data.sources.rows import task_data
from benchmarks.run.procedure import hold_out
from benchmarks.tasks.families.beam_search import Beam, beam_search
from benchmarks.tasks.families.generation import TextGeneration
from benchmarks.tasks.metrics import generation as metrics

END = 0
WORDS = ["<end>", "a", "b", "c", "d", "e", "f", "g", "h"]


def dataset(**changes: Any) -> DescribedDataSet:
    base = DescribedDataSet(
        name="things",
        hub=HubForm(repository="someone/things", configuration="default", splits={}, read=list),
        forms=(Form(name="text", files={"train": "train.txt", "test": "test.txt"}),),
        read=lambda path: [{"record": line, "texts": [line]} for line in path.read_text().splitlines()],
        official_rows={"train": 2, "test": 1},
    )
    return replace(base, **changes)


TASK = TextGeneration(version=1, title="Things", scores="webnlg", dataset=dataset(), beam=Beam(width=3, batch_size=4))
ROWS: list[Row] = [
    {"record": "a b", "texts": ["c d", "c"], "category": "one"},
    {"record": "a", "texts": ["d"], "category": "one"},
    {"record": "b b b", "texts": ["d c", "e", "f"], "category": "two"},
]


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<end>"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")  # noqa: S106


def prepared(max_length: int = 16, rows: list[Row] = ROWS) -> Prepared:
    return TASK.prepare(task_data({"train": rows[:2], "test": rows}, "here"), tokenizer(), max_length)


def model(seed: int = 0) -> GPT2LMHeadModel:
    """A tiny decoder that generates several different tokens before the end-of-text token."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(WORDS), n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=END, eos_token_id=END,
        initializer_range=0.5, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    built = GPT2LMHeadModel(config)
    built.loss_function = lambda logits, labels, **_: _next_token_loss(logits, labels, smoothing=0.0)
    return built


def prompts() -> list[list[int]]:
    return [[1, 2, 3, END], [4, END], [5, 6, 7, 8, 1, 2, END], [3, 3, END], [8, END], [7, 1, END]]


def test_an_example_is_a_record_and_one_of_its_texts() -> None:
    first, second, third = prepared().train
    assert first["input_ids"] == [1, 2, END, 3, 4, END]
    assert second["input_ids"] == [1, 2, END, 3, END]
    assert (first["prompt"], third["prompt"]) == (3, 2)
    assert prepared().groups == [0, 0, 1]


def test_only_the_text_and_its_end_count_for_the_loss() -> None:
    task = prepared()
    batch = task.collate(task.train)
    assert batch["labels"].tolist() == [
        [IGNORED, IGNORED, IGNORED, 3, 4, END],
        [IGNORED, IGNORED, IGNORED, 3, END, IGNORED],
        [IGNORED, IGNORED, 4, END, IGNORED, IGNORED],
    ]
    assert batch["attention_mask"].sum(1).tolist() == [6, 5, 4]


def test_the_loss_is_the_mean_over_the_texts_tokens() -> None:
    task, decoder = prepared(), model()
    batch = task.collate(task.train)
    with torch.no_grad():
        log_probabilities = decoder(**batch).logits.log_softmax(-1)
        said = [
            float(log_probabilities[row, place - 1, token])
            for row, labels in enumerate(batch["labels"].tolist())
            for place, token in enumerate(labels)
            if token != IGNORED
        ]
        assert len(said) == 7
        assert float(decoder(**batch).loss) == pytest.approx(-sum(said) / 7, rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_smoothed_loss_spreads_a_share_over_all_tokens(share: float) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 5, 7), torch.tensor([[IGNORED, IGNORED, 3, 1, 0], [IGNORED, 2, 5, 0, IGNORED]])
    log_probabilities = logits.log_softmax(-1)
    each = [
        (1 - share) * log_probabilities[row, place - 1, labels[row, place]]
        + share * log_probabilities[row, place - 1].mean()
        for row, place in [(0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3)]
    ]
    assert torch.allclose(_next_token_loss(logits, labels, smoothing=share), -torch.stack(each).mean())


def test_record_and_text_have_half_of_the_length_each() -> None:
    long: list[Row] = [
        {"record": "a b c d e f", "texts": ["h g f e d c b a"], "category": "x"},
        {"record": "a", "texts": ["b"], "category": "x"},
    ]
    cut, whole = prepared(16, long).train, prepared(64, long).train
    assert whole[0]["input_ids"] == [1, 2, 3, 4, 5, 6, END, 8, 7, 6, 5, 4, 3, 2, 1, END]
    assert cut[0]["input_ids"] == [1, 2, 3, 4, 5, 6, END, 8, 7, 6, 5, 4, 3, 2, 1]  # truncated: no end-of-text token
    assert cut[0]["text"] == "h g f e d c b a"
    very_long = prepared(16, [{**long[0], "record": " ".join("abcdefgh")}, long[1]]).train[0]
    assert very_long["prompt"] == 8
    assert very_long["input_ids"][:8] == [1, 2, 3, 4, 5, 6, 7, END]


@pytest.mark.parametrize("width", [1, 4])
def test_batches_and_the_cache_change_no_text(width: int) -> None:
    decoder = model()
    texts = [
        beam_search(
            decoder, prompts(), Beam(width=width, batch_size=size), new_tokens=12, runtime=Runtime(), cached=cached
        )
        for size in (1, 4, 16)
        for cached in (True, False)
    ]
    assert all(other == texts[0] for other in texts)
    assert len({tuple(text) for text in texts[0]}) > 1
    assert max(map(len, texts[0])) > 1


def test_a_single_beam_takes_the_likeliest_token() -> None:
    decoder = model().eval()
    tokens, said = [1, 2, 3, END], []
    with torch.no_grad():
        for _ in range(5):
            token = int(decoder(torch.tensor([tokens])).logits[0, -1].argmax())
            if token == END:
                break
            tokens.append(token)
            said.append(token)
    beam = Beam(width=1, no_repeat=100)
    assert beam_search(decoder, [[1, 2, 3, END]], beam, new_tokens=5, runtime=Runtime()) == [said]


def test_no_four_tokens_are_repeated_but_those_of_the_record_may_occur() -> None:
    decoder = model()
    with torch.no_grad():  # the next token is always the one after: 1 2 3 4 5 6 7 8 1 2 ...
        for block in decoder.transformer.h:
            block.attn.c_proj.weight.zero_()
            block.mlp.c_proj.weight.zero_()
        decoder.transformer.wpe.weight.zero_()
        decoder.lm_head.weight = nn.Parameter(torch.zeros(len(WORDS), 32))
        directions = torch.linalg.qr(torch.randn(32, len(WORDS)))[0].T * 10
        decoder.transformer.wte.weight.copy_(directions)
        following = [1, 2, 3, 4, 5, 6, 7, 8, 1]
        for token, after in enumerate(following):
            decoder.lm_head.weight[after] += directions[token]
    prompt = [1, 2, 3, 4, 5, 6, END]
    free, ruled = (
        beam_search(decoder, [prompt], Beam(width=1, no_repeat=n), new_tokens=14, runtime=Runtime())[0] for n in (50, 4)
    )
    assert free[:6] == [1, 2, 3, 4, 5, 6]
    assert ruled[:6] == [1, 2, 3, 4, 5, 6]  # although all of them occur in the prompt
    quadruples = [tuple(ruled[start : start + 4]) for start in range(len(ruled) - 3)]
    assert len(set(quadruples)) == len(quadruples)
    assert len({tuple(free[start : start + 4]) for start in range(len(free) - 3)}) < len(free) - 3


def test_one_text_is_generated_per_record_and_scored_against_all_its_texts() -> None:
    task = prepared()
    found = TASK.predict(model(), task.evaluation["test"], task, Runtime())
    assert found.labels == [["c d", "c"], ["d"], ["d c", "e", "f"]]
    assert len(found.predictions) == 3
    assert found.parts == ["seen", "seen", "unseen"]


def test_prediction_leaves_the_models_mode_and_the_random_numbers_alone() -> None:
    task, decoder = prepared(), model().train()
    state = torch.get_rng_state()
    TASK.predict(decoder, task.evaluation["test"], task, Runtime())
    assert decoder.training
    assert torch.equal(state, torch.get_rng_state())


def test_parts_are_also_scored_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "missing", lambda: "no METEOR, which takes seconds to start")
    perfect = Prediction(
        labels=[["c d e f g"], ["a b c d e"]], predictions=["c d e f g", "h"], scores=[], parts=["seen", "unseen"]
    )
    scores = TASK.score(perfect)
    assert scores["bleu_seen"] == pytest.approx(100)
    assert scores["bleu_unseen"] < scores["bleu"] < scores["bleu_seen"]
    assert scores["ter_seen"] == 0
    assert next(iter(scores)) == "bleu"


def test_a_held_out_part_shares_no_records_with_training() -> None:
    rows: list[Row] = [{"record": word, "texts": ["a", "b", "c"], "category": "x"} for word in WORDS[1:]]
    task = TASK.prepare(task_data({"train": rows, "test": rows}, "here"), tokenizer(), 16)
    parted = hold_out(task, 0.25)
    (held_out,) = parted.evaluation.values()
    inside, outside = ({example["record"] for example in part} for part in (parted.train, held_out))
    assert (len(inside), len(outside), len(held_out)) == (6, 2, 6)
    assert not inside & outside
    assert parted.groups
    assert len(parted.groups) == len(parted.train)


def test_a_max_length_that_is_too_small_is_refused() -> None:
    with pytest.raises(InputError, match="at least 16"):
        prepared(8)


def test_a_tokenizer_without_an_end_of_text_token_is_refused() -> None:
    words = tokenizer()
    words.eos_token = None
    with pytest.raises(InputError, match="use a decoder"):
        TASK.prepare(task_data({"train": ROWS, "test": ROWS}, "here"), words, 16)


@pytest.mark.parametrize("head", ["sequence", "token"])
def test_labels_are_smoothed_for_texts_only(head: Any, backbone: Backbone) -> None:
    with pytest.raises(InputError, match="label_smoothing"):
        backbone.builder(2, 0, head=head, label_smoothing=0.1)


def test_an_encoder_cannot_generate_text(backbone: Backbone) -> None:
    with pytest.raises(InputError, match="use a decoder"):
        backbone.builder(0, 0, head="language")


@pytest.fixture
def backbone() -> Backbone:
    from benchmarks.data.models.backbones import open_backbone  # noqa: PLC0415

    return open_backbone("minilm")


def test_a_folder_without_the_files_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not contain things: looked for .*train\.txt"):
        dataset().load(str(tmp_path))
    with pytest.raises(InputError, match="no folder"):
        dataset().load(str(tmp_path / "nowhere"))


def test_the_hub_s_parquet_files_are_read_from_a_folder(tmp_path: Path) -> None:
    for split, records in (("train", ["a", "b"]), ("dev", ["x"]), ("test", ["c"])):
        table = Dataset.from_list([{"said": record} for record in records])
        table.to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")

    def read(rows: Iterator[Row]) -> list[Row]:
        return [{"record": row["said"], "texts": [row["said"]]} for row in rows]

    hub = HubForm(repository="x/y", configuration="z", splits={"train": "train", "test": "test"}, read=read)
    found = dataset(hub=hub).load(str(tmp_path))
    assert [row["record"] for row in found.splits["train"]] == ["a", "b"]
    assert found.source.startswith("parquet")
    (tmp_path / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(InputError, match="0 of 1 files test"):
        dataset(hub=hub).load(str(tmp_path))
    Dataset.from_list([{"other": "x"}]).to_parquet(tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(InputError, match="does not have the expected form: KeyError"):
        dataset(hub=hub).load(str(tmp_path))


def test_records_that_are_not_the_official_ones_are_refused_unless_allowed(tmp_path: Path) -> None:
    for name, lines in (("train", "a\nb\nc"), ("test", "d")):
        (tmp_path / f"{name}.txt").write_text(lines)
    pinned = dataset(fingerprints={"text": "0" * 64})
    with pytest.raises(InputError, match="--partial"):
        pinned.load(str(tmp_path))
    found = pinned.load(str(tmp_path), partial=True)
    assert [row["record"] for row in found.splits["train"]] == ["a", "b", "c"]
    assert found.notes[0] == "train has 3 records; the official files have 2."
