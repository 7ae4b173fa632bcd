"""Zero-shot classification: a class is recognised by its description, without any labeled sample of it."""

from typing import Any

import torch
from torch import Tensor, nn

from sslcourse import measures
from sslcourse.data import Split


def attribute_probe(encoder: nn.Module, labeled: Split, descriptions: Tensor) -> Any:
    """A linear map from frozen features to the description (A,) of a sample's class: `predict` gives (N,A).

    descriptions (classes,A) float, one row for each label. scikit-learn's ridge regression on standardised features;
    its penalty alpha is the number of samples.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    h = measures.embed(encoder, labeled.x).cpu().numpy()
    return make_pipeline(StandardScaler(), Ridge(alpha=len(h))).fit(h, descriptions[labeled.y].numpy())


def by_description(encoder: nn.Module, probe: Any, x: Tensor, descriptions: Tensor) -> Tensor:
    """The row of descriptions (C,A) nearest to the probe's prediction for each of the raw inputs x (N,...): (N,).

    Source: Lampert et al., 2009, who recognise unseen classes by attributes learned on other classes.
    """
    attributes = torch.from_numpy(probe.predict(measures.embed(encoder, x).cpu().numpy()))
    return torch.cdist(attributes.float(), descriptions).argmin(dim=1)
