"""Rotation and the workflow: what the pretext task makes, what learns and what is frozen, and the figures."""

import copy

import pytest
import torch
from torch import nn

from sslcourse import augment, data, encoders, figures, measures, pretext, training
from sslcourse.figures import rotation as rotation_figures


def test_the_four_turns_have_known_places():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    inputs, z = pretext.rotate_batch(x)
    assert z.tolist() == [0, 1, 2, 3] and z.dtype == torch.int64
    assert inputs[1, 0].tolist() == [[2, 4], [1, 3]], "counter-clockwise: the right column comes to the top"
    assert inputs[2, 0].tolist() == [[4, 3], [2, 1]]


def test_mirroring_comes_before_the_turn_and_views_after():
    calls = []

    def note(name):
        return lambda x, generator: calls.append((name, len(x))) or x

    pretext.Rotation(8, before=note("before"), views=note("views")).make(torch.rand(3, 1, 8, 8), None)
    assert calls == [("before", 3), ("views", 12)]
    x, z = torch.rand(2, 1, 8, 8), torch.arange(4).repeat_interleave(2)
    mirrored, found = pretext.Rotation(8, before=augment.Flip(p=1.0)).make(x, torch.Generator().manual_seed(0))
    assert torch.equal(found, z)
    assert torch.equal(mirrored, pretext.rotate_batch(x.flip(3))[0])


def test_rotation_uses_the_turn_that_it_is_given():
    task = pretext.Rotation(8, turn=lambda x: (x, torch.zeros(len(x)).long()))
    assert task.make(torch.rand(3, 1, 8, 8), None)[0].shape == (3, 1, 8, 8)


def test_symbols_are_turned_one_drawing_at_a_time():
    encoder, task = pretext.Rotation.on(data.load("symbols"))
    x, z = task.make(torch.rand(3, 1, 32, 64), torch.Generator().manual_seed(0))
    assert x.shape == (12, 1, 32, 32) and len(z) == 12
    assert encoder(x).shape == (12, encoder.dim)


def counted_on_the_cpu(x):
    return pretext.rotate_batch(x)[0], torch.arange(4).repeat_interleave(len(x))


@pytest.mark.parametrize("turn", [pretext.rotate_batch, counted_on_the_cpu])
def test_a_step_runs_on_any_device(turn):
    encoder = encoders.ConvNet(1)
    model = training.parallel.Model(encoder, pretext.Rotation(encoder.dim, turn=turn)).to("meta")
    inputs, z = model.task.make(torch.rand(4, 1, 28, 28, device="meta"), None)
    loss = model.task.loss(model(inputs), z)
    loss.backward()
    assert z.device.type == loss.device.type == "meta" and encoder.layers[0].weight.grad.device.type == "meta"


