"""The store of results: one folder per cell and environment, written whole or not at all."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from autolora import files
from benchmarks.core.nested import build, plain
from benchmarks.core.spec import InputError, Prediction
from benchmarks.core.untrusted import read_json, unpack
from benchmarks.store.result import MIGRATIONS, SCHEMA, Result, Scores

Record = TypeVar("Record")
RESULT_FILE = "result.json"
PREDICTIONS_FILE = "predictions.json.gz"
SUMS_FILE = "SHA256SUMS"
"""Of a cell's files as they were written, for `sha256sum --check` and for `read_result`."""
IDENTITY_DIGITS = 12
"""Of an identity, in a folder's name."""


class DamagedError(InputError):
    """A file of ours is not what was written."""


@dataclass(frozen=True, kw_only=True)
class Format(Generic[Record]):
    """A kind of JSON file."""

    kind: type[Record]
    """Dataclass of its content, with a field `schema`."""
    name: str
    """In messages: "result"."""
    schema: int
    """Version that is written, and read as it is."""
    remedy: str
    """What to do with a file that cannot be read."""
    migrations: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)
    """Older version -> its content as the next version has it."""


RESULT = Format(
    kind=Result,
    name="result",
    schema=SCHEMA,
    remedy="move it away to run the cell again",
    migrations=MIGRATIONS,
)


@dataclass(frozen=True, kw_only=True)
class Store:
    """Results under a folder, as TASK/METHOD/IDENTITY-ENVIRONMENT/."""

    folder: Path

    def cell(self, task: str, method: str, identity: str, environment: str) -> "CellFolder":
        """The folder of one cell on one environment, whether it exists or not."""
        return CellFolder(self.folder / task / method / f"{identity[:IDENTITY_DIGITS]}-{environment[:8]}")

    def folder_of(self, result: Result) -> "CellFolder":
        """The folder of one of its results."""
        return self.cell(result.task, result.method, result.identity, result.environment.key)

    def predictions(self, result: Result) -> dict[str, Any]:
        """Evaluation split -> what one of its results predicted."""
        return read_predictions(self.folder_of(result).path / PREDICTIONS_FILE)

    def results(self) -> Iterator[Result]:
        """All results, done and failed, in the order of their folders. Raises InputError: one cannot be read."""
        return map(read_result, self.paths())

    def paths(self) -> list[Path]:
        """The files of all results, in the order of their folders."""
        return sorted(self.folder.glob(f"*/*/*/{RESULT_FILE}"))

    def check_writable(self) -> None:
        """Raises InputError: nothing can be written here."""
        probe = self.folder / ".probe"
        write_atomically(probe, b"")
        probe.unlink()


def stores_in(folder: Path) -> list[Store]:
    """The folder as a store, or, where it holds one store per preset, those. Raises InputError: it holds neither."""
    found = [place for place in (folder, *sorted(folder.glob("*"))) if Store(folder=place).paths()]
    if not found:
        raise InputError(f"{folder} has no results; `run` makes them, --runs names another folder")
    return [Store(folder=place) for place in ([folder] if found[0] == folder else found)]


