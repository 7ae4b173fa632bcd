"""Adaptation without training: labeled samples are compared with, by features that stay as they are."""

from torch import Tensor
from torch.nn import functional as F


def prototypes(h: Tensor, y: Tensor, classes: int) -> Tensor:
    """One direction for each class: the mean of its samples' features, each made of length one, made of length one.

    h (N,D) features; y (N,) int64 labels in 0 to classes - 1. Returns (classes,D); a class without samples gets zeros.
    Source: Snell et al., 2017, equation 1, with cosines in place of squared distances.
    """
    members = F.one_hot(y, classes).to(h.dtype)
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)


def by_prototypes(h: Tensor, labeled: Tensor, y: Tensor, classes: int) -> Tensor:
    """The class (M,) whose prototype is nearest, by cosine, to each row of h (M,D); labeled (N,D) have labels y."""
    return (F.normalize(h, dim=1) @ prototypes(labeled, y, classes).T).argmax(dim=1)


def by_neighbours(h: Tensor, labeled: Tensor, y: Tensor, classes: int, k: int) -> Tensor:
    """The class (M,) that the k nearest of labeled (N,D), by cosine, vote for; a nearer one's vote weighs more.

    k is at most N. Source: Wu et al., 2018, section 3.4: votes weigh exp(cosine / 0.07).
    """
    near = (F.normalize(h, dim=1) @ F.normalize(labeled, dim=1).T).topk(k, dim=1)
    votes = F.one_hot(y[near.indices], classes) * (near.values / 0.07).exp()[:, :, None]
    return votes.sum(dim=1).argmax(dim=1)
