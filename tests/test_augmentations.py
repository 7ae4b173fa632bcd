"""Augmentations: identity at zero, in range, decided by the seed, as torchvision does it, no sample sees another."""

import ast
import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.transforms.v2 import functional as reference

from sslcourse import augment, cells, contrastive, course, encoders
from sslcourse.augment import functional
from sslcourse.data import sprites
from sslcourse.figures import augmentations as view_figures
from sslcourse.training.loop import generator
from tests.banks import augmentations as bank

CLASSES = (
    augment.Crop, augment.Flip, augment.ColorDrop, augment.Jitter, augment.Rotate, augment.Cutout, augment.Noise,
    augment.Blur, augment.Sobel,
)  # fmt: skip
EVERYTHING = augment.FIGURE_4 | {"simclr": augment.simclr(), "simclr, no colour": augment.simclr(color=0)}
every = pytest.mark.parametrize("augmentation", EVERYTHING.values(), ids=EVERYTHING)
channels = pytest.mark.parametrize("channels", [1, 3])


def images(batch: int = 12, channels: int = 3, height: int = 32, width: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=generator(seed))


def uniform(batch: int, low: float, high: float, seed: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(batch, generator=generator(seed))


def test_figure_4_has_ten():
    assert len(augment.FIGURE_4) == 10
    x = images()
    results = [augmentation(x, generator(0)) for augmentation in augment.FIGURE_4.values()]
    for i, one in enumerate(results):
        assert not torch.equal(one, x)
        assert not any(torch.allclose(one, other) for other in results[:i]), "no two do the same"


@channels
@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("options", [{"strength": 0.0}, {"p": 0.0}])
def test_zero_strength_and_zero_probability_are_the_identity(cls, options, channels):
    x = images(channels=channels)
    assert torch.equal(cls(**options)(x, generator(0)), x)


@channels
@every
def test_range_shape_dtype_and_input_are_kept(augmentation, channels):
    for height, width in ((32, 32), (28, 28), (24, 40)):
        x = images(64, channels, height, width)
        x[0], x[1], x[2] = 0, 1, 0.5  # hue is undefined on grey, and nothing may divide by zero
        before = x.clone()
        result = augmentation(x, generator(1))
        assert result.shape == x.shape and result.dtype == x.dtype
        assert result.isfinite().all() and result.min() >= -1e-6 and result.max() <= 1 + 1e-6
        assert torch.equal(x, before), "the input is left alone"


@every
def test_the_seed_decides(augmentation):
    x = images()
    first = augmentation(x, generator(3))
    assert torch.equal(first, augmentation(x, generator(3)))
    if not isinstance(augmentation, (augment.Flip, augment.ColorDrop, augment.Sobel)):  # no chance there
        assert not torch.equal(first, augmentation(x, generator(4)))


@every
def test_no_sample_sees_another(augmentation):
    x = images()
    changed = x.clone()
    changed[5] = images(1, seed=9)[0]
    before, after = augmentation(x, generator(0)), augmentation(changed, generator(0))
    others = torch.arange(len(x)) != 5
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before[5], after[5])


@pytest.mark.parametrize("name", [n for n in augment.FIGURE_4 if n not in ("flip", "colour drop", "Sobel filter")])
def test_each_sample_has_parameters_of_its_own(name):
    x = images(1).expand(16, -1, -1, -1)
    results = augment.FIGURE_4[name](x, generator(0))
    different = {tuple(result.flatten()[:2000].tolist()) for result in results}
    assert len(different) >= (3 if name == "rotate" else 15)  # rotate knows three angles


@pytest.mark.parametrize("cls", CLASSES)
def test_a_share_p_of_the_samples_is_changed(cls):
    """Within four standard deviations of the binomial."""
    n, p = 2000, 0.3
    x = images(n, height=16, width=16)
    changed = (cls(p=p)(x, generator(0)) - x).abs().amax(dim=(1, 2, 3)) > 1e-5  # a crop of everything rounds, too
    assert abs(changed.sum().item() - n * p) < 4 * math.sqrt(n * p * (1 - p))


@every
@channels
def test_it_stays_on_its_device(augmentation, channels):
    x = torch.empty(4, channels, 32, 32, device="meta")
    assert augmentation(x).device.type == "meta"


class Crossings(TorchDispatchMode):
    """Notes whether each copy from the CPU to another device would let the device's queue run on."""

    def __init__(self):
        super().__init__()
        self.wait = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is torch.ops.aten._to_copy.default and args[0].device != result.device:
            self.wait.append(not kwargs.get("non_blocking"))
        return result


