"""Lesson 2.1's checks. Answers are given their random numbers, so that right ones agree bit by bit."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.checks import Check, by_name, distance, likely_cause, parts_fault, ranges, shape_of, tensor_fault
from sslcourse.checks.apply import parts_run
from sslcourse.checks.apply.rbm import energy_run
from sslcourse.origins import contrastive_divergence, free_energy, gibbs_step, log_odds, p_hidden, p_visible


def random_rbm(rng: torch.Generator, visible: int, hidden: int, std: float = 1.0) -> dict[str, Tensor]:
    """The parameters W, b, c of an RBM, normally distributed with this standard deviation."""
    shapes = {"W": (visible, hidden), "b": (visible,), "c": (hidden,)}
    return {name: std * torch.randn(shape, generator=rng) for name, shape in shapes.items()}


def binary(rng: torch.Generator, *shape: int) -> Tensor:
    """Zeros and ones, equally likely, as floats."""
    return (torch.rand(shape, generator=rng) < 0.5).float()


def clear_of(p: Tensor, rng: torch.Generator) -> Tensor:
    """Uniform numbers of p's shape, none so close to p that rounding decides whether it is smaller."""
    u = torch.rand(p.shape, generator=rng)
    return torch.where((u - p).abs() < 1e-3, torch.where(p < 0.5, p + 2e-3, p - 2e-3), u)


