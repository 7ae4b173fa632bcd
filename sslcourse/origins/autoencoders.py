"""Autoencoders: an encoder h_theta maps the input to a short code, a decoder k_gamma maps the code back.

Symbols throughout: x (N,D) inputs in [0,1], d code units. Of RBM l in a stack, as in rbm.py: W[l] (D_l,H_l), visible
bias b[l] (D_l,), hidden bias c[l] (H_l,), with H_l = D_(l+1).
"""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse.data import Data
from sslcourse.devices import full_precision
from sslcourse.origins.rbm import RBM, p_hidden, p_visible
from sslcourse.training import PretextTask, channels

Layers = list[tuple[Tensor, Tensor]]  # (weight, bias) of each layer, as F.linear and nn.Linear hold them


def pca_reconstruction(x: Tensor, x_new: Tensor, k: int) -> Tensor:
    """Reconstructions (M,D) of the rows of x_new (M,D) from the first k principal components of x (N,D).

    The best that any linear encoder and decoder with k code units can do on x, in squared error (Eckart and Young,
    1936; Baldi and Hornik, 1989). k is at most min(N, D).
    """
    mean = x.mean(dim=0)
    components = torch.linalg.svd(x - mean, full_matrices=False).Vh[:k]
    return mean + (x_new - mean) @ components.T @ components


def unroll(W: Sequence[Tensor], b: Sequence[Tensor], c: Sequence[Tensor]) -> tuple[Layers, Layers]:
    """A stack of RBMs as an autoencoder: (encoder's layers, decoder's layers), each a (weight (out,in), bias (out,)).

    The encoder goes up the stack by p(h | v), the decoder down by p(v | h) in the opposite order.
    Source: Hinton and Salakhutdinov, 2006, figure 1.
    """
    encoder = [(weight.T, hidden) for weight, hidden in zip(W, c, strict=True)]
    decoder = [(weight, visible) for weight, visible in zip(W, b, strict=True)]
    return encoder, decoder[::-1]


def denoising_loss(x: Tensor, u: Tensor, destroyed: float, encode: Callable, decode: Callable) -> Tensor:
    """Cross-entropy of the clean x (N,D) and its reconstruction from a damaged copy: mean over samples, in nats.

    A pixel is set to zero where its uniform number u (N,D) in [0,1) is below `destroyed`; 0 makes it the ordinary
    autoencoder's loss. decode gives logits. Source: Vincent et al., 2008, section 2.3.
    """
    damaged = x.masked_fill(u < destroyed, 0)
    logits = decode(encode(damaged))
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


