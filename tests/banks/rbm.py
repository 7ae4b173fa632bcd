"""Lesson 2.1: how students write the free energy, a Gibbs step, the CD-k update and the start of the biases."""

import torch
from torch.nn import functional as F

from tests.banks import Bank

energy, gibbs, divergence, odds = Bank(), Bank(), Bank(), Bank()
BANKS = {"free_energy": energy, "gibbs_step": gibbs, "contrastive_divergence": divergence, "log_odds": odds}


@energy.accept
def by_logaddexp(v, W, b, c):
    a = v @ W + c
    return -v @ b - torch.logaddexp(a, torch.zeros_like(a)).sum(1)


@energy.accept
def row_by_row(v, W, b, c):
    return torch.stack([-torch.dot(row, b) - F.softplus(W.T @ row + c).sum() for row in v])


@energy.accept
def over_all_hidden_states(v, W, b, c):
    """By definition: every h, its energy, a logsumexp."""
    hidden = len(c)
    h = (torch.arange(2**hidden)[:, None] >> torch.arange(hidden) & 1).to(v.dtype)
    energies = -(v @ b)[:, None] - (h @ c)[None] - torch.einsum("nd,dh,sh->ns", v, W, h)
    return -torch.logsumexp(-energies, dim=1)


@energy.accept
def stable_by_hand(v, W, b, c):
    a = torch.einsum("nd,dh->nh", v, W) + c
    return -torch.einsum("nd,d->n", v, b) - (a.clamp(min=0) + torch.log1p(torch.exp(-a.abs()))).sum(dim=-1)


@energy.accept
def energy_in_double_precision(v, W, b, c):
    v, W, b, c = v.double(), W.double(), b.double(), c.double()
    return -(v * b).sum(1) + F.logsigmoid(-(v @ W + c)).sum(1)


@energy.refuse("not finite", "softplus")
def overflows(v, W, b, c):
    return -v @ b - torch.log(1 + torch.exp(v @ W + c)).sum(dim=1)


@energy.refuse("sign is wrong")
def wrong_sign(v, W, b, c):
    return v @ b + F.softplus(v @ W + c).sum(dim=1)


@energy.refuse("visible term has the wrong sign")
def visible_sign(v, W, b, c):
    return v @ b - F.softplus(v @ W + c).sum(dim=1)


@energy.refuse("hidden term has the wrong sign")
def hidden_sign(v, W, b, c):
    return -v @ b + F.softplus(v @ W + c).sum(dim=1)


@energy.refuse("visible bias b is missing")
def no_visible_bias(v, W, b, c):
    return -F.softplus(v @ W + c).sum(dim=1)


@energy.refuse("hidden bias c is missing")
def no_hidden_bias(v, W, b, c):
    return -v @ b - F.softplus(v @ W).sum(dim=1)


@energy.refuse("mean over hidden units")
def mean_over_hidden(v, W, b, c):
    return -v @ b - F.softplus(v @ W + c).mean(dim=1)


@energy.refuse("for all 24 rows")
def summed_over_everything(v, W, b, c):
    return -(v @ b).sum() - F.softplus(v @ W + c).sum()


@energy.refuse("entropy")
def expected_energy(v, W, b, c):
    p = torch.sigmoid(v @ W + c)
    return -v @ b - p @ c - ((v @ W) * p).sum(dim=1)


@energy.refuse("best h")
def best_energy(v, W, b, c):
    return -v @ b - F.relu(v @ W + c).sum(dim=1)


@energy.refuse("one softplus of it")
def softplus_of_the_sum(v, W, b, c):
    return -v @ b - F.softplus((v @ W + c).sum(dim=1))


@energy.refuse("each hidden unit")
def not_summed(v, W, b, c):
    return -(v @ b)[:, None] - F.softplus(v @ W + c)


@energy.refuse("it raised", "shapes")
def weights_transposed(v, W, b, c):
    return -v @ b - F.softplus(v @ W.T + c).sum(dim=1)


@energy.refuse("gradient with respect to W")
def without_a_gradient(v, W, b, c):
    with torch.no_grad():
        hidden = F.softplus(v @ W + c).sum(dim=1)
    return -v @ b - hidden


@energy.refuse("gradient with respect to b")
def visible_term_detached(v, W, b, c):
    return -v @ b.detach() - F.softplus(v @ W + c).sum(dim=1)


def up(v, W, c):
    return torch.sigmoid(v @ W + c)


