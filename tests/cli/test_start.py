"""The commands start quickly: what only some of them need is not imported by all."""

from __future__ import annotations

import json
import subprocess
import sys

SLOW = {"lightning", "sklearn", "cleanlab", "fastapi", "matplotlib", "pandas", "scipy.stats"}


def test_nothing_slow_is_imported_before_it_is_used() -> None:
    code = "import json, sys, garim.cli; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert SLOW.isdisjoint(json.loads(run.stdout))
