# %% title [markdown]
# # 4.2 Inter-sample classification: SimCLR and MoCo
#
# **Can a network learn what is in a picture by only ever being asked "which of these is the same picture as mine"?**
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
photos, digits = data.load("photos"), data.load("digits")
print(photos, digits, f"Training on {training.best_device()}.", sep="\n")

# %% photos-text [markdown]
# `photos` are small patches of thirteen photographs. **The class of a patch is the photograph it was cut from**: train
# from the left part, test from the right, nothing overlaps. What tells the cat from the tissue?
# Look before you read on: how much of it is colour?

# %% photos-figure
chosen = [(photos.test.y == label).nonzero()[:8, 0] for label in range(0, 13, 2)]
figures.pictures({photos.classes[2 * i]: photos.test.x[rows] for i, rows in enumerate(chosen)})

# %% predict [markdown]
# ## Predict
#
# We will train an encoder without labels. In each step it sees a batch of 256 patches, each in two randomly changed
# versions ("views": cropped, mirrored, colours shifted), and must tell which two views belong together. Then we freeze
# it and fit a linear classifier on its features, with all labels of the training patches.
#
# Suppose that we **leave the colour changes out**: views are cropped and mirrored, and keep their colours. Which
# encoder classifies the test patches better once these are made **grey**? Commit to an answer, then open it.
#
# <details><summary>A. The one without colour changes: it has seen undistorted, so better, pictures.</summary>
# Undistorted is not better if it makes the task easy. When both views keep their colours, comparing colours is enough
# to find the partner. What the task does not need, the encoder does not learn.</details>
#
# <details><summary>B. The one with colour changes: it had to look at something else than colour.</summary>
# Yes. But do not take it for a law that what is varied costs nothing elsewhere: we will measure both kinds of patch.
# </details>
#
# <details><summary>C. No difference: the classifier is trained on the same labeled patches.</summary>
# The classifier is linear. It can only use what the frozen features contain, and the pretext task decided that.
# </details>

# %% see [markdown]
# ## See
#
# A pretext task makes pseudo-labels from the data alone. Here every sample is a class of its own, with as many examples
# as we care to make. Below: patches $x$ and two views of each. A pair of views of one patch is a **positive pair**; all
# other views in the batch are its **negatives**.

# %% views-figure
x = measures.to_float(photos.train.x[torch.randperm(len(photos.train))[:8]])
simclr_views = augment.simclr()
views = [simclr_views(x), simclr_views(x)]
figures.pictures({"patch": x, "view 1": views[0], "view 2": views[1]})

# %% temperature-text [markdown]
# ### The idea in one picture
#
# Encode all $2B$ views, project each to a vector $v_i$, and compare directions: $s_{ij} = \cos(v_i, v_j)$. Divide by a
# **temperature** $\tau$ and take the softmax over each row: that is the probability that $j$ is the partner of $i$.
# Orange squares mark the true partners. The network below is untrained.
#
# Move the slider. Watch two things: how sharp the rows are, and, on the right, *which* negatives push row 0 away.

# %% temperature-untrained
encoder = encoders.ConvNet(in_channels=3).to(training.best_device())
task = contrastive.SimCLR(encoder.dim, temperature=0.2).to(training.best_device())
encoders.calibrate(encoder, photos.unlabeled(), simclr_views, log.seed)
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
# <details><summary>Hint 2</summary><code>F.normalize(a, dim=1)</code> makes every row of length one; a product of two
# matrices holds all dot products of rows with columns.</details>

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
# <details><summary>Hint 2</summary><code>F.cross_entropy(logits, z)</code> does the softmax, the logarithm and the mean
# in one stable step; <code>masked_fill(mask, -torch.inf)</code> takes entries out.</details>

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
# A batch of $B$ gives only $2B - 2$ negatives a row. MoCo keeps projections of earlier batches in a queue instead
# [@he2020moco]. The encoder that made them must not have changed much meanwhile, so a **slow copy** makes them, whose
# parameters $\theta_\text{slow}$ follow those of the trained one:
#
# $$\theta_\text{slow} \leftarrow m\,\theta_\text{slow} + (1 - m)\,\theta_\text{fast}.$$
#
# `slow` and `fast` are lists of parameters of equal shapes. Change `slow` in place; no gradient may be recorded.
#
# <details><summary>Hint 1</summary>An assignment such as <code>s = m * s</code> in a loop makes a new tensor and leaves
# the network as it was. You need an operation in place.</details>
# <details><summary>Hint 2</summary><code>s.mul_(m).add_(f, alpha=1 - m)</code>, inside <code>torch.no_grad()</code>.
# </details>

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
# An encoder $h_\theta$, a task with its head $k_\gamma$ and **your** loss, and patches without labels:
# `photos.unlabeled()` holds none, so there is nothing to peek at. On a GPU this cell trains longer.

