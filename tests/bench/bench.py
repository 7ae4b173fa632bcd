"""Speed, measured in one run: this course beside lightly, torchvision and nbgrader, in turns on the same machine.

`make bench` writes course/bench.results.json, which the README shows. Every ratio is taken within one repeat, so that
a machine that is busy for a while slows both of its sides.
"""

import argparse
import statistics
import subprocess
import sys
import time
from importlib import metadata

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2

from sslcourse import augment, contrastive, course, data, devices, encoders, ledger, measures, paths, training
from tests.bench import grading

BATCH, SIZE, WORKERS, EPOCHS = 256, 32, 2, 1


class PhotosAsPIL(torch.utils.data.Dataset):
    """The same photos as PIL images with a label, as torchvision's data sets give them, through lightly's transform."""

    def __init__(self, x, transform):
        self.images, self.transform = [v2.functional.to_pil_image(image) for image in x], transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(self.images[index]), 0


def ours(photos):
    """-> a function that pretrains for EPOCHS through the course's own loop and returns views per second."""
    encoder = encoders.ConvNet(in_channels=3)
    task = contrastive.SimCLR(encoder.dim, temperature=0.2)

    def run() -> float:
        begin = time.perf_counter()
        training.pretrain(encoder, task, photos.unlabeled(), EPOCHS, batch_size=BATCH, seed=0, progress=False)
        return 2 * EPOCHS * views_in(photos) / (time.perf_counter() - begin)

    return run


def views_in(photos) -> int:
    """Images an epoch that both sides see: full batches only."""
    return len(photos.unlabeled()) // BATCH * BATCH


def lightly_pipeline(photos):
    """-> the same for lightly as its documentation writes it: its transform, torch's loader, its head and loss, fp32.

    Its workers are kept between epochs and have started before the clock does, which is generous to it.
    """
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    dataset = PhotosAsPIL(photos.train.x, SimCLRTransform(input_size=SIZE))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS, persistent_workers=True
    )
    encoder = encoders.ConvNet(in_channels=3)
    model = nn.Sequential(encoder, SimCLRProjectionHead(encoder.dim, encoder.dim, 128))
    loss_of, optimizer = NTXentLoss(temperature=0.2), torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9)

    def run() -> float:
        begin, views = time.perf_counter(), 0
        for _ in range(EPOCHS):
            for (x0, x1), _ in loader:
                loss = loss_of(model(x0), model(x1))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                views += 2 * len(x0)
        return views / (time.perf_counter() - begin)

    return run


def augmentation_pipelines(photos):
    """-> two functions that return views per second: ours on whole batches, torchvision v2's sample by sample."""
    views, generator = augment.simclr(), torch.Generator().manual_seed(0)
    sample_by_sample = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.2, 1), antialias=False),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            v2.RandomGrayscale(p=0.2),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    x = photos.train.x[:BATCH]

    def batched():
        return views(measures.to_float(torch.cat([x, x])), generator)

    def one_by_one():
        return torch.stack([sample_by_sample(image) for _ in range(2) for image in x])

    return (lambda: 2 * BATCH / seconds(batched, 10)), (lambda: 2 * BATCH / seconds(one_by_one, 2))


def seconds(function, times: int) -> float:
    """Mean seconds of a call, after one to warm up."""
    function()
    begin = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - begin) / times


def encoder_arithmetic():
    """-> a function that returns the GFLOP a second of the encoder's forward and backward passes on two views."""
    device = devices.best_device()
    encoder = encoders.ConvNet(in_channels=3).to(device, memory_format=torch.channels_last)
    x = torch.rand(2 * BATCH, 3, SIZE, SIZE, device=device).contiguous(memory_format=torch.channels_last)

    def both_ways():
        with devices.autocast(device):
            features = encoder(x)
        features.float().square().mean().backward()

    with FlopCounterMode(display=False) as counter:
        both_ways()
    return lambda: counter.get_total_flops() / seconds(both_ways, 10) / 1e9


def matmul_peak(dtype: torch.dtype):
    """-> a function that returns the GFLOP a second of a large matrix product: what this machine can do."""
    n = 2048
    a, b = (torch.randn(n, n, device=devices.best_device()).to(dtype) for _ in range(2))
    return lambda: 2 * n**3 / seconds(lambda: a @ b, 10) / 1e9


def import_seconds() -> float:
    """Seconds that importing the package, and every room that a lesson names, adds to importing torch."""
    rooms = "data, encoders, augment, training, adaptation, contrastive, measures"
    program = (
        f"import torch, time; t = time.perf_counter(); from sslcourse import {rooms}; print(time.perf_counter() - t)"
    )
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def compare(name: str, mine, other, repeats: int, entries: dict) -> None:
    """Enter mine(), other() and their ratio, measured in turns."""
    pairs = [(mine(), other()) for _ in range(repeats)]
    entries[f"{name}/sslcourse"] = [a for a, _ in pairs]
    entries[f"{name}/beside"] = [b for _, b in pairs]
    entries[f"{name}/ratio"] = [a / b for a, b in pairs]
    print(f"{name}: ratio {statistics.fmean(entries[f'{name}/ratio']):.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    devices.keep_memory()
    photos, entries = data.load("photos"), {}
    mine, theirs = ours(photos), lightly_pipeline(photos)
    mine(), theirs()  # starts lightly's workers, and warms both
    lightly = f"lightly {metadata.version('lightly')}"
    compare(f"SimCLR pretraining, views a second, beside {lightly}", mine, theirs, repeats, entries)
    pipelines = augmentation_pipelines(photos)
    compare("two views of a batch, views a second, beside torchvision v2 by sample", *pipelines, repeats, entries)
    arithmetic = encoder_arithmetic()
    for name, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        row = f"the encoder, both ways, GFLOP a second, beside {name} matrix products"
        compare(row, arithmetic, matmul_peak(dtype), repeats, entries)
    with grading.graders(course.lesson("4.2")) as (mine, theirs):
        row = f"grading lesson 4.2, submissions a minute, beside nbgrader {metadata.version('nbgrader')}"
        compare(row, mine, theirs, repeats, entries)
    entries["imports, seconds beside those of torch/sslcourse"] = [import_seconds() for _ in range(repeats)]
    units = {key: "x" if key.endswith("ratio") else "" for key in entries}
    digits = {key: 2 if key.endswith("ratio") or key.startswith("imports") else 0 for key in entries}
    ledger.write_entries(ledger.path_of("bench"), entries, {"lesson": "bench"}, units, digits)
    print(f"wrote {ledger.path_of('bench').relative_to(paths.ROOT)}")


if __name__ == "__main__":
    main()
