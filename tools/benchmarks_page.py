"""Write docs/benchmarks.md from the figures that the benchmarks left as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "benchmarks"

HEAD = """# Benchmarks

Every table comes from one script in `benchmarks/`; the command above it makes it again. The
pictures are public and not part of this repository: the scripts look for them where
`GARIM_BENCH_DATA` points. This page is written by `tools/benchmarks_page.py`.

## How well the boxes fit

```sh
python benchmarks/extraction_quality.py --json docs/benchmarks/extraction_quality.json
```

`fruit_boxes`: a classifier (MobileNetV2, ImageNet weights, frozen, a linear head) is trained on the
folder labels of `train/`, and looks for each label in the test pictures of one fruit (*single*) and
in the pictures that hold several (*mixed*), which it has not been trained on, once per label.
CorLoc is the share of boxes with at least that IoU. [What the figures mean](evaluate.md).

*street* is another task, for which nothing was tuned: a classifier trained on `clothing5`, garments
photographed one by one on beds and floors, looks for the main garment in pictures of people in the
street (`ccp_street5`). Garments are small there, and worn.

| method | pictures | n | CorLoc .3 | CorLoc .5 | CorLoc .7 | purity | coverage |
|---|---|---:|---:|---:|---:|---:|---:|
"""

TAIL = """
What it shows: the sliding windows drift to the most telling part of the object, and each round
takes them further, as purity rises and coverage falls; on pictures of one fruit they are worse than
the middle of the picture. The class activation map marks the most telling part too. The default
(`self`) is better than both everywhere, and on mixed pictures better even than the best of the
document's own windows, the oracle, which no method can know. The constants of `self` were chosen on
these pictures of fruit, though not on those of the street.
"""


SPEED_HEAD = """
## How fast the boxes are

```sh
python benchmarks/extraction_speed.py --networks mobilenetv2 --keras PYTHON --slow 2 \\
    --throughput 3000 --json docs/benchmarks/extraction_speed.json
```

Seconds per picture, all in one run on one machine ({processor}; {threads} threads). The document's
procedure looks at a picture and 70 crops in each of three rounds: (a) with one call of the network
per crop, (b) with its crops in batches. `self` is Garim's default, once its network is compiled.
MobileNetV2 sees 224 px, and the localizer twice as much; `--networks vgg16` times that at 150 px,
with random weights. The last columns are milliseconds of each part by itself; decoding runs beside
the network, in threads.

| network | what | s | × Keras (a) | × (a) | × (b) | ready in s | decode | resize | network |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def speed() -> str:
    """Give the section on speed; empty until it has been measured."""
    if not (FIGURES / "extraction_speed.json").exists():
        return ""
    found = json.loads((FIGURES / "extraction_speed.json").read_text())
    rows = [row for row in found["rows"] if "pictures" not in row]
    long = [row for row in found["rows"] if "pictures" in row]
    text = SPEED_HEAD.format(**found["machine"]) + "".join(map(_speed_line, rows))
    for row in long:
        text += (
            f"\n{row['pictures']:,} pictures in one run: {row['per_second']:.0f} a second, "
            f"{row['failed']} failed. Memory of the process at each tenth of the way, in MiB: "
            f"{', '.join(str(v) for v in row['memory_mib'])}.\n"
        )
    return text


def _speed_line(row: dict[str, Any]) -> str:
    times = row.get("times", {})
    names = ("(a) Keras, a call per crop", "(a) PyTorch, a call per crop",
             "(b) PyTorch, crops in batches")  # fmt: skip
    cells = [row["network"], row["what"], f"{row['seconds']:.4f}"]
    cells += [f"{times[name]:.0f}" if name in times else "" for name in names]
    cells.append(f"{row['ready']:.1f}" if "ready" in row else "")
    parts = [row.get(f"{part}_alone") for part in ("decode", "resize", "network")]
    cells += ["" if part is None else f"{1000 * part:.1f}" for part in parts]
    return f"| {' | '.join(cells)} |\n"


BENEFIT_HEAD = """
## Does training on the crops help?

```sh
python benchmarks/extraction_benefit.py --json docs/benchmarks/extraction_benefit.json
```

The same network, settings and number of steps, trained on the originals, on the crops that `self`
found in them, or on both; test accuracy on the same untouched, uncropped pictures, means of
{seeds} seeds, and the 95 % interval of the difference from training on the originals.

| data | trained on | accuracy | difference | 95 % interval |
|---|---|---:|---:|---:|
"""

