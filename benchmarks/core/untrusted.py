"""Readers for files from untrusted sources: invalid content of any kind raises a `ValueError`."""

import gzip
import io
import json
import math
import re
import zlib
from typing import Any, NoReturn

LARGEST_BYTES = 2**28
"""Upper limit of the uncompressed size of a file; the benchmark's own files are far smaller."""
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {*map(ord, "\t\n")}
"""Code points that control a terminal or reverse the direction of text."""
_NO_FOLDER = re.compile(r"[/\\:\x00-\x1f\x7f]")


def read_json(content: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises:
        ValueError: the JSON is malformed, nested too deeply, or contains a number or text that cannot be re-encoded.
    """
    text = content.decode("utf-8-sig")
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_refuse)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()  # raises for half a surrogate pair
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def unpack(packed: bytes) -> bytes:
    """Decompress gzip. Raises ValueError: the data are damaged, or decompress to more than LARGEST_BYTES."""
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            content: bytes = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is not valid gzip data: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"it decompresses to more than {LARGEST_BYTES:,} bytes")
    return content


def check_folder_names(**names: str) -> None:
    """Raises ValueError: a name would lead out of its parent folder."""
    for kind, name in names.items():
        if _NO_FOLDER.search(name) or not name.strip(". "):
            raise ValueError(
                f"{kind} is used as a folder name and must not contain a slash, backslash or colon; got {name!r}"
            )


def printable(text: str) -> str:
    """A text in which characters that control a terminal are replaced by JSON escapes."""
    return text.translate({code: f"\\u{code:04x}" for code in _CONTROLS})


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        _refuse(digits)
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a finite number")
