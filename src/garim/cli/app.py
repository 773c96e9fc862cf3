"""The commands: each parses, calls one function, and shows."""

from __future__ import annotations

from cyclopts import App

import garim
from garim.cli import (
    about,
    collection,
    datasets,
    detection,
    enhancement,
    foreground,
    learning,
    plans,
    prediction,
    report,
    review,
    segmentation,
    similarity,
)

app = App(
    name="garim",
    help="Folder labels in; clean crops, boxes and models out.",
    version=garim.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run` says how to go on
)

for command in (
    collection.collect,
    datasets.sheet,
    datasets.audit,
    datasets.convert,
    datasets.split,
    collection.augment,
    learning.train,
    segmentation.train_segment,
    segmentation.train_instances,
    detection.train_detect,
    enhancement.train_upscale,
    learning.compare_training,
    learning.evaluate,
    prediction.predict,
    prediction.export,
    enhancement.upscale,
    plans.extract,
    segmentation.masks,
    review.review,
    report.report,
    plans.apply,
    plans.undo,
    foreground.cutout,
    foreground.contours,
    similarity.compare,
    similarity.train_embed,
    similarity.search,
    about.demo,
    about.doctor,
):
    app.command(command)
