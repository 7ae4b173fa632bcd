"""Restricted Boltzmann machines: binary units v and h, with weights between the two layers and none within.

Their energy is E(v, h) = -b.v - c.h - v W h (Smolensky, 1986), and p(v, h) is proportional to exp(-E). Symbols
throughout: v (N,D) visible, h (N,H) hidden, W (D,H), b (D,) visible bias, c (H,) hidden bias; energies in nats.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.data import Data
from sslcourse.errors import CourseError
from sslcourse.training import History
from sslcourse.training.loop import PROBE, bar


def p_hidden(v: Tensor, W: Tensor, c: Tensor) -> Tensor:
    """p(h = 1 | v), (N,H): given the visible units, hidden ones are independent of each other."""
    return torch.addmm(c, v, W).sigmoid_()


def p_visible(h: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """p(v = 1 | h), (N,D): given the hidden units, visible ones are independent of each other."""
    return torch.addmm(b, h, W.T).sigmoid_()


def free_energy(v: Tensor, W: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """F(v) = -log sum_h exp(-E(v, h)), (N,), in nats: p(v) = exp(-F(v)) / Z.

    Source: Freund and Haussler, 1991; the sum over all h factorises into one softplus a hidden unit.
    """
    return -(v @ b) - F.softplus(v @ W + c).sum(dim=1)


def gibbs_step(v: Tensor, W: Tensor, b: Tensor, c: Tensor, u_h: Tensor, u_v: Tensor) -> tuple[Tensor, Tensor]:
    """One step of block Gibbs sampling: v -> h ~ p(h | v) -> a new v ~ p(v | h); returns (h, new v), zeros and ones.

    u_h (N,H) and u_v (N,D) are uniform in [0,1): a unit turns on where its number is below its probability.
    """
    h = p_hidden(v, W, c).gt_(u_h)  # in place: zeros and ones, in the precision of the probabilities
    return h, p_visible(h, W, b).gt_(u_v)


def contrastive_divergence(
    v: Tensor, chain: Tensor, W: Tensor, b: Tensor, c: Tensor, u: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The CD-k update: (dW, db, dc) to be added, times a learning rate, and the visible units at the end of the chain.

    v: (N,D) data. chain: (M,D) visible units from which k = len(u) steps of Gibbs sampling start: v for CD-k (Hinton,
    2002), the end of the last update's chain for persistent CD (Tieleman, 2008). u: pairs (u_h, u_v), see `gibbs_step`.
    """
    for u_h, u_v in u:
        _, chain = gibbs_step(chain, W, b, c, u_h, u_v)
    # Each sample weighs its share of its mean, the chain's negative: one product then gives the means' difference.
    share = torch.cat([v.new_full((len(v), 1), 1 / len(v)), v.new_full((len(chain), 1), -1 / len(chain))])
    both = torch.cat([v, chain])
    h = p_hidden(both, W, c).mul_(share)
    return both.T @ h, (both * share).sum(dim=0), h.sum(dim=0), chain


def log_odds(v: Tensor) -> Tensor:
    """Visible biases (D,) log p/(1-p) that give each pixel alone its frequency p in v (N,D), zeros and ones.

    Two made-up samples join the count, one with every pixel on and one with every pixel off, so that the bias of a
    pixel that is never on, or always, is finite. Source: Hinton, 2012, section 8; the two samples are Laplace's.
    """
    on = v.sum(dim=0)
    return ((on + 1) / (len(v) - on + 1)).log()


def binarised(data: Data) -> Data:
    """The same data set with every pixel black or white, 0 or 255, as RBMs with binary units want it."""
    splits = {name: getattr(data, name) for name in ("train", "val", "test")}
    return replace(data, **{name: replace(s, x=(s.x > 127).to(torch.uint8) * 255) for name, s in splits.items()})


def uniforms(chain: Tensor, hidden: int, k: int, generator: torch.Generator | None = None) -> list:
    """k pairs (u_h, u_v) of uniform numbers for k Gibbs steps from chain (N,D), on its device."""
    like = {"generator": generator, "device": chain.device, "dtype": chain.dtype}
    return [(torch.rand(len(chain), hidden, **like), torch.rand(chain.shape, **like)) for _ in range(k)]


