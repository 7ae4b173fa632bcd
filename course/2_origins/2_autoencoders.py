# %% title [markdown]
# # 2.2 Autoencoders
#
# **Can a network learn what matters in a picture by squeezing it through thirty numbers and drawing it again?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *Restricted Boltzmann machines*.

# %% setup setup=true
import math
import time
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, checks, data, figures, ledger, measures, origins, training
from sslcourse.figures import autoencoders as autoencoder_figures

check = checks.of_lesson("2.2")
pca_reconstruction, unroll, denoising_loss = check.blanks()

# %% ledger
log = ledger.of_lesson("2.2")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
digits = data.load("digits")
x_train, x_test = (split.x.flatten(1).to(device) / 255 for split in (digits.train, digits.test))
print(digits, f"Training on {device}.", sep="\n")

# %% data-text [markdown]
# `digits` are five thousand of MNIST. A digit is a vector $x \in [0, 1]^D$ of $D = 784$ pixels, black to white. An
# **autoencoder** is an encoder $h_\theta$ that makes a **code** of $d$ numbers from it, and a decoder $k_\gamma$ that
# makes the pixels $\hat x$ from the code. The target is the input itself: no label is needed.
#
# How good is it? By the **squared error per image**: $\lVert x - \hat x \rVert^2$, summed over the 784 pixels of an
# image and averaged over the test images. All errors of this lesson are of that kind.

# %% predict [markdown]
# ## Predict
#
# It is 2006. A deep autoencoder goes from 784 pixels through 256, 128 and 64 sigmoid units to a code of 30 numbers, and
# the same way back. Its weights start as small random numbers, and stochastic gradient descent with momentum trains
# it. Beside it stands **PCA**, a century old, with a code of thirty numbers as well. Which reconstructs test digits
# better? Commit to an answer, then open it.
#
# <details><summary>A. The deep one: it is not confined to linear maps, so it can only be better.</summary>
# It <em>could</em> be better: there are weights with which it is. Whether gradient descent finds them from here is
# another question, and kept the field busy for twenty years.</details>
#
# <details><summary>B. PCA: it is the exact optimum of its kind, the deep one is an approximation somewhere below.
# </summary>Right about the winner, but not by a little, and not for that reason. Look at what the network draws.
# </details>
#
# <details><summary>C. PCA: the deep one draws the same grey picture for every digit.</summary>Yes. It is the mean of
# all training digits, and there it stays, epoch after epoch. You will see it, see why, and free it in three ways.
# </details>

# %% see [markdown]
# ## See
#
# Squeeze harder: **two** numbers a digit. This autoencoder is trained a moment before you use it, by the recipe that
# you will write below: a stack of RBMs, unrolled, then fine-tuned.

# %% walk-autoencoder
LAYERS = (784, 256, 128, 64)
STACKED, EPOCHS = training.budget(cpu=40, gpu=100), training.budget(cpu=30, gpu=100)


def autoencoder(code, start, criterion, sigma=nn.Sigmoid, **settings):
    """An autoencoder with so many code units, initialised by start(encoder, decoder) and trained: (both, history)."""
    torch.manual_seed(log.seed)
    encoder = origins.MLP((*LAYERS, code), sigma).to(device)
    task = origins.Autoencoding((*LAYERS, code), criterion=criterion, activation=sigma).to(device)
    start(encoder, task.head)
    settings = {"epochs": EPOCHS, "batch_size": 64, "lr": 8e-3, "seed": log.seed} | settings
    history = training.pretrain(encoder, task, digits.unlabeled(), **settings)
    return (encoder, task.head), history


def stacked(unroll, stack):
    """A start for `autoencoder`: a stack of RBMs, unrolled."""
    up, down = unroll(*stack)
    return lambda encoder, decoder: (encoder.set(up), decoder.set(down))

# %% walk-train
torch.manual_seed(log.seed)
begin = time.perf_counter()
stack_2 = origins.train_stack(x_train, (*LAYERS, 2), STACKED, seed=log.seed)
log.record("cost/stack of RBMs/seconds", time.perf_counter() - begin, unit="s", digits=1)
two, _ = autoencoder(2, stacked(origins.unroll, stack_2), origins.denoising_loss)
codes = {"autoencoder": measures.embed(two[0], digits.test.x)}

# %% walk-widget
autoencoder_figures.walk_sliders(two[1], codes["autoencoder"].cpu(), digits.test.y)

# %% walk-interpret [markdown]
# Left: test digits, each drawn as its numeral at its code. Right: what the decoder makes of the code under the ring.
# Walk from one cluster to another. In between, one digit turns into the other by small changes: the code has found
# directions such as *slanted* and *round*. The numerals' colours are for your eyes only; the network has never seen a
# label. And mind the gaps, where no digit lives and the decoder draws something all the same.

