"""Losses against published formulas and other packages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from garim.training.batches import Order
from garim.training.losses import (
    IMBALANCE,
    NOISE,
    Classification,
    EarlyLearning,
    Focal,
    GeneralizedCrossEntropy,
    LossSettings,
    classification,
    cross_entropy,
    effective_number,
    even_chances,
    inverse_frequency,
    log_prior,
)

TARGETS = np.array([0] * 12 + [1] * 5 + [2] * 3)
COUNTS = np.array([12, 5, 3])


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(20, 3, generator=torch.Generator().manual_seed(0)) * 3


def batch(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return scores, torch.from_numpy(TARGETS), torch.arange(len(TARGETS))


def loss(scores: torch.Tensor, **chosen: object) -> torch.Tensor:
    return classification(LossSettings(**chosen), TARGETS, 3).loss(nn.Identity(), batch(scores))


def test_plain_is_pytorchs_cross_entropy(scores) -> None:
    assert torch.allclose(loss(scores), functional.cross_entropy(scores, batch(scores)[1]))


def test_weighted_is_pytorchs_with_scikit_learns_weights(scores) -> None:
    weights = compute_class_weight("balanced", classes=np.arange(3), y=TARGETS)
    assert np.allclose(inverse_frequency(COUNTS, LossSettings()), weights)
    given = torch.tensor(weights, dtype=torch.float32)
    expected = functional.cross_entropy(scores, batch(scores)[1], weight=given)
    assert torch.allclose(loss(scores, imbalance="weighted"), expected)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_the_effective_number_is_that_of_the_paper(beta: float) -> None:
    effective = [sum(beta**k for k in range(n)) for n in COUNTS]  # Cui et al. 2019, equation 2
    expected = 1 / np.array(effective)
    found = effective_number(COUNTS, LossSettings(effective_beta=beta))
    assert np.allclose(found, expected * 3 / expected.sum())


def test_the_effective_number_goes_from_pictures_to_classes() -> None:
    assert np.allclose(effective_number(COUNTS, LossSettings(effective_beta=0.0)), 1)
    nearly, all_the_way = (
        effective_number(COUNTS, LossSettings(effective_beta=b)) for b in (1 - 1e-9, 1.0)
    )
    assert np.allclose(nearly / nearly[0], all_the_way / all_the_way[0], rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_with_two_classes_is_torchvisions(gamma: float) -> None:
    logits = torch.linspace(-8, 8, 33)
    for label in (0, 1):
        targets = torch.full((33,), label)
        two = torch.stack([torch.zeros(33), logits], dim=1)
        expected = sigmoid_focal_loss(logits, targets.float(), alpha=-1, gamma=gamma)
        assert torch.allclose(Focal(gamma)(two, targets, targets), expected, atol=1e-6)


def test_focal_has_a_gradient_where_the_label_is_certain() -> None:
    certain = torch.tensor([[40.0, -40.0]], requires_grad=True)
    Focal(0.5)(certain, torch.tensor([0]), torch.tensor([0])).sum().backward()
    assert torch.isfinite(certain.grad).all()


def test_logit_adjustment_is_menons(scores) -> None:
    prior = COUNTS / COUNTS.sum()
    assert np.allclose(log_prior(COUNTS, LossSettings()), np.log(prior))
    logits, rows = scores.numpy().astype(np.float64), np.arange(20)  # Menon et al. 2021, eq. 10
    adjusted = np.exp(logits) * prior
    expected = -np.log(adjusted[rows, TARGETS] / adjusted.sum(axis=1)).mean()
    assert float(loss(scores, imbalance="logit-adjustment")) == pytest.approx(expected, rel=1e-5)


def test_generalized_cross_entropy_is_zhangs(scores) -> None:
    likely = scores.softmax(1)[torch.arange(20), batch(scores)[1]]
    expected = ((1 - likely**0.7) / 0.7).mean()
    assert torch.allclose(loss(scores, noise="gce", gce_q=0.7), expected, atol=1e-6)
    plain = functional.cross_entropy(scores, batch(scores)[1])
    assert torch.allclose(loss(scores, noise="gce", gce_q=0.0), plain)
    nearly = loss(scores, noise="gce", gce_q=1e-4)
    assert torch.allclose(nearly, plain, rtol=1e-3)
    assert torch.allclose(loss(scores, noise="gce", gce_q=1.0), (1 - likely).mean(), atol=1e-6)
    assert isinstance(NOISE["gce"](LossSettings(), 1, 1), GeneralizedCrossEntropy)


def test_early_learning_is_that_of_its_authors(scores) -> None:
    """A transcription of ``elr_loss`` in the authors' repository, for two epochs."""
    memory, total = torch.zeros(20, 3), []
    ours, given = EarlyLearning(20, 3, strength=3.0), []
    for epoch in range(2):
        _, label, index = batch(scores)
        output = scores + epoch
        output[:, 0] += epoch
        predicted = torch.clamp(functional.softmax(output, dim=1), 1e-4, 1.0 - 1e-4)
        detached = predicted.data.detach()
        normal = detached / detached.sum(dim=1, keepdim=True)
        memory[index] = 0.7 * memory[index] + (1 - 0.7) * normal
        regularizer = ((1 - (memory[index] * predicted).sum(dim=1)).log()).mean()
        total.append(functional.cross_entropy(output, label) + 3.0 * regularizer)
        given.append(ours(output, label, index).mean())
    assert torch.allclose(torch.stack(given), torch.stack(total), atol=1e-5)
    assert torch.allclose(ours.memory, memory, atol=1e-6)