def down(h, W, b):
    return torch.sigmoid(h @ W.T + b)


@gibbs.accept
def by_where(v, W, b, c, u_h, u_v):
    h = torch.where(u_h < up(v, W, c), 1.0, 0.0)
    return h, torch.where(u_v < down(h, W, b), 1.0, 0.0)


@gibbs.accept
def by_ceil(v, W, b, c, u_h, u_v):
    h = (up(v, W, c) - u_h).ceil()
    return [h, (down(h, W, b) - u_v).ceil()]


@gibbs.accept
def by_einsum_in_double(v, W, b, c, u_h, u_v):
    h = (torch.einsum("nd,dh->nh", v.double(), W.double()) + c > torch.logit(u_h.double())).double()
    return h, (u_v <= torch.einsum("nh,dh->nd", h, W.double()).add(b).sigmoid()).float()


@gibbs.accept
def in_one_column_each(v, W, b, c, u_h, u_v):
    h = torch.stack([(u < 1 / (1 + (-(v @ w + s)).exp())).float() for w, s, u in zip(W.T, c, u_h.T, strict=True)], 1)
    new = torch.stack([(u < 1 / (1 + (-(h @ w + s)).exp())).float() for w, s, u in zip(W, b, u_v.T, strict=True)], 1)
    return h, new


@gibbs.refuse("h is turned round")
def h_turned_round(v, W, b, c, u_h, u_v):
    h = (u_h > up(v, W, c)).float()
    return h, (u_v < down(h, W, b)).float()


@gibbs.refuse("v is turned round")
def v_turned_round(v, W, b, c, u_h, u_v):
    h = (u_h < up(v, W, c)).float()
    return h, (u_v > down(h, W, b)).float()


@gibbs.refuse("values other than 0 and 1", "u_h < p")
def probabilities(v, W, b, c, u_h, u_v):
    h = up(v, W, c)
    return h, down(h, W, b)


@gibbs.refuse("from p(h | v)", "0 or 1 on the way down")
def mean_field_on_the_way_down(v, W, b, c, u_h, u_v):
    p = up(v, W, c)
    return (u_h < p).float(), (u_v < down(p, W, b)).float()


@gibbs.refuse("round")
def rounded(v, W, b, c, u_h, u_v):
    h = up(v, W, c).round()
    return h, down(h, W, b).round()


@gibbs.refuse("numbers of your own")
def own_numbers(v, W, b, c, u_h, u_v):
    h = torch.bernoulli(up(v, W, c))
    return h, torch.bernoulli(down(h, W, b))


@gibbs.refuse("hidden bias c")
def hidden_bias_forgotten(v, W, b, c, u_h, u_v):
    h = (u_h < torch.sigmoid(v @ W)).float()
    return h, (u_v < down(h, W, b)).float()


@gibbs.refuse("visible bias b")
def visible_bias_forgotten(v, W, b, c, u_h, u_v):
    h = (u_h < up(v, W, c)).float()
    return h, (u_v < torch.sigmoid(h @ W.T)).float()


@gibbs.refuse("sigmoid is missing for h")
def sigmoid_forgotten(v, W, b, c, u_h, u_v):
    h = (u_h < v @ W + c).float()
    return h, (u_v < h @ W.T + b).float()


@gibbs.refuse("True and False")
def booleans(v, W, b, c, u_h, u_v):
    h = u_h < up(v, W, c)
    return h, u_v < down(h.float(), W, b)


@gibbs.refuse("wrong order")
def order_swapped(v, W, b, c, u_h, u_v):
    h = (u_h < up(v, W, c)).float()
    return (u_v < down(h, W, b)).float(), h


@gibbs.refuse("2 tensors: h, v")
def only_v(v, W, b, c, u_h, u_v):
    h = (u_h < up(v, W, c)).float()
    return (u_v < down(h, W, b)).float()


@gibbs.refuse("the one that came in")
def v_not_drawn(v, W, b, c, u_h, u_v):
    return (u_h < up(v, W, c)).float(), v


def step(v, W, b, c, u_h, u_v):
    h = (u_h < up(v, W, c)).float()
    return h, (u_v < down(h, W, b)).float()


def walk(chain, W, b, c, u):
    for u_h, u_v in u:
        _, chain = step(chain, W, b, c, u_h, u_v)
    return chain


