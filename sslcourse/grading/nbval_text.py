"""nbval's report of a failed cell, as text that can be shown to a student."""

import re

COLOURS = re.compile(r"\x1b\[[0-9;]*m|#x1B\[[0-9;]*m")  # in a terminal, and in junit's XML


def plain(text: str) -> str:
    """Text without terminal colours."""
    return COLOURS.sub("", text)


def last_line(text: str, otherwise: str = "no reason is given") -> str:
    """The last line of a report, which is the exception's own where a cell raised; `otherwise` where it is empty."""
    lines = plain(text).strip().splitlines()
    return lines[-1].strip() if lines else otherwise
