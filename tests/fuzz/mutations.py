"""Turning a valid file into one that nobody wrote on purpose: what the fuzz tests feed to readers.

Every choice is drawn from one ``random.Random``, so that a case is its seed.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from random import Random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 0.5, 10**30, 1e308, float("nan"), float("inf"), "", " ", "1", "\ud800",
    "../../x.png", "/etc/passwd", "C:\\x.png", "a\0b", "고양이", "x" * 5000, [], [[]], [None], {},
    {"": None}, [1, 2, 3], [1, 2, 3, 4], [["a"]], -(2**63), 2**64,
)  # fmt: skip
"""Values that stand where another was expected."""

ODD_WORDS = (
    "", "-1", "nan", "inf", "1e999", "9" * 400, "null", "true", "../../x.png", "/etc/passwd",
    "\0", "\u2028", "고양이", "\r", '"', "'", "&a;", "<", "]]>", "{", "*a", "!!python/name:os", ",",
    "x" * 5000, "１２", "0x10", "1_0", "%s", "\\",
)  # fmt: skip
"""Words that stand where another was expected in a text."""

_WORD = re.compile(r"[^\s,;:<>\"'=\[\]{}]+")
_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def mutated(data: bytes, name: str, random: Random) -> bytes:
    """Change the content of a file a little, or entirely, as its kind suggests.

    Args:
        data: valid content.
        name: of the file; its suffix tells the kind.
        random: draws the change.
    """
    suffix = PurePath(name).suffix.lower()
    kinds = [_bytes_changed]
    if suffix in {".json", ".jsonl"}:
        kinds += [_json_changed] * 3
    if suffix in {".json", ".jsonl", ".csv", ".txt", ".xml", ".yaml"}:
        kinds += [_text_changed] * 2
    for _ in range(random.randint(1, 3)):
        data = random.choice(kinds)(data, random)
    return data


def _bytes_changed(data: bytes, random: Random) -> bytes:
    if not data or random.random() < 0.02:
        return random.randbytes(random.randint(0, 200))
    content = bytearray(data)
    at = random.randrange(len(content))
    length = random.choice((1, 1, 2, 4, 8, 64))
    match random.randrange(6):
        case 0:
            content[at] ^= 1 << random.randrange(8)
        case 1:
            content[at : at + length] = random.randbytes(length)
        case 2:
            value = random.choice(_EXTREMES).to_bytes(4, random.choice(("little", "big")))
            content[at : at + 4] = value
        case 3:
            del content[at : at + length]
        case 4:
            del content[at:]
        case _:
            content[at:at] = content[random.randrange(len(content)) :][:length]
    return bytes(content)


def _text_changed(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", "replace")
    lines = text.split("\n")
    at = random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            lines[at:at] = [lines[random.randrange(len(lines))]] * random.choice((1, 1, 300))
        case 1:
            del lines[at]
        case _:
            words = list(_WORD.finditer(text))
            if words:
                word = random.choice(words)
                text = text[: word.start()] + random.choice(ODD_WORDS) + text[word.end() :]
            return text.encode("utf-8", "surrogatepass")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _json_changed(data: bytes, random: Random) -> bytes:
    """Replace, remove or repeat one value anywhere in a JSON text (or in one line of several)."""
    lines = data.split(b"\n")
    whole = random.random() < 0.5 or len(lines) < 2
    at = 0 if whole else random.randrange(len(lines))
    try:
        value = json.loads(data if whole else lines[at])
    except (ValueError, RecursionError):
        return _text_changed(data, random)
    changed = json.dumps(_value_changed(value, random), ensure_ascii=random.random() < 0.8)
    encoded = changed.encode("utf-8", "surrogatepass")
    if random.random() < 0.01:
        encoded = encoded.replace(b"null", b"[" * 5000 + b"]" * 5000, 1)
    if whole:
        return encoded
    lines[at] = encoded
    return b"\n".join(lines)


def _value_changed(value: Any, random: Random) -> Any:
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return random.choice(ODD_VALUES)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = random.choice(keys)
    action = random.random()
    if action < 0.12:
        del value[key]
    elif action < 0.2 and isinstance(value, list):
        value += [value[key]] * random.choice((1, 1, 300))
    elif action < 0.25 and isinstance(value, dict):
        value[str(random.choice(ODD_VALUES))[:50]] = value[key]
    else:
        value[key] = _value_changed(value[key], random)
    return value
