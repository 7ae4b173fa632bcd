"""Feature extractors h_theta, each of which maps a batch to features (B,dim).

All but ResNet18, which wants a GPU, are small enough for two CPU cores. Images are float (B,C,H,W) in [0,1]; token
sequences are int64 (B,L). `encoder.dim` is the number of features.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import measures
from sslcourse.data import Unlabeled
from sslcourse.devices import autocast, budget

CALIBRATION = 512  # inputs a batch


@torch.no_grad()
def calibrate(encoder: nn.Module, unlabeled: Unlabeled, views: Callable | None = None, seed: int = 0) -> nn.Module:
    """Set an untrained encoder's batch statistics by one pass over training inputs, in place; returns the encoder.

    As it is made, batch normalisation takes its inputs for normalised already, so that in evaluation mode it normalises
    nothing: such an encoder is a worse one than a random network need be. No weight is changed. views: the
    augmentation of float inputs that training would use, if any; seed: of the inputs' order and of the views.
    """
    norms = [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    device, chance = next(encoder.parameters()).device, torch.Generator().manual_seed(seed)
    modes, momenta = [norm.training for norm in norms], [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # statistics are then means over all batches
    for rows in torch.randperm(len(unlabeled), generator=chance).split(CALIBRATION) if norms else ():
        x = measures.to_float(unlabeled.x[rows].to(device))
        x = x if views is None else views(x, chance)
        with autocast(device):
            encoder(x)
    for norm, mode, momentum in zip(norms, modes, momenta, strict=True):
        norm.train(mode).momentum = momentum
    return encoder


def block(c_in: int, c_out: int, **shape) -> tuple[nn.Module, ...]:
    """A convolution of this shape, batch normalisation, ReLU: (B,c_in,H,W) -> (B,c_out,H',W')."""
    return nn.Conv2d(c_in, c_out, bias=False, **shape), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)


class ConvNet(nn.Module):
    """Patches of 4x4 pixels, two 3x3 convolutions with pooling between, the mean over positions: (B,C,H,W) -> (B,dim).

    H and W are at least 8; widths: channels of the three layers, each with batch normalisation and ReLU. Patches and
    stride 1 keep nearly all arithmetic in large matrix products; strided convolutions are slow to train on CPUs.
    """

    def __init__(self, in_channels: int, widths: tuple[int, int, int] | None = None):
        super().__init__()
        usual = (48, 96, 192)
        first, second, self.dim = widths or budget(cpu=usual, gpu=usual, smoke=(8, 16, 32))
        self.layers = nn.Sequential(
            *block(in_channels, first, kernel_size=4, stride=4),
            *block(first, second, kernel_size=3, padding=1),
            nn.MaxPool2d(2),
            *block(second, self.dim, kernel_size=3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x - 0.5).mean(dim=(2, 3))


class FineConvNet(nn.Module):
    """As ConvNet, with an eye for thin strokes: a 5x5 convolution and three 3x3 ones: (B,C,H,W) -> (B,dim).

    H and W are at least 8. A view takes more than twice as long as ConvNet's. On validation data, at equal time, it
    is far ahead on `symbols`, and no better on `digits`.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        usual = (24, 48, 96, 192)
        first, second, third, self.dim = budget(cpu=usual, gpu=(48, 96, 192, 384), smoke=(4, 8, 16, 32))
        self.layers = nn.Sequential(
            *block(in_channels, first, kernel_size=5, stride=2, padding=2),
            *block(first, second, kernel_size=3, padding=1),
            nn.MaxPool2d(2),
            *block(second, third, kernel_size=3, padding=1),
            nn.MaxPool2d(2),
            *block(third, self.dim, kernel_size=3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x - 0.5).mean(dim=(2, 3))


class ViT(nn.Module):
    """A tiny vision Transformer: patches -> tokens -> pre-norm blocks -> the mean token: (B,C,H,W) -> (B,dim).

    H and W are `size`, a multiple of `patch`. LayerNorm normalises each sample by itself, so no sample's features
    depend on the batch. After Dosovitskiy et al., 2021, with the mean in place of the class token.
    """

    def __init__(self, in_channels: int, size: int = 32, patch: int = 4, dim: int = 128, depth: int = 4):
        super().__init__()
        self.dim = dim
        self.patches = nn.Conv2d(in_channels, dim, kernel_size=patch, stride=patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, dim))
        self.blocks = transformer(dim, depth)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x - 0.5).flatten(2).transpose(1, 2) + self.position
        return self.norm(self.blocks(tokens)).mean(dim=1)


