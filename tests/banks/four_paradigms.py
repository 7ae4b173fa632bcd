"""Lesson 1.1: how students write one k-means step, the consistency loss, and bits per sample."""

import math

import torch
from torch.nn import functional as F

from tests.banks import Bank

step, consistency, bits = Bank(), Bank(), Bank()
BANKS = {"kmeans_step": step, "consistency_loss": consistency, "bits_per_sample": bits}


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


@consistency.accept
def probabilities_and_a_mask(on_weak, on_strong, threshold):
    probability, z = on_weak.detach().softmax(dim=1).max(dim=1)
    return (F.cross_entropy(on_strong, z, reduction="none") * (probability >= threshold)).mean()


@consistency.accept
def trusted_rows_only_and_divided_by_all(on_weak, on_strong, threshold):
    with torch.no_grad():
        probability, z = F.softmax(on_weak, dim=-1).max(dim=-1)
    trusted = probability >= threshold
    return F.cross_entropy(on_strong[trusted], z[trusted], reduction="sum") / len(on_strong)


@consistency.accept
def row_by_row(on_weak, on_strong, threshold):
    total = torch.tensor(0.0)
    for weak, strong in zip(on_weak, on_strong, strict=True):
        p = weak.softmax(dim=0)
        if p.max() >= threshold:
            total = total - strong.log_softmax(dim=0)[p.argmax()]
    return total / len(on_weak)


@consistency.accept
def ignored_targets(on_weak, on_strong, threshold):
    log_p = on_weak.log_softmax(dim=1)
    z = torch.where(log_p.amax(dim=1) >= math.log(threshold), log_p.argmax(dim=1), -100)
    return F.cross_entropy(on_strong, z, reduction="sum") / len(z)


def choice(logits, threshold):
    probability, z = logits.softmax(dim=1).max(dim=1)
    return z, probability >= threshold


def each(logits, z):
    return F.cross_entropy(logits, z, reduction="none")


@consistency.refuse("divide by the number of all rows")
def mean_over_the_trusted(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return (each(on_strong, z) * confident).sum() / confident.sum().clamp(min=1)


@consistency.refuse("the mean over")
def mean_over_the_trusted_unguarded(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return F.cross_entropy(on_strong[confident], z[confident])


@consistency.refuse("take the mean")
def summed(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return (each(on_strong, z) * confident).sum()


@consistency.refuse("take their mean")
def one_loss_a_row(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return each(on_strong, z) * confident


@consistency.refuse("those below the threshold count 0")
def threshold_forgotten(on_weak, on_strong, threshold):
    return F.cross_entropy(on_strong, on_weak.argmax(dim=1))


@consistency.refuse("NOT sure")
def turned_round(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return (each(on_strong, z) * ~confident).mean()


@consistency.refuse("at least means >=")
def strictly_greater(on_weak, on_strong, threshold):
    probability, z = on_weak.detach().softmax(dim=1).max(dim=1)
    return (each(on_strong, z) * (probability > threshold)).mean()


@consistency.refuse("make them probabilities")
def logits_compared(on_weak, on_strong, threshold):
    value, z = on_weak.detach().max(dim=1)
    return (each(on_strong, z) * (value >= threshold)).mean()


@consistency.refuse("views are swapped")
def views_swapped(on_weak, on_strong, threshold):
    z, confident = choice(on_strong.detach(), threshold)
    return (each(on_weak, z) * confident).mean()


@consistency.refuse("both come from the strong view")
def strong_view_alone(on_weak, on_strong, threshold):
    z, confident = choice(on_strong.detach(), threshold)
    return (each(on_strong, z) * confident).mean()


@consistency.refuse("the strong one should")
def weak_view_alone(on_weak, on_strong, threshold):
    z, confident = choice(on_weak, threshold)
    return (each(on_weak, z) * confident).mean()


@consistency.refuse("judged on the strong view")
def trust_from_the_strong_view(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)[0], choice(on_strong.detach(), threshold)[1]
    return (each(on_strong, z) * confident).mean()


@consistency.refuse("most probable class alone")
def soft_targets(on_weak, on_strong, threshold):
    confident = choice(on_weak.detach(), threshold)[1]
    return (F.cross_entropy(on_strong, on_weak.softmax(dim=1), reduction="none") * confident).mean()


@consistency.refuse("weighted by the probability")
def weighted_by_probability(on_weak, on_strong, threshold):
    probability, z = on_weak.detach().softmax(dim=1).max(dim=1)
    return (each(on_strong, z) * probability * (probability >= threshold)).mean()


@consistency.refuse("softmax is taken before")
def softmax_twice(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return (each(on_strong.softmax(dim=1), z) * confident).mean()


@consistency.refuse("cost log C each")
def logits_masked(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return F.cross_entropy(on_strong * confident[:, None], z)


@consistency.refuse("class 0 as their target")
def targets_masked(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return F.cross_entropy(on_strong, z * confident)


@consistency.refuse("sign")
def log_probability_itself(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    return (on_strong.log_softmax(dim=1)[torch.arange(len(z)), z] * confident).mean()


@consistency.refuse("compared by squares")
def squared_differences(on_weak, on_strong, threshold):
    p, confident = on_weak.detach().softmax(dim=1), choice(on_weak.detach(), threshold)[1]
    return ((on_strong.softmax(dim=1) - p).square().mean(dim=1) * confident).mean()


@consistency.refuse("not finite")
def softmax_by_hand(on_weak, on_strong, threshold):
    z, confident = choice(on_weak.detach(), threshold)
    q = on_strong.exp() / on_strong.exp().sum(dim=1, keepdim=True)
    return (-q[torch.arange(len(z)), z].log() * confident).mean()


@consistency.refuse("weak view teaches and must not learn")
def the_weak_view_learns_too(on_weak, on_strong, threshold):
    probability, z = on_weak.softmax(dim=1).max(dim=1)
    weight = (probability >= threshold) * probability / probability.detach()
    return (each(on_strong, z) * weight).mean()


@consistency.refuse("no gradient flows to on_strong")
def strong_view_detached(on_weak, on_strong, threshold):
    z, confident = choice(on_weak, threshold)
    return (each(on_strong.detach(), z) * confident).mean()


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