BENEFIT_TAIL = """
`clothing5` shows one garment per picture, with a frozen MobileNetV2; the demo's pictures hold
several creatures, some wrong labels, and train a small network from scratch.
"""


def benefit() -> str:
    """Give the section on training with crops; empty until it has been measured."""
    path = FIGURES / "extraction_benefit.json"
    if not path.exists():
        return ""
    rows = json.loads(path.read_text())
    text = BENEFIT_HEAD.format(seeds=rows[0]["seeds"])
    for r in rows:
        low, high = r["interval"]
        apart = f"{r['gain']:+.4f} | {low:+.4f} to {high:+.4f}" if r["gain"] or low else " | "
        text += f"| {r['data']} | {r['trained on']} | {r['accuracy']:.4f} | {apart} |\n"
    return text + BENEFIT_TAIL


AUDIT_LABELS = """
## Wrong labels

```sh
python benchmarks/audit_labels.py --json docs/benchmarks/audit_labels.json
```

`clothing5`, all 1,473 pictures, labels changed at random to any other class (*uniform*) or to the
next one (*pairwise*); means of five seeds. F1 of the marked labels, beside the best of cleanlab's
six filters on the same last probabilities, on the first ones (nothing was taken out yet), and the
argmax baseline on the first ones. Then the precision that the audit estimates, and the true one.

| noise | rate | F1 | best filter, same | best filter, first | argmax | estimated | true |
|---|---:|---:|---:|---:|---:|---:|---:|
"""

RETRAINED = """
The same features, a classifier trained on `train` and `validation` with 20 % wrong labels, judged
on the clean `test`; accuracy, means of five seeds.

| noise | wrong labels | marked ones left out | relabelled | right labels |
|---|---:|---:|---:|---:|
"""

AUDIT_COPIES = """
## Copies

```sh
python benchmarks/audit_duplicates.py --peers --json docs/benchmarks/audit_duplicates.json
```

Copies of {each} pictures of each kind, planted beside all originals. Recall by kind; a pair is
wrong when its pictures do not come from one original.

"""

SPEED = """
Pictures per second on two cores, JPEGs with the texture of photos. *Bare* opens them at the same
reduced scale and does nothing else; *look* is all that the audit measures on a picture; *audit* is
the whole, copies included.

| size | bare | look | audit | cleanvision |
|---|---:|---:|---:|---:|
"""


def audit() -> str:
    """Give the sections of the audit."""
    labels = json.loads((FIGURES / "audit_labels.json").read_text())
    copies = json.loads((FIGURES / "audit_duplicates.json").read_text())
    figures = ("f1", "best_filter_same_f1", "best_filter_first_f1", "argmax_first_f1",
               "estimated_precision", "precision")  # fmt: skip
    parts = [AUDIT_LABELS]
    parts += [
        _row(r["kind"], f"{r['rate']:.0%}", *(r[f] for f in figures)) for r in labels["found"]
    ]
    parts.append(RETRAINED)
    names = ("wrong", "excluded", "relabelled", "right")
    parts += [_row(r["kind"], *(r[name] for name in names)) for r in labels["retrained"]]
    kinds = list(copies["found"][0]["recall"])
    parts.append(AUDIT_COPIES.format(each=copies["each"]))
    parts.append(_row("data", "tool", "precision", *kinds, "seconds"))
    parts.append("|---|---|" + "---:|" * (len(kinds) + 2) + "\n")
    parts += [
        _row(r["data"], r["tool"], r["precision"], *(f"{v:.2f}" for v in r["recall"].values()),
             f"{r['seconds']:.1f}")
        for r in copies["found"]
    ]  # fmt: skip
    parts.append(SPEED)
    rates = ("bare_decoding", "garim_look", "garim_audit", "cleanvision")
    parts += [_row(r["size"], *(f"{r[name]:,.0f}" if name in r else "–" for name in rates))
              for r in copies["speed"]]  # fmt: skip
    return "".join(parts)


SEVERAL = """
## Pictures of several classes

```sh
python benchmarks/audit_several_classes.py --json docs/benchmarks/audit_several_classes.json
```

`fruit_boxes`: the mixed pictures are labelled with one of their fruits, as if they lay in its
folder; the boxes say which pictures show several. The check `several_classes` of a classifier that
was trained on `train/`.

| pictures | rows | show several | marked | precision | recall | average precision |
|---|---:|---:|---:|---:|---:|---:|
"""


