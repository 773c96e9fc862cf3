"""How a classifier is trained: what the user may set, and what is chosen where nothing is set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import timm

from garim.errors import SettingsError, seed_problems
from garim.models.networks import OURS, check_name
from garim.training.augmentation import AUGMENTATIONS
from garim.training.choices import TUNED_EPOCHS, copies, may_be_tuned, tuned_size
from garim.training.losses import LossSettings
from garim.training.presets import PRESETS
from garim.training.processes import device_problems

Triple = tuple[float, float, float]

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
"""Lightning's names of number formats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(LossSettings):
    """Settings of a training; what is left open is chosen by the network and the data."""

    preset: str | None = None
    """A named set of settings: `vgg16-document` or `clothing-document`. What you set yourself goes
    first."""
    backbone: str | None = None
    """Any timm network, or `small_cnn`. Default: mobilenetv2_100."""
    weights: str | None = None
    """Starting weights: a file, `pretrained` (timm's own) or `none`. Default: pretrained."""
    weights_licence: str | None = None
    """Licence of the weights file, noted in the model's folder."""
    accept_non_commercial: bool = False
    """Use weights whose licence forbids commercial use."""
    network_options: tuple[str, ...] = ()
    """More arguments of the network as name=value, such as pad_type=same."""
    tune: Literal["head", "last", "all"] | None = None
    """What is trained: the head on a frozen backbone, the last stage too, or all. Default: all, or
    head with starting weights where the processor would need more than some ten minutes."""
    head: Literal["linear", "flatten-mlp"] | None = None
    """One linear layer on pooled features, or flatten, a dense layer, dropout and a linear one."""
    hidden: int = 256
    """Units of the dense layer of `flatten-mlp`."""
    dropout: float | None = None
    """Share of features dropped before the last layer. Default: 0, flatten-mlp 0.3."""
    size: int | None = None
    """Side of the square input in pixels. Default: the network's own, or 160 at most where starting
    weights are fine-tuned on a processor."""
    mean: float | None = None
    """Subtracted from values 0 to 1. Default: the network's own, per channel."""
    std: float | None = None
    """Divided by after that. Default: the network's own, per channel."""
    grey: bool | None = None
    """Show the network pictures without their colours. Default: no."""
    augment: str | None = None
    """Random changes of training pictures: `none`, `light` or `document`. Default: light."""
    copies: int | None = None
    """Augmented copies per picture whose features a frozen backbone computes once. Default: 4,
    fewer of many pictures on a processor."""
    epochs: int | None = None
    """Passes over the training pictures. Default: 60 for a head, 12 to fine-tune starting weights,
    40 from scratch."""
    batch: int | None = None
    """Pictures per step, on all devices together. Default: 64."""
    learning_rate: float | None = None
    """Largest step size of AdamW, one-cycle. Default: 0.003, or 0.0003 with starting weights."""
    weight_decay: float = 0.0001
    """AdamW's decay of the weights."""
    patience: int | None = None
    """Stop after so many epochs without a better validation loss; 0 never. Default: 15, or 0 where
    starting weights are fine-tuned."""
    keep: Literal["best", "last"] | None = None
    """Which weights are kept: those with the least validation loss, or the last. Default: best, or
    last where starting weights are fine-tuned: by then the step size has fallen to nothing, and an
    earlier, lower loss is luck."""
    validation: float = 0.15
    """Share of the training pictures held out, where the data has no validation split."""
    folds: int = 0
    """Also train so many networks that each leave out one part, for unbiased scores (0 or ≥ 2)."""
    localizer: bool = True
    """Also learn where each class is, from the labels alone, for `garim extract`."""
    seed: int = 0
    """Same seed, same data, same machine: same model."""
    devices: str = "auto"
    """Lightning's `devices`: auto (what torchrun or srun started, else all), a count, or a list."""
    precision: str = "32-true"
    """Lightning's `precision`: 32-true, bf16-mixed, 16-mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(LossSettings):
    """A training with nothing left open."""

    backbone: str
    weights: str
    weights_licence: str
    options: dict[str, Any]
    tune: Literal["head", "last", "all"]
    head: Literal["linear", "flatten-mlp"]
    hidden: int
    dropout: float
    size: int
    mean: Triple
    std: Triple
    grey: bool
    augment: str
    copies: int
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    patience: int
    keep: Literal["best", "last"]
    validation: float
    folds: int
    localizer: bool
    seed: int
    devices: str
    precision: str

    @property
    def caches_features(self) -> bool:
        """Whether features are computed once: a frozen backbone sees each copy several times."""
        return self.tune == "head" and (self.copies < self.epochs or self.folds > 0)

    def features(self, augment: str) -> dict[str, Any]:
        """Give all that decides what features a frozen backbone gives."""
        names = ("backbone", "weights", "options", "head", "size", "mean", "std", "grey")
        chosen = {name: getattr(self, name) for name in names}
        return {**chosen, "augment": augment, "seed": 0 if augment == "none" else self.seed}

    def to_dict(self) -> dict[str, Any]:
        """Give the recipe as it is noted in the model's folder."""
        return asdict(self)


