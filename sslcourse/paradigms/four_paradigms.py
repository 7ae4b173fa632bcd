"""Four learning paradigms on one data set (module 1): how many labels each needs, and what it learns without any."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import adaptation, encoders, measures
from sslcourse.data import Split
from sslcourse.devices import autocast, best_device

COMPONENTS = 32  # principal components, of `pca` and of the mixture's input


def kmeans_step(x: Tensor, centroids: Tensor) -> Tensor:
    """One step of k-means: each centroid moves to the mean of the points that are nearest to it.

    x (N,D), centroids (K,D), both float; returns the new centroids (K,D). A centroid without points stays where it is.
    Source: Lloyd, 1982 (written in 1957).
    """
    nearest = torch.cdist(x, centroids).argmin(dim=1)
    members = F.one_hot(nearest, len(centroids)).to(x.dtype)
    counts = members.sum(dim=0)[:, None]
    return torch.where(counts > 0, members.T @ x / counts.clamp(min=1), centroids)


def select_pseudo_labels(logits: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Pseudo-labels, and which of them to trust.

    logits (N,C) float; threshold in [0,1]. Returns z (N,) int64, each row's most probable class, and confident (N,)
    bool: whether its probability is at least the threshold. Source: Sohn et al., 2020 (FixMatch), equation 4.
    """
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z, probability >= threshold


def consistency_loss(on_weak: Tensor, on_strong: Tensor, threshold: float) -> Tensor:
    """FixMatch's loss of unlabeled samples: what is trusted on the weak view is learned on the strong one. A scalar.

    on_weak, on_strong: (N,C) logits of two views of the same N samples; threshold in [0,1]. The mean is over all N, of
    which those that are not trusted count 0; no gradient flows to on_weak. Source: Sohn et al., 2020, equation 4.
    """
    z, confident = select_pseudo_labels(on_weak.detach(), threshold)
    return (F.cross_entropy(on_strong, z, reduction="none") * confident).mean()


def bits_per_sample(z: Tensor) -> Tensor:
    """Upper bound, in bits, on the information in one sample's targets: the sum of the columns' entropies.

    z (N,d) int64, not negative: d targets for each of N samples. Returns a scalar. The entropies are those of the
    columns' histograms; the bound is exact where the columns are independent. Source: Shannon, 1948, section 6.
    """
    counts = torch.zeros(int(z.max()) + 1, z.shape[1], device=z.device)
    counts.scatter_add_(0, z, torch.ones_like(z, dtype=counts.dtype))
    return torch.special.entr(counts / len(z)).sum() / math.log(2)


def kmeans(x: Tensor, k: int, steps: int, seed: int = 0, step: Callable = kmeans_step) -> list[Tensor]:
    """The centroids (k,D) before the first step and after each, for points x (N,D). They start at k of the points."""
    start = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:k]
    path = [x[start.to(x.device)]]
    for _ in range(steps):
        path.append(step(x, path[-1]))
    return path


class KMeansFeatures(nn.Module):
    """Pictures (B,C,H,W) -> how much nearer each centroid is than the average, 0 if it is farther: (B,K).

    centroids (K,C*H*W). Source: Coates, Lee and Ng, 2011, "triangle" activation.
    """

    def __init__(self, centroids: Tensor):
        super().__init__()
        self.centroids = nn.Parameter(centroids, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        distances = torch.cdist(x.flatten(1), self.centroids.to(x.dtype))
        return F.relu(distances.mean(dim=1, keepdim=True) - distances)


class Fitted(nn.Module):
    """A fitted scikit-learn model as an encoder: pictures (B,C,H,W) -> `transform` of their pixels (B,D)."""

    def __init__(self, transform: Callable):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.transform(x.flatten(1).numpy())).float()


def pca(x: Tensor) -> Any:
    """scikit-learn's PCA with COMPONENTS components, fitted to pictures x (N,C,H,W) uint8."""
    from sklearn.decomposition import PCA

    return PCA(COMPONENTS, random_state=0).fit(measures.to_float(x).flatten(1).numpy())


def gaussian_mixture(x: Tensor, components: int, seed: int = 0) -> Any:
    """A pipeline of PCA and a mixture of Gaussians with full covariances: `score_samples` is log p(code)."""
    from sklearn.mixture import GaussianMixture
    from sklearn.pipeline import make_pipeline

    reduction = pca(x)
    codes = reduction.transform(measures.to_float(x).flatten(1).numpy())
    mixture = GaussianMixture(components, reg_covar=1e-2, max_iter=50, tol=1e-2, random_state=seed).fit(codes)
    return make_pipeline(reduction, mixture)


def classifier(seed: int) -> nn.Sequential:
    """An untrained classifier of ten digits on the best device: the encoder of all paradigms, and a linear layer."""
    torch.manual_seed(seed)
    encoder = encoders.ConvNet(in_channels=1)
    return nn.Sequential(encoder, nn.Linear(encoder.dim, 10)).to(best_device())


def supervised(labeled: Split, views: Callable, samples: int, seed: int = 0) -> nn.Module:
    """A classifier trained on labeled samples alone; samples: how many it sees in all, at least 25,600.

    Where there are fewer than 256, each occurs several times in a batch, with views of its own each time.
    """
    times = math.ceil(256 / len(labeled))
    repeated = Split(labeled.x.repeat(times, 1, 1, 1), labeled.y.repeat(times))
    model = classifier(seed)
    adaptation.fit(model, repeated, views, samples, torch.Generator().manual_seed(seed))
    return model


def self_training(teacher: nn.Module, labeled: Split, unlabeled: Tensor, threshold: float) -> Split:
    """The labeled samples, and the unlabeled ones (N,C,H,W) with confident pseudo-labels of the teacher.

    Source: the idea is Scudder's, 1965; as pseudo-labels of a network, Lee, 2013.
    """
    z, confident = select_pseudo_labels(measures.embed(teacher, unlabeled).cpu(), threshold)
    return Split(torch.cat([labeled.x, unlabeled[confident]]), torch.cat([labeled.y, z[confident]]))


def fixmatch(
    labeled: Split,
    unlabeled: Tensor,
    weak: Callable,
    strong: Callable,
    steps: int,
    threshold: float = 0.95,
    seed: int = 0,
    consistency: Callable = consistency_loss,
) -> nn.Module:
    """A classifier trained on labels and on its own confident pseudo-labels of unlabeled pictures (N,C,H,W).

    Pseudo-labels come from weakly augmented pictures and are learned on the same pictures, strongly augmented. Each
    step sees 32 labeled and 96 unlabeled samples; consistency is the loss of the latter, from the logits of both views.
    Source: Sohn et al., 2020, algorithm 1, with equal weights.
    """
    device = best_device()
    model = classifier(seed).to(memory_format=torch.channels_last).train()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)

    def logits(x: Tensor) -> Tensor:
        with autocast(device):
            return model(x.to(device, memory_format=torch.channels_last)).float()

    for _ in range(steps):
        rows = torch.randint(len(labeled), (32,), generator=generator)
        x_labeled = weak(measures.to_float(labeled.x[rows]), generator)
        x = measures.to_float(unlabeled[torch.randint(len(unlabeled), (96,), generator=generator)])
        with torch.no_grad():  # the weak view teaches: there is nothing to go back through
            on_weak = logits(weak(x, generator))
        on_labeled, on_strong = logits(torch.cat([x_labeled, strong(x, generator)])).split((32, 96))
        loss = F.cross_entropy(on_labeled, labeled.y[rows].to(device)) + consistency(on_weak, on_strong, threshold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model
