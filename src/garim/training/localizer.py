"""Learn where each class is, and how far its objects reach, from folder labels alone.

1. **Look** at the training pictures once, through the trained classifier.
2. **Guess** which of their cells show the class (`garim.training.guesses`).
3. **Cut out** what was found, and paste scenes whose boxes are known (`garim.training.composites`).
4. **Learn** the localizer on the scenes; find the objects again with it, and repeat from 3.

Step 2 knows objects from background, but not where one ends and the next begins: nothing in the
labels says so. Step 3 makes pictures that do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from garim.errors import PictureError
from garim.models.classifier import normalised
from garim.models.instances import Instance, instances
from garim.models.localizer import Localizer, cell_scores, evidence, feature_maps
from garim.pictures import Pixels, square
from garim.streaming import chunks, default_workers, steps, stream, track
from garim.training import composites
from garim.training.data import Examples
from garim.training.guesses import ROUNDS as GUESSES
from garim.training.guesses import class_weights, guess_and_learn
from garim.training.settings import Recipe

PICTURES = 400
"""Most training pictures that are looked at; more add little."""

ZOOM = 2
"""The network sees pictures at so many times its own input size, for finer maps."""

BASIS = 64
"""Pictures that the principal components are found on."""

ROUNDS, SCENES = 2, 400
"""Rounds of cutting out and learning; scenes that are pasted in each."""

EPOCHS, BATCH, RATE = 15, 16, 3e-3
"""How the localizer is fitted to the scenes."""

SURE = 1.0
"""Log odds, either way, from which the cells of a backdrop are learned from."""

LEAST = 0.1
"""Least share of a picture's cells that an object is cut out of."""

NEAR = 0.03
"""How far from the box that was found the next cut-out may reach; share of the side."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was seen of the training pictures, shapes for n of them."""

    pixels: list[Pixels]
    cells: Tensor
    """Features ``(n, components, grid, grid)``, half precision."""
    activation: Tensor
    """Class activation of each picture's class, ``(n, grid, grid)``."""
    targets: Tensor


