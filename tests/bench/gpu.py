"""Speed on a GPU, measured in one run: our loop beside the usual pipeline, and beside the GPU's own matrix products.

`make bench-gpu` writes course/bench.gpu.results.json. SimCLR pretrains a ResNet-18 in bf16, channels innermost, on
CIFAR-10 where it is here, and on as many random pictures elsewhere. The usual pipeline is torchvision's transforms on
PIL images, picture by picture, in workers on all cores, with pinned memory; network, loss, optimiser and precision are
ours, and its workers have started before the clock does. Both sides are measured in turns, as they are and with the
encoder compiled, and on both cuDNN picks its kernels by trial.

`--rehearse` goes through all of it on the CPU, small and without compiling, and writes nothing.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2

from sslcourse import contrastive, data, devices, encoders, ledger, paths, training
from sslcourse.training import loop, parallel

WARM_UP = 4  # steps in which kernels are picked and compiled


@dataclass(frozen=True)
class Plan:
    """What is measured. ways: whether the encoder is compiled; side: of the square matrices that are multiplied."""

    device: torch.device
    pictures: data.Unlabeled
    batches: tuple[int, ...]
    ways: dict[str, bool]
    workers: int
    repeats: int
    side: int

    def views(self, batch: int) -> int:
        """Views an epoch that both sides see: full batches only."""
        return 2 * (len(self.pictures) // batch * batch)


def plan_for_gpu(repeats: int) -> Plan:
    """Sized to end within four minutes on an H100 with 16 cores."""
    if data.available("cifar10"):
        pictures = data.load("cifar10").unlabeled()
    else:
        pictures = data.Unlabeled("random pictures", random_pictures(50_000, 32))
    ways = {"as it is": False, "compiled": True}
    return Plan(devices.best_device(), pictures, (512, 1024), ways, devices.cores(), repeats, 8192)


def plan_for_rehearsal() -> Plan:
    pictures = data.Unlabeled("random pictures", random_pictures(16, 16))
    return Plan(torch.device("cpu"), pictures, (4, 8), {"as it is": False}, 1, 1, 256)


def random_pictures(count: int, size: int) -> Tensor:
    shape, generator = (count, 3, size, size), torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


class TwoViews(Dataset):
    """Two views of a picture as the usual pipeline makes them; pictures are kept as by torchvision's CIFAR10."""

    def __init__(self, x: Tensor):
        self.images = x.permute(0, 2, 3, 1).contiguous().numpy()
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(x.shape[-1], scale=(0.2, 1)),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
                v2.RandomGrayscale(p=0.2),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = Image.fromarray(self.images[index])
        return self.transform(image), self.transform(image)


def loader_for(plan: Plan, batch: int) -> DataLoader:
    """A loader whose workers have started, and are kept between epochs."""
    loader = DataLoader(
        TwoViews(plan.pictures.x),
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=plan.workers,
        persistent_workers=True,
        pin_memory=plan.device.type == "cuda",
    )
    for _ in loader:
        pass
    return loader


def network(device: torch.device, compiled: bool = False) -> parallel.Model:
    """Encoder and task, which both sides train in turns."""
    encoder = encoders.ResNet18(in_channels=3)
    model = parallel.Model(encoder, contrastive.SimCLR(encoder.dim, temperature=0.2))
    if compiled:
        torch.compiler.reset()  # else shapes met before make it compile for any shape, which is slower
        encoder.compile()
    return model.to(device, memory_format=torch.channels_last)


def ours(plan: Plan, model: parallel.Model, batch: int) -> Callable[[], training.History]:
    """-> a function that pretrains for an epoch through the course's own loop."""

    def run(pictures: data.Unlabeled = plan.pictures) -> training.History:
        options = {"epochs": 1, "batch_size": batch, "device": plan.device, "progress": False}
        return training.pretrain(model.encoder, model.task, pictures, **options)

    run(data.Unlabeled(plan.pictures.name, plan.pictures.x[: WARM_UP * batch]))
    return run


def usual(plan: Plan, model: parallel.Model, loader: DataLoader) -> Callable[[], None]:
    """-> a function that pretrains for an epoch through the usual pipeline."""
    optimizer = loop.adamw(plan.device)(model.parameters(), lr=2e-3)
    partners = torch.arange(2 * loader.batch_size, device=plan.device).roll(loader.batch_size)

    def run() -> None:
        model.train()
        for views in loader:
            inputs = torch.cat([view.to(plan.device, non_blocking=True) for view in views])
            with devices.autocast(plan.device):
                prediction = model(loop.channels_last(inputs))
            loss = model.task.loss(prediction.float(), partners)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()  # waits for the last step

    return run


