# %% title [markdown]
# # 4.2 Inter-sample classification: SimCLR and MoCo
#
# **Can a network that was never told a name recognise a new thing after a single look?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *Start here* and PyTorch's basics.

# %% setup setup=true
import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, augment, checks, contrastive, data, encoders, figures, ledger
from sslcourse import devices, measures, training
from sslcourse.figures import simclr as simclr_figures

check = checks.of_lesson("4.2")
cosine_similarity, nt_xent, momentum_update = check.blanks()

# %% ledger
log = ledger.of_lesson("4.2")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
symbols = data.load("symbols")
print(symbols, f"Training on {training.best_device()}.", sep="\n")

# %% symbols-text [markdown]
# `symbols` are OpenMoji's symbols. Each is drawn twice, as a picture and as a line drawing, both made grey. They are
# split **by symbol**: 1,200 to pretrain on, without their names; 250 on which we chose settings, with other seeds; and
# 309 to test with. Only the reference that is *trained for the test* sees pictures of test symbols before it is asked.
# (Drawings almost equal to an earlier one were left out; relatives, such as clocks at two hours, were not.)

# %% symbols-figure
ten = measures.to_float(symbols.test.x[:10])
figures.pictures({"picture": augment.drawing(ten, 0), "line drawing": augment.drawing(ten, 1)})

# %% predict [markdown]
# ## Predict
#
# The task is called *one-shot recognition*: you are shown the picture of each test symbol, **once**. Then you are asked
# many times which of all the symbols this is. What you are asked about is distorted: turned, slanted, moved, blurred,
# noisy. It is either the *same drawing* that you know, or the symbol's *other drawing*, its lines.
#
# A network is pretrained on the other 1,200 symbols by the question "which two of these views belong together?". Then
# it is frozen: it is not trained on a single picture of the test. How well will it do? Beside it stand raw pixels;
# features that people designed by hand; and a network of the same shape that is **trained for this very test**, on the
# one picture of each symbol under the same distortions. Put the four in order, then open the answer that is nearest to
# yours.
#
# <details><summary>A. Last, or little better than raw pixels: it has never seen these symbols.</summary>
# Nor has it been asked for their names. It has been asked to find its partner among symbols, whatever they were, and
# that question is the same for new ones. Whether the answer carries over is what we measure.</details>
#
# <details><summary>B. Between the features made by hand and the network trained for the test.</summary>
# That is a careful guess. Then the interesting question is how far it is from either end.</details>
#
# <details><summary>C. First: one picture of each symbol is too little to train a network on.</summary>
# One picture, and as many distortions of it as you like: that may be a larger training set than it seems.</details>

# %% see [markdown]
# ## See
#
# A pretext task makes pseudo-labels from the data alone. Here every sample is a class of its own, with as many examples
# as we care to make: **views**. A view is one of the symbol's two drawings, chosen by lot, and then distorted at
# random. Two views of one symbol are a **positive pair**; all other views in the batch are their **negatives**.

# %% views-figure
cards = measures.to_float(symbols.train.x[torch.randperm(len(symbols.train))[:8]])
views_of = augment.symbols()
views = [views_of(cards), views_of(cards)]
figures.pictures({"picture": augment.drawing(cards, 0), "view 1": views[0], "view 2": views[1]})

# %% temperature-text [markdown]
# ### The idea in one picture
#
# Encode all $2B$ views, project each to a vector $v_i$ (by a small network, the *head*; see *Train*), and compare
# directions: $s_{ij} = \cos(v_i, v_j)$. Divide by a **temperature** $\tau$ and take the softmax over each row: that is
# the probability that $j$ is the partner of $i$. Orange squares mark the true partners. The network below is untrained.
#
# The loss below pulls row $i$ to its partner and **pushes** it from each negative $j$; the push is the gradient
# $\partial \mathcal{L}_i / \partial s_{ij} = P_{ij} / \tau$, so that the more probable a wrong candidate is, the harder
# it is pushed. Move the slider. Watch how sharp the rows are and, on the right, *which* negatives push row 0 away.

# %% temperature-untrained
encoder = encoders.FineConvNet(in_channels=1).to(training.best_device())
task = contrastive.SimCLR(encoder.dim, temperature=0.1).to(training.best_device())
encoders.calibrate(encoder, symbols.unlabeled(), views_of, log.seed)
eight_pairs = torch.cat(views)
partners = torch.arange(16).roll(8)