@dataclass(frozen=True)
class CellFolder:
    """What is kept of one cell."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, while the cell is not finished."""
        return self.path / "checkpoints"

    def sweep(self) -> None:
        """Remove what a killed process had half written; for who holds the cell."""
        for partial in self.path.rglob(files.PARTIAL.format(name="*", process="*")):
            partial.unlink()

    def result(self) -> Result | None:
        """The cell's result, or None where there is none yet."""
        path = self.path / RESULT_FILE
        return read_result(path) if path.exists() else None

    def curve(self) -> dict[int, Mapping[str, Scores]]:
        """Epochs done -> evaluation split -> metrics, as far as they are known. Raises DamagedError."""
        path = self.path / "epochs.jsonl"
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return {record["epoch"]: record["metrics"] for record in map(json.loads, lines)}
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{path} is damaged: {error!r}; remove {self.path} to begin the cell anew") from error

    def write_curve(self, curve: Mapping[int, Mapping[str, Scores]]) -> None:
        """Keep the metrics of the epochs done, one line each."""
        lines = [json.dumps({"epoch": epoch, "metrics": metrics}) + "\n" for epoch, metrics in sorted(curve.items())]
        write_atomically(self.path / "epochs.jsonl", "".join(lines).encode())

    def chosen(self) -> dict[str, Prediction]:
        """The predictions that were last kept by `write_chosen`."""
        predictions = read_predictions(self.checkpoints / "chosen.json.gz")
        return {split: build(Prediction, values, split) for split, values in predictions.items()}

    def write_chosen(self, predictions: Mapping[str, Prediction]) -> None:
        """Keep the predictions of the best epoch so far; they go with the checkpoints."""
        write_predictions(self.checkpoints / "chosen.json.gz", plain_predictions(predictions))

    def write_result(self, result: Result, predictions: Mapping[str, Prediction]) -> None:
        """Keep a finished or failed cell; its checkpoints go once that stands."""
        contents = {RESULT_FILE: _result_bytes(result)}
        if predictions:
            contents = {PREDICTIONS_FILE: _packed(plain_predictions(predictions)), **contents}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        write_atomically(self.path / SUMS_FILE, "".join(f"{sums[name]}  {name}\n" for name in sums).encode())
        for name, content in contents.items():  # the result last: with it the cell is done
            write_atomically(self.path / name, content)
        shutil.rmtree(self.checkpoints, ignore_errors=True)


def plain_predictions(predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    """Evaluation split -> labels, predictions and scores, and parts where there are some, as JSON has them."""
    return {
        split: {name: value for name, value in plain(prediction).items() if value or name != "parts"}
        for split, prediction in predictions.items()
    }


def write_predictions(path: Path, predictions: Mapping[str, Any]) -> None:
    """Write predictions, compressed; the same ones always give the same bytes."""
    write_atomically(path, _packed(predictions))


def read_predictions(path: Path) -> dict[str, Any]:
    """Read what `write_predictions` wrote. Raises InputError: the file is missing or damaged."""
    try:
        predictions = read_json(unpack(path.read_bytes()))
        for split, values in predictions.items():
            build(Prediction, values, split)
        return dict(predictions)
    except (OSError, ValueError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path} cannot be read: {error}; without it, run the cell again") from error


def write_result(path: Path, result: Result) -> None:
    """Write a result as indented JSON."""
    write_atomically(path, _result_bytes(result))


def read_result(path: Path) -> Result:
    """Read a result file.

    Raises:
        InputError: it is of another schema version; the message names the file.
        DamagedError: it is no JSON, lacks something, or is not what the sums beside it are of.
    """
    sums = path.with_name(SUMS_FILE)
    if sums.exists() and f"{_digest(path)}  {path.name}" not in sums.read_text("utf-8", "replace").splitlines():
        raise DamagedError(f"{path} is not what {sums.name} beside it is of; {RESULT.remedy}")
    return read_record(path, RESULT)


def read_record(path: Path, form: Format[Record]) -> Record:
    """Read a JSON file as a dataclass; one of an older schema version is brought up to date.

    Raises:
        InputError: it is of an unknown version; the message names the file and the remedy.
        DamagedError: it is no JSON, or lacks something.
    """
    try:
        values = read_json(path.read_bytes())
        while isinstance(found := values.get("schema"), int) and found in form.migrations:
            values = {**form.migrations[found](values), "schema": found + 1}
        record = build(form.kind, values, form.name) if found == form.schema else None
    except (ValueError, AttributeError, InputError) as error:
        raise DamagedError(f"{path} is no {form.name}: {error}; {form.remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {form.remedy}") from error
    if record is None:
        raise InputError(f"{path} has schema {found}, this version reads {form.schema}; {form.remedy}")
    return record


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {RESULT.remedy}") from error


def _result_bytes(result: Result) -> bytes:
    return (json.dumps(plain(result), indent=1, allow_nan=False) + "\n").encode()


def _packed(predictions: Mapping[str, Any]) -> bytes:
    return gzip.compress(json.dumps(predictions).encode(), mtime=0)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is never seen half-written.

    Raises:
        InputError: the disk is full, or the folder cannot be written; the file is as it was.
    """
    try:
        files.write_atomically(path, content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; make room, or choose another folder") from error