# %% build [markdown]
# ## Build
#
# Each check draws fresh random inputs and tells you what is wrong and how it knows. **If you leave one open, the lesson
# goes on with the reference answer.**
#
# {{ course: exercises }}

# %% pca-text [markdown]
# ### 1. PCA, the linear autoencoder
#
# Let $\mu$ be the mean of the rows of `x`, and $V$ $(D, k)$ the first $k$ **principal components**, one for each of
# $k = d$ code units: the orthonormal directions in which $x - \mu$ varies most. Encoding and decoding a new row is
#
# $$\text{code} = (x_\text{new} - \mu)\, V, \qquad \hat x = \mu + \text{code} \; V^\top .$$
#
# No linear encoder and decoder with $k$ code units reconstructs the training data better, and gradient descent on a
# linear autoencoder has no bad local minimum to stop in [@baldi1989neural]. For `x` $(N, D)$ and `x_new` $(M, D)$,
# return the reconstructions $(M, D)$ of `x_new`. Mean and components belong to `x`.
#
# <details><summary>Hint 1</summary><code>torch.linalg.svd(a, full_matrices=False)</code> gives <code>U, S, Vh</code>.
# For a centred <code>a</code>, the rows of <code>Vh</code> are the principal components, the first one first.</details>
# <details><summary>Hint 2</summary>With <code>Vh[:k]</code> of shape (k, D), the code is <code>(x_new - mean) @
# Vh[:k].T</code>. Decode it by <code>Vh[:k]</code>, and do not forget the mean.</details>

# %% pca_reconstruction exercise="pca_reconstruction"
def pca_reconstruction(x, x_new, k):
    """Rows of x_new (M,D), coded by the first k principal components of x (N,D) and decoded: (M,D)."""
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    components = torch.linalg.svd(x - mean, full_matrices=False).Vh[:k]
    return mean + (x_new - mean) @ components.T @ components
    ### END SOLUTION


# %% pca_reconstruction-check check="pca_reconstruction"
pca_reconstruction = check(pca_reconstruction)

# %% unroll-text [markdown]
# ### 2. Unroll the stack
#
# An RBM learns features $p(h \mid v) = \sigma(v^\top W + c)$ of its pixels. Train a second RBM on these features, a
# third on the second's, and so on: each is easy to train, because no gradient passes through more than one. The way
# back of each is $p(v \mid h) = \sigma(W h + b)$. So a stack of RBMs **is** an autoencoder folded in the middle:
#
# up: $\;x \to W_1, c_1 \to W_2, c_2 \to \dots \to$ code, $\quad$ down: code $\to \dots \to W_2, b_2 \to W_1, b_1 \to
# \hat x$.
#
# Unroll it, and fine-tune all layers together by backpropagation: that was the way into deep networks
# [@hinton2006reducing]. The RBM at the top has linear hidden units with Gaussian noise, so that the code is made of
# numbers and not of probabilities.
#
# `W`, `b`, `c` are lists, first RBM first, with `W[l]` of shape (visible, hidden). Return two lists of pairs
# `(weight, bias)`, encoder and decoder, each in the order in which data pass, and each weight as `F.linear` and
# `nn.Linear` want it: of shape **(out, in)**.
#
# <details><summary>Hint 1</summary><code>F.linear(x, weight, bias)</code> computes <code>x @ weight.T + bias</code>. Up
# you need <code>v @ W + c</code>, down <code>h @ W.T + b</code>: which of the two needs a transposed
# <code>W</code>?</details>
# <details><summary>Hint 2</summary><code>zip(W, c)</code> walks through the encoder's layers; <code>list[::-1]</code>
# turns a list round for the decoder.</details>

# %% unroll exercise="unroll"
def unroll(W, b, c):
    """A stack of RBMs, lists W, b, c, as (encoder, decoder): lists of pairs (weight (out,in), bias (out,))."""
    ### BEGIN SOLUTION
    encoder = [(weight.T, hidden) for weight, hidden in zip(W, c, strict=True)]
    decoder = [(weight, visible) for weight, visible in zip(W, b, strict=True)]
    return encoder, decoder[::-1]
    ### END SOLUTION


# %% unroll-check check="unroll"
unroll = check(unroll)

