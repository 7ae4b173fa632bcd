"""Figures: what every lesson draws with, and a file a lesson for its own, with its widget.

Readable at the back of a lecture hall, and without colour vision (Okabe and Ito's palette).
"""

from sslcourse.figures.drawing import OKABE_ITO, accuracies, confusion, figure, filters, pictures, show, training
from sslcourse.figures.sliders import Control, explore

__all__ = [
    "Control",
    "OKABE_ITO",
    "accuracies",
    "confusion",
    "explore",
    "figure",
    "filters",
    "pictures",
    "show",
    "training",
]
