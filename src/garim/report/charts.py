"""Charts: small inline HTML and SVG for pages, and the confusion matrix as a picture.

The strings are `markupsafe.Markup`: every name in them is escaped, and templates may insert them
as they stand. Colours come from the page's stylesheet, so charts follow light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

PALETTE: tuple[Colour, ...] = (
    (63, 144, 218), (255, 169, 14), (189, 31, 1), (148, 164, 162), (131, 45, 182),
    (169, 107, 89), (231, 99, 0), (185, 172, 112), (113, 117, 129), (146, 218, 221),
)  # fmt: skip
"""Ten colours that stay apart with every kind of colour blindness (Petroff 2021)."""

FONTS = (
    "Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "NanumBarunGothic", "Apple SD Gothic Neo",
    "AppleGothic", "Malgun Gothic", "DejaVu Sans",
)  # fmt: skip
"""Font families in order of preference; the last comes with Matplotlib."""

NUMBERED_CLASSES = 25
"""Up to this many classes, the confusion picture says every count and percentage."""
NAMED_CLASSES = 60
"""Up to this many classes, it names every class; beyond, evenly chosen ones."""
_PLOT = (44.0, 26.0, 588.0, 250.0)  # left, top, right, bottom of the line chart's plot


def colour(index: int) -> Colour:
    """Give the colour of a class by its index; the palette repeats."""
    return PALETTE[index % len(PALETTE)]


def font_file(text: str) -> tuple[Path, int] | None:
    """Find a font with every letter of ``text``: its file and face number, or None."""
    needed = {ord(letter) for letter in text if not letter.isspace()}
    return next((found for found in _fonts() if needed <= _letters(found[0])), None)


@cache
def environment() -> Environment:
    """Give the Jinja environment of all report templates; everything is escaped."""
    loader = PackageLoader("garim.report", "templates")
    options: dict[str, Any] = {"undefined": StrictUndefined, "trim_blocks": True}
    made = Environment(loader=loader, autoescape=True, lstrip_blocks=True, **options)
    made.filters["number"] = number
    return made


def number(value: object) -> str:
    """Write a value as reports do: thousands apart, four significant digits, "–" for none.

    >>> number(12345), number(0.91666), number(None), number("A")
    ('12,345', '0.9167', '–', 'A')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, (float, np.floating)):
        value = float(value)
        whole = value.is_integer() or abs(value) >= 10_000
        return f"{value:,.0f}" if whole and math.isfinite(value) else f"{value:.4g}"
    return str(value)


def numbers(values: Sequence[object]) -> list[str]:
    """Write a column: like `number`, but fractions from 0.001 to 100 all with three decimals.

    >>> numbers([0.95, 1.0, None])
    ['0.950', '1.000', '–']
    """
    sizes = [abs(v) for v in values if isinstance(v, float) and math.isfinite(v)]
    fractions = any(size % 1 for size in sizes)
    if not fractions or max(sizes) >= 100 or any(0 < size < 0.001 for size in sizes):
        return [number(value) for value in values]
    return [f"{v:.3f}" if isinstance(v, float) and math.isfinite(v) else number(v) for v in values]


def legend(names: Sequence[str], colours: Sequence[Colour]) -> Markup:
    """Show which colour stands for which name."""
    item = Markup('<li><i class="swatch" style="--c: rgb({} {} {})"></i>{}</li>')
    listed = [item.format(*c, n) for n, c in zip(names, colours, strict=False)]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(listed))


def bars(counts: Mapping[str, float], *, title: str) -> Markup:
    """Draw one horizontal bar per name, in the given order; the values stand beside them.

    Values below zero, and NaN, get no bar.
    """
    return grouped_bars({name: {"": value} for name, value in counts.items()}, title=title)