# %% denoising-text [markdown]
# ### 3. The denoising loss
#
# A **denoising autoencoder** gets a damaged $\tilde x$ and must draw the undamaged $x$ [@vincent2008extracting]. Damage
# sets pixel $i$ to zero where $u_i$ is below the share `destroyed`; $u_i$ is uniform in $[0, 1)$ and handed to you.
# With nothing destroyed it is the ordinary autoencoder, so this one function trains every network of this lesson.
#
# The decoder gives **logits** $a$, and $\hat x = \sigma(a)$. The loss is a cross-entropy, as in 2006, summed over the
# $D$ pixels of an image and averaged over the $N$ images:
#
# $$\mathcal{L} = -\frac{1}{N} \sum_{n=1}^{N} \sum_{i=1}^{D} x_{ni} \log \hat x_{ni} + (1 - x_{ni}) \log (1 - \hat
# x_{ni}).$$
#
# `encode` and `decode` are functions, from pixels to code and from code to logits.
#
# <details><summary>Hint 1</summary>Two pictures are in play. The encoder must see one of them, and the loss compares
# with the other.</details>
# <details><summary>Hint 2</summary><code>x.masked_fill(u &lt; destroyed, 0)</code> is the damaged copy;
# <code>F.binary_cross_entropy_with_logits(logits, x, reduction="sum")</code> is the sum, with its sign.</details>

# %% denoising_loss exercise="denoising_loss"
def denoising_loss(x, u, destroyed, encode, decode):
    """Cross-entropy of x (N,D) and its reconstruction from a copy with pixels at u < destroyed set to 0; in nats."""
    ### BEGIN SOLUTION
    damaged = x.masked_fill(u < destroyed, 0)
    logits = decode(encode(damaged))
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    ### END SOLUTION


# %% denoising_loss-check check="denoising_loss"
denoising_loss = check(denoising_loss)

# %% train [markdown]
# ## Train
#
# Now the comparison of 2006, and then one that they could not make. One network, two optimisers and three ways to
# start:
#
# - **SGD**: stochastic gradient descent with momentum, as it was then. **Adam**: as it is now [@kingma2015adam],
#   strictly AdamW, with its default weight decay.
# - **small random**: $\mathcal{N}(0, 0.01^2)$, a habit of the time. **Xavier times 4**: scaled to the width of each
#   layer, so that signals neither grow nor shrink [@glorot2010understanding], and by 4 for sigmoids, whose slope at
#   zero is $1/4$ [@bengio2012practical]. **RBM stack**: yours, unrolled.
#
# All else is equal: thirty code units, the order of the batches, a warm-up and a cosine schedule. For each optimiser we
# tried four or five rates; the same one had the lowest error on validation digits from Xavier times 4 and from the
# stack. From small random weights, no rate that we tried helped SGD.

# %% train-stack
lower = [part[:3] for part in stack_2]
features = measures.embed(origins.MLP(LAYERS).to(device).set(unroll(*lower)[0]), digits.train.x).sigmoid()
top = origins.train_stack(features, (64, 30), STACKED, seed=log.seed)
stack = tuple(below + above for below, above in zip(lower, top, strict=True))
[tuple(W.shape) for W in stack[0]]

# %% train-stack-interpret [markdown]
# The three lower RBMs are those of the walk above. Only the top is new: thirty units on sixty-four.

# %% train-grid
def both(initialise, **options):
    """A start for `autoencoder`: the same initialisation for encoder and decoder."""
    return lambda encoder, decoder: (initialise(encoder, **options), initialise(decoder, **options))


STARTS = {
    "small random": both(origins.normal_, std=0.01),
    "Xavier times 4": both(origins.xavier_, gain=4),
    "RBM stack": stacked(unroll, stack),
}
OPTIMISERS = {
    "SGD": {"optimizer": partial(torch.optim.SGD, momentum=0.9), "lr": 2e-2},
    "Adam": {"lr": 8e-3},
}


def test_error(encoder, decoder):
    """Squared error per image on the test digits."""
    return origins.squared_error(x_test, origins.reconstruct(encoder, decoder, x_test))


trained, histories = {}, {}
for optimiser, settings in OPTIMISERS.items():
    for start, initialise in STARTS.items():
        print(f"{start}, {optimiser}")
        trained[start, optimiser], history = autoencoder(30, initialise, denoising_loss, **settings)
        histories.setdefault(optimiser, {})[start] = history
        log.record(f"grid/{start}/{optimiser}", test_error(*trained[start, optimiser]), digits=1)
        log.record(f"meter/{start}/{optimiser}", history.std[-1])
log.record("cost/fine-tuning/seconds", histories["Adam"]["RBM stack"].seconds, unit="s", digits=1)
autoencoder_figures.runs(histories)

# %% train-interpret [markdown]
# Above, the loss: the cross-entropy, in nats an image. The curves that start from small random weights fall at once
# to one height, where every digit is drawn as the mean digit. With Adam the curve leaves it slowly; with SGD it
# stays. Your prediction is about that one.
#
# The **collapse meter** below says it without a picture. `std` is zero where all codes point in one direction, and
# about one where their directions differ in every code unit. From small random weights with SGD it ends at
# {{ meter/small random/SGD }}: the codes of all digits are one. It tells collapse, no more. With Adam, small random
# weights end at {{ meter/small random/Adam }} and Xavier times 4 at {{ meter/Xavier times 4/Adam }}, and yet the
# first loss is far higher.
#
# {{ claim: grid/small random/SGD ~ grid/mean digit/exact within 0.1; meter/small random/SGD < 0.01 }}
# {{ claim: grid/small random/Adam < grid/mean digit/exact by 5 }}
# {{ claim: meter/small random/Adam > meter/Xavier times 4/Adam }}
# {{ claim: grid/small random/Adam > grid/Xavier times 4/Adam by 20 }}

