"""Adaptation without training: frozen features are compared with those of labeled samples."""

from torch import Tensor
from torch.nn import functional as F


def prototypes(h: Tensor, y: Tensor, classes: int) -> Tensor:
    """One unit vector for each class: the L2-normalised mean of its samples' L2-normalised features.

    h (N,D) features; y (N,) int64 labels in 0 to classes - 1. Returns (classes,D); a class without samples gets zeros.
    Source: Snell et al., 2017, equation 1, with cosines in place of squared distances.
    """
    members = F.one_hot(y, classes).to(h.dtype)
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)


def by_prototypes(h: Tensor, labeled: Tensor, y: Tensor, classes: int) -> Tensor:
    """The class (M,) whose prototype is nearest, by cosine, to each row of h (M,D); labeled (N,D) have labels y."""
    return (F.normalize(h, dim=1) @ prototypes(labeled, y, classes).T).argmax(dim=1)


def by_neighbours(h: Tensor, labeled: Tensor, y: Tensor, classes: int, k: int) -> Tensor:
    """The class (M,) with most votes among the k rows of labeled (N,D) nearest to each row of h (M,D), by cosine.

    y (N,) int64 labels; k is at most N. A vote weighs exp(cosine / 0.07). Source: Wu et al., 2018, section 3.4.
    """
    nearest = (F.normalize(h, dim=1) @ F.normalize(labeled, dim=1).T).topk(k, dim=1)
    votes = F.one_hot(y[nearest.indices], classes) * (nearest.values / 0.07).exp()[:, :, None]
    return votes.sum(dim=1).argmax(dim=1)
