"""Lesson 2.2: how students write PCA's reconstruction, the stack of RBMs, unrolled, and the denoising loss."""

import torch
from torch.nn import functional as F

from tests.banks import Bank

pca, stack, denoising = Bank(), Bank(), Bank()
BANKS = {"pca_reconstruction": pca, "stack_rbms": stack, "denoising_loss": denoising}


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


def rbms(x, sizes, train_rbm, hand_on=lambda x, W, b, c: torch.sigmoid(x @ W + c)):
    """The trained stack as a list of (W, b, c); hand_on makes the next RBM's inputs."""
    trained = []
    for level, hidden in enumerate(sizes[1:], start=1):
        W, b, c = train_rbm(x, hidden, level == len(sizes) - 1)
        trained.append((W, b, c))
        x = hand_on(x, W, b, c)
    return trained


def unrolled(trained):
    return [(W.T, c) for W, _, c in trained], [(W, b) for W, b, _ in trained[::-1]]


@stack.accept
def by_appending(x, sizes, train_rbm):
    encoder, decoder = [], []
    for i in range(len(sizes) - 1):
        W, b, c = train_rbm(x, sizes[i + 1], linear=i + 2 == len(sizes))
        encoder += [(W.t(), c)]
        decoder = [(W, b), *decoder]
        x = F.linear(x, W.t(), c).sigmoid()
    return encoder, decoder


@stack.accept
def all_trained_then_unrolled(x, sizes, train_rbm):
    features, W, b, c = [x], [], [], []
    *middle, code = sizes[1:]
    for hidden in middle:
        for part, value in zip((W, b, c), train_rbm(features[-1], hidden, False), strict=True):
            part.append(value)
        features.append(1 / (1 + torch.exp(-features[-1] @ W[-1] - c[-1])))
    for part, value in zip((W, b, c), train_rbm(features[-1], code, True), strict=True):
        part.append(value)
    return tuple(zip((w.mT for w in W), c, strict=True)), tuple(zip(W[::-1], b[::-1], strict=True))


@stack.accept
def by_recursion(x, sizes, train_rbm):
    W, b, c = train_rbm(x=x, hidden=sizes[1], linear=len(sizes) == 2)
    if len(sizes) == 2:
        return [[W.T.contiguous(), c.clone()]], [[W.clone(), b.clone()]]
    up, down = by_recursion(torch.sigmoid(x @ W + c), sizes[1:], train_rbm)
    return [[W.T.contiguous(), c.clone()], *up], [*down, [W.clone(), b.clone()]]


@stack.refuse("trained on x itself", "features of the RBM below")
def all_on_pixels(x, sizes, train_rbm):
    """One size for all, or the weights of the second would not fit."""
    return unrolled(rbms(x, sizes, train_rbm, lambda x, W, b, c: x))


@stack.refuse("without a sigmoid")
def sums_handed_on(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, train_rbm, lambda x, W, b, c: x @ W + c))


@stack.refuse("zeros and ones")
def samples_handed_on(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, train_rbm, lambda x, W, b, c: torch.bernoulli(torch.sigmoid(x @ W + c))))


@stack.refuse("hidden bias c")
def bias_forgotten(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, train_rbm, lambda x, W, b, c: torch.sigmoid(x @ W)))


@stack.refuse("reconstructions")
def reconstructions_handed_on(x, sizes, train_rbm):
    def there_and_back(x, W, b, c):
        return torch.sigmoid(torch.sigmoid(x @ W + c) @ W.T + b)

    return unrolled(rbms(x, sizes, train_rbm, there_and_back))


@stack.refuse("top one", "linear")
def top_not_linear(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, lambda x, hidden, _: train_rbm(x, hidden, False)))


@stack.refuse("is linear; only the top one is")
def all_linear(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, lambda x, hidden, _: train_rbm(x, hidden, True)))


@stack.refuse("one between two neighbours")
def one_too_few(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes[:-1], train_rbm))


@stack.refuse("the next of the sizes")
def own_size(x, sizes, train_rbm):
    return unrolled(rbms(x, (sizes[0], *sizes[:-1]), train_rbm))


@stack.refuse("encoder's weights should be transposed")
def up_not_transposed(x, sizes, train_rbm):
    trained = rbms(x, sizes, train_rbm)
    return [(W, c) for W, _, c in trained], unrolled(trained)[1]


@stack.refuse("decoder's weights should be transposed")
def down_transposed(x, sizes, train_rbm):
    encoder, decoder = unrolled(rbms(x, sizes, train_rbm))
    return encoder, [(W.T, b) for W, b in decoder]


@stack.refuse("decoder's layers are in the wrong order")
def down_not_turned(x, sizes, train_rbm):
    encoder, decoder = unrolled(rbms(x, sizes, train_rbm))
    return encoder, decoder[::-1]


@stack.refuse("decoder has the hidden biases")
def hidden_biases_down(x, sizes, train_rbm):
    trained = rbms(x, sizes, train_rbm)
    return unrolled(trained)[0], [(W, c) for W, _, c in trained[::-1]]


@stack.refuse("encoder has the visible biases")
def visible_biases_up(x, sizes, train_rbm):
    trained = rbms(x, sizes, train_rbm)
    return [(W.T, b) for W, b, _ in trained], unrolled(trained)[1]


@stack.refuse("in the right order, its biases are not")
def biases_not_turned(x, sizes, train_rbm):
    trained = rbms(x, sizes, train_rbm)
    turned = [(W, b) for (W, _, _), (_, b, _) in zip(trained[::-1], trained, strict=True)]
    return unrolled(trained)[0], turned


@stack.refuse("encoder once more")
def encoder_twice(x, sizes, train_rbm):
    encoder, _ = unrolled(rbms(x, sizes, train_rbm))
    return encoder, list(encoder)


@stack.refuse("return encoder, decoder")
def sides_swapped(x, sizes, train_rbm):
    return unrolled(rbms(x, sizes, train_rbm))[::-1]


@stack.refuse("biases are zero")
def no_biases(x, sizes, train_rbm):
    encoder, decoder = unrolled(rbms(x, sizes, train_rbm))
    return [(W, torch.zeros_like(c)) for W, c in encoder], decoder


@stack.refuse("two lists")
def one_list(x, sizes, train_rbm):
    encoder, decoder = unrolled(rbms(x, sizes, train_rbm))
    return encoder + decoder


@stack.refuse("pair of tensors")
def weights_only(x, sizes, train_rbm):
    return tuple([W for W, _ in side] for side in unrolled(rbms(x, sizes, train_rbm)))


@stack.refuse("changed its input x")
def binarised_in_place(x, sizes, train_rbm):
    x.round_()
    return unrolled(rbms(x, sizes, train_rbm))


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


@denoising.refuse("gradient is not")
def half_detached(x, u, destroyed, encode, decode):
    logits = decode(encode(damage(x, u, destroyed)))
    return (F.softplus(logits) - x * logits.detach()).sum() / len(x)


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
