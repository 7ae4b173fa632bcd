"""Zero-shot: a class is recognised from its description, without one labeled sample of it."""

from typing import Any

import torch
from torch import Tensor, nn

from sslcourse import measures
from sslcourse.data import Split


def attribute_probe(encoder: nn.Module, labeled: Split, descriptions: Tensor) -> Any:
    """A linear map from frozen features to the description (A,) of a sample's class: `predict` gives (N,A).

    descriptions (classes,A) float, one for each label that may come. scikit-learn's ridge regression, on standardised
    features; its penalty grows with the number of samples.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    h = measures.embed(encoder, labeled.x).cpu().numpy()
    return make_pipeline(StandardScaler(), Ridge(alpha=len(h))).fit(h, descriptions[labeled.y].numpy())


def by_description(encoder: nn.Module, probe: Any, x: Tensor, descriptions: Tensor) -> Tensor:
    """The row of descriptions (C,A) that is nearest to what the probe finds in each of the raw inputs x (N,...): (N,).

    Source: Lampert et al., 2009: classes that nobody labeled are told apart by attributes learned from others.
    """
    found = torch.from_numpy(probe.predict(measures.embed(encoder, x).cpu().numpy()))
    return torch.cdist(found.float(), descriptions).argmin(dim=1)
