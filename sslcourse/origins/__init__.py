"""Origins (module 2): what was learned without labels before the name self-supervised learning."""

from sslcourse.origins.autoencoders import (
    MLP,
    Autoencoding,
    denoising_loss,
    he_,
    normal_,
    pca_reconstruction,
    reconstruct,
    squared_error,
    train_stack,
    unroll,
    xavier_,
)
from sslcourse.origins.likelihood import ais_log_z, exact_log_z, exact_update, own_samples, pseudo_likelihood
from sslcourse.origins.mixture import fit_mixture, mixture_log_likelihood
from sslcourse.origins.rbm import (
    RBM,
    binarised,
    contrastive_divergence,
    free_energy,
    gibbs_step,
    log_odds,
    p_hidden,
    p_visible,
    uniforms,
)

__all__ = [
    "Autoencoding",
    "MLP",
    "RBM",
    "ais_log_z",
    "binarised",
    "contrastive_divergence",
    "denoising_loss",
    "exact_log_z",
    "exact_update",
    "fit_mixture",
    "free_energy",
    "gibbs_step",
    "he_",
    "log_odds",
    "mixture_log_likelihood",
    "normal_",
    "own_samples",
    "p_hidden",
    "p_visible",
    "pca_reconstruction",
    "pseudo_likelihood",
    "reconstruct",
    "squared_error",
    "train_stack",
    "uniforms",
    "unroll",
    "xavier_",
]
