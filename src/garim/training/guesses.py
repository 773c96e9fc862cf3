"""Which cells of a picture show its class? A first guess, from folder labels alone.

Every cell of a training picture shows either background or the class of its folder; which, nobody
says. As in EM-Adapt (Papandreou et al. 2015), the two are found in turn:

1. guess: the cells with the most evidence for the class are its, those with the least background.
   At first the evidence is the class activation map, lowered towards the border;
2. learn: fit a small head that tells background and all classes apart, over all pictures at once;
3. guess again with that head, under the same bounds, and repeat.

One picture alone says little about what belongs to an object. All together they do: what is common
to the pictures of every class is background, and the whole of an object is what it shares with the
other pictures of its class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from garim.models.localizer import evidence

OBJECT, BACKGROUND = 0.3, 0.3
"""Least shares of a picture's cells that are taken for object and for background."""

ROUNDS, STEPS, CELLS = 4, 250, 2048
"""Guess-and-learn rounds, steps of each, cells per step."""

HIDDEN = 64
"""Units of the head's hidden layer."""


def guess_and_learn(
    cells: Tensor, activation: Tensor, targets: Tensor, classes: int, seed: int,
    done: Callable[[int], None],
) -> Tensor:  # fmt: skip
    """Find the evidence for each picture's class.

    Args:
        cells: features, shape ``(n, components, grid, grid)``.
        activation: class activation for each picture's class, shape ``(n, grid, grid)``.
        targets: class numbers, shape ``(n,)``.
        classes: how many classes there are.
        seed: for the head and the order of its steps.
        done: called after each round with how many are done since.

    Returns:
        Log odds of each picture's class against background and all others, ``(n, grid, grid)``.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(cells.shape[1], HIDDEN), nn.GELU(),
            nn.Linear(HIDDEN, 1 + classes),
        )  # fmt: skip
        score = _rank(activation) - _border(activation.shape[-1])
        for number in range(ROUNDS):
            guess = _guess(score, targets, bounded_only=number == 0)
            _learn(head, cells, guess, generator)
            score, against_all = _evidence(head, cells, targets)
            done(1)
    return against_all


def _border(grid: int) -> Tensor:
    """Up to half a rank less towards the border, where objects seldom are."""
    line = torch.linspace(-1, 1, grid).abs()
    return 0.5 * torch.maximum(line[:, None], line[None, :]) ** 4


def _rank(score: Tensor) -> Tensor:
    """Rank the cells of each picture: 0 least, 1 most."""
    order = score.flatten(1).argsort(dim=1).argsort(dim=1)
    return order.reshape(score.shape) / (order.shape[1] - 1)


def _guess(score: Tensor, targets: Tensor, *, bounded_only: bool) -> Tensor:
    """Give each cell 0 (background), 1 + class, or −1 (left open)."""
    rank = _rank(score)
    inside, outside = rank > 1 - OBJECT, rank < BACKGROUND
    if not bounded_only:
        inside, outside = inside | ((score > 0) & ~outside), outside | ((score <= 0) & ~inside)
    guess = torch.full(score.shape, -1)
    guess[outside] = 0
    return torch.where(inside, 1 + targets[:, None, None], guess)


def _learn(head: nn.Sequential, cells: Tensor, guess: Tensor, generator: torch.Generator) -> None:
    """Fit the head to the guessed cells, every class weighing the same."""
    picture, row, column = torch.nonzero(guess >= 0, as_tuple=True)
    wanted = guess[picture, row, column]
    weight = class_weights(wanted, int(head[-1].out_features))  # type: ignore[arg-type]
    head.train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for _ in range(STEPS):
        some = torch.randint(len(wanted), (CELLS,), generator=generator)
        drawn = cells[picture[some], :, row[some], column[some]].float()
        loss = functional.cross_entropy(
            head(drawn), wanted[some], weight=weight, label_smoothing=0.05
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    head.eval()


def class_weights(wanted: Tensor, classes: int) -> Tensor:
    """Weigh every class the same, however often it occurs in ``wanted``, but at most 5."""
    counts = torch.bincount(wanted, minlength=classes).clamp(min=1)
    return (len(wanted) / counts / classes).clamp(max=5)


def _evidence(head: nn.Sequential, cells: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Each cell's evidence for its picture's class: against background, and against all else."""
    on_background, on_all = [], []
    with torch.inference_mode():
        for part, labels in zip(cells.split(64), targets.split(64), strict=True):  # type: ignore[no-untyped-call]
            scores = head(part.float().permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            for one, label in zip(scores, labels.tolist(), strict=True):
                on_background.append(one[1 + label] - one[0])
                on_all.append(evidence(one, label))
    return torch.stack(on_background).clone(), torch.stack(on_all).clone()
