"""Lesson 3.1: how students write the turns, the vote and the transfer."""

import torch
from torch import nn

from tests.banks import Bank

turns, votes, transfers = Bank(), Bank(), Bank()
BANKS = {"rotate_batch": turns, "turn_by_vote": votes, "transfer": transfers}


def four(x):
    """The four turns of x, each (B,C,H,H)."""
    return [torch.rot90(x, k, dims=(2, 3)) for k in range(4)]


def blocks(x):
    return torch.arange(4).repeat_interleave(len(x))


@turns.accept
def one_block_a_turn(x):
    return torch.cat(four(x)), torch.cat([torch.full((len(x),), k) for k in range(4)])


@turns.accept
def picture_by_picture(x):
    return torch.stack(four(x), dim=1).flatten(0, 1), torch.arange(4).repeat(len(x))


@turns.accept
def flips_and_transposes(x):
    quarter = x.transpose(2, 3).flip(2)
    return torch.cat([x, quarter, x.flip(2).flip(3), quarter.flip(2, 3)]), blocks(x)


@turns.accept
def loops_and_shuffled(x):
    pairs = [(torch.rot90(picture, k, dims=(1, 2)), k) for picture in x for k in (2, 0, 3, 1)]
    return torch.stack([picture for picture, _ in pairs]), torch.tensor([k for _, k in pairs])


@turns.refuse("another order")
def z_in_another_order(x):
    return torch.cat(four(x)), torch.arange(4).repeat(len(x))


@turns.refuse("clockwise")
def clockwise(x):
    return torch.cat([torch.rot90(x, -k, dims=(2, 3)) for k in range(4)]), blocks(x)


@turns.refuse("should be there in all four turns")
def one_random_turn_each(x):
    z = torch.randint(4, (len(x),))
    return torch.stack([torch.rot90(p, int(k), dims=(1, 2)) for p, k in zip(x, z, strict=True)]), z


@turns.refuse("degrees")
def in_degrees(x):
    return torch.cat(four(x)), 90 * blocks(x)


@turns.refuse("from 0 to 3")
def counted_from_one(x):
    return torch.cat(four(x)), 1 + blocks(x)


@turns.refuse("whole numbers")
def floats(x):
    return torch.cat(four(x)), blocks(x).float()


@turns.refuse("whole numbers")
def one_hot(x):
    return torch.cat(four(x)), nn.functional.one_hot(blocks(x), 4).float()


@turns.refuse("mirrored")
def transposed(x):
    return torch.cat([x, x.transpose(2, 3), x.flip(2, 3), x.transpose(2, 3).flip(2, 3)]), blocks(x)


@turns.refuse("mirrored")
def flipped(x):
    return torch.cat([x, x.flip(2), x.flip(3), x.flip(2, 3)]), blocks(x)


@turns.refuse("it raised", "Sizes")
def wrong_dimensions(x):
    return torch.cat([torch.rot90(x, k) for k in range(4)]), blocks(x)


@turns.refuse("one batch", "torch.cat")
def stacked(x):
    return torch.stack(four(x)), blocks(x)


@turns.refuse("swapped")
def swapped(x):
    return blocks(x), torch.cat(four(x))


@turns.refuse("pairs of a picture and a turn are missing")
def one_picture_four_times(x):
    return torch.cat(four(x[:1].expand_as(x))), blocks(x)


@turns.refuse("it should be", "all of them in each of four turns")
def upright_left_out(x):
    return torch.cat(four(x)[1:]), blocks(x)[len(x) :] - 1


@turns.refuse("degrees, but z[")
def turned_by_nothing(x):
    return x.repeat(4, 1, 1, 1), blocks(x)


@turns.refuse("it returned a Tensor")
def pictures_alone(x):
    return torch.cat(four(x))


def rolled_back(network, x):
    """Log-probabilities of the four copies, rolled back: (4,B,4)."""
    said = [network(copy).log_softmax(dim=1) for copy in four(x)]
    return torch.stack([torch.roll(row, -k, dims=1) for k, row in enumerate(said)])


@votes.accept
def rolled_logits(network, x):
    return torch.stack([network(copy).roll(-k, dims=1) for k, copy in enumerate(four(x))]).mean(dim=0).softmax(dim=1)


@votes.accept
def all_at_once(network, x):
    said = network(torch.cat(four(x))).log_softmax(dim=1).view(4, len(x), 4)
    place = (torch.arange(4)[:, None] + torch.arange(4)) % 4  # of turn z in the answer for copy k
    return said.gather(2, place[:, None].expand(-1, len(x), -1)).mean(dim=0).softmax(dim=1)


@votes.accept
def turn_by_turn(network, x):
    said = [network(copy).log_softmax(dim=1) for copy in four(x)]
    total = torch.stack([sum(said[k][:, (z + k) % 4] for k in range(4)) for z in range(4)], dim=1)
    return (total / 4 - (total / 4).logsumexp(dim=1, keepdim=True)).exp()


@votes.accept
def copies_clockwise(network, x):
    answers = [network(torch.rot90(x, -k, dims=(2, 3))).log_softmax(dim=1).roll(k, dims=1) for k in range(4)]
    return torch.stack(answers).mean(dim=0).softmax(dim=1)


@votes.refuse("x alone", "all four")
def one_copy(network, x):
    return network(x).softmax(dim=1)


