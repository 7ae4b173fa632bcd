"""Contrastive learning (module 4): tell which views show the same sample."""

from sslcourse.contrastive.moco import MoCo, momentum_update
from sslcourse.contrastive.simclr import SimCLR, cosine_similarity, nt_xent, similarity_logits
from sslcourse.contrastive.turns import PredictedTurns, turn_loss

__all__ = [
    "MoCo",
    "PredictedTurns",
    "SimCLR",
    "cosine_similarity",
    "momentum_update",
    "nt_xent",
    "similarity_logits",
    "turn_loss",
]
