"""The student's side of a check: apply their function to inputs, and give plain data. No right answer is in this file.

It is all of the checks that a grading kernel holds; what judges the data stays with the grader.
"""

import copy
import traceback
from collections.abc import Callable
from functools import partial
from numbers import Real

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

UNSOLVED = "not solved yet"


def attempt(run: Callable, fn: Callable, inputs: dict) -> dict:
    """Apply fn to a copy of the inputs: {"outputs": plain data} or, where that raised, {"message": why}."""
    try:
        return {"outputs": run(fn, copy.deepcopy(inputs))}
    except NotImplementedError:
        return {"message": UNSOLVED}
    except (Exception, SystemExit) as error:  # whatever a student's code may do
        return {"message": raised(error)}


def raised(error: BaseException) -> str:
    """An exception of the student's function as one sentence: what, and in which line of theirs."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ipykernel" in frame.filename]
    line = (frames[-1] if frames else last).line
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    hint = ""
    if "leaf Variable that requires grad" in str(error):
        hint = "; parameters may only be changed in place inside torch.no_grad()"
    if isinstance(error, NameError):
        hint = "; what an answer needs, such as an import or a helper, must stand in an answer cell"
    return f"it raised {what}" + (f", in the line `{line}`" if line else "") + hint


def call(fn: Callable, inputs: dict) -> dict:
    """Apply a pure function: {"result": what it returned, "changed": inputs that it altered}."""
    before = copy.deepcopy(inputs)
    result = fn(**inputs)
    changed = [name for name, value in before.items() if isinstance(value, Tensor) and not same(value, inputs[name])]
    if isinstance(result, Tensor):
        result = result.detach().cpu()
    return {"result": result, "changed": changed}


class Operations(TorchFunctionMode):
    """Counts the calls of torch within its block; each number that `tolist` hands to plain Python is one, too."""

    count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += args[0].numel() if func is Tensor.tolist else 1
        return func(*args, **(kwargs or {}))


def batch_run(fn: Callable, inputs: dict) -> dict:
    """As `call`, for a function of a batch, with the operations it needs by the number of samples, 4 and 32."""
    batches = {n: repeated(inputs, n) for n in (4, 32)}
    outputs, operations = call(fn, inputs), []
    for n, batch in batches.items():
        with Operations() as seen:
            fn(**batch)
        operations.append((n, seen.count))
    return outputs | {"operations": operations}


def repeated(inputs: dict, n: int) -> dict:
    """The same inputs with n samples: tensors (B,...) become (n,...), and what is no tensor stays."""
    return {k: v[torch.arange(n) % len(v)] if isinstance(v, Tensor) else v for k, v in inputs.items()}


def parts_run(fn: Callable, inputs: dict) -> dict:
    """As `call`, for a function that returns several tensors: they become a list."""
    outputs = call(fn, inputs)
    return outputs | {"result": plain(outputs["result"])}


def plain(value):
    """Tuples become lists, and tensors leave their graph and device, at any depth."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.detach().cpu() if isinstance(value, Tensor) else value


def same(a: Tensor, b: Tensor) -> bool:
    """Equal in every bit that matters; nan equals nan."""
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def loss_run(fn: Callable, inputs: dict, parts: list[Tensor]) -> tuple[dict, list[Tensor | None]]:
    """What `call` gives for a loss, and its gradient with respect to each of parts; None where none was recorded."""
    found = {}

    def keep_graph(**kept):
        found["loss"] = fn(**kept)
        return found["loss"]

    outputs = call(keep_graph, inputs)
    loss = found["loss"]
    connected = isinstance(loss, Tensor) and loss.requires_grad and loss.numel() == 1
    none = [None] * len(parts)
    return outputs, list(torch.autograd.grad(loss.sum(), parts, allow_unused=True)) if connected else none


def xent_run(fn: Callable, inputs: dict) -> dict:
    """The loss, and its gradient with respect to v where one was recorded."""
    outputs, (gradient,) = loss_run(fn, inputs, [inputs["v"].requires_grad_()])
    return outputs | {"gradient": gradient}


