"""Tests of word vectors on words of `scripture`: neighbours, analogies, families of words, bias.

Word vectors are usually scored on lists of modern English (analogies: Mikolov et al., 2013), most of whose words this
corpus does not hold. So the questions are formed from pairs and families of words that it does hold.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sslcourse.errors import CourseError
from sslcourse.origins.word2vec import cooccurrences

# Pairs, as a b a b ...; any two pairs of one relation give four questions.
RELATIONS = {
    "man to woman": "man woman men women king queen son daughter sons daughters father mother brother sister brethren "
    "sisters husband wife husbands wives he she him her himself herself servant handmaid manservant maidservant "
    "menservants maidservants bridegroom bride lad damsel",
    "one to many": "hand hands eye eyes foot feet city cities tree trees house houses horse horses priest priests horn "
    "horns vessel vessels nation nations wall walls gate gates mountain mountains river rivers garment garments "
    "chariot chariots pillar pillars word words day days year years sin sins",
    "ruler to land": "pharaoh egypt nebuchadnezzar babylon sennacherib assyria hiram tyre cyrus persia og bashan sihon "
    "heshbon achish gath abimelech gerar balak moab ahab israel rehoboam judah herod judaea nahash ammon",
    "husband to wife": "abraham sarah isaac rebekah jacob rachel boaz ruth joseph mary ahab jezebel "
    "nabal abigail samson delilah",
    "number to order": "two second three third four fourth five fifth six sixth seven seventh eight eighth ten tenth",
    "now to then": "come came say said give gave take took see saw make made know knew bring brought send sent "
    "speak spake hear heard go went",
    "person to owner": "i my thou thy he his we our ye your they their",
}
FAMILIES = {
    "kin": "father mother son daughter brother sister husband wife",
    "metals": "gold silver brass iron lead",
    "animals": "ox ass sheep camel lion horse goat ram bullock lamb",
    "food": "wheat barley oil wine bread flour honey milk corn",
    "body": "hand foot eye ear mouth head tongue face heart",
    "numbers": "three four five six seven eight nine ten twenty thirty",
    "rulers": "king queen prince captain governor judge ruler",
    "cloth": "linen purple scarlet blue wool",
    "land": "sea river mountain hill valley wilderness",
    "sky": "sun moon stars clouds heaven rain wind",
    "plants": "vine fig olive cedar tree grass thorns",
    "weapons": "sword spear bow shield arrows chariot helmet",
    "building": "house gate wall door court temple pillar chamber",
    "feeling": "joy gladness sorrow mourning weeping rejoicing",
    "virtue": "righteousness truth mercy judgment peace wisdom",
}


class Lexicon:
    """Unit word vectors, looked up by word.

    vectors: (V,d), any length; vocabulary: the word of each row; counts: (V,) how often each was seen in training, or
    fewer entries where the last words were not seen. Words with a count of 0 are not in the lexicon.
    """

    def __init__(self, vectors: Tensor, vocabulary: Iterable[str], counts: Tensor):
        rows = counts.nonzero()[:, 0]
        vocabulary = list(vocabulary)
        self.words = [vocabulary[row] for row in rows.tolist()]
        self.index = {word: n for n, word in enumerate(self.words)}
        self.counts = counts[rows]
        self.v = F.normalize(vectors.detach().float().cpu()[rows], dim=1)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> Tensor:
        """The unit vector (d,) of a word; CourseError for one that was not seen often enough to have one."""
        return self.v[self.number(word)]

    def number(self, word: str) -> int:
        """The row of a word; CourseError for one that was not seen often enough to have one."""
        if word not in self.index:
            raise CourseError(f"The word {word!r} is not among the {len(self.words)} that were seen often enough.")
        return self.index[word]

    def nearest(self, query: Tensor, n: int = 5, without: Iterable[str] = ()) -> list[tuple[str, float]]:
        """The n words whose vectors have the largest cosine with query (d,), largest first, except those `without`."""
        cosines = self.v @ F.normalize(query, dim=0)
        cosines[[self.number(word) for word in without]] = -torch.inf
        best = cosines.topk(n)
        return [(self.words[row], cosine) for cosine, row in zip(*map(Tensor.tolist, best), strict=True)]

    def neighbours(self, word: str, n: int = 5) -> list[str]:
        """The n words nearest to a word, itself left out."""
        return [neighbour for neighbour, _ in self.nearest(self[word], n, without=[word])]

    def analogy(
        self, a: str, b: str, c: str, n: int = 5, weight: float = 1.0, open_to_all: bool = False
    ) -> list[tuple[str, float]]:
        """a is to b as c is to what: the n words nearest to v(c) + weight (v(b) - v(a)), with their cosines.

        By convention a, b and c may not be the answer (Mikolov et al., 2013), unless open_to_all.
        """
        query = self[c] + weight * (self[b] - self[a])
        return self.nearest(query, n, without=() if open_to_all else {a, b, c})


def questions(lexicon: Lexicon, relation: str) -> Tensor:
    """Rows (Q,4) of words a, b, c, d, "a is to b as c is to d", in both directions, for any two pairs of a relation."""
    words = RELATIONS[relation].split()
    pairs = [p for p in zip(words[::2], words[1::2], strict=True) if p[0] in lexicon and p[1] in lexicon]
    pairs = torch.tensor([[lexicon.index[word] for word in pair] for pair in pairs])
    pairs = torch.cat([pairs, pairs.flip(1)])
    n = len(pairs) // 2
    i, j = torch.cartesian_prod(torch.arange(2 * n), torch.arange(2 * n)).T
    valid = (i // n == j // n) & (i != j)  # two different pairs in the same direction
    return torch.cat([pairs[i[valid]], pairs[j[valid]]], dim=1)


def analogies(lexicon: Lexicon, open_to_all: bool = False) -> dict[str, float]:
    """Share of each relation's questions that are answered correctly; "mean" is the mean over relations."""
    scores = {}
    for relation in RELATIONS:
        a, b, c, d = questions(lexicon, relation).T
        cosines = (lexicon.v[c] + lexicon.v[b] - lexicon.v[a]) @ lexicon.v.T
        if not open_to_all:
            cosines.scatter_(1, torch.stack([a, b, c], dim=1), -torch.inf)
        scores[relation] = (cosines.argmax(dim=1) == d).float().mean().item()
    return scores | {"mean": sum(scores.values()) / len(scores)}


