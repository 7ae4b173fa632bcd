"""Verses as features: the mean of their words' vectors, and what such features must stand beside."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import adaptation
from sslcourse.data import Data
from sslcourse.devices import best_device


class MeanOfWords(nn.Module):
    """h_theta of a verse: the mean of its words' vectors (V,d): tokens (B,L), padded with 0, -> (B,d).

    Left out are padding, tokens beyond the table, and words with a count of 0, if counts (V,) are given.
    """

    def __init__(self, vectors: Tensor, counts: Tensor | None = None):
        super().__init__()
        known = torch.ones(len(vectors)) if counts is None else (counts > 0).float()
        known[0] = 0
        self.table = nn.Parameter(vectors.detach().clone())
        self.register_buffer("known", known.to(vectors.device))
        self.dim = vectors.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        x = torch.where(x < len(self.table), x, 0)
        weights = self.known[x]
        total = F.embedding_bag(x, self.table, mode="sum", per_sample_weights=weights)
        return total / weights.sum(dim=1, keepdim=True).clamp(min=1)


class BagOfWords(nn.Module):
    """The raw input of text: how often each of the `size` most frequent words stands in a verse: (B,L) -> (B,size).

    Tokens are numbered by frequency, the most frequent first; 0 is padding.
    """

    def __init__(self, size: int = adaptation.LONG):
        super().__init__()
        self.dim = size

    def forward(self, x: Tensor) -> Tensor:
        rows = x.new_zeros(len(x), self.dim + 1, dtype=torch.float32)
        counted = (x <= self.dim) & (x > 0)
        return rows.scatter_add_(1, torch.where(counted, x, 0), counted.float())[:, 1:]


def supervised(data: Data, labels_per_class: int, seed: int = 0, dim: int = 64, steps: int = 400) -> float:
    """Accuracy on the test split of word vectors and a linear head trained from scratch, end to end, on labels.

    Nothing is selected: the last step's weights are tested. After fastText (Joulin et al., 2017).
    """
    train = adaptation.few_labels(data.train, labels_per_class, seed)
    torch.manual_seed(seed)
    device = best_device()
    encoder = MeanOfWords(0.1 * torch.randn(len(data.vocabulary), dim))
    model = nn.Sequential(encoder, nn.Linear(dim, len(data.classes))).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=device.type in ("cpu", "cuda"))
    x, y = train.x.to(device), train.y.to(device)
    for _ in range(steps):
        rows = torch.randint(len(x), (min(256, len(x)),)).to(device)
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()
    return adaptation.accuracy(model, data.test.x, data.test.y)