def test_noise_cannot_be_solved_by_quarter_turns_and_can_by_small_ones():
    def found(turn):
        torch.manual_seed(0)
        encoder = encoders.ConvNet(1, widths=(16, 16, 16))
        task = pretext.Rotation(encoder.dim, turn=turn)
        training.pretrain(encoder, task, data.Unlabeled("noise", noise[:400]), 3, batch_size=20, progress=False)
        inputs, z = turn(measures.to_float(noise[400:]))
        return (pretext.turn_logits(encoder, task.head, inputs).argmax(dim=1) == z).float().mean().item()

    def small_turns(x):
        z = torch.arange(4).repeat_interleave(len(x))
        return augment.functional.rotate(x.repeat(4, 1, 1, 1), 15.0 * z), z

    noise = torch.randint(256, (500, 1, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert found(pretext.rotate_batch) == pytest.approx(0.25, abs=0.1)
    assert found(small_turns) > 0.6


def test_logits_leave_the_mode_alone():
    encoder = encoders.ConvNet(1).train()
    logits = pretext.turn_logits(encoder, nn.Linear(encoder.dim, 4), torch.rand(5, 1, 28, 28))
    assert logits.shape == (5, 4) and encoder.training and not logits.requires_grad


def some_network(x):
    weights = torch.randn(4, x[0].numel(), generator=torch.Generator().manual_seed(1))
    return x.flatten(1) @ weights.T


def test_the_vote_turns_with_the_picture_and_the_network_alone_does_not():
    x = torch.rand(3, 1, 6, 6)
    vote, quarter = (pretext.turn_by_vote(some_network, x.rot90(k, dims=(2, 3))) for k in (0, 1))
    assert torch.allclose(vote.sum(dim=1), torch.ones(3)) and torch.allclose(quarter, vote.roll(1, dims=1), atol=1e-5)
    assert not torch.allclose(some_network(x.rot90(1, dims=(2, 3))), some_network(x).roll(1, dims=1), atol=1e-2)


def test_no_vote_can_tell_a_symmetric_picture_from_its_half_turn():
    x = torch.rand(2, 1, 6, 6)
    vote = pretext.turn_by_vote(some_network, x + x.rot90(2, dims=(2, 3)))
    assert torch.allclose(vote[:, :2], vote[:, 2:], atol=1e-5)


def test_the_vote_is_right_where_most_copies_are():
    x = torch.rand(1, 1, 4, 4)
    right = [x.rot90(k, dims=(2, 3)) for k in range(4)]

    def mistaken_once(pictures):  # sure of each turn, but for the upright picture, which it takes for a half turn
        k = next(k for k, copy in enumerate(right) if torch.equal(copy, pictures))
        return 5.0 * nn.functional.one_hot(torch.tensor([k or 2]), 4)

    assert mistaken_once(x).argmax() == 2 and pretext.turn_by_vote(mistaken_once, x).argmax() == 0


def test_transfer_trains_the_output_module_alone():
    h = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
    k, g = nn.Linear(5, 4), nn.Linear(5, 3)
    before = copy.deepcopy(h.state_dict())
    x = torch.randn(8, 6)
    prediction = pretext.transfer(h, k, g, x)
    prediction.sum().backward()
    assert g.weight.grad is not None and h[0].weight.grad is None and k.weight.grad is None
    assert all(torch.equal(before[name], tensor) for name, tensor in h.state_dict().items())
    assert torch.allclose(prediction[:1], pretext.transfer(h, k, g, x[:1]), atol=1e-6), "no sample depends on another"


def test_confusion_writes_a_number_in_each_field():
    panels = {"a": (torch.eye(3), ["x", "y", "z"], "guess"), "b": (torch.full((3, 2), 0.25), ["u", "v"], "kind")}
    figure = figures.confusion(panels, ["1", "2", "3"], "truth")
    left, right = figure.axes
    assert [len(axis.texts) for axis in (left, right)] == [9, 6] and right.texts[0].get_text() == ".25"
    assert left.get_xlabel() == "guess" and left.get_ylabel() == "truth" and left.get_title() == "a"


def test_a_turned_picture_is_shown_with_what_is_said_of_it():
    pictures = torch.rand(2, 1, 8, 8)

    def answer(x):  # a network that sees how bright the picture is at the top
        return torch.stack([x[:, 0, 0].mean(dim=1), *torch.zeros(3, len(x))], dim=1)

    figure = rotation_figures.turned(pictures, answer, degrees=90, picture=1)
    left, middle, right = figure.axes
    expected = pictures[1, 0].rot90(1)
    assert torch.allclose(torch.tensor(left.images[0].get_array()), expected, atol=1e-5)
    assert middle.patches[0].get_height() == pytest.approx(expected[0].mean().item(), abs=1e-5)
    assert len(right.lines[0].get_xdata()) == 73 and right.get_xlabel() and middle.get_ylabel()


def test_answers_at_all_angles_stand_side_by_side():
    figure = rotation_figures.turned_beside(
        {"a": torch.rand(1, 8, 8), "b": torch.rand(1, 8, 8)}, lambda x: x[:, 0, :1, :4].flatten(1)
    )
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]
    assert all(len(axis.lines) == 4 and axis.get_xlabel() for axis in figure.axes)


def test_both_sliders_redraw(shown):
    rotation_figures.turned_sliders(torch.rand(3, 1, 8, 8), lambda x: x[:, 0, :1, :4].flatten(1))
    box, first = shown
    degrees, picture = box.children
    assert (degrees.description, picture.description, picture.max) == ("degrees", "picture", 2)
    degrees.value = 45
    turned = shown[-1]
    picture.value = 2
    assert first.data != turned.data != shown[-1].data
