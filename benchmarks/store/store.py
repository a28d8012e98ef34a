"""The store of results: one folder per cell and environment, with files that are written atomically."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Generic, TypeVar

from autolora import files
from benchmarks.core.nested import build, plain
from benchmarks.core.spec import InputError, Prediction
from benchmarks.core.untrusted import read_json, unpack
from benchmarks.store.result import MIGRATIONS, SCHEMA, Result, Scores

Record = TypeVar("Record")
RESULT_FILE = "result.json"
OPTIONAL = ("parts", "characters", "texts")
"""Fields of predictions that most tasks do not have."""
PREDICTIONS_FILE = "predictions.json.gz"
SUMS_FILE = "SHA256SUMS"
"""Checksums of a cell's files as written, for `sha256sum --check` and `read_result`."""
IDENTITY_DIGITS = 12
"""Number of digits of an identity in a folder's name."""


class DamagedError(InputError):
    """The content of a file is not what the benchmark wrote."""


@dataclass(frozen=True, kw_only=True)
class Format(Generic[Record]):
    """A format of JSON files."""

    kind: type[Record]
    """Dataclass of the content, with a field `schema`."""
    name: str
    """Name for messages, such as "result"."""
    schema: int
    """Current version of the format."""
    remedy: str
    """What a user can do about a file that cannot be read."""
    migrations: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)
    """Older version -> function from a file's content to the content in the next version."""


RESULT = Format(
    kind=Result,
    name="result",
    schema=SCHEMA,
    remedy="move it away to run the cell again",
    migrations=MIGRATIONS,
)


@dataclass(frozen=True, kw_only=True)
class Store:
    """Results below a folder, as TASK/METHOD/IDENTITY-ENVIRONMENT/."""

    folder: Path

    def cell(self, task: str, method: str, identity: str, environment: str) -> "CellFolder":
        """The folder of one cell in one environment; it need not exist."""
        return CellFolder(self.folder / task / method / f"{identity[:IDENTITY_DIGITS]}-{environment[:8]}")

    def folder_of(self, result: Result) -> "CellFolder":
        """The folder of a result."""
        return self.cell(result.task, result.method, result.identity, result.environment.key)

    def predictions(self, result: Result) -> dict[str, Any]:
        """Evaluation split -> predictions of a result."""
        return read_predictions(self.folder_of(result).path / PREDICTIONS_FILE)

    def results(self) -> Iterator[Result]:
        """All results, finished and failed, in the order of their folders. Raises InputError: a file cannot be read."""
        return map(read_result, self.paths())

    def paths(self) -> list[Path]:
        """Paths of all result files, in the order of their folders."""
        return sorted(self.folder.glob(f"*/*/*/{RESULT_FILE}"))

    def check_writable(self) -> None:
        """Raises InputError: no file can be written here. Nothing is left of the attempt, even by a killed process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=self.folder).close()
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def stores_in(folder: Path) -> list[Store]:
    """List of stores: the folder itself if it has results, else its subfolders (one per preset) that have.

    Raises:
        InputError: none of them has results.
    """
    places = [place for place in (folder, *sorted(folder.glob("*"))) if Store(folder=place).paths()]
    if not places:
        raise InputError(f"{folder} has no results; `run` makes them, --runs names another folder")
    return [Store(folder=place) for place in ([folder] if places[0] == folder else places)]


@dataclass(frozen=True)
class CellFolder:
    """The files of one cell."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, which exists until the cell is finished."""
        return self.path / "checkpoints"

    def sweep(self) -> None:
        """Remove partially written files of killed processes; call it only while holding the cell's lock."""
        for partial in self.path.rglob(files.PARTIAL.format(name="*", process="*")):
            partial.unlink()

    def result(self) -> Result | None:
        """The cell's result; None if there is none yet."""
        path = self.path / RESULT_FILE
        return read_result(path) if path.exists() else None

    def curve(self) -> dict[int, Mapping[str, Scores]]:
        """Number of finished epochs -> evaluation split -> metrics. Raises DamagedError: the file is damaged."""
        path = self.path / "epochs.jsonl"
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            return {record["epoch"]: record["metrics"] for record in map(json.loads, lines)}
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{path} is damaged: {error!r}; remove {self.path} to restart the cell") from error

    def write_curve(self, curve: Mapping[int, Mapping[str, Scores]]) -> None:
        """Write the metrics of the finished epochs, one line per epoch."""
        lines = [json.dumps({"epoch": epoch, "metrics": metrics}) + "\n" for epoch, metrics in sorted(curve.items())]
        write_atomically(self.path / "epochs.jsonl", "".join(lines).encode())

    def chosen(self) -> dict[str, Prediction]:
        """The predictions last written by `write_chosen`."""
        predictions = read_predictions(self.checkpoints / "chosen.json.gz")
        return {split: build(Prediction, values, split) for split, values in predictions.items()}

    def write_chosen(self, predictions: Mapping[str, Prediction]) -> None:
        """Write the predictions of the best epoch so far; they are removed together with the checkpoints."""
        write_predictions(self.checkpoints / "chosen.json.gz", plain_predictions(predictions))

    def write_result(self, result: Result, predictions: Mapping[str, Prediction]) -> None:
        """Write the result of a finished or failed cell, then remove the cell's checkpoints.

        Where a failed result is replaced, the checksums of both are listed until the new one is written, so that other
        runs find a result that matches at any moment.
        """
        contents = {RESULT_FILE: result_bytes(result)}
        if predictions:
            contents = {PREDICTIONS_FILE: _packed(plain_predictions(predictions)), **contents}
        self.write_files(contents)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def write_files(self, contents: Mapping[str, bytes]) -> None:
        """Write the files of a result, and their checksums. Args: contents: file name -> content, `result.json` last."""
        sums = b"".join(_sum_line(name, content) for name, content in contents.items())
        replaced = self._sums()
        write_atomically(self.path / SUMS_FILE, replaced + sums)
        for name, content in contents.items():  # result.json last: its presence marks the cell as finished
            write_atomically(self.path / name, content)
        if replaced:
            write_atomically(self.path / SUMS_FILE, sums)

    def _sums(self) -> bytes:
        """The checksums of the result that is there, also if it was written without; empty if there is none."""
        result, sums = self.path / RESULT_FILE, self.path / SUMS_FILE
        if not result.exists():
            return b""
        return sums.read_bytes() if sums.exists() else _sum_line(RESULT_FILE, result.read_bytes())


