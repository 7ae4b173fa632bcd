"""Lesson 2.2: how students write PCA's reconstruction, the unrolled stack and the denoising loss."""

import torch
from torch.nn import functional as F

from tests.banks import Bank

pca, unrolled, denoising = Bank(), Bank(), Bank()
BANKS = {"pca_reconstruction": pca, "unroll": unrolled, "denoising_loss": denoising}


def principal(x, k):
    return torch.linalg.svd(x, full_matrices=False).Vh[:k]


@pca.accept
def by_eigenvectors(x, x_new, k):
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / (len(x) - 1)
    vectors = torch.linalg.eigh(covariance).eigenvectors[:, -k:]
    return (x_new - mean) @ vectors @ vectors.T + mean


@pca.accept
def by_scikit_learn(x, x_new, k):
    from sklearn.decomposition import PCA

    fitted = PCA(k, svd_solver="full").fit(x.numpy())
    return torch.from_numpy(fitted.inverse_transform(fitted.transform(x_new.numpy())))


@pca.accept
def code_then_decode(x, x_new, k):
    mean = x.mean(dim=0, keepdim=True)
    _, _, V = torch.svd(x - mean)
    code = torch.einsum("md,dk->mk", x_new - mean, V[:, :k])
    return mean + torch.einsum("mk,dk->md", code, V[:, :k])


@pca.accept
def in_double_precision(x, x_new, k):
    x, x_new = x.double(), x_new.double()
    V = principal(x - x.mean(0), k)
    return torch.stack([x.mean(0) + sum((row - x.mean(0)) @ v * v for v in V) for row in x_new])


@pca.refuse("not centred")
def never_centred(x, x_new, k):
    V = principal(x, k)
    return x_new @ V.T @ V


@pca.refuse("mean is not added back")
def mean_lost(x, x_new, k):
    V = principal(x - x.mean(0), k)
    return (x_new - x.mean(0)) @ V.T @ V


@pca.refuse("x_new is not centred")
def centred_once(x, x_new, k):
    V = principal(x - x.mean(0), k)
    return x.mean(0) + x_new @ V.T @ V


@pca.refuse("its own mean")
def own_mean(x, x_new, k):
    V = principal(x - x.mean(0), k)
    return x_new.mean(0) + (x_new - x_new.mean(0)) @ V.T @ V


@pca.refuse("fitted to x_new", "test data")
def fitted_to_the_test(x, x_new, k):
    mean = x_new.mean(0)
    V = principal(x_new - mean, k)
    return mean + (x_new - mean) @ V.T @ V


@pca.refuse("last k components")
def smallest_eigenvalues(x, x_new, k):
    mean = x.mean(0)
    V = torch.linalg.eigh((x - mean).T @ (x - mean)).eigenvectors[:, :k]
    return mean + (x_new - mean) @ V @ V.T


@pca.refuse("decode them back")
def codes_only(x, x_new, k):
    return (x_new - x.mean(0)) @ principal(x - x.mean(0), k).T


@pca.refuse("singular values")
def scaled(x, x_new, k):
    mean = x.mean(0)
    _, S, Vh = torch.linalg.svd(x - mean, full_matrices=False)
    return mean + ((x_new - mean) @ Vh[:k].T * S[:k]) @ Vh[:k]


@pca.refuse("keep the first k")
def all_components(x, x_new, k):
    mean = x.mean(0)
    V = torch.linalg.svd(x - mean, full_matrices=True).Vh
    return mean + (x_new - mean) @ V.T @ V


@pca.refuse("components; k is")
def one_too_many(x, x_new, k):
    mean = x.mean(0)
    V = principal(x - mean, k + 1)
    return mean + (x_new - mean) @ V.T @ V


@pca.refuse("reconstruct the rows of x_new")
def training_rows(x, x_new, k):
    mean = x.mean(0)
    V = principal(x - mean, k)
    return mean + (x - mean) @ V.T @ V


@pca.refuse("changed its input")
def centred_in_place(x, x_new, k):
    mean = x.mean(0)
    x -= mean
    V = principal(x, k)
    return mean + (x_new - mean) @ V.T @ V


@unrolled.accept
def by_loops(W, b, c):
    encoder, decoder = [], []
    for weight, visible, hidden in zip(W, b, c, strict=True):
        encoder.append((weight.t(), hidden))
        decoder.insert(0, (weight, visible))
    return encoder, decoder


@unrolled.accept
def lists_of_lists(W, b, c):
    depth = len(W)
    up = [[W[i].T.contiguous(), c[i].clone()] for i in range(depth)]
    down = [[W[i].clone(), b[i].clone()] for i in range(depth - 1, -1, -1)]
    return [up, down]


@unrolled.accept
def zipped(W, b, c):
    return tuple(zip((w.mT for w in W), c, strict=True)), tuple(zip(W[::-1], b[::-1], strict=True))


@unrolled.refuse("encoder's weights should be transposed")
def up_not_transposed(W, b, c):
    return list(zip(W, c, strict=True)), list(zip(W[::-1], b[::-1], strict=True))


@unrolled.refuse("decoder's weights should be transposed")
def down_transposed(W, b, c):
    return [(w.T, h) for w, h in zip(W, c, strict=True)], [(w.T, v) for w, v in zip(W[::-1], b[::-1], strict=True)]


@unrolled.refuse("decoder's layers are in the wrong order")
def down_not_turned(W, b, c):
    return [(w.T, h) for w, h in zip(W, c, strict=True)], list(zip(W, b, strict=True))


@unrolled.refuse("decoder has the hidden biases")
def hidden_biases_down(W, b, c):
    return [(w.T, h) for w, h in zip(W, c, strict=True)], list(zip(W[::-1], c[::-1], strict=True))


