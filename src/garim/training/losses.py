"""What the training of a classifier makes small, and what it does about imbalance and wrong labels.

To add a remedy: a line in ``IMBALANCE`` or ``NOISE``, and the function that it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from garim.training.processes import everywhere

Counts = NDArray[np.int64]
"""Training pictures of each class, shape ``(classes,)``."""

Floats = NDArray[np.float64]

MEMORY = 0.7
"""Share that early-learning regularization keeps of what it remembers, as for CIFAR-10."""

_LEAST = 1e-4
"""Probabilities are kept so far from 0 and 1, as in the authors' code of early-learning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """What is made small in training."""

    imbalance: str = "plain"
    """Against classes of unequal size: `plain` (nothing), `weighted`, `effective-number`, `focal`,
    `balanced-sampling` or `logit-adjustment`."""
    effective_beta: float = 0.999
    """β of `effective-number`, 0 to 1: 0 counts pictures the same, 1 counts classes the same."""
    focal_gamma: float = 2.0
    """γ of `focal`: how much less a picture counts whose label is already likely."""
    noise: str = "none"
    """Against wrong labels: `none`, `gce` (generalized cross-entropy) or `elr` (early-learning
    regularization)."""
    gce_q: float = 0.7
    """q of `gce`: 0 is the cross-entropy, 1 the mean absolute error, which trusts labels least."""
    elr_strength: float = 3.0
    """λ of `elr`: how strongly the predictions are held to what they were."""

    def loss_problems(self) -> list[str]:
        """List every setting that cannot work."""
        problems = []
        for name, table in (("imbalance", list(IMBALANCE)), ("noise", list(NOISE))):
            if getattr(self, name) not in table:
                given, known = getattr(self, name), ", ".join(table)
                problems.append(f"there is no remedy {given!r} for {name}; known: {known}")
        for name, most in (("effective_beta", 1.0), ("gce_q", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                problems.append(f"{name} must be from 0 to {most:g}, not {getattr(self, name)}")
        for name in ("focal_gamma", "elr_strength"):
            if not getattr(self, name) >= 0:
                problems.append(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.imbalance == "focal" and self.noise in NOISE and self.noise != "none":
            problems.append(f"focal and {self.noise} are both losses; choose one of them")
        return problems


class PictureLoss(Protocol):
    """A loss of each picture by itself."""

    def __call__(self, scores: Tensor, targets: Tensor, numbers: Tensor) -> Tensor:
        """Give losses ``(n,)`` of scores ``(n, classes)``, class numbers and picture numbers."""


def cross_entropy(scores: Tensor, targets: Tensor, numbers: Tensor) -> Tensor:
    """Give −log p of the label."""
    return functional.cross_entropy(scores, targets, reduction="none")


class Focal(nn.Module):
    """−(1 − p)^γ log p of the label (Lin et al. 2017), over softmax probabilities."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, scores: Tensor, targets: Tensor, numbers: Tensor) -> Tensor:
        """Give the loss of each picture."""
        likely = cross_entropy(scores, targets, numbers)
        return (-torch.expm1(-likely)).clamp(min=0) ** self.gamma * likely


class GeneralizedCrossEntropy(nn.Module):
    """(1 − p^q) / q of the label (Zhang and Sabuncu 2018)."""

    def __init__(self, q: float) -> None:
        super().__init__()
        self.q = q

    def forward(self, scores: Tensor, targets: Tensor, numbers: Tensor) -> Tensor:
        """Give the loss of each picture."""
        likely = cross_entropy(scores, targets, numbers)
        return likely if self.q == 0 else -torch.expm1(-self.q * likely) / self.q


class EarlyLearning(nn.Module):
    """Cross-entropy + λ log(1 − ⟨t, p⟩) (Liu et al. 2020).

    t is a running mean of each picture's predictions p. Networks learn right labels first; what
    they believed of a picture then keeps its wrong label from being learned by heart.
    """

    memory: Tensor
    """t, shape ``(pictures, classes)``; part of the checkpoints, and the same in all processes."""

    def __init__(self, pictures: int, classes: int, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.register_buffer("memory", torch.zeros(pictures, classes))

    def forward(self, scores: Tensor, targets: Tensor, numbers: Tensor) -> Tensor:
        """Give the loss of each picture, and remember what is predicted of it."""
        likely = scores.softmax(dim=1).clamp(_LEAST, 1 - _LEAST)
        now = likely.detach()
        now = now / now.sum(dim=1, keepdim=True)
        held = MEMORY * self.memory[numbers] + (1 - MEMORY) * now
        for places, values in everywhere(numbers, held):
            self.memory[places] = values.to(self.memory)
        agreement = (held * likely).sum(dim=1)
        return cross_entropy(scores, targets, numbers) + self.strength * torch.log1p(-agreement)


def inverse_frequency(counts: Counts, settings: LossSettings) -> Floats:
    """Weigh each class by N / (classes · n), so that all count the same."""
    weights: Floats = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return weights


def effective_number(counts: Counts, settings: LossSettings) -> Floats:
    """Weigh by (1 − β) / (1 − βⁿ), the mean weight 1: class-balanced loss (Cui et al. 2019)."""
    beta = settings.effective_beta
    if beta == 1:
        return inverse_frequency(counts, settings)
    weights = (1 - beta) / (1 - beta ** np.maximum(counts, 1).astype(np.float64))
    return np.asarray(weights * len(counts) / weights.sum())


def log_prior(counts: Counts, settings: LossSettings) -> Floats:
    """Give log(n / N), for the logit adjustment with τ = 1 (Menon et al. 2021)."""
    shares: Floats = np.log(np.maximum(counts, 1) / counts.sum())
    return shares


def even_chances(targets: NDArray[np.int64]) -> Floats:
    """Give each picture's chance to be drawn so that all classes are drawn as often."""
    present, position, counts = np.unique(targets, return_inverse=True, return_counts=True)
    chances: Floats = 1 / (len(present) * counts[position])
    return chances


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What is done about classes of unequal size."""

    weights: Callable[[Counts, LossSettings], Floats] | None = None
    """Factor of each class's loss."""
    shift: Callable[[Counts, LossSettings], Floats] | None = None
    """Added to each class's score in training only."""
    loss: Callable[[LossSettings], PictureLoss] | None = None
    """Takes the place of the cross-entropy."""
    draws_evenly: bool = False
    """Whether pictures are drawn, with replacement, so that all classes are seen as often."""


IMBALANCE: dict[str, Remedy] = {
    "plain": Remedy(),  # every picture counts the same
    "weighted": Remedy(weights=inverse_frequency),  # every class counts the same
    "effective-number": Remedy(weights=effective_number),  # between the two
    "focal": Remedy(loss=lambda given: Focal(given.focal_gamma)),  # hard pictures count more
    "balanced-sampling": Remedy(draws_evenly=True),  # pictures of rare classes are seen again
    "logit-adjustment": Remedy(shift=log_prior),  # rare classes must win by a margin
}
"""What can be done about classes of unequal size, by name."""

NOISE: dict[str, Callable[[LossSettings, int, int], PictureLoss]] = {
    "none": lambda given, pictures, classes: cross_entropy,  # labels are believed
    "gce": lambda given, pictures, classes: GeneralizedCrossEntropy(given.gce_q),
    "elr": lambda given, pictures, classes: EarlyLearning(pictures, classes, given.elr_strength),
}
"""What can be done about wrong labels, by name: a loss for so many pictures and classes."""


class Classification(nn.Module):
    """The loss of class scores ``(n, classes)``, by default the cross-entropy, and the accuracy.

    Args:
        loss: of each picture.
        weights: factor of each class's loss, shape ``(classes,)``; a batch's mean is weighted, as
            in PyTorch.
        shift: added to the scores in training only, shape ``(classes,)``.
        importance: factor of each class's validation loss, shape ``(classes,)``.
    """

    weights: Tensor | None
    shift: Tensor | None
    importance: Tensor | None

    def __init__(
        self,
        loss: PictureLoss = cross_entropy,
        *,
        weights: Tensor | None = None,
        shift: Tensor | None = None,
        importance: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.of_picture = loss
        for name, value in (("weights", weights), ("shift", shift), ("importance", importance)):
            self.register_buffer(name, value, persistent=False)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Give the loss of a batch: inputs, class numbers, picture numbers."""
        inputs, targets, numbers = batch
        scores = model(inputs).float()
        losses = self.of_picture(scores if self.shift is None else scores + self.shift, targets,
                                 numbers)  # fmt: skip
        if self.weights is None:
            return losses.mean()
        weights = self.weights[targets]
        return (weights * losses).sum() / weights.sum()

    def figures(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
        """Give the cross-entropy, which chooses the best epoch, and the share of right classes."""
        inputs, targets, numbers = batch
        scores = model(inputs).float()
        losses = cross_entropy(scores, targets, numbers)
        if self.importance is not None:
            losses = losses * self.importance[targets]
        right = (scores.argmax(dim=1) == targets).float()
        return {"loss": losses.mean(), "accuracy": right.mean()}


def classification(
    settings: LossSettings, targets: NDArray[np.int64], classes: int
) -> Classification:
    """Build the objective for training pictures of these classes.

    Where something is done about imbalance, the validation loss counts every class the same: it
    would else choose the epoch that is best for the largest.
    """
    counts: Counts = np.bincount(targets, minlength=classes).astype(np.int64)
    remedy = IMBALANCE[settings.imbalance]
    loss = NOISE[settings.noise](settings, len(targets), classes)
    evened = None if settings.imbalance == "plain" else inverse_frequency
    made = {
        name: None if how is None else torch.from_numpy(how(counts, settings)).float()
        for name, how in (
            ("weights", remedy.weights), ("shift", remedy.shift), ("importance", evened)
        )
    }  # fmt: skip
    return Classification(remedy.loss(settings) if remedy.loss else loss, **made)
