"""Where the rooms of the repository are, and the reader's own data."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "course"
NOTEBOOKS = ROOT / "notebooks"
DATA = "SSLCOURSE_DATA"


def downloads() -> Path:
    """The folder of the data sets that are downloaded: what SSLCOURSE_DATA says, else one in the reader's cache."""
    return Path(os.path.expanduser(os.environ.get(DATA) or "~/.cache/sslcourse/data"))
