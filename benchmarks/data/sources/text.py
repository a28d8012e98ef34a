"""Reading of text files line by line, independent of platform."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.core.spec import InputError


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line numbers and lines without line ends; only LF and CRLF end a line, and trailing empty lines are skipped.

    Raises:
        InputError: the file cannot be read, or a line is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").split(b"\n"), start=1):
        try:
            yield number, line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}:{number}: not UTF-8 (byte {line[error.start]:#04x} after {error.start} bytes); save it as UTF-8"
            ) from None
