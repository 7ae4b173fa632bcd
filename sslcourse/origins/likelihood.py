"""The likelihood of data under an RBM: exact for a small one, by annealed importance sampling, or pixel by pixel."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.origins.rbm import RBM, p_hidden, p_visible

LARGEST = 20  # number H of hidden units whose 2^H states are enumerated
CHUNK = 2**13  # hidden states computed at a time


def hidden_states(hidden: int) -> Tensor:
    """All 2^H states of H hidden units, (2^H, H), in float64; a CourseError for more than LARGEST units."""
    if hidden > LARGEST:
        raise CourseError(f"2^{hidden} hidden states are too many to enumerate; {LARGEST} units are the most.")
    return (torch.arange(2**hidden)[:, None] >> torch.arange(hidden) & 1).double()


def log_weights(h: Tensor, W: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """log sum_v exp(-E(v, h)) = c.h + sum_i log(1 + exp(b_i + W_i h)) for states h (S,H): (S,), in nats."""
    return h @ c + F.softplus(torch.addmm(b, h, W.T)).sum(dim=1)


def exact_log_z(rbm: RBM) -> float:
    """log Z, in nats, as a sum over all 2^H hidden states, in float64.

    Raises CourseError for more than LARGEST hidden units.
    """
    W, b, c = (p.cpu().double() for p in (rbm.W, rbm.b, rbm.c))  # not every accelerator has float64
    terms = [log_weights(h, W, b, c) for h in hidden_states(rbm.dim).split(CHUNK)]
    return torch.cat(terms).logsumexp(dim=0).item()


def exact_update(
    v: Tensor, chain: Tensor, W: Tensor, b: Tensor, c: Tensor, u: Sequence = ()
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradient of the mean log p(v) of data v (N,D), exactly, in the form of `contrastive_divergence`.

    Its negative phase is the model's own mean, over all 2^H hidden states; chain comes back as it is, and u is unused.
    Raises CourseError for more than LARGEST hidden units.
    """
    h = hidden_states(len(c)).to(W)
    p = log_weights(h, W, b, c).softmax(dim=0)[:, None]  # p(h), (S,1)
    on = p * p_visible(h, W, b)  # p(h) p(v | h)
    h_data = p_hidden(v, W, c)
    dW = v.T @ h_data / len(v) - on.T @ h
    return dW, v.mean(dim=0) - on.sum(dim=0), h_data.mean(dim=0) - (p * h).sum(dim=0), chain


def own_samples(rbm: RBM, n: int, generator: torch.Generator | None = None) -> Tensor:
    """n independent samples (n,D) of v from p(v): h from all 2^H states by their probability, then v from p(v | h).

    Raises CourseError for more than LARGEST hidden units.
    """
    states = hidden_states(rbm.dim).to(rbm.W)
    p = log_weights(states, rbm.W, rbm.b, rbm.c).softmax(dim=0)
    h = states[p.multinomial(n, replacement=True, generator=generator)]
    p_v = p_visible(h, rbm.W, rbm.b)
    return (torch.rand(p_v.shape, generator=generator, device=p_v.device) < p_v).to(p_v)


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