def fit_localizer(network: nn.Module, examples: Examples, recipe: Recipe) -> Localizer | None:
    """Learn a localizer on a trained network.

    Returns:
        None where the network has no feature maps to learn on, takes no larger pictures than it
        was trained on, or no object could be cut out.
    """
    network.eval()
    if not _takes(network, ZOOM * recipe.size):
        return None
    chosen = _balanced(examples, PICTURES, recipe.seed)
    found = _look(network, chosen, recipe)
    if found is None:
        return None
    localizer, looked = found
    with steps("Learning where", GUESSES + ROUNDS * (SCENES + EPOCHS * SCENES // BATCH)) as done:
        score = guess_and_learn(
            looked.cells, looked.activation, looked.targets, localizer.classes, recipe.seed, done
        )
        focus = score
        for number in range(ROUNDS):
            if number:
                score, focus = _found(localizer, looked)
            cutouts = composites.best(_cut_out(looked, focus))
            if not cutouts:
                return None
            rng = np.random.default_rng([recipe.seed, number])
            scenes = _scenes(localizer, network, looked, score, cutouts, rng, recipe, done)
            localizer = _fitted(localizer, scenes, recipe.seed + number, done)
    return localizer


def _takes(network: nn.Module, size: int) -> bool:
    """Tell whether a network has maps of pictures of a size: some transformers have of one only."""
    blank = torch.zeros(1, 3, size, size, device=next(network.parameters()).device)
    try:
        with torch.inference_mode():
            feature_maps(network, blank)
    except (AssertionError, RuntimeError, ValueError):  # what timm's networks raise
        return False
    return True


def _balanced(examples: Examples, most: int, seed: int) -> Examples:
    """Draw pictures in random order, as many of each class as there are, up to an equal share."""
    order = np.random.default_rng(seed).permutation(len(examples))
    share = -(-most // len(set(examples.targets.tolist())))
    kept: list[int] = []
    for target in np.unique(examples.targets):
        kept += [int(i) for i in order if examples.targets[i] == target][:share]
    place = {int(i): at for at, i in enumerate(order)}
    return examples.pick(np.array(sorted(kept, key=place.__getitem__)))


def _look(
    network: nn.Module, examples: Examples, recipe: Recipe
) -> tuple[Localizer, _Looked] | None:
    """Look at the pictures once."""
    size = ZOOM * recipe.size
    opened = stream(lambda job: (square(job[0], size), job[1]),
                    zip(examples.paths, examples.targets.tolist(), strict=True))  # fmt: skip
    localizer: Localizer | None = None
    pixels: list[Pixels] = []
    cells, activation, targets = [], [], []
    for part in chunks(track(opened, "Looking", len(examples)), BASIS):
        good = [result for _, result in part if not isinstance(result, PictureError)]
        if not good:
            continue
        seen = [one for one, _ in good]
        maps = _maps_of(network, seen, recipe)
        scores = None if maps is None else _activation(network, seen, recipe)
        if maps is None or scores is None:
            return None
        if localizer is None:
            localizer = _new_localizer(maps, scores.shape[1], size, recipe.seed)
        labels = torch.tensor([target for _, target in good])
        pixels += seen
        cells.append(localizer.cells(maps).half())
        activation.append(_own_class(scores, labels, localizer.grid))
        targets.append(labels)
    if localizer is None:
        return None
    looked = _Looked(pixels, torch.cat(cells), torch.cat(activation), torch.cat(targets))
    return localizer, looked


def _maps_of(network: nn.Module, pictures: Sequence[Pixels], recipe: Recipe) -> list[Tensor] | None:
    """Feature maps of pictures; None where the network has none."""
    maps = []
    for part in chunks(pictures, BATCH):
        with torch.inference_mode():
            found = feature_maps(network, _inputs(part, recipe))
        if found is None:
            return None
        maps.append(found)
    return [torch.cat(level).clone() for level in zip(*maps, strict=True)]


def _activation(network: nn.Module, pictures: Sequence[Pixels], recipe: Recipe) -> Tensor | None:
    """Class scores of each cell of the last map; None where it cannot be scored by cells."""
    scores = []
    for part in chunks(pictures, BATCH):
        with torch.inference_mode():
            found = cell_scores(network, _inputs(part, recipe))
        if found is None:
            return None
        scores.append(found)
    return torch.cat(scores).clone()


def _inputs(pictures: Sequence[Pixels], recipe: Recipe) -> Tensor:
    return normalised(torch.from_numpy(np.stack(pictures)), recipe.mean, recipe.std)


def _new_localizer(maps: Sequence[Tensor], classes: int, size: int, seed: int) -> Localizer:
    """Build a localizer whose basis fits the first maps; its grid is the middle map's."""
    grid = maps[-2].shape[-1] if len(maps) > 1 else maps[-1].shape[-1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        localizer = Localizer([one.shape[1] for one in maps], classes, grid, size)
    generator = torch.Generator().manual_seed(seed)
    for level, one in enumerate(maps):
        cells = one.permute(0, 2, 3, 1).reshape(-1, one.shape[1])
        drawn = torch.randperm(len(cells), generator=generator)[:12_000]
        localizer.fit_basis(level, cells[drawn])
    return localizer


def _own_class(scores: Tensor, labels: Tensor, grid: int) -> Tensor:
    """Class activation of each picture's own class against all others, on the grid."""
    wide = functional.interpolate(scores, size=(grid, grid), mode="bilinear", align_corners=False)
    nothing = torch.full_like(wide[:, :1], -torch.inf)
    wide = torch.cat([nothing, wide], dim=1)
    return torch.stack([evidence(one, int(k)) for one, k in zip(wide, labels, strict=True)])


def _cut_out(looked: _Looked, score: Tensor) -> list[composites.Cutout | None]:
    # Where a weak classifier has evidence nowhere, its best places have to do.
    least = score.flatten(1).quantile(1 - LEAST, dim=1).clamp(max=0)
    jobs = zip(
        looked.pixels, (score - least[:, None, None]).numpy(), looked.targets.tolist(), strict=True
    )
    with ThreadPoolExecutor(default_workers()) as pool:
        return list(pool.map(lambda job: composites.cut_out(*job), jobs))


def _found(localizer: Localizer, looked: _Looked) -> tuple[Tensor, Tensor]:
    """Evidence of each picture's class, and the same with nothing outside its first object."""
    score, focus = [], []
    with torch.inference_mode():
        for part, targets in zip(looked.cells.split(64), looked.targets.split(64), strict=True):  # type: ignore[no-untyped-call]
            for one, boxes, target in zip(*localizer.on_cells(part.float()), targets, strict=True):
                own = evidence(one, int(target))
                found = instances(one.numpy(), int(target), boxes.numpy(), 1, 1)
                score.append(own)
                focus.append(_focused(own, next(found, None)))
    return torch.stack(score).clone(), torch.stack(focus)


def _focused(own: Tensor, found: Instance | None) -> Tensor:
    if found is None:
        return own.clone()
    at = (torch.arange(len(own)) + 0.5) / len(own)
    columns = (at > found.box.left - NEAR) & (at < found.box.right + NEAR)
    rows = (at > found.box.top - NEAR) & (at < found.box.bottom + NEAR)
    return torch.where(rows[:, None] & columns, own, torch.tensor(-3.0))


@dataclass(frozen=True, slots=True)
class _Scenes:
    """Scenes as the localizer learns from them, shapes for n of them."""

    cells: Tensor
    """Features ``(n, components, grid, grid)``, half precision."""
    classes: Tensor
    """0 background, 1 + class, or −1 where it is not known, ``(n, grid, grid)``."""
    boxes: Tensor
    """Box of the object at each cell, shares of the sides, ``(n, grid, grid, 4)``; 0 elsewhere."""


def _scenes(
    localizer: Localizer, network: nn.Module, looked: _Looked, score: Tensor,
    cutouts: dict[int, list[composites.Cutout]], rng: np.random.Generator, recipe: Recipe,
    done: Callable[[int], None],
) -> _Scenes:  # fmt: skip
    """Paste scenes and look at them."""
    cells, classes, boxes = [], [], []
    made = (composites.compose(rng, looked.pixels, cutouts) for _ in range(SCENES))
    for scenes in chunks(made, BATCH):
        found = _maps_of(network, [scene.pixels for scene in scenes], recipe)
        assert found is not None, "the same network gave maps of the training pictures"
        cells.append(localizer.cells(found).half())
        for scene in scenes:
            known, extent = _targets(scene, localizer.grid, looked, score)
            classes.append(known)
            boxes.append(extent)
        done(len(scenes))
    return _Scenes(torch.cat(cells), torch.stack(classes), torch.stack(boxes))


def _targets(
    scene: composites.Scene, grid: int, looked: _Looked, score: Tensor
) -> tuple[Tensor, Tensor]:
    """What each cell of a scene shows, and the box of the object that is there."""
    classes = torch.full((grid, grid), 0 if scene.backdrop is None else -1)
    if scene.backdrop is not None:
        beneath = score[scene.backdrop]
        beneath = beneath.flip(1) if scene.mirrored else beneath
        classes[beneath < -SURE] = 0
        classes[beneath > SURE] = 1 + looked.targets[scene.backdrop]
    side = len(scene.owner)
    owner = torch.from_numpy(scene.owner)
    pasted = functional.interpolate(
        (owner > 0).float()[None, None], size=(grid, grid), mode="area"
    )[0, 0]  # fmt: skip
    classes[(pasted > 0.2) & (pasted < 0.6)] = -1
    middle = ((torch.arange(grid) + 0.5) * side / grid).long()
    at = owner[middle[:, None], middle]
    boxes = torch.zeros(grid, grid, 4)
    for number, target in enumerate(scene.targets, start=1):
        own = owner == number
        here = (at == number) & (pasted >= 0.6)
        if not here.any():
            continue
        rows, columns = own.any(dim=1).nonzero(), own.any(dim=0).nonzero()
        ends = torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        classes[here], boxes[here] = 1 + target, ends.flatten() / side
    return classes, boxes


def _fitted(
    localizer: Localizer, scenes: _Scenes, seed: int, done: Callable[[int], None]
) -> Localizer:
    """Fit a fresh head to scenes; the mean of its weights over the last steps is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = Localizer(localizer.channels, localizer.classes, localizer.grid, localizer.size)
        for name, basis in localizer.named_buffers():
            setattr(fresh, name, basis)
        weight = class_weights(scenes.classes[scenes.classes >= 0], 1 + localizer.classes)
        mean = torch.optim.swa_utils.AveragedModel(
            fresh,
            multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.95),  # type: ignore[no-untyped-call]
        )
        total = EPOCHS * (-(-len(scenes.cells) // BATCH))
        optimizer = torch.optim.AdamW(fresh.parameters(), lr=RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=total)
        fresh.train()
        for _ in range(EPOCHS):
            for some in torch.randperm(len(scenes.cells)).split(BATCH):  # type: ignore[no-untyped-call]
                loss = _loss(fresh, scenes, some, weight)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                mean.update_parameters(fresh)
                done(1)
    return deepcopy(mean.module).eval()  # type: ignore[return-value]


def _loss(localizer: Localizer, scenes: _Scenes, some: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of the cells, and generalised IoU (Rezatofighi et al. 2019) of the boxes."""
    scores, boxes = localizer.on_cells(scenes.cells[some].float())
    loss = functional.cross_entropy(
        scores, scenes.classes[some], weight=weight, ignore_index=-1, label_smoothing=0.05
    )
    wanted = scenes.boxes[some]
    inside = wanted[..., 2] > 0
    if inside.any():
        given = boxes.permute(0, 2, 3, 1)[inside]
        loss = loss + generalized_box_iou_loss(given, wanted[inside], reduction="mean")
    return loss
