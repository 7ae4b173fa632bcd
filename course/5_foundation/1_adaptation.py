# %% title [markdown]
# # 5.1 Adaptation: from no labels to all
#
# **You have one pretrained encoder and a handful of labels. Leave it as it is, correct it a little, or train all of it
# on? And which of these still works when the world looks a little different tomorrow?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *SimCLR and MoCo*.

# %% setup setup=true
import copy
import time
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, augment, checks, contrastive, data, encoders, figures, ledger
from sslcourse import measures, training
from sslcourse.figures import adaptation as adaptation_figures

check = checks.of_lesson("5.1")
probe_step, prototypes, lora = check.blanks()

# %% ledger
log = ledger.of_lesson("5.1")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
photos, sprites = data.load("photos"), data.load("sprites")
print(photos, sprites, f"Training on {device}.", sep="\n")

# %% workflow-text [markdown]
# Pretraining is over: it found $\theta^*$ for the encoder $h_\theta$, and the head $k_\gamma$ is thrown away.
# **Adaptation** is all that comes after: an output module $g_\phi$ for the target, and perhaps a change of $\theta$. A
# *foundation model* is by definition one that is trained once and adapted to many tasks [@bommasani2021opportunities];
# so how it is adapted is half of the story. Seven ways, from the one that changes nothing to the one that changes
# everything:
#
# | way | what the labels decide | $\theta$ |
# |---|---|---|
# | **zero-shot** | nothing of this class, which is only described | stays $\theta^*$ |
# | **prototypes** | one mean feature for each class | stays $\theta^*$ |
# | **kNN** | nothing is computed: labeled samples vote | stays $\theta^*$ |
# | **linear probe** | a linear $g_\phi$ | stays $\theta^*$ |
# | **LoRA** | $g_\phi$, and a correction of low rank for each convolution | $\theta^*$ plus a little |
# | **probe, then fine-tune** | $g_\phi$ first, then $g_\phi$ and $\theta$ | starts at $\theta^*$ |
# | **fine-tune** | $g_\phi$ from random numbers, and $\theta$ | starts at $\theta^*$ |
#
# All but the first get the same encoder: SimCLR of lesson `4.2` on `photos`, whose views change colours, pretrained
# here and now. The class of a patch is the photograph it was cut from. (Zero-shot needs things that can be described,
# and gets `sprites`.)

# %% pretrain
EPOCHS = training.budget(cpu=6, gpu=60)
encoder = encoders.ConvNet(in_channels=3)
task = contrastive.SimCLR(encoder.dim, temperature=0.2)
history = training.pretrain(encoder, task, photos.unlabeled(), epochs=EPOCHS, seed=log.seed)
figures.training({"SimCLR": history})

# %% predict [markdown]
# ## Predict
#
# You have *all* labels of the training patches, 400 a photograph. Two students adapt this encoder. One freezes it and
# fits a linear probe. The other fine-tunes everything, on patches that are cropped and mirrored, in their colours. Both
# are tested on new patches as they are, and on the same patches made **grey**. Who wins where? Commit to an answer,
# then open it.
#
# <details><summary>A. Fine-tuning wins both: it can do all that a probe can, and more.</summary>
# It can. But what is trained is the loss on <em>colour</em> patches. Nothing in it asks for what the encoder does on
# grey ones to stay as it was.</details>
#
# <details><summary>B. The probe wins both: so few labels cannot train two hundred thousand numbers.</summary>
# A good worry with one label a class. But training does not start from nothing, and 400 a class are not few. You will
# see the curve over all budgets.</details>
#
# <details><summary>C. Fine-tuning wins on the patches as they are, the probe on the grey ones.</summary>
# Right about the grey ones. On the patches as they are, our runs cannot tell which is ahead. Fine-tuning *bends*
# features towards what the labels ask for, colour included. But do not make a law of it: we will turn the patches and
# add noise, too.</details>
#
# <details><summary>D. No difference that one could measure.</summary>
# Not on the grey ones, as you will see. We will also measure how far the features go, and whether that explains it.
# </details>

# %% see [markdown]
# ## See
#
# ### What a label budget buys
#
# Features $h$ of the frozen encoder, in a plane: six of the thirteen photographs, training patches. Outlined ones have
# a label. **Move the first slider**: more labels. **Move the second**: the same number, other patches. How far does the
# right side jump when you only change *which* patches somebody happened to label?
#
# From all features we take their mean over the training patches. That needs no label, and cosines then tell directions
# apart [@wang2019simpleshot].

# %% budget-features
h_train, h_val, h_test = (measures.embed(encoder, split.x).cpu() for split in (photos.train, photos.val, photos.test))
center = h_train.mean(dim=0)  # of all training patches: that needs no label
h_train, h_val, h_test = (h - center for h in (h_train, h_val, h_test))
CLASSES, DRAWS, SHOWN = len(photos.classes), 5, [0, 1, 5, 6, 9, 11]


def rows_with_labels(labels, seed):
    """The rows of the training split that have labels, if each class has so many."""
    return adaptation.labeled_rows(photos.train.y, labels, seed)


def hits(guess):
    """The share of test patches whose class is guessed right."""
    return (guess == photos.test.y).float().mean().item()


