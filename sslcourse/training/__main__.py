"""Pretrain from the command line, on one process or, with torchrun, on several."""

import argparse
import sys

import torch

from sslcourse import augment, contrastive, data, encoders, training
from sslcourse.errors import CourseError
from sslcourse.training import parallel

DESCRIPTION = """Pretrain a ConvNet without labels.
On several processes: torchrun --nproc-per-node=N -m sslcourse.training --task simclr --data photos"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sslcourse.training", description=DESCRIPTION, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--task", choices=["simclr", "moco"], default="simclr")
    parser.add_argument("--data", default="photos", help="pictures, as `sslcourse data` lists them")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=256, help="of all processes together")
    parser.add_argument("--temperature", type=float, default=0.2)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", help="file to write after each epoch, and to go on from")
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    """Pretrain as the options say; the first rank reports each epoch."""
    loaded = data.load(options.data)
    if loaded.train.x.ndim != 4:
        raise CourseError(f"--data is {options.data}, which is no pictures: --task {options.task} needs pictures.")
    torch.manual_seed(options.seed)
    encoder = encoders.ConvNet(in_channels=loaded.train.x.shape[1])
    views = augment.simclr(flip=options.data != "digits")  # a mirrored 3 is no digit
    if options.task == "moco":
        task = contrastive.MoCo(encoder, options.temperature, views=views)
    else:
        task = contrastive.SimCLR(encoder.dim, options.temperature, views=views)
    settings = {name: getattr(options, name) for name in ("epochs", "batch_size", "lr", "seed", "checkpoint")}
    history = training.pretrain(encoder, task, loaded.unlabeled(), **settings)
    if parallel.ranks()[0] == 0:
        for epoch, (loss, std, rank) in enumerate(zip(history.loss, history.std, history.rank, strict=True), start=1):
            print(f"epoch {epoch}: loss {loss:.3f}, std {std:.2f}, effective rank {rank:.1f}")


def main() -> int:
    options = arguments()
    parallel.start()
    try:
        run(options)
    except CourseError as error:
        print(f"sslcourse: {error}", file=sys.stderr)
        return 2
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


sys.exit(main())
