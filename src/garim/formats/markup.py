"""XML as the formats read and write it: no entities, no characters that it forbids."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from garim.errors import FormatError

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parsed(file: Path) -> ElementTree.Element:
    """Read a file; nothing that it names is opened.

    Raises:
        FormatError: it is not XML, or has a document type.
    """
    try:
        # Bytes, so that the encoding which the file declares is the one it is read in.
        tree: ElementTree.Element = fromstring(file.read_bytes(), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise FormatError(f"is not XML that can be trusted: {error}") from error
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror or error}") from error
    return tree


def add(parent: ElementTree.Element, name: str, text: str) -> None:
    """Add an element that holds text."""
    ElementTree.SubElement(parent, name).text = text


def stripped(text: str) -> str:
    """Leave out the characters that XML forbids."""
    return _FORBIDDEN.sub("", text)


def allowed(label: str) -> str:
    """Give a label back if XML can hold it.

    Raises:
        FormatError: it has a character that XML forbids.
    """
    if _FORBIDDEN.search(label):
        raise FormatError(f"the label {label!r} has a character that XML forbids; rename it")
    return label


def number(value: float) -> str:
    """Write a number with at most four decimals.

    >>> number(3.0), number(2.50001)
    ('3', '2.5')
    """
    rounded = round(value, 4)
    return str(int(rounded) if rounded.is_integer() else rounded)
