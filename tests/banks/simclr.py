"""Module 4: how students write cosine similarity, NT-Xent and the momentum update."""

import torch
from torch.nn import functional as F

from tests.banks import Bank

cosine, xent, momentum = Bank(), Bank(), Bank()
BANKS = {"cosine_similarity": cosine, "nt_xent": xent, "momentum_update": momentum}


@cosine.accept
def by_broadcasting(a, b):
    return F.cosine_similarity(a[:, None], b[None], dim=2)


@cosine.accept
def by_lengths(a, b):
    lengths = a.norm(dim=1)[:, None] * b.norm(dim=1)[None]
    return torch.einsum("nd,md->nm", a, b) / lengths.clamp(min=1e-8)


@cosine.accept
def by_two_loops(a, b):
    rows = [[torch.dot(u, w) / (u.norm() * w.norm() + 1e-12) for w in b] for u in a]
    return torch.stack([torch.stack(row) for row in rows])


@cosine.accept
def cosine_in_double_precision(a, b):
    a, b = a.double(), b.double()
    return torch.nan_to_num(a / a.norm(dim=1, keepdim=True)) @ torch.nan_to_num(b / b.norm(dim=1, keepdim=True)).T


@cosine.refuse("dot products", "lengths")
def dot_products(a, b):
    return a @ b.T


@cosine.refuse("dim=1")
def wrong_dimension(a, b):
    return F.normalize(a, dim=0) @ F.normalize(b, dim=0).T


@cosine.refuse("b's are not")
def only_a_normalised(a, b):
    return F.normalize(a, dim=1) @ b.T


@cosine.refuse("squared lengths")
def squared_lengths(a, b):
    a, b = a / (a**2).sum(dim=1, keepdim=True).clamp(min=1e-8), b / (b**2).sum(dim=1, keepdim=True)
    return a @ b.T


@cosine.refuse("transposed")
def transposed(a, b):
    return F.normalize(b, dim=1) @ F.normalize(a, dim=1).T


@cosine.refuse("nan", "zeros")
def zeros_forgotten(a, b):
    return (a / a.norm(dim=1, keepdim=True)) @ (b / b.norm(dim=1, keepdim=True)).T


@cosine.refuse("distance")
def a_distance(a, b):
    return 1 - F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


@cosine.refuse("changed its input a")
def in_place(a, b):
    a /= a.norm(dim=1, keepdim=True).clamp(min=1e-8)
    return a @ F.normalize(b, dim=1).T


@cosine.refuse("it raised", "size")
def pairs_of_rows(a, b):
    return F.cosine_similarity(a, b)


def similarities(v):
    v = F.normalize(v, dim=1)
    return v @ v.T


def without_diagonal(logits):
    return logits.masked_fill(torch.eye(len(logits), dtype=torch.bool), -torch.inf)


@xent.accept
def log_softmax_and_gather(v, z, temperature):
    log_p = without_diagonal(similarities(v) / temperature).log_softmax(dim=1)
    return -log_p.gather(1, z[:, None]).mean()


@xent.accept
def logsumexp_row_by_row(v, z, temperature):
    total = 0
    for i in range(len(v)):
        s = F.cosine_similarity(v[i : i + 1], v) / temperature
        others = torch.cat([s[:i], s[i + 1 :]])
        total = total + others.logsumexp(dim=0) - s[z[i]]
    return total / len(v)


@xent.accept
def diagonal_filled_in_place(v, z, temperature):
    v = v / v.norm(dim=1, keepdim=True)
    logits = v @ v.T / temperature
    logits.fill_diagonal_(-1e9)
    return F.cross_entropy(logits, z)


@xent.accept
def columns_removed(v, z, temperature):
    n = len(v)
    others = (similarities(v) / temperature)[~torch.eye(n, dtype=torch.bool)].view(n, n - 1)
    return F.cross_entropy(others, z - (z > torch.arange(n)).long())


@xent.accept
def maximum_subtracted(v, z, temperature):
    logits = without_diagonal(similarities(v) / temperature)
    logits = logits - logits.max(dim=1, keepdim=True).values
    return (logits.exp().sum(dim=1).log() - logits[torch.arange(len(v)), z]).mean()


@xent.accept
def loss_in_double_precision(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v.double()) / temperature), z)


@xent.refuse("own similarity")
def itself_among_the_negatives(v, z, temperature):
    return F.cross_entropy(similarities(v) / temperature, z)


@xent.refuse("diagonal is set to 0")
def diagonal_zero(v, z, temperature):
    return F.cross_entropy(similarities(v).fill_diagonal_(0) / temperature, z)