# %% measure [markdown]
# ## Measure
#
# ### Squared error at equal code size
#
# The same in squared error on test digits, beside PCA and the mean digit, which needs no code at all.

# %% measure-errors
pca = pca_reconstruction(x_train, x_test, 30)
log.record("grid/PCA/exact", origins.squared_error(x_test, pca), digits=1)
mean_error = log.record("grid/mean digit/exact", origins.squared_error(x_test, x_train.mean(dim=0)), digits=1)
raw = origins.MLP((*LAYERS, 30)).to(device), origins.MLP((30, *LAYERS[::-1])).to(device)
STARTS["RBM stack"](*raw)
log.record("grid/RBM stack/not fine-tuned", test_error(*raw), digits=1)
table = {start: {o: log.run[f"grid/{start}/{o}"]["value"] for o in OPTIMISERS} for start in STARTS}
linear = {"PCA": log.run["grid/PCA/exact"]["value"], "mean digit": mean_error}
autoencoder_figures.errors(table, linear, "a code of 30 numbers")

# %% measure-table
log.table("grid/")

# %% measure-pictures
rows = {"test digit": x_test, "PCA": pca}
for name in (("small random", "SGD"), ("Xavier times 4", "Adam"), ("RBM stack", "SGD"), ("RBM stack", "Adam")):
    rows[", ".join(name)] = origins.reconstruct(*trained[name], x_test)
figures.pictures({name: x[:12].view(-1, 1, 28, 28).clamp(0, 1) for name, x in rows.items()})

# %% measure-interpret [markdown]
# - **The prediction: C.** From small random weights, SGD ends at {{ grid/small random/SGD }}; the mean digit itself
#   has {{ grid/mean digit/exact }}. Thirty epochs have taught the network one picture.
# - **The result of 2006, found again**: the unrolled stack ({{ grid/RBM stack/SGD }} with SGD) is ahead of PCA
#   ({{ grid/PCA/exact }}), and PCA far ahead of the same deep network from small random weights. The stack's lead
#   over PCA is small: its error less PCA's is {{ difference: grid/RBM stack/SGD - grid/PCA/exact }}. (Behind a
#   difference stands its **standard error** over the seeds, behind a single number the standard deviation.) And it
#   needs fine-tuning: as unrolled, the stack is at {{ grid/RBM stack/not fine-tuned }}.
# - **Weights of the right size do most of it.** With Xavier times 4, and nothing learned before, SGD gets to
#   {{ grid/Xavier times 4/SGD }}. The optimiser does less: from small random weights Adam gets to
#   {{ grid/small random/Adam }} only.
# - **In as many epochs of fine-tuning the stack still wins** with both optimisers: {{ grid/RBM stack/Adam }} with
#   Adam, against {{ grid/Xavier times 4/Adam }} from the best random start. (The stack's own training comes on top.)
#   Of these six runs only the two stacks are ahead of PCA. That is the order after thirty epochs, not the end of what
#   a random start can reach.
#
# In the paper, larger layers, sixty thousand digits and longer training gave an error of 3.00 against PCA's 13.87
# [@hinton2006reducing]. PCA's error there is nearly ours, and the deep network's far below it.
#
# {{ claim: grid/small random/SGD ~ grid/mean digit/exact within 0.1 }}
# {{ claim: grid/RBM stack/SGD < grid/PCA/exact; grid/RBM stack/Adam < grid/PCA/exact }}
# {{ claim: grid/PCA/exact < grid/small random/SGD by 30; grid/RBM stack/not fine-tuned > grid/PCA/exact by 10 }}
# {{ claim: grid/Xavier times 4/SGD < grid/small random/Adam by 20 }}
# {{ claim: grid/RBM stack/SGD < grid/Xavier times 4/SGD by 2; grid/RBM stack/Adam < grid/Xavier times 4/Adam by 2 }}
# {{ claim: grid/Xavier times 4/SGD > grid/PCA/exact; grid/Xavier times 4/Adam > grid/PCA/exact }}
# {{ claim: grid/Xavier times 4/Adam < grid/Xavier times 4/SGD; grid/Xavier times 4/Adam < grid/small random/Adam }}

# %% why [markdown]
# ### Why the plateau?
#
# Before any training, with the weights at their start: how much do the code units differ between test digits (their
# standard deviation)? And how large is the loss's gradient at the first layer, compared with that at the last?

