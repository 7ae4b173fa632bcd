"""Lesson 2.3: how students write training pairs, the negative-sampling loss and the noise distribution."""

import torch
from torch.nn import functional as F

from tests.banks import Bank

pairs, loss, noise = Bank(), Bank(), Bank()
BANKS = {"training_pairs": pairs, "negative_sampling_loss": loss, "noise_distribution": noise}


def grid(verse):
    n = len(verse)
    return torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")


@pairs.accept
def one_matrix(verse, reach):
    i, j = grid(verse)
    wanted = (verse[i] == verse[j]) & (i != j) & ((i - j).abs() <= reach[i])
    return i[wanted], j[wanted]


@pairs.accept
def by_loops(verse, reach):
    found = []
    for i in range(len(verse)):
        for j in range(max(0, i - int(reach[i])), min(len(verse), i + int(reach[i]) + 1)):
            if i != j and verse[i] == verse[j]:
                found.append((i, j))
    i, j = zip(*found, strict=True)
    return torch.tensor(i), torch.tensor(j)


@pairs.accept
def by_nonzero(verse, reach):
    position = torch.arange(len(verse))
    far = (position[:, None] - position).abs()
    wanted = (far > 0) & (far <= reach[:, None]) & (verse[:, None] == verse)
    return wanted.nonzero(as_tuple=True)


@pairs.accept
def by_shifts_as_a_list(verse, reach):
    i, j, n = [], [], len(verse)
    for shift in [s for s in range(-int(reach.max()), int(reach.max()) + 1) if s]:
        here = torch.arange(max(0, -shift), min(n, n - shift))
        here = here[(verse[here] == verse[here + shift]) & (reach[here] >= abs(shift))]
        i.append(here)
        j.append(here + shift)
    return [torch.cat(i), torch.cat(j)]


def chosen(verse, wanted):
    i, j = grid(verse)
    return i[wanted], j[wanted]


@pairs.refuse("itself")
def with_itself(verse, reach):
    i, j = grid(verse)
    return chosen(verse, (verse[i] == verse[j]) & ((i - j).abs() <= reach[i]))


@pairs.refuse("border between verses")
def across_verses(verse, reach):
    i, j = grid(verse)
    return chosen(verse, (i != j) & ((i - j).abs() <= reach[i]))


@pairs.refuse("j's reach")
def reach_of_the_context(verse, reach):
    i, j = grid(verse)
    return chosen(verse, (verse[i] == verse[j]) & (i != j) & ((i - j).abs() <= reach[j]))


@pairs.refuse("swapped")
def returned_the_other_way_round(verse, reach):
    return one_matrix(verse, reach)[::-1]


@pairs.refuse("only contexts to the right")
def to_the_right(verse, reach):
    i, j = grid(verse)
    return chosen(verse, (verse[i] == verse[j]) & (j > i) & (j - i <= reach[i]))


@pairs.refuse("one too narrow")
def one_too_narrow(verse, reach):
    i, j = grid(verse)
    return chosen(verse, (verse[i] == verse[j]) & (i != j) & ((i - j).abs() < reach[i]))


@pairs.refuse("as wide as the widest")
def one_reach_for_all(verse, reach):
    return one_matrix(verse, reach.max().expand(len(verse)))


@pairs.refuse("twice")
def each_pair_twice(verse, reach):
    i, j = one_matrix(verse, reach)
    return torch.cat([i, i]), torch.cat([j, j])


@pairs.refuse("two tensors")
def one_tensor(verse, reach):
    return torch.stack(one_matrix(verse, reach), dim=1)


@pairs.refuse("not differences")
def differences(verse, reach):
    i, j = one_matrix(verse, reach)
    return i, j - i


@pairs.refuse("whole numbers")
def floats(verse, reach):
    i, j = one_matrix(verse, reach)
    return i.float(), j.float()


@pairs.refuse("changed its input reach")
def reach_changed(verse, reach):
    reach.clamp_(max=1)
    return one_matrix(verse, reach)


@pairs.refuse("are missing")
def last_word_forgotten(verse, reach):
    i, j = one_matrix(verse, reach)
    kept = torch.maximum(i, j) < len(verse) - 1
    return i[kept], j[kept]


@loss.accept
def with_softplus(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)).mean() + k * F.softplus(h @ noise.T).mean()


@loss.accept
def with_cross_entropy(h, u, noise, k):
    s, n = torch.einsum("pd,pd->p", h, u), torch.einsum("pd,md->pm", h, noise)
    bce = F.binary_cross_entropy_with_logits
    return bce(s, torch.ones_like(s)) + k * bce(n, torch.zeros_like(n))


@loss.accept
def pair_by_pair(h, u, noise, k):
    total = 0
    for a, b in zip(h, u, strict=True):
        total = total - F.logsigmoid(a @ b) - k / len(noise) * sum(F.logsigmoid(-(a @ n)) for n in noise)
    return total / len(h)


