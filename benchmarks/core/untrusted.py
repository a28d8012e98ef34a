"""What files hold that others may have written: read, or refused with a `ValueError`, whatever it is."""

import gzip
import io
import json
import math
import re
import zlib
from typing import Any, NoReturn

LARGEST_BYTES = 2**28
"""Of a compressed file's content; none of ours comes near it."""
_SECRET = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {*map(ord, "\t\n")}
"""Signs that steer a terminal, or turn the order of what is read."""
_NO_FOLDER = re.compile(r"[/\\:\x00-\x1f\x7f]")


def read_json(content: bytes) -> Any:
    """Parse JSON in UTF-8.

    Raises:
        ValueError: it is malformed, nested too deep, or holds a number or a text that cannot be written again.
    """
    text = content.decode("utf-8-sig")
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_refuse)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()  # refuses half a surrogate pair
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return value


def unpack(packed: bytes) -> bytes:
    """Undo gzip. Raises ValueError: it is damaged, or a bomb, with more inside than LARGEST_BYTES."""
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            content: bytes = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is no gzip, or damaged: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"more than {LARGEST_BYTES:,} bytes are packed in it")
    return content


def check_folder_names(**names: str) -> None:
    """Raises ValueError: one of them would lead out of the folder that it shall name a folder or a file in."""
    for kind, name in names.items():
        if _NO_FOLDER.search(name) or not name.strip(". "):
            raise ValueError(f"{kind} names a folder, so it has no slash, backslash or colon; got {name!r}")


def printable(text: str) -> str:
    """A text with all that could steer a terminal written out as JSON has it."""
    return text.translate({sign: f"\\u{sign:04x}" for sign in _SECRET})


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        _refuse(digits)
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is no finite number")