@every
def test_a_gpu_never_waits_for_what_is_drawn_on_the_cpu(augmentation, monkeypatch):
    """On a GPU that is only make-believe, where reading a value back to the CPU raises."""
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda drawn: pinned.append(drawn) or drawn)
    with FakeTensorMode(), Crossings() as crossings:
        x = torch.empty(4, 3, 32, 32, device="cuda")
        assert augmentation(x, generator(0)).device.type == "cuda"
    assert not any(crossings.wait) and len(crossings.wait) == len(pinned)


def each(function, x, *parameters):
    return torch.stack([function(image, *(p.item() for p in row)) for image, *row in zip(x, *parameters, strict=True)])


@channels
@pytest.mark.parametrize("seed", range(3))
def test_crops_are_torchvision_s(seed, channels):
    x = images(channels=channels, height=28, width=32, seed=seed)
    n = len(x)
    top, left = (uniform(n, 0, 12, seed + i).floor() for i in (10, 20))
    height, width = (uniform(n, 2, 16, seed + i).floor() for i in (30, 40))
    expected = each(
        lambda image, *box: reference.resized_crop(image, *map(int, box), size=[28, 32], antialias=False),
        x, top, left, height, width,
    )  # fmt: skip
    boxes = torch.stack([top, left, height, width], dim=1)
    torch.testing.assert_close(functional.crop_resize(x, boxes), expected, atol=1e-5, rtol=0)
    mirror = uniform(n, 0, 1, seed) < 0.5
    expected = torch.where(mirror[:, None, None, None], reference.horizontal_flip(expected), expected)
    torch.testing.assert_close(functional.crop_resize(x, boxes, mirror), expected, atol=1e-5, rtol=0)


@channels
@pytest.mark.parametrize("seed", range(3))
def test_color_is_torchvision_s(seed, channels):
    x = images(channels=channels, seed=seed)
    n = len(x)
    brightness, contrast, saturation = (uniform(n, 0.2, 1.8, seed + i) for i in (10, 20, 30))
    hue = uniform(n, -0.5, 0.5, seed + 40)

    def all_four(image, b, c, s, h):
        image = reference.adjust_contrast(reference.adjust_brightness(image, b), c)
        return reference.adjust_hue(reference.adjust_saturation(image, s), h)

    result = functional.color_jitter(x, brightness, contrast, saturation, hue)
    expected = each(all_four, x, brightness, contrast, saturation, hue)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)
    no_turn = torch.zeros(n)
    result = functional.color_jitter(x, brightness, contrast, saturation, no_turn)
    torch.testing.assert_close(result, each(all_four, x, brightness, contrast, saturation, no_turn), atol=1e-5, rtol=0)
    dropped = functional.color_drop(x, torch.ones(n))
    torch.testing.assert_close(dropped, reference.rgb_to_grayscale(x, num_output_channels=channels), atol=1e-5, rtol=0)


@channels
@pytest.mark.parametrize("seed", range(3))
def test_rotation_and_blur_are_torchvision_s(seed, channels):
    x = images(channels=channels, height=24, width=32, seed=seed)
    degrees, sigma = uniform(len(x), -180, 360, seed + 10), uniform(len(x), 0.1, 2, seed + 20)
    bilinear = reference.InterpolationMode.BILINEAR
    expected = each(lambda image, angle: reference.rotate(image, angle, interpolation=bilinear), x, degrees)
    torch.testing.assert_close(functional.rotate(x, degrees), expected, atol=2e-5, rtol=0)
    expected = each(lambda image, s: reference.gaussian_blur(image, [7, 7], [s, s]), x, sigma)
    torch.testing.assert_close(functional.gaussian_blur(x, sigma, 7), expected, atol=1e-5, rtol=0)


def test_flip_cutout_noise_and_sobel_do_what_they_say():
    x = images()
    n = len(x)
    on = torch.arange(n) % 2 == 0
    flipped = functional.flip(x, on)
    assert torch.equal(flipped[on], reference.horizontal_flip(x)[on]) and torch.equal(flipped[~on], x[~on])
    hole = functional.cutout(x, torch.tensor([[2.0, 3.0, 4.0, 5.0]]).expand(n, 4))
    assert (hole[:, :, 2:6, 3:8] == 0).all() and (hole != x).sum() == n * 3 * 4 * 5
    noise = torch.randn(x.shape, generator=generator(0))
    grey = torch.full_like(x, 0.5)
    noisy = functional.gaussian_noise(grey, uniform(n, 0.05, 0.1, 0), noise)
    torch.testing.assert_close((noisy - grey).std(dim=(1, 2, 3)), uniform(n, 0.05, 0.1, 0), atol=0.01, rtol=0)
    ramp = torch.linspace(0, 1, 32).expand(n, 3, 32, 32)
    edges = functional.sobel(ramp, torch.ones(n))
    torch.testing.assert_close(edges[..., 1:-1], torch.full((n, 3, 32, 30), 2 / 31), atol=1e-5, rtol=0)
    assert functional.sobel(grey, torch.ones(n)).abs().max() < 1e-6, "a plain picture has no edges"