# %% train-simclr
def pretrain(name, dataset, task_of, epochs, batch_size=256, encoder=encoders.ConvNet):
    """Pretrain a fresh encoder on a data set without labels; returns (encoder, task, history)."""
    torch.manual_seed(log.seed)
    encoder = encoder(in_channels=dataset.train.x.shape[1])
    task = task_of(encoder)
    print(name)
    history = training.pretrain(
        encoder, task, dataset.unlabeled(), epochs=epochs, batch_size=batch_size, seed=log.seed
    )
    return encoder, task, history


EPOCHS = training.budget(cpu=10, gpu=100)
simclr, simclr_task, history = pretrain(
    "SimCLR", photos, lambda encoder: contrastive.SimCLR(encoder.dim, temperature=0.2, criterion=nt_xent), EPOCHS
)
figures.training({"SimCLR": history})

# %% train-interpret [markdown]
# The loss falls from near $\log(2B - 1)$, which is guessing. It cannot reach zero, even for perfect features: with
# partners equal and all other views at right angles, a row still costs $\log(1 + (2B - 2)\, e^{-1/\tau})$, about
# $1.5$ nats here. And patches of one sky are as good partners as the true one, which costs more.
#
# The two **collapse meters** say whether the features stay spread out: `std` is one when their directions fill the
# sphere and zero when all are equal; the effective rank counts the dimensions in use. A falling loss alone would not
# tell you.
#
# ### The same slider, after training
#
# The partners stand out now, and at a low temperature the push comes from patches that really look alike.

# %% temperature-trained
simclr_figures.temperature_slider(project(simclr, simclr_task), partners)

# %% measure [markdown]
# ## Measure
#
# Is it any good? A number alone says nothing. The head $k_\gamma$ is thrown away, $h_\theta$ is frozen, and a linear
# probe is fitted with 1, 10 or all labels a class. Beside it stand
#
# - the same probe on **raw input**, all pixels of it;
# - the same probe on a **random encoder**: the same network with random weights. Its batch normalisation has seen the
#   unlabeled patches once, for without that it normalises nothing (lesson `3.1` shows the difference);
# - **supervised** training: the same network trained on the same labels, from end to end. It sees as many samples as
#   SimCLR sees views, repeats counted; its length and its crops were chosen on validation data, with other seeds.
#
# Nothing is chosen on the test patches. The probe's regularisation and the scaling of the features are chosen on
# validation patches, with no more labels than it may train on [@oliver2018realistic].
#
# A confession: we, the authors, first compared shapes of the encoder by accuracy on *test* patches. That was a mistake,
# so we chose again, by validation patches and with other seeds: three widths of the encoder, and $\tau = 0.1$, $0.2$
# and $0.5$, could not be told apart. We kept what you see.

# %% measure-references
LABELS = (1, 10, None)  # labels a class; None: all


def measured(dataset, found, history, network="", encoder=encoders.ConvNet):
    """Record the encoders found and their references at each label budget: {method: {labels: accuracy}}."""
    noted = {"seed": log.seed, "log": log, "group": network + dataset.name}
    channels, seen = dataset.train.x.shape[1], 2 * history.samples  # two views of each sample
    references = adaptation.references(dataset, LABELS, lambda: encoder(channels), seen=seen, **noted)
    return references | adaptation.budgets(dataset, found, LABELS, **noted)