def project(encoder: nn.Module, task: contrastive.SimCLR) -> torch.Tensor:
    """Projections v (16,d) of the eight pairs of views."""
    return measures.embed(nn.Sequential(encoder, task.head), eight_pairs).cpu()


simclr_figures.temperature_slider(project(encoder, task), partners)

# %% temperature-interpret [markdown]
# At a high temperature all candidates look alike and all negatives push alike. At a low one, only the most similar
# negative pushes: the loss turns into a search for hard negatives [@wang2021understanding].

# %% build [markdown]
# ## Build
#
# Three functions make SimCLR and MoCo. Each check draws fresh random inputs and tells you what is wrong and how it
# knows. **If you leave one open, the lesson goes on with the reference answer.**
#
# {{ course: exercises }}

# %% cosine-text [markdown]
# ### 1. Cosine similarity of all pairs
#
# For $a$ of shape $(N, d)$ and $b$ of shape $(M, d)$, return the $(N, M)$ matrix (zeros, not nan, for a row of zeros)
#
# $$s_{ij} = \frac{a_i \cdot b_j}{\lVert a_i\rVert\,\lVert b_j\rVert}.$$
#
# <details><summary>Hint 1</summary>A cosine is a dot product of vectors of length one.</details>
# <details><summary>Hint 2</summary>Make the rows of both matrices of length one, safely: look for a function of
# <code>torch.nn.functional</code> that leaves rows of zeros alone. A product of two matrices then holds all of the
# rows' dot products with columns.</details>

# %% cosine_similarity exercise="cosine_similarity"
def cosine_similarity(a, b):
    """Cosine of every row of a (N,d) with every row of b (M,d): (N,M)."""
    ### BEGIN SOLUTION
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    ### END SOLUTION


# %% cosine_similarity-check check="cosine_similarity"
cosine_similarity = check(cosine_similarity)

# %% nt_xent-text [markdown]
# ### 2. NT-Xent: classification among samples
#
# Rows $v_1, \dots, v_{2B}$ are all views of a batch; row $i$'s partner is row $z_i$, its **pseudo-label**. The
# *normalised temperature-scaled cross-entropy* is an ordinary cross-entropy, with the other $2B - 1$ rows as classes
# [@chen2020simclr], equation 1:
#
# $$\mathcal{L} = \frac{1}{2B} \sum_{i=1}^{2B} -\log
# \frac{\exp(s_{i z_i} / \tau)}{\sum_{j \neq i} \exp(s_{ij} / \tau)}.$$
#
# The sum leaves out $j = i$, because a row is always most similar to itself. It keeps $j = z_i$: a cross-entropy's
# denominator holds the right class, too.
#
# <details><summary>Hint 1</summary>Make the matrix of all similarities of <code>v</code> with itself, then decide what
# has to happen to its diagonal so that <code>exp</code> of it is zero.</details>
# <details><summary>Hint 2</summary>What must a logit be so that its <code>exp</code> is zero? Once the diagonal holds
# that, each row is an ordinary classification among columns, and PyTorch has its loss, softmax, logarithm and mean in
# one stable step.</details>

# %% nt_xent exercise="nt_xent"
def nt_xent(v, z, temperature):
    """Mean over rows of v (2B,d) of the cross-entropy of finding the partner z (2B,) among all other rows."""
    ### BEGIN SOLUTION
    logits = cosine_similarity(v, v) / temperature
    myself = torch.eye(len(v), dtype=torch.bool, device=v.device)
    return F.cross_entropy(logits.masked_fill(myself, -torch.inf), z)
    ### END SOLUTION


# %% nt_xent-check check="nt_xent"
nt_xent = check(nt_xent)

# %% momentum-text [markdown]
# ### 3. The momentum update
#
# A batch of $B$ gives only $2B - 2$ negatives per row. MoCo keeps projections of earlier batches in a queue instead
# [@he2020moco]. The encoder that made them must not have changed much meanwhile, so a **slow copy** makes them, whose
# parameters $\theta_\text{slow}$ follow those of the trained one:
#
# $$\theta_\text{slow} \leftarrow m\,\theta_\text{slow} + (1 - m)\,\theta_\text{fast}.$$
#
# `slow` and `fast` are lists of parameters of equal shapes. Change `slow` in place; no gradient may be recorded.
#
# <details><summary>Hint 1</summary>An assignment such as <code>s = m * s</code> in a loop makes a new tensor and leaves
# the network as it was. You need an operation in place.</details>
# <details><summary>Hint 2</summary>A tensor's methods whose name ends in <code>_</code> work in place; one of them
# moves a tensor a part of the way to another. Autograd must not watch.</details>

