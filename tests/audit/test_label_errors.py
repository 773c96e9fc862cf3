"""Wrong labels, outliers, other classes: what a network sees, with features made for the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanlab.rank import get_label_quality_scores
from drawn import audited, found, photo, proposed, save
from safetensors.torch import save_file
from sklearn.metrics import f1_score

import garim
from garim.audit import CHECKS
from garim.audit.evidence import Evidence, gather
from garim.audit.label_errors import ROUNDS, in_rounds, probabilities
from garim.audit.label_noise import estimate, marked, quality
from garim.audit.networks import WITHOUT_FOLDS, WITHOUT_LOCALIZER, Seen
from garim.models.classifier import Card
from garim.models.networks import create

NETWORK = {"backbone": "mobilenetv3_small_050", "size": 32}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(classes: int = 3, each: int = 70, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes that overlap a little, and the right labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = rng.normal(0, 1, (classes, 16))
    centres *= 6 / np.linalg.norm(centres, axis=1, keepdims=True)
    features = centres[labels] + rng.normal(0, 1, (len(labels), 16))
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32), labels


def planted(labels: np.ndarray, rate: float, kind: str, seed: int = 1) -> np.ndarray:
    rng, wrong, classes = np.random.default_rng(seed), labels.copy(), labels.max() + 1
    chosen = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    shift = rng.integers(1, classes, len(chosen)) if kind == "uniform" else 1
    wrong[chosen] = (labels[chosen] + shift) % classes
    return wrong


@pytest.mark.parametrize(("kind", "rate"), [("uniform", 0.1), ("pairwise", 0.2)])
def test_planted_errors_are_found_and_counted(kind: str, rate: float) -> None:
    features, right = blobs()
    given = planted(right, rate, kind)
    noise = in_rounds(features, given, np.arange(len(given)), 5, 0).noise
    marks, precision = marked(noise.wrong(given))
    assert f1_score(given != right, marks) > 0.85
    assert precision == pytest.approx(np.mean(given[marks] != right[marks]), abs=0.12)
    assert np.diag(noise.matrix).mean() == pytest.approx(1 - rate, abs=0.05)
    suggested = noise.posterior[marks].argmax(axis=1)
    assert np.mean(suggested == right[marks]) > 0.9


def test_right_labels_are_left_alone() -> None:
    features, right = blobs()
    noise = in_rounds(features, right, np.arange(len(right)), 5, 0).noise
    marks, _ = marked(noise.wrong(right))
    assert marks.sum() <= 3


def test_scores_are_those_of_cleanlab() -> None:
    rng = np.random.default_rng(0)
    given, scores = rng.integers(0, 3, 200), rng.dirichlet((1, 1, 1), 200)
    noise = estimate(scores, given)
    expected = get_label_quality_scores(given, noise.posterior)
    assert np.allclose(quality(given, noise.posterior), expected)
    assert np.allclose(noise.wrong(given), 1 - noise.posterior[np.arange(200), given])


def test_marks_have_the_highest_expected_f1() -> None:
    rng = np.random.default_rng(0)
    wrong = np.sort(rng.beta(0.3, 1, 60))[::-1]
    marks, precision = marked(wrong)
    expected = [2 * wrong[:k].sum() / (k + wrong.sum()) for k in range(1, 61)]
    assert marks.sum() == int(np.argmax(expected)) + 1
    assert precision == pytest.approx(wrong[marks].mean())
    assert not marked(np.full(5, 0.2))[0].any()


def test_no_picture_is_judged_by_what_has_seen_it_or_a_copy() -> None:
    """Features without any sense: whoever has seen a picture knows its label, others guess."""
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (60, 200)).astype(np.float32)
    labels = rng.integers(0, 2, 60)
    features, labels = np.tile(features, (2, 1)), np.tile(labels, 2)  # each picture twice
    kept = np.ones(len(labels), dtype=bool)
    rounds = ROUNDS[-1]
    apart = probabilities(features, labels, np.arange(120), kept, 5, 0, rounds)
    together = probabilities(features, labels, np.tile(np.arange(60), 2), kept, 5, 0, rounds)
    assert np.mean(apart.argmax(axis=1) == labels) > 0.8  # it leaks
    assert np.mean(together.argmax(axis=1) == labels) < 0.7


def test_the_noise_matrix_is_found_where_the_probabilities_are_right() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(0, 3, 3000)
    clean = np.full((3000, 3), 0.02)
    clean[np.arange(3000), right] = 0.96
    matrix = np.array([[0.7, 0.3, 0], [0, 1, 0], [0.1, 0, 0.9]])
    given = np.array([rng.choice(3, p=matrix[k]) for k in right])
    noise = estimate(clean @ matrix, given)
    assert np.abs(noise.matrix - matrix).max() < 0.06


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three classes told by their colour, one picture with a wrong label; and random weights."""
    root, rng = tmp_path_factory.mktemp("coloured"), np.random.default_rng(0)
    for label, tint in (("red", (200, 40, 40)), ("green", (40, 200, 40)), ("blue", (40, 40, 200))):
        for number in range(12):
            pixels = np.asarray(photo(number)).astype(int) // 4 + np.array(tint) * 3 // 4
            noisy = pixels + rng.integers(-20, 20, pixels.shape)
            image = garim.pictures.Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
            save(image, root / "data" / label / f"{label}-{number}.png")
    (root / "data/red/red-3.png").rename(root / "data/green/red-3.png")
    torch.manual_seed(0)
    weights = root / "weights.safetensors"
    save_file(create(NETWORK["backbone"], 3).state_dict(), weights)
    return root / "data", weights


