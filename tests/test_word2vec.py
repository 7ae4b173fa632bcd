"""Word2vec: pairs, windows, noise and steps do what they say; training is decided by its seed and learns."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch.nn import functional as F

from sslcourse import data, encoders, measures
from sslcourse.data import Unlabeled, scripture
from sslcourse.errors import CourseError
from sslcourse.figures import word2vec as word_figures
from sslcourse.origins import word2vec
from sslcourse.origins.word_questions import (
    FAMILIES,
    RELATIONS,
    Lexicon,
    analogies,
    cooccurrence_ratio,
    families,
    lean,
    questions,
)

# Two topics whose words never meet; inside a topic, all words keep the same company.
TOPICS = 200


@pytest.fixture(scope="module")
def toy():
    """Verses of eight words: each from 1 to 8, or each from 9 to 16."""
    chance = torch.Generator().manual_seed(0)
    return Unlabeled(
        "toy", torch.randint(1, 9, (2 * TOPICS, 8), generator=chance) + 8 * (torch.arange(2 * TOPICS) % 2)[:, None]
    )


def test_pairs_of_a_known_stream():
    i, j = word2vec.training_pairs(torch.tensor([0, 0, 0, 1, 1]), torch.tensor([1, 2, 2, 1, 3]))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2), (2, 0), (2, 1), (3, 4), (4, 3)]


def test_windows_hold_the_contexts_of_each_position():
    words = torch.tensor([5, 6, 7, 8])
    i, j = word2vec.training_pairs(torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 2, 2]))
    windows, amid = word2vec.context_windows(words, i, j, 2)
    assert [sorted(row[row > 0].tolist()) for row in windows] == [[6, 7], [5, 7], [5, 6]]
    assert amid.tolist() == [5, 6, 7], "a word alone in its verse has no context"


def test_loss_of_zero_vectors_and_its_share_of_noise():
    zeros = torch.zeros(3, 2)
    assert word2vec.negative_sampling_loss(zeros, zeros, zeros, 5).item() == pytest.approx(6 * 0.693147, abs=1e-4)
    h, u = torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    expected = F.softplus(torch.tensor(-2.0)) + 3 * F.softplus(torch.tensor(4.0))
    assert word2vec.negative_sampling_loss(h, u, 2 * u, 3).item() == pytest.approx(expected.item())


def test_gradients_by_hand_are_those_of_autograd():
    torch.manual_seed(0)
    h, u, noise = torch.randn(5, 4), torch.randn(5, 4), torch.randn(3, 4)
    loss, gradients = word2vec.by_hand(h, u, noise, 7)
    expected, right = word2vec.by_autograd(word2vec.negative_sampling_loss)(h, u, noise, 7)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradients, right)


def test_noise_is_drawn_between_its_share_and_equal_chances():
    p = word2vec.noise_distribution(torch.tensor([0, 16, 1]))
    torch.testing.assert_close(p, torch.tensor([0, 8 / 9, 1 / 9]))


def test_subsampling_skips_the_frequent_and_spares_the_rare():
    keep = word2vec.keep_probability(torch.tensor([0, 1_000_000, 1_000, 10]), threshold=1e-3)
    assert keep[0] == 0 and keep[1] < 0.1 and keep[2] == keep[3] == 1


def test_a_step_touches_only_the_rows_that_it_names_and_descends():
    counts = torch.ones(10, dtype=torch.long)
    made = word2vec.Word2vec(counts, dim=4, device=torch.device("cpu"))
    made.output.normal_(generator=torch.Generator().manual_seed(0))
    before = made.vectors.clone(), made.output.clone()
    batch = torch.tensor([1, 2]), torch.tensor([3, 4]), torch.tensor([5, 6])
    first = made.step(*batch, 0.05, word2vec.by_hand, 2)
    assert ((made.vectors != before[0]).any(1).nonzero()[:, 0]).tolist() == [1, 2]
    assert ((made.output != before[1]).any(1).nonzero()[:, 0]).tolist() == [3, 4, 5, 6]
    assert made.step(*batch, 0.05, word2vec.by_hand, 2) < first


def test_padding_is_no_word_of_a_window():
    made = [word2vec.Word2vec(torch.ones(10, dtype=torch.long), dim=4, device=torch.device("cpu")) for _ in range(2)]
    for each, windows in zip(made, ([[1, 2, 0], [7, 0, 0]], [[2, 0, 1], [0, 0, 7]]), strict=True):
        for _ in range(3):
            each.step(torch.tensor(windows), torch.tensor([3, 4]), torch.tensor([5, 6]), 0.05, word2vec.by_hand, 2)
    torch.testing.assert_close(made[0].vectors[1:], made[1].vectors[1:])


def test_a_step_runs_on_the_meta_device():
    made = word2vec.Word2vec(torch.ones(10), dim=4, device=torch.device("meta"))
    for inputs in (torch.zeros(6, dtype=torch.long, device="meta"), torch.zeros(6, 3, dtype=torch.long, device="meta")):
        targets = torch.zeros(6, dtype=torch.long, device="meta")
        assert made.step(inputs, targets, targets[:2], 0.1, word2vec.by_hand, 5).shape == ()


@pytest.mark.parametrize("model", ["skip-gram", "CBOW"])
def test_words_of_one_topic_end_up_together_and_the_seed_decides(toy, model):
    options = {"epochs": 20, "batch_size": 64, "lr": 0.05}
    made, history = word2vec.train(toy, model, **options)
    again, _ = word2vec.train(toy, model, **options)
    assert torch.equal(made.vectors, again.vectors)
    assert not torch.equal(made.vectors, word2vec.train(toy, model, seed=1, **options)[0].vectors)
    assert history.loss[-1] < history.loss[0] and history.samples == 20 * toy.x.numel()
    v = F.normalize(made.vectors[1:].cpu(), dim=1)
    topic = torch.arange(16) // 8
    same = topic[:, None] == topic
    cosines = v @ v.T
    assert cosines[same].mean() > 0.5 + cosines[~same].mean()


def test_without_noise_the_vectors_collapse():
    genesis = Unlabeled("Genesis", data.load("scripture").train.x[:1000])
    std = [word2vec.train(genesis, epochs=10, batch_size=512, k=k)[1].std[-1] for k in (5, 0)]
    assert std[1] < 0.5 * std[0]


def test_another_model_gets_one_sentence(toy):
    with pytest.raises(CourseError, match="model is 'glove'"):
        word2vec.train(toy, "glove")


def test_steps_that_diverge_get_one_sentence():
    genesis = Unlabeled("Genesis", data.load("scripture").train.x[:1000])
    with pytest.raises(CourseError, match="training has diverged. Try a smaller batch_size or lr"):
        word2vec.train(genesis, epochs=3, batch_size=8192, lr=1.0)


def test_rare_words_leave_the_stream():
    x = torch.tensor([[1, 2, 1, 0], [1, 1, 1, 3]])
    words, verse, counts = word2vec.words_of(Unlabeled("x", x), at_least=2)
    assert words.tolist() == [1, 1, 1, 1, 1] and verse.tolist() == [0, 0, 1, 1, 1] and counts.tolist() == [0, 5, 0, 0]


def test_company_counts_both_sides_within_a_verse():
    words, verse = torch.tensor([1, 2, 3, 1]), torch.tensor([0, 0, 0, 1])
    assert word2vec.cooccurrences(words, verse, 2, 2, 4).tolist() == [0, 1, 0, 1]


def test_information_is_that_of_known_pairs():
    inputs, targets = torch.tensor([1, 1, 1, 2, 2, 4]), torch.tensor([2, 2, 4, 1, 4, 1])
    noise = torch.tensor([0.0, 0.5, 0.25, 0.0, 0.25])
    information, together = word2vec.pointwise_information(inputs, targets, torch.tensor([2, 1]), noise)
    assert together.tolist() == [[0, 1], [2, 0]], "rows and columns in the order of the chosen words"
    assert information[0, 1].item() == pytest.approx(math.log((1 / 2) / 0.5), abs=1e-6)
    assert information[1, 0].item() == pytest.approx(math.log((2 / 3) / 0.25), abs=1e-6)
    assert information[0, 0] == -math.inf


def test_scores_settle_at_the_information_less_log_k():
    """With a score of its own for each pair, minimising the exact loss finds what `pointwise_information` says."""
    chance = torch.Generator().manual_seed(0)
    inputs, targets = torch.randint(0, 4, (2, 4000), generator=chance)
    targets = torch.where(torch.rand(4000, generator=chance) < 0.5, inputs, targets)
    noise = word2vec.noise_distribution(targets.bincount())
    information, together = word2vec.pointwise_information(inputs, targets, torch.arange(4), noise)
    x, k = torch.zeros(4, 4, requires_grad=True), 3
    optimizer = torch.optim.LBFGS([x], max_iter=100)

    def loss():
        optimizer.zero_grad()
        expected = together.sum(dim=1, keepdim=True) * noise
        value = -(together * F.logsigmoid(x) + k * expected * F.logsigmoid(-x)).sum() / len(inputs)
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(x.detach(), information - math.log(k), atol=1e-2, rtol=0)


@pytest.fixture
def square():
    """A lexicon in which man : woman = king : queen holds, and nothing else is near."""
    v = torch.tensor([[9.0, 9, 9], [1, 0, 0], [1, 1, 0], [1, 0, 2], [1, 1, 2], [-1, -1, -1]])
    return Lexicon(v, ["", "man", "woman", "king", "queen", "stone"], torch.tensor([0, 5, 5, 5, 5, 5]))


def test_an_analogy_leaves_its_own_words_out_unless_it_is_open(square):
    assert square.analogy("man", "woman", "king", 1)[0][0] == "queen"
    assert "king" in [word for word, _ in square.analogy("man", "woman", "king", 3, weight=0, open_to_all=True)]
    assert square.analogy("man", "woman", "king", 1, weight=0, open_to_all=True)[0][0] == "king"
    assert "" not in square and square.neighbours("queen", 1) == ["king"]
    with pytest.raises(CourseError, match="'glass' is not among the 5"):
        square.neighbours("glass")


def perfect() -> Lexicon:
    """Vectors in which every relation is one offset of its own."""
    words = [word for text in [*RELATIONS.values(), *FAMILIES.values()] for word in text.split()]
    words = list(dict.fromkeys(words))
    v = torch.randn(len(words), 400, generator=torch.Generator().manual_seed(0))
    for n, text in enumerate(RELATIONS.values()):
        first, second = text.split()[::2], text.split()[1::2]
        for a, b in zip(first, second, strict=True):
            v[words.index(b)] = v[words.index(a)] + 30 * F.one_hot(torch.tensor(n), 400)
    return Lexicon(v, words, torch.ones(len(words)))


def test_questions_have_four_words_and_go_both_ways():
    lexicon = perfect()
    for relation, text in RELATIONS.items():
        asked, pairs = questions(lexicon, relation), len(text.split()) // 2
        assert len(asked) == 2 * pairs * (pairs - 1)
        forwards = {tuple(pair) for pair in asked[:, :2].tolist()}
        assert all(pair[::-1] in forwards for pair in forwards)
        assert all((b, d) != (a, c) and {a, b} != {c, d} for a, b, c, d in asked.tolist())


def test_scores_of_random_vectors_are_near_chance_and_all_words_are_in_the_corpus():
    bible = data.load("scripture")
    counts = word2vec.words_of(bible.unlabeled())[2]
    lexicon = Lexicon(torch.randn(len(counts), 64), bible.vocabulary, counts)
    missing = [w for text in [*RELATIONS.values(), *FAMILIES.values()] for w in text.split() if w not in lexicon]
    assert not missing, missing
    assert analogies(lexicon)["mean"] < 0.02 and families(lexicon) < 0.3


def test_lean_is_signed(square):
    a, b = lean(square, [("man", "woman")], ["woman", "man"]).tolist()
    assert a > 0 > b


def test_verses_are_means_of_the_words_that_are_known():
    table = torch.tensor([[9.0, 9], [1, 0], [3, 2], [7, 7]])
    encoder = encoders.MeanOfWords(table, torch.tensor([0, 4, 4, 0]))
    features = measures.embed(encoder, torch.tensor([[1, 2, 0], [2, 3, 99], [3, 0, 0]]))
    assert features.tolist() == [[2, 1], [3, 2], [0, 0]]
    bag = encoders.BagOfWords(2)(torch.tensor([[1, 1, 2, 5, 0], [0, 0, 0, 0, 0]]))
    assert bag.tolist() == [[2, 1], [0, 0]]


def test_figures_have_labels_and_follow_their_arguments(square):
    words, verse = torch.tensor([1, 2, 3, 1] * 20), torch.arange(20).repeat_interleave(4)
    vocabulary = tuple("abcdefghijkl")
    figures = [
        word_figures.noise(torch.tensor([0, 5, 2]), {"p": torch.tensor([0.0, 0.7, 0.3])}),
        word_figures.leaning({"g": {"x": 0.1, "y": -0.2}}, "he", "she"),
        word_figures.agreement(square, [("man", "woman"), ("king", "queen")]),
        word_figures.companions(words, verse, vocabulary, ("b", "c"), 2),
        word_figures.optimum(torch.tensor([-1.0, 0, 2]), torch.tensor([-1.1, 0.2, 1.8]), {"a – b": (2.0, 1.8)}),
    ]
    assert all(isinstance(figure, Figure) and all(axis.get_xlabel() for axis in figure.axes) for figure in figures)
    with pytest.raises(CourseError, match="'zebra' is not in the corpus"):
        word_figures.companions(words, verse, vocabulary, ("zebra", "b"), 2)


def test_the_analogy_box_redraws_and_a_word_it_lacks_gets_one_sentence(shown):
    word_figures.analogy_box({"perfect": perfect()})
    *typed, weight = shown[0].children
    weight.value = 2.0
    assert len(shown) == 3 and shown[2].data != shown[1].data
    typed[0].value = "zebra"
    assert "zebra" in shown[-1].data and "Traceback" not in shown[-1].data
    typed[0].value = "father"
    assert "<img" in shown[-1].data


def test_parts_are_books_together():
    books, parts = data.load("scripture"), scripture.parts()
    assert sum(scripture.PARTS.values()) == len(books.classes) == 66
    of = dict(zip(books.test.y.tolist(), parts.test.y.tolist(), strict=True))
    named = {books.classes[book]: parts.classes[part] for book, part in of.items()}
    assert named["Genesis"] == "law" and named["Ruth"] == "history" and named["Psalms"] == "wisdom"
    assert named["Malachi"] == "prophets" and named["Acts"] == "gospels, acts" and named["Revelation"] == "letters"


def test_cooccurrence_ratio_counts_who_stands_near():
    vocabulary = ("", "nurse", "she", "he", "far")
    words, verse = torch.tensor([1, 2, 4, 1, 2, 3, 4, 4, 3]), torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])
    ratio = cooccurrence_ratio(words, verse, vocabulary, "nurse", "he", "she")
    assert ratio == pytest.approx(math.log(3 / 2)), "twice she, once he, and one added to both"
