"""Sentences are made of facts, in one place; nothing else depends on them."""

import dataclasses
import json
import string

import numpy as np
import pytest

from cancernet.base.files import json_text
from cancernet.base.records import EntryError, from_json
from cancernet.config import CALIBRATIONS, RULES, TrainConfig
from cancernet.measures import remarks as words
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Calibration, OperatingPoint, Rule
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.remarks import Kind, remark
from cancernet.measures.scored import Classes, Scored
from tests.helpers.evaluation_examples import assess

BOTH = Classes(classes=("0", "1"), words=("no IDC", "IDC"), positive=("1",))


def test_every_kind_of_remark_has_a_sentence():
    assert set(words.SENTENCES) == set(Kind)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.SENTENCE}))
def test_a_sentence_is_one_or_more_whole_sentences(kind):
    text = words.SENTENCES[kind]
    assert text[0].isupper() or text[0] == "{"
    assert text.endswith(".") and "  " not in text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (remark(Kind.FEW_PATIENTS_FITTED, patients=1), "only 1 patient and may"),
        (remark(Kind.FEW_PATIENTS_FITTED, patients=4), "only 4 patients and may"),
        (remark(Kind.CLASSES_WITHOUT_IMAGES, names=("a", "b")), "averages: a, b."),
        (
            remark(Kind.NO_INTERVAL, figures=("sensitivity", "balanced_accuracy", "f1", "roc_auc")),
            "for sensitivity, balanced accuracy, F1, AUC:",
        ),
        (
            remark(Kind.FEW_PATIENTS, patients=3, with_positives=1, with_negatives=2, level=0.95),
            "The 95 % intervals rest on 3 patients (1 with positives, 2 with negatives)",
        ),
        (
            remark(
                Kind.TEMPERATURE_SHRUNK, patients=1, alone=2.5678, weight=1 / 11, temperature=1.09
            ),
            "The 1 validation patient alone would give a temperature of 2.57; so few patients get "
            "a weight of 9 %, which makes it 1.09.",
        ),
    ],
)
def test_values_stand_in_the_sentence(made, said):
    assert said in words.sentence(made)


@pytest.mark.parametrize(("score", "bad"), [(0.65, False), (0.68, True), (0.32, True)])
def test_probabilities_whose_odds_are_off_by_a_factor_of_two_are_remarked(score, bad):
    images = Scored(
        paths=[f"{n}.png" for n in range(20)],
        patients=[str(n % 4) for n in range(20)],
        truth=np.arange(20) // 10,
        probabilities=np.tile([1 - score, score], (20, 1)),
    )
    found = assess(images, images, BOTH, config=TrainConfig(), resamples=20).remarks
    said = [words.sentence(one) for one in found if one.kind == Kind.BADLY_CALIBRATED]
    assert len(said) == bad
    if bad:
        assert f"on testing is {score:.3f}, where the share of positive images, 0.500, " in said[0]


def test_a_rule_is_said_with_its_number():
    numbers = {"target_sensitivity": 0.9, "cost_ratio": 4.0}
    said = {name: Rule(name, threshold=0.25, **numbers).words for name in RULES}
    assert "at least 0.9" in said["sensitivity"]
    assert "4 false alarms" in said["cost"]
    assert said["fixed"] == "fixed threshold 0.25"
    assert "scale 1 in log odds" in said["smoothed"]
    assert "Youden" in said["youden"]


def test_a_calibration_is_said_with_its_number():
    knots = ((0.1, 0.0), (0.5, 0.5), (0.9, 1.0))
    said = {
        "none": Calibration(method="none"),
        "temperature": Calibration(method="temperature", temperature=1.2345),
        "isotonic": Calibration(method="isotonic", positive=1, knots=knots),
    }
    assert set(said) == set(CALIBRATIONS)
    assert said["none"].words == "none: probabilities as the network gives them"
    assert said["temperature"].words == "temperature 1.23, fitted on validation"
    assert said["isotonic"].words == "isotonic line with 3 corners, fitted on validation"


def test_where_a_threshold_is_from():
    chosen = choose_operating_point(Calls([0, 1], [0.1, 0.9]))
    given = choose_operating_point(Calls([0, 1], [0.1, 0.9]), Rule("fixed", threshold=0.3))
    assert (chosen.chosen_on, chosen.origin) == ("validation", words.CHOSEN)
    assert (given.chosen_on, given.origin) == (None, words.ORIGINS["fixed"])
    assert not chosen.is_fallback and not given.is_fallback


def one_class(label):
    return Scored(
        paths=["a.png", "b.png"],
        patients=["1", "2"],
        truth=np.array([label, label]),
        probabilities=np.array([[0.4, 0.6], [0.7, 0.3]]),
    )


def test_other_sentences_change_no_fact_and_no_figure(monkeypatch):
    def found():
        return assess(one_class(0), one_class(1), BOTH, config=TrainConfig(), resamples=20)

    before = found()
    said = before.warnings
    monkeypatch.setattr(words, "SENTENCES", dict.fromkeys(Kind, "Something else."))
    after = found()
    assert set(after.warnings) == {"Something else."} and len(after.warnings) == len(set(said))
    assert after.remarks == before.remarks
    assert repr(after.testing) == repr(before.testing)
    assert after.operating_point.is_fallback and before.operating_point.is_fallback


def test_a_point_of_an_earlier_version_keeps_its_sentence():
    point = choose_operating_point(Calls([0, 0], [0.1, 0.9]))
    content = json.loads(json_text(point))
    again = from_json(OperatingPoint, content)
    assert again.remarks == point.remarks and again.is_fallback
    del content["remarks"]
    earlier = from_json(OperatingPoint, {**content, "note": "As it was said.", "later": 1})
    assert earlier.note == "As it was said."
    assert earlier.remarks == (remark(Kind.SENTENCE, text="As it was said."),)
    found = dataclasses.replace(
        assess(one_class(0), one_class(1), BOTH, config=TrainConfig(), resamples=20),
        operating_point=earlier,
        remarks=earlier.remarks,
    )
    assert found.warnings == ("As it was said.",)
    with pytest.raises(EntryError, match="`rule_name` is missing"):
        from_json(OperatingPoint, {"threshold": 0.5})


def test_words_are_made_again_on_reading(monkeypatch):
    content = json.loads(json_text(choose_operating_point(Calls([0, 1], [0.9, 0.1]))))
    assert content["rule"] == words.RULES["youden"] and "chance" in content["note"]
    monkeypatch.setitem(words.RULES, "youden", "by the index")
    monkeypatch.setattr(words, "SENTENCES", dict.fromkeys(Kind, "Something else."))
    again = from_json(OperatingPoint, content)
    assert set(again.note.split(". ")) <= {"Something else", "Something else."}
    assert (again.rule, again.others) == ("by the index", {})


def test_a_rule_of_an_earlier_version_keeps_its_words():
    content = json.loads(json_text(choose_operating_point(Calls([0, 1], [0.1, 0.9]))))
    del content["rule_number"]
    earlier = from_json(OperatingPoint, {**content, "rule": "as it was said"})
    assert earlier.rule == "as it was said"
    again = from_json(OperatingPoint, json.loads(json_text(earlier)))
    assert again.rule == "as it was said"


def test_nouns_are_the_only_format_that_is_our_own():
    names = {
        spec
        for text in words.SENTENCES.values()
        for _, _, spec, _ in string.Formatter().parse(text)
        if spec and len(spec) > 1 and spec.replace(" ", "").isalpha()
    }
    assert names == {"patient", "validation patient", "image"}