# %% why-signal
def signal(start):
    """At the start: (standard deviation of the code over test digits, gradient at the first layer over the last)."""
    torch.manual_seed(log.seed)
    encoder, decoder = origins.MLP((*LAYERS, 30)).to(device), origins.MLP((30, *LAYERS[::-1])).to(device)
    start(encoder, decoder)
    denoising_loss(x_test, torch.zeros_like(x_test), 0.0, encoder, decoder).backward()
    first, last = (layer.weight.grad.norm() for layer in (encoder.linear[0], decoder.linear[-1]))
    return encoder(x_test).std(dim=0).mean().item(), (first / last).item()


for start, initialise in (STARTS | {"plain Xavier": both(origins.xavier_)}).items():
    spread, ratio = signal(initialise)
    log.record(f"signal/{start}/log10 of the code's spread", math.log10(spread), digits=1)
    log.record(f"signal/{start}/log10 of first to last gradient", math.log10(ratio), digits=1)
log.table("signal/")

# %% why-interpret [markdown]
# These are powers of ten. From small random weights, the codes of two digits differ by about ten to the power of
# {{ signal/small random/log10 of the code's spread }}: the decoder cannot tell them apart, and all that it can draw
# is the mean. The gradient that should change this has shrunk on its way to the first layer to ten to the power of
# {{ signal/small random/log10 of first to last gradient }} of that at the last, and SGD's steps are as small as its
# gradients. Every layer multiplies by its weights and by the sigmoid's slope, at most $1/4$.
#
# Plain Xavier leaves that quarter out ({{ signal/plain Xavier/log10 of first to last gradient }}), times 4 puts it
# back ({{ signal/Xavier times 4/log10 of first to last gradient }}). The RBMs have grown their weights on the data
# until their hidden units tell digits apart ({{ signal/RBM stack/log10 of first to last gradient }}). Adam divides
# each gradient by its own running size, so that even a tiny one makes steps: that is how it leaves the plateau at
# all.
#
# {{ claim: signal/small random/log10 of first to last gradient < signal/plain Xavier/log10 of first to last gradient
# by 3 }}
# {{ claim: signal/plain Xavier/log10 of first to last gradient < signal/Xavier times 4/log10 of first to last
# gradient by 1 }}
# {{ claim: signal/Xavier times 4/log10 of first to last gradient < signal/RBM stack/log10 of first to last gradient
# }}

# %% today [markdown]
# ### A network of today
#
# One more run, with as many epochs: ReLU instead of sigmoid, He's initialisation [@he2015delving], Adam. No RBM.

# %% today-run
today, _ = autoencoder(30, both(origins.he_), denoising_loss, nn.ReLU, lr=3e-3)
log.record("today/sigmoid, RBM stack, Adam/error", table["RBM stack"]["Adam"], digits=1)
log.record("today/sigmoid, Xavier times 4, Adam/error", table["Xavier times 4"]["Adam"], digits=1)
log.record("today/ReLU, He, Adam/error", test_error(*today), digits=1)
log.table("today/")

# %% today-interpret [markdown]
# Without pretraining, and in the same number of epochs, the ReLU network reaches {{ today/ReLU, He, Adam/error }};
# the stack of RBMs, which had to be trained first, reaches {{ today/sigmoid, RBM stack, Adam/error }}. **With today's
# units, initialisation and optimiser, pretraining no longer wins this comparison**, which it won against everything
# that stood beside it in 2006. (ReLU's rate, too, was chosen on validation digits.)
#
# **Your turn:** the stack's training took {{ cost/stack of RBMs/seconds }}, fine-tuning
# {{ cost/fine-tuning/seconds }}. (A busy machine is slower, hence the spread; your bars above say what yours took.)
# Give the best random sigmoid start the time of both:
# `autoencoder(30, STARTS["Xavier times 4"], denoising_loss, epochs=2 * EPOCHS)`. Which of the two wins in equal
# *time*?
#
# {{ claim: today/ReLU, He, Adam/error < today/sigmoid, RBM stack, Adam/error by 1 }}
# {{ claim: grid/RBM stack/SGD < grid/PCA/exact; grid/RBM stack/SGD < grid/small random/SGD by 30 }}

# %% two [markdown]
# ### Two numbers a digit
#
# The same question for the map at the beginning. Beside it: PCA's first two components.

# %% two-run
from sklearn.decomposition import PCA

