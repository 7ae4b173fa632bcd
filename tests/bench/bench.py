"""Speed, measured in one run: this course beside lightly and torchvision, both sides in turns on the same machine.

`make bench` writes course/bench.results.json, which the README shows. Every ratio is taken within one repeat, so that
a machine that is busy for a while slows both of its sides.
"""

import time

import torch
from torch import nn
from torchvision.transforms import v2

from sslcourse import contrastive, encoders, training

BATCH, SIZE, WORKERS, EPOCHS = 256, 32, 2, 1


class PhotosAsPIL(torch.utils.data.Dataset):
    """The same photos as PIL images with a label, as torchvision's data sets give them to lightly."""

    def __init__(self, x):
        self.images = [v2.functional.to_pil_image(image) for image in x]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], 0


def ours(photos):
    """-> a function that pretrains for EPOCHS through the course's own loop and returns views per second."""
    encoder = encoders.ConvNet(in_channels=3)
    task = contrastive.SimCLR(encoder.dim, temperature=0.2)

    def run() -> float:
        begin = time.perf_counter()
        training.pretrain(encoder, task, photos.unlabeled(), epochs=EPOCHS, batch_size=BATCH, seed=0)
        return 2 * EPOCHS * views_in(photos) / (time.perf_counter() - begin)

    return run


def views_in(photos) -> int:
    """Images an epoch that both sides see: full batches only."""
    return len(photos.unlabeled()) // BATCH * BATCH


def lightly_pipeline(photos):
    """-> the same for lightly as its documentation writes it: its transform, data set, loader, head and loss, fp32.

    Its workers are kept between epochs and have started before the clock does, which is generous to it.
    """
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    dataset = LightlyDataset.from_torch_dataset(PhotosAsPIL(photos.train.x), transform=SimCLRTransform(input_size=SIZE))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS, persistent_workers=True
    )
    encoder = encoders.ConvNet(in_channels=3)
    model = nn.Sequential(encoder, SimCLRProjectionHead(encoder.dim, encoder.dim, 128))
    loss_of, optimizer = NTXentLoss(temperature=0.2), torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9)

    def run() -> float:
        begin, views = time.perf_counter(), 0
        for _ in range(EPOCHS):
            for (x0, x1), _, _ in loader:
                loss = loss_of(model(x0), model(x1))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                views += 2 * len(x0)
        return views / (time.perf_counter() - begin)

    return run
