"""Choosing how to train."""

from __future__ import annotations

from typing import Any

from benchmark_sections.tables import Figures, row

HEAD = """
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
python benchmarks/classification_colour.py --seeds {seeds} \\
    --json docs/benchmarks/classification_colour.json
```

The document's network from scratch at 32 × 32, {epochs} epochs. Grey loses nothing: what lies
between the two is less than what lies between the seeds.

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


def section(found: Figures) -> str:
    """Give the section; each table is left out until it has been measured."""
    text = ""
    if imbalance := found.get("classification_imbalance"):
        fewest = min(imbalance["pictures"]["train"].values())
        text += IMBALANCE.format(fewest=fewest) + _compared(imbalance)
    if colour := found.get("classification_colour"):
        text += COLOUR.format(**colour) + _compared(colour)
    if noise := found.get("classification_noise"):
        text += NOISE + "".join(map(_noise_lines, noise))
    if default := found.get("classification_default"):
        text += DEFAULT + "".join(map(_default_line, default))
    return HEAD + text if text else ""


def _compared(found: dict[str, Any]) -> str:
    """Write one comparison as a table, with the F1 of every class."""
    text = row("settings", "accuracy", "macro F1", "difference", *found["classes"])
    text += "|---|" + "---:|" * (3 + len(found["classes"])) + "\n"
    for one in found["settings"]:
        name = ", ".join(f"{k}={v}" for k, v in one["settings"].items())
        gain = one["difference"].get("macro_f1")
        text += row(
            name,
            *(_mean(one[figure]) for figure in ("accuracy", "macro_f1")),
            "" if gain is None else _mean(gain, "+"),
            *(f"{one['f1'][label]['mean']:.3f}" for label in found["classes"]),
        )
    return text


def _mean(given: dict[str, float], sign: str = "") -> str:
    return f"{given['mean']:{sign}.3f} ± {given['high'] - given['mean']:.3f}"


def _noise_lines(found: dict[str, Any]) -> str:
    rate, data = f"{found['rate']:.0%}", found["data"]
    return "".join(
        row(rate, data, one["settings"].get("noise", "none"), *_judged(one))
        for one in found["settings"]
    )


def _default_line(found: dict[str, Any]) -> str:
    if "settings" not in found:
        return row(found["what"], found["accuracy"], found["macro_f1"])
    (one,) = found["settings"]
    return row(found["what"], *_judged(one))


def _judged(found: dict[str, Any]) -> tuple[str, str]:
    return _mean(found["accuracy"]), _mean(found["macro_f1"])
