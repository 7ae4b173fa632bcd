"""Lesson 5.1: how students write a probe's step, prototypes and a low-rank adapter."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.banks import Bank

probe, proto, adapter = Bank(), Bank(), Bank()
BANKS = {"probe_step": probe, "prototypes": proto, "lora": adapter}


def error_of(W, b, h, y):
    return (h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))


@probe.accept
def by_autograd(W, b, h, y, lr, decay):
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    loss = F.cross_entropy(h @ W.T + b, y) + decay / 2 * W.square().sum()
    slope_W, slope_b = torch.autograd.grad(loss, [W, b])
    return W - lr * slope_W, b - lr * slope_b


@probe.accept
def by_an_optimizer(W, b, h, y, lr, decay):
    W, b = nn.Parameter(W.clone()), nn.Parameter(b.clone())
    optimizer = torch.optim.SGD([{"params": [W], "weight_decay": decay}, {"params": [b]}], lr=lr)
    F.cross_entropy(F.linear(h, W, b), y).backward()
    optimizer.step()
    return [W, b]


@probe.accept
def sample_by_sample(W, b, h, y, lr, decay):
    slope_W, slope_b = decay * W, torch.zeros_like(b)
    for features, label in zip(h, y, strict=True):
        p = torch.softmax(W @ features + b, dim=0)
        p[label] -= 1
        slope_W = slope_W + torch.outer(p, features) / len(h)
        slope_b = slope_b + p / len(h)
    return W - lr * slope_W, b - lr * slope_b


@probe.accept
def probe_in_double_precision(W, b, h, y, lr, decay):
    error = error_of(W.double(), b.double(), h.double(), y) / len(h)
    return W - lr * (error.T @ h.double() + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("uphill")
def ascent(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W + lr * (error.T @ h + decay * W), b + lr * error.sum(dim=0)


@probe.refuse("divide by N")
def summed(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("divided by N twice")
def mean_of_the_mean(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.mean(dim=0)


@probe.refuse("not in b")
def bias_summed(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y)
    return W - lr * (error.T @ h / len(h) + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("decay")
def no_penalty(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W - lr * error.T @ h, b - lr * error.sum(dim=0)


@probe.refuse("not 2 * decay")
def penalty_twice(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W - lr * (error.T @ h + 2 * decay * W), b - lr * error.sum(dim=0)


@probe.refuse("not decay / 2")
def penalty_halved(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W - lr * (error.T @ h + decay / 2 * W), b - lr * error.sum(dim=0)


@probe.refuse("penalty is divided by N")
def penalty_in_the_mean(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y)
    return W - lr * (error.T @ h + decay * W) / len(h), b - lr * error.mean(dim=0)


@probe.refuse("its negative")
def error_upside_down(W, b, h, y, lr, decay):
    error = -error_of(W, b, h, y) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("number of classes")
def mean_over_classes(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(W)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("b is penalised")
def bias_penalised(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * (error.sum(dim=0) + decay * b)


@probe.refuse("dim=1")
def wrong_softmax(W, b, h, y, lr, decay):
    error = ((h @ W.T + b).softmax(dim=0) - F.one_hot(y, len(W))) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("softmax is missing")
def logits_for_probabilities(W, b, h, y, lr, decay):
    error = (h @ W.T + b - F.one_hot(y, len(W))) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("one-hot labels are missing")
def no_labels(W, b, h, y, lr, decay):
    error = (h @ W.T + b).softmax(dim=1) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)


@probe.refuse("b has not moved")
def bias_forgotten(W, b, h, y, lr, decay):
    return W - lr * (error_of(W, b, h, y).T @ h / len(h) + decay * W), b


@probe.refuse("after W has moved")
def one_after_the_other(W, b, h, y, lr, decay):
    W = W - lr * (error_of(W, b, h, y).T @ h / len(h) + decay * W)
    return W, b - lr * error_of(W, b, h, y).mean(dim=0)


@probe.refuse("it should be that of the old")
def gradient_transposed(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return W.T - lr * (h.T @ error + decay * W.T), b - lr * error.sum(dim=0)


@probe.refuse("changed its input W")
def step_in_place(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    W -= lr * (error.T @ h + decay * W)
    return W, b - lr * error.sum(dim=0)


@probe.refuse("W first")
def bias_first(W, b, h, y, lr, decay):
    error = error_of(W, b, h, y) / len(h)
    return b - lr * error.sum(dim=0), W - lr * (error.T @ h + decay * W)


@proto.accept
def class_by_class(h, y, classes):
    unit = F.normalize(h, dim=1)
    return torch.stack([F.normalize(unit[y == c].sum(dim=0), dim=0) for c in range(classes)])


@proto.accept
def index_add(h, y, classes):
    sums = torch.zeros(classes, h.shape[1]).index_add_(0, y, h / h.norm(dim=1, keepdim=True))
    return sums / sums.norm(dim=1, keepdim=True).clamp(min=1e-12)


@proto.accept
def means_with_counts(h, y, classes):
    members = F.one_hot(y, classes).float()
    means = members.T @ F.normalize(h, dim=1) / members.sum(dim=0).clamp(min=1)[:, None]
    return F.normalize(means, dim=1)


@proto.accept
def prototypes_in_double_precision(h, y, classes):
    members = F.one_hot(y, classes).double()
    return F.normalize(members.T @ F.normalize(h.double(), dim=1), dim=1)


@proto.refuse("outvotes")
def features_not_normalised(h, y, classes):
    return F.normalize(F.one_hot(y, classes).float().T @ h, dim=1)


@proto.refuse("mean is not made of length one")
def mean_not_normalised(h, y, classes):
    members = F.one_hot(y, classes).float()
    return members.T @ F.normalize(h, dim=1) / members.sum(dim=0).clamp(min=1)[:, None]


@proto.refuse("features as they are")
def plain_means(h, y, classes):
    members = F.one_hot(y, classes).float()
    return members.T @ h / members.sum(dim=0).clamp(min=1)[:, None]


@proto.refuse("nan")
def mean_of_an_empty_class(h, y, classes):
    unit = F.normalize(h, dim=1)
    return torch.stack([F.normalize(unit[y == c].mean(dim=0), dim=0) for c in range(classes)])


@proto.refuse("a row, too")
def classes_seen_only(h, y, classes):
    unit = F.normalize(h, dim=1)
    return torch.stack([F.normalize(unit[y == c].mean(dim=0), dim=0) for c in y.unique()])


@proto.refuse("a row, too")
def classes_not_used(h, y, classes):
    members = F.one_hot(y).float()
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)


@proto.refuse("a row, too")
def up_to_the_last_class_seen(h, y, classes):
    unit = F.normalize(h, dim=1)
    return torch.stack([F.normalize(unit[y == c].sum(dim=0), dim=0) for c in range(int(y.max()) + 1)])


@proto.refuse("dim=1")
def normalised_columns(h, y, classes):
    return F.normalize(F.one_hot(y, classes).float().T @ F.normalize(h, dim=0), dim=1)


@proto.refuse("the classes are the rows")
def classes_in_columns(h, y, classes):
    return F.normalize(F.normalize(h, dim=1).T @ F.one_hot(y, classes).float(), dim=0)


@proto.refuse("one sample of each class")
def one_shot(h, y, classes):
    unit = F.normalize(h, dim=1)
    chosen = [(y == c).nonzero()[:1, 0] for c in range(classes)]
    return torch.stack([unit[rows].sum(dim=0) for rows in chosen])


@proto.refuse("all classes are alike")
def labels_not_used(h, y, classes):
    return F.normalize(F.normalize(h, dim=1).mean(dim=0, keepdim=True), dim=1).repeat(classes, 1)


@proto.refuse("changed its input h")
def features_in_place(h, y, classes):
    h /= h.norm(dim=1, keepdim=True)
    return F.normalize(F.one_hot(y, classes).float().T @ h, dim=1)


@proto.refuse("it returned shape")
def a_prototype_for_each_sample(h, y, classes):
    members = F.one_hot(y, classes).float()
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)[y]


class Adapted(nn.Module):
    """A layer with an adapter beside it; what it starts with and how it adds can be spoiled."""

    def __init__(self, layer, rank, scale, freeze=True):
        super().__init__()
        self.layer = layer.requires_grad_(not freeze)
        self.A = nn.Parameter(torch.randn(rank, layer.in_features))
        self.B = nn.Parameter(torch.zeros(layer.out_features, rank))
        self.scale = scale

    def forward(self, x):
        return self.layer(x) + self.scale * (x @ self.A.T @ self.B.T)


@adapter.accept
def with_parameters(layer, rank, alpha):
    return Adapted(layer, rank, alpha / rank)


@adapter.accept
def with_two_linear_layers(layer, rank, alpha):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = layer
            for p in layer.parameters():
                p.requires_grad = False
            self.down = nn.Linear(layer.in_features, rank, bias=False)
            self.up = nn.Linear(rank, layer.out_features, bias=False)
            nn.init.zeros_(self.up.weight)

        def forward(self, x):
            return self.kept(x) + self.up(self.down(x)) * alpha / rank

    return Both()


@adapter.accept
def with_one_weight(layer, rank, alpha):
    class Merged(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", layer.weight.detach().clone())
            self.register_buffer("bias", layer.bias.detach() if layer.bias is not None else None)
            self.a = nn.Parameter(0.01 * torch.randn(layer.in_features, rank))
            self.b = nn.Parameter(torch.zeros(rank, layer.out_features))

        def forward(self, x):
            return F.linear(x, self.weight + alpha / rank * (self.a @ self.b).T, self.bias)

    return Merged()


@adapter.accept
def with_a_parametrisation(layer, rank, alpha):
    class Plus(nn.Module):
        def __init__(self):
            super().__init__()
            self.A = nn.Parameter(torch.randn(rank, layer.in_features))
            self.B = nn.Parameter(torch.zeros(layer.out_features, rank))

        def forward(self, weight):
            return weight + alpha / rank * self.B @ self.A

    layer.requires_grad_(False)
    return nn.utils.parametrize.register_parametrization(layer, "weight", Plus())


@adapter.refuse("own weight", "frozen")
def not_frozen(layer, rank, alpha):
    return Adapted(layer, rank, alpha / rank, freeze=False)


@adapter.refuse("a bias", "freeze")
def bias_not_frozen(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    layer.bias.requires_grad = True
    return adapted


@adapter.refuse("B must start at zero")
def both_random(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    nn.init.normal_(adapted.B)
    return adapted


@adapter.refuse("both start at zero", "gradient")
def both_zero(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    nn.init.zeros_(adapted.A)
    return adapted


@adapter.refuse("other way round")
def wrong_one_zero(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    nn.init.zeros_(adapted.A)
    nn.init.normal_(adapted.B)
    return adapted


@adapter.refuse("alpha / rank is missing")
def not_scaled(layer, rank, alpha):
    return Adapted(layer, rank, 1)


@adapter.refuse("scaled by alpha;")
def scaled_by_alpha(layer, rank, alpha):
    return Adapted(layer, rank, alpha)


@adapter.refuse("rank / alpha")
def scaled_upside_down(layer, rank, alpha):
    return Adapted(layer, rank, rank / alpha)


@adapter.refuse("layer's own output is missing")
def adapter_alone(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    adapted.forward = lambda x: alpha / rank * (x @ adapted.A.T @ adapted.B.T)
    return adapted


@adapter.refuse("not linear")
def with_a_relu_between(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    adapted.forward = lambda x: layer(x) + alpha / rank * (F.relu(x @ adapted.A.T) @ adapted.B.T)
    return adapted


@adapter.refuse("nothing asks for gradients")
def plain_tensors(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    return adapted.requires_grad_(False)


@adapter.refuse("nothing asks for gradients", "attributes of the module")
def leaves_that_are_no_parameters(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    plain = [p.detach().requires_grad_() for p in (adapted.A, adapted.B)]
    del adapted.A, adapted.B
    adapted.A, adapted.B = plain
    return adapted


@adapter.refuse("nothing asks for gradients", "attributes of the module")
def parameters_in_a_list(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    pair = [adapted.A, adapted.B]
    del adapted.A, adapted.B
    adapted.forward = lambda x: layer(x) + alpha / rank * (x @ pair[0].T @ pair[1].T)
    return adapted


@adapter.refuse("rows of A start alike")
def all_of_A_alike(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    nn.init.ones_(adapted.A)
    return adapted


@adapter.refuse("sends down to x")
def layer_without_gradient(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)

    def forward(x):
        with torch.no_grad():
            kept = layer(x)
        return kept + alpha / rank * (x @ adapted.A.T @ adapted.B.T)

    adapted.forward = forward
    return adapted


@adapter.refuse("sends down to x")
def input_detached(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    adapted.forward = lambda x: layer(x) + alpha / rank * (x.detach() @ adapted.A.T @ adapted.B.T)
    return adapted


@adapter.refuse("it should be A")
def of_full_rank(layer, rank, alpha):
    return Adapted(layer, layer.in_features + 1, alpha / rank)


@adapter.refuse("make no difference")
def adapter_forgotten(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    adapted.forward = lambda x: layer(x)
    return adapted


@adapter.refuse("no gradient reaches")
def adapter_detached(layer, rank, alpha):
    adapted = Adapted(layer, rank, alpha / rank)
    adapted.forward = lambda x: layer(x) + alpha / rank * (x @ adapted.A.detach().T @ adapted.B.T)
    return adapted


@adapter.refuse("returned LoRA")
def the_class_itself(layer, rank, alpha):
    class LoRA(Adapted):
        pass

    return LoRA


@adapter.refuse("it returned nothing")
def return_forgotten(layer, rank, alpha):
    Adapted(layer, rank, alpha / rank)
