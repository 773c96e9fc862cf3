import numpy as np
import pytest

from garim.extraction.rule import Choice, choose

CAT, DOG = 0, 1
RIGHT_60, WRONG_40 = [0.6, 0.4], [0.4, 0.6]

CASES = {
    "a better crop": (RIGHT_60, [[0.5, 0.4], [0.9, 0.1], [0.8, 0.2]], Choice(1, True)),
    "no better crop": (RIGHT_60, [[0.55, 0.45], [0.52, 0.48]], Choice(None, True)),
    "an equal score does not replace": (RIGHT_60, [[0.6, 0.4]], Choice(None, True)),
    "whole wrong, a worse crop replaces": ([0.1, 0.9], [[0.2, 0.8], [0.51, 0.49]], Choice(1, True)),
    "whole wrong, its score above the crop's": (
        [0.45, 0.5, 0.05], [[0.4, 0.3, 0.3]], Choice(0, True)),
    "whole right, no crop right": (RIGHT_60, [WRONG_40, [0.3, 0.7]], Choice(None, True)),
    "nothing right": (WRONG_40, [WRONG_40, [0.3, 0.7]], Choice(None, False)),
    "first of equal crops": (WRONG_40, [[0.1, 0.9], [0.8, 0.2], [0.8, 0.2]], Choice(1, True)),
    "no crops": (RIGHT_60, np.zeros((0, 2)), Choice(None, True)),
    "no crops, whole wrong": (WRONG_40, np.zeros((0, 2)), Choice(None, False)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_rule(case: str) -> None:
    whole, crops, choice = CASES[case]
    assert choose(np.array(whole), np.array(crops), CAT) == choice


def test_a_crop_of_another_class_with_the_same_score_does_not_win() -> None:
    """The document: ``sub_scores[sub_scores == max_sub_score].index[0]``, whatever the class."""
    crops = np.array([[0.2, 0.8], [0.8, 0.2]])
    scores = crops.max(axis=1)
    best = scores[crops.argmax(axis=1) == CAT].max()
    assert np.flatnonzero(scores == best)[0] == 0, "the document takes the dog"
    assert choose(np.array(RIGHT_60), crops, CAT).winner == 1


def test_against_a_transcription_with_that_bug_mended() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        whole, crops = rng.dirichlet([1] * 3), rng.dirichlet([1] * 3, rng.integers(1, 9))
        right = [i for i, one in enumerate(crops) if one.argmax() == DOG]
        winner = max(right, key=lambda i: crops[i][DOG], default=None)
        if winner is not None and whole.argmax() == DOG and crops[winner][DOG] <= whole[DOG]:
            winner = None
        assert choose(whole, crops, DOG).winner == winner
