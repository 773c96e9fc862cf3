"""Write docs/cli.md from the commands themselves; a test says when it is out of date."""

from __future__ import annotations

import re
from pathlib import Path

from garim.cli import app

TARGET = Path(__file__).parents[1] / "docs" / "cli.md"

# The usage line tells how the process that asks was started (python -m …).
_USAGE = re.compile(r"^(garim [a-z -]+?) -m \S+")

HEAD = """\
<!-- Written by tools/cli_reference.py; do not edit. -->
# Command line

Every command takes `--json` (one object on standard output) and `--quiet`. Progress goes to
standard error. The exit status is 0 when all is done, 2 when a command was called wrongly, 3 when
it is done but some pictures failed (they are listed), and 130 when it was interrupted.

"""


def reference() -> str:
    """Give the whole page."""
    pages: str = app.generate_docs(output_format="markdown", heading_level=1)
    _, found, commands = pages.partition("\n**Commands**:\n")
    if not found:
        raise RuntimeError("the generated page has no list of commands; mend this script")
    lines = (_USAGE.sub(r"\1", line.rstrip()) for line in commands.splitlines())
    return HEAD + "\n".join(lines).strip() + "\n"


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")
    print(f"{TARGET.name} written")


if __name__ == "__main__":
    main()