def resolve(settings: TrainSettings, pictures: int = 0) -> Recipe:
    """Fill in what is left open.

    Args:
        settings: what is set goes first, then its preset, then what fits the network and the data.
        pictures: pictures of the dataset; 0 where it is not known.

    Raises:
        SettingsError: everything that cannot work, in one message.
        ModelError: there is no such network.
    """
    given, problems = _with_preset(settings)
    problems += _problems(given)
    if problems:
        raise SettingsError(problems)
    backbone = given.backbone or "mobilenetv2_100"
    check_name(backbone)
    weights = given.weights or ("none" if backbone in OURS else "pretrained")
    head = given.head or "linear"
    tune = given.tune or _tuned(given, backbone, weights, pictures)
    tuned = tune != "head" and weights != "none"
    return Recipe(
        backbone=backbone,
        weights=weights,
        weights_licence=given.weights_licence or "unknown",
        options={**_size_option(given, backbone, head), **options_of(given.network_options)},
        tune=tune,
        head=head,
        hidden=given.hidden,
        dropout=_or(given.dropout, 0.3 if head == "flatten-mlp" else 0.0),
        **_input(given, backbone, tuned),
        grey=bool(given.grey),
        augment=given.augment or "light",
        copies=_or(given.copies, copies(pictures)) if given.augment != "none" else 1,
        epochs=_or(given.epochs, TUNED_EPOCHS if tuned else 60 if tune == "head" else 40),
        batch=_or(given.batch, 16 if tuned else 64),
        learning_rate=_or(given.learning_rate, 3e-4 if tuned else 0.003),
        weight_decay=given.weight_decay,
        patience=_or(given.patience, 0 if tuned else 15),
        keep=given.keep or ("last" if tuned else "best"),
        validation=given.validation,
        folds=given.folds,
        localizer=given.localizer,
        seed=given.seed,
        devices=given.devices,
        precision=given.precision,
        **{one.name: getattr(given, one.name) for one in fields(LossSettings)},
    )


def _with_preset(settings: TrainSettings) -> tuple[TrainSettings, list[str]]:
    if settings.preset is None:
        return settings, []
    if settings.preset not in PRESETS:
        known = ", ".join(PRESETS)
        return settings, [f"there is no preset {settings.preset!r}; known: {known}"]
    open_fields = {one.name for one in fields(settings) if getattr(settings, one.name) is None}
    chosen = {n: v for n, v in PRESETS[settings.preset].items() if n in open_fields}
    return replace(settings, **chosen), []


