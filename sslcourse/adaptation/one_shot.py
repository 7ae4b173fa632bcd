"""One picture of each class: is a symbol that was never seen before known again, distorted or drawn in another way?"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sslcourse import augment, encoders, measures
from sslcourse.adaptation.finetune import fit
from sslcourse.adaptation.probe import hits
from sslcourse.adaptation.supervised import kept, settings_of
from sslcourse.data import Data, Split
from sslcourse.devices import best_device, budget
from sslcourse.ledger import Log

DRAWINGS = {"same drawing": 0, "other drawing": 1}  # as the one that is known, or the symbol's other one
WAYS, EPISODES = 20, 200  # symbols in a small task, and how many small tasks; the large task has all symbols
QUERIES = 5  # distorted pictures of each symbol that are asked for
SUPPORTS = 16  # views of a symbol's one picture, whose features are averaged
FLOORS = (None, 0.03, 0.1, 0.3)  # of whitening; None: features as they are
STEPS, LR = 800, 5e-3  # of supervised training, chosen on validation symbols

Tasks = dict[str, float]  # accuracies of "same drawing, of 20", "same drawing, of N", and of the other drawing


class Whitening(nn.Module):
    """Features (N,D) less their mean, with equal variance in all directions but the weakest.

    floor: what is added to every standard deviation, in units of the largest; None leaves features as they are. Mean
    and directions are those of features h, which takes no label.
    """

    def __init__(self, floor: float | None, h: Tensor):
        super().__init__()
        mean, turn = torch.zeros(h.shape[1]), torch.eye(h.shape[1])
        if floor is not None:
            mean = h.mean(dim=0)
            _, scale, directions = torch.linalg.svd(h - mean, full_matrices=False)
            turn = directions.T / (scale / scale[0] + floor)
        self.register_buffer("mean", mean)
        self.register_buffer("turn", turn)

    def forward(self, h: Tensor) -> Tensor:
        return (h - self.mean) @ self.turn


class HOG(nn.Module):
    """Histograms of oriented gradients, features made by hand: (B,1,H,W) -> (B,324) for 32x32 (Dalal and Triggs, 2005).

    9 directions in cells of 8x8 pixels, blocks of 2x2 cells, each normalised ("L2-Hys"). As scikit-image's `hog`, which
    takes one picture at a time.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, across = (torch.zeros_like(x) for _ in range(2))
        down[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
        across[..., 1:-1] = x[..., 2:] - x[..., :-2]
        degrees = torch.rad2deg(torch.atan2(down, across)) % 180
        direction = (degrees / 20).long().clamp(max=8)
        strength = torch.zeros_like(x).repeat(1, 9, 1, 1).scatter_(1, direction, torch.hypot(down, across))
        cells = F.avg_pool2d(strength, 8)
        blocks = cells.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 4, 5, 1).flatten(3)
        for limit in (0.2, torch.inf):
            blocks = (blocks / (blocks.square().sum(dim=3, keepdim=True) + 1e-10).sqrt()).clamp(max=limit)
        return blocks.flatten(1)


def one_shots(
    methods: Mapping[str, nn.Module | Callable[[], Tasks]],
    data: Data,
    seed: int = 0,
    log: Log | None = None,
    group: str = "one-shot",
) -> dict[str, Tasks]:
    """A lesson's table: how often each method knows a test symbol of which it was shown one picture.

    methods: a frozen encoder, or a function that gives the accuracies. Where there is a log, they are recorded under
    group/method/task.
    """
    table = {}
    for method, adapted in methods.items():
        table[method] = one_shot(adapted, data, seed) if isinstance(adapted, nn.Module) else adapted()
        for task, value in table[method].items() if log else ():
            log.record(f"{group}/{method}/{task}", value, unit="accuracy")
    return table


def one_shot_references(
    data: Data, encoder: Callable[[], nn.Module], seed: int = 0, log: Log | None = None, group: str = "one-shot"
) -> dict[str, Tasks]:
    """What every pretrained encoder must stand beside: pixels, features made by hand, random init, one that is trained.

    "trained for the test" is the same network, on the one picture of each test symbol, under the same distortions.
    """
    torch.manual_seed(seed)
    random = encoders.calibrate(encoder().to(best_device()), data.unlabeled(), augment.symbols(), seed)
    trained = supervised_on_one(data.test, seed, encoder)
    methods = {
        "raw input": nn.Flatten(),
        "HOG": HOG(),
        "random init": random,
        "trained for the test": lambda: recognition(trained, data.test, seed),
    }
    return one_shots(methods, data, seed, log, group)


def whitened(encoder: nn.Module, data: Data, seed: int = 0) -> nn.Sequential:
    """An encoder whose features are whitened and have a typical length of one, both by views of training inputs.

    The floor is the one that validation symbols chose for SimCLR's features.
    """
    h = unlabeled_features(encoder, data, seed)
    near = Whitening(FLOORS[1], h)
    near.turn /= near(h).norm(dim=1).mean()
    return nn.Sequential(encoder, near.to(best_device()))