def grouped_bars(
    counts: Mapping[str, Mapping[str, float]], *, title: str, stacked: bool = True
) -> Markup:
    """Draw bars per name and series, such as pictures per class and split.

    Args:
        counts: name → series → value; a series that a name lacks has no bar there.
        title: heading of the chart.
        stacked: one bar of segments per name, with its total; otherwise a bar per series.
    """
    series = list(dict.fromkeys(key for values in counts.values() for key in values))
    sizes = [[_drawable(value) for value in values.values()] for values in counts.values()]
    top = max((sum(row) if stacked else max(row, default=0) for row in sizes), default=0) or 1
    texts = [numbers([values.get(key) for values in counts.values()]) for key in series]
    rows = [
        {"name": name, "texts": [column[index] for column in texts], "total": sum(values.values())}
        | {"segments": _segments([_drawable(values.get(key)) / top for key in series], stacked)}
        for index, (name, values) in enumerate(counts.items())
    ]
    total = stacked and len(series) > 1
    return _render("bars.html.j2", title=title, series=series, rows=rows, total=total)


def line_chart(
    series: Mapping[str, Sequence[float]], *, title: str, x_label: str = "", y_label: str = ""
) -> Markup:
    """Draw one line per series over 1, 2, 3 … (epochs); NaN leaves a gap.

    The last values stand in the legend, and all values in a table that folds out.
    """
    finite = [v for values in series.values() for v in values if math.isfinite(v)]
    y_ticks = _ticks(min(finite, default=0.0), max(finite, default=1.0))
    length = max((len(values) for values in series.values()), default=0)
    x_ticks = [t for t in _ticks(1, max(length, 2)) if t == int(t) and 1 <= t <= max(length, 1)]
    spans = (1.0, float(max(length, 2))), (y_ticks[0], y_ticks[-1])
    lines = [
        {"name": name, "last": values[-1] if values else None, "parts": _parts(values, spans)}
        for name, values in series.items()
    ]
    return _render(
        "line.html.j2", title=title, x_label=x_label, y_label=y_label, lines=lines, plot=_PLOT,
        x_ticks=[(_x(tick, spans[0]), tick) for tick in x_ticks],
        y_ticks=[(_y(tick, spans[1]), tick) for tick in y_ticks],
        table=[[values[i] if i < len(values) else None for values in series.values()]
               for i in range(length)],
    )  # fmt: skip


def heat_table(matrix: NDArray[Any], labels: Sequence[str], *, title: str) -> Markup:
    """Write a confusion matrix as a table whose cells darken with their share of the row.

    ``matrix`` holds counts, shape ``(n, n)``: rows are true classes, columns predicted ones.
    """
    matrix = _square(matrix, labels)
    shares = _row_shares(matrix)
    rows = [
        (label, list(zip(labels, counts.tolist(), parts.tolist(), strict=True)))
        for label, counts, parts in zip(labels, matrix, shares, strict=True)
    ]
    return _render("heat.html.j2", title=title, labels=labels, rows=rows)


def confusion_picture(matrix: NDArray[Any], labels: Sequence[str]) -> Image.Image:
    """Draw a confusion matrix as a heat map of row percentages (RGB, at most 1,600 px a side).

    Counts and percentages are written for up to `NUMBERED_CLASSES` classes. Where no font on this
    machine has the letters of the class names, the classes are numbered instead.

    ``matrix`` holds counts, shape ``(n, n)``: rows are true classes, columns predicted ones.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    matrix = _square(matrix, labels)
    count = len(labels)
    inches = min(3.4 + 0.62 * count, 14.0)
    figure = Figure(figsize=(inches + 0.9, inches), dpi=100, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = _row_shares(matrix)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=32, format="{x:.0%}")
    bar.outline.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")
    _name_classes(axes, labels)
    if count <= NUMBERED_CLASSES:
        _write_numbers(axes, matrix, shares)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _render(template: str, **values: Any) -> Markup:
    return Markup(environment().get_template(template).render(**values))


def _drawable(value: float | None) -> float:
    return float(value) if value is not None and math.isfinite(value) and value > 0 else 0.0


def _segments(shares: Sequence[float], stacked: bool) -> list[tuple[float, float, float, float]]:
    """Place bars in a 100 × 10 field: x, y, width, height."""
    if not stacked:
        height = 10 / max(len(shares), 1)
        return [(0.0, i * height, share * 100, height) for i, share in enumerate(shares)]
    ends = np.cumsum([0.0, *shares]) * 100
    return [(float(a), 0.0, float(b - a), 10.0) for a, b in pairwise(ends)]


def _ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Choose round numbers at even steps that enclose ``low`` to ``high``."""
    if high <= low:
        low, high = low - 0.5, low + 0.5
    rough = (high - low) / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _x(value: float, span: tuple[float, float]) -> float:
    left, _, right, _ = _PLOT
    return round(left + (value - span[0]) / (span[1] - span[0]) * (right - left), 2)


