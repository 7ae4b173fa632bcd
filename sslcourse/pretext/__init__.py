"""Pretext tasks (module 3): targets that are computed from the data."""

from sslcourse.pretext.rotation import Rotation, rotate_batch, rotation_head, turn_probabilities
from sslcourse.pretext.workflow import transfer

__all__ = ["Rotation", "rotate_batch", "rotation_head", "transfer", "turn_probabilities"]