def several() -> str:
    """Give the section on pictures of several classes; empty until it has been measured."""
    path = FIGURES / "audit_several_classes.json"
    if not path.exists():
        return ""
    counts, figures = ("rows", "several", "marked"), ("precision", "recall", "average_precision")
    return SEVERAL + "".join(
        _row(r["pictures"], *(str(r[name]) for name in counts), *(r[name] for name in figures))
        for r in json.loads(path.read_text())
    )


TRAINING = """
## Choosing how to train

Tables of `garim compare-training` on `clothing5`, judged on its own 189 test pictures; means over
the seeds ± the 95 % interval of the mean, and differences from the first line, paired by seed. One
test picture is .005 of accuracy. [What the settings do](compare-training.md).
"""

IMBALANCE = """
### Imbalance

```sh
python benchmarks/classification_imbalance.py --json docs/benchmarks/classification_imbalance.json
```

Train and validation thinned to the proportions of the clothing document, which leaves {fewest}
pictures of the rarest class to train on; a head on frozen MobileNetV2 features.

"""

COLOUR = """
### Colour or grey

```sh
python benchmarks/classification_colour.py --json docs/benchmarks/classification_colour.json
```

The document's network from scratch at 32 × 32, {epochs} epochs.

"""

NOISE = """
### Wrong labels in training

```sh
python benchmarks/classification_noise.py --json docs/benchmarks/classification_noise.json
```

Labels of train and validation changed at random; a head on frozen features.

| wrong | trained on | loss | accuracy | macro F1 |
|---|---|---|---:|---:|
"""

DEFAULT = """
### With nothing chosen

```sh
python benchmarks/classification_default.py --json docs/benchmarks/classification_default.json
```

| what | accuracy | macro F1 |
|---|---:|---:|
"""


