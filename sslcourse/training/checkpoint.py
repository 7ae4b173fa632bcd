"""Checkpoints: one safetensors file with a JSON header, written whole or not at all."""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from sslcourse.errors import CourseError
from sslcourse.files import replacing


def save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict) -> None:
    """Write weights, optimiser state and `state` (plain JSON) to path; a kill leaves the older file intact."""
    from safetensors.torch import save_file

    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in slots.items()}
    with replacing(path) as unfinished:
        # safetensors wants rows in order; channels_last comes back when the tensors are copied in again.
        save_file({name: t.contiguous() for name, t in tensors.items()}, unfinished, {"state": json.dumps(state)})


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, config: dict) -> dict:
    """Read a checkpoint into model and optimizer and return its `state`; state["config"] must equal config.

    Raises CourseError where the file is damaged or of another run.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            state = json.loads(file.metadata()["state"])
            differing = [key for key in config if state["config"].get(key) != config[key]]
            if differing:
                raise CourseError(
                    f"{path} is the checkpoint of another run: {', '.join(differing)} differ. "
                    "Give this run a checkpoint file of its own, or delete that one."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise CourseError(f"{path} is not a checkpoint of this course ({error}); delete it to start over.") from None
    model.load_state_dict({name[len("model.") :]: t for name, t in tensors.items() if name.startswith("model.")})
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, slot = name.split(".", 2)
            slots.setdefault(int(index), {})[slot] = laid_out_like(parameters[int(index)], tensor)
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in the parameter's memory format: a fused optimiser walks both in the order of their memory."""
    like = parameter if tensor.shape == parameter.shape else tensor
    # A copy in any case: Windows lets nobody replace a file that is still mapped.
    return torch.empty_like(like).copy_(tensor)
