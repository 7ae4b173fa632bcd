"""scikit-learn's RBM on the same digits with the same settings, and a fair comparison of times."""

import time
from collections.abc import Callable, Mapping

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


def quickest_times(runners: Mapping[str, Callable[[], object]], rounds: int = 6) -> dict[str, float]:
    """Run all runners in turn, `rounds` times; name -> the quickest of its times, in seconds.

    Other work on the machine makes a run slower, never faster. The order rotates from round to round, because the
    threads of the previous runner keep the cores busy for a while.
    """
    names, times = list(runners), {name: [] for name in runners}
    for start in range(rounds):
        for place in range(len(names)):
            name = names[(start + place) % len(names)]
            time.sleep(0.2)
            begin = time.perf_counter()
            runners[name]()
            times[name].append(time.perf_counter() - begin)
    return {name: min(seconds) for name, seconds in times.items()}