fitted = PCA(2, svd_solver="covariance_eigh").fit(x_train.cpu().numpy())
components, mean = (torch.from_numpy(part).to(device) for part in (fitted.components_, fitted.mean_))
pca_encoder = origins.MLP((784, 2)).to(device).set([(components, -components @ mean)])  # PCA is a linear encoder
codes["PCA"] = measures.embed(pca_encoder, digits.test.x)
log.record("two/PCA/error", origins.squared_error(x_test, pca_reconstruction(x_train, x_test, 2)), digits=1)
log.record("two/autoencoder/error", test_error(*two), digits=1)
for name, encoder in {"PCA": pca_encoder, "autoencoder": two[0]}.items():
    accuracy = adaptation.linear_probe(encoder, digits, seed=log.seed).accuracy
    log.record(f"two/{name}/linear probe, all labels", accuracy, unit="accuracy")
autoencoder_figures.maps({"PCA": codes["PCA"], "autoencoder": codes["autoencoder"]}, digits.test.y)

# %% two-table
log.table("two/")

# %% two-interpret [markdown]
# In two numbers PCA's error is {{ two/PCA/error }}, the autoencoder's {{ two/autoencoder/error }}. Bending gains
# {{ difference: two/PCA/error - two/autoencoder/error }} here, and
# {{ difference: grid/PCA/exact - grid/RBM stack/Adam }} with thirty numbers and the same recipe. Two directions hold
# little of a digit, so that a curved surface has much to add; thirty hold much more, and leave less to add. You see
# it in the map, too, where classes lie apart that PCA lays on top of each other. A linear probe on the two numbers,
# with all labels, is right for {{ two/PCA/linear probe, all labels }} of the test digits on PCA's and for
# {{ two/autoencoder/linear probe, all labels }} on the autoencoder's.
#
# {{ claim: two/autoencoder/error < two/PCA/error by 10; grid/RBM stack/Adam ~ grid/PCA/exact within 2 }}
# {{ claim: grid/PCA/exact < two/PCA/error by 20 }}
# {{ claim: two/autoencoder/linear probe, all labels > two/PCA/linear probe, all labels by 0.1 }}

# %% features [markdown]
# ### What does the code know?
#
# Reconstruction is a **pretext task**: whoever does it well may have learned something for other tasks on the way. As
# always: the decoder $k_\gamma$ is thrown away, $h_\theta$ is frozen, and a linear probe is fitted on the thirty
# numbers. Beside it the same probe on **raw input**, on a **random** ConvNet, on PCA's thirty numbers and on the
# autoencoder's own start, and a network trained **supervised**.

# %% features-probe
LABELS = (10, None)  # labels a class; None: all
fitted = PCA(30, svd_solver="covariance_eigh").fit(x_train.cpu().numpy())
components, mean = (torch.from_numpy(part).to(device) for part in (fitted.components_, fitted.mean_))
untrained = origins.xavier_(origins.MLP((*LAYERS, 30)), gain=4).to(device)
probed = {
    "untrained encoder, 30": untrained,
    "PCA, 30": origins.MLP((784, 30)).to(device).set([(components, -components @ mean)]),
    "RBM stack, not fine-tuned, 30": origins.MLP((*LAYERS, 30)).to(device).set(unroll(*stack)[0]),
    "RBM stack, Adam, 30": trained["RBM stack", "Adam"][0],
    "Xavier times 4, Adam, 30": trained["Xavier times 4", "Adam"][0],
}
noted = {"seed": log.seed, "log": log, "group": "features"}
accuracies = adaptation.references(digits, LABELS, seen=EPOCHS * len(digits.train), **noted)
accuracies |= adaptation.budgets(digits, probed, LABELS, **noted)
figures.accuracies(accuracies, chance=1 / len(digits.classes), title=adaptation.in_all(digits, LABELS))

# %% features-table
log.table("features/")

