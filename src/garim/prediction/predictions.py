"""What a model said about pictures, and how that is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from garim import dataset, files
from garim.dataset import Dataset
from garim.errors import Failure, SettingsError
from garim.formats.rows import Row
from garim.given import place_of
from garim.prediction.detection import BoxPrediction, write_boxes
from garim.prediction.instances import ObjectsPrediction
from garim.prediction.segmentation import MaskPrediction, write_masks

UNSURE = "unsure"
"""Label of a picture whose likeliest label is below the least confidence that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPrediction:
    """What a classifier said about one picture."""

    picture: str
    """File of the picture."""
    label: str
    """Likeliest label, or `UNSURE`."""
    confidence: float
    """Calibrated probability of the likeliest label, 0 to 1."""
    top: tuple[tuple[str, float], ...]
    """The likeliest labels with their probabilities, the likeliest first."""

    def to_dict(self) -> dict[str, Any]:
        """Give the prediction as it stands in ``--json``."""
        top = [{"label": name, "confidence": round(p, 6)} for name, p in self.top]
        return {"picture": self.picture, "label": self.label,
                "confidence": round(self.confidence, 6), "top": top}  # fmt: skip

    def cells(self) -> dict[str, str | float]:
        """Give the prediction as one line of a table."""
        found: dict[str, str | float] = {"picture": self.picture, "label": self.label,
                                         "confidence": round(self.confidence, 6)}  # fmt: skip
        for number, (name, p) in enumerate(self.top, 1):
            found |= {f"label_{number}": name, f"confidence_{number}": round(p, 6)}
        return found


Prediction = BoxPrediction | LabelPrediction | MaskPrediction | ObjectsPrediction
"""Every kind of prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a model said about pictures, in the order they were given."""

    rows: tuple[Prediction, ...]
    failures: tuple[Failure, ...] = ()
    """Pictures that could not be opened."""
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """Count the pictures of each label that was given, the most frequent first."""
        return dict(Counter(row.label for row in self.rows).most_common())

    def table(self) -> pl.DataFrame:
        """Give a line per picture, also for those that failed, which have an ``error``."""
        lines: list[dict[str, Any]] = [row.cells() for row in self.rows]
        lines += [{"picture": one.picture, "error": one.error} for one in self.failures]
        columns = dict.fromkeys(name for line in lines for name in line)
        names = [*(name for name in columns if name != "error"), "error"]
        return pl.DataFrame({name: [line.get(name) for line in lines] for name in names})

    def to_dict(self) -> dict[str, Any]:
        """Give the predictions as they stand in ``--json``."""
        return {
            "pictures": len(self.rows),
            "labels": self.counts(),
            "seconds": round(self.seconds, 2),
            "predictions": [row.to_dict() for row in self.rows],
            "failed": [failure.to_dict() for failure in self.failures],
        }

    def to_csv(self, path: Path | str) -> Path:
        """Write the table as CSV, as one step."""
        files.write_text(Path(path), self.table().write_csv())
        return Path(path)

    def to_json(self, path: Path | str) -> Path:
        """Write everything as JSON, as one step."""
        files.write_json(Path(path), self.to_dict())
        return Path(path)

    def save(self, path: Path | str) -> Path:
        """Write as the suffix says, ``.csv`` or ``.json``.

        Raises:
            SettingsError: another suffix.
        """
        check_file(Path(path))
        return self.to_csv(path) if Path(path).suffix.lower() == ".csv" else self.to_json(path)

    def write_to(self, folder: Path | str) -> None:
        """Write masks and overlays; boxes; or copy the pictures into folders by their labels.

        Raises:
            DatasetError: the folder already holds something, or a label cannot name a folder.
        """
        masks = [row for row in self.rows if isinstance(row, MaskPrediction | ObjectsPrediction)]
        boxes = [row for row in self.rows if isinstance(row, BoxPrediction)]
        if masks:
            write_masks(masks, folder)
        elif boxes:
            write_boxes(boxes, folder)
        else:
            self.sort_into(folder)

    def sort_into(self, folder: Path | str) -> Dataset:
        """Copy every picture into a folder named after its label; nothing is overwritten.

        Pictures of one name get names of their own.

        Raises:
            DatasetError: the folder already holds something, or a label cannot name a folder.
        """
        rows = tuple(
            Row(file_name=place_of(row.picture).as_posix(), label=row.label) for row in self.rows
        )
        labels = tuple(sorted({row.label for row in self.rows}))
        found = Dataset(root=Path(), rows=rows, classes=labels, origin=Path(folder))
        return dataset.write(found, folder, "folder")

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return str(self.table()._repr_html_())


def check_file(path: Path) -> None:
    """Raise a SettingsError if predictions cannot be written to a file of this name."""
    if path.suffix.lower() not in {".csv", ".json"}:
        raise SettingsError([f"{path}: predictions are written as .csv or .json"])
