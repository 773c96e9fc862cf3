"""What looks like this? Two pictures compared; an index made, asked, judged, and added to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

import garim
from garim import similarity
from garim.boxes import Box
from garim.cli.options import Execution, Flat, Out, Part
from garim.cli.show import Output, finish, table
from garim.dataset import Selection
from garim.execution import ExecutionSettings
from garim.foreground import ForegroundSettings
from garim.report import similarity_page
from garim.similarity import EmbedSettings, IndexSettings
from garim.training import TrainSettings

search = App(
    name="search",
    help="Find pictures, or objects in them, that look alike: make an index, and ask it.",
)


def compare(
    first: Path,
    second: Path,
    *,
    sheet: Path = Path("compared.png"),
    model: Path | None = None,
    foreground: Annotated[ForegroundSettings, Parameter(name="--foreground")] = (
        ForegroundSettings()
    ),
    network: Annotated[EmbedSettings, Flat] = EmbedSettings(),
    output: Out = Output(),
) -> int:
    """Say how alike two pictures are: their outlines, what they show, and their pixels.

    Parameters
    ----------
    first
        A picture.
    second
        Another picture.
    sheet
        Picture file for both, with their outlines drawn.
    model
        Folder of a classifier or embedder, for what they show; or give --weights.
    """
    opened = None if model is None else garim.load_model(model)
    found = garim.compare(first, second, opened, foreground, network)
    garim.pictures.save(similarity_page.comparison_sheet(found), sheet)
    result = {**found.to_dict(), "sheet": str(sheet)}
    return finish(output, result, *found.sentences(), f"Sheet: {sheet}")


@search.command
def index(
    data: Path,
    *,
    to: Path,
    model: Path | None = None,
    settings: Annotated[IndexSettings, Flat] = IndexSettings(),
    network: Annotated[EmbedSettings, Flat] = EmbedSettings(),
    execution: Execution = ExecutionSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Make an index of a dataset's pictures, or of the objects in them.

    Parameters
    ----------
    data
        Dataset; labels are not needed.
    to
        Folder for the index. An indexing that was interrupted there goes on.
    model
        Folder of a classifier or embedder. Without it, a network with starting weights.
    """
    opened = None if model is None else garim.load_model(model)
    made = similarity.index(garim.read(data, part), to, opened, settings, network, execution)
    return finish(output, made.to_dict(), _told(made))


@search.command
def add(
    index: Path,
    data: Path,
    *,
    model: Path | None = None,
    runtime: str | None = None,
    execution: Execution = ExecutionSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Add the pictures of a dataset to an index; those that it has already are left out.

    Parameters
    ----------
    index
        Folder of the index.
    data
        Dataset to add.
    model
        Folder of the model that you think made the index; it is refused if it did not.
    runtime
        Runs the network faster: torch, onnx, openvino or auto. Default: plain PyTorch in float32.
    """
    opened = None if model is None else garim.load_model(model)
    made = similarity.add(index, garim.read(data, part), runtime, opened, execution)
    return finish(output, made.to_dict(), _told(made))


@search.command
def query(
    index: Path,
    picture: Path,
    *,
    box: str | None = None,
    count: Annotated[int, Parameter(name=["--count", "-k"])] = 10,
    sheet: Path | None = None,
    model: Path | None = None,
    output: Out = Output(),
) -> int:
    """Find what looks like a picture, or like a box in it; and whether it is there already.

    Parameters
    ----------
    index
        Folder of the index.
    picture
        A picture.
    box
        Part of the picture: x,y,width,height in pixels.
    count
        How many neighbours.
    sheet
        Picture file for the query and its neighbours.
    model
        Folder of the model that you think made the index; it is refused if it did not.
    """
    opened = None if model is None else garim.load_model(model)
    found = similarity.query(similarity.Index(index), picture, _box(box), count, opened)
    shown = [(one.path, one.label or "", one.similarity) for one in found.neighbours]
    lines: list[Any] = [table(("picture", "label", "similarity"), shown)]
    lines += [
        f"Already here ({c['kind']}): {Path(c['root']) / c['picture']}" for c in found.already_here
    ]
    if sheet is not None:
        garim.pictures.save(similarity_page.answer_sheet([found]), sheet)
        lines.append(f"Sheet: {sheet}")
    return finish(output, {**found.to_dict(), "sheet": sheet and str(sheet)}, *lines)


@search.command
def evaluate(
    index: Path,
    data: Path | None = None,
    *,
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Judge an index by labels: does what looks alike have the same one?

    Parameters
    ----------
    index
        Folder of the index.
    data
        Dataset whose pictures ask. By default each picture of the index asks for the others.
    """
    queries = None if data is None else garim.read(data, part)
    judged, failures = similarity.evaluate_search(similarity.Index(index), queries)
    rows = [(name, *row.values()) for name, row in judged.per_class.items()]
    line = (
        f"mAP {judged.map:.4f}, precision at 10 {judged.precision_at_10:.4f}, bullseye "
        f"{judged.bullseye:.4f}, nearest right {judged.nearest:.4f}, {judged.queries} queries"
    )
    result = {**judged.to_dict(), "failed": [one.to_dict() for one in failures]}
    return finish(output, result, table(("class", "mAP", "P@10", "bullseye", "n"), rows), line)


def train_embed(
    data: Path,
    *,
    out: Path,
    components: int = 128,
    settings: Annotated[TrainSettings, Flat] = TrainSettings(),
    part: Part = Selection(),
    output: Out = Output(),
) -> int:
    """Learn from labels which pictures are alike, for garim search (train --task embed).

    Parameters
    ----------
    data
        Dataset with labels; the test split is never looked at.
    out
        Folder for the embedder.
    components
        Components of its vectors.
    """
    trained = garim.train_embedder(garim.read(data, part), settings, out, components)
    figures = [f"{name}: {value}" for name, value in trained.metrics.items()]
    return finish(output, trained.to_dict(), *figures, f"Model: {out} ({trained.seconds:.0f} s)")


def _told(made: similarity.Indexed) -> str:
    card = made.index.store.config.graph
    how = "exact" if card is None else f"approximate, recall at 10 {card.recall:.3f}"
    return (
        f"{made.added} added, {made.known} there already, {len(made.index)} in "
        f"{made.index.folder} ({how}; {made.seconds:.1f} s)"
    )


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    try:
        x, y, width, height = (float(part) for part in text.split(","))
        box = Box.from_xywh((x, y, width, height))
    except ValueError as error:
        raise garim.SettingsError([f"--box needs x,y,width,height, not {text!r}"]) from error
    if box.is_degenerate:
        raise garim.SettingsError([f"--box {text}: the width and height must be above 0"])
    return box
