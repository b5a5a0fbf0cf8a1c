"""The newer sections of the report: data flow, audit, worst errors, groups, folds, beside."""

import csv
import dataclasses
import json
import math
import os
import re

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image

from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.base.words import joined
from cancernet.dataset.build_record import read_audit
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Calibration
from cancernet.measures.patients import by_patient, patient_rows
from cancernet.measures.remarks import Kind, remark
from cancernet.report import rendering, sections
from cancernet.report.content import Beside, FlowStep, SlidePicture
from cancernet.report.page import report_page as page
from cancernet.report.page import write_patients
from cancernet.report.rendering import heat_map_of
from cancernet.report.sections import surest_wrong
from cancernet.report.terminal import summary
from tests.helpers.evaluation_examples import assessed, report_content, scored

pytestmark = pytest.mark.usefixtures("undrawn")


def flow():
    return [
        FlowStep(name=name, patients=4, images=10, positives=5)
        for name in ("training", "validation", "testing")
    ]


def told_first(content):
    """The sentence at the top of a report, as one line of text."""
    found = re.search('<p class="said">(.*?)</p>', page(content), re.DOTALL)
    return " ".join(re.sub("<.*?>", "", found[1]).split())


def test_the_report_begins_with_how_good_it_is_and_for_whom():
    content = report_content()
    testing, limits = content.assessment.testing, content.assessment.intervals["testing"].limits
    low, high = limits["specificity"]
    shares = testing.sensitivity, *limits["sensitivity"], 1 - testing.specificity, 1 - high, 1 - low
    by_patient = [row.sensitivity for row in content.assessment.per_patient]
    assert told_first(content) == (
        "On images like these, of patients not used to train it, the model finds "
        "{:.0f} of 100 IDC images (95 % interval {:.0f} to {:.0f}) and wrongly calls "
        "{:.0f} of 100 other images IDC ({:.0f} to {:.0f}). "
        "On average over patients, it finds {:.0f} of 100 IDC images of a patient.".format(
            *(100 * share for share in (*shares, sum(by_patient) / len(by_patient)))
        )
    )
    assert told_first(report_content(leak="LEAK", drawn=True)).startswith(
        "On drawn images like these, some of which it knew from training, so that it seems better"
    )


def test_of_several_classes_the_report_says_how_often_the_right_one_is_named():
    content = report_content(4)
    counts = sections.testing_counts(content.assessment)
    recalls = [row[place] / sum(row) for place, row in enumerate(counts.tolist())]
    shares = sections.named_right(content)
    assert [share.value for share in shares] == pytest.approx(
        [counts.trace() / counts.sum(), sum(recalls) / 4]
    )
    said = (
        "Of the 4 classes it names the right one for {:.0f} of 100 images (95 % interval {:.0f} to "
        "{:.0f}), and for {:.0f} of 100 on average over the classes ({:.0f} to {:.0f})."
    )
    numbers = [100 * each for share in shares for each in (share.value, *share.limits)]
    assert said.format(*numbers) in told_first(content)


def test_the_report_says_who_chose_and_who_judged_and_how_far_scores_are_off():
    content = report_content()
    text = " ".join(page(content).split())
    told = f"used to choose {joined(content.chosen)}; testing patients only to judge the"
    assert content.chosen and f"{told} result, once." in text
    again = page(dataclasses.replace(content, judged_again=True))
    assert "only to judge the result." in " ".join(again.split())
    calls = content.assessment.calls()
    off = f"they average {calls.score.mean():.2f} where {calls.truth.mean():.2f} of the images"
    assert off in text
    badly = remark(Kind.BADLY_CALIBRATED, mean=0.6, share=0.3, in_the_large=1.3)
    assessment = dataclasses.replace(content.assessment, remarks=(badly,))
    badly_off = page(dataclasses.replace(content, assessment=assessment))
    assert "cannot be taken at face value" in badly_off and "they average" not in badly_off


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("method", "balance", "where"),
    [
        ("temperature", 0.0, "in training."),
        ("temperature", 1.0, "in training with balanced patients."),
        ("isotonic", 1.0, "in validation."),
    ],
)
def test_the_report_says_for_which_share_of_positives_probabilities_hold(method, balance, where):
    fit = Calibration(method=method, positive=1, knots=((0.0, 0.0),), shares=(0.75, 0.25))
    content = report_content(settings={"patient_balance": balance})
    assessment = dataclasses.replace(content.assessment, calibration=fit)
    text = " ".join(page(dataclasses.replace(content, assessment=assessment)).split())
    assert f"hold where about 25 % of the images are positive, as {where}" in text


