"""Learning paradigms (module 1): how many labels each needs, and what it learns without any."""

from sslcourse.paradigms.four_paradigms import (
    Fitted,
    KMeansFeatures,
    bits_per_sample,
    classifier,
    consistency_loss,
    fixmatch,
    gaussian_mixture,
    kmeans,
    kmeans_step,
    pca,
    select_pseudo_labels,
    self_training,
    supervised,
)

__all__ = [
    "Fitted",
    "KMeansFeatures",
    "bits_per_sample",
    "classifier",
    "consistency_loss",
    "fixmatch",
    "gaussian_mixture",
    "kmeans",
    "kmeans_step",
    "pca",
    "select_pseudo_labels",
    "self_training",
    "supervised",
]
