"""What only Java computes: Stanford's PTB tokeniser and METEOR 1.5, from the jars that pycocoevalcap carries."""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.core.spec import InputError

ENDED = "METEOR's process has ended; run the same command again, with fewer --workers where memory is short"
DROPPED = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
"""Tokens that coco-caption's metrics leave out."""
SEPARATOR = " ||| "
PATIENCE_SECONDS = 10


def missing() -> str | None:
    """What keeps these metrics from being computed, and what to do; None where nothing does."""
    if not shutil.which("java"):
        return "METEOR, ROUGE-L and CIDEr need Java: install a runtime (8 or newer) so that `java` is found"
    if not importlib.util.find_spec("pycocoevalcap"):
        return 'METEOR, ROUGE-L and CIDEr need pycocoevalcap: pip install "autolora-bench[nlg]"'
    return None


def ptb_tokenize(texts: Sequence[str]) -> list[str]:
    """Lower-case tokens joined by blanks, as Stanford's PTB tokeniser has them, punctuation left out.

    Raises:
        InputError: Java or the jar is missing, or Java fails.
    """
    if not texts:
        return []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts"
        path.write_bytes("\n".join(" ".join(text.split("\n")) for text in texts).encode())
        jar = _jar("tokenizer", "stanford-corenlp-3.4.1.jar")
        command = [_java(), "-Dfile.encoding=UTF-8", "-cp", str(jar), "edu.stanford.nlp.process.PTBTokenizer"]
        done = subprocess.run(  # noqa: S603  our own words
            [*command, "-preserveLines", "-lowerCase", str(path)], capture_output=True, check=False
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise InputError(f"the PTB tokeniser failed; is it Java 8 or newer, with memory left? It said: {said}")
    lines = done.stdout.decode().split("\n")[: len(texts)]
    return [" ".join(token for token in line.rstrip().split(" ") if token not in DROPPED) for line in lines]


class Meteor:
    """A METEOR process, which scores one corpus after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
        """Corpus score, aggregated by METEOR itself, and each item's, from 0 to 1.

        Args:
            hypotheses: tokenised texts.
            references: one or more tokenised texts for each of them.

        Raises:
            InputError: the process ended.
        """
        statistics = [
            self._ask(SEPARATOR.join(["SCORE", *group, hypothesis.replace("|||", "").replace("  ", " ")]))
            for hypothesis, group in zip(hypotheses, references, strict=True)
        ]
        self._write(SEPARATOR.join(["EVAL", *statistics]))
        items = [float(self._read()) for _ in statistics]
        return float(self._read()), items

    def _ask(self, line: str) -> str:
        self._write(line)
        return self._read()

    def _write(self, line: str) -> None:
        pipe: IO[bytes] | None = self._process.stdin
        assert pipe
        try:
            pipe.write(f"{line}\n".encode())
            pipe.flush()
        except BrokenPipeError as error:
            raise InputError(ENDED) from error

    def _read(self) -> str:
        pipe: IO[bytes] | None = self._process.stdout
        assert pipe
        line = pipe.readline()
        if not line:
            raise InputError(ENDED)
        return line.decode().strip()


@contextmanager
def meteor() -> Iterator[Meteor]:
    """A METEOR process, which is always ended. Raises InputError: Java or the jar is missing."""
    jar = _jar("meteor", "meteor-1.5.jar")
    command = [_java(), "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    process = subprocess.Popen(  # noqa: S603  our own words
        command, cwd=jar.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield Meteor(process)
    finally:
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _java() -> str:
    if problem := missing():
        raise InputError(problem)
    return shutil.which("java") or "java"


def _jar(part: str, name: str) -> Path:
    if problem := missing():
        raise InputError(problem)
    package = importlib.util.find_spec("pycocoevalcap")
    assert package
    assert package.submodule_search_locations  # a namespace package: it has no file of its own
    return Path(next(iter(package.submodule_search_locations))) / part / name