def _y(value: float, span: tuple[float, float]) -> float:
    _, top, _, bottom = _PLOT
    return round(bottom - (value - span[0]) / (span[1] - span[0]) * (bottom - top), 2)


def _parts(
    values: Sequence[float], spans: tuple[tuple[float, float], tuple[float, float]]
) -> list[list[tuple[float, float]]]:
    """Cut a series at its gaps, as points of the plot."""
    parts: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values, start=1):
        if math.isfinite(value):
            parts[-1].append((_x(index, spans[0]), _y(value, spans[1])))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _square(matrix: NDArray[Any], labels: Sequence[str]) -> NDArray[Any]:
    matrix = np.asarray(matrix)
    if matrix.shape != (len(labels), len(labels)):
        shape = " × ".join(map(str, matrix.shape))
        raise ValueError(f"{len(labels)} labels need a square matrix, but it is {shape}")
    return matrix


def _row_shares(matrix: NDArray[Any]) -> NDArray[np.float64]:
    sums = matrix.sum(axis=1, keepdims=True).astype(np.float64)
    return np.asarray(np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0))


def _name_classes(axes: Axes, labels: Sequence[str]) -> None:
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 - slow to import

    count = len(labels)
    found = font_file("".join(labels))
    names = list(labels) if found else [str(i) for i in range(count)]
    names = [name if len(name) <= 24 else name[:23] + "…" for name in names]
    shown = range(0, count, math.ceil(count / NAMED_CLASSES))
    size = float(np.interp(len(shown), [10, 60], [11, 7]))
    font = FontProperties(fname=str(found[0]) if found else None, size=size)
    chosen = [names[i] for i in shown]
    turn = 0 if count <= 6 and max(map(len, names), default=0) <= 9 else 90
    axes.set_xticks(shown, chosen, rotation=turn, fontproperties=font, parse_math=False)
    axes.set_yticks(shown, chosen, fontproperties=font, parse_math=False)
    axes.tick_params(length=0)


def _write_numbers(axes: Axes, matrix: NDArray[Any], shares: NDArray[np.float64]) -> None:
    size = float(np.interp(len(matrix), [5, NUMBERED_CLASSES], [11, 5.5]))
    for (row, column), value in np.ndenumerate(matrix):
        share = float(shares[row, column])
        text = f"{value:,}\n{share:.0%}" if value else "0"
        ink = "white" if share > 0.65 else "#30343c" if value else "#b0b5be"
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)


@cache
def _fonts() -> tuple[tuple[Path, int], ...]:
    """Find which of FONTS this machine has: file and face number."""
    from matplotlib import font_manager  # noqa: PLC0415 - slow to import

    present = {entry.name for entry in font_manager.fontManager.ttflist}
    found = [font_manager.findfont(name) for name in FONTS if name in present]
    return tuple((Path(file), int(getattr(file, "face_index", 0))) for file in found)


@cache
def _letters(file: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415 - slow to import

    return frozenset(FT2Font(str(file)).get_charmap())