# %% features-interpret [markdown]
# With ten labels a class, the fine-tuned code reaches {{ features/RBM stack, Adam, 30/10 labels a class }}: a little
# more than raw pixels ({{ features/raw input/10 labels a class }}), far more than the autoencoder's random start
# ({{ features/untrained encoder, 30/10 labels a class }}), and less than supervised training
# ({{ features/supervised/10 labels a class }}). It is worth about as much as PCA's thirty numbers: by the probe PCA
# is a little behind ({{ features/PCA, 30/10 labels a class }}), by nearest neighbours, the rows *by distance*, a
# little ahead.
#
# Now look at the stack **before** fine-tuning. Fine-tuning more than halved the error of reconstruction, from
# {{ grid/RBM stack/not fine-tuned }} to {{ grid/RBM stack/Adam }}. With ten labels a class the probe did not notice
# ({{ features/RBM stack, not fine-tuned, 30/10 labels a class }} before). With all labels it noticed, and **preferred
# the stack as it was**: fine-tuning changed its accuracy by
# {{ difference: features/RBM stack, Adam, 30/all labels - features/RBM stack, not fine-tuned, 30/all labels }}, to
# {{ features/RBM stack, Adam, 30/all labels }}. That is a little more than PCA's ({{ features/PCA, 30/all labels }}),
# a little less than raw pixels ({{ features/raw input/all labels }}), of which there are more than thirty, and far
# from supervised ({{ features/supervised/all labels }}). An earlier edition said that fine-tuning helps here and that
# PCA is as good: its probe had not converged.
#
# A good reconstruction is not the same as a good feature. The loss counts pixels, and perhaps most of them depend on
# slant, thickness and position, few on which digit it is. Lesson 4.2 asks another question of the same digits.
#
# {{ claim: features/RBM stack, Adam, 30/10 labels a class > features/raw input/10 labels a class }}
# {{ claim: features/RBM stack, Adam, 30/10 labels a class > features/untrained encoder, 30/10 labels a class by 0.1
# }}
# {{ claim: features/RBM stack, Adam, 30/10 labels a class < features/supervised/10 labels a class by 0.05 }}
# {{ claim: features/RBM stack, Adam, 30/10 labels a class > features/PCA, 30/10 labels a class }}
# {{ claim: features by distance/RBM stack, Adam, 30/10 labels a class, kNN < features by distance/PCA, 30/10 labels a
# class, kNN }}
# {{ claim: grid/RBM stack/Adam < grid/RBM stack/not fine-tuned by 15.5 }}
# {{ claim: features/RBM stack, Adam, 30/10 labels a class ~ features/RBM stack, not fine-tuned, 30/10 labels a class
# within 0.01 }}
# {{ claim: features/RBM stack, Adam, 30/all labels < features/RBM stack, not fine-tuned, 30/all labels }}
# {{ claim: features/RBM stack, Adam, 30/all labels > features/PCA, 30/all labels }}
# {{ claim: features/RBM stack, Adam, 30/all labels < features/raw input/all labels }}
# {{ claim: features/RBM stack, Adam, 30/all labels < features/supervised/all labels by 0.05 }}

# %% break [markdown]
# ## Break it
#
# ### More code units than pixels
#
# Thirty numbers force the network to choose. What if there is nothing to choose: a single layer of eight hundred code
# units, more than there are pixels? We train it twice, once on clean digits and once on digits of which half the pixels
# are destroyed, with your loss both times.

# %% break-run
WIDE = (784, 800)
wide, histories = {}, {}
for name, destroyed in {"copying": 0.0, "denoising": 0.5}.items():
    torch.manual_seed(log.seed)
    encoder = nn.Sequential(origins.MLP(WIDE), nn.Sigmoid()).to(device)
    task = origins.Autoencoding(WIDE, destroyed, denoising_loss)
    print(name)
    histories[name] = training.pretrain(
        encoder, task, digits.unlabeled(), epochs=training.budget(cpu=8, gpu=100), batch_size=64, lr=8e-3, seed=log.seed
    )
    wide[name] = encoder, task.head
figures.training(histories)

# %% break-measure
holes = torch.rand(x_test.shape, generator=torch.Generator().manual_seed(log.seed)).to(device) < 0.5
half = x_test.masked_fill(holes, 0)
rows = {"half a digit": half}
for name, (encoder, decoder) in wide.items():
    whole, rows[name] = origins.reconstruct(encoder, decoder, x_test), origins.reconstruct(encoder, decoder, half)
    log.record(f"wide/{name}/whole digit", origins.squared_error(x_test, whole), digits=1)
    log.record(f"wide/{name}/half, from the half it saw", origins.squared_error(half, rows[name]), digits=1)
    log.record(f"wide/{name}/half, from the whole", origins.squared_error(x_test, rows[name]), digits=1)
    accuracy = adaptation.linear_probe(encoder, digits, 10, seed=log.seed).accuracy
    log.record(f"wide/{name}/probe, 10 labels a class", accuracy, unit="accuracy")
rows["whole digit"] = x_test
figures.pictures({name: x[:12].view(-1, 1, 28, 28) for name, x in rows.items()})

# %% break-table
log.table("wide/")

# %% break-filters
figures.filters({name: encoder[0].linear[0].weight.T for name, (encoder, _) in wide.items()}, every=10)