def scores(rows):
    """Accuracy of the three ways that need no training of the encoder, with these rows labeled."""
    h, y = h_train[rows], photos.train.y[rows]
    W, b = adaptation.train_probe(h / h.std(), y, CLASSES, decay=0.01)
    return {
        "prototypes": hits(adaptation.by_prototypes(h_test, h, y, CLASSES)),
        "kNN": hits(adaptation.by_neighbours(h_test, h, y, CLASSES, k=min(5, len(rows) // CLASSES))),
        "linear probe": hits((h_test / h.std() @ W.T + b).argmax(dim=1)),
    }


FEW = [1, 2, 5, 10, 20, 50]
table = [{n: scores(rows_with_labels(n, seed)) for n in FEW} for seed in range(DRAWS)]
curves = [{way: {n: row[n][way] for n in FEW} for way in row[1]} for row in table]
for way in curves[0]:
    for n in (1, 2, 10, 50):
        drawn = torch.tensor([curve[way][n] for curve in curves])
        log.record(f"draws/{way}, mean/{n}", drawn.mean(), unit="accuracy")
        log.record(f"draws/{way}, standard deviation/{n}", drawn.std(), unit="accuracy")

# %% budget-widget
plane = h_train @ torch.linalg.svd(h_train, full_matrices=False).Vh[:2].T
shown_as = torch.full((CLASSES,), len(SHOWN)).scatter(0, torch.tensor(SHOWN), torch.arange(len(SHOWN)))
adaptation_figures.budget_sliders(
    lambda labels, number: adaptation_figures.budget(
        plane,
        shown_as[photos.train.y],
        rows_with_labels(labels, number),
        [photos.classes[label] for label in SHOWN],
        curves[number],
        labels,
    ),
    FEW,
    DRAWS,
)

# %% budget-interpret [markdown]
# Two things to take along. With one label a class, *which* patches were labeled moves the curves by
# {{ draws/linear probe, standard deviation/1 }} (standard deviation over five draws), far more than the way does:
# whoever reports one draw reports luck. And there a plain mean, the prototype ({{ draws/prototypes, mean/1 }}), comes
# within about a hundredth of a classifier that is trained ({{ draws/linear probe, mean/1 }}). With fifty labels a
# class the probe is far ahead ({{ draws/linear probe, mean/50 }}, prototypes {{ draws/prototypes, mean/50 }}): a class
# is more than its mean.
#
# {{ claim: draws/linear probe, standard deviation/1 > 0.03 }}
# {{ claim: draws/prototypes, mean/1 ~ draws/linear probe, mean/1 within 0.015 }}
# {{ claim: draws/linear probe, mean/50 > draws/prototypes, mean/50 by 0.1 }}

# %% build [markdown]
# ## Build
#
# Each check draws fresh random inputs and tells you what is wrong and how it knows. **If you leave one open, the lesson
# goes on with the reference answer.**
#
# {{ course: exercises }}

# %% probe-text [markdown]
# ### 1. One step of a linear probe
#
# $h$ $(N, D)$ are frozen features, $y$ $(N)$ their labels. The probe has a row of $W$ $(C, D)$ and an entry of $b$
# $(C)$ for each of $C$ classes, and says $p_n = \mathrm{softmax}(W h_n + b)$. Its loss is convex, so that plain
# gradient descent finds its minimum; $\lVert W \rVert^2$ is the sum of squares:
#
# $$\mathcal{L} = \frac{1}{N} \sum_{n=1}^{N} -\log p_{n, y_n} + \frac{\lambda}{2} \lVert W \rVert^2.$$
#
# Let $e_n = (p_n - \mathrm{onehot}(y_n)) / N$, the **error** in the logits of sample $n$. Then
#
# $$\frac{\partial \mathcal{L}}{\partial W} = \sum_n e_n h_n^\top + \lambda W, \qquad
# \frac{\partial \mathcal{L}}{\partial b} = \sum_n e_n, \qquad
# \frac{\partial \mathcal{L}}{\partial h_n} = W^\top e_n .$$
#
# You need the first two. Keep the third in mind: it is what **fine-tuning** sends down into the encoder, and it passes
# through $W$. Return $W$ and $b$ after one step of gradient descent with rate `lr`; `decay` is $\lambda$; $b$ has no
# penalty.
#
# <details><summary>Hint 1</summary>Make the matrix of all errors first, of shape (N, C), from a softmax over each row.
# <code>F.one_hot(y, len(W))</code> is the matrix of the labels.</details>
# <details><summary>Hint 2</summary>A sum of outer products over samples is one product of matrices: which of
# <code>error</code> and <code>h</code> must be transposed, so that (C, D) comes out?</details>


# %% probe_step exercise="probe_step"
def probe_step(W, b, h, y, lr, decay):
    """One step of gradient descent for W (C,D) and b (C,) on features h (N,D) with labels y (N,): the new W and b."""
    ### BEGIN SOLUTION
    error = ((h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))) / len(h)
    return W - lr * (error.T @ h + decay * W), b - lr * error.sum(dim=0)
    ### END SOLUTION


# %% probe_step-check check="probe_step"
probe_step = check(probe_step)

# %% prototypes-text [markdown]
# ### 2. Prototypes
#
# The cheapest classifier there is: for each class $c$ the mean of its samples' features, a **prototype**
# [@snell2017prototypical]. We compare directions, so everything has length one:
#
# $$\hat h_n = \frac{h_n}{\lVert h_n \rVert}, \qquad
# m_c = \frac{1}{N_c} \sum_{n:\, y_n = c} \hat h_n, \qquad
# \text{prototype}_c = \frac{m_c}{\lVert m_c \rVert},$$
#
# and a new sample gets the class whose prototype has the largest cosine with it. Return all prototypes, of shape
# (`classes`, $D$), row $c$ for class $c$; a row of zeros for a class that has no sample.
#
# <details><summary>Hint 1</summary>The factor one over N_c does not matter: what comes out is made of length one. A sum
# of the rows of each class is enough.</details>
# <details><summary>Hint 2</summary>With <code>members = F.one_hot(y, classes)</code> as floats, (N, classes), the sums
# of all classes are one product of matrices. <code>F.normalize(..., dim=1)</code> leaves zeros alone.</details>


# %% prototypes exercise="prototypes"
def prototypes(h, y, classes):
    """One direction for each class, (classes,D), of features h (N,D) with labels y (N,)."""
    ### BEGIN SOLUTION
    members = F.one_hot(y, classes).to(h.dtype)
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)
    ### END SOLUTION


# %% prototypes-check check="prototypes"
prototypes = check(prototypes)

# %% lora-text [markdown]
# ### 3. A layer with a low-rank adapter
#
# Fine-tuning changes a weight $W_0$ by some $\Delta W$ of the same size. LoRA keeps $W_0$ and lets the change have
# rank $r$ only [@hu2022lora], section 4.1:
#
# $$\mathrm{layer}'(x) = \mathrm{layer}(x) + \frac{\alpha}{r}\, B A\, x, \qquad
# A \in \mathbb{R}^{r \times \mathrm{in}}, \quad B \in \mathbb{R}^{\mathrm{out} \times r}.$$
#
# - The layer, weight and bias, is **frozen**; only $A$ and $B$ learn.
# - $B$ starts at **zero** and $A$ at random: at its start the new layer *is* the old one.
# - $x$ has any number of batch dimensions, and samples are rows: in code it is `x @ A.T @ B.T`.
#
# `layer` is an `nn.Linear`; return a module.
#
# <details><summary>Hint 1</summary>Each module has a method <code>requires_grad_</code> that freezes all its parameters
# at once. What shall learn must be an <code>nn.Parameter</code> that is an attribute of the module. Why may A and B not
# both start at zero?</details>
# <details><summary>Hint 2</summary>A has <code>rank</code> rows and <code>layer.in_features</code> columns; random
# numbers divided by the root of the number of columns keep its answers about as large as x. B has
# <code>layer.out_features</code> rows. <code>forward</code> adds two terms.</details>


# %% lora exercise="lora"
def lora(layer, rank, alpha):
    """A module that answers layer(x) + alpha/rank x A^T B^T; the nn.Linear is frozen, only A and B learn."""

    class LoRA(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer
            ### BEGIN SOLUTION
            layer.requires_grad_(False)
            self.A = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
            self.B = nn.Parameter(torch.zeros(layer.out_features, rank))
            ### END SOLUTION

        def forward(self, x):
            ### BEGIN SOLUTION
            return self.layer(x) + alpha / rank * (x @ self.A.T @ self.B.T)
            ### END SOLUTION

    return LoRA()


# %% lora-check check="lora"
lora = check(lora)

# %% lora-convolution [markdown]
# **And a convolution?** It is a linear layer as well: one that is applied to every patch of the picture. Write its
# weight $(\mathrm{out}, c, s, s)$, for $c$ channels and a kernel $s$ pixels wide, as a matrix $(\mathrm{out}, c s^2)$,
# and your adapter fits. `adaptation.add_lora` does so with all three convolutions of our encoder. After training,
# $W_0 + \frac{\alpha}{r} B A$ can be merged into one weight: then nothing is slower than before. And as a task is only
# its $A$ and $B$, a hundred tasks can share one $W_0$.

# %% train [markdown]
# ## Train
#
# ### A probe, by your steps
#
# Ten labels a class, frozen features, three hundred of your steps from zero. Beside it: the course's probe, which
# scikit-learn fits to its minimum, and for which validation patches, ten a class as well, choose $\lambda$ and how the
# features are scaled.

# %% train-probe
rows = rows_with_labels(10, log.seed)
h, y = h_train[rows] / h_train[rows].std(), photos.train.y[rows]
W, b = adaptation.train_probe(h, y, CLASSES, decay=0.01, step=probe_step)
yours = hits((h_test / h_train[rows].std() @ W.T + b).argmax(dim=1))
library = adaptation.linear_probe(encoder, photos, 10, seed=log.seed)
log.record("probe/your steps/test patches", yours, unit="accuracy")
log.record("probe/scikit-learn/test patches", library.accuracy, unit="accuracy")
log.table("probe/")

# %% train-probe-interpret [markdown]
# On the mean the two agree; in a single run they differ by what $\lambda$ and the scaling of the features make. A
# probe needs no GPU and no augmentation, and as its loss is convex, no lucky start. That makes it the standard
# measure of features, and the honest first thing to try.
#
# ### Three ways to move the encoder, and a control
#
# Each takes {{ training/steps/of at most 128 patches }} steps, at one rate, on patches that are cropped and mirrored.
# They differ in where $g_\phi$ starts and in what may move:
#
# - **probe, then crops**: $g_\phi$ is the fitted probe and learns on, $\theta$ stays. This is the *control*: trained on
#   the same crops for as many steps, so that what it shows as well does not come from moving $\theta$;
# - **fine-tune**: $g_\phi$ from random numbers, and without the fitted one's scaling; everything learns;
# - **probe, then fine-tune**: $g_\phi$ is the fitted probe; everything learns [@kumar2022finetuning];
# - **LoRA**: $g_\phi$ is the fitted probe; it learns, and so do *your* $A$ and $B$, of rank
#   {{ training/LoRA/rank }}.
#
# A confession: rate, number of steps, and whether batch normalisation uses each batch's mean (yes where all learns, no
# where $\theta^*$ is kept), we, the authors, chose on all validation patches and with other seeds.
# The rank we just set.
#
# {{ claim: probe/your steps/test patches ~ probe/scikit-learn/test patches within 0.025 }}

# %% train-ways
RANK, ALPHA = 4, 8
log.record("training/steps/of at most 128 patches", adaptation.STEPS, digits=0)
log.record("training/LoRA/rank", RANK, digits=0)


def adapt(way, labels, **options):
    """The classifier that a way makes of so many labels a class (None: all), encoder first."""
    train = adaptation.few_labels(photos.train, labels, log.seed)
    torch.manual_seed(log.seed)
    start, head = encoder, nn.Linear(encoder.dim, CLASSES)
    if way in ("linear probe", "probe, then crops", "probe, then fine-tune", "LoRA"):
        head = adaptation.linear_probe(encoder, photos, labels, seed=log.seed).head
    if way == "linear probe":
        return nn.Sequential(encoder, head.to(device))
    if way == "supervised":
        return adaptation.supervised(photos, labels, log.seed)
    if way == "LoRA":
        start = adaptation.add_lora(encoder, RANK, ALPHA, lora=lora)
    if way == "probe, then crops":
        start = copy.deepcopy(encoder).requires_grad_(False)
    if way in ("LoRA", "probe, then crops"):
        options["averages"] = False
    return adaptation.fine_tune(start, head, train, seed=log.seed, **options)


WAYS = ("linear probe", "probe, then crops", "LoRA", "probe, then fine-tune", "fine-tune", "supervised")
models = {}
for way in WAYS:
    begin = time.perf_counter()
    models[way, "10"] = adapt(way, 10)
    log.record(f"cost/{way}/seconds, 10 labels a class", time.perf_counter() - begin, unit="s", digits=1)
    numbers = adaptation.learned(models[way, "10"] if way != "linear probe" else models[way, "10"][1])
    log.record(f"cost/{way}/numbers that learn", numbers, digits=0)
log.table("cost/")

# %% train-ways-interpret [markdown]
# The last row, **supervised**, is the reference of all lessons: the same network from random weights, on the same
# labels and the same kind of crops, but with a recipe of its own, which validation data chose with other seeds. It
# trains **longer** than the rows above it: on a CPU, with ten labels a class 840 steps of all 130 patches, with all
# labels 420 steps of 256. (What was trained on this machine before is read from disk; then its seconds say nothing.)
#
# LoRA learns {{ cost/LoRA/numbers that learn }} numbers where fine-tuning moves
# {{ cost/fine-tune/numbers that learn }}; most of what it learns is $A$ and $B$. It is *not* quicker here: gradients
# must still pass through the whole network. What it saves is the memory of the optimiser, and what must be stored for
# each task: that counts for models of billions of numbers [@hu2022lora], not for ours.
#
# {{ claim: cost/supervised/seconds, 10 labels a class > cost/fine-tune/seconds, 10 labels a class by 10 }}
# {{ claim: cost/LoRA/seconds, 10 labels a class > cost/fine-tune/seconds, 10 labels a class }}

# %% measure [markdown]
# ## Measure
#
# ### Over label budgets
#
# From one label a class to all, each way on the same labels; beside them the linear probe on **raw input** and on a
# **random encoder**, and **supervised** training. kNN's $k$ and the probe's $\lambda$ and scaling are chosen on
# validation patches, with no more labels a class than there are to train on. Whatever is trained from end to end is
# measured with one label a class, with ten and with all only: each point is a training run. Lines are this run,
# bands the ledger's mean and spread.

# %% measure-frozen
BUDGETS = {"1": 1, "2": 2, "5": 5, "10": 10, "50": 50, "all": None}
THREE = ("1", "10", "all")  # for the references, and where each budget is a training run


adapted = adaptation.Frozen(encoder, photos)


def neighbours(labels):
    """kNN on the test patches, with the k that is best on as many validation patches a class as have labels."""
    found = adapted.nearest(labels, log.seed)
    return found.get("kNN", found["prototypes"])  # with one label a class the two are one


def nearest_prototype(labels):
    """Your prototypes on the test patches."""
    rows = rows_with_labels(labels, log.seed)
    made = prototypes(h_train[rows], photos.train.y[rows], CLASSES)
    return hits((F.normalize(h_test, dim=1) @ made.T).argmax(dim=1))


frozen = {
    "prototypes": nearest_prototype,
    "kNN": neighbours,
    "linear probe": encoder,
}
accuracies = adaptation.budgets(photos, frozen, BUDGETS, seed=log.seed, log=log, group="photos")

torch.manual_seed(log.seed)
random = encoders.calibrate(encoders.ConvNet(in_channels=3).to(device), photos.unlabeled(), seed=log.seed)
untrained = {"raw input": nn.Flatten(), "random init": random}
references = {}
for way, h in untrained.items():
    frozen_way = adaptation.Frozen(h, photos)
    results = {name: frozen_way.probe(BUDGETS[name], log.seed) for name in THREE}
    references[way] = results
    accuracies[way] = {
        name: log.record(f"photos/{way}/{name}", result.accuracy, unit="accuracy") for name, result in results.items()
    }

# %% measure-moved
for way in WAYS[1:]:
    accuracies[way] = {}
    for name in THREE:
        if (way, name) not in models:
            models[way, name] = adapt(way, BUDGETS[name])
        accuracy = adaptation.accuracy(models[way, name], photos.test.x, photos.test.y)
        accuracies[way][name] = log.record(f"photos/{way}/{name}", accuracy, unit="accuracy")
        log.record(f"gain/{way}/{name}", accuracy - accuracies["linear probe"][name], unit="accuracy")

# %% measure-figure
panels = {
    "the encoder stays": ("linear probe", "kNN", "prototypes", "random init", "raw input"),
    "the encoder moves": ("linear probe", "LoRA", "probe, then fine-tune", "fine-tune", "supervised"),
}
adaptation_figures.curves(
    {title: {way: accuracies[way] for way in ways} for title, ways in panels.items()},
    log.spread("photos/"),
    chance=1 / CLASSES,
)

# %% measure-table
log.table("photos/")

# %% gain-table
log.table("gain/")

# %% measure-interpret [markdown]
# In brackets: mean and standard deviation over several seeds, each with a pretraining and a draw of the labels of its
# own. The second table is the **gain** over the linear probe, taken within each seed, so that a lucky draw helps both
# sides. A difference in this text stands with its *standard error*; less than two of them is no finding.
#
# - **One label a class**: prototypes {{ photos/prototypes/1 }}, probe {{ photos/linear probe/1 }}, fine-tuning {{
#   photos/fine-tune/1 }}, supervised {{ photos/supervised/1 }}. The draw decides, and prototypes cost nothing. Of the
#   ways that move $\theta$, only LoRA is behind the probe ({{ difference: photos/LoRA/1 - photos/linear probe/1 }}).
#   (kNN with one label *is* the prototype, sample by sample.)
# - **Ten labels a class**: the probe ({{ photos/linear probe/10 }}) is far ahead of prototypes
#   ({{ photos/prototypes/10 }}) and raw input ({{ photos/raw input/10 }}). From a random encoder
#   ({{ photos/random init/10 }}) our runs cannot tell it; with all labels they can. Fine-tuning gains
#   {{ difference: photos/fine-tune/10 - photos/linear probe/10 }} over the probe.
# - **All labels**: whether fine-tuning gains anything, our runs cannot tell
#   ({{ difference: photos/fine-tune/all - photos/linear probe/all }}); LoRA loses a little
#   ({{ difference: photos/LoRA/all - photos/linear probe/all }}). **kNN** ({{ photos/kNN/all }}) is far ahead of
#   prototypes ({{ photos/prototypes/all }}), perhaps as a class has several places, and behind the probe
#   ({{ photos/linear probe/all }}), which can weigh directions.
# - **The control**, a frozen encoder whose $g_\phi$ is trained on crops like the others, gains nothing with ten
#   labels a class ({{ difference: photos/probe, then crops/10 - photos/linear probe/10 }}): there, training on crops
#   is not what fine-tuning gains by.
# - **And the unwelcome row: supervised**, from random weights, ends as high as fine-tuning ({{ photos/supervised/10 }}
#   with ten labels a class, {{ photos/supervised/all }} with all; fine-tune {{ photos/fine-tune/10 }} and
#   {{ photos/fine-tune/all }}). An earlier edition said that pretraining buys a little. Its supervised network had
#   been trained as briefly as the fine-tuned one; given its own time, it catches up. So pretraining saved no labels
#   here. Fine-tuning took fewer steps; whether it would gain from more, we have not measured.
#
# With all labels this test gives little reason to choose between the probe and fine-tuning. So we ask what else has
# changed.
#
# {{ claim: photos/prototypes/1 ~ photos/linear probe/1 within 0.02; photos/LoRA/1 < photos/linear probe/1 }}
# {{ claim: photos/linear probe/10 > photos/prototypes/10 by 0.08 }}
# {{ claim: photos/linear probe/10 > photos/raw input/10 by 0.2 }}
# {{ claim: photos/linear probe/all > photos/random init/all }}
# {{ claim: photos/fine-tune/10 > photos/linear probe/10 }}
# {{ claim: photos/LoRA/all < photos/linear probe/all }}
# {{ claim: photos/kNN/all > photos/prototypes/all by 0.1; photos/kNN/all < photos/linear probe/all by 0.03 }}
# {{ claim: photos/probe, then crops/10 ~ photos/linear probe/10 within 0.01 }}
# {{ claim: photos/fine-tune/10 > photos/probe, then crops/10 }}
# {{ claim: photos/fine-tune/10 ~ photos/supervised/10 within 0.02 }}
# {{ claim: photos/fine-tune/all ~ photos/supervised/all within 0.03 }}

# %% zero-text [markdown]
# ### No label at all
#
# How can a class be recognised of which nobody labeled one sample? By a **description**, if features can be mapped to
# what descriptions say. On `sprites` the class is the *name of the colour*. Six colours have labels: red, yellow,
# green, cyan, blue, magenta. Six others, such as orange, have none. But everybody can describe orange: all of the red,
# half of the green, none of the blue. So we fit a linear map from frozen features to the three numbers of the
# description, with **labeled colours only**, and give a new picture the class whose description is nearest: in the
# spirit of attribute-based classification [@lampert2009learning].
#
# The encoder is SimCLR on sprites without labels, with views that are cropped only, because this time colour must
# survive.

# %% zero-run
COLOURS = ("red", "orange", "yellow", "lime", "green", "spring", "cyan", "azure", "blue", "violet", "magenta", "rose")
descriptions = torch.tensor(
    [[1, 0, 0], [1, 0.5, 0], [1, 1, 0], [0.5, 1, 0], [0, 1, 0], [0, 1, 0.5],
     [0, 1, 1], [0, 0.5, 1], [0, 0, 1], [0.5, 0, 1], [1, 0, 1], [1, 0, 0.5]]
)  # fmt: skip
named = {
    split: (12 * getattr(sprites, split).factors["color"]).round().long() % 12 for split in ("train", "val", "test")
}
with_name, without = torch.arange(0, 12, 2), torch.arange(1, 12, 2)
torch.manual_seed(log.seed)
sprite_encoder = encoders.ConvNet(in_channels=3)
sprite_task = contrastive.SimCLR(sprite_encoder.dim, views=augment.Crop(min_area=0.3, flip=0.5))
sprite_history = training.pretrain(
    sprite_encoder, sprite_task, sprites.unlabeled(), training.budget(cpu=4, gpu=30), seed=log.seed
)
figures.training({"SimCLR on sprites": sprite_history})

# %% zero-colours
figures.pictures({COLOURS[c]: sprites.test.x[named["test"] == c][:6] for c in (0, 1, 2, 3)})

# %% zero-measure
torch.manual_seed(log.seed)
random = encoders.calibrate(encoders.ConvNet(3).to(device), sprites.unlabeled(), seed=log.seed)
zero_encoders = {"raw input": nn.Flatten(), "random init": random, "SimCLR": sprite_encoder}
seen = torch.isin(named["train"], with_name)
labeled = data.Split(sprites.train.x[seen], named["train"][seen])
nobody_labeled = torch.isin(named["test"], without)
x_new, y_new = sprites.test.x[nobody_labeled], named["test"][nobody_labeled]
for n in (1, 5):
    few = adaptation.few_labels(labeled, n, log.seed)
    for name, h in zero_encoders.items():
        described = adaptation.attribute_probe(h, few, descriptions)
        among_six = without[adaptation.by_description(h, described, x_new, descriptions[without])]
        among_all = adaptation.by_description(h, described, x_new, descriptions)
        pulled = torch.isin(among_all, with_name).float().mean()
        group = f"zero-shot, {n} label{'s' if n > 1 else ''} of each other colour"
        log.record(f"{group}/{name}/among six", (among_six == y_new).float().mean(), unit="accuracy")
        log.record(f"{group}/{name}/among all twelve", (among_all == y_new).float().mean(), unit="accuracy")
        log.record(f"{group}/{name}/given a name with labels", pulled, unit="accuracy")
    with_labels = replace(
        sprites,
        classes=COLOURS,
        train=data.Split(sprites.train.x, named["train"]),
        val=data.Split(sprites.val.x, named["val"]),
        test=data.Split(x_new, y_new),
    )
    accuracy = adaptation.linear_probe(sprite_encoder, with_labels, n, seed=log.seed).accuracy
    log.record(f"{group}/SimCLR, probe with labels of all twelve/among all twelve", accuracy, unit="accuracy")
log.table("zero-shot, 1 label of each other colour/")

# %% zero-table
log.table("zero-shot, 5 labels of each other colour/")

# %% zero-interpret [markdown]
# With a single labeled sprite of each *other* colour, SimCLR's features name
# {{ zero-shot, 1 label of each other colour/SimCLR/among six }} of the sprites whose colours nobody labeled, if one of
# these six must be chosen. Guessing would give a sixth. If all twelve names are allowed, it is
# {{ zero-shot, 1 label of each other colour/SimCLR/among all twelve }}: a share of
# {{ zero-shot, 1 label of each other colour/SimCLR/given a name with labels }} is given a name that had labels, such as
# red for orange, because the map was fitted to these. That pull is the rule in zero-shot learning, and tests among
# unseen classes alone hide it [@chao2016empirical].
#
# Look at the references, too. A **random encoder** names
# {{ zero-shot, 1 label of each other colour/random init/among six }} and
# {{ zero-shot, 1 label of each other colour/random init/among all twelve }}, and our runs cannot tell the two apart;
# raw pixels are far behind ({{ zero-shot, 1 label of each other colour/raw input/among six }}). With five labels of
# each other colour, our runs can tell none of the three from the others among twelve. Colour is easy to read; it is
# the *description* that does the work here and not, as far as we can tell, the pretraining. How much work? A probe
# that gets labels of **every** colour, the six included, is ahead with five of each
# ({{ zero-shot, 5 labels of each other colour/SimCLR, probe with labels of all twelve/among all twelve }}, described
# {{ zero-shot, 5 labels of each other colour/SimCLR/among all twelve }}). With one of each, the spread is too wide to
# say.
#
# {{ claim: zero-shot, 1 label of each other colour/SimCLR/among six > zero-shot, 1 label of each other colour/raw
# input/among six by 0.2 }}
# {{ claim: zero-shot, 1 label of each other colour/random init/among six > zero-shot, 1 label of each other colour/raw
# input/among six by 0.2 }}
# {{ claim: zero-shot, 5 labels of each other colour/SimCLR, probe with labels of all twelve/among all twelve >
# zero-shot, 5 labels of each other colour/SimCLR/among all twelve }}

# %% break [markdown]
# ## Break it
#
# ### The world changes
#
# Same classifiers, nothing trained anew. The test patches come as they are, made **grey**, with **noise** (standard
# deviation a tenth of the range), and **turned** by a quarter. The strengths were fixed before we looked.


# %% break-shifts
def shifted(x, seed=0):
    """Patches (N,3,32,32) uint8 in four kinds: {kind: patches, float}."""
    x = measures.to_float(x)
    every, noise = torch.ones(len(x)), torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return {
        "as they are": x,
        "grey": augment.color_drop(x, every),
        "noise": augment.functional.gaussian_noise(x, 0.1 * every, noise),
        "turned": x.rot90(1, dims=(2, 3)),
    }


kinds = shifted(photos.test.x)
figures.pictures({kind: x[40::140] for kind, x in kinds.items()})

# %% break-shift-run
GROUPS = {"10": "shift, 10 labels a class", "all": "shift, all labels"}
models["linear probe", "all"] = adapt("linear probe", None)
under_shift = {group: {} for group in GROUPS.values()}


def record_shift(name, way, score):
    """Record the accuracy on each kind of test patch, score(x), of a way with this budget."""
    row = under_shift[GROUPS[name]][way] = {
        kind: log.record(f"{GROUPS[name]}/{way}/{kind}", score(x), unit="accuracy") for kind, x in kinds.items()
    }
    for kind, value in row.items():
        ahead = value - under_shift[GROUPS[name]]["linear probe"][kind]
        log.record(f"less the probe, {name}/{way}/{kind}", ahead, unit="accuracy")


for name in GROUPS:
    for way in WAYS:
        record_shift(name, way, lambda x, model=models[way, name]: adaptation.accuracy(model, x, photos.test.y))
    for way in untrained:
        record_shift(name, way, lambda x, probe=references[way][name]: probe.score(x, photos.test.y))
adaptation_figures.shifts(
    {group: {way: rows[way] for way in WAYS} for group, rows in under_shift.items()},
    "accuracy on test",
    1 / CLASSES,
    {group: log.spread(f"{group}/") for group in GROUPS.values()},
)

# %% break-shift-table
log.table("shift, all labels/")

# %% break-shift-table-10
log.table("shift, 10 labels a class/")

# %% break-shift-interpret [markdown]
# Back to your prediction. Bars are this run, whiskers the ledger. In the text, differences from the linear probe, taken
# within each seed, with all labels and with their standard errors:
#
# - **Grey**: all who moved $\theta$ fall behind. LoRA
#   {{ difference: shift, all labels/LoRA/grey - shift, all labels/linear probe/grey }}, probe then fine-tune
#   {{ difference: shift, all labels/probe, then fine-tune/grey - shift, all labels/linear probe/grey }}, fine-tune
#   {{ difference: shift, all labels/fine-tune/grey - shift, all labels/linear probe/grey }}. The control falls, too,
#   but less ({{ difference: shift, all labels/probe, then crops/grey - shift, all labels/linear probe/grey }}): most
#   of what it costs, it costs to move $\theta$.
# - **Turned**: fine-tune is ahead
#   ({{ difference: shift, all labels/fine-tune/turned - shift, all labels/linear probe/turned }}), LoRA behind. Even a
#   random encoder is ahead of our frozen one here
#   ({{ difference: shift, all labels/random init/turned - shift, all labels/linear probe/turned }}).
# - **Noise**: fine-tune is ahead
#   ({{ difference: shift, all labels/fine-tune/noise - shift, all labels/linear probe/noise }}), LoRA behind
#   ({{ difference: shift, all labels/LoRA/noise - shift, all labels/linear probe/noise }}).
#
# That fine-tuning is ahead where it was trained and behind under shift was found on average over ten data sets
# [@kumar2022finetuning]. The same paper's **cure we do not see**: there, to fit the probe first and then to fine-tune
# was best on both sides. Here it is behind fine-tune alone on both: grey
# {{ shift, all labels/probe, then fine-tune/grey }} and {{ shift, all labels/fine-tune/grey }}, as they are
# {{ shift, all labels/probe, then fine-tune/as they are }} and {{ shift, all labels/fine-tune/as they are }}.
#
# Why grey? SimCLR's views change colours and drop them, and it shows a little: a random encoder's probe is farther
# behind the pretrained one's on grey patches ({{ less the probe, all/random init/grey }}) than on patches as they are
# ({{ less the probe, all/random init/as they are }}). The labeled patches never ask for grey, so fine-tuning is free
# to spend what pretraining taught of it. Turned or noisy views there were none, so perhaps there was less to spend.
# "Fine-tuning hurts under shift" is no law: **ask what pretraining taught that the labels do not ask for**.
#
# {{ claim: shift, all labels/LoRA/grey < shift, all labels/linear probe/grey }}
# {{ claim: shift, all labels/probe, then fine-tune/grey < shift, all labels/linear probe/grey by 0.03 }}
# {{ claim: shift, all labels/fine-tune/grey < shift, all labels/linear probe/grey by 0.02 }}
# {{ claim: shift, all labels/probe, then crops/grey < shift, all labels/linear probe/grey }}
# {{ claim: shift, all labels/fine-tune/grey < shift, all labels/probe, then crops/grey }}
# {{ claim: shift, all labels/LoRA/grey < shift, all labels/probe, then crops/grey }}
# {{ claim: shift, all labels/fine-tune/turned > shift, all labels/linear probe/turned by 0.04 }}
# {{ claim: shift, all labels/LoRA/turned < shift, all labels/linear probe/turned }}
# {{ claim: shift, all labels/random init/turned > shift, all labels/linear probe/turned }}
# {{ claim: shift, all labels/fine-tune/noise > shift, all labels/linear probe/noise by 0.05 }}
# {{ claim: shift, all labels/LoRA/noise < shift, all labels/linear probe/noise by 0.03 }}
# {{ claim: shift, all labels/probe, then fine-tune/grey < shift, all labels/fine-tune/grey }}
# {{ claim: shift, all labels/probe, then fine-tune/as they are < shift, all labels/fine-tune/as they are }}
# {{ claim: less the probe, all/random init/grey < less the probe, all/random init/as they are }}

# %% break-bend [markdown]
# ### How far did the features go?
#
# Take a test patch's features before and after, each with the mean of its side taken away (a shift that all features
# share is no bending), and their cosine: one, if nothing has moved. For each kind of patch, the mean over test patches.


# %% break-bend-run
def cosine(a, b):
    """Mean cosine of the rows of a and b (N,D), each with its mean taken away."""
    return F.cosine_similarity(a - a.mean(dim=0), b - b.mean(dim=0)).mean().item()


moved = {}
for way in ("LoRA", "probe, then fine-tune", "fine-tune"):
    for kind, x in kinds.items():
        value = cosine(measures.embed(encoder, x), measures.embed(models[way, "all"][0], x))
        moved.setdefault(way, {})[kind] = log.record(f"moved/{way}/{kind}", value, digits=2)
title = "the same patch, before and after adaptation to all labels"
adaptation_figures.shifts({title: moved}, "cosine of features", spread={title: log.spread("moved/")})

# %% break-bend-table
log.table("moved/")

# %% break-bend-interpret [markdown]
# With a random $g_\phi$, fine-tuning goes far: a cosine of {{ moved/fine-tune/as they are }} with where the features
# were. From a fitted probe, {{ moved/probe, then fine-tune/as they are }}; with LoRA, which also keeps batch
# normalisation as it was, {{ moved/LoRA/as they are }}. Fine-tune also ends ahead of both on patches as they are. But
# the way is not the gain: probe then fine-tune went farther than LoRA and ended where LoRA did. And grey, noisy and
# turned patches, which no label ever spoke of, are carried along about as far.
#
# {{ claim: moved/fine-tune/as they are < moved/probe, then fine-tune/as they are by 0.4 }}
# {{ claim: moved/probe, then fine-tune/as they are < moved/LoRA/as they are by 0.1 }}
# {{ claim: shift, all labels/fine-tune/as they are > shift, all labels/probe, then fine-tune/as they are }}
# {{ claim: shift, all labels/fine-tune/as they are > shift, all labels/LoRA/as they are }}
# {{ claim: shift, all labels/probe, then fine-tune/as they are ~ shift, all labels/LoRA/as they are within 0.03 }}
# {{ claim: moved/fine-tune/grey ~ moved/fine-tune/as they are within 0.05 }}
# {{ claim: moved/fine-tune/noise < moved/fine-tune/as they are }}

# %% break-push-text [markdown]
# Why does fine-tuning from a random $g_\phi$ go so much farther? Your third formula tells where each feature is pushed
# in the very first step: along $-W^\top e_n$. (A fitted $g_\phi$ scales features before $W$ reads them, and the push
# passes back through that as well; below, autograd takes care of it.) Does a random $W$ make larger errors, and so
# larger pushes? Measure before you believe it: the length of the push, times $N$, and its direction, as the cosine
# between the mean push on a class's patches and the class's **own direction**, from the mean of all features to the
# mean of the class.


# %% break-push-run
def first_push(head):
    """The loss's pull on the features, times N: mean length, and mean cosine with each class's own direction."""
    h, target = measures.embed(encoder, photos.train.x), F.one_hot(photos.train.y, CLASSES).float().to(device)
    h.requires_grad_()
    logits = head(h)
    errors = (target - logits.softmax(dim=1)).detach()
    (pull,) = torch.autograd.grad(F.cross_entropy(logits, photos.train.y.to(device), reduction="sum"), h)
    h, push = h.detach(), -pull
    counts = target.sum(dim=0)[:, None]
    own = target.T @ h / counts - h.mean(dim=0)
    along = F.cosine_similarity(target.T @ push / counts, own).mean()
    return {
        "length of the errors": errors.norm(dim=1).mean(),
        "length of the push": push.norm(dim=1).mean(),
        "cosine with the class's own direction": along,
    }


torch.manual_seed(log.seed)
heads = {"random": nn.Linear(encoder.dim, CLASSES).to(device), "fitted probe": models["linear probe", "all"][1]}
for name, head in heads.items():
    for column, value in first_push(head).items():
        log.record(f"first step/{name}/{column}", value, digits=2)
log.table("first step/")

# %% break-push-interpret [markdown]
# The errors are larger with a random $W$ ({{ first step/random/length of the errors }}, fitted {{ first step/fitted
# probe/length of the errors }}), as one would think. The pushes are **not** ({{ first step/random/length of the push
# }}, fitted {{ first step/fitted probe/length of the push }}): a fitted $W$ is large. And AdamW would not care,
# because it divides the length of a gradient out. What differs is the *direction*. A fitted $W$ pushes a class a
# little along what already tells it apart (cosine {{ first step/fitted probe/cosine with the class's own direction
# }}); a random $W$ pushes it where chance wants ({{ first step/random/cosine with the class's own direction }}). That
# fits the bending, but does not prove it: the fitted head also begins with less left to learn.
#
# {{ claim: first step/random/length of the errors > first step/fitted probe/length of the errors by 0.5 }}
# {{ claim: first step/random/length of the push < first step/fitted probe/length of the push by 0.2 }}
# {{ claim: first step/fitted probe/cosine with the class's own direction > 0.1 }}
# {{ claim: first step/random/cosine with the class's own direction ~ 0 within 0.05 }}

# %% break-lost [markdown]
# ### Lost, or only looked for elsewhere?
#
# A classifier that fails on grey patches may have lost what tells them apart, or its $g_\phi$ may look in the wrong
# place. An **analysis**, not a method, because it needs labels of the changed patches: keep each bent encoder, and
# refit a probe on *grey* training patches, fifty labels a class. If that works, the information is still there.


# %% break-lost-run
def of_kind(kind):
    """`photos` with all patches changed to a kind; no two splits share their noise."""
    splits = {name: getattr(photos, name) for name in ("test", "val", "train")}
    changed = {name: replace(part, x=shifted(part.x, i)[kind]) for i, (name, part) in enumerate(splits.items())}
    return replace(photos, **changed)


# The linear probe, and the probe on crops, leave the encoder as it was.
encoders_of = {way: models[way, "all"][0] for way in WAYS if way != "probe, then crops"}
encoders_of["random init"] = untrained["random init"]
for kind in ("grey", "turned"):
    changed = of_kind(kind)
    for way, h in encoders_of.items():
        accuracy = adaptation.linear_probe(h, changed, 50, seed=log.seed).accuracy
        log.record(f"refitted/{way}/{kind}", accuracy, unit="accuracy")
log.table("refitted/")

# %% break-agree
for way, h in encoders_of.items():
    for kind in ("grey", "noise", "turned"):
        log.record(f"invariance/{way}/{kind}", measures.invariance(h, kinds["as they are"], kinds[kind]), digits=2)
log.table("invariance/")

# %% break-lost-interpret [markdown]
# On grey patches the fine-tuned encoder, refitted, is not behind the frozen one: it is **ahead** ({{
# refitted/fine-tune/grey }}, frozen {{ refitted/linear probe/grey }}, random {{ refitted/random init/grey }}). So
# what the probe needs is still there. (The comparison favours fine-tune: its encoder has seen all labels, the frozen
# one none.) An earlier edition, whose probe had not converged, found them equal. Refitting helps the frozen encoder
# as well, which had {{ shift, all labels/linear probe/grey }}: that part is the shift. Fine-tune regains more than
# that: all that the bending had cost, and something beyond. And nobody gets back to the accuracy on colour.
#
# What was lost then, if not information? **Agreement**, in part. The last table has the invariance of lesson `4.1`:
# how alike a patch's features stay when it is made grey. Frozen {{ invariance/linear probe/grey }}, fine-tune {{
# invariance/fine-tune/grey }}, nearly as far down as supervised ({{ invariance/supervised/grey }}). A $g_\phi$ that
# was trained on colour patches must look for their grey twins elsewhere. For turned patches fine-tuning *made*
# agreement: {{ invariance/fine-tune/turned }}, frozen {{ invariance/linear probe/turned }}. Only in part: LoRA ({{
# invariance/LoRA/grey }}) lost far less of it and fell on grey patches all the same. And a random encoder ({{
# invariance/random init/grey }}) has more of it than fine-tune and does no better there. Agreement alone does not
# decide.
#
# On turned patches the refitted fine-tuned encoder is ahead, too ({{ refitted/fine-tune/turned }}, frozen
# {{ refitted/linear probe/turned }}): for telling these photographs apart, its features are better.
#
# {{ claim: refitted/fine-tune/grey > refitted/linear probe/grey }}
# {{ claim: refitted/linear probe/grey > refitted/random init/grey }}
# {{ claim: refitted/linear probe/grey > shift, all labels/linear probe/grey by 0.08 }}
# {{ claim: refitted/fine-tune/grey < shift, all labels/fine-tune/as they are by 0.1 }}
# {{ claim: invariance/linear probe/grey > invariance/fine-tune/grey by 0.15 }}
# {{ claim: invariance/fine-tune/grey > invariance/supervised/grey }}
# {{ claim: invariance/fine-tune/turned > invariance/linear probe/turned by 0.08 }}
# {{ claim: invariance/LoRA/grey > invariance/fine-tune/grey by 0.15 }}
# {{ claim: invariance/random init/grey > invariance/fine-tune/grey }}
# {{ claim: shift, all labels/random init/grey < shift, all labels/linear probe/grey }}
# {{ claim: refitted/fine-tune/turned > refitted/linear probe/turned }}

# %% break-mend [markdown]
# ### Bend it the other way
#
# Features go where the training patches send them. So send them: fine-tune once more, on all labels, with SimCLR's own
# views, colours and all.

# %% break-mend-run
mended = adapt("fine-tune", None, views=augment.simclr())
for name, model in {"colours stay": models["fine-tune", "all"], "colours vary": mended}.items():
    for kind, x in kinds.items():
        log.record(f"mend/{name}/{kind}", adaptation.accuracy(model, x, photos.test.y), unit="accuracy")
log.table("mend/")

# %% break-mend-interpret [markdown]
# On grey patches {{ mend/colours vary/grey }} instead of {{ mend/colours stay/grey }}, ahead of the frozen probe's
# {{ shift, all labels/linear probe/grey }}. The price is paid elsewhere: on turned patches
# ({{ mend/colours vary/turned }} instead of {{ mend/colours stay/turned }}) and on patches as they are
# ({{ mend/colours vary/as they are }} instead of {{ mend/colours stay/as they are }}). And notice what it took: we had
# to *know* that grey would come.
#
# **Your turn:** which of the seven ways would you take if you did not know what comes? Which labels would you buy?
#
# {{ claim: mend/colours vary/grey > mend/colours stay/grey by 0.05 }}
# {{ claim: mend/colours vary/grey > shift, all labels/linear probe/grey }}
# {{ claim: mend/colours vary/turned < mend/colours stay/turned by 0.03 }}
# {{ claim: mend/colours vary/as they are < mend/colours stay/as they are }}

# %% reflect [markdown]
# ## Reflect
#
# - Adaptation is a decision about what labels may change: nothing, a mean, $g_\phi$, a little of $\theta$, all of it.
# - Features go where the training patches send them. What nobody asks for may be spent, and may survive: only a test
#   set of that kind tells, beside a control that was trained alike and moved nothing.
# - A probe measures features. A fine-tuned accuracy measures features, optimiser and augmentation together.
# - Report the spread over *draws* of the labels, and choose with no more labels than you claim to have.
#
# **Where it came from.** To recognise what is only described goes back to zero-data learning [@larochelle2008zerodata]
# and to attributes [@lampert2009learning]; CLIP learned the space of features and of descriptions together, from 400
# million pairs of picture and text [@radford2021clip]: lesson `3.8`. Prototypes come from learning to learn from few
# samples [@snell2017prototypical]; that plain means of centred features nearly suffice was shown later
# [@wang2019simpleshot]. kNN became the quick measure of features with instance discrimination
# [@wu2018unsupervised]. That fine-tuning distorts good features was proved for two-layer linear networks and shown on
# ten data sets, with fitting $g_\phi$ first as the cure [@kumar2022finetuning]. LoRA made adaptation of language models
# small enough to be stored by the hundred [@hu2022lora].
#
# **In the workflow.** This lesson was its last step [@ericsson2021self]. Nearly all earlier lessons took one way, the
# probe.
#
# **Try next**, one change at a time, and predict before you run: fine-tune from the fitted probe with batch
# normalisation kept as it was (`averages=False`), and see whether grey patches thank you; rank 1, and rank 48; a rate
# ten times as small for fine-tuning; prototypes from features without the centring.