def _problems(given: TrainSettings) -> list[str]:
    problems = _bad_numbers(given) + given.loss_problems()
    if given.augment is not None and given.augment not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        problems.append(f"there is no augmentation {given.augment!r}; known: {known}")
    if given.precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        problems.append(f"there is no precision {given.precision!r}; known: {known}")
    problems += device_problems(given.devices)
    problems += [
        f"network option {o!r} must be name=value"
        for o in given.network_options
        if not o.partition("=")[0] or "=" not in o
    ]
    if given.backbone == "flatten_mlp":
        problems.append("flatten_mlp is a head: use --head flatten-mlp and name its --backbone")
    if given.backbone == "grey":
        problems.append("grey is a setting: use --grey and name its --backbone")
    weights = given.weights or ("none" if given.backbone in OURS else "pretrained")
    if given.tune == "head" and weights == "none":
        problems.append("a head on a frozen backbone needs starting weights; use --tune all")
    return problems


def _bad_numbers(given: TrainSettings) -> list[str]:
    problems = seed_problems(given.seed)
    for name in ("size", "epochs", "batch", "copies", "hidden"):
        value = getattr(given, name)
        if value is not None and value < 1:
            problems.append(f"{name} must be at least 1, not {value}")
    for name in ("patience", "weight_decay"):
        value = getattr(given, name)
        if value is not None and not value >= 0:
            problems.append(f"{name} must be at least 0, not {value}")
    if given.dropout is not None and not 0 <= given.dropout < 1:
        problems.append(f"dropout must be at least 0 and below 1, not {given.dropout}")
    if not 0 < given.validation < 0.9:
        problems.append(f"validation must be above 0 and below 0.9, not {given.validation}")
    if given.folds < 0 or given.folds == 1:
        problems.append(f"folds must be 0 or at least 2, not {given.folds}")
    if given.learning_rate is not None and not given.learning_rate > 0:
        problems.append(f"learning_rate must be above 0, not {given.learning_rate}")
    if given.std is not None and not given.std > 0:
        problems.append(f"std must be above 0, not {given.std}")
    return problems


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def options_of(pairs: Sequence[str]) -> dict[str, Any]:
    """Read options of a network: ``name=value``, values as numbers, true, false, none or text."""
    return {name: _value(text) for name, _, text in (pair.partition("=") for pair in pairs)}


def _value(text: str) -> Any:
    words: dict[str, Any] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _tuned(
    given: TrainSettings, backbone: str, weights: str, pictures: int
) -> Literal["head", "all"]:
    """Choose what is trained; only a linear head stands on features that are worth keeping."""
    if weights == "none" or given.copies is not None:
        return "all" if weights == "none" else "head"
    if given.head == "flatten-mlp" or backbone in OURS:
        return "head"
    size = _input(given, backbone, tuned=True)["size"]
    return "all" if may_be_tuned(backbone, size, pictures, 1 + given.folds) else "head"


def _input(given: TrainSettings, backbone: str, tuned: bool) -> dict[str, Any]:
    known = timm.get_pretrained_cfg(backbone)
    size = known.input_size[-1] if known else 224
    if tuned and not (known and known.fixed_input_size):
        size = tuned_size(size)
    mean = known.mean if known else (0.5, 0.5, 0.5)
    std = known.std if known else (0.5, 0.5, 0.5)
    if given.grey:  # one value for all channels, or their sum would be no grey
        mean, std = ((sum(one) / 3,) * 3 for one in (mean, std))
    return {
        "size": given.size or size,
        "mean": tuple(mean) if given.mean is None else (given.mean,) * 3,
        "std": tuple(std) if given.std is None else (given.std,) * 3,
    }


def _size_option(given: TrainSettings, backbone: str, head: str) -> dict[str, Any]:
    """Tell a network that is built for one size, such as a transformer, which it is."""
    known = timm.get_pretrained_cfg(backbone)
    fixed = known is not None and known.fixed_input_size and head == "linear"
    return {"img_size": given.size} if fixed and given.size else {}