def training() -> str:
    """Give the sections on training; each is empty until it has been measured."""
    found = {name: FIGURES / f"classification_{name}.json"
             for name in ("imbalance", "colour", "noise", "default")}  # fmt: skip
    read = {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
    parts = [TRAINING] if read else []
    if "imbalance" in read:
        fewest = min(read["imbalance"]["pictures"]["train"].values())
        parts.append(IMBALANCE.format(fewest=fewest) + _compared(read["imbalance"]))
    if "colour" in read:
        parts.append(COLOUR.format(**read["colour"]) + _compared(read["colour"]))
    if "noise" in read:
        parts.append(NOISE + "".join(map(_noise_lines, read["noise"])))
    if "default" in read:
        parts.append(DEFAULT + "".join(map(_default_line, read["default"])))
    return "".join(parts)


def _compared(found: dict[str, Any]) -> str:
    """Write one comparison as a table, with the F1 of every class."""
    text = _row("settings", "accuracy", "macro F1", "difference", *found["classes"])
    text += "|---|" + "---:|" * (3 + len(found["classes"])) + "\n"
    for one in found["settings"]:
        name = ", ".join(f"{k}={v}" for k, v in one["settings"].items())
        gain = one["difference"].get("macro_f1")
        text += _row(
            name,
            *(_mean(one[figure]) for figure in ("accuracy", "macro_f1")),
            "" if gain is None else _mean(gain, "+"),
            *(f"{one['f1'][label]['mean']:.3f}" for label in found["classes"]),
        )
    return text


def _mean(given: dict[str, float], sign: str = "") -> str:
    return f"{given['mean']:{sign}.3f} ± {given['high'] - given['mean']:.3f}"


def _noise_lines(found: dict[str, Any]) -> str:
    return "".join(
        _row(f"{found['rate']:.0%}", found["data"], one["settings"].get("noise", "none"),
             _mean(one["accuracy"]), _mean(one["macro_f1"]))
        for one in found["settings"]
    )  # fmt: skip


def _default_line(found: dict[str, Any]) -> str:
    if "settings" not in found:
        return _row(found["what"], found["accuracy"], found["macro_f1"])
    (one,) = found["settings"]
    return _row(found["what"], _mean(one["accuracy"]), _mean(one["macro_f1"]))


SHAPES_HEAD = """
## Outlines

```sh
python benchmarks/similarity_shapes.py --json docs/benchmarks/similarity_shapes.json
```

`mpeg7`: 1,400 silhouettes of 70 kinds. *Bullseye* is the share of a kind among the 40 most alike.
In the other columns one silhouette of each kind is changed as if it were seen from elsewhere (a
plane turned, tilted away, a part cut off), and has to find itself: the share that come first.

| method | bullseye | {changes} |
|---|---:|{lines}
"""

SHAPES_TAIL = """
Some silhouettes of a kind are nearly the same, so that even a mere turn does not always come first.
What a turn does to the picture, the embeddings notice and the outlines do not; tilted by 30°, an
outline is lost to its Hu moments.
"""

RETRIEVAL_HEAD = """
## Photos that show the same kind of thing

```sh
python benchmarks/similarity_retrieval.py --json docs/benchmarks/similarity_retrieval.json
```

`clothing5`, the 189 pictures of the test split, five kinds of garments: each picture asks for the
others. What is learned is learned on the rest of the data. mAP, precision of the ten nearest, and
the share of queries whose nearest is of their kind.

| method | mAP | P@10 | nearest right |
|---|---:|---:|---:|
"""

RETRIEVAL_TAIL = """
Hu moments are little better than the colours. Height functions find a right neighbour for most,
but not the rest of its kind; embeddings of the same photos do, and a projection learned from labels
does it best. Where one garment fills the picture, as here, cutting it out changes nothing.
Whitening makes the ranking worse here.
"""

SCALE = """
## Search in many vectors

```sh
python benchmarks/search_scale.py --vectors {vectors} --json docs/benchmarks/search_scale.json
```

{vectors:,} clustered vectors of {components} components, {threads} threads of a busy machine: the
graph built in {build_seconds:.0f} s; at most {peak_memory_mib:,} MiB of memory, {disk_mib:,} MiB on
the disk. One query at a time: {query_p50_ms:.1f} ms (median), {query_p95_ms:.1f} ms (95 %), at a
recall of {recall_at_10:.3f} of the ten nearest; the config promised {recall_noted:.3f}. Comparing
with all takes {exact_p50_ms:.1f} ms.
"""


def similarity() -> str:
    """Give the sections on similarity; each is empty until it has been measured."""
    found = {name: FIGURES / f"{name}.json"
             for name in ("similarity_shapes", "similarity_retrieval", "search_scale")}  # fmt: skip
    known = {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
    text = ""
    if shapes := known.get("similarity_shapes"):
        first = shapes["found_first"]
        text += SHAPES_HEAD.format(changes=" | ".join(first), lines="---:|" * len(first))
        text += "".join(_row(name, value, *(first[change][name] for change in first))
                        for name, value in shapes["bullseye"].items())  # fmt: skip
        text += SHAPES_TAIL
    if retrieval := known.get("similarity_retrieval"):
        figures = ("map", "precision_at_10", "nearest")
        text += RETRIEVAL_HEAD
        text += "".join(_row(r["method"], *(r[name] for name in figures)) for r in retrieval)
        text += RETRIEVAL_TAIL
    if scale := known.get("search_scale"):
        text += SCALE.format(**scale)
    return text


SET5 = """
## Larger pictures

```sh
python benchmarks/upscaling_set5.py --seconds {seconds:g} --json docs/benchmarks/upscaling_set5.json
python benchmarks/upscaling_dogs.py --epochs 12 --json docs/benchmarks/upscaling_dogs.json
```

Set5, ×2, luminance, without a border of 2; the small pictures are those that MATLAB's bicubic made.
The weights that come with Garim have 78,348 parameters. The literature: SRCNN 36.66, FSRCNN 37.00,
CARN-M 37.53, IMDN 38.00 dB. Below, the pictures were blurred by a Gaussian of σ before they were
shrunk; `zero-shot` learned {seconds:g} seconds from each small picture alone.

| pictures | method | PSNR | SSIM |
|---|---|---:|---:|
"""

DOGS = """
`dogs_32`, 16 × 16 to 32 × 32 pixels as in the document, a tenth held out; all networks learned from
the same pairs, as often, in the same batches. Luminance, border 2, and PSNR over all values.

| method | parameters | PSNR | SSIM | PSNR, RGB |
|---|---:|---:|---:|---:|
"""

UPSCALING_SPEED = """
Seconds per megapixel of result on the CPU, {threads} thread of a busy machine, best of three
(`benchmarks/upscaling_speed.py`):

| method | s |
|---|---:|
"""

RECOGNITION = """
A classifier (MobileNetV2, frozen) trained on `clothing5`; its test pictures at 16 pixels a side, as
they are and enlarged ×4 (`benchmarks/upscaling_recognition.py`):

| pictures | accuracy | interval |
|---|---:|---:|
"""


def upscaling() -> str:
    """Give the section on larger pictures; each table is left out until it has been measured."""
    names = ("set5", "dogs", "speed", "recognition")
    found = {name: FIGURES / f"upscaling_{name}.json" for name in names}
    known = {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
    text = ""
    if set5 := known.get("set5"):
        lines = [("Set5", r["name"], r) for r in set5["plain"]]
        lines += [(f"blurred, σ = {r['blur']:g}", r["way"], r) for r in set5["blurred"]]
        text += SET5.format(seconds=set5["seconds"])
        text += "".join(_row(of, name, f"{r['psnr']:.2f}", f"{r['ssim']:.4f}")
                        for of, name, r in lines)  # fmt: skip
    if dogs := known.get("dogs"):
        text += DOGS + "".join(
            _row(r["name"], f"{r['parameters']:,}" if "parameters" in r else "",
                 f"{r['psnr']:.2f}", f"{r['ssim']:.4f}", f"{r['rgb_psnr']:.2f}")
            for r in dogs
        )  # fmt: skip
    if speed := known.get("speed"):
        text += UPSCALING_SPEED.format(**speed["machine"])
        text += "".join(_row(r["name"], r["seconds"]) for r in speed["rows"])
    if recognition := known.get("recognition"):
        text += RECOGNITION + "".join(
            _row(r["name"], r["accuracy"], "{:.3f} to {:.3f}".format(*r["interval"]))
            for r in recognition
        )
    return text


def _row(*cells: str | float) -> str:
    texts = (f"{cell:.3f}" if isinstance(cell, float) else cell for cell in cells)
    return "| " + " | ".join(texts) + " |\n"


SEGMENTATION = """
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
({void:.0%} of the pixels); the second the network, on the test photos. Its mean IoU is {share} of
that with drawn masks.

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


def segmentation() -> str:
    """Give the section on masks; empty until it has been measured."""
    text, path = "", FIGURES / "segmentation_street.json"
    if path.exists():
        rows = sorted(json.loads(path.read_text()), key=lambda row: float(row["miou"]))
        names = list(rows[0]["ious"])
        listed = " | ".join(name.replace("_", " ") for name in names)
        rules = "---:|" * len(names)
        text += SEGMENTATION.format(pictures=rows[0]["pictures"], classes=listed, rules=rules)
        for row in rows:
            figures = [row["miou"], row["pixel_accuracy"], row["boundary_f"], *row["ious"].values()]
            text += f"| {row['name']} | " + " | ".join(f"{v:.3f}" for v in figures) + " |\n"
    text += _pseudo_masks()
    path = FIGURES / "instances_nuclei.json"
    if path.exists():
        rows = json.loads(path.read_text())
        text += NUCLEI.format(**rows[0])
        for row in rows:
            figures = [row["ap"], row["ap50"], row["ap75"]]
            text += f"| {row['name']} | " + " | ".join(f"{v:.3f}" for v in figures) + " |\n"
    return text


def _pseudo_masks() -> str:
    path = FIGURES / "segmentation_pseudo.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text())
    masks, network = found["masks"], found["network"]
    listed = " | ".join(name.replace("_", " ") for name in masks["ious"])
    text = PSEUDO.format(
        pictures=masks["pictures"], void=masks["shares"]["void"], share=found["share"],
        classes=listed, rules="---:|" * len(masks["ious"]),
    )  # fmt: skip
    for name, row in (("masks from labels", masks), ("deeplabv3plus, from them", network)):
        text += _row(name, row["miou"], *row["ious"].values())
    return text


CONTOUR = """
## Boxes without a model

```sh
python benchmarks/contour_quality.py --json docs/benchmarks/contour_quality.json
python benchmarks/foreground_quality.py --json docs/benchmarks/foreground_quality.json
```

The contour crop against the box around all garments of street photos (`ccp_street5`) and around
all fruit of web photos (`fruit_boxes`), on {pictures} pictures of each that nothing was tuned on. A
failure is an IoU below a half, or no box.

| | way | IoU | failures |
|---|---|---:|---:|
"""

FOREGROUND = """
The foreground against the person's mask (street photos), and its box against that around all
fruit, on {pictures} pictures of each. `onnx` is a small network for portraits; `grabcut-centre` is
GrabCut from a box that leaves a tenth on each side.

| | method | mask IoU | F | IoU of the box | s per picture |
|---|---|---:|---:|---:|---:|
"""


def foreground() -> str:
    """Give the section on boxes without a model; empty until it has been measured."""
    text, path = "", FIGURES / "contour_quality.json"
    if path.exists():
        rows = json.loads(path.read_text())
        text += CONTOUR.format(**rows[0])
        text += "".join(_row(r["data"], r["way"], r["iou"], r["failures"]) for r in rows)
    path = FIGURES / "foreground_quality.json"
    if path.exists():
        rows = json.loads(path.read_text())
        text += FOREGROUND.format(**rows[0])
        names = ("mask_iou", "f", "box_iou", "seconds")
        text += "".join(
            _row(r["data"], r["method"], *(r.get(name, "") for name in names)) for r in rows
        )
    return text


DETECTION = """
## Boxes that a detector learned

```sh
python benchmarks/detection_small.py --sets bccd --epochs 12 --batch 4 --json bccd.json
python benchmarks/detection_small.py --sets raccoon --size 256 --epochs 12 --batch 4 \\
    --json raccoon.json
```

Blood cells (BCCD) and raccoons: a few hundred pictures, a fifth of them for the test, copies kept
together. FCOS on MobileNetV2 with ImageNet weights, one thread of a processor. Average precision by
pycocotools.

| data | trained on | judged | side in pixels | minutes | AP | AP50 | AP75 | AP50 wanted |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""

EXTRACTED = """
```sh
python benchmarks/detection_extracted.py --json docs/benchmarks/detection_extracted.json
```

No box drawn: `fruit_boxes`, a detector trained on the boxes that `garim extract` found from the
folder labels, beside one trained on the true boxes of the same {pictures} pictures, with the same
settings ({size} px, {epochs} epochs); judged on the true boxes of {judged} test pictures. Wanted:
{wanted_share:g} of the true boxes' AP50.
The boxes are counted with those of the tenth that is held out.

| trained on | boxes | AP | AP50 | share of AP50 | AP75 |
|---|---:|---:|---:|---:|---:|
"""


def detection() -> str:
    """Give the section on detectors; each table is left out until it has been measured."""
    text, path = "", FIGURES / "detection_small.json"
    if path.exists():
        text += DETECTION
        for name, r in json.loads(path.read_text()).items():
            minutes = f"{r['seconds'] / 60:.0f}"
            text += _row(name, str(r["trained_on"]), str(r["pictures"]), str(r["settings"]["size"]),
                         minutes, r["ap"], r["ap50"], r["ap75"], r["wanted_ap50"])  # fmt: skip
    path = FIGURES / "detection_extracted.json"
    if path.exists():
        found = json.loads(path.read_text())
        any_row = next(iter(found["boxes"].values()))
        text += EXTRACTED.format(
            **found["settings"], **found, judged=any_row["pictures"],
            pictures=any_row["trained_on"]["pictures"],
        )  # fmt: skip
        text += "".join(
            _row(name, str(r["trained_on"]["boxes"]), r["ap"], r["ap50"],
                 found["share_of_ap50"][name], r["ap75"])
            for name, r in found["boxes"].items()
        )  # fmt: skip
    return text


FAULTS = """
## Killed and run again

```sh
python benchmarks/faults.py --json docs/benchmarks/faults.json
```

Each command works on a small drawn dataset, is killed (`kill -9`) at random moments of its work,
and is run again. *Lost* counts originals that are not there, byte for byte, afterwards (for `apply
--in-place` and `undo`: nor to be had back by an undo); *as if never killed* counts results that are
those of an uninterrupted run. [What is promised](trust.md).

| command | kills | originals lost | as if never killed |
|---|---:|---:|---:|
"""


def faults() -> str:
    """Give the section on kills; empty until it has been measured."""
    path = FIGURES / "faults.json"
    if not path.exists():
        return ""
    rows = json.loads(path.read_text())
    names = ("kills", "lost", "equal")
    return FAULTS + "".join(_row(f"`{r['verb']}`", *(str(r[n]) for n in names)) for r in rows)


def main() -> None:
    """Write the page."""
    rows = json.loads((FIGURES / "extraction_quality.json").read_text())
    lines = [
        f"| {r['method']} | {r['part']} | {r['boxes']} | "
        + " | ".join(f"{v:.3f}" for v in (*r["corloc"].values(), r["purity"], r["coverage"]))
        + " |\n"
        for r in rows
    ]
    (ROOT / "docs" / "benchmarks.md").write_text(
        HEAD
        + "".join(lines)
        + TAIL
        + benefit()
        + speed()
        + training()
        + audit()
        + several()
        + similarity()
        + upscaling()
        + segmentation()
        + detection()
        + foreground()
        + faults()
    )


if __name__ == "__main__":
    main()
