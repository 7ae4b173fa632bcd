"""Where the rooms of the repository are, and where the reader's own data and what takes long are kept."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"
NOTEBOOKS = ROOT / "notebooks"
CACHE, DATA = "SSLCOURSE_CACHE", "SSLCOURSE_DATA"  # environment variables, each with a folder


def cache() -> Path:
    """Where what was trained once is kept: the folder in SSLCOURSE_CACHE, else one in the reader's cache."""
    return Path(os.path.expanduser(os.environ.get(CACHE) or "~/.cache/sslcourse"))


def downloads() -> Path:
    """The folder of the data sets that are downloaded: what SSLCOURSE_DATA says, else one in the reader's cache."""
    return Path(os.path.expanduser(os.environ.get(DATA) or "~/.cache/sslcourse/data"))
