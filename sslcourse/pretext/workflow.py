"""The last step of the workflow: theta* is kept, and a new g_phi takes the place of k_gamma."""

import torch
from torch import Tensor, nn


def transfer(h: nn.Module, k: nn.Module, g: nn.Module, x: Tensor) -> Tensor:
    """Predictions of the target task: the new output module g_phi on frozen features of the pretrained h_theta*.

    x (B,...) inputs of h; returns g's output (B,classes). The pretext head k takes no part. h is frozen: it runs in
    evaluation mode, and no gradient reaches it; g learns. Source: Ericsson et al., 2021, section 2.
    """
    h.eval()  # else batch normalisation would mix the samples, and forget its averages of the source data
    with torch.no_grad():
        features = h(x)
    return g(features)