@divergence.accept
def by_outer_products(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    h, h_k = up(v, W, c), up(chain, W, c)
    dW = torch.einsum("nd,nh->ndh", v, h).mean(0) - torch.einsum("nd,nh->ndh", chain, h_k).mean(0)
    return dW, v.mean(0) - chain.mean(0), h.mean(0) - h_k.mean(0), chain


@divergence.accept
def signed_weights(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    both = torch.cat([v, chain])
    share = torch.cat([torch.full((len(v), 1), 1 / len(v)), torch.full((len(chain), 1), -1 / len(chain))])
    h = share * up(both, W, c)
    return both.T @ h, (share * both).sum(0), h.sum(0), chain


@divergence.accept
def gradient_of_the_free_energy(v, chain, W, b, c, u):
    """CD's update is the gradient of F(chain) - F(data), with the chain held fast."""
    chain = walk(chain, W, b, c, u)
    parameters = [p.clone().requires_grad_() for p in (W, b, c)]
    W, b, c = parameters

    def mean(v):
        return (-(v @ b) - F.softplus(v @ W + c).sum(1)).mean()

    return [*torch.autograd.grad(mean(chain) - mean(v), parameters), chain]


@divergence.accept
def sample_by_sample(v, chain, W, b, c, u):
    for u_h, u_v in u:
        chain = torch.cat([step(chain[i : i + 1], W, b, c, u_h[i], u_v[i])[1] for i in range(len(chain))])
    dW = sum(torch.outer(row, up(row, W, c)) for row in v) / len(v)
    dW = dW - sum(torch.outer(row, up(row, W, c)) for row in chain) / len(chain)
    db = v.mean(0) - chain.mean(0)
    return dW, db, up(v, W, c).mean(0) - up(chain, W, c).mean(0), chain


def statistics(v, W, c):
    h = up(v, W, c)
    return v.T @ h / len(v), v.mean(0), h.mean(0)


def difference(positive, negative, chain):
    return *(p - n for p, n in zip(positive, negative, strict=True)), chain


@divergence.refuse("sign is wrong")
def descent(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    return difference(statistics(chain, W, c), statistics(v, W, c), chain)


@divergence.refuse("negative phase is missing")
def positive_phase_only(v, chain, W, b, c, u):
    return *statistics(v, W, c), walk(chain, W, b, c, u)


@divergence.refuse("sums over samples")
def sums(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    h, h_k = up(v, W, c), up(chain, W, c)
    return v.T @ h - chain.T @ h_k, v.sum(0) - chain.sum(0), h.sum(0) - h_k.sum(0), chain


@divergence.refuse("each is a step")
def one_step_only(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u[:1])
    return difference(statistics(v, W, c), statistics(chain, W, c), chain)


@divergence.refuse("begins anew")
def always_from_the_start(v, chain, W, b, c, u):
    for u_h, u_v in u:
        _, stopped = step(chain, W, b, c, u_h, u_v)
    return difference(statistics(v, W, c), statistics(stopped, W, c), stopped)


@divergence.refuse("where it began: return")
def old_chain_returned(v, chain, W, b, c, u):
    stopped = walk(chain, W, b, c, u)
    return difference(statistics(v, W, c), statistics(stopped, W, c), chain)


@divergence.refuse("drawn before its last v")
def h_of_the_step(v, chain, W, b, c, u):
    for u_h, u_v in u:
        h_k, chain = step(chain, W, b, c, u_h, u_v)
    dW, db, dc = statistics(v, W, c)
    return dW - chain.T @ h_k / len(chain), db - chain.mean(0), dc - h_k.mean(0), chain


@divergence.refuse("by the rows of v")
def one_divisor(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    h, h_k, n = up(v, W, c), up(chain, W, c), len(v)
    return (v.T @ h - chain.T @ h_k) / n, (v.sum(0) - chain.sum(0)) / n, (h.sum(0) - h_k.sum(0)) / n, chain


@divergence.refuse("(9, 14)", "(14, 9)")
def outer_product_turned(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    dW, db, dc = (p - n for p, n in zip(statistics(v, W, c), statistics(chain, W, c), strict=True))
    return dW.T, db, dc, chain


@divergence.refuse("its zeros and ones")
def mean_field_reconstruction(v, chain, W, b, c, u):
    for u_h, u_v in u:
        h, chain = step(chain, W, b, c, u_h, u_v)
    p = down(h, W, b)
    h_k = up(chain, W, c)
    dW, db, dc = statistics(v, W, c)
    return dW - p.T @ h_k / len(p), db - p.mean(0), dc - h_k.mean(0), chain


@divergence.refuse("4 tensors: dW, db, dc, chain")
def chain_forgotten(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    return difference(statistics(v, W, c), statistics(chain, W, c), chain)[:3]


@divergence.refuse("changed its input W")
def applied_at_once(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, u)
    dW, db, dc, chain = difference(statistics(v, W, c), statistics(chain, W, c), chain)
    W += 0.1 * dW
    return dW, db, dc, chain


@divergence.refuse("begins at the data v")
def chain_started_at_the_data(v, chain, W, b, c, u):
    chain = walk(v, W, b, c, u)
    return difference(statistics(v, W, c), statistics(chain, W, c), chain)


@divergence.refuse("numbers of your own")
def numbers_of_its_own(v, chain, W, b, c, u):
    chain = walk(chain, W, b, c, [(torch.rand_like(u_h), torch.rand_like(u_v)) for u_h, u_v in u])
    return difference(statistics(v, W, c), statistics(chain, W, c), chain)


@odds.accept
def logarithms_of_counts(v):
    return torch.log(v.sum(0) + 1) - torch.log((1 - v).sum(0) + 1)


@odds.accept
def logit_of_the_frequency(v):
    return torch.logit((v.sum(dim=0) + 1) / (len(v) + 2))


@odds.accept
def with_two_more_rows(v):
    p = torch.cat([v, torch.ones_like(v[:1]), torch.zeros_like(v[:1])]).mean(dim=0)
    return torch.log(p / (1 - p))


@odds.accept
def pixel_by_pixel(v):
    biases = []
    for pixel in v.double().T:
        on, off = 1 + pixel.sum(), 1 + (1 - pixel).sum()
        biases.append(on.log() - off.log())
    return torch.stack(biases)


@odds.refuse("not finite", "made-up")
def infinite(v):
    p = v.mean(dim=0)
    return torch.log(p / (1 - p))


@odds.refuse("not finite", "always")
def finite_where_never_on(v):
    p = v.mean(dim=0)
    return torch.log((p + 1e-6) / (1 - p))


@odds.refuse("join the count of every pixel")
def clipped(v):
    return torch.logit(v.mean(dim=0), eps=1e-6)


@odds.refuse("join the count of every pixel")
def smoothed_at_the_ends_only(v):
    p, smooth = v.mean(dim=0), (v.sum(dim=0) + 1) / (len(v) + 2)
    return torch.where((p == 0) | (p == 1), smooth, p).logit()


@odds.refuse("frequencies", "sigmoid")
def frequencies(v):
    return (v.sum(dim=0) + 1) / (len(v) + 2)


@odds.refuse("frequencies in v", "sigmoid")
def plain_frequencies(v):
    return v.mean(dim=0)


@odds.refuse("sign is wrong")
def off_to_on(v):
    on = v.sum(dim=0)
    return ((len(v) - on + 1) / (on + 1)).log()


@odds.refuse("odds; take their logarithm")
def odds_without_log(v):
    on = v.sum(dim=0)
    return (on + 1) / (len(v) - on + 1)


@odds.refuse("subtract log(1 - p)")
def log_of_the_frequency(v):
    return torch.log((v.sum(dim=0) + 1) / (len(v) + 2))


@odds.refuse("plus should be minus")
def added_logarithms(v):
    p = (v.sum(dim=0) + 1) / (len(v) + 2)
    return p.log() + (1 - p).log()


@odds.refuse("not finite", "always")
def one_sample_in_the_divisor(v):
    return torch.logit((v.sum(dim=0) + 1) / (len(v) + 1))


@odds.refuse("add it to the count")
def one_added_to_the_frequency(v):
    p = v.mean(dim=0)
    return torch.log((p + 1) / (1 - p + 1))


@odds.refuse("dim=0")
def over_the_pixels(v):
    on = v.sum(dim=1)
    return ((on + 1) / (v.shape[1] - on + 1)).log()


@odds.refuse("dim=0")
def all_pixels_together(v):
    return ((v.sum() + 1) / (v.numel() - v.sum() + 1)).log()


@odds.refuse("base 2")
def in_bits(v):
    on = v.sum(dim=0)
    return ((on + 1) / (len(v) - on + 1)).log2()


@odds.refuse("changed its input v")
def counts_in_place(v):
    v += 1 / len(v)
    on = v.sum(dim=0)
    return (on / (len(v) + 2 - on)).log()


@odds.refuse("returned nothing")
def nothing(v):
    torch.logit((v.sum(dim=0) + 1) / (len(v) + 2))
