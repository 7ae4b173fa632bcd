"""Where to train, and in which precision: nothing else in the course asks which device there is."""

import sys

import torch


def best_device() -> torch.device:
    """The accelerator where there is one (cuda, mps, ...), else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def autocast(device: torch.device) -> torch.autocast:
    """A context in which matrix products run in bf16 where the device is quicker at it, and in float32 elsewhere."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported(including_emulation=False))
    capable = torch.cpu.get_capabilities()
    quick = capable.get("avx512_bf16") or capable.get("amx_bf16")
    return torch.autocast("cpu", torch.bfloat16, enabled=device.type == "cpu" and bool(quick))


def full_precision(device: torch.device) -> torch.autocast:
    """A context in which `autocast` is off again, for what bf16's three digits are too few for."""
    return torch.autocast("cuda" if device.type == "cuda" else "cpu", enabled=False)


def budget(cpu: int, gpu: int) -> int:
    """Epochs that fit this machine: `gpu` where there is an accelerator, else `cpu`."""
    return cpu if best_device().type == "cpu" else gpu


def keep_memory() -> None:
    """Let this process keep the memory it frees, where the C library is glibc; elsewhere nothing happens.

    By default glibc hands large blocks back to the system at once, and each training step faults them in anew.
    """
    import ctypes

    if sys.platform == "win32":  # where there is no C library to ask for by no name
        return
    trim_threshold, mmap_max = -1, -4  # names of the settings in malloc.h
    if libc := getattr(ctypes.CDLL(None), "mallopt", None):
        libc(mmap_max, 0)
        libc(trim_threshold, -1)