table = measured(photos, {"SimCLR": simclr}, history)
figures.accuracies(table, chance=1 / len(photos.classes), title=adaptation.in_all(photos, LABELS))

# %% measure-table
log.table("photos/")

# %% measure-interpret [markdown]
# In brackets: mean and standard deviation over several seeds; before them, your run. Read the ledger's numbers row by
# row. A **difference** below is taken seed by seed and stands with its *standard error*: how far the mean of so many
# seeds is likely to be off. Less than two of them is no finding.
#
# - **Raw pixels are a straw man here, a random encoder is not.** With ten labels a class, untrained convolutions reach
#   {{ photos/random init/10 labels a class }}, raw pixels {{ photos/raw input/10 labels a class }}.
# - **SimCLR is ahead of the random encoder with ten labels a class** ({{ photos/SimCLR/10 labels a class }}, difference
#   {{ difference: photos/SimCLR/10 labels a class - photos/random init/10 labels a class }}) **and with all of them**
#   ({{ photos/SimCLR/all labels }}, difference
#   {{ difference: photos/SimCLR/all labels - photos/random init/all labels }}): by little.
# - **Supervised training is ahead of SimCLR** with ten labels a class ({{ photos/supervised/10 labels a class }}) and
#   with all ({{ photos/supervised/all labels }}).
# - **With a single label a class** our runs cannot tell SimCLR ({{ photos/SimCLR/1 label a class }}) from the random
#   encoder or from supervised training. Look at the spread: among these three, which patch you happen to label matters
#   more than the method. (There, the distance to the one labeled
#   patch of each class does as well as the probe: {{ photos by distance/SimCLR/1 label a class, prototypes }}.)
#
# An earlier edition said that SimCLR is ahead of the random encoder at every budget. That encoder's batch statistics
# were wrong, and the probe had not converged.
#
# Perhaps the small lead is no wonder: *which photograph is this from?* is largely a question of colour and contrast,
# and random convolutions report these, too. Is there a question that they answer less well?
#
# {{ claim: photos/random init/10 labels a class > photos/raw input/10 labels a class by 0.15 }}
# {{ claim: photos/SimCLR/10 labels a class > photos/random init/10 labels a class }}
# {{ claim: photos/SimCLR/all labels > photos/random init/all labels }}
# {{ claim: photos/supervised/10 labels a class > photos/SimCLR/10 labels a class }}
# {{ claim: photos/supervised/all labels > photos/SimCLR/all labels }}
# {{ claim: photos by distance/SimCLR/1 label a class, prototypes ~ photos/SimCLR/1 label a class within 0.01 }}
#
# ### Shapes instead of colours
#
# The same on handwritten digits, which have no colour. A mirrored digit is another sign, so the views are not flipped:
# augmentations say what must not matter, and that is knowledge about the data.

# %% measure-digits
digit_views = augment.simclr(flip=False)
digit_encoder, _, digit_history = pretrain(
    "SimCLR on digits",
    digits,
    lambda encoder: contrastive.SimCLR(encoder.dim, temperature=0.2, views=digit_views, criterion=nt_xent),
    training.budget(cpu=15, gpu=150),
)
digits_table = measured(digits, {"SimCLR": digit_encoder}, digit_history)
figures.accuracies(digits_table, chance=1 / len(digits.classes), title=adaptation.in_all(digits, LABELS))

# %% measure-digits-table
log.table("digits/")

