"""Learn where each class is from folder labels alone.

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

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from garim.errors import PictureError
from garim.models.classifier import normalised
from garim.models.localizer import Localizer, cell_scores, evidence, feature_maps
from garim.pictures import square
from garim.streaming import chunks, steps, stream, track
from garim.training.data import Examples
from garim.training.settings import Recipe

PICTURES = 600
"""Most training pictures that are looked at; more add little."""

ZOOM = 2
"""The network sees pictures at so many times its own input size, for finer maps."""

OBJECT, BACKGROUND = 0.3, 0.3
"""Least shares of a picture's cells that are taken for object and for background."""

ROUNDS, STEPS, CELLS = 4, 250, 2048
"""Guess-and-learn rounds, steps of each, cells per step."""


def fit_localizer(network: nn.Module, examples: Examples, recipe: Recipe) -> Localizer | None:
    """Learn a localizer on a trained network.

    Returns:
        None where the network has no feature maps to learn on.
    """
    chosen = _balanced(examples, PICTURES, recipe.seed)
    network.eval()
    batches = _seen(network, chosen, recipe)
    if batches is None:
        return None
    localizer, cells, activation, targets = batches
    prior = _border(localizer.grid)
    score = _rank(activation) - prior
    generator = torch.Generator().manual_seed(recipe.seed)
    with steps("Learning where", ROUNDS) as step:
        for number in range(ROUNDS):
            guess = _guess(score, targets, bounded_only=number == 0)
            _learn(localizer, cells, guess, generator)
            score = _evidence(localizer, cells, targets)
            step(1)
    return localizer.eval()


def _balanced(examples: Examples, most: int, seed: int) -> Examples:
    """Draw pictures, as many of each class as there are, up to an equal share."""
    order = np.random.default_rng(seed).permutation(len(examples))
    share = -(-most // len(set(examples.targets.tolist())))
    taken = np.zeros(len(examples), dtype=bool)
    for target in np.unique(examples.targets):
        taken[[i for i in order if examples.targets[i] == target][:share]] = True
    return examples.pick(taken)


def _seen(
    network: nn.Module, examples: Examples, recipe: Recipe
) -> tuple[Localizer, Tensor, Tensor, Tensor] | None:
    """Look at the pictures once: localizer with its basis, cells, class activation, targets."""
    size = ZOOM * recipe.size
    opened = stream(lambda job: (square(job[0], size), job[1]),
                    zip(examples.paths, examples.targets.tolist(), strict=True))  # fmt: skip
    localizer: Localizer | None = None
    cells, activation, targets = [], [], []
    for part in chunks(track(opened, "Looking", len(examples)), 16):
        good = [result for _, result in part if not isinstance(result, PictureError)]
        if not good:
            continue
        batch = torch.from_numpy(np.stack([pixels for pixels, _ in good]))
        found = _maps_of(network, batch, recipe)
        if found is None:
            return None
        maps, scores = found
        if localizer is None:
            localizer = _new_localizer(maps, scores.shape[1], size, recipe.seed)
        labels = torch.tensor([target for _, target in good])
        cells.append(localizer.cells(maps))
        activation.append(_own_class(scores, labels, localizer.grid))
        targets.append(labels)
    if localizer is None:
        return None
    return localizer, torch.cat(cells), torch.cat(activation), torch.cat(targets)


def _maps_of(
    network: nn.Module, batch: Tensor, recipe: Recipe
) -> tuple[list[Tensor], Tensor] | None:
    with torch.inference_mode():
        inputs = normalised(batch, recipe.mean, recipe.std)
        maps = feature_maps(network, inputs)
        scores = None if maps is None else cell_scores(network, inputs)
    if maps is None or scores is None:
        return None
    return [one.clone() for one in maps], scores.clone()


def _new_localizer(maps: Sequence[Tensor], classes: int, size: int, seed: int) -> Localizer:
    """Build a localizer whose basis fits the first batch of maps; its grid is the middle map's."""
    grid = maps[-2].shape[-1] if len(maps) > 1 else maps[-1].shape[-1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        localizer = Localizer([one.shape[1] for one in maps], classes, grid, size)
    for level, one in enumerate(maps):
        localizer.fit_basis(level, one.permute(0, 2, 3, 1).reshape(-1, one.shape[1]))
    return localizer


def _own_class(scores: Tensor, labels: Tensor, grid: int) -> Tensor:
    """Class activation of each picture's own class against all others, on the grid."""
    wide = functional.interpolate(scores, size=(grid, grid), mode="bilinear", align_corners=False)
    nothing = torch.full_like(wide[:, :1], -torch.inf)
    wide = torch.cat([nothing, wide], dim=1)
    return torch.stack([evidence(one, int(k)) for one, k in zip(wide, labels, strict=True)])


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


def _learn(localizer: Localizer, cells: Tensor, guess: Tensor, generator: torch.Generator) -> None:
    """Fit the head to the guessed cells, every class weighing the same."""
    known = guess >= 0
    inputs, wanted = cells[known], guess[known]
    classes = int(localizer.head[-1].out_features)  # type: ignore[arg-type]
    counts = torch.bincount(wanted, minlength=classes).clamp(min=1)
    weight = (len(wanted) / counts / classes).clamp(max=5)
    head = localizer.head.train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for _ in range(STEPS):
        drawn = torch.randint(len(wanted), (CELLS,), generator=generator)
        loss = functional.cross_entropy(
            head(inputs[drawn]), wanted[drawn], weight=weight, label_smoothing=0.05
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    head.eval()


def _evidence(localizer: Localizer, cells: Tensor, targets: Tensor) -> Tensor:
    """How much more each cell looks like its picture's class than like background."""
    result = []
    with torch.inference_mode():
        for part, labels in zip(cells.split(64), targets.split(64), strict=True):  # type: ignore[no-untyped-call]
            scores = localizer.head(part)
            own = scores.gather(-1, (1 + labels)[:, None, None, None].expand(*scores.shape[:3], 1))
            result.append(own[..., 0] - scores[..., 0])
    return torch.cat(result).clone()
