"""A model folder that somebody else made runs nothing: weights are safetensors, and code in it stays unread."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from benchmarks.core.spec import InputError
from benchmarks.data.models import backbones, weights
from tests.support.tiny import build

CODE = "from pathlib import Path; Path(__file__).with_name('ran').touch()\nclass Evil: pass\n"


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    build("bert").base_model.save_pretrained(folder)
    words = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))  # noqa: S106
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)  # noqa: S106
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    for cached in (backbones.fingerprint, weights.pretrained_folder, weights.sha256_of):
        cached.cache_clear()
    copy = Path(shutil.copytree(good, tmp_path / "model"))
    (copy / "evil.py").write_text(CODE, "utf-8")
    return copy


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def pickled_only(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(folder / "ran")))


def pickle_in_disguise(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Evil(folder / "ran")))


def header_without_end(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")


def index_of_a_pickle(folder: Path) -> None:
    names = list(build("bert").base_model.state_dict())
    torch.save({"evil": Evil(folder / "ran")}, folder / "weights.bin")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, "weights.bin")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def index_of_nothing(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[" * 100_000, "utf-8")


def adapter_of_another_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}', "utf-8")


def code_of_its_own(folder: Path) -> None:
    change(folder / "config.json", model_type="evil", auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (pickled_only, r"has no weights in \*\.safetensors, and pickled weights"),
        (pickle_in_disguise, "header too large"),
        (header_without_end, "header too large"),
        (index_of_a_pickle, r"names weight files outside \['other\.safetensors'\]: \['weights\.bin'\]"),
        (index_of_nothing, "is not a valid index of weights"),
        (adapter_of_another_model, "is an adapter of another model"),
        (code_of_its_own, "custom code"),
    ],
)
def test_a_hostile_model_is_refused_and_runs_nothing(spoil: Callable[[Path], None], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=message):
        backbones.open_backbone(str(folder))
    assert not list(folder.rglob("ran"))


def test_code_beside_a_known_architecture_stays_unread(folder: Path) -> None:
    change(
        folder / "config.json", auto_map={"AutoConfig": "evil.Evil", "AutoModelForSequenceClassification": "evil.Evil"}
    )
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})
    model = backbones.open_backbone(str(folder)).builder(2, seed=0)()
    assert type(model).__name__ == "BertForSequenceClassification"
    assert not list(folder.rglob("ran"))


def test_nothing_but_safetensors_and_words_is_had_from_the_hub(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked: list[list[str]] = []

    def download(*_: object, allow_patterns: list[str], **__: object) -> str:
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr(weights, "snapshot_download", download)
    pickled_only(folder)
    with pytest.raises(InputError, match=r"nobody/nothing has no weights in \*\.safetensors"):
        backbones.open_backbone("nobody/nothing")
    assert asked == [["*.json", "*.txt", "*.model", "*.safetensors"]]


def test_the_pickle_would_have_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Evil(tmp_path / "ran")))  # noqa: S301  our own
    assert (tmp_path / "ran").exists()
