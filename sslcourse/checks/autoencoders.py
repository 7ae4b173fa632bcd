"""Lesson 2.2's checks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import NOTHING, Check, by_name, changed_fault, distance, likely_cause, shape_of, tensor_fault
from sslcourse.checks.apply.autoencoders import Trainer, denoising_run, small_decoder, small_encoder, stack_run
from sslcourse.origins import denoising_loss, pca_reconstruction, stack_rbms


def pca_cases(rng: torch.Generator) -> list[dict]:
    """Fewer and more samples than dimensions, means far from zero, and clearly different variances."""
    cases = []
    for n, m, d, k in ((20, 6, 8, 3), (30, 9, 12, 5), (9, 5, 14, 2)):
        directions = torch.linalg.qr(torch.randn(d, d, generator=rng)).Q
        lengths = 0.75 ** torch.arange(d).float()
        scores = torch.linalg.qr(torch.randn(n, n, generator=rng)).Q[:, : min(n, d)] * n**0.5
        mean = 2 + torch.randn(d, generator=rng)
        x = mean + (scores * lengths[: scores.shape[1]]) @ directions[: scores.shape[1]]
        x_new = mean + 0.5 + (torch.randn(m, d, generator=rng) * lengths) @ directions
        cases.append({"x": x, "x_new": x_new, "k": k})
    return cases


def pca_mistakes(x: Tensor, x_new: Tensor, k: int) -> dict[str, Tensor]:
    """Wrong reconstructions (M,D) by their likely cause."""
    mean, own = x.mean(dim=0), x_new.mean(dim=0)

    def project(centred: Tensor, basis: Tensor) -> Tensor:
        return centred @ basis.T @ basis

    def principal(x: Tensor) -> Tensor:
        return torch.linalg.svd(x, full_matrices=False).Vh

    V, S = principal(x - mean), torch.linalg.svdvals(x - mean)[:k]
    W, last = principal(x)[:k], torch.linalg.svd(x - mean, full_matrices=True).Vh[-k:]
    centred, code = x_new - mean, (x_new - mean) @ V[:k].T
    return {
        "x is not centred: subtract the mean of its rows before you look for components": project(x_new, W),
        "x is not centred before you look for components": mean + project(centred, W),
        "the mean is not added back after decoding": code @ V[:k],
        "x_new is not centred before it is coded; subtract the mean of x": mean + project(x_new, V[:k]),
        "the mean of x is missing in the code: subtract it before, add it back after": project(x_new, V[:k]),
        "you centre x_new by its own mean; both mean and components belong to x": own + project(x_new - own, V[:k]),
        "mean and components are fitted to x_new, the test data; fit both to x": own
        + project(x_new - own, principal(x_new - own)[:k]),
        "these are the last k components, of the smallest variance; eigh sorts upwards": mean + project(centred, last),
        f"you use {k + 1} components; k is {k}": mean + project(centred, V[: k + 1]),
        f"you use {k - 1} components; k is {k}": mean + project(centred, V[: k - 1]),
        "you use all components; keep the first k": mean + project(centred, V),
        "the code is scaled by the singular values; a projection needs none": mean + code * S @ V[:k],
        "the code is divided by the singular values; a projection needs none": mean + code / S @ V[:k],
        "you subtract the reconstruction from what it should be: this is what PCA loses": centred - code @ V[:k],
        "this is the mean for every row: the code is lost on the way": mean.expand_as(x_new),
    }


def pca_verdict(inputs: dict, outputs: dict) -> str | None:
    x, x_new, k = inputs["x"].double(), inputs["x_new"].double(), inputs["k"]
    result, right = outputs["result"], pca_reconstruction(x, x_new, k)
    if shape_of(result) == (len(x_new), k):
        return f"these are codes of {k} numbers; decode them back to {x.shape[1]} dimensions"
    if shape_of(result) == x.shape:
        return "you reconstruct x, to which the components are fitted; reconstruct the rows of x_new"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        return "it is not finite: do you divide by a singular value that is zero?"
    tolerance = 1e-3  # float32, numbers of about 5; components that are close to each other turn a little
    if distance(result, right) <= tolerance:
        return None
    error, right_error = (((part - x_new) ** 2).sum(dim=1).mean() for part in (result, right))
    return likely_cause(result, right, pca_mistakes(x, x_new, k), 2 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; its squared error per row is {error:.3g}, and should be "
        f"{right_error:.3g}"
    )


def stack_cases(rng: torch.Generator) -> list[dict]:
    """Stacks of two, three and one RBM with layers of different sizes, then of three with layers of one size."""
    cases = []
    for sizes in ((7, 5, 3), (9, 6, 4, 2), (6, 4), (4, 4, 4, 4)):
        seed = int(torch.randint(2**31, (), generator=rng))
        cases.append({"x": torch.rand(6, sizes[0], generator=rng), "sizes": sizes, "seed": seed})
    return cases


def stack_verdict(inputs: dict, outputs: dict) -> str | None:
    x, sizes, seed = (inputs[name] for name in ("x", "sizes", "seed"))
    result = outputs["result"]
    if result is None:
        return NOTHING
    if fault := changed_fault(outputs) or asked_fault(outputs["asked"], x, sizes, seed):
        return fault
    if fault := layers_form(result, len(sizes) - 1):
        return fault
    right = stack_rbms(x, sizes, Trainer(seed))
    if is_same(result[::-1], right) and not is_same(result, right):
        return "encoder and decoder are in the wrong order: return encoder, decoder"
    for name, layers, own, other in zip(("encoder", "decoder"), result, right, right[::-1], strict=True):
        if fault := layers_fault(name, layers, own, other):
            return fault
    return None


def asked_fault(asked: list, x: Tensor, sizes: tuple[int, ...], seed: int) -> str | None:
    """What is wrong with what train_rbm was asked for: a list of [x, hidden, linear], one for each call."""
    if len(asked) != len(sizes) - 1:
        return f"you train {len(asked)} RBMs; {len(sizes)} sizes want {len(sizes) - 1}, one between two neighbours"
    trainer, h, mistakes = Trainer(seed), x, {}
    for number, ((got, hidden, linear), size) in enumerate(zip(asked, sizes[1:], strict=True), start=1):
        name, top = f"RBM {number} of {len(asked)}", number == len(asked)
        if hidden != size:
            return f"{name} has {hidden} hidden units; it should have {size}, the next of the sizes"
        if fault := features_fault(name, got, h, mistakes):
            return fault
        if linear != top:
            return f"{name} is linear; only the top one is" if linear else f"{name} is the top one: it should be linear"
        W, b, c = trainer(h, size, linear)
        mistakes = features_mistakes(x, h, W, b, c)
        h = torch.sigmoid(h @ W + c)
    return None


def features_fault(name: str, got: Tensor, right: Tensor, mistakes: dict[str, Tensor]) -> str | None:
    """What is wrong with the inputs (N,D) on which an RBM of this name is trained."""
    same_shape = got.shape == right.shape
    if same_shape and distance(got, right) <= 1e-5:  # float32, numbers between 0 and 1
        return None
    if mistakes and set(got.unique().tolist()) <= {0.0, 1.0}:
        return f"{name} is trained on drawn zeros and ones; hand the probabilities on"
    for cause, value in mistakes.items():
        if value.shape == got.shape and distance(got, value) <= 1e-5:
            return f"{name} is trained on {cause}"
    off = f"off by up to {distance(got, right):.3g}" if same_shape else f"of shape {tuple(got.shape)}"
    wanted = "the hidden units' probabilities of the RBM below" if mistakes else "x as it is"
    return f"what {name} is trained on is {off}; it should be {wanted}, of shape {tuple(right.shape)}"


def features_mistakes(x: Tensor, v: Tensor, W: Tensor, b: Tensor, c: Tensor) -> dict[str, Tensor]:
    """Wrong inputs of the RBM above one with inputs v and parameters W, b, c, by their likely cause."""
    h = torch.sigmoid(v @ W + c)
    mistakes = {
        "x itself; train it on the features of the RBM below": x,
        "what the RBM below was trained on; train it on the features of the RBM below": v,
        "sums without a sigmoid; hand the probabilities on": v @ W + c,
        "features without the hidden bias c": torch.sigmoid(v @ W),
        "reconstructions by the RBM below; hand its features on": torch.sigmoid(h @ W.T + b),
    }
    if len(W) == len(c):  # otherwise torch refuses it
        mistakes["features with W turned round; up it is v @ W"] = torch.sigmoid(v @ W.T + c)
        mistakes["features with the visible bias b; hidden units have c"] = torch.sigmoid(v @ W + b)
        mistakes["features of x; take those of what the RBM below was trained on"] = torch.sigmoid(x @ W + c)
    return mistakes


def layers_form(result, depth: int) -> str | None:
    """What is wrong with the form of two lists with a layer, a pair of tensors, for each RBM."""
    if not isinstance(result, list) or len(result) != 2 or not all(isinstance(part, list) for part in result):
        return "it should return two lists: the encoder's layers and the decoder's"
    for name, layers in zip(("encoder", "decoder"), result, strict=True):
        if len(layers) != depth:
            return f"the {name} has {len(layers)} layers; {depth} RBMs make {depth}"
        for layer in layers:
            if not isinstance(layer, list) or len(layer) != 2 or not all(isinstance(t, Tensor) for t in layer):
                return f"each layer of the {name} should be a pair of tensors: (weight, bias)"
    return None


def is_same(result, right) -> bool:
    """Whether two stacks, unrolled, hold the same tensors."""
    tensors, right_tensors = ([t for part in side for layer in part for t in layer] for side in (result, right))
    pairs = zip(tensors, right_tensors, strict=True)
    return all(a.shape == b.shape and torch.equal(a.double(), b.double()) for a, b in pairs)


def layers_mistakes(name: str, right: list, other: list) -> dict[str, list]:
    """Wrong layers of the encoder or the decoder by their likely cause; other: the right layers of the other one."""
    up = name == "encoder"
    where = "data enter at the first RBM" if up else "the last RBM, next to the code, decodes first"
    way = "W.T on the way up" if up else "W as it is on the way down"
    biases = "visible biases b; these are hidden units: c" if up else "hidden biases c; these are visible units: b"
    turned = [(w, bias) for (w, _), (_, bias) in zip(right, right[::-1], strict=True)]
    twice = {} if up else {"the decoder is the encoder once more: turn the order round, and use W and b": other}
    return twice | {
        f"the {name}'s layers are in the wrong order: {where}": right[::-1],
        f"the {name}'s weights should be transposed: F.linear(x, weight) wants the shape (out, in), so {way}": [
            (w.T, bias) for w, bias in right
        ],
        f"the {name}'s weights are in the right order, its biases are not": turned,
        f"the {name}'s biases are in the right order, its weights are not": turned[::-1],
        f"the {name} has the {biases}": [(w, bias) for (w, _), (_, bias) in zip(right, other[::-1], strict=True)],
        f"the {name}'s biases are zero; take the RBMs' own": [(w, torch.zeros_like(bias)) for w, bias in right],
    }


def layers_fault(name: str, layers: list, right: list, other: list) -> str | None:
    """What is wrong with the layers of the encoder or the decoder."""
    if is_same([layers], [right]):
        return None
    for cause, mistake in layers_mistakes(name, right, other).items():
        if is_same([layers], [mistake]):
            return cause
    shapes, right_shapes = ([tuple(weight.shape) for weight, _ in part] for part in (layers, right))
    return f"the {name} is not made of its RBMs: its weights have shapes {shapes}, and should have {right_shapes}"


def denoising_cases(rng: torch.Generator) -> list[dict]:
    """Pixels in [0,1], among them 0 and 1, shares destroyed from none to most, and a small autoencoder."""
    cases = []
    for n, d, code, destroyed in ((6, 10, 4, 0.3), (5, 12, 3, 0.6), (8, 7, 3, 0.0), (4, 9, 5, 0.5)):
        x = torch.rand(n, d, generator=rng)
        x[0, :2] = torch.tensor([0.0, 1.0])
        parts = {"W": torch.randn(code, d, generator=rng), "V": 2 * torch.randn(d, code, generator=rng)}
        cases.append({"x": x, "u": torch.rand(n, d, generator=rng), "destroyed": destroyed} | parts)
    cases[-1]["V"] = cases[-1]["V"] * 100  # logits at which the logarithm of a sigmoid is minus infinity
    return cases


def denoising_verdict(inputs: dict, outputs: dict) -> str | None:
    x, u, destroyed = (inputs[name] for name in ("x", "u", "destroyed"))
    result = outputs["result"]
    if isinstance(result, Tensor) and result.ndim:
        return f"it returned shape {tuple(result.shape)}; the loss is one number, a mean over samples"
    if fault := tensor_fault(outputs, ()):
        return fault
    weights = [inputs[name].clone().requires_grad_() for name in ("W", "V")]
    encode, decode = small_encoder(weights[0]), small_decoder(weights[1])
    damaged = x.masked_fill(u < destroyed, 0)
    if fault := received_fault(outputs["received"], x, u, destroyed):
        return fault
    if not result.isfinite():
        return "it is not finite: the logarithm of a sigmoid overflows for large logits; take both in one step"
    right = denoising_loss(x, u, destroyed, encode, decode)
    tolerance = 1e-5 * max(1.0, right.abs().item())  # float32, relative
    if distance(result, right) > tolerance:
        mistakes = denoising_mistakes(x, damaged, u < destroyed, decode(encode(damaged)))
        numbers = f"the loss is {result.item():.5g}, and should be {right.item():.5g} nats a sample"
        return likely_cause(result, right, mistakes, 3 * tolerance) or numbers
    gradients = torch.autograd.grad(right, weights)
    for name, found, due in zip(("encoder", "decoder"), outputs["gradients"], gradients, strict=True):
        if found is None:
            return f"no gradient flows to the {name}: is something detached, or a number?"
        if distance(found, due) > 1e-4 * max(1.0, due.abs().max().item()):  # float32, relative
            return f"the value is right, but the {name}'s gradient is not: is a part of the loss detached?"
    return None


def received_fault(received: list[Tensor], x: Tensor, u: Tensor, destroyed: float) -> str | None:
    """What is wrong with the first of the batches that the encoder received."""
    if not received:
        return "encode was not called: code the damaged copy, decode the code, compare with x"
    damaged, right = received[0], x.masked_fill(u < destroyed, 0)
    if damaged.shape != right.shape:
        return f"the encoder got shape {tuple(damaged.shape)}; it should be that of x, {tuple(x.shape)}"
    if distance(damaged, right) <= 1e-6:
        return None
    mistakes = {
        "the encoder sees the clean x; give it the damaged copy": x,
        "the wrong pixels are destroyed: a pixel is set to zero where u is below `destroyed`": x * (u < destroyed),
        "destroyed pixels are set to one; set them to zero": x.masked_fill(u < destroyed, 1),
        "destroyed pixels hold noise; set them to zero": torch.where(u < destroyed, u, x),
        "the pixels that are kept are scaled up, as in dropout; leave them as they are": right / (1 - destroyed),
        "noise is added to all pixels; set to zero those whose u is below `destroyed`": x + destroyed * u,
        "all pixels are scaled; set to zero those whose u is below `destroyed`": x * (1 - destroyed),
    }
    return likely_cause(damaged, right, mistakes, 1e-6) or (
        f"what the encoder sees is off by up to {distance(damaged, right):.3g} from x with the pixels at u < destroyed "
        "set to zero. Do you draw numbers of your own?"
    )


def denoising_mistakes(x: Tensor, damaged: Tensor, holes: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """Wrong losses by their likely cause, where the encoder has received the right input."""
    p, n = logits.sigmoid(), len(x)
    cost = F.binary_cross_entropy_with_logits
    terms = cost(logits, x, reduction="none")
    swapped = -(p * x.clamp(min=1e-12).log() + (1 - p) * (1 - x).clamp(min=1e-12).log())
    return {
        "you compare with the damaged copy; the aim is the clean x": cost(logits, damaged, reduction="sum") / n,
        "this is the mean over pixels, too; sum over pixels, mean over samples": terms.mean(),
        "this is the sum over samples; take the mean over samples": terms.sum(),
        "this is divided by the number of pixels; divide by the number of samples": terms.sum() / x.shape[1],
        "only the destroyed pixels count; all pixels should": (terms * holes).sum() / n,
        "only the pixels that were kept count; all pixels should": (terms * ~holes).sum() / n,
        "the sign is wrong: a cross-entropy is positive": -terms.sum() / n,
        "the logits go through a sigmoid twice; with_logits takes one itself": cost(p, x, reduction="sum") / n,
        "this is the squared error; take the cross-entropy": (p - x).square().sum() / n,
        "this is the squared error of logits, without a sigmoid; take the cross-entropy": ((logits - x) ** 2).sum() / n,
        "the term (1 - x) log(1 - p) is missing: dark pixels count, too": -(x * F.logsigmoid(logits)).sum() / n,
        "target and prediction are swapped": swapped.sum() / n,
    }


CHECKS = by_name(
    Check(pca_reconstruction, pca_cases, pca_verdict),
    Check(stack_rbms, stack_cases, stack_verdict, stack_run),
    Check(denoising_loss, denoising_cases, denoising_verdict, denoising_run),
)
