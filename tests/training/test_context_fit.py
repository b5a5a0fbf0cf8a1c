"""What the fit of the context learns from whole slides."""

import numpy as np
import pytest
from scipy.special import expit

from cancernet.context.context import slide_point
from cancernet.context.neighbours import Places
from cancernet.measures.decisions import log_odds
from cancernet.training.context_fit import GAIN, fit_context, whole_slides


def slide(name, side, *, seed, shift=0.0, noise=1.5):
    """A slide with a tumour on its left half; scores are the truth, noise and a shift."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side].reshape(2, -1)
    positive = columns < side // 2
    scores = np.where(positive, 1.0, -1.0) + shift + random.normal(0, noise, side**2)
    return 1 / (1 + np.exp(-scores)), positive, Places([name] * side**2, columns, rows)


def joined(slides):
    probability, positive, places = zip(*slides, strict=True)
    return (
        np.concatenate(probability),
        np.concatenate(positive),
        Places(
            np.concatenate([np.array(each.slides) for each in places]),
            np.concatenate([each.columns for each in places]),
            np.concatenate([each.rows for each in places]),
        ),
    )


def test_without_a_whole_slide_the_expectation_stays():
    fitted = fit_context(*slide("a", 3, seed=1), seed=1)
    assert fitted.slides == 0
    assert (fitted.gain, fitted.offset) == pytest.approx((GAIN, 0.0), abs=1e-6)


def test_an_offset_that_all_whole_slides_share_is_learnt():
    slides = [slide(str(seed), 14, seed=seed, shift=1.0) for seed in range(12)]
    fitted = fit_context(*joined(slides), seed=1)
    assert fitted.slides == 12
    assert fitted.offset > 0.5
    probability, positive, places = slide("new", 14, seed=99, shift=1.0)
    right = (fitted.judge(probability, places).probability >= 0.5) == positive
    assert right.mean() > ((probability >= 0.5) == positive).mean() + 0.05


def test_independent_noise_makes_neighbours_surer():
    noisy = [slide(str(seed), 14, seed=seed, noise=2.0) for seed in range(12)]
    assert fit_context(*joined(noisy), seed=1).gain > 1.2


def test_scores_that_lie_lower_as_a_whole_are_judged_lower_by_as_much():
    """As where class weights are taken out: the same calls, and a point of the slide's own."""
    probability, positive, places = joined([slide(str(n), 24, seed=n, noise=2.0) for n in range(2)])
    lower, even = expit(log_odds(probability) - 0.7), -0.7
    plain = fit_context(probability, positive, places, seed=1)
    moved = fit_context(lower, positive, places, seed=1, even=even)
    assert (moved.gain, moved.offset) == pytest.approx((plain.gain, plain.offset), rel=1e-4)
    one, other = plain.judge(probability, places), moved.judge(lower, places)
    np.testing.assert_allclose(
        log_odds(other.probability), log_odds(one.probability) + even, atol=1e-3
    )
    points = (
        slide_point(one.probability, 0.4, plain),
        slide_point(other.probability, expit(log_odds(np.array(0.4)) + even), moved),
    )
    assert np.diff(log_odds(np.array(points))) == pytest.approx(even, abs=1e-6)


def test_patches_sampled_by_class_are_no_whole_slide():
    _, positive, places = slide("a", 14, seed=1)
    kept = np.flatnonzero(positive | (np.arange(196) % 20 == 13))
    assert whole_slides(positive, places) == ["a"]
    assert whole_slides(positive[kept], places.of(kept)) == []