class MLP(nn.Module):
    """Fully connected layers of these sizes, with an activation after each but the last: (N,...) -> (N,sizes[-1]).

    It always computes in float32: units of a deep sigmoid net hardly differ from 1/2, too little for bf16 to resolve.
    """

    def __init__(self, sizes: Sequence[int], activation: type[nn.Module] = nn.Sigmoid):
        super().__init__()
        self.dim = sizes[-1]
        pairs = zip(sizes, sizes[1:], strict=False)
        layers = [layer for pair in pairs for layer in (nn.Linear(*pair), activation())]
        self.layers = nn.Sequential(nn.Flatten(), *layers[:-1])

    @property
    def linear(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x.device):
            return self.layers(x.float())

    @torch.no_grad()
    def set(self, layers: Layers) -> "MLP":
        """Copy in these weights and biases, layer by layer; returns itself."""
        for layer, (weight, bias) in zip(self.linear, layers, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        return self


class Autoencoding(PretextTask):
    """Reconstruct the input from its code, after a share `destroyed` of its pixels has been set to zero.

    It is a denoising autoencoder where `destroyed` is above 0, and an ordinary one where it is 0. sizes: the encoder's,
    from input to code; the head k_gamma is a decoder with the same sizes in reverse. criterion: `denoising_loss`, or a
    student's version of it, which runs encoder and decoder itself.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        destroyed: float = 0.0,
        criterion: Callable = denoising_loss,
        activation: type[nn.Module] = nn.Sigmoid,
    ):
        super().__init__()
        self.head = MLP(sizes[::-1], activation)
        self.destroyed, self.criterion = destroyed, criterion

    @classmethod
    def on(cls, data: Data, **settings: float) -> tuple[nn.Module, Self]:
        pixels = channels(data, cls.__name__) * data.train.x[0, 0].numel()
        encoder = xavier_(MLP((pixels, 500, 250, 30), nn.ReLU))
        return encoder, cls((pixels, 500, 250, 30), activation=nn.ReLU, **settings)

    def make(self, x: Tensor, generator: torch.Generator | None) -> tuple[tuple[Tensor, Tensor], None]:
        """The input is its own pseudo-label; the numbers u beside it decide which pixels are destroyed."""
        x = x.flatten(1)
        device = generator.device if generator is not None else x.device
        u = torch.rand(x.shape, generator=generator, device=device).to(x.device)
        return (x, u), None

    def forward(self, encoder: nn.Module, inputs: tuple[Tensor, Tensor]) -> Tensor:
        return self.criterion(*inputs, self.destroyed, encoder, self.head)

    def loss(self, prediction: Tensor, z: None) -> Tensor:
        return prediction


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Squared error of images (N,D), pixels in [0,1]: summed over pixels, mean over images."""
    return (x - reconstruction).square().sum(dim=1).mean()


@torch.no_grad()
def reconstruct(encoder: nn.Module, decoder: nn.Module, x: Tensor) -> Tensor:
    """Reconstructions (N,D), pixels in [0,1], of inputs (N,...)."""
    return decoder(encoder(x)).sigmoid()


@torch.no_grad()
def normal_(mlp: MLP, std: float) -> MLP:
    """Weights N(0, std^2), biases zero, in place."""
    for layer in mlp.linear:
        layer.weight.normal_(0, std)
        layer.bias.zero_()
    return mlp


@torch.no_grad()
def xavier_(mlp: MLP, gain: float = 1.0) -> MLP:
    """Weights that keep the signal's variance from layer to layer, biases zero, in place.

    Source: Glorot and Bengio, 2010, equation 16, for units of slope 1 at zero. A sigmoid's slope is 1/4, hence gain 4
    (Bengio, 2012, section 2.3.2).
    """
    for layer in mlp.linear:
        nn.init.xavier_uniform_(layer.weight, gain)
        layer.bias.zero_()
    return mlp


@torch.no_grad()
def he_(mlp: MLP) -> MLP:
    """Weights that keep the signal's scale under ReLU, biases zero, in place (He et al., 2015, equation 10)."""
    for layer in mlp.linear:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        layer.bias.zero_()
    return mlp


def linear_divergence(
    v: Tensor, chain: Tensor, W: Tensor, b: Tensor, c: Tensor, u: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """CD-k as `contrastive_divergence`, for hidden units that are linear with unit Gaussian noise: h ~ N(v W + c, 1).

    The top of Hinton and Salakhutdinov's stack (2006), so that a code unit is a real number and not a bit.
    """
    for u_h, u_v in u:
        noise = torch.special.ndtri(u_h.clamp(1e-6, 1 - 1e-6))
        chain = (u_v < p_visible(chain @ W + c + noise, W, b)).to(v)
    h, h_k = v @ W + c, chain @ W + c
    dW = v.T @ h / len(v) - chain.T @ h_k / len(chain)
    return dW, v.mean(dim=0) - chain.mean(dim=0), h.mean(dim=0) - h_k.mean(dim=0), chain


def train_stack(x: Tensor, sizes: Sequence[int], epochs: int, seed: int = 0) -> tuple[list, list, list]:
    """Lists W, b, c of RBMs, each trained on the features of the one below, from x (N,D) up to a linear code.

    CD-1, layer by layer; no gradient passes through more than one. seed decides the order of samples and the Gibbs
    sampling; weights start from torch's global generator, as in all networks. Source: Hinton and Salakhutdinov, 2006.
    """
    rbms = []
    for visible, hidden in zip(sizes, sizes[1:], strict=False):
        rbm = RBM(visible, hidden).to(x.device)
        top = len(rbms) == len(sizes) - 2
        settings = {"lr": 0.01, "update": linear_divergence} if top else {"lr": 0.1}
        rbm.fit(x, epochs, batch_size=50, last_lr=0.0, seed=seed, watch=False, **settings)
        x = p_hidden(x, rbm.W, rbm.c)
        rbms.append(rbm)
    return [rbm.W for rbm in rbms], [rbm.b for rbm in rbms], [rbm.c for rbm in rbms]