@pytest.mark.parametrize(
    ("missing", "said", "end"),
    [("specificity", "finds", "no others."), ("sensitivity", "wrongly", "no IDC images.")],
)
def test_of_one_class_the_report_says_what_is_missing(missing, said, end):
    content = report_content()
    testing = dataclasses.replace(content.assessment.testing, **{missing: math.nan})
    assessment = dataclasses.replace(content.assessment, testing=testing)
    told = told_first(dataclasses.replace(content, assessment=assessment))
    assert f"; testing has {end}" in told and "undefined" not in told
    assert told.partition(";")[0].count("of 100") == 1 and said in told


def test_a_patient_with_many_images_does_not_hide_the_others():
    """One patient has half of the positive images, all found; of the other two one has none."""
    calls = Calls(
        truth=np.array([1] * 6 + [1, 1, 0] + [1, 1, 0]),
        score=np.array([0.9] * 6 + [0.9, 0.1, 0.1] + [0.2, 0.2, 0.1]),
        threshold=0.5,
        patients=["a"] * 6 + ["b"] * 3 + ["c"] * 3,
    )
    assessment = dataclasses.replace(report_content().assessment, per_patient=patient_rows(calls))
    found = by_patient(patient_rows(calls))
    assert (found.with_positives, found.none_found, found.several_images) == (3, 1, True)
    assert found.mean_sensitivity == pytest.approx((1 + 0.5 + 0) / 3)
    content = dataclasses.replace(report_content(), assessment=assessment)
    said = (
        "it finds 50 of 100 IDC images of a patient; "
        "in 1 of 3 patients with IDC images it finds none."
    )
    assert told_first(content).endswith(said)


def test_a_ranking_that_may_be_chance_is_said_to_be():
    content = report_content()
    intervals = content.assessment.intervals["testing"]
    limits = dataclasses.replace(intervals, limits={**intervals.limits, "roc_auc": (0.4, 0.6)})
    assessment = dataclasses.replace(
        content.assessment, intervals={**content.assessment.intervals, "testing": limits}
    )
    chance = dataclasses.replace(content, assessment=assessment)
    assert "chance" not in told_first(content) and "better than chance does" in told_first(chance)


def test_the_data_flow_adds_up():
    found = page(report_content(flow=flow(), left_out={"a mask, not a scan": 7}))
    assert "37 files" in found  # found = 30 used + 7 left out
    assert "left out: 7 files" in found and "7 a mask, not a scan" in found


def test_the_audit_is_shown_or_said_to_be_missing():
    assert "No audit was recorded" in page(report_content())
    checks = [CheckVerdict("near duplicates", Verdict.LEAK, "12 pairs <b> across splits")]
    found = page(report_content(audit=checks, leak="LEAK: near duplicates"))
    assert "12 pairs &lt;b&gt; across splits" in found and "Leaking split" in found
    assert '<td class="bad">LEAK</td>' in found


def test_an_audit_of_the_set_as_it_is_now(tmp_path):
    folder, report = tmp_path / "idc", tmp_path / "idc.audit"
    folder.mkdir()
    report.mkdir()
    assert read_audit(folder) == []
    (folder / "build.json").write_text("{}")
    entry = {"name": "groups", "verdict": "ok", "sentence": "none", "findings": []}
    (report / "audit.json").write_text(json.dumps({"checks": [entry]}))
    assert read_audit(folder) == [CheckVerdict("groups", Verdict.OK, "none")]
    later = (report / "audit.json").stat().st_mtime + 10
    os.utime(folder / "build.json", (later, later))
    assert read_audit(folder) == []  # built again since
    (report / "audit.json").write_text("{")
    os.utime(report / "audit.json", (later + 1, later + 1))
    assert read_audit(folder) == []


