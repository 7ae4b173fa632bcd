"""Features of a frozen encoder, computed once for all label budgets, and what classifies them."""

from torch import Tensor, nn

from sslcourse import measures
from sslcourse.adaptation.labels import labeled_rows, min_labels
from sslcourse.adaptation.nearest import by_neighbours, by_prototypes
from sslcourse.adaptation.probe import SCALINGS, Fit, Result, Scaling, best, doubts, fits, hits, preference
from sslcourse.data import Data

SCALED_BY = 50  # labels a class: with more than these, so many choose the scaling, and all of them the decay
NEIGHBOURS = (1, 3, 10, 30)


def linear_probe(encoder: nn.Module, data: Data, labels_per_class: int | None = None, seed: int = 0) -> Result:
    """Multinomial logistic regression on the encoder's frozen features; labels_per_class None uses all labels.

    Its scaling and its decay are chosen on the validation split with no more labels a class than it was trained on
    (Oliver et al., 2018): whoever has one label a class for training does not have a thousand for validation. Raises
    CourseError where a class has fewer labels.
    """
    return Frozen(encoder, data).probe(labels_per_class, seed)


class Frozen:
    """An encoder's features of a data set's three splits. All choices are made as in `linear_probe`."""

    def __init__(self, encoder: nn.Module, data: Data):
        self.encoder, self.data = encoder, data
        self.train, self.val, self.test = (
            measures.embed(encoder, split.x).cpu() for split in (data.train, data.val, data.test)
        )
        self.scalings = {how: Scaling(how, self.train) for how in SCALINGS}

    def probe(self, labels_per_class: int | None = None, seed: int = 0) -> Result:
        """A linear probe; see `linear_probe`."""
        few = labels_per_class
        if few is None or few > SCALED_BY:
            few = min_labels(SCALED_BY, self.data.train)
        made = {how: self.fits(how, few, seed) for how in SCALINGS}
        how = max(SCALINGS, key=lambda how: preference(best(made[how])))
        tried = made[how] if few == labels_per_class else self.fits(how, labels_per_class, seed)
        chosen = best(tried)
        accuracy = hits(chosen.head(self.test).argmax(dim=1), self.data.test.y)
        return Result(accuracy, self.encoder, chosen.head, how, chosen.decay, tuple(doubts(self.encoder, tried)))

    def fits(self, how: str, labels_per_class: int | None, seed: int) -> list[Fit]:
        """Heads on features scaled in one way, with so many labels a class for training and no more for choosing."""
        (h, y), val = self.labeled(labels_per_class, seed)
        return fits(self.scalings[how], (h, y), val)

    def nearest(self, labels_per_class: int | None, seed: int = 0) -> dict[str, float]:
        """Accuracy without any training: by the nearest prototype and by kNN, whose k validation chooses.

        Features are less their mean over all training inputs, which needs no label (Wang et al., 2019). With one label
        a class the two are one.
        """
        near, classes = self.scalings["unit length"], len(self.data.classes)
        (h, y), (h_val, y_val) = self.labeled(labels_per_class, seed)
        h, h_val, h_test, y_test = near(h), near(h_val), near(self.test), self.data.test.y
        found = {"prototypes": hits(by_prototypes(h_test, h, y, classes), y_test)}
        if labels_per_class != 1:
            candidates = [k for k in NEIGHBOURS if k <= len(h)]
            k = max(candidates, key=lambda k: hits(by_neighbours(h_val, h, y, classes, k), y_val))
            found["kNN"] = hits(by_neighbours(h_test, h, y, classes, k), y_test)
        return found

    def labeled(self, labels_per_class: int | None, seed: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Features and labels of so many training samples a class, and of no more validation samples a class."""
        rows = labeled_rows(self.data.train.y, labels_per_class, seed)
        of_val = labeled_rows(self.data.val.y, min_labels(labels_per_class, self.data.val), seed)
        return (self.train[rows], self.data.train.y[rows]), (self.val[of_val], self.data.val.y[of_val])