# %% measure-digits-interpret [markdown]
# Now the lead is wide. With ten labels a class, a hundred in all, SimCLR reaches {{ digits/SimCLR/10 labels a class }}.
# That is ahead of the random encoder by
# {{ difference: digits/SimCLR/10 labels a class - digits/random init/10 labels a class }} and of raw pixels, which are
# strong here because centred digits can be compared pixel by pixel, by
# {{ difference: digits/SimCLR/10 labels a class - digits/raw input/10 labels a class }}. Training the whole network on
# those hundred labels gives {{ digits/supervised/10 labels a class }}, and our runs cannot tell the two apart
# ({{ difference: digits/SimCLR/10 labels a class - digits/supervised/10 labels a class }}): **features made without a
# label, frozen, are about as good as a network made for the task.** With all labels supervised training is ahead
# ({{ digits/supervised/all labels }}, SimCLR {{ digits/SimCLR/all labels }}): now it has enough of them.
#
# With a single label a class SimCLR ({{ digits/SimCLR/1 label a class }}) is even **behind** raw pixels
# ({{ digits/raw input/1 label a class }}). References also tell you when you have no result.
#
# {{ claim: digits/SimCLR/10 labels a class > digits/random init/10 labels a class by 0.15 }}
# {{ claim: digits/SimCLR/10 labels a class > digits/raw input/10 labels a class by 0.05 }}
# {{ claim: digits/SimCLR/10 labels a class ~ digits/supervised/10 labels a class within 0.05 }}
# {{ claim: digits/supervised/all labels > digits/SimCLR/all labels }}
# {{ claim: digits/SimCLR/1 label a class < digits/raw input/1 label a class }}

# %% larger-text [markdown]
# ### A larger data set, a larger network
#
# A GPU has time for more: in the profile `gpu`, the next cell trains a ResNet-18 [@he2016deep] on CIFAR-10, fifty
# thousand small photographs of ten kinds of things, where you have it (`sslcourse data --fetch cifar10`), and else on
# `photos`. Its references grow with it. On a CPU it does nothing.

# %% larger
if devices.profile() == "gpu":
    larger = data.load("cifar10" if data.available("cifar10") else "photos")
    resnet, _, resnet_history = pretrain(
        "SimCLR, ResNet-18",
        larger,
        lambda encoder: contrastive.SimCLR(encoder.dim, temperature=0.2, criterion=nt_xent),
        epochs=30,
        batch_size=512,
        encoder=encoders.ResNet18,
    )
    larger_table = measured(larger, {"SimCLR": resnet}, resnet_history, "ResNet-18 on ", encoders.ResNet18)
    figures.accuracies(larger_table, chance=1 / len(larger.classes), title=adaptation.in_all(larger, LABELS))

# %% break [markdown]
# ## Break it
#
# ### The colour shortcut
#
# Back to your prediction. We pretrain once more with views that keep their colours, and test both encoders on the test
# patches as they are and made grey. The probes are the ones trained on colour patches.

# %% break-colour
no_colour, _, _ = pretrain(
    "SimCLR without colour distortion",
    photos,
    lambda encoder: contrastive.SimCLR(
        encoder.dim, temperature=0.2, views=augment.simclr(color=0), criterion=nt_xent
    ),
    EPOCHS,
)
methods = {"SimCLR, no colour distortion": no_colour}
adaptation.budgets(photos, methods, LABELS, seed=log.seed, log=log, group="photos")

# %% break-colour-figure
grey = augment.color_drop(measures.to_float(photos.test.x), torch.ones(len(photos.test)))
grey = (255 * grey).round().to(torch.uint8)
encoders_compared = {
    "with colour distortion": simclr,
    "without": no_colour,
}
shortcut = {}
for name, compared in encoders_compared.items():
    result = adaptation.linear_probe(compared, photos, seed=log.seed)
    scores = {"colour patches": result.accuracy, "grey patches": result.score(grey, photos.test.y)}
    shortcut[name] = {k: log.record(f"shortcut/{name}/{k}", score, unit="accuracy") for k, score in scores.items()}
    log.record(f"invariance/{name}/to grey", measures.invariance(compared, photos.test.x, grey))
figures.accuracies(shortcut, chance=1 / len(photos.classes), title="photos, all labels")

# %% break-colour-table
log.table("shortcut/")

