"""Lesson 5.1's checks."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.adaptation import fine_tune_step, head_gradients, lora, prototypes
from sslcourse.checks import NOTHING, Check, by_name, distance, likely_cause, parts_fault, shape_of, tensor_fault
from sslcourse.checks.apply import parts_run
from sslcourse.checks.apply.adaptation import lora_run, step_run


def gradient_cases(rng: torch.Generator) -> list[dict]:
    """N, C and D all different; W, b and h random."""
    cases = []
    for n, classes, d in ((7, 4, 5), (9, 3, 6), (5, 6, 3)):
        W, h = torch.randn(classes, d, generator=rng), torch.randn(n, d, generator=rng)
        b, y = torch.randn(classes, generator=rng), torch.randint(classes, (n,), generator=rng)
        cases.append({"W": W, "b": b, "h": h, "y": y})
    return cases


def gradient_mistakes(W: Tensor, b: Tensor, h: Tensor, y: Tensor) -> dict[str, tuple]:
    """Wrong gradients in W (C,D), b (C,) and h (N,D) by their likely cause."""
    n, C = len(h), len(W)
    logits, target = h @ W.T + b, F.one_hot(y, C).double()
    error, across = (logits.softmax(dim=1) - target) / n, logits.softmax(dim=0)
    without_b = (h @ W.T).softmax(dim=1)

    def of(error: Tensor, *divided: float) -> tuple:
        by_W, by_b, by_h = divided or (1, 1, 1)
        return error.T @ h / by_W, error.sum(dim=0) / by_b, error @ W / by_h

    return {
        "the error is the softmax minus the one-hot labels; you have its negative": of(-error),
        "these are sums over the samples; the loss is their mean, so divide the error by N": of(n * error),
        "the gradient in b is divided by N twice; it is the sum of the errors": of(error, 1, n, 1),
        "the gradient in W is divided by N twice": of(error, n, 1, 1),
        "the gradient in W is not divided by N": of(error, 1 / n, 1, 1),
        "the gradient in b is not divided by N": of(error, 1, 1 / n, 1),
        "the gradient in h is not divided by N; a feature moves its own part of the mean only": of(error, 1, 1, 1 / n),
        "the gradient in h has the wrong sign": of(error, 1, 1, -1),
        "the error is divided by the number of classes; the mean is over the N samples": of(n / C * error),
        "the error is divided by N and by the number of classes; the mean is over the samples only": of(error / C),
        "the softmax runs over samples (dim=0); the classes of one compete, so dim=1": of((across - target) / n),
        "the one-hot labels are missing: subtract them from the softmax": of(error + target / n),
        "the softmax is missing: subtract the labels from probabilities, not from logits": of((logits - target) / n),
        "only the right class has an error; the others' probabilities must fall, too": of(target * error),
        "b is forgotten in the logits": of((without_b - target) / n),
    }


def gradient_verdict(inputs: dict, outputs: dict) -> str | None:
    names = {f"the gradient in {name}": tuple(inputs[name].shape) for name in "Wbh"}
    if fault := parts_fault(outputs, names):
        return fault
    arguments = *(inputs[name].double() for name in "Wbh"), inputs["y"]
    result, right = outputs["result"], head_gradients(*arguments)
    gaps = [distance(part, goal) for part, goal in zip(result, right, strict=True)]
    tolerance = 1e-5  # float32, numbers of at most a few units
    if max(gaps) <= tolerance:
        return None
    mistakes = {cause: joined(parts) for cause, parts in gradient_mistakes(*arguments).items()}
    off = ", ".join(f"{name} by up to {gap:.3g}" for name, gap in zip(names, gaps, strict=True) if gap > tolerance)
    return likely_cause(joined(result), joined(right), mistakes, 5 * tolerance) or (
        f"off is {off}; compare with what torch.autograd.grad gives"
    )


def joined(tensors) -> Tensor:
    """Several tensors as one vector in double precision."""
    return torch.cat([t.double().flatten() for t in tensors])


def step_cases(rng: torch.Generator) -> list[dict]:
    """Two learning rates and old gradients, as after a step before; the last encoder is frozen."""
    n, d_in, d, classes = 6, 5, 4, 3
    shapes = {"V": (d, d_in), "W": (classes, d), "b": (classes,), "x": (n, d_in), "old": (d, d_in)}
    cases = []
    for frozen in (False, False, True):
        drawn = {name: torch.randn(*shape, generator=rng) for name, shape in shapes.items()}
        y = torch.randint(classes, (n,), generator=rng)
        cases.append({**drawn, "y": y, "lr": (0.3, 0.7), "frozen": frozen})
    return cases


def step_mistakes(start: tuple, slopes: tuple, inputs: dict) -> dict[str, tuple]:
    """Wrong encoder weights V, and head weights W and b, after a step, by their likely cause.

    start: the three before it; slopes: the gradient in each.
    """
    V, W, b = start
    (lr_V, lr_W), n, old = inputs["lr"], len(inputs["x"]), inputs["old"].double()

    def after(times=(1, 1, 1), left: Tensor | float = 0, lr_V=lr_V, lr_W=lr_W) -> tuple:
        in_V, in_W, in_b = (factor * slope for factor, slope in zip(times, slopes, strict=True))
        return V - lr_V * (in_V + left), W - lr_W * in_W, b - lr_W * in_b

    return {
        "nothing has moved: is the optimizer's step missing?": start,
        "the encoder has moved, but the head has not": after((1, 0, 0)),
        "the head's b has not moved": after((1, 1, 0)),
        "the head's W has not moved": after((1, 0, 1)),
        "the head has moved, but the encoder has not: nothing is sent down into it": after((0, 1, 1)),
        "old gradients are still in the encoder: clear them first, for new ones are added to them": after(left=old),
        "only old gradients have moved the encoder: clear them, and send it the new ones": after((0, 1, 1), left=old),
        "the encoder goes uphill": after((-1, 1, 1)),
        "the encoder's step is N times too long: what it is sent is divided by N": after((n, 1, 1)),
        "the encoder moves with the head's learning rate; the optimizer knows a rate for each": after(lr_V=lr_W),
        "the head moves with the encoder's learning rate; the optimizer knows a rate for each": after(lr_W=lr_V),
        "these are two steps with the same gradients; take one": after((2, 2, 2)),
    }


def step_verdict(inputs: dict, outputs: dict) -> str | None:
    if outputs["error"]:
        return f"with a frozen encoder it raised {outputs['error']}: its features ask for no gradient; send them none"
    if outputs["changed"]:
        return f"it changed its input {', '.join(outputs['changed'])}; only the weights may move"
    if outputs["passes"] != 1:
        return f"the encoder ran {outputs['passes']} times; each pass moves batch normalisation's averages: run it once"
    start = V, W, b = [inputs[name].double() for name in "VWb"]
    x, (lr_V, lr_W) = inputs["x"].double(), inputs["lr"]
    h = torch.tanh(x @ V.T)
    in_W, in_b, push = head_gradients(W, b, h, inputs["y"])
    in_V = 0 * V if inputs["frozen"] else (push * (1 - h.square())).T @ x
    right = V - lr_V * in_V, W - lr_W * in_W, b - lr_W * in_b
    gaps = [distance(part, goal) for part, goal in zip(outputs["after"], right, strict=True)]
    tolerance = 1e-5  # float32, numbers of a few units
    if max(gaps) <= tolerance:
        return None
    made = step_mistakes(start, (in_V, in_W, in_b), inputs)
    mistakes = {cause: joined(parts) for cause, parts in made.items()}
    return likely_cause(joined(outputs["after"]), joined(right), mistakes, 5 * tolerance) or (
        f"after the step the encoder's weights are off by up to {gaps[0]:.3g}, and the head's W and b by up to "
        f"{gaps[1]:.3g} and {gaps[2]:.3g}"
    )


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
    sums, alike = members.T @ unit, F.normalize(unit.mean(dim=0), dim=0)
    columns = F.normalize(h, dim=0)
    return {
        "features are not made of length one before the mean: a long one outvotes others": F.normalize(members.T @ h),
        "these are means of features as they are; make each of length one, and the mean, too": members.T @ h / counts,
        "the mean is not made of length one": sums / counts,
        "these are sums; make them of length one": sums,
        "you normalise columns; a sample's features are a row, so dim=1": F.normalize(members.T @ columns, dim=1),
        "the mean is normalised along columns; a prototype is a row, so dim=1": F.normalize(sums / counts, dim=0),
        "this is one sample of each class; take the mean of all": first,
        "you divide by a sum of absolute values; a length is the root of a sum of squares": F.normalize(sums, 1, 1),
        "all classes are alike: take the mean of the samples where y == c": alike.expand(classes, -1),
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
    cases = []
    for d_in, d_out, rank, alpha, batch in ((7, 5, 2, 3.0, (6,)), (4, 6, 3, 8.0, (2, 5)), (9, 8, 4, 0.5, (3,))):
        shapes = {"weight": (d_out, d_in), "bias": (d_out,), "x": (*batch, d_in), "A": (rank, d_in), "B": (d_out, rank)}
        drawn = {name: torch.randn(*shape, generator=rng) for name, shape in shapes.items()}
        cases.append(drawn | {"rank": rank, "alpha": alpha})
    return cases


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
            "nothing asks for gradients, so nothing would learn: make A and B nn.Parameters, attributes of the module"
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
            "the adapter is scaled by alpha / sqrt(rank); it should be by alpha / rank": base
            + alpha / rank**0.5 * change,
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
    Check(prototypes, prototype_cases, prototype_verdict),
    Check(head_gradients, gradient_cases, gradient_verdict, parts_run),
    Check(fine_tune_step, step_cases, step_verdict, step_run),
    Check(lora, lora_cases, lora_verdict, lora_run),
)
