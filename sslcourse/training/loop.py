"""The loop: batches of unlabeled data -> a pretext task -> a trained encoder, with meters for collapse."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from sslcourse import measures
from sslcourse.data import Unlabeled
from sslcourse.devices import autocast, best_device, keep_memory
from sslcourse.errors import CourseError
from sslcourse.training import checkpoint as checkpoints
from sslcourse.training import parallel
from sslcourse.training.task import PretextTask

PROBE = 256  # samples on which the collapse meters read the features


@dataclass
class History:
    """What happened, epoch by epoch: loss, and the collapse meters `std` and `rank` (see measures)."""

    loss: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    rank: list[float] = field(default_factory=list)
    seconds: float = 0.0
    samples: int = 0

    def read_meters(self, features: Tensor) -> None:
        """Note how spread out features (N,D) are."""
        self.std.append(measures.feature_std(features).item())
        self.rank.append(measures.effective_rank(features).item())

    def last(self) -> str:
        """The last epoch in a few words."""
        return f"loss {self.loss[-1]:.2f}, std {self.std[-1]:.2f}, rank {self.rank[-1]:.0f}"

    @property
    def samples_per_second(self) -> float:
        return self.samples / self.seconds if self.seconds else 0.0


def pretrain(
    encoder: nn.Module,
    task: PretextTask,
    unlabeled: Unlabeled,
    epochs: int,
    batch_size: int = 256,
    lr: float = 2e-3,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    optimizer: Callable | None = None,
) -> History:
    """Train encoder and task, in place, to solve the task on unlabeled data; returns the history.

    AdamW with a cosine schedule, or, under the same schedule, optimizer(parameters, lr=lr); full batches only.
    device: the best there is, unless named. checkpoint: a file, written after each epoch; where it is there already,
    training goes on from it to the same result. On several processes (torchrun) batch_size is that of all ranks
    together.

    Raises CourseError for data with labels, too little data, a loss that is not finite, another run's checkpoint.
    """
    check_unlabeled(unlabeled, batch_size)
    keep_memory()
    device = torch.device(device or best_device())
    model = parallel.Model(encoder, task).to(device, memory_format=torch.channels_last)
    optimizer = (optimizer or adamw(device))((p for p in model.parameters() if p.requires_grad), lr=lr)
    config = described(unlabeled, model, optimizer)
    config |= {"lr": lr, "epochs": epochs, "batch_size": batch_size, "seed": seed}
    path, history = Path(checkpoint) if checkpoint else None, History()
    if path and path.exists():
        history = History(**checkpoints.load(path, model, optimizer, config)["history"])
    run = Run(parallel.distributed(model, device), optimizer, config, unlabeled.x.to(device))
    progress_bar = bar(epochs, "pretraining", done=len(history.loss), silent=not progress)
    for epoch in progress_bar:
        run.epoch(epoch, history)
        if path and parallel.ranks()[0] == 0:
            checkpoints.save(path, model, optimizer, {"config": config, "history": asdict(history)})
        progress_bar.set_postfix_str(history.last())
    return history


def adamw(device: torch.device) -> Callable:
    """AdamW, in one kernel a step where the device has one."""
    return partial(torch.optim.AdamW, fused=device.type in ("cpu", "cuda"))


def described(unlabeled: Unlabeled, model: parallel.Model, optimizer: torch.optim.Optimizer) -> dict:
    """What a checkpoint must agree in with the run that goes on from it: data, task, its settings, shapes."""
    return {
        "data": unlabeled.name,
        "samples": len(unlabeled),
        "task": type(model.task).__name__,
        "settings": settings(model.task),
        "weights": [list(weight.shape) for weight in model.state_dict().values()],
        "optimizer": type(optimizer).__name__,
    }


def settings(task: PretextTask) -> dict:
    """The numbers and names that a task was constructed with, such as its temperature."""
    plain = {name: value for name, value in vars(task).items() if isinstance(value, (int, float, str))}
    return {name: value for name, value in plain.items() if name != "training" and not name.startswith("_")}


def check_unlabeled(unlabeled: Any, batch_size: int) -> None:
    """Refuse anything but a view without labels, less than a batch of it, and a batch that ranks cannot share."""
    if not isinstance(unlabeled, Unlabeled):
        raise CourseError(
            f"pretrain got {type(unlabeled).__name__}, which may hold labels: self-supervised learning makes its "
            "targets from the inputs alone. Give it data.unlabeled(), which holds none."
        )
    if not 2 <= batch_size <= len(unlabeled):
        raise CourseError(
            f"batch_size is {batch_size}; it must lie between 2 and {len(unlabeled)}, all samples there are."
        )
    if batch_size % parallel.ranks()[1]:
        raise CourseError(f"batch_size is {batch_size}; it must be a multiple of {parallel.ranks()[1]}, the processes.")


def bar(epochs: int, what: str, done: int = 0, silent: bool = False):
    """The epochs that are left, under a progress bar, which only the first rank shows."""
    from tqdm.auto import tqdm

    left, silent = range(done, epochs), silent or parallel.ranks()[0] > 0
    return tqdm(left, what, total=epochs, initial=done, unit="epoch", disable=silent)


@dataclass
class Run:
    """What stays the same from step to step."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    config: dict
    x: Tensor

    def epoch(self, epoch: int, history: History) -> None:
        """One pass over x in an order, and with augmentations, that seed and epoch alone decide."""
        rank, ranks = parallel.ranks()
        order = torch.randperm(len(self.x), generator=generator(self.config["seed"], epoch, 0)).to(self.x.device)
        chance = generator(self.config["seed"], epoch, 1 + rank)
        batches = order.split(self.config["batch_size"])[: len(self.x) // self.config["batch_size"]]
        total, begin = torch.zeros((), device=self.x.device), time.perf_counter()
        self.model.train()
        for i, rows in enumerate(batches):
            self.set_lr(epoch * len(batches) + i, self.config["epochs"] * len(batches))
            total += step(self.model, self.optimizer, self.x[rows[rank::ranks]], chance)
        loss = total.item() / len(batches)
        if not math.isfinite(loss):
            raise CourseError(
                f"The loss is {loss} in epoch {epoch + 1}: training has diverged. Try a smaller lr than "
                f"{self.config['lr']}, a higher temperature, or look for a log or a division by zero in the loss."
            )
        history.seconds += time.perf_counter() - begin
        history.samples += len(batches) * self.config["batch_size"]
        history.loss.append(loss)
        watched = self.x[:: max(1, len(self.x) // PROBE)][:PROBE]  # from all over: data may lie class by class
        history.read_meters(measures.embed(parallel.parts(self.model).encoder, watched))

    def set_lr(self, now: int, steps: int) -> None:
        """Linear warm-up over a twentieth of all steps, then half a cosine down to zero."""
        warmup = max(1, steps // 20)
        if now < warmup:
            share = (now + 1) / warmup
        else:
            share = 0.5 + 0.5 * math.cos(math.pi * (now - warmup) / (steps - warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config["lr"] * share


def generator(*numbers: int) -> torch.Generator:
    """A generator of its own for each (seed, epoch, use), so that a resumed run draws what the first would have."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number) % 2**63
    return torch.Generator().manual_seed(mixed)


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, chance: torch.Generator | None = None
) -> Tensor:
    """One step on a raw batch x, uint8 images or int64 tokens; returns the loss, detached, on x's device."""
    parts = parallel.parts(model)
    with torch.no_grad():
        inputs, z = parts.task.make(measures.to_float(x), chance)
    with autocast(x.device):
        prediction = model(channels_last(inputs))
    # The loss takes exponentials and logarithms: bf16's three digits are too few for them.
    prediction = tree_map(lambda t: t.float() if t.is_floating_point() else t, prediction)
    loss = parts.task.loss(prediction, z)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    parts.task.after_step(parts.encoder, tree_map(Tensor.detach, prediction))
    return loss.detach()


def channels_last(inputs: Any) -> Any:
    """Images with their channels innermost, as convolutions like them; other tensors unchanged."""
    return tree_map(lambda t: t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t, inputs)