@pytest.mark.parametrize("options", [{"strength": -0.1}, {"strength": 1.5}, {"p": 2}])
@pytest.mark.parametrize("cls", CLASSES)
def test_a_strength_that_cannot_be_gets_one_sentence(cls, options):
    with pytest.raises(ValueError, match="it must lie between 0 and 1"):
        cls(**options)


@pytest.mark.parametrize(
    "bad", [torch.rand(3, 32, 32), torch.rand(2, 4, 8, 8), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)]
)
def test_what_is_not_a_batch_of_images_gets_one_sentence(bad):
    with pytest.raises(ValueError, match="Augmentations take float32 images"):
        augment.simclr()(bad)


def test_a_crop_s_grid_reads_what_the_crop_reads():
    x = images(8, 3, 24, 40)
    boxes = torch.tensor([[2.0, 5.0, 12.0, 30.0]]).repeat(8, 1) + uniform(8, 0, 4, 1)[:, None]
    read = F.grid_sample(x, functional.crop_grid(boxes, (24, 40)), align_corners=False)
    inside = slice(2, -2)  # at its border the crop repeats the box's pixels, and a grid reads what lies beyond
    difference = (read - functional.crop_resize(x, boxes))[:, :, inside, inside].abs().max()
    assert difference < 1e-5
    whole = functional.crop_grid(torch.tensor([[0.0, 0.0, 24.0, 40.0]]).expand(8, 4), (24, 40))
    assert torch.allclose(F.grid_sample(x, whole, align_corners=False), x, atol=1e-5)


def test_a_slider_moves_its_own_augmentation_alone():
    x = images(2)
    assert torch.equal(augment.figure_4(x, {}), x)
    noise, jitter = augment.FIGURE_4["Gaussian noise"], augment.FIGURE_4["colour jitter"]
    with_noise = augment.figure_4(x, {"Gaussian noise": 0.5}, seed=3)
    assert torch.equal(augment.figure_4(x, {"Gaussian noise": 0.5}, seed=3), with_noise)
    both = augment.figure_4(x, {"Gaussian noise": 0.5, "colour jitter": 1}, seed=3)
    places = {name: 30 + place for place, name in enumerate(augment.FIGURE_4)}
    jittered = jitter(x, generator_at(places["colour jitter"]))
    assert torch.equal(noise.at(0.5)(jittered, generator_at(places["Gaussian noise"])), both)


