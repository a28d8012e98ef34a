"""The project's small decoder: its properties, and that the pretraining script reproduces it."""

import json
from dataclasses import fields, replace
from itertools import islice

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.data.models.backbones import open_backbone
from benchmarks.data.models.decoder.corpus import END, documents
from benchmarks.data.models.decoder.domains import DOMAINS
from benchmarks.data.models.decoder.pretrain import (
    KEPT_LOSSES,
    WEIGHTS,
    Pretraining,
    pretrain,
    train_tokenizer,
    untrained_model,
)
from benchmarks.data.synthetic import e2e as restaurants
from benchmarks.data.synthetic import webnlg as triples

FINGERPRINT = "4581d682c1f6fad8a47f7b53ddfe0f6a1a5220267420bbd4418d2290e0325b8d"
"""sha256 over weights and config, recorded in every result with this backbone."""
MADE = json.loads((WEIGHTS / "training.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def config() -> Pretraining:
    return Pretraining(
        **{
            field.name: tuple(value) if isinstance(value := MADE["settings"][field.name], list) else value
            for field in fields(Pretraining)
        }
    )


def test_the_settings_are_those_that_the_weights_were_made_with(config: Pretraining) -> None:
    assert config == Pretraining()


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 10e6
    weights = load_file(WEIGHTS / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert sum(weight.numel() for weight in weights.values()) == MADE["parameters"]


def test_it_has_the_fingerprint_of_the_stored_results() -> None:
    assert open_backbone("decoder").fingerprint == FINGERPRINT


def test_the_documents_are_the_same_everywhere_and_end() -> None:
    first, again = (list(islice(documents("a test"), 50)) for _ in range(2))
    assert first == again
    assert first != list(islice(documents("another"), 50))
    assert all(text.endswith(END) for text in first)


def test_the_records_have_other_domains_than_the_tasks() -> None:
    kinds = {kind for domain in DOMAINS for kind in domain.kinds}
    theirs = {*restaurants.KINDS, *(name.lower() for name in (*triples.SEEN, *triples.UNSEEN))}
    assert not kinds & theirs
    assert not {attribute.name for domain in DOMAINS for attribute in domain.attributes} & {"food", "eatType"}


def test_a_description_mentions_every_attribute() -> None:
    for text in islice(documents("a test"), 400):
        record, parted, description = text.removesuffix(END).partition(END)
        if parted and " = " in record and " ; " in record and "_" not in record:
            slots = [slot.split(" = ")[-2:] for slot in record.split(" ; ")]
            for name, value in slots:
                reworded = name in ("price range", "customer rating", "area", "family friendly")
                assert reworded or value in description, text


def test_the_script_makes_the_tokenizer(config: Pretraining) -> None:
    ours, made = open_backbone("decoder").tokenizer, train_tokenizer(config)
    assert made.get_vocab() == ours.get_vocab()
    assert made.backend_tokenizer.to_str() == ours.backend_tokenizer.to_str()


def test_any_text_is_encoded_without_loss() -> None:
    tokenizer = open_backbone("decoder").tokenizer
    for text in ("name : Café Rouge | price : £20", "Ünïcödé “quotes” — 漢字 🙂", "A_B : cityServed : 1958-05-11"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_script_reproduces_the_first_losses(config: Pretraining) -> None:
    """Computed in float32, which all processors have; bfloat16 changed these losses by less than 3e-5 of their value."""
    config = replace(config, precision="fp32")
    with torch.random.fork_rng():
        losses = list(islice(pretrain(config, train_tokenizer(config), untrained_model(config)), 2))
    assert len(MADE["first_losses"]) == KEPT_LOSSES
    assert losses == pytest.approx(MADE["first_losses"][:2], rel=1e-4)
    assert losses[1] < losses[0] * 0.995


def test_pretraining_reduced_the_loss_by_70_percent() -> None:
    assert MADE["last_loss"] < 0.3 * MADE["first_losses"][0]
