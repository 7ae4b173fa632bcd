"""Pretext tasks (module 3): targets that are computed from the data."""

from sslcourse.pretext.rotation import Rotation, rotate_batch, turn_by_vote, turn_logits
from sslcourse.pretext.workflow import transfer

__all__ = ["Rotation", "rotate_batch", "transfer", "turn_by_vote", "turn_logits"]
