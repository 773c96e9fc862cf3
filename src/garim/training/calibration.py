"""After the training: one temperature that makes the classifier's certainty honest."""

from __future__ import annotations

import numpy as np

from garim.models.calibration import calibration_error, fit_temperature, reliability, softmax
from garim.training.data import Examples
from garim.training.learners import Learner

_TINY = float(np.finfo(np.float32).tiny)


def calibrate(trained: Learner, validation: Examples, metrics: dict[str, float]) -> float:
    """Fit the temperature on the validation pictures, and note the calibration error there.

    ``metrics`` gets ``validation_ece``, at the temperature, and ``validation_ece_uncalibrated``.
    The first is measured on the pictures that the temperature was fitted on.
    """
    if not len(validation):
        return 1.0
    scores, targets = trained.scores(validation), validation.targets
    logits = np.log(np.maximum(scores, _TINY))  # up to a constant per picture, which softmax drops
    temperature = fit_temperature(logits, targets)
    for name, found in (
        ("validation_ece_uncalibrated", scores),
        ("validation_ece", softmax(logits, temperature)),
    ):
        metrics[name] = calibration_error(reliability(targets, found))
    return temperature