def sampling_run(fn: Callable, inputs: dict) -> dict:
    """The loss of pairs beside noise, and its gradients with respect to h, u and noise where they were recorded."""
    outputs, gradients = loss_run(fn, inputs, [inputs[name].requires_grad_() for name in ("h", "u", "noise")])
    return outputs | {"gradients": gradients}


def momentum_run(fn: Callable, inputs: dict) -> dict:
    """What has become of the very tensors that were handed over, and whether autograd took notes."""
    slow = [nn.Parameter(p, requires_grad=inputs["slow_asks"]) for p in inputs["slow"]]
    fast = [nn.Parameter(p) for p in inputs["fast"]]
    fn(list(slow), list(fast), inputs["m"])
    return {
        "slow": [p.detach().clone() for p in slow],
        "fast": [p.detach().clone() for p in fast],
        "recorded": any(p.grad_fn is not None for p in [*slow, *fast]),
    }


def head_run(fn: Callable, inputs: dict) -> dict:
    """What a head built for `dim` features answers before and after it was trained on features x with turns z."""
    x, z = inputs["x"].requires_grad_(), inputs["z"]
    head, another = fn(inputs["dim"]), fn(inputs["dim"])
    if not isinstance(head, nn.Module):
        return {
            "built": head.__name__ if isinstance(head, type) else type(head).__name__,
            "class": isinstance(head, type),
        }
    logits = head(x)
    shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    learned = [p for p in head.parameters() if p.requires_grad]
    if shape != [len(x), 4] or not learned:
        return {"shape": shape, "learned": len(learned)}
    optimizer = torch.optim.Adam(learned, lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(x.detach()), z).backward()
        optimizer.step()
    trained, wide = head(x), head(100 * x.detach())
    (gradient,) = (
        torch.autograd.grad(trained.square().sum(), x, allow_unused=True) if trained.requires_grad else (None,)
    )
    shared = {id(p) for p in head.parameters()} & {id(p) for p in another.parameters()}
    return {
        "shape": shape,
        "learned": len(learned),
        "shared": bool(shared),
        "trained": trained.detach(),
        "wide": wide.detach(),
        "gradient": gradient,
    }


