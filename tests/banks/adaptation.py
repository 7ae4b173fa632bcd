"""Lesson 5.1: how students write prototypes, gradients, a step of fine-tuning and a low-rank adapter."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.banks import Bank

gradient, step, proto, adapter = Bank(), Bank(), Bank(), Bank()
BANKS = {"prototypes": proto, "head_gradients": gradient, "fine_tune_step": step, "lora": adapter}


def error_of(W, b, h, y):
    return ((h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))) / len(h)


@gradient.accept
def by_autograd(W, b, h, y):
    W, b, h = (t.clone().requires_grad_() for t in (W, b, h))
    return torch.autograd.grad(F.cross_entropy(h @ W.T + b, y), [W, b, h])


@gradient.accept
def sample_by_sample(W, b, h, y):
    in_W, in_b, in_h = torch.zeros_like(W), torch.zeros_like(b), torch.zeros_like(h)
    for n, label in enumerate(y):
        p = torch.softmax(W @ h[n] + b, dim=0)
        p[label] -= 1
        p /= len(h)
        in_W += torch.outer(p, h[n])
        in_b += p
        in_h[n] = W.T @ p
    return in_W, in_b, in_h


@gradient.accept
def gradients_in_double_precision(W, b, h, y):
    W, b, h = W.double(), b.double(), h.double()
    error = error_of(W, b, h, y)
    return [torch.einsum("nc,nd->cd", error, h), error.sum(dim=0), torch.einsum("nc,cd->nd", error, W)]


@gradient.accept
def labels_taken_off_in_place(W, b, h, y):
    error = F.linear(h, W, b).softmax(dim=1)
    error[torch.arange(len(y)), y] -= 1
    error = error / len(y)
    return error.T.matmul(h), error.T.sum(dim=1), error.matmul(W)


def of(error, W, h):
    return error.T @ h, error.sum(dim=0), error @ W


@gradient.refuse("its negative")
def error_upside_down(W, b, h, y):
    return of(-error_of(W, b, h, y), W, h)


@gradient.refuse("divide the error by N")
def summed(W, b, h, y):
    return of(len(h) * error_of(W, b, h, y), W, h)


@gradient.refuse("in b is divided by N twice")
def mean_of_the_mean(W, b, h, y):
    error = error_of(W, b, h, y)
    return error.T @ h, error.mean(dim=0), error @ W


@gradient.refuse("in W is divided by N twice")
def weights_divided_twice(W, b, h, y):
    error = error_of(W, b, h, y)
    return error.T @ h / len(h), error.sum(dim=0), error @ W


@gradient.refuse("in h is not divided by N")
def push_not_divided(W, b, h, y):
    error = error_of(W, b, h, y)
    return error.T @ h, error.sum(dim=0), len(h) * error @ W


@gradient.refuse("number of classes")
def mean_over_classes(W, b, h, y):
    return of(error_of(W, b, h, y) * len(h) / len(W), W, h)


@gradient.refuse("number of classes", "only")
def mean_over_both(W, b, h, y):
    return of(error_of(W, b, h, y) / len(W), W, h)


@gradient.refuse("dim=1")
def wrong_softmax(W, b, h, y):
    return of(((h @ W.T + b).softmax(dim=0) - F.one_hot(y, len(W))) / len(h), W, h)


@gradient.refuse("softmax is missing")
def logits_for_probabilities(W, b, h, y):
    return of((h @ W.T + b - F.one_hot(y, len(W))) / len(h), W, h)


@gradient.refuse("one-hot labels are missing")
def no_labels(W, b, h, y):
    return of((h @ W.T + b).softmax(dim=1) / len(h), W, h)


@gradient.refuse("only the right class has an error")
def right_class_only(W, b, h, y):
    return of(error_of(W, b, h, y) * F.one_hot(y, len(W)), W, h)


@gradient.refuse("b is forgotten")
def no_bias(W, b, h, y):
    return of(error_of(W, 0 * b, h, y), W, h)


@gradient.refuse("wrong sign")
def push_for_gradient(W, b, h, y):
    error = error_of(W, b, h, y)
    return error.T @ h, error.sum(dim=0), -error @ W


@gradient.refuse("the gradient in W", "shape")
def transposed(W, b, h, y):
    error = error_of(W, b, h, y)
    return h.T @ error, error.sum(dim=0), error @ W


@gradient.refuse("3 tensors")
def head_alone(W, b, h, y):
    error = error_of(W, b, h, y)
    return error.T @ h, error.sum(dim=0)


@gradient.refuse("the gradient in W", "shape")
def in_another_order(W, b, h, y):
    error = error_of(W, b, h, y)
    return error @ W, error.T @ h, error.sum(dim=0)


@gradient.refuse("changed its input h")
def features_centred_in_place(W, b, h, y):
    h -= h.mean(dim=0)
    return of(error_of(W, b, h, y), W, h)


@gradient.refuse("nothing")
def gradients_forgotten(W, b, h, y):
    of(error_of(W, b, h, y), W, h)


def set_head(head, h, y):
    """Give the head its gradients, and return the features' own."""
    with torch.no_grad():
        error = error_of(head.weight, head.bias, h, y)
        head.weight.grad, head.bias.grad = error.T @ h, error.sum(dim=0)
        return error @ head.weight


