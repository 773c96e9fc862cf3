import math
import re

import numpy as np
import pytest
from markupsafe import Markup

from garim.report import charts


def test_bars_say_every_number_and_have_a_title() -> None:
    html = charts.bars({"apple": 1234, "pear": 617, "none": 0}, title="Pictures")
    assert isinstance(html, Markup)
    assert {"1,234", "617", "Pictures"} <= set(re.findall(r">([^<]+)<", html))
    assert html.count('role="img"') == html.count("<title>") == 3
    assert re.findall(r'width="([\d.]+)"', html) == ["100.0", "50.0"]


def test_stacked_bars_follow_each_other_and_grouped_ones_start_at_zero() -> None:
    counts = {"a": {"train": 60, "test": 20}, "b": {"test": 40}}
    stacked = charts.grouped_bars(counts, title="t")
    assert re.findall(r' x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', stacked) == [
        ("0.0", "75.0"), ("75.0", "25.0"), ("0.0", "50.0"),
    ]  # fmt: skip
    assert ">80<" in stacked
    grouped = charts.grouped_bars(counts, title="t", stacked=False)
    assert set(re.findall(r' x="([\d.]+)"', grouped)) == {"0.0"}
    assert "Σ" not in grouped


@pytest.mark.parametrize("value", [math.nan, -3.0, math.inf])
def test_what_cannot_be_drawn_gets_no_bar(value: float) -> None:
    assert "<rect" not in charts.bars({"a": value}, title="t")


def test_a_line_chart_has_gaps_and_all_values() -> None:
    series = {"loss": [2.0, math.nan, 1.0, 0.5], "f1": [0.25]}
    html = charts.line_chart(series, title="Loss", x_label="epoch", y_label="nats")
    assert html.count("<polyline") == 1
    assert html.count("<circle") == 2
    for text in ("epoch", "nats", "<title>Loss: loss 0.5; f1 0.25</title>", ">0.25<", ">–<"):
        assert text in html
    for x, y in re.findall(r"([\d.]+),([\d.]+) ", html):
        assert 0 <= float(x) <= 600 and 0 <= float(y) <= 292


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [math.nan]}, {"a": [3.0, 3.0]}])
def test_line_charts_of_next_to_nothing(series: dict[str, list[float]]) -> None:
    assert "<svg" in charts.line_chart(series, title="t")


def test_a_heat_table_shades_by_share_of_the_row() -> None:
    html = charts.heat_table(np.array([[9, 1], [0, 0]]), ["cat", "dog"], title="Confusion")
    assert "--share: 90.0%" in html and "--share: 10.0%" in html
    assert "cat → dog: 1 (10.0 %)" in html


def test_names_are_escaped_in_every_chart() -> None:
    bad = "<script>x</script>"
    made = [
        charts.bars({bad: 1}, title=bad),
        charts.grouped_bars({bad: {bad: 1, "b": 2}}, title=bad),
        charts.line_chart({bad: [1, 2]}, title=bad, x_label=bad, y_label=bad),
        charts.heat_table(np.eye(1, dtype=int), [bad], title=bad),
    ]
    assert all("<script" not in html and "&lt;script&gt;" in html for html in made)


@pytest.mark.parametrize("count", [2, 25, 26, 150])
def test_the_confusion_picture_stays_in_bounds(count: int) -> None:
    matrix = np.eye(count, dtype=np.int64) * 9
    image = charts.confusion_picture(matrix, [f"class {i}" for i in range(count)])
    assert image.mode == "RGB"
    assert min(image.size) >= 300 and max(image.size) <= 1600
    dark = (np.asarray(image).sum(axis=2) < 350).mean()
    assert dark > 0.5 / count / 2


@pytest.mark.parametrize("labels", [["사과", "배"], ["\U000f1234", "b"], ["$x", "y$_{"]])
@pytest.mark.filterwarnings("error")
def test_labels_in_any_letters(labels: list[str]) -> None:
    charts.confusion_picture(np.array([[3, 1], [0, 0]]), labels)


@pytest.mark.parametrize("function", [charts.heat_table, charts.confusion_picture])
def test_a_matrix_that_does_not_fit_its_labels(function: object) -> None:
    assert callable(function)
    extra = {"title": "t"} if function is charts.heat_table else {}
    with pytest.raises(ValueError, match="3 labels need a square matrix, but it is 2 × 2"):
        function(np.eye(2, dtype=int), ["a", "b", "c"], **extra)


def test_a_font_is_found_for_latin_and_none_for_private_letters() -> None:
    assert charts.font_file("apple") is not None
    assert charts.font_file("\U000f1234") is None


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.3, 0.31), (-5, 1e6), (2, 2), (1e-6, 3e-6), (1, 30)]
)
def test_ticks_are_even_and_enclose_the_values(low: float, high: float) -> None:
    ticks = charts._ticks(low, high)
    steps = np.diff(ticks)
    assert ticks[0] <= low and ticks[-1] >= high
    assert 2 <= len(ticks) <= 9
    np.testing.assert_allclose(steps, steps[0])
