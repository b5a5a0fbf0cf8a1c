"""Which item of TRIPOD+AI and CLAIM stands where: in the report, the card, or with the author.

TRIPOD+AI: Collins et al. 2024, doi:10.1136/bmj-2023-078378. CLAIM: Mongan et al. 2020,
doi:10.1148/ryai.2020200029, whose numbers are used; its 2024 update counts differently.
The topics are named in our words; read the guidelines themselves for what they ask.

How far the numbers were checked: CLAIM 1-20 against Koçak et al. 2025 (PMC12417908, table
5), 33, 34, 41 and 42 against Wang et al. 2026 (doi:10.1111/jebm.70141); TRIPOD+AI 1-6c
against a public transcript of its checklist, and the number of its items (27) against
tripod-statement.org. The others are numbered as remembered; the page says so.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Item:
    """One item: its number in the guideline, its topic, and where it stands; "" is the author's."""

    number: str
    topic: str
    where: str = ""


TRIPOD_AI = (
    Item("1", "title"),
    Item("2", "abstract"),
    Item("3a", "health-care context and reason for the model"),
    Item("3b", "target population, purpose, intended users"),
    Item("3c", "known inequalities between groups"),
    Item("4", "objectives"),
    Item("5a", "sources of the data", "report: What was asked; model card: Data"),
    Item("5b", "dates of the data"),
    Item("6a", "setting and centres"),
    Item(
        "6b", "who was eligible", "report: Data (files left out, with reasons); the rest is yours"
    ),
    Item("6c", "treatments received"),
    Item("7", "preparation of the data", "report: Data; How to repeat it (Settings)"),
    Item("8a", "outcome and how it was determined", "report: What was asked; the rest is yours"),
    Item("8b", "who determined the outcome"),
    Item("8c", "blinding of the outcome"),
    Item("9a", "choice of predictors", "images only; report: What was asked"),
    Item("9b", "definition of predictors", "report: How to repeat it (Settings)"),
    Item("9c", "who assessed the predictors", "not applicable: the image is the predictor"),
    Item("10", "sample size and its reason", "report: Data (sizes); the reason is yours"),
    Item("11", "missing data", "report: Data (files left out)"),
    Item("12a", "how data were divided", "report: Data"),
    Item("12b", "handling of predictors", "report: How to repeat it (Settings)"),
    Item("12c", "type of model, how it was built", "report: What was asked; Training; Settings"),
    Item("12d", "differences between clusters", "report: Testing patients, the worst first"),
    Item("12e", "measures of performance", "report: Figures; Operating point; Calibration"),
    Item("12f", "updating of the model", "none was done"),
    Item("12g", "how predictions were computed", "run.json; predictions.csv"),
    Item("13", "class imbalance", "report: Settings (class_weights); Calibration"),
    Item("14", "fairness", "evaluate_model.py --subgroups gives the tables; the rest is yours"),
    Item("15", "output of the model and its thresholds", "report: Operating point"),
    Item("16", "differences of training and evaluation data", "report: Data; Audit"),
    Item("17", "ethical approval"),
    Item("18a", "funding"),
    Item("18b", "conflicts of interest"),
    Item("18c", "protocol"),
    Item("18d", "registration"),
    Item(
        "18e", "availability of data", "report: How to repeat it (fingerprint); the rest is yours"
    ),
    Item("18f", "availability of code", "report: How to repeat it (commit, versions)"),
    Item("19", "involvement of patients and the public"),
    Item("20a", "flow of participants", "report: Data"),
    Item("20b", "characteristics of participants", "report: Data (sizes, share of positives)"),
    Item("20c", "comparison of development and evaluation data", "report: Data"),
    Item("21", "participants and events in each analysis", "report: Data"),
    Item("22", "full model", "model.keras, model.onnx, run.json of the run folder"),
    Item(
        "23a",
        "performance with intervals, also of groups",
        "report: Figures; Subgroups (given a table)",
    ),
    Item("23b", "differences between clusters", "report: Testing patients, the worst first"),
    Item("24", "results of updating", "none was done"),
    Item("25", "interpretation"),
    Item("26", "limitations", "report: Limits and intended use; the study's are yours"),
    Item("27a", "handling of poor or missing input", "predict.py names what it cannot read"),
    Item("27b", "what users must know", "report: Limits and intended use; model card"),
    Item("27c", "next steps"),
)

CLAIM = (
    Item("1", "title or abstract names the method"),
    Item("2", "structured abstract"),
    Item("3", "background and intended clinical role"),
    Item("4", "objectives and hypotheses"),
    Item("5", "prospective or retrospective"),
    Item("6", "goal of the study"),
    Item("7", "sources of data", "report: What was asked"),
    Item("8", "eligibility: where, when, who", "report: Data (left out); the rest is yours"),
    Item("9", "preprocessing", "report: How to repeat it (Settings)"),
    Item("10", "selection of subsets", "report: Data"),
    Item("11", "definition of data elements", "report: What was asked"),
    Item("12", "de-identification"),
    Item("13", "missing data", "report: Data (files left out)"),
    Item("14", "reference standard", "report: What was asked; how it was made is yours"),
    Item("15", "reason for the reference standard"),
    Item("16", "who annotated"),
    Item("17", "annotation tools"),
    Item("18", "variability between annotators"),
    Item("19", "intended sample size"),
    Item("20", "assignment to partitions", "report: Data; Audit"),
    Item("21", "level at which partitions are disjoint", "report: Data; Audit"),
    Item("22", "description of the model", "report: What was asked; model.keras"),
    Item("23", "software", "report: How to repeat it (Versions)"),
    Item("24", "initialisation", "report: How to repeat it (seed, Settings)"),
    Item("25", "training", "report: Training; Settings"),
    Item("26", "choice of the final model", "report: Training (epoch kept); Settings (monitor)"),
    Item("27", "ensembles", "none"),
    Item("28", "metrics", "report: Figures"),
    Item("29", "uncertainty and how it was computed", "report: Figures"),
    Item("30", "robustness and sensitivity analysis", "report: Operating point (spread)"),
    Item("31", "explanation of predictions", "predict.py --explain; report: Worst errors"),
    Item("32", "external testing", "evaluate_model.py --run RUN --data DIR; none in this report"),
    Item("33", "flow of cases", "report: Data"),
    Item("34", "characteristics of cases in each partition", "report: Data; the rest is yours"),
    Item("35", "performance on all partitions", "report: Figures (validation and testing)"),
    Item("36", "accuracy with its precision", "report: Figures"),
    Item("37", "analysis of failures", "report: Worst errors; Testing patients, the worst first"),
    Item("38", "limitations", "report: Limits and intended use; the study's are yours"),
    Item("39", "implications for practice"),
    Item("40", "registration"),
    Item("41", "protocol; availability of software", "report: How to repeat it"),
    Item("42", "funding"),
)


@dataclasses.dataclass(frozen=True)
class Guideline:
    """A guideline by name, where it is published, and its items."""

    name: str
    source: str
    items: tuple[Item, ...]

    @property
    def answered(self) -> int:
        """How many items the program answers, in whole or in part."""
        return sum(bool(item.where) for item in self.items)


GUIDELINES = (
    Guideline("TRIPOD+AI", "Collins et al. 2024, doi:10.1136/bmj-2023-078378", TRIPOD_AI),
    Guideline("CLAIM", "Mongan et al. 2020, doi:10.1148/ryai.2020200029", CLAIM),
)
