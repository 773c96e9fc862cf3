"""Train an upscaler: read the recipe from top to bottom.

1. resolve the settings        3. cut pairs        5. train, keep the best weights
2. hold pictures out           4. build            6. merge, save the folder
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from garim.dataset import Dataset, SplitSettings, split
from garim.errors import DatasetError, Failure, SettingsError
from garim.models.upscaler import UPSCALERS, Upscaler, UpscalerCard, create_upscaler
from garim.training.batches import loader
from garim.training.degradation import Degradation
from garim.training.loop import fit, seeded
from garim.training.pairs import Cutting, PairBatches, Pairs, read_pairs, write_pairs
from garim.training.processes import device_problems
from garim.training.run_folder import keep, mark, name_of, own, run_folder, to_train_on
from garim.training.settings import PRECISIONS, options_of

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": nn.functional.l1_loss,
    "mse": nn.functional.mse_loss,
}
"""What may be made small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleTrainSettings:
    """Settings of a training of an upscaler; what is left open is chosen by the network."""

    network: str = "compact"
    """`compact`, or `document`: the network, loss and optimizer of the document."""
    network_options: tuple[str, ...] = ()
    """More arguments of the network as name=value, such as width=32 and depth=8."""
    scale: int = 2
    """How many times larger the result is along each side: 2, 3 or 4."""
    patch: int = 96
    """Side of the patches that are cut, in pixels of the large picture; a multiple of the scale."""
    whole: bool = False
    """Resize each picture to one patch, as the document does, instead of cutting it."""
    most: int = 64
    """Most patches of one picture."""
    flat: float = 0.0
    """Leave out patches whose neighbouring grey values differ by less on average, 0 to 255."""
    blur: float = 0.0
    """Standard deviation of a Gaussian blur before shrinking, in pixels of the large picture."""
    noise: float = 0.0
    """Standard deviation of noise after shrinking, of values 0 to 255."""
    jpeg: int | None = None
    """Quality of a JPEG compression of the small picture, 1 to 100."""
    epochs: int = 40
    """Passes over the pairs."""
    batch: int | None = None
    """Pairs per step, on all devices together. Default: 16, document 64."""
    learning_rate: float | None = None
    """Largest step size. Default: 0.002 (AdamW, one-cycle), document 0.001 (Adam, constant)."""
    loss: Literal["l1", "mse"] | None = None
    """What is made small. Default: l1, document mse."""
    patience: int = 0
    """Stop after so many epochs without a better validation loss; 0 never."""
    validation: float = 0.1
    """Share of the pictures held out, where the data has no validation split."""
    seed: int = 0
    """Same seed, same data, same machine: same model."""
    devices: str = "auto"
    """Lightning's `devices`: auto (what torchrun or srun started, else all), a count, or a list."""
    precision: str = "32-true"
    """Lightning's `precision`: 32-true, bf16-mixed, 16-mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscalerRecipe:
    """A training with nothing left open."""

    network: str
    options: dict[str, Any]
    cutting: Cutting
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    constant: bool
    """Adam at a constant rate, instead of AdamW with a one-cycle schedule."""
    loss: str
    patience: int
    validation: float
    seed: int
    devices: str
    precision: str

    def to_dict(self) -> dict[str, Any]:
        """Give the recipe as it is noted in the model's folder."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedUpscaler:
    """A trained upscaler and how it went."""

    upscaler: Upscaler
    folder: Path | None
    recipe: UpscalerRecipe
    seconds: float
    pictures: int
    """Pictures that pairs were cut from, to train on."""
    pairs: int
    """Pairs trained on."""
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the result as it stands in ``--json``."""
        return {
            "model": str(self.folder) if self.folder else None,
            "task": "upscale",
            "classes": [],
            "seconds": round(self.seconds, 2),
            "metrics": self.upscaler.card.metrics,
            "pictures": self.pictures,
            "pairs": self.pairs,
            "parameters": sum(p.numel() for p in self.upscaler.network.parameters()),
            "recipe": self.recipe.to_dict(),
            "failed": [failure.to_dict() for failure in self.failures],
        }


class Enlarging:
    """The loss between what is enlarged and the original, and PSNR; uint8 pairs."""

    def __init__(self, loss: str) -> None:
        self.measure = LOSSES[loss]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Give the loss of values 0 to 1."""
        low, high = (_values(part) for part in batch)
        return self.measure(model(low).float(), high)

    def figures(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Give the loss, and the mean PSNR of the pairs in dB, over all channels."""
        low, high = (_values(part) for part in batch)
        given = model(low).float()
        wrong = (given.clamp(0, 1) - high).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)
        return {"loss": self.measure(given, high), "psnr": -10 * wrong.log10().mean()}


def _values(pictures: Tensor) -> Tensor:
    """Turn uint8 ``(n, h, w, 3)`` into values 0 to 1, ``(n, 3, h, w)``, channels last."""
    return (pictures.float() / 255).permute(0, 3, 1, 2)


def train_upscaler(
    dataset: Dataset, settings: UpscaleTrainSettings | None = None, out: Path | str | None = None
) -> TrainedUpscaler:
    """Train a network to enlarge pictures, on the pictures of a dataset; labels play no part.

    Only the ``train`` split is used when there are splits, and ``validation`` to choose the best
    epoch; ``test`` is never looked at. Run again after an interruption, it goes on where it was.

    Args:
        dataset: the pictures, as sharp as there are.
        settings: network, patches, degradation; open ones are chosen by the network.
        out: folder for the model; None to keep it in memory only.

    Raises:
        SettingsError: settings that cannot work.
        DatasetError: no pair can be cut, to train on or to validate with.
        ModelError: unknown network, or ``out`` holds another model.
    """
    started = time.perf_counter()
    recipe = resolve(settings or UpscaleTrainSettings())
    name = name_of(recipe.to_dict(), dataset)
    with run_folder(out, name) as folder, own(folder / "pairs") as cut, seeded(recipe.seed):
        network = create_upscaler(recipe.network, recipe.cutting.scale, recipe.options,
                                  learning=True)  # fmt: skip
        mark(folder, name)
        train, validation, failures = _pairs(dataset, recipe, cut)
        drawn = loader(PairBatches(train, recipe.seed), recipe.batch, recipe.seed)
        held = loader(PairBatches(validation, None), recipe.batch, None)
        network.to(memory_format=torch.channels_last)
        fitted = fit(network, drawn, held, recipe, folder, Enlarging(recipe.loss),
                     seed=recipe.seed, constant=recipe.constant)  # fmt: skip
        upscaler = Upscaler(network.merge(), _card(recipe, dataset, fitted.metrics))  # type: ignore[operator]
        if out is not None:
            _tidy_pairs(cut)
            keep(upscaler, folder)
    return TrainedUpscaler(
        upscaler=upscaler,
        folder=None if out is None else folder,
        recipe=recipe,
        seconds=time.perf_counter() - started,
        pictures=len(set(train.pictures)),
        pairs=len(train),
        failures=tuple(failures),
    )


def resolve(settings: UpscaleTrainSettings) -> UpscalerRecipe:
    """Fill in what is left open.

    Raises:
        SettingsError: everything that cannot work, in one message.
    """
    how = Degradation(blur=settings.blur, noise=settings.noise, jpeg=settings.jpeg)
    problems = [*_problems(settings), *how.problems()]
    if problems:
        raise SettingsError(problems)
    is_document = settings.network == "document"
    return UpscalerRecipe(
        network=settings.network,
        options=options_of(settings.network_options),
        cutting=Cutting(
            scale=settings.scale, patch=settings.patch, whole=settings.whole, most=settings.most,
            flat=settings.flat, degradation=how, seed=settings.seed,
        ),
        epochs=settings.epochs,
        batch=settings.batch or (64 if is_document else 16),
        learning_rate=settings.learning_rate or (0.001 if is_document else 0.002),
        weight_decay=0.0,
        constant=is_document,
        loss=settings.loss or ("mse" if is_document else "l1"),
        patience=settings.patience,
        validation=settings.validation,
        seed=settings.seed,
        devices=settings.devices,
        precision=settings.precision,
    )  # fmt: skip


def _problems(given: UpscaleTrainSettings) -> list[str]:
    found = []
    if given.network not in UPSCALERS:
        found.append(f"there is no upscaler {given.network!r}; known: {', '.join(UPSCALERS)}")
    if not 2 <= given.scale <= 4:
        found.append(f"scale must be 2, 3 or 4, not {given.scale}")
    elif given.patch % given.scale or given.patch < 4 * given.scale:
        found.append(f"patch must be a multiple of the scale and at least {4 * given.scale}, "
                     f"not {given.patch}")  # fmt: skip
    for name in ("most", "epochs", "batch"):
        if (value := getattr(given, name)) is not None and value < 1:
            found.append(f"{name} must be at least 1, not {value}")
    if given.learning_rate is not None and not given.learning_rate > 0:
        found.append(f"learning-rate must be above 0, not {given.learning_rate}")
    if given.loss is not None and given.loss not in LOSSES:
        found.append(f"there is no loss {given.loss!r}; known: {', '.join(LOSSES)}")
    if not 0 < given.validation < 1:
        found.append(f"validation must be above 0 and below 1, not {given.validation}")
    if given.patience < 0:
        found.append(f"patience must be at least 0, not {given.patience}")
    if given.precision not in PRECISIONS:
        found.append(f"there is no precision {given.precision!r}; known: {', '.join(PRECISIONS)}")
    found += device_problems(given.devices)
    return found


def _pairs(
    dataset: Dataset, recipe: UpscalerRecipe, folder: Path
) -> tuple[Pairs, Pairs, list[Failure]]:
    """Cut the pairs to train on and to validate with; those of an interrupted run are there."""
    fitting = to_train_on(dataset)
    if "validation" in dataset.splits:
        held = dataset.where(split=["validation"])
    else:
        shares = SplitSettings(test=0.0, validation=recipe.validation, seed=recipe.seed)
        divided = split(fitting, shares)
        if "validation" not in divided.splits:
            raise DatasetError(
                f"{dataset.origin}: {len(fitting)} pictures are too few to hold any out; give "
                "more, or a larger share with --validation"
            )
        fitting, held = divided.where(split=["train"]), divided.where(split=["validation"])
    found, failures = [], []
    for part, name in ((fitting, "train"), (held, "validation")):
        if (folder / name / "pairs.csv").exists():
            found.append(read_pairs(folder / name))
            continue
        names = list(dict.fromkeys(row.file_name for row in part.rows))
        pairs, failed = write_pairs(part.root, names, folder / name, recipe.cutting)
        found.append(pairs)
        failures += failed
    return found[0], found[1], failures


def _tidy_pairs(folder: Path) -> None:
    """Keep the tables, which say what the model has seen; the patches themselves are large."""
    for part in folder.iterdir():
        for file in part.glob("*.bin"):
            file.unlink()


def _card(recipe: UpscalerRecipe, dataset: Dataset, metrics: dict[str, float]) -> UpscalerCard:
    return UpscalerCard(
        architecture=recipe.network,
        options=recipe.options,
        scale=recipe.cutting.scale,
        dataset=dataset.fingerprint(),
        trained=recipe.to_dict(),
        metrics={name: round(value, 6) for name, value in metrics.items()},
    )
