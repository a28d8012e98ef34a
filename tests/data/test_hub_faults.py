"""Models from a Hub that is slow, breaks off, serves wrong files or is offline; a local test server acts as the Hub."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from benchmarks.core.spec import InputError
from benchmarks.data.models import backbones, weights
from benchmarks.data.models.backbones import open_backbone
from tests.support.tiny import save_encoder

REPOSITORY = "somebody/tiny"
COMMIT = "a" * 40


@dataclass
class Hub:
    """State of the test server: files, and faults to simulate."""

    files: dict[str, bytes]
    delay: float = 0.0
    """Delay of each response, in seconds."""
    cut: bool = False
    """Whether to close the connection in the middle of the weights."""
    asked: list[str] = field(default_factory=list)
    """Paths of all requests."""


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        self.hub.asked.append(self.path)
        time.sleep(self.hub.delay)
        name = self.path.rpartition(f"resolve/{COMMIT}/")[2]
        if f"/tree/{COMMIT}" in self.path:
            tree = [
                {"type": "file", "path": file, "size": len(held), "oid": COMMIT}
                for file, held in self.hub.files.items()
            ]
            content = json.dumps(tree).encode()
        elif self.path.startswith("/api/models/"):
            siblings = [{"rfilename": file} for file in self.hub.files]
            content = json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode()
        elif name in self.hub.files:
            content = self.hub.files[name]
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            cut = self.hub.cut and name.endswith(".safetensors")
            self.wfile.write(content[: len(content) // 2] if cut else content)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A test server that replaces the Hub, with one repository that is not in the cache."""
    folder = save_encoder(tmp_path / "model")
    served = Hub({path.name: path.read_bytes() for path in folder.iterdir()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": served}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    offline(monkeypatch, now=False)
    weights.pretrained_folder.cache_clear()
    yield served
    weights.pretrained_folder.cache_clear()
    server.shutdown()
    server.server_close()


def offline(monkeypatch: pytest.MonkeyPatch, *, now: bool) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", now)


def opened() -> str:
    """Fingerprint of the backbone, computed without cached results of earlier calls."""
    weights.pretrained_folder.cache_clear()
    backbones.fingerprint.cache_clear()
    return open_backbone(f"{REPOSITORY}@{COMMIT}").fingerprint


def test_a_slow_hub_is_waited_for(hub: Hub) -> None:
    hub.delay = 0.3
    assert len(opened()) == 64
    assert any(path.endswith("model.safetensors") for path in hub.asked)


def test_a_warm_cache_needs_no_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    known = opened()
    offline(monkeypatch, now=True)
    asked = len(hub.asked)
    assert opened() == known
    assert len(hub.asked) == asked


def test_a_cold_cache_without_network_says_what_is_missing_and_how_to_bring_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch, now=True)
    with pytest.raises(InputError) as told:
        opened()
    assert hub.asked == []
    assert "config.json, tokenizer.json and *.safetensors" in str(told.value)
    assert f"hf download {REPOSITORY} --revision {COMMIT}" in str(told.value)


@pytest.mark.slow
def test_an_interrupted_download_is_an_error_and_the_next_run_completes_it(hub: Hub) -> None:
    hub.cut = True
    with pytest.raises(InputError, match=f"hf download {REPOSITORY}"):
        opened()
    hub.cut = False
    assert len(opened()) == 64


def test_a_download_with_another_checksum_than_minilms_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_MINILM_PACKAGE", "a_package_that_nobody_has")
    monkeypatch.setattr(weights, "_PINNED", {"minilm": (REPOSITORY, COMMIT)})
    assert hub.files
    with pytest.raises(InputError, match="sha256"):
        open_backbone("minilm")


def test_other_weights_have_another_fingerprint(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = opened()
    hub.files["model.safetensors"] = hub.files["model.safetensors"][:-1] + b"\x01"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "another"))
    assert opened() != known