def test_a_wrong_label_is_found_with_weights(coloured: tuple[Path, Path]) -> None:
    data, weights = coloured
    audit = audited(data, weights=str(weights), skip=("across_classes",), **NETWORK)
    assert "green/red-3.png" in found(audit, "label_errors")
    assert proposed(audit)["green/red-3.png"] == ("relabel", "red")
    assert audit.skipped["several_classes"] == "needs --model RUN with a localizer"


def test_with_a_model_its_folds_judge(coloured: tuple[Path, Path]) -> None:
    settings = garim.TrainSettings(
        backbone="small_cnn", size=32, epochs=8, batch=12, folds=2, localizer=False
    )
    dataset = garim.read(coloured[0])
    model = garim.train(dataset, settings).classifier
    audit = garim.audit(dataset, garim.AuditSettings(), model)
    assert "green/red-3.png" in found(audit, "label_errors")
    assert audit.plan.model == model.digest()
    assert "outliers" in audit.findings
    assert audit.skipped["several_classes"] == WITHOUT_LOCALIZER
    card = replace(model.card, folds=0, fold_of={})
    without = garim.audit(dataset, garim.AuditSettings(), garim.Classifier(model.network, card))
    assert without.skipped["label_errors"] == WITHOUT_FOLDS


def with_seen(data: Path, seen: Callable[[int], Seen]) -> Evidence:
    """Gather evidence, and put in what a network would have seen."""
    evidence = gather(garim.read(data), garim.AuditSettings(), None)
    return replace(evidence, seen=seen(len(evidence.names)))


def test_an_outlier_is_found(coloured: tuple[Path, Path]) -> None:
    def seen(count: int) -> Seen:
        features = np.random.default_rng(0).normal(0, 0.1, (count, 8))
        features[:, 0] += 1
        features[7] = np.eye(8)[5]
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return Seen(features=features.astype(np.float32))

    evidence = with_seen(coloured[0], seen)
    one = CHECKS["outliers"].find(evidence)
    assert np.flatnonzero(one.issues).tolist() == [7]
    assert [(edit.picture, edit.edit) for edit in one.edits] == [(evidence.names[7], "drop")]


def test_other_classes_are_named(coloured: tuple[Path, Path]) -> None:
    card = Card(architecture="small_cnn", classes=("blue", "green", "red"), size=32,
                mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    model = garim.Classifier(create("small_cnn", 3), card)

    def seen(count: int) -> Seen:
        odds = np.full((count, 3), -4, np.float32)
        odds[:12, 0] = 4  # the first folder is blue
        odds[3, 2], odds[4, 2] = 5, 3  # the fourth too is likelier red than not, but not surely
        odds[5, 0], odds[5, 1] = -1, 5  # not its label: that is another check
        return Seen(np.zeros((count, 2), np.float32), classifier=model, presence=odds)

    one = CHECKS["several_classes"].find(with_seen(coloured[0], seen))
    assert one.notes == {3: "blue and red"}
    assert one.scores[3] == pytest.approx(1 / (1 + np.exp(5)))


def test_without_weights_they_are_skipped_and_say_so(coloured: tuple[Path, Path]) -> None:
    audit = audited(coloured[0])
    assert audit.skipped["label_errors"] == "needs a network: give --weights FILE, or --model RUN"
    assert "label_errors" not in audit.pictures.columns


def test_a_model_of_one_class_sees_no_other(coloured: tuple[Path, Path]) -> None:
    card = Card(architecture="small_cnn", classes=("blue",), size=32,
                mean=(0.5,) * 3, std=(0.5,) * 3)  # fmt: skip
    model = garim.Classifier(create("small_cnn", 1), card)

    def seen(count: int) -> Seen:
        odds = np.full((count, 1), 9, np.float32)
        return Seen(np.zeros((count, 2), np.float32), classifier=model, presence=odds)

    one = CHECKS["several_classes"].find(with_seen(coloured[0], seen))
    assert not one.issues.any()