def seconds(function: Callable) -> float:
    """Seconds of a call. Both sides wait for their last step by themselves."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def matmul_peak(plan: Plan) -> float:
    """TFLOP a second of a large bf16 matrix product, the best of five: what this GPU can really do."""
    a, b = (torch.randn(plan.side, plan.side, device=plan.device).bfloat16() for _ in range(2))

    def products(times: int = 10) -> None:
        for _ in range(times):
            product = a @ b
        product[0, 0].item()  # waits for all of them

    products()
    return 10 * 2 * plan.side**3 / min(seconds(products) for _ in range(5)) / 1e12


def step_tflop(batch: int, size: int) -> float:
    """TFLOP of one step's forward and backward pass, counted without computing any of it."""
    with torch.device("meta"):
        model, inputs = network(torch.device("meta")), torch.empty(2 * batch, 3, size, size)
        with FlopCounterMode(display=False) as counter:
            model.task.loss(model(inputs), torch.arange(2 * batch)).backward()
    return counter.get_total_flops() / 1e12


def measure(plan: Plan) -> dict[str, list[float]]:
    """The ledger's entries: a row for each batch size and way, a column for each quantity, a value for each repeat."""
    entries: dict[str, list[float]] = {}
    for batch in plan.batches:
        loader, tflop = loader_for(plan, batch), step_tflop(batch, plan.pictures.x.shape[-1])
        for way, compiled in plan.ways.items():
            model = network(plan.device, compiled)
            mine, other = ours(plan, model, batch), usual(plan, model, loader)
            for _ in range(plan.repeats):
                for column, value in one_repeat(plan, batch, tflop, mine, other).items():
                    entries.setdefault(f"batch {batch}, {way}/{column}", []).append(value)
            report(entries, f"batch {batch}, {way}")
    return entries


def one_repeat(plan: Plan, batch: int, tflop: float, mine: Callable, other: Callable) -> dict[str, float]:
    """Each side once, and the peak: column -> value."""
    peak, histories = matmul_peak(plan), []
    epoch, beside = seconds(lambda: histories.append(mine())), seconds(other)
    reached = tflop * histories[0].samples_per_second / batch
    return {
        "sslcourse, views a second": plan.views(batch) / epoch,
        "usual, views a second": plan.views(batch) / beside,
        "ratio": beside / epoch,
        "sslcourse, seconds an epoch": epoch,
        "its steps, TFLOP a second": reached,
        "bf16 matrix products, TFLOP a second": peak,
        "share of them": reached / peak,
    }


def report(entries: dict[str, list[float]], row: str) -> None:
    means = {key.partition("/")[2]: statistics.fmean(values) for key, values in entries.items() if key.startswith(row)}
    print(f"{row}: " + "; ".join(f"{column} {mean:.4g}" for column, mean in means.items()), flush=True)


def write(plan: Plan, entries: dict[str, list[float]]) -> None:
    """Write the results file, with the name of what was trained on."""
    path = ledger.path_of("bench", "gpu")
    units = {key: "x" if key.endswith("/ratio") else "" for key in entries}
    digits = {key: 0 if "views a second" in key or "TFLOP" in key else 2 for key in entries}
    ledger.write_entries(path, entries, {"lesson": "bench", "pictures": plan.pictures.name}, units, digits)
    print(f"wrote {path.relative_to(paths.ROOT)}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the training loop on a GPU.")
    parser.add_argument("--repeats", type=int, default=3, help="default: 3")
    parser.add_argument("--rehearse", action="store_true", help="go through all of it on the CPU and write nothing")
    options = parser.parse_args()
    if not options.rehearse and devices.best_device().type != "cuda":
        print("bench-gpu: there is no CUDA GPU here; --rehearse goes through it all on the CPU.", file=sys.stderr)
        return 2
    torch.backends.cudnn.benchmark = True
    plan = plan_for_rehearsal() if options.rehearse else plan_for_gpu(options.repeats)
    begin, entries = time.perf_counter(), measure(plan)
    print(f"took {time.perf_counter() - begin:.0f} s")
    if not options.rehearse:
        write(plan, entries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
