"""Content of files from untrusted sources is rejected or made harmless."""

import gzip
import json

import pytest

from benchmarks.core import untrusted
from benchmarks.core.untrusted import check_folder_names, printable, read_json, unpack


@pytest.mark.parametrize("value", [{"a": [1, -0.5, None, True, "é\U0001f600\x1b"]}, [], "text", 2**70])
def test_json_that_can_be_written_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"NaN", "NaN is not a finite number"),
        (b"[-Infinity]", "-Infinity is not a finite number"),
        (b"1e999", "1e999 is not a finite number"),
        (rb'"\ud800"', "surrogates not allowed"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe[\x00", "can't decode"),
        (b'{"a": 1', "delimiter"),
        (b"", "Expecting value"),
        (b"1" * 5000, "digits"),
    ],
)
def test_json_that_cannot_be_re_encoded_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_json(content)


def test_gzip_is_decompressed_unless_it_is_damaged_or_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(b"content")
    assert unpack(packed) == b"content"
    for damaged in (packed[:-1], packed[:-12] + b"\xff" * 12, b"content", b""[:0] + packed[:12]):
        with pytest.raises(ValueError, match="not valid gzip data"):
            unpack(damaged)
    monkeypatch.setattr(untrusted, "LARGEST_BYTES", 6)
    with pytest.raises(ValueError, match="more than 6 bytes"):
        unpack(packed)


@pytest.mark.parametrize("name", ["cola", "lora_grid", "a" * 64, "my preset, v2.1", "é"])
def test_a_valid_folder_name_is_accepted(name: str) -> None:
    check_folder_names(task=name)


@pytest.mark.parametrize("name", ["", ".", "..", " .. ", "a/b", "../a", "/a", "a\\b", "C:a", "a\x00", "a\n"])
def test_a_name_that_leads_out_of_its_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="task is used as a folder name"):
        check_folder_names(method="lora", task=name)


def test_characters_that_control_a_terminal_are_escaped() -> None:
    assert printable("\x1b[2J\x07\r\x9b1m\u202e\x7f") == r"\u001b[2J\u0007\u000d\u009b1m\u202e\u007f"
    assert printable("a\tb\nç ✓ \U0001f600") == "a\tb\nç ✓ \U0001f600"
    assert json.loads(printable(json.dumps("\x9b", ensure_ascii=False))) == "\x9b"