# %% break-colour-interpret [markdown]
# On colour patches you would hardly notice: {{ shortcut/without/colour patches }} without colour distortion,
# {{ shortcut/with colour distortion/colour patches }} with it. Made grey, the first falls to
# {{ shortcut/without/grey patches }}, the second to {{ shortcut/with colour distortion/grey patches }} only. The
# pretext task could be solved by comparing colours, and an encoder learns what is enough: a **shortcut**
# [@geirhos2020shortcut]. No loss curve shows it, and no test set like the training set.
#
# The cosine similarity of a patch's features before and after it was made grey says it without any label:
# {{ invariance/without/to grey }} without, {{ invariance/with colour distortion/to grey }} with distortion. **What
# the views vary, the features feel less.**
#
# And the price? One would expect the encoder that feels colour less to pay on colour patches. By the probe with all
# labels it does not: it is ahead there, too, by {{ difference: shortcut/with colour distortion/colour patches -
# shortcut/without/colour patches }}. By prototypes of ten labels a class it does: it is behind by {{ difference:
# photos by distance/SimCLR, no colour distortion/10 labels a class, prototypes - photos by distance/SimCLR/10 labels
# a class, prototypes }}. A probe can weigh directions, distances cannot. Lesson `4.1` asks questions about colour
# itself, and there the price is plain.
#
# {{ claim: shortcut/with colour distortion/grey patches > shortcut/without/grey patches by 0.05 }}
# {{ claim: shortcut/with colour distortion/colour patches > shortcut/without/colour patches }}
# {{ claim: shortcut/with colour distortion/colour patches ~ shortcut/without/colour patches within 0.025 }}
# {{ claim: invariance/with colour distortion/to grey > invariance/without/to grey by 0.15 }}
# {{ claim: photos by distance/SimCLR, no colour distortion/10 labels a class, prototypes > photos by
# distance/SimCLR/10 labels a class, prototypes by 0.02 }}

# %% break-temperature [markdown]
# ### Temperature far too low, far too high
#
# Three short runs that differ in $\tau$ only, and the probe with one and with ten labels a class.

# %% break-temperature-run
SHORT = training.budget(cpu=2, gpu=15)
histories = {}
for temperature in (0.002, 0.2, 30.0):
    name = f"temperature {temperature:g}"
    tried, _, histories[name] = pretrain(
        name, photos, lambda encoder, t=temperature: contrastive.SimCLR(encoder.dim, t, criterion=nt_xent), SHORT
    )
    adaptation.budgets(photos, {name: tried}, LABELS[:2], log.seed, log, "temperature")
    log.record(f"rank/{name}/effective rank", histories[name].rank[-1], digits=0)
figures.training(histories)

# %% break-temperature-table
log.table("temperature/")

# %% break-temperature-interpret [markdown]
# The middle temperature wins at both budgets. But after so short a run even this one, with ten labels a class
# ({{ temperature/temperature 0.2/10 labels a class }}), is only as good as the untrained network
# ({{ photos/random init/10 labels a class }}): such short runs rank temperatures, no more.
#
# **Far too high**, the runs end *below* the untrained network ({{ temperature/temperature 30/10 labels a class }} with
# ten labels a class). All negatives push alike, so that rows are only pushed away from the mean. The meter fits that:
# the effective rank ends at {{ rank/temperature 30/effective rank }}, against
# {{ rank/temperature 0.2/effective rank }}. Dimensions lie idle. The loss shows nothing: it sits at the logarithm of
# the number of candidates whatever the features are.
#
# **Far too low** ({{ temperature/temperature 0.002/10 labels a class }} with ten labels a class), the rank says little
# ({{ rank/temperature 0.002/effective rank }}). Each row is pushed by its nearest neighbour alone, and among patches of
# thirteen photographs that is often a patch of the same photograph: a *false* negative. No run here proves that this is
# the reason.
#
# {{ claim: temperature/temperature 0.2/1 label a class > temperature/temperature 30/1 label a class }}
# {{ claim: temperature/temperature 0.2/1 label a class > temperature/temperature 0.002/1 label a class }}
# {{ claim: temperature/temperature 0.2/10 labels a class > temperature/temperature 30/10 labels a class by 0.03 }}
# {{ claim: temperature/temperature 0.2/10 labels a class > temperature/temperature 0.002/10 labels a class }}
# {{ claim: temperature/temperature 30/10 labels a class < photos/random init/10 labels a class }}
# {{ claim: rank/temperature 30/effective rank < rank/temperature 0.2/effective rank by 10 }}
# {{ claim: rank/temperature 0.002/effective rank ~ rank/temperature 0.2/effective rank within 6 }}
# {{ claim: temperature/temperature 0.2/10 labels a class ~ photos/random init/10 labels a class within 0.03 }}