@unrolled.refuse("encoder has the visible biases")
def visible_biases_up(W, b, c):
    return [(w.T, v) for w, v in zip(W, b, strict=True)], list(zip(W[::-1], b[::-1], strict=True))


@unrolled.refuse("in the right order, its biases are not")
def biases_not_turned(W, b, c):
    return [(w.T, h) for w, h in zip(W, c, strict=True)], list(zip(W[::-1], b, strict=True))


@unrolled.refuse("encoder once more")
def encoder_twice(W, b, c):
    encoder = [(w.T, h) for w, h in zip(W, c, strict=True)]
    return encoder, list(encoder)


@unrolled.refuse("return encoder, decoder")
def sides_swapped(W, b, c):
    return list(zip(W[::-1], b[::-1], strict=True)), [(w.T, h) for w, h in zip(W, c, strict=True)]


@unrolled.refuse("biases are zero")
def no_biases(W, b, c):
    encoder = [(w.T, torch.zeros_like(h)) for w, h in zip(W, c, strict=True)]
    return encoder, list(zip(W[::-1], b[::-1], strict=True))


@unrolled.refuse("two lists")
def one_list(W, b, c):
    return [(w.T, h) for w, h in zip(W, c, strict=True)] + list(zip(W[::-1], b[::-1], strict=True))


@unrolled.refuse("pair of tensors")
def weights_only(W, b, c):
    return [w.T for w in W], W[::-1]


@unrolled.refuse("changed the RBMs")
def turned_in_place(W, b, c):
    encoder = [(w.T, h) for w, h in zip(W, c, strict=True)]
    W.reverse()
    b.reverse()
    W[0] *= 1.0
    return encoder, list(zip(W, b, strict=True))


@denoising.accept
def by_a_mask(x, u, destroyed, encode, decode):
    keep = (u >= destroyed).to(x.dtype)
    logits = decode(encode(x * keep))
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1).mean()


@denoising.accept
def by_softplus(x, u, destroyed, encode, decode):
    logits = decode(encode(torch.where(u < destroyed, 0.0, x)))
    return (F.softplus(logits) - x * logits).sum() / x.shape[0]


@denoising.accept
def by_two_logarithms(x, u, destroyed, encode, decode):
    damaged = x.clone()
    damaged[u < destroyed] = 0
    logits = decode(encode(damaged))
    return -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(dim=-1).mean()


@denoising.accept
def mean_times_pixels(x, u, destroyed, encode, decode):
    logits = decode(encode(x * (u >= destroyed)))
    return F.binary_cross_entropy_with_logits(logits.double(), x.double()) * x.shape[1]


def damage(x, u, destroyed):
    return x.masked_fill(u < destroyed, 0)


def cross_entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, reduction="sum") / len(target)


@denoising.refuse("sees the clean x")
def nothing_damaged(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(x)), x)


@denoising.refuse("aim is the clean x")
def damaged_target(x, u, destroyed, encode, decode):
    damaged = damage(x, u, destroyed)
    return cross_entropy(decode(encode(damaged)), damaged)


@denoising.refuse("wrong pixels")
def mask_turned_round(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(x * (u < destroyed))), x)


@denoising.refuse("mean over pixels")
def mean_over_everything(x, u, destroyed, encode, decode):
    return F.binary_cross_entropy_with_logits(decode(encode(damage(x, u, destroyed))), x)


@denoising.refuse("sum over samples")
def sum_over_everything(x, u, destroyed, encode, decode):
    return F.binary_cross_entropy_with_logits(decode(encode(damage(x, u, destroyed))), x, reduction="sum")


@denoising.refuse("squared error")
def squared(x, u, destroyed, encode, decode):
    return (decode(encode(damage(x, u, destroyed))).sigmoid() - x).square().sum(dim=1).mean()


@denoising.refuse("twice")
def sigmoid_twice(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(damage(x, u, destroyed))).sigmoid(), x)


@denoising.refuse("sign")
def wrong_sign(x, u, destroyed, encode, decode):
    return -cross_entropy(decode(encode(damage(x, u, destroyed))), x)


@denoising.refuse("dark pixels")
def half_a_cross_entropy(x, u, destroyed, encode, decode):
    return -(x * F.logsigmoid(decode(encode(damage(x, u, destroyed))))).sum(dim=1).mean()


@denoising.refuse("as in dropout")
def dropout(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(damage(x, u, destroyed) / (1 - destroyed))), x)


@denoising.refuse("numbers of your own")
def own_numbers(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(damage(x, torch.rand_like(x), destroyed))), x)


@denoising.refuse("not finite")
def overflowing(x, u, destroyed, encode, decode):
    p = decode(encode(damage(x, u, destroyed))).sigmoid()
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1).mean()


@denoising.refuse("no gradient flows")
def detached_code(x, u, destroyed, encode, decode):
    return cross_entropy(decode(encode(damage(x, u, destroyed)).detach()), x)


@denoising.refuse("only the destroyed pixels")
def only_the_holes(x, u, destroyed, encode, decode):
    logits = decode(encode(damage(x, u, destroyed)))
    terms = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return (terms * (u < destroyed)).sum(dim=1).mean()


@denoising.refuse("one number")
def a_loss_for_each(x, u, destroyed, encode, decode):
    logits = decode(encode(damage(x, u, destroyed)))
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)


@denoising.refuse("changed its input x")
def destroyed_in_place(x, u, destroyed, encode, decode):
    clean = x.clone()
    x[u < destroyed] = 0
    return cross_entropy(decode(encode(x)), clean)
