"""Pretext tasks (module 3): targets that the data make themselves."""

from sslcourse.pretext.rotation import Rotation

__all__ = ["Rotation"]
