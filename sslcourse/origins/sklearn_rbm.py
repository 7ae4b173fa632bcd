"""scikit-learn's RBM, in the form of ours."""

import torch
from torch import Tensor

from sslcourse.origins.rbm import RBM


def train(x: Tensor, hidden: int, epochs: int, seed: int = 0) -> RBM:
    """An RBM with what scikit-learn's BernoulliRBM, at its defaults, learned of x (N,D), zeros and ones, on the CPU."""
    from sklearn.neural_network import BernoulliRBM

    fitted = BernoulliRBM(hidden, learning_rate=0.1, batch_size=10, n_iter=epochs, random_state=seed).fit(x.numpy())
    rbm = RBM(x.shape[1], hidden)
    values = (fitted.components_.T, fitted.intercept_visible_, fitted.intercept_hidden_)
    for parameter, value in zip((rbm.W, rbm.b, rbm.c), values, strict=True):
        parameter.copy_(torch.tensor(value))
    return rbm
