"""Lesson 1.1: how students write one k-means step, the selection of pseudo-labels, and bits per sample."""

import math

import torch
from torch.nn import functional as F

from tests.banks import Bank

step, select, bits = Bank(), Bank(), Bank()
BANKS = {"kmeans_step": step, "select_pseudo_labels": select, "bits_per_sample": bits}


def nearest_to(x, centroids):
    return (x[:, None] - centroids[None]).square().sum(dim=2).argmin(dim=1)


@step.accept
def loop_over_centroids(x, centroids):
    nearest = nearest_to(x, centroids)
    new = centroids.clone()
    for k in range(len(centroids)):
        if (nearest == k).any():
            new[k] = x[nearest == k].mean(dim=0)
    return new


@step.accept
def list_of_means(x, centroids):
    nearest = torch.cdist(x, centroids).argmin(dim=1)
    own = [x[nearest == k] for k in range(len(centroids))]
    return torch.stack([p.mean(dim=0) if len(p) else c for p, c in zip(own, centroids, strict=True)])


@step.accept
def index_add_and_bincount(x, centroids):
    nearest = nearest_to(x, centroids)
    counts = nearest.bincount(minlength=len(centroids)).unsqueeze(1)
    sums = torch.zeros_like(centroids).index_add_(0, nearest, x)
    return torch.where(counts > 0, sums / counts, centroids)


@step.accept
def loop_over_points_in_numpy(x, centroids):
    new, counts = torch.zeros_like(centroids).numpy(), [0] * len(centroids)
    for point in x:
        k = int(((centroids - point) ** 2).sum(dim=1).argmin())
        new[k] += point.numpy()
        counts[k] += 1
    for k, count in enumerate(counts):
        new[k] = new[k] / count if count else centroids[k].numpy()
    return torch.from_numpy(new)


@step.refuse("nan", "stay where it is")
def empty_cluster_forgotten(x, centroids):
    nearest = nearest_to(x, centroids)
    return torch.stack([x[nearest == k].mean(dim=0) for k in range(len(centroids))])


@step.refuse("has become 0")
def empty_cluster_zero(x, centroids):
    members = F.one_hot(nearest_to(x, centroids), len(centroids)).float()
    return members.T @ x / members.sum(dim=0).clamp(min=1)[:, None]


@step.refuse("left out")
def empty_cluster_dropped(x, centroids):
    nearest = nearest_to(x, centroids)
    return torch.stack([x[nearest == k].mean(dim=0) for k in nearest.unique()])


@step.refuse("it returned shape")
def a_coordinate_dropped(x, centroids):
    return list_of_means(x, centroids)[:, 1:]


@step.refuse("farthest")
def farthest(x, centroids):
    nearest = torch.cdist(x, centroids).argmax(dim=1)
    return means_of(x, centroids, nearest)


def means_of(x, centroids, nearest):
    new = centroids.clone()
    for k in nearest.unique():
        new[k] = x[nearest == k].mean(dim=0)
    return new


@step.refuse("sums of the points")
def sums(x, centroids):
    return F.one_hot(nearest_to(x, centroids), len(centroids)).float().T @ x


@step.refuse("number of all points")
def divided_by_all(x, centroids):
    return F.one_hot(nearest_to(x, centroids), len(centroids)).float().T @ x / len(x)


@step.refuse("one point that is nearest")
def wrong_dimension(x, centroids):
    return x[torch.cdist(x, centroids).argmin(dim=0)]


@step.refuse("which centroid is nearest")
def assignment_only(x, centroids):
    return torch.cdist(x, centroids).argmin(dim=1)


@step.refuse("take one")
def until_converged(x, centroids):
    for _ in range(200):
        centroids = means_of(x, centroids, nearest_to(x, centroids))
    return centroids


@step.refuse("have not moved")
def unchanged(x, centroids):
    new = centroids.clone()
    for c in new:
        c = x.mean(dim=0)  # noqa: B020, F841 (that is the mistake)
    return new


@step.refuse("changed its input centroids")
def in_place(x, centroids):
    nearest = nearest_to(x, centroids)
    for k in nearest.unique():
        centroids[k] = x[nearest == k].mean(dim=0)
    return centroids


@step.refuse("one more point")
def old_centroid_counted(x, centroids):
    members = F.one_hot(nearest_to(x, centroids), len(centroids)).float()
    return (members.T @ x + centroids) / (members.sum(dim=0)[:, None] + 1)


@select.accept
def softmax_and_max(logits, threshold):
    probability, z = F.softmax(logits, dim=1).max(dim=1)
    return z, probability >= threshold


@select.accept
def in_log_space(logits, threshold):
    log_p = logits.log_softmax(dim=-1)
    return logits.argmax(dim=-1), log_p.amax(dim=-1) >= math.log(threshold)


@select.accept
def by_hand_in_double_precision(logits, threshold):
    e = (logits.double() - logits.double().max(dim=1, keepdim=True).values).exp()
    p = e / e.sum(dim=1, keepdim=True)
    return p.argmax(dim=1), (p >= threshold).any(dim=1)