@loss.accept
def in_double_precision(h, u, noise, k):
    h, u, noise = h.double(), u.double(), noise.double()
    per_pair = -F.logsigmoid((h * u).sum(1)) - k * F.logsigmoid(-h @ noise.T).mean(1)
    return per_pair.sum() / len(per_pair)


@loss.refuse("k is not used")
def without_k(h, u, noise, k):
    return with_softplus(h, u, noise, 1)


@loss.refuse("sum over the noise words", "leave k out")
def summed_over_noise(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)).mean() + F.softplus(h @ noise.T).sum(1).mean()


@loss.refuse("sum over the noise words", "times k")
def summed_over_noise_with_k(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)).mean() + k * F.softplus(h @ noise.T).sum(1).mean()


@loss.refuse("noise words should get a LOW score")
def noise_sign(h, u, noise, k):
    return with_softplus(h, u, -noise, k)


@loss.refuse("true pairs should get a HIGH score")
def positive_sign(h, u, noise, k):
    return with_softplus(h, -u, noise, k)


@loss.refuse("sign of the whole")
def sign(h, u, noise, k):
    return -with_softplus(h, u, noise, k)


@loss.refuse("sum over pairs")
def summed_over_pairs(h, u, noise, k):
    return with_softplus(h, u, noise, k) * len(h)


@loss.refuse("compared with u")
def noise_beside_targets(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)).mean() + k * F.softplus(u @ noise.T).mean()


@loss.refuse("without a logarithm")
def no_logarithm(h, u, noise, k):
    return -((h * u).sum(1).sigmoid().mean() + k * (-h @ noise.T).sigmoid().mean())


@loss.refuse("cosines")
def cosines(h, u, noise, k):
    return with_softplus(F.normalize(h, dim=1), F.normalize(u, dim=1), F.normalize(noise, dim=1), k)


@loss.refuse("every u")
def all_pairs_positive(h, u, noise, k):
    return F.softplus(-(h @ u.T)).mean() + k * F.softplus(h @ noise.T).mean()


@loss.refuse("logarithm is infinite")
def overflows(h, u, noise, k):
    return -(h * u).sum(1).sigmoid().log().mean() - k * (1 - (h @ noise.T).sigmoid()).log().mean()


@loss.refuse("one loss for each")
def not_reduced(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)) + k * F.softplus(h @ noise.T).mean(1)


@loss.refuse("no gradient flows to noise")
def noise_detached(h, u, noise, k):
    return with_softplus(h, u, noise.detach(), k)


@loss.refuse("gradient of h is off")
def h_detached_in_the_noise_term(h, u, noise, k):
    return F.softplus(-(h * u).sum(1)).mean() + k * F.softplus(h.detach() @ noise.T).mean()


@loss.refuse("returned a float")
def python_number(h, u, noise, k):
    return with_softplus(h, u, noise, k).item()


@noise.accept
def plain(counts, power=0.75):
    weights = counts**power
    return weights / weights.sum()


@noise.accept
def power_first_of_shares(counts, power=0.75):
    shares = (counts / counts.sum()) ** power
    return shares / shares.sum()


@noise.accept
def softmax_of_logarithms(counts, power=0.75):
    return (power * counts.double().log()).softmax(dim=0)


@noise.accept
def word_by_word(counts, power=0.75):
    weights = [int(count) ** power for count in counts]
    return torch.tensor([weight / sum(weights) for weight in weights])


@noise.refuse("power is not used")
def unigram(counts, power=0.75):
    return counts / counts.sum()


@noise.refuse("divide by their sum")
def not_normalised(counts, power=0.75):
    return counts**power


@noise.refuse("divide by the sum last")
def normalised_first(counts, power=0.75):
    return (counts / counts.sum()) ** power


@noise.refuse("sum of the plain counts")
def divided_by_words(counts, power=0.75):
    return counts**power / counts.sum()


@noise.refuse("always 3/4")
def fixed_power(counts, power=0.75):
    return plain(counts, 0.75)


@noise.refuse("all words are equally likely")
def uniform(counts, power=0.75):
    return torch.ones(len(counts)) / len(counts)


@noise.refuse("softmax of the counts")
def softmax(counts, power=0.75):
    return counts.double().softmax(dim=0)


@noise.refuse("cumsum")
def cumulative(counts, power=0.75):
    return plain(counts, power).cumsum(0)


@noise.refuse("add 1")
def smoothed(counts, power=0.75):
    return plain(counts + 1, power)


@noise.refuse("nan or infinity")
def negative_power(counts, power=0.75):
    return plain(counts, -power)


@noise.refuse("logarithms")
def logarithms(counts, power=0.75):
    return plain(counts, power).clamp(min=1e-30).log()


@noise.refuse("it should be (")
def drawn(counts, power=0.75):
    return plain(counts, power).multinomial(5, replacement=True)