# %% break-interpret [markdown]
# On whole digits the copying network is far better ({{ wide/copying/whole digit }} against
# {{ wide/denoising/whole digit }}), better than any network of this lesson. Now show both a digit with half its
# pixels gone. What the copying one draws is nearer to the half that it saw
# ({{ wide/copying/half, from the half it saw }}) than to the digit ({{ wide/copying/half, from the whole }}): it
# passes the holes on. The denoising one draws nearer to the digit ({{ wide/denoising/half, from the whole }}) than to
# what it saw ({{ wide/denoising/half, from the half it saw }}). To fill a hole one must know how strokes go on; to
# copy one need not know anything.
#
# The collapse meters are healthy for both; by its loss you would choose the copying one. The last picture shows what
# the first layer's units look for (orange turns a unit on, purple off). A linear probe with ten labels a class says
# {{ wide/copying/probe, 10 labels a class }} for copying and {{ wide/denoising/probe, 10 labels a class }} for
# denoising: **a worse reconstruction, a better feature**, and the best that this lesson gets without labels (of eight
# hundred numbers, though, and not thirty). In the paper, where three such layers were stacked and fine-tuned with all
# labels, denoising helped, too [@vincent2008extracting].
#
# {{ claim: wide/copying/whole digit < wide/denoising/whole digit by 5; wide/copying/whole digit < today/ReLU, He,
# Adam/error by 3 }}
# {{ claim: wide/copying/half, from the half it saw < wide/copying/half, from the whole by 5 }}
# {{ claim: wide/denoising/half, from the whole < wide/denoising/half, from the half it saw by 5 }}
# {{ claim: wide/denoising/probe, 10 labels a class > wide/copying/probe, 10 labels a class by 0.01 }}
# {{ claim: wide/denoising/probe, 10 labels a class > features/RBM stack, Adam, 30/10 labels a class by 0.02 }}
# {{ claim: wide/denoising/probe, 10 labels a class > features by distance/PCA, 30/10 labels a class, kNN }}
# {{ claim: wide/denoising/probe, 10 labels a class > features/raw input/10 labels a class by 0.03 }}

# %% gaps [markdown]
# ### Codes that nobody has
#
# An autoencoder knows what to draw for the code of a digit. What about a code drawn at random, from a Gaussian with the
# mean and the covariance of the codes of the training digits?

# %% gaps-figure
encoder, decoder = trained["RBM stack", "Adam"]
known = measures.embed(encoder, digits.train.x).cpu()
gaussian = torch.distributions.MultivariateNormal(known.mean(dim=0), known.T.cov() + 1e-4 * torch.eye(30))
torch.manual_seed(log.seed)
drawn = decoder(gaussian.sample((12,)).to(device)).sigmoid().detach()
figures.pictures(
    {"from test digits": origins.reconstruct(encoder, decoder, x_test[:12]).view(-1, 1, 28, 28),
     "from random codes": drawn.view(-1, 1, 28, 28)}
)  # fmt: skip

# %% gaps-interpret [markdown]
# Some could be digits, others are strokes that nobody writes. Nothing in the loss says what should lie between the
# codes of digits. The **variational autoencoder** says it [@kingma2014auto]: its encoder gives a mean and a variance
# for each code unit, the code is *drawn* from that Gaussian, and a second term of the loss, a Kullback-Leibler
# divergence, keeps all these Gaussians near one standard Gaussian. Neighbouring codes must then draw similar digits,
# and a random code lands where codes are. The loss is a bound on a log-likelihood, which is what lesson 2.1 could only
# estimate, and has no $Z$. The price is often blur.
#
# **Your turn:** add Gaussian noise to the code in your loss, `decode(code + 0.5 * torch.randn_like(code))`, and draw
# this figure again. You have half of a variational autoencoder. What keeps the codes from growing until the noise no
# longer matters? Nothing yet: that is what the second term is for.

# %% reflect [markdown]
# ## Reflect
#
# - An autoencoder is an encoder $h_\theta$ and a decoder $k_\gamma$ trained to give back the input. A linear one is
#   PCA.
# - Depth helps only where training gets there. Pretraining was one way to start where gradients are alive; weights of
#   the right size are another, and an optimiser that scales each gradient by itself helps both.
#   {{ claim: grid/RBM stack/Adam < grid/RBM stack/SGD; grid/Xavier times 4/Adam < grid/Xavier times 4/SGD }}
# - What stops the network from copying decides what it learns: a narrow code, or damage to be repaired.
# - In the workflow of self-supervised learning [@ericsson2021self], the input is its own pseudo-label $z$, and what the
#   pretext task does not ask for, the code need not keep.
#
# **Where it came from.** Networks that reproduce their input through a narrow layer are as old as backpropagation
# [@rumelhart1986internal]; that a linear one is PCA was proved soon [@baldi1989neural]. Deep ones could not be trained
# until Hinton and Salakhutdinov stacked RBMs [@hinton2006reducing], which began the deep learning of the following
# years. Four years later a second-order optimiser trained the same deep autoencoders from random weights
# [@martens2010deep], and then momentum with well-scaled weights nearly did [@sutskever2013importance]: pretraining had
# been one answer to a problem of optimisation, and unlabeled data its fuel. It came back for another reason: labels
# are scarce.
#
# **What came of it.** Denoising [@vincent2008extracting] leads to *reconstructing what is missing* and to masked
# autoencoders in module 3; the variational one [@kingma2014auto] to generative models.
#
# **Try next**, one change at a time, and predict before you run: a deeper network, with 512 units in front; tanh
# instead of sigmoid; fewer training digits; a tenth of the pixels destroyed, or nine tenths.