def generator_at(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_at_leaves_the_original_alone_and_refuses_what_cannot_be():
    crop = augment.Crop(min_area=0.2, flip=1.0)
    weaker = crop.at(0.5)
    assert (crop.strength, weaker.strength, weaker.min_area, weaker.flip) == (1.0, 0.5, 0.2, 1.0)
    with pytest.raises(ValueError, match="strength is 2; it must lie between 0 and 1"):
        crop.at(2)


def the_lesson_s_crop(crop_grid):
    """Lesson 4.1's class Crop, which applies a student's grid."""
    (cell,) = [cell for cell in cells.read_source(course.lesson("4.1").source).cells if cell.id == "yours"]
    tree = ast.parse(cell.source)
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    space = {"augment": augment, "functional": functional, "F": F, "crop_grid": crop_grid}
    exec(compile(tree, "yours", "exec"), space)
    return space["Crop"]


@pytest.mark.parametrize("answer", bank.grids.right)
def test_each_accepted_grid_crops_the_lesson_s_pictures(answer):
    x = images(8)
    result = the_lesson_s_crop(answer)(min_area=0.2, flip=0.5)(x, generator(0))
    assert result.dtype == torch.float32 and result.device == x.device
    boxes_inside = (result - augment.Crop(min_area=0.2, flip=0.5)(x, generator(0)))[:, :, 6:-6, 6:-6]
    assert boxes_inside.abs().median() < 1e-5, "as the package's, save at a box's border"


def test_the_explorer_shows_what_each_encoder_makes_of_ten_sliders(shown):
    torch.manual_seed(0)
    pictures = torch.randint(256, (20, 3, 32, 32), dtype=torch.uint8)
    networks = {"one": encoders.ConvNet(3, (8, 8, 8)), "two": encoders.ConvNet(3, (8, 8, 8))}
    view_figures.view_sliders(pictures, networks, number=4, strengths={})
    box, first = shown
    sliders = {slider.description: slider for slider in box.children}
    assert set(augment.FIGURE_4) < set(sliders) and sliders["picture"].value == 4
    sliders["colour jitter"].value = 1.0
    assert "<img" in shown[-1].data != first.data
    jittered = shown[-1].data
    sliders["colour jitter"].value = 0.0
    assert shown[-1].data == first.data != jittered


def test_the_explorer_s_bars_are_one_where_nothing_changed():
    torch.manual_seed(0)
    pictures = torch.rand(20, 3, 32, 32)
    networks = {"one": encoders.ConvNet(3, (8, 8, 8)).eval()}
    features = {"one": networks["one"](pictures).detach()}
    for changed, same in ((pictures[4:5], True), (1 - pictures[4:5], False)):
        figure = view_figures.explorer(pictures, 4, changed, networks, features)
        axes = {axis.get_label(): axis for axis in figure.axes}
        (bar,) = axes["bars"].patches
        assert (bar.get_height() > 0.999) == same
        nearest = torch.tensor(axes["nearest 0"].images[0].get_array())
        assert torch.equal(nearest, pictures[4].permute(1, 2, 0)) == same
    gallery = view_figures.gallery({"a": pictures[0], "b": pictures[1]}, columns=3)
    assert [axis.get_title() for axis in gallery.axes] == ["a", "b", ""]


def test_a_factor_s_slider_draws_the_sprite_anew_and_leaves_the_others(shown):
    torch.manual_seed(0)
    drawn = {name: values[:20] for name, values in sprites.load().test.factors.items()}
    networks = {"one": encoders.ConvNet(3, (8, 8, 8))}
    names = {"colour" if name == "color" else name: name for name in drawn}
    view_figures.factor_sliders(sprites.render(**drawn), sprites.render, drawn, networks, 4, names, first={"x": 0.6})
    box, moved = shown
    sliders = {slider.description: slider for slider in box.children}
    assert set(sliders) == set(names) and sliders["x"].value == 0.6
    assert abs(sliders["colour"].value - drawn["color"][4].item()) < 1e-6
    sliders["x"].value = drawn["x"][4].item()
    assert "one 1.00" in shown[-1].data and "one 1.00" not in moved.data, "nothing has changed any more"


def test_the_price_figure_names_what_it_is_asked_to_name():
    invariance, accuracy = torch.rand(3, 2), torch.rand(3, 2)
    chances = [0.5, 0.25]
    figure = view_figures.prices(invariance, accuracy, ["a", "b", "c"], ["q", "r"], chances, ["c", "a"])
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == ["q", "r"] and len(panels[0].collections) == 3
    assert panels[0].get_legend_handles_labels()[1] == ["a", "c"] and "b: " in figure.alt


def test_doses_has_a_line_for_each_question():
    figure = view_figures.doses([0.0, 1.0], {"q": [0.5, 0.6], "r": [0.9, 0.7]}, "strength")
    assert [line.get_label() for line in figure.axes[0].lines] == ["q", "r"] and "0.70 (1.0)" in figure.alt


def test_views_are_turned_by_what_the_task_says_and_the_loss_falls_when_the_features_tell_it():
    """Features that turn with the picture, and the matrices that turn them back, tell every turn."""
    task = contrastive.PredictedTurns(4)
    x = images(10)
    views, (partner, turns) = task.make(x, generator(0))
    back = [torch.rot90(view, -turn, dims=(1, 2)) for view, turn in zip(views, turns.tolist(), strict=True)]
    torch.testing.assert_close(torch.stack(back), torch.cat([x, x]))
    assert torch.equal(partner.roll(10), torch.arange(20)) and set(turns.tolist()) == {0, 1, 2, 3}
    sides = F.one_hot(turns, 4).float()  # a feature a side, on which something lies that turns with the picture
    a, b = sides.chunk(2)
    shifts = torch.stack([torch.eye(4).roll(turn, dims=1) for turn in range(4)])
    assert contrastive.turn_loss(a, b, 20 * shifts, *turns.chunk(2)) < 1e-3
    assert contrastive.turn_loss(a, b, -20 * shifts, *turns.chunk(2)) > 10
