"""Encoders: a row of features a sample, on any device, whatever else is in the batch."""

import pytest
import torch

from sslcourse import encoders
from tests.conftest import ENCODERS


def test_text_encoder_runs_on_the_meta_device_and_ignores_padding():
    with torch.device("meta"):
        encoder = encoders.TextEncoder(vocabulary=100)
    # Outside: what the encoder makes on a device of its own choosing must not land on meta by itself.
    assert encoder(torch.zeros(4, 12, dtype=torch.long, device="meta")).shape == (4, encoder.dim)
    torch.manual_seed(0)
    encoder = encoders.TextEncoder(vocabulary=100).eval()
    words = torch.randint(1, 100, (4, 12))
    padded = torch.cat([words, torch.zeros(4, 5, dtype=torch.long)], dim=1)
    torch.testing.assert_close(encoder(words), encoder(padded))
    nothing = torch.cat([words, torch.zeros(1, 12, dtype=torch.long)])
    torch.testing.assert_close(encoder(nothing)[4], torch.zeros(encoder.dim))


@pytest.mark.parametrize("make_encoder", ENCODERS.values(), ids=ENCODERS)
def test_encoders_give_one_row_a_sample(make_encoder):
    encoder = make_encoder().eval()
    x = torch.rand(4, 3, 32, 32)
    features = encoder(x)
    assert features.shape == (4, encoder.dim)
    torch.testing.assert_close(encoder(x[1:2]), features[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 96)])
def test_resnet18_has_the_stem_for_small_pictures(channels, size):
    with torch.device("meta"):
        encoder = encoders.ResNet18(channels)
    x = torch.empty(2, channels, size, size, device="meta")
    last = x
    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        last = getattr(encoder.layers, name)(last)
    positions = -(-size // 8)  # three halvings, rounded up, and no other
    assert last.shape == (2, 512, positions, positions) and encoder(x).shape == (2, encoder.dim)


def test_a_gradient_arrives_everywhere_in_resnet18():
    torch.manual_seed(0)
    encoder = encoders.ResNet18(3)
    encoder(torch.rand(4, 3, 16, 16)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
    count = sum(parameter.numel() for parameter in encoder.parameters())
    assert count == 11_689_512 - 513 * 1000 - 3 * 64 * (7 * 7 - 3 * 3), "torchvision's, less last layer and large stem"
