"""Label Studio's tasks (labelstud.io/guide/task_format): one JSON list, boxes in per cent.

Read from a ``.json`` file as *Export → JSON* gives it, or from a folder with one. ``choices`` are
the picture's labels, ``rectanglelabels`` its objects; of a turned box and of ``polygonlabels`` the
upright box around it is read, and other results are listed as left out. Of several annotations the
ground truth counts, or the first that was not cancelled. Predictions are not read.

Written are ``tasks.json``, ``label_config.xml`` to set the project up with, and ``images/``, whose
addresses are those of Label Studio's local storage with this folder as its root.

What the format cannot hold: masks, provenance, and that a picture whose objects share a label has
none itself.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree

from garim import files
from garim.boxes import Box
from garim.errors import Failure, FormatError
from garim.formats import labels, markup, placing
from garim.formats.rows import SPLITS, Contents, Object, Row
from garim.formats.tree import Finder, files_in, split_and_label

FILE = "tasks.json"
CONFIG = "label_config.xml"
LOCAL = "/data/local-files/?d="
"""Address of Label Studio's local storage."""

_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of pictures that were uploaded."""

Task = dict[str, Any]


def detect(path: Path) -> bool:
    """Accept a ``.json`` file of tasks, or a folder with one."""
    return _file_in(path) is not None


def _file_in(path: Path) -> Path | None:
    for file in [path] if path.is_file() else files_in(path, {".json"}):
        try:
            _tasks(file)
        except FormatError:
            continue
        return file
    return None


def _tasks(file: Path) -> list[Task]:
    if file.suffix.lower() != ".json" or not labels.read_text(file).lstrip().startswith("["):
        raise FormatError(f"{file}: expected a list of tasks")
    try:
        found = json.loads(labels.read_text(file))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: is not JSON: {error}") from error
    tasks = [one for one in found if isinstance(one, dict) and isinstance(one.get("data"), dict)]
    if not tasks or len(tasks) < len(found):
        raise FormatError(f"{file}: expected tasks, each with its 'data'")
    return tasks


def read(path: Path) -> tuple[Path, Contents]:
    """Read tasks; pictures are looked for where their addresses say, and in ``images``.

    Raises:
        FormatError: there is no such file, or it is broken as a whole.
    """
    file = _file_in(path)
    if file is None:
        raise FormatError(f"{path}: expected {FILE}, as Label Studio exports it (Export, JSON)")
    finder, rows, failures = Finder(file.parent), list[Row](), list[Failure]()
    for number, task in enumerate(_tasks(file), start=1):
        name = _picture(task, finder, f"{file.name}, task {task.get('id', number)}")
        if isinstance(name, Failure):
            failures.append(name)
        else:
            rows += _rows(task, name, failures)
    classes = labels.read_order(file.parent, labels.in_rows(rows))
    return file.parent, Contents(
        rows=placing.in_order(rows), classes=classes, failures=tuple(failures)
    )


def _picture(task: Task, finder: Finder, place: str) -> str | Failure:
    data = task["data"]
    address = data.get("image") or next((v for v in data.values() if isinstance(v, str)), "")
    parts = urlsplit(str(address))
    inside = parse_qs(parts.query).get("d", [unquote(parts.path)])[0].lstrip("/")
    bare = PurePosixPath(inside).name
    for name in (inside, bare, _UPLOADED.sub("", bare)):
        found = finder.find(name, place, ("", "images"))
        if isinstance(found, str):
            return found
    return Failure(str(address), f"listed in {place} but not on disk; put it into images/")


def _rows(task: Task, name: str, failures: list[Failure]) -> list[Row]:
    held, objects = list[str](), list[Object]()
    try:
        results = _results(task)
    except TypeError as error:
        failures.append(Failure(name, f"its annotations are broken: {error}"))
        results = []
    for number, result in enumerate(results, start=1):
        try:
            value = result["value"]
            if result["type"] == "choices":
                held += [label for one in value["choices"] if (label := labels.clean(one))]
            else:
                objects += _objects(result, value)
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            missing = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            failures.append(Failure(f"{name}: result {number}", missing))
    split = SPLITS.get(str(task["data"].get("split", "")).lower()) or split_and_label(name)[0]
    each: list[str | None] = [*dict.fromkeys(held)] or [labels.shared(objects)]
    return [Row(file_name=name, label=one, split=split, objects=tuple(objects)) for one in each]


def _results(task: Task) -> list[dict[str, Any]]:
    given = [one for one in task.get("annotations") or () if isinstance(one, dict)]
    kept = [one for one in given if not one.get("was_cancelled")]
    best = sorted(kept, key=lambda one: not one.get("ground_truth"))[:1]
    return [result for one in best for result in one.get("result") or ()]


def _objects(result: dict[str, Any], value: dict[str, Any]) -> Iterator[Object]:
    kind = result["type"]
    if kind not in {"rectanglelabels", "polygonlabels"}:
        raise ValueError(f"{kind} is not read, only choices, boxes and polygons")
    width, height = float(result["original_width"]), float(result["original_height"])
    left, top, right, bottom = _sides(kind, value, width / height)
    scaled = (left * width, top * height, right * width, bottom * height)
    for one in value[kind]:
        label = labels.clean(one)
        if label is not None:
            yield Object(label, Box(*(round(side / 100, 4) for side in scaled)))


def _sides(kind: str, value: dict[str, Any], aspect: float) -> tuple[float, float, float, float]:
    """Give left, top, right and bottom in per cent; a box turns about its top left corner."""
    if kind == "polygonlabels":
        corners = [(float(x), float(y)) for x, y in value["points"]]
    else:
        x, y, across, down = (float(value[n]) for n in ("x", "y", "width", "height"))
        turn = math.radians(float(value.get("rotation") or 0))
        cos, sin = math.cos(turn), math.sin(turn)
        corners = [
            (x + dx * cos - dy / aspect * sin, y + dx * aspect * sin + dy * cos)
            for dx in (0, across)
            for dy in (0, down)
        ]
        if not turn:
            return x, y, x + across, y + down
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def write(contents: Contents, root: Path, target: Path) -> None:
    """Write ``tasks.json``, ``label_config.xml``, and ``images/[<split>/]<file>``.

    Raises:
        FormatError: a split other than train, validation and test, a label that XML forbids, or
            boxes in a picture whose size is unknown.
        DatasetError: a picture cannot be copied.
    """
    placing.check_splits(contents.rows, "labelstudio")
    merged = placing.pictures_of(placing.in_order(contents.rows))
    names = placing.place([row for row, _ in merged], _target_of)
    tasks = []
    for number, ((row, held), name) in enumerate(zip(merged, names, strict=True), start=1):
        placing.copy(root, row.file_name, target / name)
        data = {"image": LOCAL + quote(name), **({"split": row.split} if row.split else {})}
        results = _written(row, held, placing.size_of(row, target / name))
        tasks.append({"id": number, "data": data, "annotations": [{"result": results}]})
    classes = labels.complete(contents)
    files.write_text(target / CONFIG, _config(classes))
    files.write_text(target / FILE, json.dumps(tasks, ensure_ascii=False) + "\n")
    found = {label for _, held in merged for label in held if label}
    labels.write_order(target, classes, found | {o.label for row, _ in merged for o in row.objects})


def _target_of(row: Row) -> str:
    return "/".join(part for part in ("images", row.split, placing.file_part(row)) if part)


def _written(row: Row, held: tuple[str | None, ...], size: tuple[int, int]) -> list[dict[str, Any]]:
    width, height = size
    if row.objects and not (width and height):
        raise FormatError(
            f"{row.file_name}: cannot be opened, so its size is unknown; Label Studio counts in "
            "per cent of it. Leave the picture out, or write coco"
        )
    common = {"to_name": "image", "original_width": width, "original_height": height}
    chosen = [label for label in held if label] if held != (labels.shared(row.objects),) else []
    results: list[dict[str, Any]] = []
    if chosen:
        results.append(
            {**common, "type": "choices", "from_name": "class", "value": {"choices": chosen}}
        )
    for one in row.objects:
        x, y, across, down = one.box.xywh()
        value = {
            "x": 100 * x / width, "y": 100 * y / height, "width": 100 * across / width,
            "height": 100 * down / height, "rotation": 0, "rectanglelabels": [one.label],
        }  # fmt: skip
        results.append({**common, "type": "rectanglelabels", "from_name": "label", "value": value})
    return results


def _config(classes: tuple[str, ...]) -> str:
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image")
    boxes = ElementTree.SubElement(view, "RectangleLabels", name="label", toName="image")
    choices = ElementTree.SubElement(view, "Choices", name="class", toName="image")
    for label in classes:
        ElementTree.SubElement(boxes, "Label", value=markup.allowed(label))
        ElementTree.SubElement(choices, "Choice", value=label)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"
