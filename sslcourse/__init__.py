"""sslcourse: the helper package of a hands-on course in self-supervised learning.

Rooms follow the workflow of SSL: data -> augment -> encoders -> a pretext task (paradigms, origins, pretext,
contrastive) -> training -> adaptation; measures and figures show what came of it. A room is imported when it is first
used, so that `import sslcourse` is quick.
"""

import importlib
import importlib.util
import pkgutil

__version__ = "0.1.0"


def __getattr__(name: str):
    if not name.startswith("__") and importlib.util.find_spec(f"sslcourse.{name}"):
        return importlib.import_module(f"sslcourse.{name}")
    raise AttributeError(f"sslcourse has no room {name!r}; its rooms are {', '.join(rooms())}.")


def rooms() -> list[str]:
    """The names of the package's rooms and single files."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def __dir__() -> list[str]:
    return sorted([*globals(), *rooms()])