def one_shot(encoder: nn.Module, data: Data, seed: int = 0) -> Tasks:
    """How often a frozen encoder knows a test symbol of which it is shown one picture.

    Each symbol is represented by the mean of unit-length features of its picture's views; a query goes to the nearest
    by cosine. Validation symbols decide whether, and how far, features are whitened.
    """
    h = unlabeled_features(encoder, data, seed)
    val, test = (seen(encoder, cards, seed) for cards in (data.val, data.test))
    best = max((Whitening(floor, h) for floor in FLOORS), key=lambda near: sum(nearest(near, *val, seed).values()))
    return nearest(best, *test, seed)


def unlabeled_features(encoder: nn.Module, data: Data, seed: int) -> Tensor:
    """Features (N,D) of a view of each training input: what whitening goes by."""
    views = augment.symbols()(measures.to_float(data.train.x), torch.Generator().manual_seed(seed))
    return measures.embed(encoder, views).cpu()


def seen(encoder: nn.Module, cards: Split, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Features of views of each card's left drawing (N * SUPPORTS, D), and of queries for each drawing."""
    views = augment.symbols(0)(repeated(cards, SUPPORTS), torch.Generator().manual_seed(seed))
    asked = {name: measures.embed(encoder, x).cpu() for name, x in queries(cards, seed).items()}
    return measures.embed(encoder, views).cpu(), asked


def nearest(near: nn.Module, known: Tensor, asked: dict[str, Tensor], seed: int) -> Tasks:
    """Accuracies of going to the nearest prototype, with features as `near` changes them."""
    known = F.normalize(near(known), dim=1)
    prototypes = F.normalize(known.view(-1, SUPPORTS, known.shape[1]).mean(dim=1), dim=1)
    return accuracies({name: F.normalize(near(h), dim=1) @ prototypes.T for name, h in asked.items()}, seed)


def recognition(classifier: nn.Module, cards: Split, seed: int = 0) -> Tasks:
    """How often a trained classifier of all cards knows them, distorted as the seed draws it."""
    return accuracies({name: measures.embed(classifier, x).cpu() for name, x in queries(cards, seed).items()}, seed)


def queries(cards: Split, seed: int) -> dict[str, Tensor]:
    """Distorted pictures (N * QUERIES, 1, H, W) of both drawings of each card."""
    chance = torch.Generator().manual_seed(seed + 1)
    return {name: augment.symbols(which)(repeated(cards, QUERIES), chance) for name, which in DRAWINGS.items()}


def repeated(cards: Split, times: int) -> Tensor:
    """Each card so many times, one after another, in [0,1]."""
    return measures.to_float(cards.x).repeat_interleave(times, dim=0)


def accuracies(scores: dict[str, Tensor], seed: int) -> Tasks:
    """How often the right one of N cards has the highest score, and the right one of 20 drawn at random.

    scores: (N * QUERIES, N) for the queries of each drawing.
    """
    chance, found = torch.Generator().manual_seed(seed), {}
    for name, table in scores.items():
        cards = table.shape[1]
        found[f"{name}, of {WAYS}"] = small_tasks(table, chance)
        found[f"{name}, of {cards}"] = hits(table.argmax(dim=1), torch.arange(cards).repeat_interleave(QUERIES))
    return found


def small_tasks(scores: Tensor, chance: torch.Generator) -> float:
    """Accuracy in tasks of 20 symbols drawn at random, one query a symbol, from scores (N * QUERIES, N)."""
    drawn = torch.rand(EPISODES, scores.shape[1], generator=chance).topk(WAYS, dim=1).indices
    rows = drawn * QUERIES + torch.randint(QUERIES, drawn.shape, generator=chance)
    guess = scores[rows[:, :, None], drawn[:, None, :]].argmax(dim=2)
    return hits(guess, torch.arange(WAYS).expand_as(guess))


def supervised_on_one(cards: Split, seed: int, encoder: Callable[[], nn.Module]) -> nn.Sequential:
    """An encoder and a linear layer trained from scratch to tell cards apart, on views of their left drawings.

    The views are those of pretraining, but for the other drawing, which nobody has of a symbol that is new. Nothing is
    selected. What was trained once on this machine is read again.
    """
    torch.manual_seed(seed)
    h = encoder()
    model = nn.Sequential(h, nn.Linear(h.dim, len(cards))).to(best_device())
    return kept(model, settings_of("one picture a class", cards, STEPS, seed, h), lambda: learn(model, cards, seed))


def learn(model: nn.Module, cards: Split, seed: int) -> None:
    """Train a classifier of cards, in place, on views of their left drawings."""
    labeled = Split(cards.x, torch.arange(len(cards)))
    samples = 256 * budget(cpu=STEPS, gpu=2 * STEPS, smoke=1)
    fit(model, labeled, augment.symbols(0), samples, torch.Generator().manual_seed(seed), LR)