def uniform_numbers(v: Tensor, parameters: dict, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """(u_h, u_v) for one Gibbs step from v, none close to the probability that it is compared with."""
    W, b, c = (parameters[name] for name in "Wbc")
    u_h = clear_of(p_hidden(v, W, c), rng)
    return u_h, clear_of(p_visible((u_h < p_hidden(v, W, c)).float(), W, b), rng)


def energy_cases(rng: torch.Generator) -> list[dict]:
    """N, D and H all different; in the last case exp() of a hidden unit's input overflows."""
    cases = [
        {"v": binary(rng, n, d)} | random_rbm(rng, d, h, std)
        for n, d, h, std in ((24, 10, 6, 1.0), (17, 9, 12, 1.0), (15, 12, 7, 60.0))
    ]
    cases[-1]["c"][0] = 400.0
    return cases


def energy_mistakes(v: Tensor, W: Tensor, b: Tensor, c: Tensor) -> dict[str, Tensor]:
    """Wrong free energies (N,) by their likely cause."""
    a, visible = v @ W + c, v @ b
    hidden, p = F.softplus(a).sum(dim=1), a.sigmoid()
    expected = -visible - (p * a).sum(dim=1)
    return {
        "the sign is wrong: likely v have a low free energy": visible + hidden,
        "the visible term has the wrong sign: a pixel that is on lowers the free energy by its bias": visible - hidden,
        "the hidden term has the wrong sign: each softplus is subtracted": hidden - visible,
        "the visible bias b is missing: v b is subtracted, too": -hidden,
        "the hidden bias c is missing inside the softplus": -visible - F.softplus(v @ W).sum(dim=1),
        "the hidden term is missing": -visible,
        "this is the mean over hidden units; take the sum": -visible - F.softplus(a).mean(dim=1),
        "you sum first and take one softplus of it; take the softplus first": -visible - F.softplus(a.sum(dim=1)),
        "this is the expected energy at h = p(h | v); it lacks the entropy of h: sum over h in the logarithm": expected,
        "this is the energy of the best h; a sum over all h makes relu a softplus": -visible - a.relu().sum(dim=1),
        "you sum sigmoids; the logarithm of 1 + exp(a) is the softplus": -visible - p.sum(dim=1),
        "you sum logarithms of sigmoids; log(1 + exp(a)) has a plus sign": -visible - p.log().sum(dim=1),
        "this is log(exp(a)), not log(1 + exp(a)): a hidden unit may be off, too": -visible - a.sum(dim=1),
    }


def energy_verdict(inputs: dict, outputs: dict) -> str | None:
    v, W, b, c = (inputs[name].double() for name in ("v", "W", "b", "c"))
    right = free_energy(v, W, b, c)
    result = outputs["result"]
    if shape_of(result) == ():
        return f"it returned one number for all {len(v)} rows of v; each row has a free energy of its own"
    if shape_of(result) == (len(v), len(c)):
        return "it returned a number for each hidden unit; sum over the hidden units (dim=1)"
    if fault := tensor_fault(outputs, (len(v),)):
        return fault
    if not result.isfinite().all():
        received = (v @ W + c).max()
        return (
            f"it is not finite where a hidden unit receives {received:.0f}: exp() of that is too large for float32. "
            "Let F.softplus take exponential and logarithm in one step"
        )
    scale = v @ b.abs() + (v @ W.abs() + c.abs()).sum(dim=1)
    tolerance = 1e-6 * (10 + scale.max().item())  # float32: sums of terms as large as this
    if distance(result, right) <= tolerance:
        return energy_gradient_fault(v, W, c, outputs["gradients"])
    return likely_cause(result, right, energy_mistakes(v, W, b, c), 5 * tolerance) or (
        f"it is off by up to {distance(result, right):.3g}; {ranges(result, right)}"
    )


def energy_gradient_fault(v: Tensor, W: Tensor, c: Tensor, gradients: dict[str, Tensor | None]) -> str | None:
    """What is wrong with the gradients of the free energies' sum, where its value is right."""
    p = p_hidden(v, W, c)
    for name, right in {"W": -v.T @ p, "b": -v.sum(dim=0), "c": -p.sum(dim=0)}.items():
        # The tolerance is for float32: each row adds a sigmoid of a large sum.
        if gradients[name] is None or distance(gradients[name], right) > 1e-3 * len(v):
            return f"the value is right, but not its gradient with respect to {name}: is there a detach() or no_grad()?"
    return None


def gibbs_cases(rng: torch.Generator) -> list[dict]:
    """So many samples that no two mistakes give the same bits; in the last case D equals H."""
    cases = []
    for n, d, h in ((24, 14, 9), (30, 8, 15), (25, 12, 12)):
        parameters, v = random_rbm(rng, d, h), binary(rng, n, d)
        u_h, u_v = uniform_numbers(v, parameters, rng)
        cases.append({"v": v} | parameters | {"u_h": u_h, "u_v": u_v})
    return cases


def gibbs_verdict(inputs: dict, outputs: dict) -> str | None:
    v, W, b, c, u_h, u_v = (inputs[name] for name in ("v", "W", "b", "c", "u_h", "u_v"))
    right_h, right_v = gibbs_step(v, W, b, c, u_h, u_v)
    result = outputs["result"]
    swapped = isinstance(result, list) and [shape_of(part) for part in result] == [u_v.shape, u_h.shape]
    if swapped and u_h.shape != u_v.shape:
        return "h and the new v are in the wrong order: return h, v"
    if fault := parts_fault(outputs, {"h": tuple(u_h.shape), "v": tuple(u_v.shape)}):
        return fault
    h, new_v = result
    p_h = p_hidden(v, W, c)
    for name, part in (("h", h), ("v", new_v)):
        if not ((part == 0) | (part == 1)).all():
            return f"{name} holds values other than 0 and 1, such as probabilities; turn a unit on where u_{name} < p"
    wrong_h = {
        "h is turned round: a unit is on where u_h is below its probability": u_h > p_h,
        "h does not depend on u_h: you round the probability; without chance the chain cannot sample": p_h > 0.5,
        "the hidden bias c is missing": u_h < (v @ W).sigmoid(),
        "the sigmoid is missing for h: u_h is compared with v W + c itself": u_h < v @ W + c,
    }
    if fault := bits_fault(h, right_h, wrong_h, "h", "p(h | v)"):
        return fault
    p_v = p_visible(right_h, W, b)
    wrong_v = {
        "v is the one that came in; draw a new one from p(v | h)": v,
        "v is turned round: a pixel is on where u_v is below its probability": u_v > p_v,
        "v does not depend on u_v: you round the probability; without chance the chain cannot sample": p_v > 0.5,
        "the visible bias b is missing": u_v < (right_h @ W.T).sigmoid(),
        "the sigmoid is missing for v: u_v is compared with W h + b itself": u_v < right_h @ W.T + b,
        "v is drawn from p(h | v), not from your h: h must be 0 or 1 on the way down": u_v < p_visible(p_h, W, b),
        **({"the way down needs W transposed": u_v < p_visible(right_h, W.T, b)} if u_h.shape == u_v.shape else {}),
    }
    return bits_fault(new_v, right_v, wrong_v, "v", "p(v | h)")


def bits_fault(bits: Tensor, right: Tensor, mistakes: dict[str, Tensor], name: str, p: str) -> str | None:
    """What is wrong with zeros and ones; name, p: what a message calls them and their probability."""
    if torch.equal(bits.double(), right.double()):
        return None
    share = (bits != right).double().mean().item()
    return likely_cause(bits, right, {cause: value.float() for cause, value in mistakes.items()}, 0) or (
        f"{100 * share:.0f} % of {name} differ from what its uniform numbers give: a unit is on exactly where u_{name} "
        f"is below {p}. Do you draw numbers of your own?"
    )


def divergence_cases(rng: torch.Generator) -> list[dict]:
    """CD-1 and CD-3 from the data, and persistent chains: as many as there are samples, and more."""
    cases = []
    sizes = ((20, 20, 14, 9, 1, False), (18, 18, 13, 8, 3, False), (20, 20, 9, 11, 2, True), (16, 24, 7, 12, 1, True))
    for n, m, d, h, k, persistent in sizes:
        parameters, v = random_rbm(rng, d, h, 0.7), binary(rng, n, d)
        chain = binary(rng, m, d) if persistent else v.clone()
        u, state = [], chain
        for _ in range(k):
            u.append(uniform_numbers(state, parameters, rng))
            _, state = gibbs_step(state, *parameters.values(), *u[-1])
        cases.append({"v": v, "chain": chain} | parameters | {"u": u})
    return cases


def divergence_verdict(inputs: dict, outputs: dict) -> str | None:
    v, chain, W, b, c, u = (inputs[name] for name in ("v", "chain", "W", "b", "c", "u"))
    result = outputs["result"]
    if isinstance(result, list) and len(result) == 4 and shape_of(result[0]) == W.T.shape != W.shape:
        return f"dW has the shape {tuple(W.T.shape)}, but W has {tuple(W.shape)}: put v on the left, transposed"
    shapes = {"dW": W.shape, "db": b.shape, "dc": c.shape, "chain": chain.shape}
    if fault := parts_fault(outputs, {name: tuple(shape) for name, shape in shapes.items()}):
        return fault
    *right, right_chain = contrastive_divergence(v, chain, W, b, c, u)
    if fault := chain_fault(result[3], right_chain, inputs):
        return fault
    tolerance = 1e-5  # float32, means of numbers of at most 1
    mistakes = divergence_mistakes(v, right_chain, chain, W, b, c, u)
    for index, name in enumerate(("dW", "db", "dc")):
        part, right_part = result[index], right[index]
        if distance(part, right_part) > tolerance:
            part_mistakes = {cause: gradients[index] for cause, gradients in mistakes.items()}
            return likely_cause(part, right_part, part_mistakes, tolerance) or (
                f"{name} is off by up to {distance(part, right_part):.3g}; {ranges(part, right_part)}"
            )
    return None


def chain_fault(chain: Tensor, right: Tensor, inputs: dict) -> str | None:
    """Whether the chain (M,D) is at the end of k Gibbs steps with the inputs' numbers."""
    v, start, W, b, c, u = (inputs[name] for name in ("v", "chain", "W", "b", "c", "u"))
    if not ((chain == 0) | (chain == 1)).all():
        return "chain holds values other than 0 and 1; return the zeros and ones of the last Gibbs step"
    mistakes = {
        "chain is still where it began: return the v of the last Gibbs step": start,
        "you return the data v as chain; return the v of the last Gibbs step": v,
        f"one Gibbs step was taken; u holds {len(u)} pairs, and each is a step": gibbs_step(start, W, b, c, *u[0])[1],
        "each step begins anew; begin it where the step before stopped": gibbs_step(start, W, b, c, *u[-1])[1],
    }
    if v.shape == start.shape:
        from_data = contrastive_divergence(v, v, W, b, c, u)[3]
        mistakes["the chain begins at the data v; it should begin at `chain`, which persistent CD needs"] = from_data
    return bits_fault(chain, right, mistakes, "v", "p(v | h)")


def divergence_mistakes(v, last, chain, W, b, c, u) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Wrong (dW, db, dc) by their likely cause. chain, last: the visible units at the start and end of the chains."""
    h, h_k = p_hidden(v, W, c), p_hidden(last, W, c)
    before_last = chain
    for pair in u[:-1]:
        before_last = gibbs_step(before_last, W, b, c, *pair)[1]
    h_drawn, h_before = gibbs_step(before_last, W, b, c, *u[-1])[0], p_hidden(before_last, W, c)

    def means(v: Tensor, h: Tensor, n: float | None = None) -> tuple[Tensor, Tensor, Tensor]:
        n = n or len(v)
        return v.T @ h / n, v.sum(dim=0) / n, h.sum(dim=0) / n

    def minus(positive: tuple, negative: tuple) -> tuple:
        return tuple(p - q for p, q in zip(positive, negative, strict=True))

    data, model, first = means(v, h), means(last, h_k), means(chain, p_hidden(chain, W, c))
    return {
        "the sign is wrong: the data's statistics count plus, the chain's minus": minus(model, data),
        "the negative phase is missing: subtract the chain's statistics": data,
        "this is the chain's statistics alone; they are subtracted from the data's": model,
        "these are sums over samples; take means": minus(means(v, h, 1), means(last, h_k, 1)),
        "both sums are divided by the rows of v; the chain's by its own": minus(data, means(last, h_k, len(v))),
        "the chain's h were drawn before its last v; take p(h | v) at that v": minus(data, means(last, h_drawn)),
        "the chain's h belong to the v before the last; take p(h | v) at the last": minus(data, means(last, h_before)),
        "these are the chain's statistics where it began; take them where it stopped": minus(data, first),
        "p(v | h) stands for the chain's v; take its zeros and ones": minus(data, means(p_visible(h_drawn, W, b), h_k)),
        "plus should be minus: the chain's statistics are subtracted": minus(data, tuple(-q for q in model)),
    }


def odds_cases(rng: torch.Generator) -> list[dict]:
    """Pixels of all frequencies, one of them never on, one always; in the last case one sample is all there is."""
    cases = []
    for n, d in ((40, 7), (9, 12), (1, 6)):
        v = (torch.rand(n, d, generator=rng) < torch.rand(d, generator=rng)).float()
        v[:, 0], v[:, 1] = 0.0, 1.0
        cases.append({"v": v})
    return cases


def odds_mistakes(v: Tensor) -> dict[str, Tensor]:
    """Wrong biases (D,) by their likely cause."""
    on, often, n, right = v.sum(dim=0), v.mean(dim=0), len(v), log_odds(v)
    p = (on + 1) / (n + 2)
    return {
        "these are frequencies; a bias is what the sigmoid turns into a frequency": p,
        "these are the frequencies in v; a bias is what the sigmoid turns into a frequency": often,
        "the sign is wrong: a pixel that is often on has a positive bias": -right,
        "these are the odds; take their logarithm": p / (1 - p),
        "this is log p; subtract log(1 - p)": p.log(),
        "plus should be minus: log p - log(1 - p)": p.log() + (1 - p).log(),
        "you add 1 to the frequency; add it to the count": (often + 1).log() - (2 - often).log(),
        "the logarithm is to base 2; the sigmoid takes the natural one": right / math.log(2),
    }


def odds_verdict(inputs: dict, outputs: dict) -> str | None:
    v, result = inputs["v"].double(), outputs["result"]
    right, tolerance = log_odds(v), 1e-4  # float32: the logit of a frequency among some dozens
    if shape_of(result) in ((), (len(v),)) and shape_of(result) != right.shape:
        return f"it returned shape {tuple(result.shape)}; each of the {len(right)} pixels has a bias: count over dim=0"
    if fault := tensor_fault(outputs, tuple(right.shape)):
        return fault
    if not result.isfinite().all():
        kind = "always" if result[0].isfinite() else "never"
        return f"the bias of a pixel that is {kind} on is not finite: two made-up samples join the count of every pixel"
    if distance(result, right) <= tolerance:
        return None
    return likely_cause(result, right, odds_mistakes(v), tolerance) or (
        f"pixels that are never, always and sometimes on get biases {result[0]:.3g}, {result[1]:.3g} and "
        f"{result[2]:.3g}, and should get {right[0]:.3g}, {right[1]:.3g} and {right[2]:.3g}: the two made-up samples "
        "join the count of every pixel"
    )


CHECKS = by_name(
    Check(free_energy, energy_cases, energy_verdict, energy_run),
    Check(gibbs_step, gibbs_cases, gibbs_verdict, parts_run),
    Check(contrastive_divergence, divergence_cases, divergence_verdict, parts_run),
    Check(log_odds, odds_cases, odds_verdict),
)
