"""Training on several processes (torchrun): what each rank sees, and negatives from all of them."""

import os

import torch
from torch import Tensor, nn
from torch import distributed as dist


def ranks() -> tuple[int, int]:
    """(this process's rank, number of processes): (0, 1) where torch.distributed is not running."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


def start() -> None:
    """Join the processes that torchrun started, by NCCL where each has a GPU and by gloo elsewhere."""
    if "RANK" not in os.environ:
        return
    gpu = torch.cuda.device_count() >= int(os.environ["LOCAL_WORLD_SIZE"])
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpu else "gloo")


def stop() -> None:
    """Leave the processes that `start` joined, if there are any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def gather(x: Tensor) -> Tensor:
    """Rows of all ranks, in the order of the ranks: (B,...) -> (B * ranks,...), with gradients to each rank's own.

    Each rank then has the loss of the whole batch. Backward sums the ranks' equal gradients and DDP takes their mean,
    so that parameters get exactly the gradient of one process with the whole batch.
    """
    if ranks()[1] == 1:
        return x
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(x.contiguous()))


class Model(nn.Module):
    """Encoder and task as the one module that DistributedDataParallel wants: inputs -> the task's prediction."""

    def __init__(self, encoder: nn.Module, task: nn.Module):
        super().__init__()
        self.encoder, self.task = encoder, task

    def forward(self, inputs):
        return self.task(self.encoder, inputs)


def parts(model: nn.Module) -> Model:
    """The Model with encoder and task, whether or not `distributed` has wrapped it."""
    return getattr(model, "module", model)


def distributed(model: nn.Module, device: torch.device) -> nn.Module:
    """The model in DistributedDataParallel where there are several ranks.

    Batch statistics are taken over all ranks on GPUs; gloo has no such kernel, and each rank keeps its own.
    """
    if ranks()[1] == 1:
        return model
    if device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return nn.parallel.DistributedDataParallel(model, device_ids=[device.index])
    return nn.parallel.DistributedDataParallel(model)
