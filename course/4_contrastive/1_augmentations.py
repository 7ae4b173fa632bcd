# %% title [markdown]
# # 4.1 Augmentations
#
# **Which changes to a picture should not matter? Whoever answers this for a network decides what it will see, and what
# it will never see.**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *Start here* and PyTorch's basics.

# %% setup setup=true
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from sslcourse import adaptation, augment, checks, contrastive, data, encoders, figures, ledger
from sslcourse import measures, training
from sslcourse.augment import functional
from sslcourse.data.photos import photographs
from sslcourse.data.sprites import render
from sslcourse.figures import augmentations as view_figures

check = checks.of_lesson("4.1")
crop_grid, factor_invariance, turn_loss = check.blanks()

# %% ledger
log = ledger.of_lesson("4.1")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
sprites, SPRITE = data.load("sprites"), 35  # SPRITE: the one of the test sprites that we look at
print(sprites, f"Training on {device}.", sep="\n")

# %% views-text [markdown]
# An **augmentation** is a program that changes an input at random. Figure 4 of the SimCLR paper [@chen2020simclr] shows
# nine of them; we add the mirror image by itself. Each draws at random: run the cell again.

# %% figure-4
cat = functional.crop_resize(
    measures.to_float(photographs()[1][None, :, :300, 80:380]), torch.tensor([[0.0, 0.0, 300.0, 300.0]])
)
cat = F.interpolate(cat, size=(96, 96), mode="bilinear", antialias=True)
drawn = {name: augmentation(cat)[0] for name, augmentation in augment.FIGURE_4.items()}
view_figures.gallery({"original": cat[0]} | drawn)

# %% figure-4-interpret [markdown]
# You would say "cat" to all of them. In *contrastive learning*, two random changes of one picture are its **views**.
# The pretext task asks for similar features of two views of one picture, and for different features of different
# pictures. So each augmentation says: *this change does not matter*. For a cat, a mirror image is as good as the
# picture. For a letter, a road sign or a left hand it is not. The choice of augmentations is where knowledge about the
# data goes in [@dosovitskiy2014discriminative], [@chen2020simclr]. This lesson is about that choice; lesson `4.2` is
# about the loss, and about the **temperature**, one of its settings.
#
# To see what a choice does, we need pictures of which everything is known. `sprites` are shapes drawn by a program from
# six **factors**: shape, colour, scale, rotation, and place ($x$ across, $y$ down). We can change one factor and
# nothing else:

# %% sprites-figure
FACTORS = {"colour" if name == "color" else name: name for name in sprites.test.factors}  # label: the program's name


def one_factor(name):
    """Ten sprites that differ in one factor alone."""
    fixed = {key: values[:1].expand(10) for key, values in sprites.test.factors.items()}
    return render(**fixed | {name: sprites.test.factors[name].sort().values[::100]})


figures.pictures({label: one_factor(name) for label, name in FACTORS.items()})

# %% predict [markdown]
# ## Predict
#
# We train an encoder on sprites without labels. Its two views of a sprite are **turned** about the middle of the
# picture, by quarter turns, and changed in nothing else. Then we take a sprite, and **move it** to another place,
# without turning it. What will its features do? Commit to an answer, then open it.
#
# <details><summary>A. They will tell the places apart: only turns were varied, and the place was not.</summary> Look
# again at what a turn of the <i>picture</i> does to a sprite that is not in the middle.</details>
#
# <details><summary>B. They will hardly notice: a turn about the middle moves the sprite, too.</summary> Yes. An
# augmentation has side effects, and the network learns these, too. We will measure it, ask what it costs, and then get
# the place back without giving up a single turn.</details>
#
# <details><summary>C. They will notice it more than an untrained network does: learning makes features sharper.
# </summary>It makes them sharper for what the two views of a picture share. The place differs between them.</details>

# %% see [markdown]
# ## See
#
# ### Ten sliders
#
# Below you see a sprite, a slider for each augmentation, and a bar for each of two networks. The bar says how alike the
# sprite's features are before and after: the cosine of the two, once the mean feature of all sprites is taken away from
# both. One means that the network does not notice. The small picture below a bar is the sprite, of a thousand, whose
# features are nearest to those of the changed one. If it is the sprite itself, the network still recognises it.
#
# Both networks here are **untrained**. They differ in how they end: most networks for pictures end with a mean over all
# places, ours with a linear layer that knows each place. Which slider disturbs them most, and which hardly at all?
# Where do the two disagree?

# %% explorer-untrained
WIDTHS = training.budget(cpu=(24, 48, 96), gpu=(48, 96, 192), smoke=(4, 8, 16))