def transfer_networks(inputs: dict) -> tuple[nn.Module, nn.Module, nn.Module]:
    """h, k and g as a seed makes them; h normalises batches, is in training mode, and has averages of its own."""
    dim = inputs["dim"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(inputs["seed"])
        h = nn.Sequential(nn.Flatten(), nn.Linear(inputs["x"][0].numel(), dim), nn.BatchNorm1d(dim), nn.Tanh())
        k, g = nn.Linear(dim, 4), nn.Linear(dim, inputs["classes"])
        h[2].running_mean.normal_()
        h[2].running_var.uniform_(0.5, 2)
    return h, k, g


def transfer_run(fn: Callable, inputs: dict) -> dict:
    """The prediction, which of h, k and g its gradient reaches, and whether h has changed."""
    networks = dict(zip("hkg", transfer_networks(inputs), strict=True))
    before = copy.deepcopy(networks["h"].state_dict())
    found = {}

    def keep_graph(x):
        found["result"] = fn(networks["h"], networks["k"], networks["g"], x)
        return found["result"]

    outputs = call(keep_graph, {"x": inputs["x"]})
    result = found["result"]
    if isinstance(result, Tensor) and result.requires_grad:
        result.square().sum().backward()
    reached = {name: any(p.grad is not None for p in network.parameters()) for name, network in networks.items()}
    after = networks["h"].state_dict()
    return outputs | {"reached": reached, "moved": [name for name in before if not same(before[name], after[name])]}


def unroll_run(fn: Callable, inputs: dict) -> dict:
    """The layers as lists of [weight, bias], and the lists of tensors among the inputs that were altered."""
    before = copy.deepcopy(inputs)
    result = plain(fn(**inputs))

    def altered(old: list, new: list) -> bool:
        return len(old) != len(new) or not all(same(a, b) for a, b in zip(old, new, strict=True))

    return {"result": result, "changed": [name for name in before if altered(before[name], inputs[name])]}


def small_encoder(W: Tensor) -> Callable:
    """x (N,D) -> code sigmoid(x W^T), (N,d)."""
    return lambda x: torch.sigmoid(x.to(W) @ W.T)


def small_decoder(V: Tensor) -> Callable:
    """Code (N,d) -> logits, (N,D)."""
    return lambda code: code.to(V) @ V.T


def denoising_run(fn: Callable, inputs: dict) -> dict:
    """The loss, what the encoder was given, and whether a gradient reaches encoder and decoder."""
    W, V = (inputs.pop(name).requires_grad_() for name in ("W", "V"))
    encoder, seen = small_encoder(W), []

    def encode(x: Tensor) -> Tensor:
        seen.append(x.detach().clone())
        return encoder(x)

    outputs, gradients = loss_run(partial(fn, encode=encode, decode=small_decoder(V)), inputs, [W, V])
    return outputs | {"seen": plain(seen), "connected": all(gradient is not None for gradient in gradients)}


def factor_features(inputs: dict) -> Callable:
    """h: sprites (N,3,32,32) uint8 -> features (N,dim), as a seed makes it; its features have a mean far from zero."""
    generator = torch.Generator().manual_seed(inputs["seed"])
    W = torch.randn(3 * 32 * 32, inputs["dim"], generator=generator) / 20
    return lambda pictures: torch.relu(pictures.flatten(1).float() / 255 @ W + 1)


def factor_run(fn: Callable, inputs: dict) -> dict:
    """The invariance that fn finds of h as a seed makes it, on sprites with the factors that were given."""
    from sslcourse.data.sprites import render

    factors = inputs["factors"]
    before = copy.deepcopy(factors)
    outputs = call(partial(fn, factor_features(inputs), render, factors), {k: inputs[k] for k in ("name", "order")})
    changed = [name for name in before if name not in factors or not same(before[name], factors[name])]
    result = outputs["result"]
    result = float(result) if isinstance(result, Real) else result  # NumPy's numbers do not cross to the grader
    return {"result": result, "changed": outputs["changed"] + changed}


def lora_run(fn: Callable, inputs: dict) -> dict:
    """What a layer with an adapter answers at its start, and after its two matrices were set to A and B of the inputs.

    trainable: the shapes of what asks for gradients; start: their values; reached: which of them a gradient reaches;
    down: the gradient of half the answer's sum of squares in x.
    """
    weight, x = inputs["weight"], inputs["x"]
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.load_state_dict({"weight": weight.clone(), "bias": inputs["bias"].clone()})
    kept = layer.weight, layer.bias  # a parametrisation puts other tensors in their place
    module = fn(layer, inputs["rank"], inputs["alpha"])
    if not isinstance(module, nn.Module) or isinstance(module, type):
        return {"built": module.__name__ if isinstance(module, type) else type(module).__name__}
    learn = [p for p in module.parameters() if p.requires_grad]
    made = {"trainable": [list(p.shape) for p in learn], "start": [p.detach().clone() for p in learn]}
    made["at start"] = plain(module(x.clone()))
    with torch.no_grad():
        for p in learn:
            for matrix in (inputs["A"], inputs["B"], inputs["A"].T, inputs["B"].T):
                if p.shape == matrix.shape:
                    p.copy_(matrix)
    below = x.clone().requires_grad_()  # as if it came from a layer below, which learns, too
    after = module(below)
    gradients = [None] * (len(learn) + 1)
    if isinstance(after, Tensor) and after.requires_grad:
        gradients = torch.autograd.grad(after.square().sum() / 2, [*learn, below], allow_unused=True)
    return made | {
        "after": plain(after),
        "reached": [gradient is not None and bool(gradient.abs().max() > 0) for gradient in gradients[:-1]],
        "down": plain(gradients[-1]),
        "moved": not all(same(now.detach(), inputs[name]) for now, name in zip(kept, ("weight", "bias"), strict=True)),
    }


def blank(name: str) -> Callable:
    """A function of this name that is not solved yet."""

    def unsolved(*_args, **_options):
        raise NotImplementedError

    unsolved.__name__ = name
    return unsolved
