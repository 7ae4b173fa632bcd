"""Where the rooms of the repository are, and where what takes long is kept between runs."""

import os
from pathlib import Path

CACHE = "SSLCOURSE_CACHE"  # the folder to keep it in

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"
NOTEBOOKS = ROOT / "notebooks"


def cache() -> Path:
    """Where what was trained once is kept: the folder in SSLCOURSE_CACHE, else the user's own cache."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache/sslcourse")
