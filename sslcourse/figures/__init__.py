"""Figures: the plots that all lessons share, and one file for each lesson's own figures and widget.

They are readable at the back of a lecture hall, and without colour vision (Okabe and Ito's palette).
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
