"""Measures of a representation: collapse, alignment and uniformity, invariance."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.devices import autocast


def to_float(x: Tensor) -> Tensor:
    """uint8 images -> float in [0,1]; anything else (tokens, floats) unchanged."""
    return x.float() / 255 if x.dtype == torch.uint8 else x


@torch.no_grad()
def embed(encoder: nn.Module, x: Tensor, batch_size: int = 1024) -> Tensor:
    """Features (N,D) float32 of raw inputs x (N,...), in evaluation mode, on the encoder's device."""
    device = next(encoder.parameters(), x).device  # nn.Flatten, the raw input's encoder, has no parameters
    modes = {module: module.training for module in encoder.modules()}
    encoder.eval()
    try:
        with autocast(device):
            return torch.cat([encoder(to_float(rows.to(device))).float() for rows in x.split(batch_size)])
    finally:
        for module, mode in modes.items():  # one by one: a frozen batch normalisation stays in evaluation mode
            module.training = mode


def feature_std(features: Tensor) -> Tensor:
    """Collapse meter: standard deviation of the L2-normalised features (N,D), mean over dimensions, times sqrt(D).

    1 when directions are spread evenly over the sphere, 0 when all are equal. Source: Chen and He, 2021 (SimSiam),
    section 4.1.
    """
    return F.normalize(features, dim=1).std(dim=0).mean() * features.shape[1] ** 0.5


def effective_rank(features: Tensor) -> Tensor:
    """Collapse meter: exp of the entropy of the normalised singular values of the centred features (N,D): 1 to D.

    Source: Roy and Vetterli, 2007, "The effective rank"; it falls when dimensions collapse one by one.
    """
    s = torch.linalg.svdvals((features - features.mean(dim=0)).cpu())  # not every accelerator has an SVD
    p = s / s.sum().clamp(min=torch.finfo(s.dtype).tiny)
    return torch.exp(torch.special.entr(p).sum())


def alignment(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance of L2-normalised partners a, b (N,D); 0 is best.

    Source: Wang and Isola, 2020, section 4.
    """
    return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1).mean()


def uniformity(v: Tensor) -> Tensor:
    """Log of the mean Gaussian potential (t = 2) of L2-normalised rows v (N,D); lower is more uniform, 0 is collapse.

    Source: Wang and Isola, 2020, section 4.
    """
    return torch.pdist(F.normalize(v, dim=1)).square().mul(-2).exp().mean().log()


def invariance(encoder: nn.Module, x: Tensor, changed: Tensor) -> Tensor:
    """Mean centred cosine similarity, a scalar, of the features of x and of its changed version, both raw (N,C,H,W)."""
    return centred_cosine(embed(encoder, x), embed(encoder, changed)).mean()


def centred_cosine(before: Tensor, after: Tensor) -> Tensor:
    """Cosine similarity (N,) of features (N,D) before and after a change, both less the mean feature before it.

    With that mean left in, an encoder whose features hardly differ between inputs would look invariant.
    """
    mean = before.mean(dim=0)
    return F.cosine_similarity(before - mean, after - mean)


def factor_invariance(h: Callable, render: Callable, factors: dict[str, Tensor], name: str, order: Tensor) -> Tensor:
    """How similar features stay when one factor changes: 1 where they do not depend on it, about 0 at random.

    h: pictures (N,...) -> features (N,D). render(**factors) draws the pictures, factors: name -> (N,). Sample i is
    given sample order[i]'s value of the factor `name`. Returns the mean over samples of `centred_cosine` before and
    after. Compare Goodfellow et al., 2009.
    """
    changed = factors | {name: factors[name][order]}
    return centred_cosine(h(render(**factors)), h(render(**changed))).mean()
