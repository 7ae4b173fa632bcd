"""What features tell of a factor that varies continuously: a linear regression in place of a classifier."""

from torch import Tensor, nn

from sslcourse import measures

Placed = tuple[Tensor, dict[str, Tensor]]  # inputs (N,C,H,W), and factors, each (N,)


def explained(encoder: nn.Module, train: Placed, test: Placed) -> dict[str, float]:
    """R^2 of a ridge regression of each factor on frozen features: its share of the test inputs' variance.

    1: the features tell the factor linearly; 0: no better than its mean; below: worse. The penalty is chosen by
    leaving out one training input at a time.
    """
    import numpy as np
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (h, factors), (h_test, known) = ((measures.embed(encoder, x).cpu().numpy(), told) for x, told in (train, test))
    found = {}
    for name in factors:
        ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 5, 15)))
        ridge.fit(h, factors[name].numpy())
        found[name] = float(ridge.score(h_test, known[name].numpy()))
    return found