def plain_predictions(predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    """Convert predictions to JSON's types; the fields in OPTIONAL are omitted where they are empty."""
    return {
        split: {name: value for name, value in plain(prediction).items() if value or name not in OPTIONAL}
        for split, prediction in predictions.items()
    }


def write_predictions(path: Path, predictions: Mapping[str, Any]) -> None:
    """Write compressed predictions; equal predictions give equal bytes."""
    write_atomically(path, _packed(predictions))


def read_predictions(path: Path) -> dict[str, Any]:
    """Read what `write_predictions` wrote. Raises InputError: the file is missing or damaged."""
    try:
        predictions = read_json(unpack(path.read_bytes()))
        for split, values in predictions.items():
            build(Prediction, values, split)
        return dict(predictions)
    except (OSError, ValueError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{path} cannot be read: {error}; run the cell again to replace it") from error


def write_result(path: Path, result: Result) -> None:
    """Write a result as indented JSON."""
    write_atomically(path, result_bytes(result))


def read_result(path: Path) -> Result:
    """Read a result file.

    Raises:
        InputError: the file has another schema version; the message names the file.
        DamagedError: the file is not valid JSON, lacks a field, or does not match its checksum.
    """
    sums = path.with_name(SUMS_FILE)
    while True:  # checksums that another run replaced between two reads say nothing about the result read between them
        listed = _listed(sums)
        matches = listed is None or _sum_line(path.name, _content(path)) in listed
        if _listed(sums) == listed:
            break
    if not matches:
        raise DamagedError(f"{path} does not match its checksum in {sums.name}; {RESULT.remedy}")
    return read_record(path, RESULT)


def read_record(path: Path, form: Format[Record]) -> Record:
    """Read a JSON file as a dataclass; a file with an older schema version is migrated.

    Raises:
        InputError: the schema version is unknown; the message names the file and the remedy.
        DamagedError: the file is not valid JSON, or lacks a field.
    """
    try:
        values = read_json(path.read_bytes())
        while isinstance(version := values.get("schema"), int) and version in form.migrations:
            values = {**form.migrations[version](values), "schema": version + 1}
        record = build(form.kind, values, form.name) if version == form.schema else None
    except (ValueError, AttributeError, InputError) as error:
        raise DamagedError(f"{path} is not a valid {form.name}: {error}; {form.remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {form.remedy}") from error
    if record is None:
        raise InputError(f"{path} has schema {version}, but this version reads {form.schema}; {form.remedy}")
    return record


def _listed(sums: Path) -> list[bytes] | None:
    """Lines of a file of checksums; None if there is no such file."""
    try:
        return sums.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return None


def _sum_line(name: str, content: bytes) -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {RESULT.remedy}") from error


def result_bytes(result: Result) -> bytes:
    """The content of a result's file: indented JSON."""
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
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror}; make room, or choose another folder")
