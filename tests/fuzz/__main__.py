"""Fuzzes one reader for some seconds: `python -m tests.fuzz tsv 600`. What it cannot read ends it, and is kept."""

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["benchmarks", "csv", "json", "defusedxml", "xml"]):
    from tests.fuzz.targets import TARGETS, run

from tests.fuzz.mutating import mutate_json

IN_MEMORY = Path("/dev/shm")  # noqa: S108  writing files to a disk would be most of the work


def main(name: str, seconds: str) -> None:
    """Fuzz; libFuzzer prints what it did, and leaves with a status of its own."""
    target = TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="utf-8")
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"]
    options = [*limits, "-print_final_stats=1", f"-dict={words}", f"-artifact_prefix={folder}/", str(corpus)]
    mutator = {"custom_mutator": _mutate} if target.file.endswith(".json") else {}
    atheris.Setup([sys.argv[0], *options], lambda content: run(target, content, folder) and None, **mutator)
    atheris.Fuzz()


def _mutate(content: bytes, most: int, seed: int) -> bytes:
    random = Random(seed)
    changed = mutate_json(content, random) if random.random() < 0.5 else None
    return changed[:most] if changed else atheris.Mutate(content, most)


def _escaped(word: str) -> str:
    """As libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