@xent.refuse("positive is missing")
def positive_not_in_the_denominator(v, z, temperature):
    logits = without_diagonal(similarities(v) / temperature)
    negatives = logits.masked_fill(F.one_hot(z, len(v)).bool(), -torch.inf)
    return (negatives.logsumexp(dim=1) - logits.gather(1, z[:, None])[:, 0]).mean()


@xent.refuse("temperature is not used")
def no_temperature(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v)), z)


@xent.refuse("divide by it")
def times_temperature(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) * temperature), z)


@xent.refuse("applied twice")
def temperature_twice(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature) / temperature, z)


@xent.refuse("not normalised")
def not_normalised(v, z, temperature):
    return F.cross_entropy(without_diagonal(v @ v.T / temperature), z)


@xent.refuse("sum over rows")
def summed(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature), z, reduction="sum")


@xent.refuse("number of pairs")
def divided_by_pairs(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature), z, reduction="sum") / (len(v) // 2)


@xent.refuse("z[i]")
def partner_assumed(v, z, temperature):
    n = len(v)
    return F.cross_entropy(without_diagonal(similarities(v) / temperature), torch.arange(n).roll(n // 2))


@xent.refuse("first half")
def half_of_the_rows(v, z, temperature):
    losses = F.cross_entropy(without_diagonal(similarities(v) / temperature), z, reduction="none")
    return losses[: len(v) // 2].mean()


@xent.refuse("sign")
def sign(v, z, temperature):
    return -F.cross_entropy(without_diagonal(similarities(v) / temperature), z)


@xent.refuse("softmax", "takes one itself")
def softmax_twice(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature).softmax(dim=1), z)


@xent.refuse("too large for float32")
def overflows(v, z, temperature):
    terms = (similarities(v) / temperature).exp() * (1 - torch.eye(len(v)))
    return -(terms[torch.arange(len(v)), z] / terms.sum(dim=1)).log().mean()


@xent.refuse("no gradient flows")
def detached(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v.detach()) / temperature), z)


@xent.refuse("gradient is off")
def negatives_detached(v, z, temperature):
    v = F.normalize(v, dim=1)
    return F.cross_entropy(without_diagonal(v @ v.detach().T / temperature), z)


@xent.refuse("one loss for each")
def not_reduced(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature), z, reduction="none")


@xent.refuse("returned a float")
def python_number(v, z, temperature):
    return F.cross_entropy(without_diagonal(similarities(v) / temperature), z).item()


@momentum.accept
def mul_and_add(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.mul_(m).add_(f, alpha=1 - m)


@momentum.accept
def copied_into_place(slow, fast, m):
    with torch.no_grad():
        for i in range(len(slow)):
            slow[i].copy_(m * slow[i] + (1 - m) * fast[i])


@momentum.accept
def through_data(slow, fast, m):
    for s, f in zip(slow, fast, strict=True):
        s.data = m * s.data + (1 - m) * f.data


@momentum.accept
def all_at_once(slow, fast, m):
    with torch.no_grad():
        torch._foreach_lerp_(slow, fast, 1 - m)


@momentum.accept
@torch.no_grad()
def augmented_assignment(slow, fast, m):
    for s, f in zip(slow, fast, strict=True):
        s *= m
        s += (1 - m) * f


@momentum.refuse("swapped")
def shares_swapped(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.mul_(1 - m).add_(f, alpha=m)


@momentum.refuse("fast has changed")
def roles_swapped(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            f.mul_(m).add_(s, alpha=1 - m)


@momentum.refuse("in place")
def new_tensors(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s = m * s + (1 - m) * f


@momentum.refuse("in place")
def items_replaced(slow, fast, m):
    with torch.no_grad():
        for i in range(len(slow)):
            slow[i] = m * slow[i] + (1 - m) * fast[i]


@momentum.refuse("no_grad")
def gradient_recorded(slow, fast, m):
    for s, f in zip(slow, fast, strict=True):
        s.mul_(m).add_(f, alpha=1 - m)


@momentum.refuse("no_grad")
def gradient_recorded_on_detached_slow(slow, fast, m):
    for s, f in zip(slow, fast, strict=True):
        s.data.mul_(1)
        s.lerp_(f, 1 - m)


@momentum.refuse("copy of fast")
def copied(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.copy_(f)


@momentum.refuse("number 3")
def last_one_forgotten(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow[:-1], fast[:-1], strict=True):
            s.lerp_(f, 1 - m)


@momentum.refuse("share is 1 - m")
def fast_added_whole(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.mul_(m).add_(f)


@momentum.refuse("fast has changed")
def fast_scaled_in_place(slow, fast, m):
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.mul_(m).add_(f.mul_(1 - m))
