"""Adaptation: a new output module g_phi on a labeled target, always beside raw input, random init and supervised.

From what leaves theta* alone to what moves it: prototypes and neighbours, a linear probe, low-rank adapters, all of it.
"""

from sslcourse.adaptation.adapters import add_lora, lora
from sslcourse.adaptation.explained import explained
from sslcourse.adaptation.finetune import (
    accuracy,
    fine_tune,
    fine_tune_step,
    fit,
    head_gradients,
    learned,
)
from sslcourse.adaptation.frozen import Frozen, linear_probe
from sslcourse.adaptation.labels import few_labels, in_all, label_budgets, labeled_rows, min_labels
from sslcourse.adaptation.nearest import by_neighbours, by_prototypes, prototypes
from sslcourse.adaptation.one_shot import (
    one_shot,
    one_shot_references,
    one_shots,
    recognition,
    supervised_on_one,
    whitened,
)
from sslcourse.adaptation.probe import Result
from sslcourse.adaptation.references import budgets, references
from sslcourse.adaptation.supervised import supervised

__all__ = [
    "Frozen",
    "Result",
    "accuracy",
    "add_lora",
    "budgets",
    "by_neighbours",
    "by_prototypes",
    "explained",
    "few_labels",
    "fine_tune",
    "fine_tune_step",
    "fit",
    "head_gradients",
    "in_all",
    "label_budgets",
    "labeled_rows",
    "learned",
    "linear_probe",
    "lora",
    "min_labels",
    "one_shot",
    "one_shot_references",
    "one_shots",
    "prototypes",
    "recognition",
    "references",
    "supervised",
    "supervised_on_one",
    "whitened",
]
