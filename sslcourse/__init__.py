"""sslcourse: the helper package of a hands-on course in self-supervised learning.

Rooms follow the workflow of SSL: data -> augment -> encoders -> a pretext task (paradigms, origins, pretext,
contrastive) -> training -> adaptation; measures and figures show what came of it. A room is imported when it is first
used, so that `import sslcourse` is quick.
"""

import importlib

__version__ = "0.1.0"

ROOMS = (
    "adaptation", "augment", "authoring", "cells", "checks", "contrastive", "course", "data", "devices", "encoders",
    "figures", "grading", "ledger", "measures", "origins", "paradigms", "pretext", "training",
)  # fmt: skip


def __getattr__(name: str):
    if name in ROOMS:
        return importlib.import_module(f"sslcourse.{name}")
    raise AttributeError(f"sslcourse has no room {name!r}; its rooms are {', '.join(ROOMS)}.")


def __dir__() -> list[str]:
    return sorted([*globals(), *ROOMS])