@step.accept
def by_backward(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    F.cross_entropy(head(encoder(x)), y).backward()
    optimizer.step()


@step.accept
def by_autograd_grad(encoder, head, x, y, optimizer):
    h = encoder(x)
    push = set_head(head, h.detach(), y)
    learning = [p for p in encoder.parameters() if p.requires_grad]
    if learning:
        for p, slope in zip(learning, torch.autograd.grad(h, learning, push), strict=True):
            p.grad = slope
    optimizer.step()


@step.accept
def by_a_stand_in_loss(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = set_head(head, h, y)
    if any(p.requires_grad for p in encoder.parameters()):
        (h * push).sum().backward()
    optimizer.step()
    return h


@step.accept
def clearing_late(encoder, head, x, y, optimizer):
    h = encoder(x)
    encoder.zero_grad()
    push = set_head(head, h, y)
    if h.grad_fn is not None:
        torch.autograd.backward([h], [push])
    optimizer.step()
    optimizer.zero_grad()


@step.refuse("old gradients are still in the encoder")
def never_cleared(encoder, head, x, y, optimizer):
    h = encoder(x)
    push = set_head(head, h, y)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("step missing")
def no_step(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = set_head(head, h, y)
    if h.requires_grad:
        h.backward(push)


@step.refuse("frozen", "send them none")
def always_sent(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    h.backward(set_head(head, h, y))
    optimizer.step()


@step.refuse("nothing is sent down")
def head_alone_moves(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    set_head(head, encoder(x), y)
    optimizer.step()


@step.refuse("nothing is sent down")
def features_detached(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    F.cross_entropy(head(encoder(x).detach()), y).backward()
    optimizer.step()


@step.refuse("the head has not")
def encoder_alone_moves(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = set_head(head, h, y)
    head.weight.grad = head.bias.grad = None
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("head's b has not moved")
def bias_forgotten(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = set_head(head, h, y)
    head.bias.grad = None
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("uphill")
def pushed_for_gradient(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = -set_head(head, h, y)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("N times too long")
def push_of_the_sum(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    h = encoder(x)
    push = len(x) * set_head(head, h, y)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("2 times", "run it once")
def encoded_twice(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    push = set_head(head, encoder(x).detach(), y)
    h = encoder(x)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()


@step.refuse("with the same gradients")
def stepped_twice(encoder, head, x, y, optimizer):
    by_backward(encoder, head, x, y, optimizer)
    optimizer.step()


@step.refuse("only old gradients")
def encoder_not_reached(encoder, head, x, y, optimizer):
    set_head(head, encoder(x).detach(), y)
    optimizer.step()


@step.refuse("knows a rate for each")
def with_one_rate(encoder, head, x, y, optimizer):
    optimizer.zero_grad()
    F.cross_entropy(head(encoder(x)), y).backward()
    with torch.no_grad():
        for p in [*encoder.parameters(), *head.parameters()]:
            if p.grad is not None:
                p -= optimizer.param_groups[-1]["lr"] * p.grad


@step.refuse("changed its input x")
def inputs_centred_in_place(encoder, head, x, y, optimizer):
    x -= x.mean(dim=0)
    by_backward(encoder, head, x, y, optimizer)


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
