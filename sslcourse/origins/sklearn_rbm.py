"""scikit-learn's RBM on the same digits with the same settings, and a race that is fair to all who run in it."""

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sslcourse.origins.rbm import RBM


def train(x: Tensor, hidden: int, epochs: int, seed: int = 0) -> RBM:
    """An RBM that scikit-learn's BernoulliRBM has trained at its defaults on x (N,D), zeros and ones, on the CPU."""
    from sklearn.neural_network import BernoulliRBM

    found = BernoulliRBM(hidden, learning_rate=0.1, batch_size=10, n_iter=epochs, random_state=seed).fit(x.numpy())
    rbm = RBM(x.shape[1], hidden)
    values = (found.components_.T, found.intercept_visible_, found.intercept_hidden_)
    for parameter, value in zip((rbm.W, rbm.b, rbm.c), values, strict=True):
        parameter.copy_(torch.tensor(value))
    return rbm


def race(runners: Mapping[str, Callable[[], object]], rounds: int = 6) -> dict[str, float]:
    """The quickest of each runner's times in seconds: name -> seconds.

    A machine that is busy with something else makes a run slower, never faster. The order turns from round to round,
    for the threads of whoever ran before keep the cores busy for a while.
    """
    names, found = list(runners), {name: [] for name in runners}
    for start in range(rounds):
        for place in range(len(names)):
            name = names[(start + place) % len(names)]
            time.sleep(0.2)
            begin = time.perf_counter()
            runners[name]()
            found[name].append(time.perf_counter() - begin)
    return {name: min(times) for name, times in found.items()}
