"""The reliability diagram: how often a classifier is right, by how certain it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from garim.models.calibration import Bin
from garim.report.charts import environment, number

_LEFT, _SIDE, _BELOW = 44.0, 300.0, 42.0  # of the plot, and height of the counts beneath
_BETWEEN = 1.5


def reliability_diagram(bins: Sequence[Bin], *, title: str) -> Markup:
    """Draw accuracy over the highest score, as in Guo et al. 2017, with the pictures beneath.

    On the dashed line the score is as often right as it says. The values fold out as a table.
    """
    most = max((one.pictures for one in bins), default=0) or 1
    bars = [_bar(one, most) for one in bins if one.pictures]
    ticks = [(_SIDE * tenth / 10, tenth / 10) for tenth in (0, 2, 4, 6, 8, 10)]
    template = environment().get_template("reliability.html.j2")
    return Markup(template.render(title=title, bars=bars, ticks=ticks))


def _bar(one: Bin, most: int) -> dict[str, Any]:
    low, high = sorted((one.accuracy, one.confidence))
    span = f"{one.low:.2f}–{one.high:.2f}"
    return {
        "x": round(_LEFT + _SIDE * one.low + _BETWEEN / 2, 2),
        "width": round(_SIDE * (one.high - one.low) - _BETWEEN, 2),
        "accuracy": round(_SIDE * one.accuracy, 2),
        "top": round(_SIDE * high, 2),
        "gap": round(_SIDE * (high - low), 2),
        "too_certain": one.confidence > one.accuracy,
        "pictures": round(_BELOW * one.pictures / most, 2),
        "words": f"score {span}: {number(one.pictures)} pictures, mean score "
        f"{one.confidence:.3f}, accuracy {one.accuracy:.3f}",
        "span": span,
        "count": one.pictures,
        "mean": one.confidence,
        "right": one.accuracy,
    }