def test_the_surest_wrong_calls_by_a_plain_loop():
    images, (*_, assessment) = scored(5), assessed()
    for threshold in (0.4, np.where(np.arange(240) % 2, 0.2, 0.6)):
        scores = dataclasses.replace(
            assessment,
            scored={"testing": images},
            thresholds={"testing": np.broadcast_to(threshold, 240)},
        )
        missed, alarms = surest_wrong(scores, each=5)
        each = np.broadcast_to(threshold, 240)
        rows = list(zip(images.probabilities[:, 1], images.truth, each, images.paths, strict=True))
        wrong = sorted((s, p) for s, t, limit, p in rows if t == 1 and s < limit)
        assert [(call.score, call.path) for call in missed] == few_a_patient(wrong, images)
        false = sorted(((s, p) for s, t, limit, p in rows if t == 0 and s >= limit), reverse=True)
        assert [(call.score, call.path) for call in alarms] == few_a_patient(false, images)


def few_a_patient(rows, images):
    """The first five with at most three of one patient."""
    patient_of = dict(zip(images.paths, images.patients, strict=True))
    kept = []
    for row in rows:
        same = [one for one in kept if patient_of[one[1]] == patient_of[row[1]]]
        kept += [row] if len(same) < 3 and len(kept) < 5 else []
    return kept


def test_worst_errors_are_in_the_page_with_their_heat_maps(tmp_path):
    content = report_content()
    missed, alarms = surest_wrong(content.assessment)
    for call in [*missed, *alarms]:
        file = tmp_path / "data" / call.path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (50, 50), (200, 0, 90)).save(file)
    (tmp_path / "data" / missed[1].path).unlink()  # one that is gone leaves its caption
    explained = tmp_path / "run" / "explained"
    explained.mkdir(parents=True)
    Image.new("RGB", (50, 50)).save(explained / "map.png")
    line = json.dumps({"path": f"else/{missed[0].path}", "overlay": "map.png"})
    (explained / "explanations.jsonl").write_text(line + "\n{cut")
    look_up = heat_map_of(tmp_path / "run")
    assert look_up(missed[0].path) == explained / "map.png" and look_up("other.png") is None
    found = page(report_content(image_folder=tmp_path / "data", heat_map=look_up))
    assert found.count("data:image/png;base64,") == len(missed) + len(alarms)  # - 1 gone, + 1 map
    assert f"patient {missed[1].patient}" in found
    assert "Worst errors" not in page(content)


def test_two_images_of_one_name_have_no_map(tmp_path):
    (tmp_path / "explained").mkdir()
    lines = [json.dumps({"path": f"{n}/same.png", "overlay": f"{n}.png"}) for n in (1, 2)]
    (tmp_path / "explained" / "explanations.jsonl").write_text("\n".join(lines))
    for n in (1, 2):
        Image.new("RGB", (5, 5)).save(tmp_path / "explained" / f"{n}.png")
    assert heat_map_of(tmp_path)("1/same.png") is None


def test_another_run_stands_beside_with_its_leak():
    content = report_content()
    other = Beside(
        name="shuffled",
        split_method="by image",
        leak="LEAK: 18 of 19 patients",
        metrics={**content.assessment.testing, "roc_auc": 0.987},
        limits=content.assessment.intervals["testing"].limits,
    )
    found = page(report_content(beside=[other]))
    for words in ("Side by side", "shuffled", "LEAK: 18 of 19 patients", "0.987", "not paired"):
        assert words in found


