"""The likelihood of data under an RBM: exact for a small one, by annealed importance sampling, or pixel by pixel."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.origins.rbm import RBM

LARGEST = 20  # number H of hidden units whose 2^H states are enumerated
CHUNK = 2**13  # hidden states computed at a time


def exact_log_z(rbm: RBM) -> float:
    """log Z = log sum_h exp(c.h) prod_i (1 + exp(b_i + W_i h)), in nats, over all 2^H hidden states, in float64.

    Raises CourseError for more than LARGEST hidden units.
    """
    if rbm.dim > LARGEST:
        raise CourseError(f"2^{rbm.dim} hidden states are too many to enumerate; {LARGEST} units are the most.")
    W, b, c = (p.cpu().double() for p in (rbm.W, rbm.b, rbm.c))  # not every accelerator has float64
    bits = torch.arange(rbm.dim)
    terms = []
    for states in torch.arange(2**rbm.dim).split(CHUNK):
        h = (states[:, None] >> bits & 1).double()
        terms.append(h @ c + F.softplus(b + h @ W.T).sum(dim=1))
    return torch.cat(terms).logsumexp(dim=0).item()


def base_rates(x: Tensor) -> Tensor:
    """Visible biases (D,) of independent pixels with the frequencies that they have in x (N,D): where AIS starts.

    One count is added to both values of each pixel, so that no probability is 0 or 1.
    """
    on = x.sum(dim=0)
    return ((on + 1) / (len(x) - on + 1)).log()


def ais_log_z(
    rbm: RBM, base: Tensor, temperatures: int = 1000, chains: int = 100, generator: torch.Generator | None = None
) -> tuple[float, float]:
    """Annealed importance sampling: an estimate of log Z, in nats, and its standard error.

    Chains start at independent pixels with biases `base` (D,), whose Z is known, and reach the RBM in `temperatures`
    steps, evenly spaced in inverse temperature beta. The mean weight is unbiased for Z, so its logarithm tends to be
    too low: far too low, with a small standard error, where no chain reaches a region that holds most of Z.
    Source: Salakhutdinov and Murray, 2008, section 3; the standard error is the delta method's.
    """
    W, b, c = rbm.W, rbm.b, rbm.c
    base = base.to(W)
    like = {"generator": generator, "device": W.device}
    v = (torch.rand(chains, len(b), **like) < base.sigmoid()).to(W)
    log_w = torch.zeros(chains, device=W.device)
    betas = torch.linspace(0, 1, temperatures + 1).tolist()
    for before, beta in zip(betas, betas[1:], strict=False):
        a = torch.addmm(c, v, W)
        bias = (beta - before) * (v @ (b - base))
        log_w += bias + (F.softplus(beta * a) - F.softplus(before * a)).sum(dim=1)
        h = (torch.rand(a.shape, **like) < (beta * a).sigmoid()).to(W)
        p = torch.sigmoid((1 - beta) * base + beta * torch.addmm(b, h, W.T))
        v = (torch.rand(p.shape, **like) < p).to(W)
    log_z = rbm.dim * math.log(2) + F.softplus(base.cpu().double()).sum().item()
    log_w = log_w.cpu().double()
    w = (log_w - log_w.max()).exp()
    error = (w.std() / w.mean()).item() / math.sqrt(chains)
    return log_z + log_w.max().item() + w.mean().log().item(), error


def pseudo_likelihood(rbm: RBM, v: Tensor) -> Tensor:
    """sum_i log p(v_i | all other pixels), (N,), in nats, exactly: each pixel i of binary v (N,D) is flipped once.

    Source: Besag, 1975. With F' the free energy after the flip, log p(v_i | others) = -softplus(F - F').
    """
    v = v.to(rbm.W)
    a = torch.addmm(rbm.c, v, rbm.W)
    unflipped = F.softplus(a).sum(dim=1)
    total = torch.zeros(len(v), device=v.device)
    for i in range(v.shape[1]):
        sign = 1 - 2 * v[:, i : i + 1]  # +1 turns the pixel on
        flipped = F.softplus(a + sign * rbm.W[i]).sum(dim=1) + sign[:, 0] * rbm.b[i]
        total -= F.softplus(flipped - unflipped)
    return total