class RBM(nn.Module):
    """A restricted Boltzmann machine with parameters W (D,H), b (D,) and c (H,); as an encoder it gives p(h | v).

    W starts as N(0, 0.01^2) from torch's seed and c at zero (Hinton, 2012, section 8). b starts at zero, too, as in
    scikit-learn; Hinton starts it at the pixels' `log_odds`. `dim` is H.
    """

    def __init__(self, visible: int, hidden: int):
        super().__init__()
        self.dim = hidden
        # No gradients: contrastive divergence is the gradient of no function (Sutskever and Tieleman, 2010).
        self.W = nn.Parameter(0.01 * torch.randn(visible, hidden), requires_grad=False)
        self.b = nn.Parameter(torch.zeros(visible), requires_grad=False)
        self.c = nn.Parameter(torch.zeros(hidden), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features p(h | v), (N,H), of inputs (N,...) in [0,1]."""
        return p_hidden(x.flatten(1), self.W, self.c)

    def reconstruct(self, v: Tensor) -> Tensor:
        """p(v | h) at h = p(h | v), (N,D): up and down once, without sampling."""
        return p_visible(p_hidden(v, self.W, self.c), self.W, self.b)

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v), (N,), in nats."""
        return free_energy(v, self.W, self.b, self.c)

    def sample(self, v: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """The visible units (N,D) of a Gibbs chain that starts at v (N,D), after `steps` steps."""
        for _ in range(steps):
            ((u_h, u_v),) = uniforms(v, self.dim, 1, generator)
            _, v = gibbs_step(v, self.W, self.b, self.c, u_h, u_v)
        return v

    def fit(
        self,
        x: Tensor,
        epochs: int,
        batch_size: int = 10,
        lr: float = 0.1,
        last_lr: float | None = None,
        k: int = 1,
        persistent: bool = False,
        seed: int = 0,
        update: Callable = contrastive_divergence,
        watch: bool = True,
        after: Callable[["RBM"], None] | None = None,
    ) -> History:
        """Train in place by (persistent) CD-k on x (N,D), values in [0,1]; returns the history.

        The learning rate is lr or, where last_lr is given, falls linearly by epochs, to last_lr after the last.
        update: contrastive divergence, or a student's version of it. watch: show a progress bar, and note after each
        epoch the reconstruction's cross-entropy (nats a sample) as loss, and the collapse meters of p(h | v).
        after: called with the machine before the first epoch and after each, for meters of the caller's own.
        Raises CourseError for values outside [0,1] or a batch_size larger than N.
        """
        x = self.checked(x, batch_size)
        generator = torch.Generator(x.device).manual_seed(seed)
        chain, history = x[:batch_size], History()
        after = after or (lambda rbm: None)
        after(self)
        for epoch in bar(epochs, "contrastive divergence", silent=not watch):
            rate = lr if last_lr is None else lr + (last_lr - lr) * epoch / epochs
            for v in x[torch.randperm(len(x), generator=generator, device=x.device)].split(batch_size):
                start = chain if persistent else v
                u = uniforms(start, self.dim, k, generator)
                chain = self.move(update(v, start, self.W, self.b, self.c, u), rate)
            if watch:
                self.note(x[:PROBE], history)
            after(self)
        return history

    def move(self, updated: Sequence[Tensor], rate: float) -> Tensor:
        """Move the parameters by rate times (dW, db, dc); returns the chain, the last of `updated`."""
        *changes, chain = updated
        for parameter, change in zip((self.W, self.b, self.c), changes, strict=True):
            parameter.add_(change, alpha=rate)
        return chain

    def checked(self, x: Tensor, batch_size: int) -> Tensor:
        """x on the parameters' device; CourseError where its shape, its values or batch_size cannot be used."""
        if x.ndim != 2 or x.shape[1] != len(self.b) or not 0 <= x.min() <= x.max() <= 1:
            raise CourseError(f"fit wants a matrix (N,{len(self.b)}) of values in [0,1]; it got {tuple(x.shape)}.")
        if not 1 <= batch_size <= len(x):
            raise CourseError(f"batch_size is {batch_size}; it must lie between 1 and {len(x)}, all samples there are.")
        return x.to(self.W)

    def note(self, v: Tensor, history: History) -> None:
        """Enter the reconstruction's cross-entropy and the collapse meters on v (N,D)."""
        history.loss.append(F.binary_cross_entropy(self.reconstruct(v), v, reduction="sum").item() / len(v))
        history.read_meters(self(v))