@votes.refuse("forwards")
def forwards(network, x):
    said = [network(copy).log_softmax(dim=1).roll(k, dims=1) for k, copy in enumerate(four(x))]
    return torch.stack(said).mean(dim=0).softmax(dim=1)


@votes.refuse("as they are")
def never_rolled(network, x):
    return torch.stack([network(copy).log_softmax(dim=1) for copy in four(x)]).mean(dim=0).softmax(dim=1)


@votes.refuse("over the pictures", "dimension 1")
def rolled_over_pictures(network, x):
    said = [network(copy).log_softmax(dim=1).roll(-k, dims=0) for k, copy in enumerate(four(x))]
    return torch.stack(said).mean(dim=0).softmax(dim=1)


@votes.refuse("without dims")
def rolled_flat(network, x):
    said = [network(copy).log_softmax(dim=1).roll(-k) for k, copy in enumerate(four(x))]
    return torch.stack(said).mean(dim=0).softmax(dim=1)


@votes.refuse("mean of the probabilities")
def mean_of_probabilities(network, x):
    return rolled_back(network, x).exp().mean(dim=0)


@votes.refuse("add the four logarithms up")
def product(network, x):
    return rolled_back(network, x).sum(dim=0).softmax(dim=1)


@votes.refuse("normalise again")
def not_normalised(network, x):
    return rolled_back(network, x).mean(dim=0).exp()


@votes.refuse("logarithms of probabilities")
def logarithms(network, x):
    return rolled_back(network, x).mean(dim=0).log_softmax(dim=1)


@votes.refuse("softmax is still to come")
def no_softmax(network, x):
    return rolled_back(network, x).mean(dim=0)


@votes.refuse("softmax is still to come")
def mean_logits(network, x):
    return torch.stack([network(copy).roll(-k, dims=1) for k, copy in enumerate(four(x))]).mean(dim=0)


@votes.refuse("log_softmax")
def log_of_softmax(network, x):
    said = [network(copy).softmax(dim=1).log().roll(-k, dims=1) for k, copy in enumerate(four(x))]
    return torch.stack(said).mean(dim=0).softmax(dim=1)


@votes.refuse("all four turns")
def the_winner(network, x):
    return rolled_back(network, x).mean(dim=0).argmax(dim=1)


@votes.refuse("mean over the four copies")
def a_row_for_each_copy(network, x):
    return rolled_back(network, x).softmax(dim=2)


@votes.refuse("it should be (5, 4)")
def one_batch_of_copies(network, x):
    return network(torch.cat(four(x))).softmax(dim=1)


@votes.refuse("off by")
def half_a_vote(network, x):
    return rolled_back(network, x)[::2].mean(dim=0).softmax(dim=1)


@votes.refuse("it returned nothing")
def no_return(network, x):
    rolled_back(network, x).mean(dim=0).softmax(dim=1)


@votes.refuse("changed its input")
def turned_in_place(network, x):
    result = rolled_back(network, x).mean(dim=0).softmax(dim=1)
    x.copy_(torch.rot90(x, 1, dims=(2, 3)))
    return result


@transfers.accept
def detached(h, k, g, x):
    h.eval()
    return g(h(x).detach())


@transfers.accept
def parameters_frozen(h, k, g, x):
    h.requires_grad_(False).eval()
    return g(h(x))


@transfers.accept
def mode_put_back(h, k, g, x):
    was = h.training
    with torch.no_grad():
        features = h.eval()(x)
    h.train(was)
    return g(features)


@transfers.accept
def sample_by_sample(h, k, g, x):
    h.eval()
    with torch.no_grad():
        features = torch.cat([h(row[None]) for row in x])
    return nn.functional.linear(features, g.weight, g.bias)


@transfers.refuse("evaluation mode", "batch")
def training_mode(h, k, g, x):
    with torch.no_grad():
        features = h(x)
    return g(features)


@transfers.refuse("evaluation mode")
def eval_too_late(h, k, g, x):
    features = h(x).detach()
    h.eval()
    return g(features)


@transfers.refuse("a gradient reaches h")
def fine_tuned(h, k, g, x):
    h.eval()
    return g(h(x))


@transfers.refuse("no gradient reaches g")
def all_without_gradient(h, k, g, x):
    h.eval()
    with torch.no_grad():
        return g(h(x))


@transfers.refuse("between h and g")
def head_kept(h, k, g, x):
    h.eval()
    with torch.no_grad():
        return g(k(h(x)))


@transfers.refuse("pretext head k says")
def pretext_answers(h, k, g, x):
    h.eval()
    with torch.no_grad():
        return k(h(x))


@transfers.refuse("these are the features")
def features_only(h, k, g, x):
    h.eval()
    with torch.no_grad():
        return h(x)


@transfers.refuse("probabilities")
def softmax(h, k, g, x):
    h.eval()
    return g(h(x).detach()).softmax(dim=1)


@transfers.refuse("h has changed")
def averages_moved_afterwards(h, k, g, x):
    with torch.no_grad():
        features = h.eval()(x)
        h.train()(x)
    return g(features)


@transfers.refuse("it returned nothing")
def nothing(h, k, g, x):
    h.eval()
    g(h(x).detach())


@transfers.refuse("changed its input")
def input_scaled_in_place(h, k, g, x):
    h.eval()
    with torch.no_grad():
        features = h(x)
    x /= 255
    return g(features)
