"""A mixture of independent pixels, the simplest rival of an RBM that knows more than how often each pixel is on."""

import torch
from torch import Tensor
from torch.nn import functional as F


def log_joint(v: Tensor, odds: Tensor, weights: Tensor) -> Tensor:
    """log p(v, component), (N,K), of binary v (N,D), with log odds of the pixels (K,D) and log weights (K,)."""
    return v @ odds.T - F.softplus(odds).sum(dim=1) + weights


def fit_mixture(v: Tensor, components: int, steps: int = 30, seed: int = 0) -> tuple[Tensor, Tensor]:
    """EM for a mixture of K components of independent pixels on v (N,D): their log odds (K,D) and log weights (K,).

    Each component starts halfway between a sample drawn with this seed and the mean of all. As in `log_odds`, every
    component counts one made-up sample with all pixels on and one with none.
    """
    chosen = torch.randperm(len(v), generator=torch.Generator().manual_seed(seed))[:components].to(v.device)
    odds = ((v[chosen] + v.mean(dim=0)) / 2).clamp(0.01, 0.99).logit()
    weights = v.new_zeros(components)
    for _ in range(steps):
        share = log_joint(v, odds, weights).softmax(dim=1)  # p(component | v)
        n = share.sum(dim=0)
        odds = ((share.T @ v + 1) / (n[:, None] + 2)).logit()
        weights = ((n + 1) / (len(v) + components)).log()
    return odds, weights


def mixture_log_likelihood(v: Tensor, odds: Tensor, weights: Tensor) -> Tensor:
    """log p(v), (N,), in nats, of binary v (N,D)."""
    return log_joint(v, odds, weights).logsumexp(dim=1)
