"""``garim compare-training``: which settings are better, beyond the luck of a seed?

Every combination of settings is trained with the same seeds and judged on the same test pictures.
Intervals are those of the mean over the seeds (Student's t); differences are paired by seed. They
say how much the seeds matter, not how much another test set would.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from garim import files
from garim.comparison.results import Arm, Outcome, TrainingComparison, Value, combination
from garim.comparison.varied import planned
from garim.dataset import Dataset, SplitSettings, split
from garim.errors import ModelError
from garim.evaluation.classification import classification_report
from garim.streaming import Step, steps
from garim.training.data import Examples, collect
from garim.training.learners import Features, build, learner
from garim.training.loop import seeded
from garim.training.run_folder import mark, name_of, run_folder, tidy
from garim.training.settings import Recipe, TrainSettings, resolve
from garim.training.train import Gathered, gather

OUTCOME = "outcome.json"
"""File that a finished training leaves in its folder."""


def compare_training(
    dataset: Dataset,
    settings: TrainSettings | None = None,
    vary: Mapping[str, Sequence[Value]] | None = None,
    seeds: int = 5,
    to: Path | str | None = None,
) -> TrainingComparison:
    """Train the same thing under several settings over several seeds, and compare.

    A dataset without a test split is divided first, by the seed of the settings. Features of a
    frozen backbone are computed once for all trainings that share them: with ``augment="none"``,
    that is all seeds.

    Args:
        dataset: pictures with labels.
        settings: what is the same for all.
        vary: values of each setting that is varied; every combination is trained.
        seeds: trainings of each combination.
        to: folder for what each training came to; trainings that are finished there are not
            repeated, and one that was interrupted goes on. None keeps nothing.

    Raises:
        SettingsError: a setting or value that cannot work, or fewer than two seeds.
        DatasetError: fewer than two classes, or no test pictures.
        ModelError: no such network or weights, or ``to`` holds trainings of other settings.
    """
    base = settings or TrainSettings()
    arms = planned(base, vary or {}, seeds)
    whole, notes = _with_test(dataset, base.seed)
    gathered = gather(whole)
    test, failures = collect(whole.where(split=["test"]), whole.classes)
    trials = _Trials(whole, gathered, test, None if to is None else Path(to))
    with steps("Comparing", len(arms) * seeds) as step:
        judged = [
            Arm(settings=values, outcomes=tuple(trials.run(values, one, step) for one in ones))
            for values, ones in arms
        ]
    return TrainingComparison(
        classes=whole.classes,
        test_pictures=len(test),
        arms=tuple(judged),
        failures=(*gathered.failures, *failures),
        notes=notes,
    )


def _with_test(dataset: Dataset, seed: int) -> tuple[Dataset, tuple[str, ...]]:
    if "test" in dataset.splits:
        return dataset, ()
    note = "the dataset has no test split; a fifth of each class was set apart by the seed"
    return split(dataset, SplitSettings(seed=seed)), (note,)


@dataclass(frozen=True, slots=True)
class _Trials:
    """Trains and judges; pictures are listed and features computed once."""

    dataset: Dataset
    gathered: Gathered
    test: Examples
    to: Path | None
    known: Features = field(default_factory=dict)

    def run(self, values: Mapping[str, Value], settings: TrainSettings, step: Step) -> Outcome:
        """Train one network, unless it was."""
        recipe = resolve(settings, len(self.dataset))
        name = name_of(recipe.to_dict(), self.dataset)
        out = None if self.to is None else self.to / _folder(values) / f"seed-{settings.seed}"
        outcome = None if out is None else _finished(out, name)
        if outcome is None:
            with run_folder(out, name) as folder, seeded(recipe.seed):
                mark(folder, name)
                outcome = self._trained(recipe, settings, folder)
                files.write_json(folder / OUTCOME, {"training": name, **asdict(outcome)})
                tidy(folder)
        step(1)
        return outcome

    def _trained(self, recipe: Recipe, settings: TrainSettings, folder: Path) -> Outcome:
        started = time.perf_counter()
        network, _ = build(recipe, self.dataset.classes, settings)
        made = learner(network, recipe, folder, self.known)
        fitted = made.fit(*self.gathered.held_out(recipe))
        scores = made.scores(self.test)
        judged = classification_report(self.test.targets, scores, self.dataset.classes)
        return Outcome(
            seed=recipe.seed,
            accuracy=judged.accuracy,
            macro_f1=judged.macro["f1"],
            f1={label: row["f1"] for label, row in judged.per_class.items()},
            epochs=fitted.epochs,
            seconds=round(time.perf_counter() - started, 2),
        )


def _folder(values: Mapping[str, Value]) -> str:
    name = combination(values)
    readable = re.sub(r"[^\w.=,-]+", "_", name)[:80]
    return f"{readable}-{files.digest_of(name)[:6]}"


def _finished(folder: Path, name: str) -> Outcome | None:
    """Give what came of a training that is finished."""
    path = folder / OUTCOME
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.pop("training", None) != name:
        raise ModelError(
            f"{folder}: holds a training of other settings or data; give another folder with --to"
        )
    return Outcome(**found)
