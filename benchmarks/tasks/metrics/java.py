"""Metrics code that needs Java: Stanford's PTB tokeniser and METEOR 1.5, from the jars in pycocoevalcap."""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.core.spec import InputError

ENDED = "METEOR's process has ended unexpectedly; run the same command again, with fewer --workers if memory is short"
DROPPED = frozenset(
    ("''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";")
)
"""Tokens that coco-caption's metrics ignore."""
SEPARATOR = " ||| "
PATIENCE_SECONDS = 10


def missing() -> str | None:
    """Description of a missing requirement, and how to install it; None if all requirements are installed."""
    if not shutil.which("java"):
        return "METEOR, ROUGE-L and CIDEr need Java: install a runtime (8 or newer) so that `java` is found"
    if not importlib.util.find_spec("pycocoevalcap"):
        return 'METEOR, ROUGE-L and CIDEr need pycocoevalcap: pip install "autolora-bench[nlg]"'
    return None


def ptb_tokenize(texts: Sequence[str]) -> list[str]:
    """Tokenise with Stanford's PTB tokeniser: lower-case tokens joined by spaces, without punctuation.

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
        done = subprocess.run(  # noqa: S603  a fixed command
            [*command, "-preserveLines", "-lowerCase", str(path)], capture_output=True, check=False
        )
    if done.returncode:
        output = done.stderr.decode(errors="replace").strip()
        raise InputError(f"the PTB tokeniser failed; it needs Java 8 or newer, and free memory. Its output: {output}")
    lines = done.stdout.decode().split("\n")[: len(texts)]
    return [" ".join(token for token in line.rstrip().split(" ") if token not in DROPPED) for line in lines]


class Meteor:
    """A running METEOR process, which can score several corpora."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def score(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, list[float]]:
        """Corpus score, aggregated by METEOR, and the score of each item; both from 0 to 1.

        Args:
            hypotheses: tokenised texts.
            references: one or more tokenised texts per hypothesis.

        Raises:
            InputError: the process has ended.
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
    """Start a METEOR process, and end it on exit. Raises InputError: Java or the jar is missing."""
    jar = _jar("meteor", "meteor-1.5.jar")
    command = [_java(), "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", jar.name, "-", "-", "-stdio", "-l", "en", "-norm"]
    process = subprocess.Popen(  # noqa: S603  a fixed command
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
    assert package.submodule_search_locations  # a namespace package has no `__file__`
    return Path(next(iter(package.submodule_search_locations))) / part / name
