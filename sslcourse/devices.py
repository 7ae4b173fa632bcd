"""Where to train, in which precision and for how long: nothing else in the course asks which device there is."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from sslcourse.errors import CourseError

DEVICE, PROFILE = "SSLCOURSE_DEVICE", "SSLCOURSE_PROFILE"
PROFILES = ("cpu", "gpu", "smoke")


def best_device(name: str | None = None) -> torch.device:
    """The device of this name, or of that in SSLCOURSE_DEVICE, else the accelerator (cuda, mps, ...), else the CPU."""
    if chosen := name or os.environ.get(DEVICE):
        return named(chosen)
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def named(name: str) -> torch.device:
    """The device with this name, such as "cpu" or "cuda:1". CourseError, with the names there are, for another."""
    names, short = ["cpu"], ["cpu"]
    # Nothing is put on the device to try it: that would take memory, and the whole of a GPU that serves one process.
    if accelerator := torch.accelerator.current_accelerator(check_available=True):
        names += [f"{accelerator.type}:{number}" for number in range(torch.accelerator.device_count())]
        short += [accelerator.type]
    if name not in names + short:
        raise CourseError(f"There is no device {name!r} here; choose one of {', '.join(names)}.")
    return torch.device(name)


def full_name(device: torch.device) -> str:
    """The name of the chip behind a device; one that tells none is named after the processor, as "M2, mps"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor() if device.type == "cpu" else f"{processor()}, {device.type}"


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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


def profile() -> str:
    """How much is trained: "cpu", "gpu" or "smoke", by the variable SSLCOURSE_PROFILE, else by the device.

    "smoke" runs every cell and learns nothing: for tests of structure. Raises CourseError for another name.
    """
    name = os.environ.get(PROFILE) or ("cpu" if best_device().type == "cpu" else "gpu")
    if name not in PROFILES:
        raise CourseError(f"{PROFILE} is {name!r}; it must be one of {', '.join(PROFILES)}, or not set.")
    return name


def budget(cpu: Any, gpu: Any, smoke: Any = 1) -> Any:
    """How many epochs, steps, samples or units the profile has: one of the three."""
    return {"cpu": cpu, "gpu": gpu, "smoke": smoke}[profile()]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