class Network(nn.Module):
    """h_theta: patches of 4x4, two convolutions, a linear layer that knows each place: (B,3,32,32) -> (B,dim)."""

    def __init__(self):
        super().__init__()
        first, second, self.dim = WIDTHS
        self.layers = nn.Sequential(
            *(nn.Conv2d(3, first, 4, stride=4, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
            *(nn.Conv2d(first, second, 3, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU()),
            nn.MaxPool2d(2),
            *(nn.Conv2d(second, second, 3, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU()),
            nn.Flatten(),
            *(nn.Linear(16 * second, self.dim, bias=False), nn.BatchNorm1d(self.dim), nn.ReLU()),
        )

    def forward(self, x):
        return self.layers(x - 0.5)


def new_encoder():
    """An untrained h_theta, the same for the same seed."""
    torch.manual_seed(log.seed)
    return Network().to(device)


def calibrated(encoder):
    """An untrained encoder whose batch statistics are those of its inputs, as a trained one's are."""
    return encoders.calibrate(encoder, sprites.unlabeled(), seed=log.seed)


untrained = {
    "random init": calibrated(new_encoder()),
    "random init, mean over places": calibrated(encoders.ConvNet(3, WIDTHS).to(device)),
}
view_figures.view_sliders(sprites.test.x, untrained, number=SPRITE, strengths={"flip": 1.0})

# %% build [markdown]
# ## Build
#
# You write an augmentation for a whole batch at once (a loop over pictures is refused), then a measure, and later a
# loss. Each check draws fresh random inputs and tells you what is wrong and how it knows. **If you leave one open, the
# lesson goes on with the reference answer.**
#
# {{ course: exercises }}
#
# ### 1. Crop and resize, as a grid
#
# To cut a box out of each picture of a batch and enlarge it to the picture's size $H \times W$, one asks, for each
# pixel of the result: *where in the old picture do you come from?* `F.grid_sample(x, grid)` then reads the old picture
# at these places, between pixels, too [@jaderberg2015spatial]. You write `grid`, for all pictures at once.
#
# `boxes`, shape $(B, 4)$: $\text{top}$, $\text{left}$, $\text{tall}$, $\text{wide}$, where each sample's box begins and
# how tall and wide it is, in pixels, fractions allowed. `size`: the pair $(H, W)$. The centre of the new pixel in row
# $i$, column $j$ lies at
#
# $$x_j = \text{left} + \frac{j + \frac12}{W}\,\text{wide}, \qquad
# y_i = \text{top} + \frac{i + \frac12}{H}\,\text{tall}$$
#
# pixels from the left and from the top edge of the old picture. `grid_sample` measures these from $-1$, the left or top
# edge, to $1$, the right or bottom edge. Return the grid, shape $(B, H, W, 2)$; its last dimension holds first the
# place across, then the place down.
#
# <details><summary>Hint 1</summary>The places across depend on sample and column, those down on sample and row. Compute
# them with shapes (B, W) and (B, H) first; for that, <code>boxes[:, 1:2]</code> keeps its second dimension. Make new
# tensors where the boxes are: <code>torch.arange(W, device=boxes.device)</code>.</details>
# <details><summary>Hint 2</summary>Try your formulas on a box that is the whole picture: the first column's centre lies
# half a pixel from the left edge, the last one's as far from the right edge. Which straight line sends zero to minus
# one, and W to one? To join the two, give both the shape (B, H, W) first: look up <code>expand</code> and
# <code>stack</code>.</details>

# %% crop_grid exercise="crop_grid"
def crop_grid(boxes, size):
    """Where the pixels of the enlarged boxes (B,4) come from, for F.grid_sample: (B,H,W,2), (across, down)."""
    ### BEGIN SOLUTION
    height, width = size
    top, left, tall, wide = boxes.split(1, dim=1)
    x = left + (torch.arange(width, device=boxes.device) + 0.5) / width * wide
    y = top + (torch.arange(height, device=boxes.device) + 0.5) / height * tall
    across = (2 * x / width - 1)[:, None, :].expand(-1, height, -1)
    down = (2 * y / height - 1)[:, :, None].expand(-1, -1, width)
    return torch.stack([across, down], dim=-1)
    ### END SOLUTION


# %% crop_grid-check check="crop_grid"
crop_grid = check(crop_grid)

# %% yours
class Crop(augment.Crop):
    """The package's random boxes, cut out by your grid: a whole batch at once, each sample by chance of its own."""

    def cut(self, x, boxes, mirror):
        grid = crop_grid(boxes.cpu(), x.shape[2:]).to(x)  # an answer may make its tensors on the CPU, or in double
        cut = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        return cut if mirror is None else functional.flip(cut, mirror)


one_sprite = measures.to_float(sprites.test.x[SPRITE : SPRITE + 1]).expand(10, -1, -1, -1)
figures.pictures({"your crop": Crop(min_area=0.2)(one_sprite)})

# %% factor_invariance-text [markdown]
# ### 2. Invariance to a factor
#
# How much do the features of encoder $h$ feel a change of one factor, and of no other? `factors` is a dictionary from
# name to a tensor of shape $(N)$, `render(**factors)` draws the $N$ pictures, and `h` gives their features, shape
# $(N, D)$. Let sample $i$ get, for the factor called `name`, the value that sample `order[i]` has; all else stays. With
# $f_i$ the features before the change, $f'_i$ after it, and $\bar f$ the mean of all features *before*, return
#
# $$\text{invariance} = \frac1N \sum_{i=1}^N \cos\bigl(f_i - \bar f,\ f'_i - \bar f\bigr).$$
#
# It is 1 for a network that does not feel the factor, and near 0 where the changed sprite is like any other sprite.
# Do not alter the dictionary `factors`; the lesson needs it again.
#
# <details><summary>Hint 1</summary>You need two dictionaries and two calls each of <code>render</code> and
# <code>h</code>. Take the same mean away from both.</details>
# <details><summary>Hint 2</summary>Look up how a dictionary is copied with one entry replaced, and along which
# dimension <code>F.cosine_similarity</code> compares. Watch the shapes: first (N, D), then one cosine a sample, then a
# number.</details>

# %% factor_invariance exercise="factor_invariance"
def factor_invariance(h, render, factors, name, order):
    """Mean centred cosine of the features before and after the factor `name` alone is changed: a number."""
    ### BEGIN SOLUTION
    changed = {**factors, name: factors[name][order]}
    before, after = h(render(**factors)), h(render(**changed))
    mean = before.mean(dim=0)
    return F.cosine_similarity(before - mean, after - mean, dim=1).mean()
    ### END SOLUTION


# %% factor_invariance-check check="factor_invariance"
factor_invariance = check(factor_invariance)

# %% train [markdown]
# ## Train
#
# ### Which view makes invariant to which factor?
#
# We train a network for each augmentation, with **this augmentation alone**, and one without any. Its two views are the
# same picture, and every factor helps to tell it from all others. A last network gets two augmentations: crops, then
# jitter. Flip and colour drop change half of the views, turns three of four, so that the two views of a picture can
# differ. All ten networks start from the same weights, see the same sprites in the same order, and see no label.
#
# The loss judges what comes out of a small **head** behind the features (lesson `4.2` says why). Afterwards the head is
# thrown away: all that we measure below, we measure on the features in front of it. Before you run it: which row will
# be the steadiest under a change of colour, which under a change of place?
#
# (Encoder, epochs and batch were chosen on validation data, with other seeds than those you see.)

# %% factors-train
VIEWS = {
    "no augmentation": augment.Compose(),
    "crop and resize": Crop(min_area=0.2),
    "flip": augment.Flip(p=0.5),
    "rotate": augment.Rotate(p=0.75),
    "colour drop": augment.ColorDrop(p=0.5),
    "colour jitter": augment.Jitter(),
    "cutout": augment.Cutout(),
    "Gaussian noise": augment.Noise(),
    "Gaussian blur": augment.Blur(),
    "crop and jitter": augment.Compose(Crop(min_area=0.2), augment.Jitter()),
}
EPOCHS = training.budget(cpu=8, gpu=60)


def pretrain(task_of):
    """A fresh encoder, pretrained without labels by the task that task_of makes for its features: (h, history)."""
    h = new_encoder()
    return h, training.pretrain(h, task_of(h.dim), sprites.unlabeled(), EPOCHS, 128, seed=log.seed, progress=False)


def simclr(views):
    """The contrastive task with these views."""
    return lambda dim: contrastive.SimCLR(dim, temperature=0.1, views=views)


networks, histories = {"raw input": nn.Flatten()} | untrained, {}
for name, views in tqdm(VIEWS.items(), desc="ten networks"):
    networks[name], histories[name] = pretrain(simclr(views))
    log.record(f"ranks/{name}", histories[name].rank[-1], digits=1)
figures.training({name: histories[name] for name in ("no augmentation", "flip", "rotate", "crop and resize")})

# %% factors-meters [markdown]
# Two of the curves watch for **collapse**, features that are the same for all inputs. The **std** says how widely the
# features' directions are spread, from 0 (all alike) to 1 (over the whole sphere); the **rank**, over how many
# dimensions. Nothing has collapsed. But views cost dimensions: the rank is highest without augmentation
# ({{ ranks/no augmentation }}); turns ({{ ranks/rotate }}) and crops ({{ ranks/crop and resize }}) leave fewer than
# half of them.
#
# {{ claim: ranks/no augmentation > ranks/rotate by 41; ranks/no augmentation > ranks/crop and resize by 41 }}
# {{ claim: ranks/no augmentation > ranks/flip; ranks/no augmentation > ranks/colour jitter }}
# {{ claim: ranks/no augmentation > ranks/colour drop; ranks/no augmentation > ranks/cutout }}
# {{ claim: ranks/no augmentation > ranks/Gaussian noise; ranks/no augmentation > ranks/Gaussian blur }}
# {{ claim: ranks/no augmentation > ranks/crop and jitter }}

# %% factors-measure
MEASURED = training.budget(cpu=500, gpu=500, smoke=50)  # sprites
factors = {name: values[:MEASURED] for name, values in sprites.test.factors.items()}
order = torch.randperm(MEASURED, generator=torch.Generator().manual_seed(log.seed))


def felt(h, group):
    """How invariant h is to each factor, noted in the ledger under group/FACTOR: (6,)."""
    embed = lambda x: measures.embed(h, x)  # noqa: E731
    scores = {label: factor_invariance(embed, render, factors, name, order) for label, name in FACTORS.items()}
    return torch.tensor([log.record(f"{group}/{label}", float(score), digits=2) for label, score in scores.items()])


invariances = torch.stack([felt(h, f"factors/{name}") for name, h in networks.items()])
panels = {"invariance, test sprites": (invariances, list(FACTORS), "factor that is changed")}
figures.confusion(panels, list(networks), "network, by its views", fontsize=15)

# %% factors-table
log.table("factors/")

# %% factors-interpret [markdown]
# The first number is your run's; in brackets stand mean and standard deviation over several seeds. Bright fields are
# factors that a network does not feel. Compare down a column: all its networks met the same change. Two columns do not
# compare, because the changes differ in size (a third of the sprites, or so, draw their own shape again).
#
# Start with **no augmentation**: it feels place, scale and rotation more than the untrained network does ($x$:
# {{ factors/no augmentation/x }} instead of {{ factors/random init/x }}). Compare each row with this one.
#
# - **Your prediction.** Turned views hide the rotation ({{ factors/rotate/rotation }}), and the place with it: $x$
#   {{ factors/rotate/x }}, $y$ {{ factors/rotate/y }}. They hide more of it than they vary. A turn leaves a sprite's
#   distance from the middle as it was, and the network hardly feels that, either.
# - **Flip** hides $x$ ({{ factors/flip/x }}) more than $y$ ({{ factors/flip/y }}). It hides the scale, too
#   ({{ factors/flip/scale }} instead of {{ factors/no augmentation/scale }}), which no flip changes.
# - **Colour drop and jitter** hide the colour ({{ factors/colour drop/colour }} and
#   {{ factors/colour jitter/colour }}), jitter nearly all of it.
# - **Noise and blur** change no factor, and yet shape and rotation fade ({{ factors/Gaussian noise/rotation }} and
#   {{ factors/Gaussian blur/rotation }} for the rotation). In fact, *every* augmentation makes the network feel shape,
#   scale, rotation and place less. Nothing here tests why.
# - **Crops** hide scale ({{ factors/crop and resize/scale }}) and place ({{ factors/crop and resize/x }}). But look at
#   colour: {{ factors/crop and resize/colour }}, far *lower* than without any augmentation. A crop leaves the colour
#   alone. The network seems to solve its task by little else, and its features become features *of* colour. Turns and
#   cutout do the same, less strongly ({{ factors/rotate/colour }} and {{ factors/cutout/colour }}).
# - **Crop and jitter** together undo this in part: colour rises to {{ factors/crop and jitter/colour }}, and the place
#   is felt again ($x$ {{ factors/crop and jitter/x }}), though crops vary it as before. The shortcut had hidden it.
# - **Random init** is worth a look, too. With a mean over places as its last step, an untrained network feels the place
#   far less ($x$ {{ factors/random init, mean over places/x }}; with our last layer {{ factors/random init/x }}). Its
#   builder put this invariance in. What our networks forget, they learned to forget.
#
# So an augmentation does up to three things. It hides what it varies. It hides other factors, too. And it can make what
# is left more important.
#
# {{ claim: factors/no augmentation/x < factors/random init/x; factors/no augmentation/y < factors/random init/y }}
# {{ claim: factors/no augmentation/scale < factors/random init/scale }}
# {{ claim: factors/no augmentation/rotation < factors/random init/rotation }}
# {{ claim: factors/random init, mean over places/x > factors/random init/x by 0.15 }}
# {{ claim: factors/rotate/rotation > factors/no augmentation/rotation by 0.3 }}
# {{ claim: factors/rotate/x > factors/no augmentation/x by 0.3; factors/rotate/y > factors/no augmentation/y by 0.3 }}
# {{ claim: factors/flip/x > factors/flip/y by 0.1; factors/flip/scale > factors/no augmentation/scale by 0.2 }}
# {{ claim: factors/colour drop/colour > factors/no augmentation/colour by 0.15 }}
# {{ claim: factors/colour jitter/colour > 0.9 }}
# {{ claim: factors/Gaussian noise/shape > factors/no augmentation/shape }}
# {{ claim: factors/Gaussian blur/shape > factors/no augmentation/shape }}
# {{ claim: factors/Gaussian noise/rotation > factors/no augmentation/rotation }}
# {{ claim: factors/Gaussian blur/rotation > factors/no augmentation/rotation }}
# {{ claim: factors/colour jitter/shape > factors/no augmentation/shape }}
# {{ claim: factors/colour jitter/scale > factors/no augmentation/scale }}
# {{ claim: factors/colour jitter/rotation > factors/no augmentation/rotation }}
# {{ claim: factors/colour jitter/x > factors/no augmentation/x; factors/colour jitter/y > factors/no augmentation/y }}
# {{ claim: factors/colour drop/shape > factors/no augmentation/shape }}
# {{ claim: factors/colour drop/scale > factors/no augmentation/scale }}
# {{ claim: factors/colour drop/rotation > factors/no augmentation/rotation }}
# {{ claim: factors/colour drop/x > factors/no augmentation/x; factors/colour drop/y > factors/no augmentation/y }}
# {{ claim: factors/flip/y > factors/no augmentation/y; factors/Gaussian blur/x > factors/no augmentation/x }}
# {{ claim: factors/crop and resize/scale > factors/no augmentation/scale by 0.3 }}
# {{ claim: factors/crop and resize/x > factors/no augmentation/x by 0.3 }}
# {{ claim: factors/crop and resize/colour < factors/no augmentation/colour by 0.2 }}
# {{ claim: factors/rotate/colour < factors/no augmentation/colour by 0.1 }}
# {{ claim: factors/cutout/colour < factors/no augmentation/colour by 0.1 }}
# {{ claim: factors/rotate/colour > factors/crop and resize/colour by 0.1 }}
# {{ claim: factors/cutout/colour > factors/crop and resize/colour by 0.1 }}
# {{ claim: factors/crop and jitter/colour > factors/crop and resize/colour by 0.2 }}
# {{ claim: factors/crop and jitter/x < factors/crop and resize/x by 0.1 }}
# {{ claim: factors/crop and jitter/y < factors/crop and resize/y by 0.1 }}
#
# ### Six sliders, four networks
#
# A matrix holds means; here is one sprite, moved to the right. Move one slider at a time, and ask of each network: does
# it notice, and *should* it? The small pictures show what it takes the changed sprite for.

# %% factor-sliders
shown = {name: networks[name] for name in ("no augmentation", "rotate", "crop and resize", "colour jitter")}
view_figures.factor_sliders(sprites.test.x, render, sprites.test.factors, shown, SPRITE, FACTORS, first={"x": 0.62})

# %% tasks-text [markdown]
# ## Measure
#
# ### The price of an invariance
#
# Is it good or bad not to feel a factor? It depends on what you ask. We put four questions to each network, by a
# **linear probe**, a linear classifier on frozen features, with ten labels a class. Which of six **colours** is it? Is
# it large or small (**size**)? Does it lie in the left or the right half (**side**), in the upper or the lower
# (**height**)? A guess gets a sixth of the colours right, and half of the rest. Before you look: which network fails at
# which question?
#
# The last row is **supervised** training: the same network, trained from end to end on the same few labels, anew for
# each question. Validation data chose its views (crops for colour, jitter elsewhere) and its length. We do not ask for
# the shape: with ten labels a class no network came far above chance in our trials. Nor do we ask for the rotation,
# because a square looks the same after a quarter turn.

# %% tasks
QUESTIONS = {  # the factor that is asked for, the answers by their numbers, how many there are
    "colour": ("colour", lambda of: (6 * of["color"]).long(), 6),
    "size": ("scale", lambda of: (of["scale"] > 0.575).long(), 2),
    "side": ("x", lambda of: (of["x"] > 0.5).long(), 2),
    "height": ("y", lambda of: (of["y"] > 0.5).long(), 2),
}


def asked(answers, classes):
    """The sprites with the answers to a question as their labels."""
    splits = {name: getattr(sprites, name) for name in ("train", "val", "test")}
    relabeled = {name: replace(split, y=answers(split.factors)) for name, split in splits.items()}
    return replace(sprites, classes=tuple(map(str, range(classes))), **relabeled)


DATASETS = {question: asked(answers, classes) for question, (_, answers, classes) in QUESTIONS.items()}


def answered(h, group):
    """The accuracy of a probe on h at each question, noted in the ledger under group/QUESTION: (4,)."""
    probes = {question: adaptation.linear_probe(h, of, 10, seed=log.seed) for question, of in DATASETS.items()}
    found = [log.record(f"{group}/{name}", probe.accuracy, unit="accuracy") for name, probe in probes.items()]
    return torch.tensor(found)


accuracies = torch.stack([answered(h, f"tasks/{name}") for name, h in networks.items()])

# %% tasks-supervised
SUPERVISED = {question: augment.Jitter() for question in QUESTIONS} | {"colour": Crop(min_area=0.2)}  # by validation
STEPS = training.budget(cpu=300, gpu=300)
supervised = torch.zeros(1, len(QUESTIONS))
for j, (question, of) in enumerate(DATASETS.items()):
    h = new_encoder()
    model = nn.Sequential(h, nn.Linear(h.dim, len(of.classes))).to(device)
    chance = torch.Generator().manual_seed(log.seed)
    adaptation.fit(model, adaptation.few_labels(of.train, 10, log.seed), SUPERVISED[question], 256 * STEPS, chance)
    accuracy = adaptation.accuracy(model, of.test.x, of.test.y)
    supervised[0, j] = log.record(f"tasks/supervised/{question}", accuracy, unit="accuracy")
panels = {"accuracy, ten labels a class": (torch.cat([accuracies, supervised]), list(QUESTIONS), "question")}
figures.confusion(panels, [*networks, "supervised"], "network, by its views", fontsize=15)

# %% tasks-table
log.table("tasks/")

# %% tasks-interpret [markdown]
# - **Flip** cannot tell left from right ({{ tasks/flip/side }}), and tells up from down ({{ tasks/flip/height }})
#   better than no augmentation ({{ tasks/no augmentation/height }}).
# - **Rotate** guesses at both ({{ tasks/rotate/side }} and {{ tasks/rotate/height }}). For colour it is ahead of raw
#   input ({{ tasks/rotate/colour }} and {{ tasks/raw input/colour }}).
# - **Colour jitter** loses the colour ({{ tasks/colour jitter/colour }}), **colour drop** most of it
#   ({{ tasks/colour drop/colour }}). Both still know the side.
# - **Crops** know the colour best of all ({{ tasks/crop and resize/colour }}; the best untrained network
#   {{ tasks/random init, mean over places/colour }}), and are behind raw input in height
#   ({{ tasks/crop and resize/height }}; raw input {{ tasks/raw input/height }}).
# - **Crop and jitter** is behind crops in colour ({{ tasks/crop and jitter/colour }}), and knows the height
#   ({{ tasks/crop and jitter/height }}).
# - **No augmentation** loses some of the colour ({{ tasks/no augmentation/colour }}; untrained
#   {{ tasks/random init/colour }}). Telling pictures apart is not enough.
#
# No row wins every column. **The same augmentation helps one question and ruins another.** With the wrong views,
# features are far behind raw pixels. With the right ones, features that saw no label are ahead of a network that was
# trained for nothing but this question: crops in colour by
# {{ difference: tasks/crop and resize/colour - tasks/supervised/colour }}, turns in size by
# {{ difference: tasks/rotate/size - tasks/supervised/size }}. (A difference is taken seed by seed; behind its ± stands
# its *standard error*. What is smaller than twice that, this run cannot tell from zero. And we picked these two rows
# after we saw the table, which flatters them.)
#
# Half of the crops in SimCLR's own recipe are flipped, which would cost you the side [@chen2020simclr]. A recipe that
# varies colour may not tell you which bird you see, if you know it by its plumage [@xiao2021what]. A network without
# labels cannot know what you will ask. You must.
#
# {{ claim: tasks/flip/side ~ 0.5 within 0.05; tasks/flip/height > tasks/no augmentation/height }}
# {{ claim: tasks/rotate/side ~ 0.5 within 0.05; tasks/rotate/height ~ 0.5 within 0.05 }}
# {{ claim: tasks/rotate/colour > tasks/raw input/colour by 0.05 }}
# {{ claim: tasks/colour jitter/colour ~ 0.167 within 0.05 }}
# {{ claim: tasks/colour jitter/colour < tasks/raw input/colour by 0.4 }}
# {{ claim: tasks/colour drop/colour < tasks/raw input/colour by 0.4 }}
# {{ claim: tasks/colour jitter/side > 0.7; tasks/colour drop/side > 0.7 }}
# {{ claim: tasks/crop and resize/colour > tasks/random init, mean over places/colour by 0.05 }}
# {{ claim: tasks/random init, mean over places/colour > tasks/random init/colour }}
# {{ claim: tasks/crop and resize/colour > tasks/raw input/colour by 0.05 }}
# {{ claim: tasks/crop and resize/colour > tasks/supervised/colour; tasks/rotate/size > tasks/supervised/size }}
# {{ claim: tasks/crop and resize/colour > tasks/rotate/colour; tasks/crop and resize/colour > tasks/cutout/colour }}
# {{ claim: tasks/crop and resize/height < tasks/raw input/height by 0.05 }}
# {{ claim: tasks/crop and jitter/colour < tasks/crop and resize/colour by 0.05 }}
# {{ claim: tasks/crop and jitter/height > tasks/crop and resize/height by 0.1 }}
# {{ claim: tasks/no augmentation/colour < tasks/random init/colour by 0.05 }}
# {{ claim: tasks/rotate/side < tasks/raw input/side by 0.2; tasks/rotate/height < tasks/raw input/height by 0.2 }}

# %% price-figure
of_factor = [list(FACTORS).index(factor) for factor, _, _ in QUESTIONS.values()]
guessing = [1 / classes for *_, classes in QUESTIONS.values()]
named = ("random init", "no augmentation", "crop and resize", "rotate", "flip", "colour jitter", "crop and jitter")
view_figures.prices(invariances[:, of_factor], accuracies, list(networks), list(QUESTIONS), guessing, named)

# %% price-interpret [markdown]
# Each point is a network: how invariant it is to the factor, and how well it answers the question that needs it. For
# the colour, the rule shows: what a network does not feel, it cannot tell. For the place it holds at the right end
# only, and for size not at all. Crops make features feel the scale least ({{ factors/crop and resize/scale }}), and a
# probe reads the size from them as well as without augmentation ({{ tasks/crop and resize/size }};
# {{ tasks/no augmentation/size }}). Or take two networks that feel $x$ about equally little: flip
# ({{ factors/flip/x }}) and, among the grey points, the untrained mean over places
# ({{ factors/random init, mean over places/x }}). A probe on flip guesses the side ({{ tasks/flip/side }}); on the
# other, it finds it ({{ tasks/random init, mean over places/side }}).
#
# The two meters ask different things. The cosine asks **how much of the features a factor fills**, the probe **whether
# anything of it can still be found**. When each view is flipped by chance, the side in one says nothing about the side
# in the other. No trace of it helps the task, and none was found. But what could help may be lost as well: two jittered
# views still share part of their hue, and no colour was found, either. High invariance is a warning. Only the question
# itself brings the verdict.
#
# {{ claim: factors/crop and resize/scale > factors/no augmentation/scale by 0.3 }}
# {{ claim: factors/crop and resize/scale > factors/rotate/scale }}
# {{ claim: factors/crop and resize/scale > factors/cutout/scale }}
# {{ claim: tasks/crop and resize/size ~ tasks/no augmentation/size within 0.07 }}
# {{ claim: factors/random init, mean over places/x ~ factors/flip/x within 0.05 }}
# {{ claim: tasks/flip/side ~ 0.5 within 0.05; tasks/random init, mean over places/side > 0.65 }}
# {{ claim: tasks/colour jitter/colour ~ 0.167 within 0.05 }}

# %% turns-text [markdown]
# ### Keep what invariance discards: predict the change
#
# Features $h(x)$ can answer a change $T$ of the picture in two ways. They can stay the same, $h(Tx) = h(x)$:
# **invariance**. Or they can change by a rule $\rho_T$ that is the same for all pictures, $h(Tx) = \rho_T\,h(x)$:
# **equivariance**. Nobody has to choose one for all features. An augmentation that *returns its parameters* gives a
# pseudo-label, and a second head predicts it beside the contrastive loss [@lee2021improving],
# [@dangovski2022equivariant]. This asks for less than equivariance: features must *show* the change, as in rotation
# prediction (lesson `3.1`), but need not obey a rule.
#
# We keep the turned views, and add this question: **by which turn does the second view differ from the first?** There
# is a matrix $M_t$ for each turn $t = 0, 1, 2, 3$, learned like all weights. The features of the second view, $b_i$,
# sent through the right matrix, should match those of the first, $a_i$.
#
# ### 3. The loss of a predicted turn
#
# `a` and `b`, each $(B, D)$, hold the features of the first and the second view of $B$ pictures; `M`, $(4, D, D)$, the
# matrices. `first` and `second`, $(B)$, say by how many quarter turns each view was turned, 0 to 3. With
#
# $$s_{it} = a_i^\top M_t\, b_i, \qquad t_i = (\text{second}_i - \text{first}_i) \bmod 4,$$
#
# return the mean over pictures of the cross-entropy of the four scores $s_{i0}, \dots, s_{i3}$ with the right turn
# $t_i$: a number, with its gradient.
#
# <details><summary>Hint 1</summary>The scores have shape (B, 4). Of the dimensions of a, M and b, which are summed
# over, and which are left? What is a turn by minus three quarters?</details>
# <details><summary>Hint 2</summary>Look up <code>torch.einsum</code>: it wants a letter for each dimension, and sums
# over the letters that the result leaves out. Try the remainder of a negative number in Python. Does the loss you have
# in mind take scores, or probabilities?</details>

# %% turn_loss exercise="turn_loss"
def turn_loss(a, b, M, first, second):
    """How badly features a, b (B,D) and matrices M (4,D,D) tell the turn from the first views to the second: nats."""
    ### BEGIN SOLUTION
    scores = torch.einsum("bi,tij,bj->bt", a, M, b)
    return F.cross_entropy(scores, (second - first) % 4)
    ### END SOLUTION


# %% turn_loss-check check="turn_loss"
turn_loss = check(turn_loss)

# %% turns-train
predicting, history = pretrain(lambda dim: contrastive.PredictedTurns(dim, criterion=turn_loss))
told = (felt(predicting, "turns/invariance"), answered(predicting, "turns/accuracy"))
rows = {name: (invariances[i], accuracies[i]) for i, name in enumerate(networks)}
beside = {name: rows[name] for name in ("no augmentation", "rotate")} | {"rotate, predicted": told}
panels = {
    "invariance": (torch.stack([row for row, _ in beside.values()]), list(FACTORS), "factor"),
    "accuracy": (torch.stack([row for _, row in beside.values()]), list(QUESTIONS), "question"),
}
figures.confusion(panels, list(beside), "network", fontsize=15)

# %% turns-interpret [markdown]
# The views are turned as before, and the contrastive loss is the same. But with the turn **predicted**, the features
# tell the side ({{ turns/accuracy/side }}; rotate {{ tasks/rotate/side }}) and the height ({{ turns/accuracy/height }};
# rotate {{ tasks/rotate/height }}). They are ahead of no augmentation in both, of raw pixels, and in the side of
# supervised training. The place is felt again: $x$ {{ turns/invariance/x }} instead of {{ factors/rotate/x }}. A square
# looks the same after a quarter turn; to name the turn of its picture, a network must know where the square lies.
#
# A heart's own rotation would tell the turn, too. The network seems to make little use of it: it still hardly feels the
# rotation ({{ turns/invariance/rotation }}; rotate {{ factors/rotate/rotation }}; no augmentation
# {{ factors/no augmentation/rotation }}). Features keep what solves the task, and not all that a designer had in mind.
#
# This, too, has its price. Colour fills less of the features (its invariance is {{ turns/invariance/colour }} instead
# of {{ factors/rotate/colour }}), and the probe on colour falls to {{ turns/accuracy/colour }} (rotate
# {{ tasks/rotate/colour }}), still ahead of no augmentation ({{ tasks/no augmentation/colour }}).
#
# So turned views need not hide the place. The *loss* did that: it rewards features that forget what differs between the
# views.
#
# {{ claim: turns/accuracy/side > tasks/rotate/side by 0.25; turns/accuracy/height > tasks/rotate/height by 0.25 }}
# {{ claim: turns/accuracy/side > tasks/no augmentation/side; turns/accuracy/height > tasks/no augmentation/height }}
# {{ claim: turns/accuracy/side > tasks/raw input/side; turns/accuracy/height > tasks/raw input/height }}
# {{ claim: turns/accuracy/side > tasks/supervised/side }}
# {{ claim: turns/invariance/x < factors/rotate/x by 0.1 }}
# {{ claim: turns/invariance/rotation > factors/no augmentation/rotation by 0.4 }}
# {{ claim: turns/invariance/rotation < factors/rotate/rotation by 0.03 }}
# {{ claim: turns/invariance/colour > factors/rotate/colour by 0.3 }}
# {{ claim: turns/accuracy/colour < tasks/rotate/colour; turns/accuracy/colour > tasks/no augmentation/colour by 0.1 }}

# %% break [markdown]
# ## Break it
#
# ### Take the jitter away
#
# SimCLR's authors trained a network for each pair of augmentations: on ImageNet, crops alone reach 33.1 %, and crops
# with colour distortion, the best pair of all, 56.3 %. Their reason: two crops of one photograph share their colours,
# and a network can match them by colours alone [@chen2020simclr]. This is the shortcut that our crops took. You cause
# it with one argument: the `strength` of the jitter behind the crop, from 1 down to 0. Which questions will suffer, and
# which one gains?

# %% break-strengths
at = {0.0: rows["crop and resize"][1], 1.0: rows["crop and jitter"][1]}  # trained above
for strength in (0.25, 0.5):
    h, _ = pretrain(simclr(augment.Compose(Crop(min_area=0.2), augment.Jitter(strength))))
    at[strength] = answered(h, f"strength/{strength:g}")
by_strength = {question: [at[s][j].item() for s in sorted(at)] for j, question in enumerate(QUESTIONS)}
view_figures.doses(sorted(at), by_strength, "strength of the jitter behind the crop")

# %% break-interpret [markdown]
# Without jitter, features are features of colour: colour {{ tasks/crop and resize/colour }}, side
# {{ tasks/crop and resize/side }}, height {{ tasks/crop and resize/height }}. With jitter at a quarter of its strength,
# the place comes back (side {{ strength/0.25/side }}, height {{ strength/0.25/height }}), though the crops are the
# same. It costs some of the colour ({{ strength/0.25/colour }}). Full strength costs more of it
# ({{ tasks/crop and jitter/colour }}), and the place gains little ({{ tasks/crop and jitter/side }}).
#
# This is how you find a shortcut in your own data: ask the features for what they *should not need*, and see whether
# they know it better than all else. And this is how you close it: vary it in the views. How much? That depends on the
# question again. For the colour, the best strength is zero.
#
# {{ claim: strength/0.25/side > tasks/crop and resize/side by 0.08 }}
# {{ claim: strength/0.25/height > tasks/crop and resize/height by 0.08 }}
# {{ claim: strength/0.25/colour < tasks/crop and resize/colour by 0.02 }}
# {{ claim: tasks/crop and jitter/colour < strength/0.25/colour by 0.05 }}
# {{ claim: tasks/crop and jitter/side ~ strength/0.25/side within 0.08 }}
# {{ claim: tasks/crop and resize/colour > strength/0.5/colour }}
# {{ claim: tasks/crop and resize/colour > tasks/crop and jitter/colour }}

# %% reflect [markdown]
# ## Reflect
#
# - In contrastive learning the augmentations decide what the pretext task $P$ asks. They hide what they vary and more,
#   and what is left can become more important.
# - Invariance alone is no merit: a network that answers the same to everything has all of it. Measure beside it what
#   can still be told apart, and by whom: raw, random, supervised.
# - What a head must predict, features must show, in whatever way is easiest.
# - Before you choose augmentations, write down the questions that the features must answer, and for each augmentation,
#   which of them it makes unanswerable.
#
# **Where it came from.** In 2014, each picture became a class of its own, and its random changes the examples of this
# class [@dosovitskiy2014discriminative]; how invariant a network's units are was measured factor by factor before that
# [@goodfellow2009measuring]. SimCLR compared augmentations in pairs [@chen2020simclr]. Good views share what the task
# needs and nothing else [@tian2020makes], so one embedding cannot suit all tasks [@xiao2021what]. Under assumptions, it
# can be proved that contrastive learning keeps just what augmentations leave alone [@kugelgen2021self].
#
# **And today?** Given enough pictures, DINOv2 came close to the state of the art with crops, not even resized, as its
# only augmentation (it also masks patches) [@moutakanni2024dont]. There, less must be put in by hand as data grow. Our
# sprites are few and simple, and our training is short: our numbers are no advice for photographs.
#
# **In the workflow** [@ericsson2021self]: this lesson was the $P$ of contrastive learning; `4.2` is its loss.
#
# **Try next**, one change at a time, and predict before you run: jitter with hue alone, over the whole circle; crops
# whose boxes a second head predicts; supervised training for the side, with flips in its views; a network that ends
# with a mean over all places.
