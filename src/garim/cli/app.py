"""The commands: each parses, calls one function, and shows."""

from __future__ import annotations

from cyclopts import App

import garim
from garim.cli import about, datasets, learning, plans

app = App(
    name="garim",
    help="Folder labels in; clean crops, boxes and models out.",
    version=garim.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` says how to go on
)

for command in (
    datasets.sheet,
    datasets.audit,
    datasets.convert,
    datasets.split,
    learning.train,
    learning.evaluate,
    plans.extract,
    plans.apply,
    plans.undo,
    about.demo,
    about.doctor,
):
    app.command(command)
