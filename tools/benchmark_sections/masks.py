"""Masks of classes and of instances."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from benchmark_sections.tables import Figures, row

CLASSES = """
## Masks

```sh
python benchmarks/segmentation_street.py --epochs 12 --precision bf16-mixed \\
    --json docs/benchmarks/segmentation_street.json
```

`ccp_street5`: five kinds of garment and background in 502 street photos, split by picture with a
seed; judged on the {pictures} test photos at full size. The networks start from MobileNetV2 weights
(ImageNet), are trained on a processor, on crops of 192 px of photos brought to 256 px, and see the
same crops. The others classify each pixel by its colour, place and texture. `nothing` calls every
pixel background.

| method | mean IoU | pixel accuracy | boundary F | {classes} |
|---|---:|---:|---:|{rules}
"""

PSEUDO = """
```sh
python benchmarks/segmentation_pseudo.py --json docs/benchmarks/segmentation_pseudo.json
```

DeepLab-v3+ again, but no mask was drawn: a classifier learned the garments from the folders of
`clothing5`, and `garim masks` made the masks of {pictures} training photos from the names of what
they hold. The first row judges those masks on the photos that they were made for, without void
({void:.0%} of the pixels); the second the network, trained with `--class-weights balanced`, on the
test photos. Its mean IoU is {share:.2f} of that with drawn masks (which balanced weights do not
help: *deeplabv3plus, balanced* above).

| what | mean IoU | {classes} |
|---|---:|{rules}
"""

NUCLEI = """
```sh
python benchmarks/instances_nuclei.py --json docs/benchmarks/instances_nuclei.json
```

`nuclei_dsb2018`: single nuclei in microscope pictures, {pictures} test pictures with {objects}
nuclei. Average precision of masks, by pycocotools.

| method | AP | AP50 | AP75 |
|---|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; each table is left out until it has been measured."""
    text = ""
    if classes := found.get("segmentation_street"):
        text += _classes(classes)
    if pseudo := found.get("segmentation_pseudo"):
        text += _pseudo(pseudo)
    if nuclei := found.get("instances_nuclei"):
        text += NUCLEI.format(**nuclei[0])
        for r in nuclei:
            text += row(r["name"], *(f"{r[name]:.3f}" for name in ("ap", "ap50", "ap75")))
    return text


def _classes(rows: list[dict[str, Any]]) -> str:
    text = CLASSES.format(pictures=rows[0]["pictures"], **_columns(rows[0]["ious"]))
    for r in sorted(rows, key=itemgetter("miou")):
        figures = (r["miou"], r["pixel_accuracy"], r["boundary_f"], *r["ious"].values())
        text += row(r["name"], *(f"{figure:.3f}" for figure in figures))
    return text


def _pseudo(found: dict[str, Any]) -> str:
    masks, network = found["masks"], found["network"]
    text = PSEUDO.format(
        pictures=masks["pictures"],
        void=masks["shares"]["void"],
        share=found["share"],
        **_columns(masks["ious"]),
    )
    for name, r in (("masks from labels", masks), ("deeplabv3plus, from them", network)):
        text += row(name, r["miou"], *r["ious"].values())
    return text


def _columns(ious: dict[str, float]) -> dict[str, str]:
    """Give the head of one column for each class, and its rule."""
    names = (name.replace("_", " ") for name in ious)
    return {"classes": " | ".join(names), "rules": "---:|" * len(ious)}