class ResNet18(nn.Module):
    """torchvision's ResNet-18 with the stem for small pictures, which wants a GPU: (B,C,H,W) -> (B,512).

    The stem is one 3x3 convolution with stride 1, without max-pooling, so that a picture of 32x32 still has 4x4
    positions at the end. Sources: He et al., 2016; the stem is SimCLR's for CIFAR-10 (Chen et al., 2020, appendix B.9).
    """

    dim = 512

    def __init__(self, in_channels: int):
        super().__init__()
        from torchvision.models import resnet18

        self.layers = resnet18()
        self.layers.conv1 = nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.layers.conv1.weight, mode="fan_out", nonlinearity="relu")  # as all the others
        self.layers.maxpool = self.layers.fc = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x - 0.5)


class TextEncoder(nn.Module):
    """A tiny Transformer over tokens, and the mean of its outputs: int64 (B,L), padded with 0, -> (B,dim).

    `vocabulary` is the number of tokens, padding included; L is at most `length`. Padding is left out of the mean.
    """

    def __init__(self, vocabulary: int, length: int = 96, dim: int = 128, depth: int = 2):
        super().__init__()
        self.dim = dim
        self.tokens = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(1, length, dim))
        self.blocks = transformer(dim, depth)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        padding = x == 0
        tokens = self.tokens(x) + self.position[:, : x.shape[1]]
        tokens = self.norm(self.blocks(tokens, src_key_padding_mask=padding))
        # Filled, not multiplied by 0: the outputs of a row of padding alone are nan.
        words = tokens.masked_fill(padding.unsqueeze(2), 0).sum(dim=1)
        return words / (~padding).sum(dim=1, keepdim=True).clamp(min=1)


def transformer(dim: int, depth: int) -> nn.TransformerEncoder:
    """Pre-norm Transformer blocks with heads of 32 features and no dropout: (B,L,dim) -> (B,L,dim)."""
    layer = nn.TransformerEncoderLayer(
        dim, dim // 32, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)


class MeanOfWords(nn.Module):
    """h_theta of a verse: the mean of its words' vectors (V,d): tokens (B,L), padded with 0, -> (B,d).

    Padding, tokens beyond the table and, where counts (V,) are given, words with a count of 0 are left out.
    """

    def __init__(self, vectors: Tensor, counts: Tensor | None = None):
        super().__init__()
        has_vector = torch.ones(len(vectors)) if counts is None else (counts > 0).float()
        has_vector[0] = 0
        self.table = nn.Parameter(vectors.detach().clone())
        self.register_buffer("has_vector", has_vector.to(vectors.device))
        self.dim = vectors.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        x = torch.where(x < len(self.table), x, 0)
        weights = self.has_vector[x]
        total = F.embedding_bag(x, self.table, mode="sum", per_sample_weights=weights)
        return total / weights.sum(dim=1, keepdim=True).clamp(min=1)


class BagOfWords(nn.Module):
    """The raw input of text: how often each of the `size` most frequent words occurs in a verse: (B,L) -> (B,size).

    Tokens are numbered by frequency, the most frequent first; 0 is padding.
    """

    def __init__(self, size: int = 512):
        super().__init__()
        self.dim = size

    def forward(self, x: Tensor) -> Tensor:
        counts = x.new_zeros(len(x), self.dim + 1, dtype=torch.float32)
        counted = (x <= self.dim) & (x > 0)
        return counts.scatter_add_(1, torch.where(counted, x, 0), counted.float())[:, 1:]