def test_patients_with_their_scores_by_a_plain_loop(tmp_path):
    content = report_content()
    write_patients(content, tmp_path)
    with open(tmp_path / "patients.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    accuracies = [float(row["accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies) and len(rows) == 12
    testing = content.assessment.scored["testing"]
    score, point = testing.probabilities[:, 1], content.assessment.operating_point
    for row in rows:
        own = np.array([who == row["patient"] for who in testing.patients])
        assert float(row["area_fraction"]) == (score[own] >= point.threshold).mean()
        assert float(row["mean_score"]) == pytest.approx(score[own].mean())
        assert float(row["mean_of_the_top_10"]) == pytest.approx(np.sort(score[own])[-10:].mean())
    assert "mean of top 10" in page(content)


def test_slide_maps_say_what_they_show(tmp_path):
    Image.new("RGB", (90, 30), (200, 0, 90)).save(tmp_path / "slide.png")
    slide = SlidePicture(
        path=tmp_path / "slide.png", patient="<7>", patches=1234, labelled=0.25, called=0.125,
        patients=3,
    )  # fmt: skip
    found = page(report_content(slides=[slide]))
    caption = (
        "Patient &lt;7&gt;, 1,234 patches: IDC labelled in 25.0\u00a0% of the area, "
        "called in 12.5\u00a0%."
    )
    assert caption in found and "data:image/jpeg;base64," in found
    assert "The 1 of 3 testing patients with the most patches." in found


def test_every_template_is_well_formed_and_misses_nothing_silently():
    environment = rendering._environment()
    assert {"report.html.j2", "audit.html.j2", "model_card.md.j2"} <= set(
        environment.list_templates()
    )
    for name in environment.list_templates():
        environment.get_template(name)
    with pytest.raises(UndefinedError, match="is undefined"):
        rendering.render("comparison.html.j2", title="<b>")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (rendering.number(math.nan), "undefined"),
        (rendering.number(0.98765, 2), "0.99"),
        (rendering.interval((math.nan, math.nan)), "—"),
        (rendering.interval((0.1, 0.25)), "[0.100, 0.250]"),
        (rendering.signed(-0.05), "−0.050"),
        (rendering.signed_interval((-0.1, 0.2)), "[−0.100, +0.200]"),
        (rendering.percent(0.5), "50.0\u00a0%"),
        (rendering.percent(math.nan), "undefined"),
        (rendering.plain(None), "—"),
        (rendering.plain(12345), "12,345"),
        (rendering.plain(True), "True"),
        (rendering.plain(0.5), "0.5"),
        (joined(["a"]), "a"),
        (joined(["a", "b", "c"]), "a, b and c"),
        (rendering.markdown("a|b\n<i>"), "a\\|b \\<i\\>"),
    ],
)
def test_numbers_look_the_same_everywhere(shown, expected):
    assert shown == expected


@pytest.mark.parametrize("classes", [2, 4])
def test_the_summary_of_a_training_fits_a_terminal(classes):
    *_, assessment = assessed(classes)
    places = {"Run": "output/x", "Next": "python predict.py image.png --run output/x"}
    few = remark(Kind.FEW_PATIENTS_CHOSE, with_positives=2, with_negatives=2)
    also = remark(Kind.FEW_PATIENTS, level=0.95, patients=3, with_positives=2, with_negatives=2)
    none = remark(Kind.NO_INTERVAL, figures=("f1", "mcc", "roc_auc", "brier", "precision"))
    assessment = dataclasses.replace(assessment, remarks=(few, also, none))
    lines = summary(assessment, unit="source", in_context=True, places=places).splitlines()
    assert len(lines) == 11 and max(map(len, lines)) <= 80
    assert lines[:3] == [
        "warning: few sources: on other sources these figures may differ considerably.",
        "warning: no interval is given for F1, Matthews correlation, AUC and 2 more.",
        "-" * 79,
    ]
    assert lines[3].endswith("  240 images of 12 sources, judged in context")
    assert [line.split()[0] for line in lines[4:7]] == ["Sensitivity", "Specificity", "AUC"]
    assert lines[9].endswith("python predict.py image.png --run output/x")