@select.accept
def row_by_row(logits, threshold):
    z, confident = [], []
    for row in logits:
        p = row.softmax(dim=0)
        z.append(int(p.argmax()))
        confident.append(bool(p.max() >= threshold))
    return torch.tensor(z), torch.tensor(confident)


@select.refuse("make them probabilities")
def logits_compared(logits, threshold):
    value, z = logits.max(dim=1)
    return z, value >= threshold


@select.refuse("dim=1")
def softmax_over_rows(logits, threshold):
    return logits.argmax(dim=1), logits.softmax(dim=0).max(dim=1).values >= threshold


@select.refuse("NOT sure")
def turned_round(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z, probability < threshold


@select.refuse("at least means >=")
def strictly_greater(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z, probability > threshold


@select.refuse("a class for every row")
def only_the_trusted(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z[probability >= threshold], probability >= threshold


@select.refuse("mask of True and False")
def rows_instead_of_a_mask(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z, (probability >= threshold).nonzero()[:, 0]


@select.refuse("swapped")
def swapped(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return probability >= threshold, z.float()


@select.refuse("should hold the class")
def probabilities_instead_of_classes(logits, threshold):
    probability = logits.softmax(dim=1).max(dim=1).values
    return probability, probability >= threshold


@select.refuse("overflows")
def naive_softmax(logits, threshold):
    p = logits.exp() / logits.exp().sum(dim=1, keepdim=True)
    return logits.argmax(dim=1), p.max(dim=1).values >= threshold


@select.refuse("sigmoid")
def sigmoid(logits, threshold):
    return logits.argmax(dim=1), logits.sigmoid().max(dim=1).values >= threshold


@select.refuse("two tensors")
def probabilities_alone(logits, threshold):
    return logits.softmax(dim=1)


@select.refuse("one answer a row")
def a_mask_of_all_classes(logits, threshold):
    return logits.argmax(dim=1), logits.softmax(dim=1) >= threshold


@select.refuse("trusted or not")
def minus_one_where_unsure(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return torch.where(probability >= threshold, z, -1), probability >= threshold


@bits.accept
def loop_over_columns(z):
    total = 0.0
    for column in z.T:
        p = column.bincount() / len(column)
        p = p[p > 0]
        total = total - (p * p.log2()).sum()
    return total


@bits.accept
def one_hot(z):
    p = F.one_hot(z).float().mean(dim=0)
    return torch.special.entr(p).sum() / math.log(2)


@bits.accept
def python_counts(z):
    from collections import Counter

    total = 0.0
    for column in z.T.tolist():
        for count in Counter(column).values():
            total += count / len(column) * math.log2(len(column) / count)
    return total


@bits.accept
def mean_surprise_of_the_samples(z):
    surprise = torch.zeros(len(z))
    for column in z.T:
        p = column.bincount().float() / len(z)
        surprise -= p[column].log2()
    return surprise.mean()


@bits.accept
def a_little_added_inside_the_logarithm(z):
    p = F.one_hot(z).double().mean(dim=0)
    return -(p * (p + 1e-12).log2()).sum()


@bits.refuse("nats")
def nats(z):
    return torch.special.entr(F.one_hot(z).float().mean(dim=0)).sum()


@bits.refuse("nan", "0 times log 0")
def zero_times_log_zero(z):
    p = F.one_hot(z, int(z.max()) + 2).float().mean(dim=0)
    return -(p * p.log2()).sum()


@bits.refuse("add them up")
def mean_over_columns(z):
    return torch.special.entr(F.one_hot(z).float().mean(dim=0)).sum(dim=1).mean() / math.log(2)


@bits.refuse("add them up")
def one_a_column(z):
    return torch.special.entr(F.one_hot(z).float().mean(dim=0)).sum(dim=1) / math.log(2)


@bits.refuse("equally frequent")
def logarithm_of_the_number_of_values(z):
    return sum(math.log2(len(column.unique())) for column in z.T)


@bits.refuse("one histogram")
def pooled(z):
    p = z.flatten().bincount() / z.numel()
    return z.shape[1] * torch.special.entr(p).sum() / math.log(2)


@bits.refuse("joint entropy")
def joint(z):
    counts = z.unique(dim=0, return_counts=True)[1]
    return torch.special.entr(counts / len(z)).sum() / math.log(2)


@bits.refuse("sign")
def sign_forgotten(z):
    return -torch.special.entr(F.one_hot(z).float().mean(dim=0)).sum() / math.log(2)


@bits.refuse("one N-th")
def of_all_samples(z):
    return len(z) * torch.special.entr(F.one_hot(z).float().mean(dim=0)).sum() / math.log(2)


@bits.refuse("should be")
def largest_share_only(z):
    p = F.one_hot(z).float().mean(dim=0).max(dim=1).values
    return -p.log2().sum()
