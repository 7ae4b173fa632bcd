"""`sslcourse pretrain`: any pretext task on any data set it can take, on one process or, with torchrun, on several.

Tasks are found in the rooms, and the settings of a task in its constructor: a new task needs no line here.
"""

import argparse
import importlib
import importlib.util
import inspect

import torch

from sslcourse import course, data, devices, training
from sslcourse.errors import CourseError
from sslcourse.training import PretextTask, parallel


def tasks() -> dict[str, type[PretextTask]]:
    """Name, in lower case -> pretext task: every subclass of PretextTask that a module's room exports."""
    names = [f"sslcourse.{folder.partition('_')[2]}" for folder in course.modules()]
    rooms = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]
    exported = [value for room in rooms for value in vars(room).values() if inspect.isclass(value)]
    return {task.__name__.lower(): task for task in exported if issubclass(task, PretextTask)}


def settings(task: type[PretextTask]) -> dict[str, int | float]:
    """The numbers that a task's constructor takes, with their defaults: {"temperature": 0.2, "queue": 2048, ...}."""
    parameters = inspect.signature(task.__init__).parameters
    return {name: p.default for name, p in parameters.items() if isinstance(p.default, (int, float))}


def run(options: argparse.Namespace) -> int:
    """Pretrain as the options of the command say; the first rank reports each epoch."""
    task = task_named(options.task)
    changed = dict(setting(text, task) for text in options.set)
    parallel.start()
    try:
        history = pretrain(task, changed, options)
        if parallel.ranks()[0] == 0:
            report(history)
    finally:
        parallel.stop()
    return 0


def task_named(name: str) -> type[PretextTask]:
    """The task with this name, or a CourseError that lists the tasks there are."""
    if name not in tasks():
        raise CourseError(f"There is no task {name!r}; choose one of {'; '.join(map(described, tasks().values()))}.")
    return tasks()[name]


def described(task: type[PretextTask]) -> str:
    """A task's name and, in brackets, its settings."""
    numbers = ", ".join(f"{name}={value:g}" for name, value in settings(task).items())
    return task.__name__.lower() + (f" ({numbers})" if numbers else "")


def setting(text: str, task: type[PretextTask]) -> tuple[str, int | float]:
    """ "NAME=NUMBER" as a setting of the task and its value, of the default's type. CourseError where it is none."""
    name, _, number = text.partition("=")
    try:
        return name, type(settings(task)[name])(number)
    except KeyError:
        raise CourseError(f"--set {text}: {name!r} is not a setting of {described(task)}.") from None
    except ValueError:
        raise CourseError(f"--set {text}: {number!r} is not a number that {name} can be.") from None


def pretrain(task: type[PretextTask], changed: dict[str, float], options: argparse.Namespace) -> training.History:
    """Pretrain the encoder that suits the data set, with some of the task's settings changed."""
    source = data.load(options.data)
    torch.manual_seed(options.seed)
    encoder, pretext = task.on(source, **changed)
    names = ("epochs", "batch_size", "lr", "seed", "checkpoint")
    device = devices.best_device(options.device)
    chosen = {name: getattr(options, name) for name in names}
    return training.pretrain(encoder, pretext, source.unlabeled(), device=device, **chosen)


def report(history: training.History) -> None:
    """Print a line for each epoch."""
    for epoch, (loss, std, rank) in enumerate(zip(history.loss, history.std, history.rank, strict=True), start=1):
        print(f"epoch {epoch}: loss {loss:.3f}, std {std:.2f}, effective rank {rank:.1f}")
