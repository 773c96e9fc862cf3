"""The sheet of an augmentation: only real copies stand beside a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import garim
from garim.augmentation import AugmentSettings, augment
from garim.report import copies_sheet


def test_rows_with_fewer_copies_end_in_empty_cells(tmp_path: Path) -> None:
    for label, count in (("a", 1), ("b", 2)):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(count):
            path = tmp_path / "in" / label / f"{number}.png"
            Image.new("RGB", (40, 40), (60 + 50 * number, 30, 90)).save(path)
    found = augment(garim.read(tmp_path / "in"), AugmentSettings(per_class=4), tmp_path / "out")
    sheet = copies_sheet(found, cell=40)
    cells = np.asarray(sheet.image).reshape(3, 40, 4, 40, 3).transpose(0, 2, 1, 3, 4)
    filled = [[bool((cell < 255).any()) for cell in row] for row in cells]
    assert sorted(map(sum, filled)) == [2, 2, 4]  # a picture, and its one or three copies
    assert not sheet.failures
