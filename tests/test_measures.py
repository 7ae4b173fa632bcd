"""Measures: meters of collapse, invariance, alignment and uniformity at values that are known."""

import pytest
import torch
from torch import nn

from sslcourse import encoders, measures


def test_meters_tell_collapse_from_spread():
    torch.manual_seed(0)
    spread = torch.randn(512, 32)
    line = torch.randn(512, 1) @ torch.randn(1, 32)
    point = torch.ones(512, 32)
    assert measures.feature_std(spread) == pytest.approx(1, abs=0.1)
    assert measures.feature_std(point) == 0
    assert measures.effective_rank(spread) > 28
    assert measures.effective_rank(line) == pytest.approx(1, abs=0.01)
    assert measures.effective_rank(point) == pytest.approx(1, abs=0.01)


def test_embedding_leaves_the_encoder_as_it_was():
    encoder = encoders.ConvNet(1)
    x = torch.randint(0, 256, (10, 1, 28, 28), dtype=torch.uint8)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    features = measures.embed(encoder, x, batch_size=4)
    assert features.shape == (10, encoder.dim) and features.dtype == torch.float32 and not features.requires_grad
    assert encoder.training
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_invariance_to_a_factor_is_one_exactly_where_it_is_not_felt():
    generator = torch.Generator().manual_seed(0)
    factors = {name: torch.rand(500, generator=generator) for name in ("a", "b", "c")}
    before = {name: values.clone() for name, values in factors.items()}
    order = torch.randperm(500, generator=generator)

    def render(a, b, c):
        return torch.stack([a, b], dim=1)  # nobody sees c

    def score(name):
        return measures.factor_invariance(lambda x: x + 7, render, factors, name, order).item()

    assert score("c") == pytest.approx(1, abs=1e-5)
    assert 0.2 < score("a") < 0.8, "half of what it sees has changed"
    assert measures.factor_invariance(lambda x: x[:, :1] + 7, render, factors, "a", order).abs() < 0.15
    assert all(torch.equal(factors[name], before[name]) for name in factors)


def test_alignment_uniformity_and_invariance():
    torch.manual_seed(0)
    v = torch.randn(300, 16)
    assert measures.alignment(v, 3 * v) == pytest.approx(0, abs=1e-6)
    assert measures.alignment(v, -v) == pytest.approx(4)
    assert measures.uniformity(v) < -3 and measures.uniformity(torch.ones(10, 4)) == pytest.approx(0)
    x = torch.randint(0, 256, (50, 3, 8, 8), dtype=torch.uint8)
    assert measures.invariance(nn.Flatten(), x, x) == pytest.approx(1, abs=1e-5)
    assert measures.invariance(nn.Flatten(), x, x.flip(0)).abs() < 0.2