# %% momentum_update exercise="momentum_update"
def momentum_update(slow, fast, m):
    """slow <- m slow + (1 - m) fast, in place, for lists of parameters; records no gradient."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        for s, f in zip(slow, fast, strict=True):
            s.lerp_(f, 1 - m)
    ### END SOLUTION


# %% momentum_update-check check="momentum_update"
momentum_update = check(momentum_update)

# %% train [markdown]
# ## Train
#
# Three parts, and each has its reason:
#
# - The **encoder** $h_\theta$: four convolutions, each with batch normalisation and ReLU, then the mean over all
#   positions. It turns a picture into 192 numbers. It is small because you have two cores; nothing else depends on its
#   shape.
# - The **projection head** $k_\gamma$: two linear layers with a ReLU between, from 192 numbers to the 64 of $v$. The
#   loss is computed behind it. You will measure what it is good for.
# - The **optimiser**: AdamW, with a learning rate that first rises and then falls along half a cosine; 200 symbols in a
#   batch.
#
# `symbols.unlabeled()` holds no names, so there is nothing to peek at. Temperature, learning rate and batch were
# chosen on validation symbols. On a GPU this cell trains a wider network, for longer.

# %% train-simclr
def pretrain(name, dataset, encoder, task, epochs, batch_size, lr=4e-3):
    """Pretrain an encoder on a data set without labels, in place; returns the history."""
    print(name)
    return training.pretrain(encoder, task, dataset.unlabeled(), epochs, batch_size, lr, seed=log.seed)


torch.manual_seed(log.seed)
simclr = encoders.FineConvNet(in_channels=1)
simclr_task = contrastive.SimCLR(simclr.dim, temperature=0.1, views=views_of, criterion=nt_xent)
history = pretrain("SimCLR", symbols, simclr, simclr_task, training.budget(cpu=80, gpu=400), batch_size=200)
log.record("training/loss, last epoch", history.loss[-1], unit="nats", digits=2)
figures.training({"SimCLR": history})

# %% train-interpret [markdown]
# The loss begins near $\log(2B - 1)$, which is guessing, and ends at {{ training/loss, last epoch }} nats. How low
# could it get? With partners equal and all other views at right angles, a row still costs $\log(1 + (2B - 2)\,
# e^{-1/\tau})$. At $\tau = 0.1$ that is next to nothing; at $\tau = 0.5$ it would be more than four nats, so that
# losses at different temperatures cannot be compared. What remains here is perhaps what a person would stumble over,
# too: symbols that look alike, and views that are hard to recognise.
#
# Beside it stand two **collapse meters**, which read $h$, in front of the head. `std` is zero when all features point
# the same way, and one when they fill the sphere; features behind a ReLU have no negative entries and stay below that.
# The *effective rank* counts the dimensions in use. Negatives rule out that all $v$ become equal: the loss would stay
# at $\log(2B - 1)$. They do not rule out that a few dimensions do all the work.
#
# ### The same slider, after training
#
# The partners stand out now.

# %% temperature-trained
simclr_figures.temperature_slider(project(simclr, simclr_task), partners)

# %% neighbours-text [markdown]
# ### Look before you measure
#
# Ten line drawings of test symbols, distorted. For each, the most similar of all the pictures of test symbols: by raw
# pixels, by the encoder's features, and by what comes out of its head. The last row is the right answer. Pixels and the
# encoder's features are *whitened* first, that is, scaled to equal variance in all directions: measured by plain
# cosines, white paper is like white paper.

# %% neighbours-figure
head = nn.Sequential(simclr, simclr_task.head)
lines = augment.symbols(1)(measures.to_float(symbols.test.x[10:20]), torch.Generator().manual_seed(log.seed))
pictures = augment.drawing(measures.to_float(symbols.test.x), 0)


def most_similar(encoder: nn.Module) -> torch.Tensor:
    """For each line drawing, the picture whose features have the largest cosine with its own."""
    similar = cosine_similarity(measures.embed(encoder, lines), measures.embed(encoder, pictures))
    return pictures[similar.argmax(dim=1).cpu()]


figures.pictures({
    "asked": lines,
    "raw pixels": most_similar(adaptation.whitened(nn.Flatten(), symbols, log.seed)),
    "encoder": most_similar(adaptation.whitened(simclr, symbols, log.seed)),
    "with its head": most_similar(head),
    "right": pictures[10:20],
})

# %% measure [markdown]
# ## Measure
#
# A number alone says nothing. The frozen encoder stands beside four others, on the same test symbols:
#
# - **raw input**, all pixels of it;
# - **HOG**, histograms of the directions of edges, the features that people made by hand before networks learned them
#   [@dalal2005hog];
# - **random init**, the same network with random weights, whose batch normalisation has seen the unlabeled symbols;
# - **trained for the test**: a network of the same shape, trained on the one picture of each test symbol, under the
#   same distortions. Its length and learning rate were chosen on validation symbols.
#
# Nothing else is trained now. A symbol's *prototype* is the mean of the features of sixteen views of its one picture
# [@snell2017prototypical]; a question goes to the nearest by cosine. Validation symbols decide, for each method,
# whether its features are whitened. The network trained for the test answers with its own outputs. Each is asked *of
# 20* symbols, many times drawn at random, and of all 309.

# %% measure-one-shot
pretrained = {"SimCLR": simclr, "SimCLR with its head": head}
table = adaptation.one_shot_references(symbols, lambda: encoders.FineConvNet(1), log.seed, log)
table |= adaptation.one_shots(pretrained, symbols, log.seed, log)
simclr_figures.one_shot(table)

# %% measure-table
log.table("one-shot/")

# %% measure-interpret [markdown]
# In brackets: mean and standard deviation over several seeds; before them, your run. A **difference** below is taken
# seed by seed and stands with its *standard error*: how far the mean of so many seeds is likely to be off. It says
# nothing about other test symbols. Less than two of them is no finding.
#
# - **Features made without a name recognise what they have never seen.** Of 20 symbols in the same drawing, the frozen
#   encoder knows {{ one-shot/SimCLR/same drawing, of 20 }}, the random one
#   {{ one-shot/random init/same drawing, of 20 }}, raw pixels {{ one-shot/raw input/same drawing, of 20 }}, and HOG
#   {{ one-shot/HOG/same drawing, of 20 }}. Of all 309, it knows {{ one-shot/SimCLR/same drawing, of 309 }}; HOG, the
#   best of those not trained for anything, knows {{ one-shot/HOG/same drawing, of 309 }}.
# - **It knows the other drawing as well**: {{ one-shot/SimCLR/other drawing, of 20 }} of 20 and
#   {{ one-shot/SimCLR/other drawing, of 309 }} of all, where HOG knows {{ one-shot/HOG/other drawing, of 20 }} and
#   {{ one-shot/HOG/other drawing, of 309 }}.
# - **The network trained for the test is better still**: by {{ difference: one-shot/trained for the test/same drawing,
#   of 309 - one-shot/SimCLR/same drawing, of 309 }} in the same drawing and by {{ difference: one-shot/trained for the
#   test/other drawing, of 309 - one-shot/SimCLR/other drawing, of 309 }} in the other, of 309. What it will be asked,
#   our augmentations can imitate; then one picture is a training set. That is classification among samples, too, with
#   the sample's number for a label, and is known as Exemplar-CNN [@dosovitskiy2014discriminative].
#
# So what is pretraining for? The network trained for the test knows these symbols and no others. For the next set, it
# is trained again, on two hundred thousand more views; the pretrained one is used as it is. **One encoder, any task, at
# once.** Lesson `5.1` takes it from there, and trains it a little.
#
# A confession: our first edition said that on the other drawing the frozen encoder beats the network trained for the
# test. A reader doubted it: pictures and lines differ by their grey areas, and no augmentation lightened greys. With
# that one augmentation added, for both networks, the order turned round. When A beats B, first ask what B was not
# given.
#
# And one more thing to keep in mind. We told the network which two drawings belong together. Nobody wrote a label for
# that, but it is information: pairs come from two cameras, from picture and sound, from an image and its caption.
#
# {{ claim: one-shot/SimCLR/same drawing, of 20 > one-shot/random init/same drawing, of 20 by 0.3;
# one-shot/SimCLR/same drawing, of 20 > one-shot/raw input/same drawing, of 20 by 0.3;
# one-shot/SimCLR/same drawing, of 20 > one-shot/HOG/same drawing, of 20 by 0.2;
# one-shot/SimCLR/same drawing, of 309 > one-shot/HOG/same drawing, of 309 by 0.3;
# one-shot/HOG/same drawing, of 309 > one-shot/raw input/same drawing, of 309;
# one-shot/HOG/same drawing, of 309 > one-shot/random init/same drawing, of 309;
# one-shot/SimCLR/other drawing, of 20 > one-shot/HOG/other drawing, of 20 by 0.2;
# one-shot/SimCLR/other drawing, of 309 > one-shot/HOG/other drawing, of 309 by 0.2 }}
# {{ claim: one-shot/trained for the test/same drawing, of 309 > one-shot/SimCLR/same drawing, of 309;
# one-shot/trained for the test/other drawing, of 309 > one-shot/SimCLR/other drawing, of 309 }}

# %% head-text [markdown]
# ### Why is the head thrown away?
#
# Views differ in place, size, turn and brightness, and the loss asks for vectors that agree all the same. Has this
# information gone, and where was it lost? We place pictures ourselves, so that we know the answers, and fit a linear
# (ridge) regression on the features: trained on pictures of training symbols, tested on test symbols. $R^2$ is the
# share of the variance that it explains: one is all of it, zero is as good as always answering the mean. The untrained
# encoder stands beside the others, to show what training has cost.

# %% head-study
layers = {
    "untrained encoder": encoder,
    "encoder": simclr,
    "head, hidden layer": nn.Sequential(simclr, simclr_task.head[:2]),
    "head, output": head,
}
chance = torch.Generator().manual_seed(log.seed)
placed, asked = (augment.placed(measures.to_float(split.x), chance) for split in (symbols.train, symbols.test))
explained = {name: adaptation.explained(layer, placed, asked) for name, layer in layers.items()}
for name, row in explained.items():
    for question, share in row.items():
        log.record(f"explained/{name}/{question}", share)
simclr_figures.explained(explained)

# %% head-interpret [markdown]
# Take the place of a picture, its distance from the left. From the untrained encoder's features it is read with $R^2$ =
# {{ explained/untrained encoder/from left }}, after training with {{ explained/encoder/from left }}, though the views
# were moved at random: what training does to the encoder is not simply to discard what varies. In the head's hidden
# layer, as wide as the encoder's output, {{ explained/head, hidden layer/from left }} is left of it, and {{
# explained/head, output/from left }} in its output. Size ({{ explained/encoder/size }} before the head, {{
# explained/head, output/size }} behind it), turn ({{ explained/encoder/turn }}, {{ explained/head, output/turn }}) and
# brightness ({{ explained/encoder/brightness }}, {{ explained/head, output/brightness }}) go the same way, brightness
# the least. **A part of the invariance that the loss asks for is made in the head**, and the encoder in front of it
# keeps more of what other tasks may need. That is the usual reason for throwing the head away [@chen2020simclr].
#
# Must one always? On *this* task, whose distortions are those of the pretext task, the encoder with its head is about
# as good: {{ one-shot/SimCLR with its head/other drawing, of 20 }} of 20 in the other drawing, without it {{
# one-shot/SimCLR/other drawing, of 20 }}. A task that does not ask for place and size loses little with them.
#
# {{ claim: explained/encoder/from left > explained/untrained encoder/from left by 0.03;
# explained/encoder/from left > explained/head, output/from left by 0.1;
# explained/encoder/from left > explained/head, hidden layer/from left by 0.05;
# explained/encoder/brightness > explained/head, output/brightness by 0.03;
# explained/encoder/size > explained/head, output/size by 0.03;
# explained/encoder/turn > explained/head, output/turn by 0.05;
# one-shot/SimCLR with its head/other drawing, of 20 ~ one-shot/SimCLR/other drawing, of 20 within 0.04 }}

# %% larger-text [markdown]
# ### A larger data set, a larger network
#
# A GPU has time for more: in the profile `gpu`, the next cell trains a ResNet-18 [@he2016deep] on CIFAR-10, fifty
# thousand small photographs of ten kinds of things, where you have it (`sslcourse data --fetch cifar10`), and else on
# `photos`, which the next section introduces. Its references grow with it. On a CPU it does nothing.

# %% larger
LABELS = (1, 10, None)  # labels a class; None: all
if devices.profile() == "gpu":
    larger = data.load("cifar10" if data.available("cifar10") else "photos")
    torch.manual_seed(log.seed)
    resnet = encoders.ResNet18(in_channels=3)
    resnet_task = contrastive.SimCLR(resnet.dim, temperature=0.2, criterion=nt_xent)
    seen = 2 * pretrain("SimCLR, ResNet-18", larger, resnet, resnet_task, 30, 512, lr=2e-3).samples
    noted = {"seed": log.seed, "log": log, "group": f"ResNet-18 on {larger.name}"}
    larger_table = adaptation.references(larger, LABELS, lambda: encoders.ResNet18(3), seen=seen, **noted)
    larger_table |= adaptation.budgets(larger, {"SimCLR": resnet}, LABELS, **noted)
    figures.accuracies(larger_table, chance=1 / len(larger.classes), title=adaptation.in_all(larger, LABELS))

# %% break [markdown]
# ## Break it
#
# ### The colour shortcut
#
# Symbols were grey. `photos` are small colour patches of thirteen photographs, **and the class of a patch is the
# photograph it was cut from**. How much of that question is colour? We pretrain twice, with SimCLR's usual views
# (cropped, mirrored, colours shifted) and with views that keep their colours; then a linear classifier is fitted on the
# frozen features of colour patches with all their labels, and tested on test patches as they are, and made grey. Guess
# first: what does grey cost each?

# %% photos-figure
photos = data.load("photos")
chosen = [(photos.train.y == label).nonzero()[:8, 0] for label in range(0, 13, 3)]
figures.pictures({photos.classes[3 * i]: photos.train.x[rows] for i, rows in enumerate(chosen)})

# %% break-colour
grey = augment.color_drop(measures.to_float(photos.test.x), torch.ones(len(photos.test)))
grey = (255 * grey).round().to(torch.uint8)
shortcut = {}
for name, color in {"with colour distortion": 0.5, "without": 0}.items():
    torch.manual_seed(log.seed)
    h = encoders.ConvNet(in_channels=3)
    colour_task = contrastive.SimCLR(h.dim, temperature=0.2, views=augment.simclr(color), criterion=nt_xent)
    pretrain(f"photos, {name}", photos, h, colour_task, training.budget(cpu=10, gpu=100), 256, lr=2e-3)
    result = adaptation.linear_probe(h, photos, seed=log.seed)
    scores = {"colour patches": result.accuracy, "grey patches": result.score(grey, photos.test.y)}
    shortcut[name] = {k: log.record(f"shortcut/{name}/{k}", score, unit="accuracy") for k, score in scores.items()}
    log.record(f"invariance/{name}/to grey", measures.invariance(h, photos.test.x, grey))
figures.accuracies(shortcut, chance=1 / len(photos.classes), title="photos, all labels")

# %% break-colour-table
log.table("shortcut/")

# %% break-colour-interpret [markdown]
# On colour patches you would hardly notice: {{ shortcut/without/colour patches }} without colour distortion,
# {{ shortcut/with colour distortion/colour patches }} with it. Made grey, both lose much: the first falls to
# {{ shortcut/without/grey patches }}, the second to {{ shortcut/with colour distortion/grey patches }}, ahead by
# {{ difference: shortcut/with colour distortion/grey patches - shortcut/without/grey patches }}. Without distortion the
# pretext task could be solved by comparing colours, and an encoder learns what is enough: a **shortcut**
# [@geirhos2020shortcut]; Chen et al. found the same [@chen2020simclr]. No loss curve shows it, nor does a test set that
# resembles the training set. (Some of the distorted views were grey, so that only this encoder had met grey before.)
#
# The centred cosine of a patch's features before and after it was made grey says it without any label:
# {{ invariance/without/to grey }} without, {{ invariance/with colour distortion/to grey }} with distortion. **Features
# react less to whatever the views vary.** That is good where colour does not matter. Lesson `4.1` asks questions about
# colour itself, and there the price is plain.
#
# {{ claim: shortcut/with colour distortion/grey patches > shortcut/without/grey patches by 0.05 }}
# {{ claim: shortcut/with colour distortion/colour patches ~ shortcut/without/colour patches within 0.04 }}
# {{ claim: invariance/with colour distortion/to grey > invariance/without/to grey by 0.1 }}

# %% break-moco [markdown]
# ### How many negatives? MoCo's queue
#
# With SimCLR the batch sets the number of negatives, and whoever changes the batch changes the number of steps and much
# else. MoCo takes its negatives from a queue of earlier projections $k_1, \dots, k_K$, which your momentum update keeps
# comparable. For a projection $q$ whose partner, encoded by the slow copy, is $k_+$, all of length one,
#
# $$\mathcal{L} = -\log
# \frac{\exp(q \cdot k_+ / \tau)}{\exp(q \cdot k_+ / \tau) + \sum_{i=1}^{K} \exp(q \cdot k_i / \tau)}.$$
#
# So the number of negatives can be varied **alone**: the same batch, the same steps, another $K$. Guess the order
# first.

# %% break-moco-run
digits = data.load("digits")
queues = {}
for length in (8, 64, 1024):
    torch.manual_seed(log.seed)
    h = encoders.ConvNet(in_channels=1)
    views_of_digits = augment.simclr(flip=False)  # a mirrored digit is another sign
    moco_task = contrastive.MoCo(h, 0.2, queue=length, views=views_of_digits, update=momentum_update)
    pretrain(f"MoCo, {length} negatives", digits, h, moco_task, training.budget(cpu=10, gpu=100), 256, lr=2e-3)
    queues[f"{length} negatives"] = h
queues_table = adaptation.budgets(digits, queues, LABELS[:2], log.seed, log, "queue")
figures.accuracies(queues_table, chance=0.1, title="MoCo on digits: runs that differ in the queue alone")

# %% break-moco-interpret [markdown]
# With ten labels a class, eight negatives give {{ queue/8 negatives/10 labels a class }} and sixty-four
# {{ queue/64 negatives/10 labels a class }}: eight are too few. A thousand give
# {{ queue/1024 negatives/10 labels a class }}, about the same as sixty-four: on five thousand digits of ten kinds, more
# negatives buy nothing that we can see. On ImageNet they did [@he2020moco].
#
# Note what had to stay the same for this to be an experiment. Take SimCLR, make its batch thirty-two times smaller, and
# you have also changed the number of steps and what batch normalisation sees.
#
# {{ claim: queue/64 negatives/10 labels a class > queue/8 negatives/10 labels a class;
# queue/1024 negatives/10 labels a class ~ queue/64 negatives/10 labels a class within 0.03 }}

# %% reflect [markdown]
# ## Reflect
#
# - Contrastive learning is classification with every sample as a class of its own: the pseudo-label $z$ is *which row
#   is my partner*, and all knowledge about the data is in the choice of views.
# - In the workflow of self-supervised learning [@ericsson2021self], the pretext task made the views, $k_\gamma$ was
#   thrown away, $h_\theta$ was kept, and prototypes of a single picture adapted it to symbols that it had never seen.
# - Where augmentations can imitate what you will be asked, training on them alone is strong. The pretrained encoder
#   needs no training for a new task.
# - Measure beside raw input, random init and supervised, over seeds, and look at a meter of collapse beside the loss.
# - A test set like the training set hides shortcuts.
#
# **Where it came from.** Pulling pairs together and pushing others apart is older than the name
# [@hadsell2006dimensionality]. Every sample as a class: Exemplar-CNN [@dosovitskiy2014discriminative], then instance
# discrimination with a memory bank of all samples [@wu2018unsupervised]. The loss over many negatives is InfoNCE
# [@oord2018cpc]. MoCo replaced the bank by a queue and a slow copy [@he2020moco]; SimCLR did without either, with
# larger batches, stronger views and a head [@chen2020simclr]. What the loss does to the sphere of features is told in
# alignment and uniformity [@wang2020understanding] (`measures.alignment`, `measures.uniformity`: try them on `simclr`).
#
# **Try next**, one change at a time, and predict before you run: views of one drawing alone (`augment.symbols(0)`); a
# quarter of the symbols, four times the epochs; a temperature far too low or far too high; a linear head, or none.
