"""Lesson 2.2's checks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import NOTHING, Check, by_name, distance, likely_cause, shape_of, tensor_fault
from sslcourse.checks.apply.autoencoders import denoising_run, small_decoder, small_encoder, unroll_run
from sslcourse.origins import denoising_loss, pca_reconstruction, unroll


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
    mean, own_mean = x.mean(dim=0), x_new.mean(dim=0)

    def project(centred: Tensor, basis: Tensor) -> Tensor:
        return centred @ basis.T @ basis

    def principal(x: Tensor) -> Tensor:
        return torch.linalg.svd(x, full_matrices=False).Vh

    V, S = principal(x - mean), torch.linalg.svdvals(x - mean)
    centred = x_new - mean
    all_directions = torch.linalg.svd(x - mean, full_matrices=True).Vh
    return {
        "x is not centred: subtract the mean of its rows before you look for components": project(
            x_new, principal(x)[:k]
        ),
        "x is not centred before you look for components": mean + project(centred, principal(x)[:k]),
        "the mean is not added back after decoding": project(centred, V[:k]),
        "x_new is not centred before it is coded; subtract the mean of x": mean + project(x_new, V[:k]),
        "nothing is centred in the code: subtract the mean of x before coding, add it after decoding": project(
            x_new, V[:k]
        ),
        "you centre x_new by its own mean; the mean, as the components, is fitted to x": (
            own_mean + project(x_new - own_mean, V[:k])
        ),
        "mean and components are fitted to x_new, the test data; fit both to x": (
            own_mean + project(x_new - own_mean, principal(x_new - own_mean)[:k])
        ),
        "these are the last k components, those of the smallest variance; torch.linalg.eigh sorts upwards": (
            mean + project(centred, all_directions[-k:])
        ),
        "you use the smallest of the components that svd returns; take the first k": mean + project(centred, V[-k:]),
        f"you use {k + 1} components; k is {k}": mean + project(centred, V[: k + 1]),
        f"you use {k - 1} components; k is {k}": mean + project(centred, V[: k - 1]),
        "you use all components; keep the first k": mean + project(centred, V),
        "this is x_new itself; keep the first k components only": x_new,
        "the code is scaled by the singular values; a projection needs none": (
            mean + (centred @ V[:k].T * S[:k]) @ V[:k]
        ),
        "the code is divided by the singular values; a projection needs none": (
            mean + (centred @ V[:k].T / S[:k]) @ V[:k]
        ),
        "you subtract the reconstruction of what is left: this is the part that PCA loses": centred
        - project(centred, V[:k]),
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
    return likely_cause(result, right, pca_mistakes(x, x_new, k), 2 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; its squared error per row is "
        f"{(result - x_new).square().sum(dim=1).mean():.3g}, and should be "
        f"{(right - x_new).square().sum(dim=1).mean():.3g}"
    )


def unroll_cases(rng: torch.Generator) -> list[dict]:
    """Stacks of two, three and one RBM with layers of different sizes, then one with layers of one size."""
    cases = []
    for sizes in ((7, 5, 3), (9, 6, 4, 2), (6, 4), (4, 4, 4)):
        pairs = list(zip(sizes, sizes[1:], strict=False))
        cases.append(
            {
                "W": [torch.randn(pair, generator=rng) for pair in pairs],
                "b": [torch.randn(d, generator=rng) for d, _ in pairs],
                "c": [torch.randn(h, generator=rng) for _, h in pairs],
            }
        )
    return cases


def unroll_verdict(inputs: dict, outputs: dict) -> str | None:
    result = outputs["result"]
    if fault := layers_form(result, len(inputs["W"])):
        return fault
    if outputs["changed"]:
        return "it changed the RBMs that it was given; make new lists"
    W, b, c = inputs["W"], inputs["b"], inputs["c"]
    right = unroll(W, b, c)
    if is_same(result[::-1], right) and not is_same(result, right):
        return "encoder and decoder are in the wrong order: return encoder, decoder"
    for name, layers, right_layers in zip(("encoder", "decoder"), result, right, strict=True):
        if fault := layers_fault(name, layers, right_layers, W, b, c):
            return fault
    return None


def layers_form(result, depth: int) -> str | None:
    """What is wrong with the form of two lists with a layer, a pair of tensors, for each RBM."""
    if result is None:
        return NOTHING
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
    """Whether two unrolled stacks hold the same tensors."""
    tensors, right_tensors = ([t for part in side for layer in part for t in layer] for side in (result, right))
    return all(
        a.shape == b.shape and torch.equal(a.double(), b.double()) for a, b in zip(tensors, right_tensors, strict=True)
    )


def layers_mistakes(name: str, right: list, W: list, b: list, c: list) -> dict[str, list]:
    """Wrong layers of the encoder or the decoder by their likely cause."""
    up, down = name == "encoder", name == "decoder"
    mistakes = {
        f"the {name}'s layers are in the wrong order: "
        + ("data enter at the first RBM" if up else "the last RBM, next to the code, decodes first"): right[::-1],
        f"the {name}'s weights should be transposed: F.linear(x, weight) wants the shape (out, in), so "
        + ("W.T on the way up" if up else "W as it is on the way down"): [(w.T, bias) for w, bias in right],
        f"the {name}'s weights are in the right order, its biases are not": [
            (w, bias) for (w, _), (_, bias) in zip(right, right[::-1], strict=True)
        ],
        f"the {name}'s biases are in the right order, its weights are not": [
            (w, bias) for (_, bias), (w, _) in zip(right, right[::-1], strict=True)
        ],
    }
    other_biases = [(w, bias) for (w, _), bias in zip(right, b if up else c[::-1], strict=True)]
    other = "visible biases b; its units are hidden ones: c" if up else "hidden biases c; its units are visible ones: b"
    mistakes[f"the {name} has the {other}"] = other_biases
    mistakes[f"the {name}'s biases are zero; take the RBMs' own"] = [(w, torch.zeros_like(bias)) for w, bias in right]
    if down:
        mistakes["the decoder is the encoder once more: turn the order round, and use W and b"] = [
            (w.T, hidden) for w, hidden in zip(W, c, strict=True)
        ]
    return mistakes


def layers_fault(name: str, layers: list, right_layers: list, W: list, b: list, c: list) -> str | None:
    """What is wrong with the layers of the encoder or the decoder."""
    if is_same([layers], [right_layers]):
        return None
    for cause, mistake in layers_mistakes(name, right_layers, W, b, c).items():
        if is_same([layers], [mistake]):
            return cause
    for index, ((weight, bias), (right_weight, right_bias)) in enumerate(zip(layers, right_layers, strict=True)):
        for part, result, right in (("weight", weight, right_weight), ("bias", bias, right_bias)):
            if result.shape != right.shape:
                return (
                    f"the {part} of the {name}'s layer {index} (from 0) has shape {tuple(result.shape)}; it should be "
                    f"{tuple(right.shape)}"
                )
            if distance(result, right) > 0:
                return (
                    f"the {part} of the {name}'s layer {index} (from 0) is off by up to {distance(result, right):.3g} "
                    "from that of its RBM"
                )
    return None


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
    encode, decode = small_encoder(inputs["W"]), small_decoder(inputs["V"])
    damaged = x.masked_fill(u < destroyed, 0)
    if fault := received_fault(outputs["received"], x, u, destroyed):
        return fault
    if not result.isfinite():
        return (
            "it is not finite: the logarithm of a sigmoid overflows for large logits. "
            "F.binary_cross_entropy_with_logits takes both in one step"
        )
    right = denoising_loss(x, u, destroyed, encode, decode)
    tolerance = 1e-5 * max(1.0, right.abs().item())  # float32, relative
    if distance(result, right) > tolerance:
        mistakes = denoising_mistakes(x, damaged, u < destroyed, decode(encode(damaged)))
        return likely_cause(result, right, mistakes, 3 * tolerance) or (
            f"the loss is {result.item():.5g}, and should be {right.item():.5g} nats a sample"
        )
    return None if outputs["connected"] else "no gradient flows to the network: is something detached, or a number?"


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
        "the wrong pixels are destroyed: a pixel is set to zero where u is below `destroyed`": x.masked_fill(
            u >= destroyed, 0
        ),
        "destroyed pixels are set to one; set them to zero": x.masked_fill(u < destroyed, 1),
        "destroyed pixels hold noise; set them to zero": torch.where(u < destroyed, u, x),
        "the pixels that are kept are scaled up, as in dropout; leave them as they are": right / (1 - destroyed),
        "noise is added to all pixels; set to zero those whose u is below `destroyed`": x + destroyed * u,
        "all pixels are scaled; set to zero those whose u is below `destroyed`, and leave the others": x
        * (1 - destroyed),
    }
    return likely_cause(damaged, right, mistakes, 1e-6) or (
        f"what the encoder sees is off by up to {distance(damaged, right):.3g} from x with the pixels at u < destroyed "
        "set to zero. Do you draw numbers of your own?"
    )


def denoising_mistakes(x: Tensor, damaged: Tensor, holes: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """Wrong losses by their likely cause, where the encoder has received the right input."""
    p = logits.sigmoid()
    terms = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    n = len(x)
    return {
        "you compare with the damaged copy; the aim is the clean x": (
            F.binary_cross_entropy_with_logits(logits, damaged, reduction="sum") / n
        ),
        "this is the mean over pixels, too; sum over pixels, mean over samples": terms.mean(),
        "this is the sum over samples; take the mean over samples": terms.sum(),
        "this is divided by the number of pixels of an image; divide by the number of samples": (
            terms.sum() / x.shape[1]
        ),
        "only the destroyed pixels count; all pixels should": (terms * holes).sum() / n,
        "only the pixels that were kept count; all pixels should": (terms * ~holes).sum() / n,
        "the sign is wrong: a cross-entropy is positive": -terms.sum() / n,
        "the logits go through a sigmoid twice: binary_cross_entropy_with_logits takes one itself": (
            F.binary_cross_entropy_with_logits(p, x, reduction="sum") / n
        ),
        "this is the squared error; take the cross-entropy": (p - x).square().sum() / n,
        "this is the squared error of logits, without a sigmoid; take the cross-entropy": (logits - x).square().sum()
        / n,
        "the term (1 - x) log(1 - p) is missing: dark pixels count, too": -(x * F.logsigmoid(logits)).sum() / n,
        "target and prediction are swapped": (
            -(p * x.clamp(min=1e-12).log() + (1 - p) * (1 - x).clamp(min=1e-12).log()).sum() / n
        ),
    }


CHECKS = by_name(
    Check(pca_reconstruction, pca_cases, pca_verdict),
    Check(unroll, unroll_cases, unroll_verdict, unroll_run),
    Check(denoising_loss, denoising_cases, denoising_verdict, denoising_run),
)
