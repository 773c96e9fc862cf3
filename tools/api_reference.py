"""Write docs/api.md: everything that ``garim`` exports, for mkdocstrings to fill in."""

from __future__ import annotations

from pathlib import Path

import garim

TARGET = Path(__file__).parents[1] / "docs" / "api.md"

HEAD = """\
<!-- Written by tools/api_reference.py; do not edit. -->
# Python

Everything here is imported from `garim`. The verbs are those of the command line, and the settings
are their options.
"""


def _is_error(name: str) -> bool:
    found = getattr(garim, name)
    return isinstance(found, type) and issubclass(found, garim.GarimError)


def _is_verb(name: str) -> bool:
    return name[0].islower()


def _is_value(name: str) -> bool:
    return not _is_verb(name) and not _is_error(name)


GROUPS = {"Verbs": _is_verb, "Values and settings": _is_value, "Errors": _is_error}


def reference() -> str:
    """Give the whole page."""
    parts = [HEAD]
    for title, belongs in GROUPS.items():
        parts.append(f"\n## {title}\n")
        parts += [_entry(name) for name in garim.__all__ if belongs(name)]
    return "".join(parts)


def _entry(name: str) -> str:
    """Name the place of definition: `garim.apply` could also mean the module of that name."""
    found = getattr(garim, name)
    return (
        f"\n::: {found.__module__}.{found.__qualname__}\n"
        f"    options:\n      heading: garim.{name}\n      toc_label: {name}\n"
    )


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")
    print(f"{TARGET.name} written")


if __name__ == "__main__":
    main()