def families(lexicon: Lexicon) -> float:
    """Share of the words in FAMILIES whose nearest neighbour, among all of these, is of their own family."""
    members = [(lexicon.index[w], n) for n, text in enumerate(FAMILIES.values()) for w in text.split() if w in lexicon]
    rows, family = torch.tensor(members).T
    cosines = (lexicon.v[rows] @ lexicon.v[rows].T).fill_diagonal_(-torch.inf)
    return (family[cosines.argmax(dim=1)] == family).float().mean().item()


def lean(lexicon: Lexicon, pairs: Iterable[tuple[str, str]], words: Iterable[str]) -> Tensor:
    """How far each word (n,) leans from the first words of some pairs to the second: a cosine in [-1,1].

    The direction is the mean of the pairs' differences; the mean of all vectors, which may lean to one side itself, is
    subtracted from each word's first. After Bolukbasi et al., 2016, section 4, who take a principal component instead.
    """
    direction = F.normalize(sum(lexicon[b] - lexicon[a] for a, b in pairs), dim=0)
    middle = lexicon.v.mean(dim=0)
    return F.normalize(torch.stack([lexicon[word] for word in words]) - middle, dim=1) @ direction


def cooccurrence_ratio(
    words: Tensor, verse: Tensor, vocabulary: Sequence[str], word: str, first: str, second: str, window: int = 5
) -> float:
    """Logarithm of how many times as often words of `second` stand near a word as words of `first`, by counting.

    words, verse: (T,) the corpus as one stream; first, second: words with blanks between them. One is added to both
    counts, so that the result is finite.
    """
    near = cooccurrences(words, verse, vocabulary.index(word), window, len(vocabulary))
    counts = [sum(near[vocabulary.index(other)] for other in text.split()) for text in (first, second)]
    return ((counts[1] + 1) / (counts[0] + 1)).log().item()