# %% break-moco [markdown]
# ### MoCo: negatives from a queue
#
# With a batch of eight, a row has fourteen negatives: easy to win against. MoCo takes its negatives from a queue, so
# that their number no longer depends on the batch; your momentum update keeps the slow encoder that fills it. Its loss
# is the same cross-entropy, with one partner and the queue as candidates. Here it stands beside SimCLR, with the same
# data, batch, number of steps and temperature.

# %% break-moco-run
moco, _, _ = pretrain(
    "MoCo", photos, lambda encoder: contrastive.MoCo(encoder, 0.2, queue=1024, update=momentum_update), EPOCHS
)
adaptation.budgets(photos, {"MoCo": moco}, LABELS, log.seed, log, "photos")

# %% break-moco-table
log.table("photos/")

# %% break-moco-interpret [markdown]
# With all labels MoCo ({{ photos/MoCo/all labels }}) is as good as SimCLR ({{ photos/SimCLR/all labels }}); with ten
# a class our runs cannot tell them apart ({{ photos/MoCo/10 labels a class }} and {{ photos/SimCLR/10 labels a class
# }}), and with one a class MoCo is a little ahead ({{ difference: photos/MoCo/1 label a class - photos/SimCLR/1 label
# a class }}). So the queue and the slow copy lose nothing here. They are for more negatives than a batch holds
# [@he2020moco]; ours may hold enough.
#
# An earlier edition compared batches of eight and of 256 at equal views, and found nothing. It could not have: the
# small batch took thirty-two times as many steps, and none of its runs got beyond an untrained network.
#
# **Your turn:** how would you show what negatives are worth? (Equal batch, equal steps; vary the length of MoCo's queue
# alone: `contrastive.MoCo(encoder, queue=16)` against `queue=2048`.)
#
# {{ claim: photos/MoCo/all labels ~ photos/SimCLR/all labels within 0.02 }}
# {{ claim: photos/MoCo/10 labels a class ~ photos/SimCLR/10 labels a class within 0.04 }}
# {{ claim: photos/MoCo/1 label a class > photos/SimCLR/1 label a class }}

# %% reflect [markdown]
# ## Reflect
#
# - Contrastive learning is classification with every sample as a class of its own: the pseudo-label $z$ is *which row
#   is my partner*, and all knowledge about the data is in the choice of views.
# - In the workflow of self-supervised learning [@ericsson2021self], the pretext task made the views, $k_\gamma$ was
#   thrown away, $h_\theta$ was kept, and a linear $g_\phi$ adapted it to labels.
# - Measure beside raw input, random init and supervised, over seeds, and look at a meter of collapse beside the loss.
# - A test set like the training set hides shortcuts.
#
# **Where it came from.** Pulling pairs together and pushing others apart is older than the name
# [@hadsell2006dimensionality]; the loss over many negatives is InfoNCE [@oord2018cpc]; SimCLR put views, head,
# temperature and large batches together [@chen2020simclr]; MoCo made the number of negatives independent of the batch
# [@he2020moco]. What the loss does to the sphere of features is told in alignment and uniformity
# [@wang2020understanding] (`measures.alignment`, `measures.uniformity`: try them on `simclr`).
#
# **Try next**, one change at a time, and predict before you run: views with crops alone; a linear head, or none;
# digits that are flipped; `photos` with a batch of 1,024.