def test_early_learning_holds_predictions_against_a_wrong_label() -> None:
    remembers = EarlyLearning(1, 2, strength=3.0)
    believed, where = torch.tensor([[3.0, -3.0]]), torch.tensor([0])
    for _ in range(20):
        remembers(believed, where, where)
    scores = believed.clone().requires_grad_()
    remembers(scores, torch.tensor([1]), where).sum().backward()  # the label says the other
    plain = believed.clone().requires_grad_()
    cross_entropy(plain, torch.tensor([1]), where).sum().backward()
    assert scores.grad[0, 1] > plain.grad[0, 1]


def test_even_chances_draw_every_class_as_often() -> None:
    chances = even_chances(TARGETS)
    assert chances.sum() == pytest.approx(1)
    order = Order(len(TARGETS), 0, chances)
    drawn = []
    for order.epoch in range(300):
        drawn += [TARGETS[number % 20] for number in order]
        assert len(order) == 20
    assert np.bincount(drawn) / len(drawn) == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    order.epoch = 7
    assert list(order) == list(order)
    assert {number // 20 for number in order} == {7}


def test_even_chances_need_not_know_absent_classes() -> None:
    assert even_chances(np.array([4, 4, 1])) == pytest.approx([0.25, 0.25, 0.5])


def test_the_validation_loss_counts_classes_the_same_where_a_remedy_is_chosen(scores) -> None:
    _, targets, _ = batch(scores)
    each = functional.cross_entropy(scores, targets, reduction="none")
    of_class = torch.stack([each[targets == k].mean() for k in range(3)])
    for name in IMBALANCE:
        made = classification(LossSettings(imbalance=name), TARGETS, 3)
        found = made.figures(nn.Identity(), batch(scores))
        expected = each.mean() if name == "plain" else of_class.mean()
        assert torch.allclose(found["loss"], expected), name
        assert found["accuracy"] == (scores.argmax(1) == targets).float().mean()


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("imbalance", IMBALANCE)
def test_every_pair_of_remedies_learns(imbalance: str, noise: str) -> None:
    chosen = LossSettings(imbalance=imbalance, noise=noise, elr_strength=1.0)
    if chosen.loss_problems():
        assert (imbalance, noise != "none") == ("focal", True)
        return
    torch.manual_seed(0)
    inputs = functional.one_hot(torch.from_numpy(TARGETS), 3).float()
    model = nn.Linear(3, 3)
    made = classification(chosen, TARGETS, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(100):
        optimizer.zero_grad()
        made.loss(model, (inputs, *batch(inputs)[1:])).backward()
        optimizer.step()
    assert made.figures(model, (inputs, *batch(inputs)[1:]))["accuracy"] == 1


def test_only_what_is_remembered_is_kept_in_a_checkpoint() -> None:
    made = classification(LossSettings(imbalance="weighted", noise="elr"), TARGETS, 3)
    assert set(made.state_dict()) == {"of_picture.memory"}
    assert not Classification().state_dict()
