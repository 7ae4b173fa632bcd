"""Lesson 5.1's checks."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.adaptation import lora, probe_step, prototypes
from sslcourse.checks import (
    NOTHING,
    Check,
    by_name,
    changed_fault,
    distance,
    likely_cause,
    pair_fault,
    shape_of,
    tensor_fault,
)
from sslcourse.checks.apply import parts_run
from sslcourse.checks.apply.adaptation import lora_run


def probe_cases(rng: torch.Generator) -> list[dict]:
    """N, C and D all different, W and b random; one case has no penalty."""
    return [
        {
            "W": torch.randn(classes, d, generator=rng),
            "b": torch.randn(classes, generator=rng),
            "h": torch.randn(n, d, generator=rng),
            "y": torch.randint(classes, (n,), generator=rng),
            "lr": lr,
            "decay": decay,
        }
        for n, classes, d, lr, decay in ((7, 4, 5, 0.5, 0.3), (9, 3, 6, 2.0, 0.0), (5, 6, 3, 0.25, 1.5))
    ]


def probe_mistakes(W: Tensor, b: Tensor, h: Tensor, y: Tensor, lr: float, decay: float) -> dict[str, tuple]:
    """Wrong pairs of the new W (C,D) and b (C,) by their likely cause."""
    n, C = len(h), len(W)
    logits, target = h @ W.T + b, F.one_hot(y, C).double()
    error = logits.softmax(dim=1) - target

    def gradients(error):
        return error.T @ h / n, error.sum(dim=0) / n

    grad_W, grad_b = gradients(error)

    def step(grad_W=grad_W, grad_b=grad_b, decay=decay, lr=lr):
        return W - lr * (grad_W + decay * W), b - lr * grad_b

    new_W, new_b = step()
    late_b = b - lr * gradients((h @ new_W.T + b).softmax(dim=1) - target)[1]
    return {
        "the error is the softmax minus the one-hot labels; you have its negative": step(-grad_W, -grad_b),
        "you go uphill: the step is minus lr times the gradient": (2 * W - new_W, 2 * b - new_b),
        "the gradient is a sum over the samples; the loss is their mean, so divide by N": step(n * grad_W, n * grad_b),
        "the gradient is divided by N in W, but not in b": step(grad_b=n * grad_b),
        "the gradient is divided by N in b, but not in W": step(n * grad_W),
        "b's gradient is divided by N twice: it is the sum of the rows of (softmax - one-hot) / N": (
            step(grad_b=grad_b / n)
        ),
        "the gradient is divided by N and by the number of classes, too: the loss is a mean over samples only": (
            step(grad_W / C, grad_b / C)
        ),
        "decay is not used: its penalty adds decay * W to the gradient": step(decay=0.0),
        "the penalty has the wrong sign: it pulls W towards zero": step(decay=-decay),
        "the penalty is decay/2 times the sum of squares, so that its gradient is decay * W, not 2 * decay * W": (
            step(decay=2 * decay)
        ),
        "the penalty is decay/2 times the sum of squares, so that its gradient is decay * W, not decay / 2 * W": (
            step(decay=decay / 2)
        ),
        "the penalty is divided by N, too; only the cross-entropy is a mean over samples": step(decay=decay / n),
        "you divide by the number of classes; the mean is over the N samples": step(n / C * grad_W, n / C * grad_b),
        "b is penalised, too; the penalty is on W alone": step(grad_b=grad_b + decay * b),
        "decay is not multiplied by lr: its penalty is a part of the loss, and so of the gradient": step(
            decay=decay / lr
        ),
        "the softmax runs over the samples (dim=0); the classes of one sample compete, so dim=1": (
            step(*gradients(logits.softmax(dim=0) - target))
        ),
        "the one-hot labels are missing: subtract them from the softmax": step(*gradients(error + target)),
        "the softmax is missing: subtract the one-hot labels from probabilities, not from logits": (
            step(*gradients(logits - target))
        ),
        "lr is not used": step(lr=1.0),
        "b has not moved": (new_W, b),
        "W has not moved": (W, new_b),
        "only the right class's row of each sample is moved; the others' probability must fall, too": step(
            *gradients(target * error)
        ),
        "b's gradient is taken after W has moved; both belong to the same W and b": (new_W, late_b),
        "these are the gradients; return the new W and b": (grad_W + decay * W, grad_b),
    }


def probe_verdict(inputs: dict, outputs: dict) -> str | None:
    result, W, b = outputs["result"], inputs["W"], inputs["b"]
    if fault := pair_fault(result, "the new W and the new b") or changed_fault(outputs, "make new tensors instead"):
        return fault
    if [t.shape for t in result] == [b.shape, W.shape]:
        return "the two are swapped: return W first, then b"
    for name, new, old in zip("Wb", result, (W, b), strict=True):
        if new.shape != old.shape:
            return f"the new {name} has shape {tuple(new.shape)}; it should be that of the old, {tuple(old.shape)}"
    arguments = W.double(), b.double(), inputs["h"].double(), inputs["y"], inputs["lr"], inputs["decay"]
    right = probe_step(*arguments)
    gaps = [distance(new, right_new) for new, right_new in zip(result, right, strict=True)]
    tolerance = 1e-5  # float32, numbers of a few units
    if max(gaps) <= tolerance:
        return None
    mistakes = {cause: joined(pair) for cause, pair in probe_mistakes(*arguments).items()}
    return likely_cause(joined(result), joined(right), mistakes, 5 * tolerance) or (
        f"W is off by up to {gaps[0]:.3g}, b by up to {gaps[1]:.3g}; compare your gradient with torch.autograd.grad's"
    )


def joined(tensors) -> Tensor:
    """Several tensors as one vector in double precision."""
    return torch.cat([t.double().flatten() for t in tensors])


def prototype_cases(rng: torch.Generator) -> list[dict]:
    """N, C and D all different, features of all lengths, labels in any order; two cases have an empty class."""
    cases = []
    for n, classes, d in ((9, 3, 5), (14, 4, 6), (12, 5, 3)):
        y = (torch.arange(n) % classes)[torch.randperm(n, generator=rng)]
        h = torch.randn(n, d, generator=rng) + 0.5
        cases.append({"h": h * (0.2 + 4 * torch.rand(n, 1, generator=rng)), "y": y, "classes": classes})
    cases[1]["y"][cases[1]["y"] == 3] = 0
    cases[2]["y"][cases[2]["y"] == 1] = 3
    return cases


def prototype_mistakes(h: Tensor, y: Tensor, classes: int) -> dict[str, Tensor]:
    """Wrong prototypes (classes,D) by their likely cause."""
    unit, members = F.normalize(h, dim=1), F.one_hot(y, classes).double()
    counts = members.sum(dim=0).clamp(min=1)[:, None]
    first = torch.stack([unit[y == c][0] if (y == c).any() else 0 * unit[0] for c in range(classes)])
    return {
        "the features are not made of length one before the mean, so that a long one outvotes the others": (
            F.normalize(members.T @ h, dim=1)
        ),
        "these are means of features as they are; make each of length one first, and the mean, too": (
            members.T @ h / counts
        ),
        "the mean is not made of length one": members.T @ unit / counts,
        "these are sums; make them of length one": members.T @ unit,
        "you normalise columns; a sample's features are a row, so normalise along dim=1": (
            F.normalize(members.T @ F.normalize(h, dim=0), dim=1)
        ),
        "the mean is normalised along its columns; a prototype is a row, so dim=1": (
            F.normalize(members.T @ unit / counts, dim=0)
        ),
        "this is one sample of each class; take the mean of all": first,
        "you divide by the sum of absolute values; a vector's length is the root of its sum of squares": (
            F.normalize(members.T @ unit, dim=1, p=1)
        ),
        "all classes are alike: take the mean of the samples where y == c, and not of all": (
            F.normalize(unit.mean(dim=0), dim=0).expand(classes, -1)
        ),
    }


def prototype_verdict(inputs: dict, outputs: dict) -> str | None:
    h, y, classes = inputs["h"].double(), inputs["y"], inputs["classes"]
    result, right = outputs["result"], prototypes(h, y, classes)
    present = y.unique()
    if len(present) < classes and shape_of(result) == (len(present), h.shape[1]):
        return f"it returned {len(present)} rows; a class without samples has a row, too, of zeros: {classes} rows"
    if shape_of(result) == right.T.shape:
        return f"it is of shape {tuple(result.shape)}; the classes are the rows: {tuple(right.shape)}"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        return "a class without samples gives nan: you divide by its number of samples, or its length, which is 0"
    tolerance = 1e-5  # float32, numbers of at most 1
    if distance(result, right) <= tolerance:
        return None
    return likely_cause(result, right, prototype_mistakes(h, y, classes), 5 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; row c should be the direction of the mean of class c"
    )


def lora_cases(rng: torch.Generator) -> list[dict]:
    """d_in, d_out and rank all different, alpha neither rank nor 1; x with one and with two batch dimensions."""
    return [
        {
            "weight": torch.randn(d_out, d_in, generator=rng),
            "bias": torch.randn(d_out, generator=rng),
            "rank": rank,
            "alpha": alpha,
            "x": torch.randn(*batch, d_in, generator=rng),
            "A": torch.randn(rank, d_in, generator=rng),
            "B": torch.randn(d_out, rank, generator=rng),
        }
        for d_in, d_out, rank, alpha, batch in ((7, 5, 2, 3.0, (6,)), (4, 6, 3, 8.0, (2, 5)), (9, 8, 4, 0.5, (3,)))
    ]


def lora_verdict(inputs: dict, outputs: dict) -> str | None:
    if "built" in outputs:
        if outputs["built"] == "NoneType":
            return NOTHING
        return f"it returned {outputs['built']}; it should be a module that is built already, such as LoRA()"
    return trainable_fault(inputs, outputs) or start_fault(inputs, outputs) or sum_fault(inputs, outputs)


def trainable_fault(inputs: dict, outputs: dict) -> str | None:
    """Whether two matrices of the shapes of A and B are trainable, and nothing else."""
    (d_out, d_in), rank = inputs["weight"].shape, inputs["rank"]
    shapes = outputs["shapes"]
    if [d_out, d_in] in shapes:
        return "the layer's own weight still asks for gradients; it is frozen (requires_grad_(False))"
    if not shapes:
        return (
            "nothing asks for gradients, so nothing would learn: make A and B nn.Parameters that are attributes of the "
            "module"
        )
    if [d_out] in shapes:
        return "a bias of size `out` asks for gradients: freeze the layer's, and give the adapter none"
    if sorted(map(math.prod, shapes)) != sorted([rank * d_in, rank * d_out]):
        return f"what learns has the shapes {shapes}; it should be A ({rank}, {d_in}) and B ({d_out}, {rank})"
    return None


def start_fault(inputs: dict, outputs: dict) -> str | None:
    """Whether the module starts as the layer does, and can be trained from there."""
    (_, d_in), rank, result = inputs["weight"].shape, inputs["rank"], outputs["at start"]
    base = F.linear(inputs["x"].double(), inputs["weight"].double(), inputs["bias"].double())
    if outputs["moved"]:
        return "the layer's weight has changed; it is kept, and the adapter adds to it"
    if not isinstance(result, Tensor):
        return f"called on x, it gives a {type(result).__name__}; it should be a tensor"
    if result.shape != base.shape:
        x_shape, right_shape = tuple(inputs["x"].shape), tuple(base.shape)
        return f"for x of shape {x_shape} it gives {tuple(result.shape)}; it should be {right_shape}"
    A, B = sorted(outputs["start"], key=lambda p: p.numel() != rank * d_in)
    if not A.any() and not B.any():
        return "A and B both start at zero: then neither ever gets a gradient (each one's is a product with the other)"
    if not A.any():
        return "A starts at zero and B at random; it is the other way round: B at zero"
    if torch.linalg.matrix_rank(A.double()) < rank:
        return (
            "the rows of A start alike: then B's columns get the same gradients, and the adapter never has rank "
            f"{rank}; start A with random numbers"
        )
    tolerance = 1e-4  # float32, numbers of up to some tens
    if distance(result, base) > tolerance:
        if B.any():
            return "it does not start as the layer: B must start at zero, so that B A is zero"
        if distance(result, 0 * base) < tolerance:
            return "at the start it answers zero: the layer's own output is missing from the sum"
        return f"with B at zero it should answer what the layer does; it is off by up to {distance(result, base):.3g}"
    return None


def sum_fault(inputs: dict, outputs: dict) -> str | None:
    """Whether the adapter adds alpha/rank x A^T B^T, and can be trained."""
    x, W, b, A, B = (inputs[name].double() for name in ("x", "weight", "bias", "A", "B"))
    rank, alpha, result = inputs["rank"], inputs["alpha"], outputs["after"]
    base, change = F.linear(x, W, b), x @ A.T @ B.T
    right = base + alpha / rank * change
    tolerance = 1e-4 * (1 + right.abs().max().item() / 10)  # float32
    if distance(result, right) > tolerance:
        mistakes = {
            "alpha / rank is missing: the adapter's output is scaled by it": base + change,
            "the adapter is scaled by alpha; it should be by alpha / rank": base + alpha * change,
            "the adapter is scaled by 1 / rank; it should be by alpha / rank": base + change / rank,
            "the adapter is scaled by rank / alpha; it should be by alpha / rank": base + rank / alpha * change,
            "the adapter is scaled by alpha / rank twice": base + (alpha / rank) ** 2 * change,
            "the adapter is scaled by alpha / sqrt(rank); it should be by alpha / rank": (
                base + alpha / rank**0.5 * change
            ),
            "the adapter is subtracted": base - alpha / rank * change,
            "A and B make no difference: is the adapter added to the layer's output?": base,
        }
        return likely_cause(result, right, mistakes, tolerance) or (
            f"with A and B set to random numbers it is off by up to {distance(result, right):.3g} from layer(x) + "
            "alpha/rank x A^T B^T; is there something between A and B that is not linear?"
        )
    if not all(outputs["reached"]):
        return "the sum is right, but no gradient reaches A and B both: is one of them detached, or its .data used?"
    gradient, right_gradient = outputs["x gradient"], right @ (W + alpha / rank * B @ A)
    if gradient is None or distance(gradient, right_gradient) > 1e-3 * (1 + right_gradient.abs().max().item() / 10):
        return (
            "the sum is right, but the gradient that it sends down to x is not, so that layers below would learn wrong "
            "things: freeze parameters, and compute without no_grad or detach"
        )
    return None


CHECKS = by_name(
    Check(probe_step, probe_cases, probe_verdict, parts_run),
    Check(prototypes, prototype_cases, prototype_verdict),
    Check(lora, lora_cases, lora_verdict, lora_run),
)
