"""Lesson 3.1: how students write the turns, the head and the transfer."""

import torch
from torch import nn

from tests.banks import Bank

turns, head, transfers = Bank(), Bank(), Bank()
BANKS = {"rotate_batch": turns, "rotation_head": head, "transfer": transfers}


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


@head.accept
def linear(dim):
    return nn.Linear(dim, 4)


@head.accept
def with_a_hidden_layer(dim):
    return nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, 4))


@head.accept
def without_bias_and_from_zero(dim):
    layer = nn.Linear(dim, 4, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


@head.accept
def log_probabilities(dim):
    return nn.Sequential(nn.Linear(dim, 4), nn.LogSoftmax(dim=1))


@head.accept
def by_hand(dim):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(dim, 4) / dim**0.5), nn.Parameter(torch.zeros(4))

        def forward(self, features):
            return features @ self.weight + self.bias

    return Head()


@head.accept
def normalised_first(dim):
    return nn.Sequential(nn.BatchNorm1d(dim), nn.Linear(dim, 4))


@head.refuse("probabilities", "logits")
def softmax_at_the_end(dim):
    return nn.Sequential(nn.Linear(dim, 4), nn.Softmax(dim=1))


@head.refuse("squashed")
def sigmoid_at_the_end(dim):
    return nn.Sequential(nn.Linear(dim, 4), nn.Sigmoid())


@head.refuse("squashed")
def tanh_at_the_end(dim):
    return nn.Sequential(nn.Linear(dim, 4), nn.Tanh())


@head.refuse("never negative")
def relu_at_the_end(dim):
    return nn.Sequential(nn.Linear(dim, 4), nn.ReLU())


@head.refuse("classes without an order")
def one_number(dim):
    return nn.Linear(dim, 1)


@head.refuse("it should be [40, 4]")
def ten_classes(dim):
    return nn.Linear(dim, 10)


@head.refuse("it raised", "shapes")
def sizes_swapped(dim):
    return nn.Linear(4, dim)


@head.refuse("it raised", "shapes")
def size_typed_in(dim):
    return nn.Linear(192, 4)


@head.refuse("the class Linear")
def class_not_built(dim):
    return nn.Linear


@head.refuse("it returned nothing")
def no_return(dim):
    nn.Linear(dim, 4)


@head.refuse("should be an nn.Module")
def a_function(dim):
    layer = nn.Linear(dim, 4)
    return lambda features: layer(features)


@head.refuse("nothing to learn")
def plain_tensors(dim):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.randn(dim, 4, requires_grad=True)

        def forward(self, features):
            return features @ self.weight

    return Head()


@head.refuse("nothing to learn")
def frozen(dim):
    return nn.Linear(dim, 4).requires_grad_(False)


ONE = {}


@head.refuse("same parameters")
def always_the_same(dim):
    return ONE.setdefault(dim, nn.Linear(dim, 4))


@head.refuse("no gradient reaches the features")
def features_detached(dim):
    class Head(nn.Linear):
        def forward(self, features):
            return super().forward(features.detach())

    return Head(dim, 4)


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
