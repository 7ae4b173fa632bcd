# %% title [markdown]
# # 5.1 Adaptation: from one picture each
#
# **You have one pretrained encoder and a single labeled picture of each class. Leave the encoder as it is, correct it a
# little, or train all of it on?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *SimCLR and MoCo*.

# %% setup setup=true
import time

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, augment, checks, contrastive, data, encoders, figures, ledger
from sslcourse import measures, training
from sslcourse.figures import adaptation as adaptation_figures

check = checks.of_lesson("5.1")
prototypes, head_gradients, fine_tune_step, lora = check.blanks()

# %% ledger
log = ledger.of_lesson("5.1")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
symbols = data.load("symbols")
N = len(symbols.test)
print(symbols, f"Training on {device}.", sep="\n")

# %% workflow-text [markdown]
# The task is lesson `4.2`'s. Of each of 309 symbols that no pretraining saw, **one** picture is known. Which symbol is
# this distorted one? It shows either the **same drawing** as the known picture, turned, slanted, moved, lightened and
# blurred, or the symbol's **other drawing**, its lines. Nobody labeled a line drawing of these symbols.
#
# Pretraining is over: it found $\theta^*$ for the encoder $h_\theta$, and its head $k_\gamma$ is thrown away.
# **Adaptation** is all that comes after: an output module $g_\phi$ for the target, and perhaps a change of $\theta$. A
# *foundation model* is by definition trained once and adapted to many tasks [@bommasani2021opportunities]; so how it is
# adapted is half of the story. From the way that changes nothing to those that change everything:
#
# | way | $g_\phi$ starts | $\theta$ |
# |---|---|---|
# | **prototypes** | at one mean feature for each class, and stays | stays $\theta^*$ |
# | **probe** | at the prototypes, and learns | stays $\theta^*$ |
# | **LoRA** | at the prototypes, and learns | $\theta^*$ plus a correction of low rank |
# | **fine-tune** | at random, and learns | starts at $\theta^*$, and learns |
# | **fine-tune from prototypes** | at the prototypes, and learns | starts at $\theta^*$, and learns |
# | **probe, then fine-tune** | at the fitted probe, and learns | starts at $\theta^*$, and learns |
#
# All get the same encoder: SimCLR, pretrained here and now on 1,200 other symbols, whose views showed either drawing.

# %% pretrain
torch.manual_seed(log.seed)
encoder = encoders.FineConvNet(in_channels=1)
task = contrastive.SimCLR(encoder.dim, temperature=0.1, views=augment.symbols())
begin = time.perf_counter()
history = training.pretrain(
    encoder, task, symbols.unlabeled(), training.budget(cpu=60, gpu=400), batch_size=200, lr=4e-3, seed=log.seed
)
log.record("cost/pretraining/seconds", time.perf_counter() - begin, unit="s", digits=1)
figures.training({"SimCLR": history})

# %% predict [markdown]
# ## Predict
#
# Lesson `4.2` ended on a sobering row: a network that was trained *for this very test*, from random weights, on
# distorted views of the known pictures, was ahead of the frozen pretrained encoder, in both drawings. That took many
# steps. Now the pretrained encoder may be trained on the same views, too, but for **an eighth of these steps**. Where
# does it end? Commit to an answer, then open it.
#
# <details><summary>A. Where random weights end after so few steps: what counts is how long one trains.</summary>
# Then pretraining would have bought nothing. You will see both curves in one figure.</details>
#
# <details><summary>B. Beyond random weights after so few steps, but far from where these end after all.</summary>
# A careful guess. It takes for granted that features must be learned anew for a new task. Must they?</details>
#
# <details><summary>C. About where random weights end after all their steps.</summary>
# Then pretraining buys time: it is paid once, and saved with each new task. And if you may choose what the steps move,
# the head or everything, which would you choose?</details>

# %% see [markdown]
# ## See
#
# The cheapest way first. Each known picture becomes a **prototype**, the mean direction of the features of sixteen
# views; a question goes to the prototype with the largest cosine. Choose an encoder, what is asked about, and a
# question. When does the pretrained encoder err, and are its second guesses silly?
#
# Features are first **whitened**: scaled to equal variance in all directions, by views of unlabeled symbols. In `4.2`
# validation symbols chose that. Here it is the last layer of every frozen encoder, $g_\phi$ comes behind it, and
# from here on we write $h$ for whitened features.

# %% see-widget
VIEWS = augment.symbols(0)  # distorted pictures, never lines: those of test symbols nobody has
repeated = measures.to_float(symbols.test.x).repeat_interleave(16, dim=0)
y_views = torch.arange(N).repeat_interleave(16)


def known_features(body):
    """Features of sixteen views of each test symbol's picture, (16 N,D), on the CPU."""
    return measures.embed(body, VIEWS(repeated, torch.Generator().manual_seed(log.seed))).cpu()


torch.manual_seed(log.seed)
random = encoders.calibrate(encoders.FineConvNet(1).to(device), symbols.unlabeled(), augment.symbols(), log.seed)
compared = {"SimCLR": encoder, "random init": random}
bodies = {name: adaptation.whitened(h, symbols, log.seed) for name, h in compared.items()}
made = {name: adaptation.prototypes(known_features(body), y_views, N) for name, body in bodies.items()}
pictures = augment.drawing(measures.to_float(symbols.test.x), 0)
chance = torch.Generator().manual_seed(log.seed)
asked = {
    name: augment.symbols(which)(measures.to_float(symbols.test.x[:40]), chance)
    for name, which in {"other drawing": 1, "same drawing": 0}.items()
}


def question(encoder, drawing, question):
    """The figure for one question to one encoder."""
    x = asked[drawing][question]
    cosines = F.normalize(measures.embed(bodies[encoder], x[None]).cpu(), dim=1) @ made[encoder].T
    names = symbols.classes[-N:]
    return adaptation_figures.recognised(x, pictures, names, cosines[0], question)


adaptation_figures.question_sliders(question, list(bodies), list(asked), 40)

# %% build [markdown]
# ## Build
#
# Each check draws fresh random inputs and tells you what is wrong and how it knows. **If you leave one open, the lesson
# goes on with the reference answer.**
#
# {{ course: exercises }}

# %% prototypes-text [markdown]
# ### 1. Prototypes
#
# For each class $c$ the mean of its samples' features, a **prototype** [@snell2017prototypical]. We compare directions,
# so everything has length one:
#
# $$\hat h_n = \frac{h_n}{\lVert h_n \rVert}, \qquad
# m_c = \frac{1}{N_c} \sum_{n:\, y_n = c} \hat h_n, \qquad
# \text{prototype}_c = \frac{m_c}{\lVert m_c \rVert}.$$
#
# Return all prototypes, of shape (`classes`, $D$), row $c$ for class $c$; a row of zeros for a class without a sample.
#
# Notice what you have made: a linear $g_\phi$ whose $W$ has the prototypes for rows names the same classes as the
# largest cosine does, since the length of $h$ scales all its logits alike. So $W$ can *start* there
# [@qi2018lowshot], and be trained on.
#
# <details><summary>Hint 1</summary>The factor one over N_c does not matter: what comes out is made of length one. A sum
# of the rows of each class is enough.</details>
# <details><summary>Hint 2</summary>Write which sample belongs to which class as a matrix of zeros and ones. Which
# product of it with the features sums the rows of each class? And look for a way to make rows of length one that leaves
# zeros alone.</details>


# %% prototypes exercise="prototypes"
def prototypes(h, y, classes):
    """One direction for each class, (classes,D), of features h (N,D) with labels y (N,)."""
    ### BEGIN SOLUTION
    members = F.one_hot(y, classes).to(h.dtype)
    return F.normalize(members.T @ F.normalize(h, dim=1), dim=1)
    ### END SOLUTION


# %% prototypes-check check="prototypes"
prototypes = check(prototypes)

# %% gradients-text [markdown]
# ### 2. Where a head wants its features
#
# $h$ $(N, D)$ are features, $y$ $(N)$ their labels. A linear head has a row of $W$ $(C, D)$ and an entry of $b$ $(C)$
# for each of $C$ classes; it says $p_n = \mathrm{softmax}(W h_n + b)$, and its loss is
#
# $$\mathcal{L} = \frac{1}{N} \sum_{n=1}^{N} -\log p_{n, y_n}.$$
#
# Take its derivative in the logits of sample $n$, on paper: it is $e_n = (p_n - \mathrm{onehot}(y_n)) / N$, the
# **error**. The chain rule does the rest:
#
# $$\frac{\partial \mathcal{L}}{\partial W} = \sum_n e_n h_n^\top, \qquad
# \frac{\partial \mathcal{L}}{\partial b} = \sum_n e_n, \qquad
# \frac{\partial \mathcal{L}}{\partial h_n} = W^\top e_n .$$
#
# The first two train the head. The third is all that an encoder ever hears of the labels, and it passes through $W$.
# Return the three, of the shapes of $W$, $b$ and $h$.
#
# <details><summary>Hint 1</summary>Make the matrix of all errors first, (N, C). Over which of its dimensions do
# probabilities sum to one?</details>
# <details><summary>Hint 2</summary>A sum of outer products over samples is one product of matrices. Write down the
# shapes of the errors, of h and of W, and see which must be transposed so that the right shapes come out.</details>


# %% head_gradients exercise="head_gradients"
def head_gradients(W, b, h, y):
    """Gradients of the mean cross-entropy in W (C,D), b (C,) and h (N,D), for labels y (N,)."""
    ### BEGIN SOLUTION
    error = ((h @ W.T + b).softmax(dim=1) - F.one_hot(y, len(W))) / len(h)
    return error.T @ h, error.sum(dim=0), error @ W
    ### END SOLUTION


# %% head_gradients-check check="head_gradients"
head_gradients = check(head_gradients)

# %% step-text [markdown]
# ### 3. A step of fine-tuning
#
# Now train a head and its encoder, **without a loss to call `backward` on**: you have its gradient at the seam between
# the two. In this order:
#
# 1. clear old gradients;
# 2. compute $h$ with `encoder`, once;
# 3. give `head.weight` and `head.bias`, an `nn.Linear`'s $W$ and $b$, their `.grad`. Autograd must not watch;
# 4. send $\partial \mathcal{L} / \partial h$ down: `h.backward(...)` takes a gradient, and autograd carries it on
#    through the encoder. If the encoder is **frozen**, its features ask for no gradient (`h.requires_grad`);
# 5. let `optimizer` step. It has the weights of both, and a learning rate for each.
#
# `x` $(B, ...)$ are inputs, `y` $(B)$ labels. Nothing is returned.
#
# <details><summary>Hint 1</summary>Your <code>head_gradients</code> gives you three tensors: two belong into
# <code>.grad</code>, one into <code>backward</code>. A frozen encoder makes this step a linear probe's.</details>
# <details><summary>Hint 2</summary>An optimizer has a method for the first point. Which context keeps autograd from
# recording what you do with the head's weights?</details>


# %% fine_tune_step exercise="fine_tune_step"
def fine_tune_step(encoder, head, x, y, optimizer):
    """One step of encoder and head, in place, on inputs x (B,...) with labels y (B,)."""
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    h = encoder(x)
    with torch.no_grad():
        head.weight.grad, head.bias.grad, push = head_gradients(head.weight, head.bias, h, y)
    if h.requires_grad:
        h.backward(push)
    optimizer.step()
    ### END SOLUTION


# %% fine_tune_step-check check="fine_tune_step"
fine_tune_step = check(fine_tune_step)

# %% lora-text [markdown]
# ### 4. A layer with a low-rank adapter
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
# `layer` is an `nn.Linear`; return a module. (A convolution is a linear layer, too, applied to every patch:
# `adaptation.add_lora` gives your adapter to all four of our encoder.)
#
# <details><summary>Hint 1</summary>Each module has a method that freezes all its parameters at once. What shall learn
# must be an <code>nn.Parameter</code> that is an attribute of the module. Why may A and B not both start at
# zero?</details>
# <details><summary>Hint 2</summary>Take the shapes of A and B from <code>layer.in_features</code>,
# <code>layer.out_features</code> and the rank. How large should random numbers be, so that A x is about as large as
# x? And forward is a sum of two terms.</details>


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

# %% train [markdown]
# ## Train
#
# All ways train by **your** step, on views of the known pictures, 256 in a batch. They differ in where $g_\phi$ starts
# and in what may move. The **probe** is also the *control*: what it shows as well does not come from moving $\theta$.
# Its steps need no pass back through the encoder, so it gets three times as many, which takes about as long. It ends
# where *probe, then fine-tune* begins [@kumar2022finetuning]. And **random weights** get as few steps, at a rate that
# suits them.
#
# Rates, steps, whether batch normalisation uses each batch's mean (not with LoRA), and the scale of prototypes as $W$
# were chosen by us, the authors, on validation symbols, with another pretraining.

# %% train-ways
STEPS = training.budget(cpu=100, gpu=200, smoke=2)
LABELED = data.Split(symbols.test.x, torch.arange(N))
RATES = (0.003, 0.1)  # of the encoder, of the head


def head_of(body):
    """A linear head with your prototypes for W, ten times as long, and b = 0."""
    head = nn.Linear(encoder.dim, N)
    with torch.no_grad():
        head.weight.copy_(10 * prototypes(known_features(body), y_views, N))
        head.bias.zero_()
    return head


def train(way, body, head, lr=RATES, steps=STEPS, averages=True):
    """Train copies of body and head by your step; records what it cost."""
    begin = time.perf_counter()
    model = adaptation.fine_tune(
        body, head, LABELED, VIEWS, lr, steps, seed=log.seed, averages=averages, step=fine_tune_step
    )
    log.record(f"cost/{way}/numbers that learn", adaptation.learned(model), digits=0)
    log.record(f"cost/{way}/steps", steps, digits=0)
    log.record(f"cost/{way}/seconds", time.perf_counter() - begin, unit="s", digits=1)
    return model


frozen, at_random = bodies["SimCLR"], nn.Linear(encoder.dim, N)
nearest = head_of(frozen)
adapted = nn.Sequential(adaptation.add_lora(encoder, rank=4, alpha=8, lora=lora), frozen[1])
probe = train("probe", frozen, nearest, lr=(0, 0.1), steps=3 * STEPS)
models = {
    "prototypes": nn.Sequential(frozen, nearest.to(device)),
    "probe": probe,
    "LoRA": train("LoRA", adapted, nearest, averages=False),
    "fine-tune": train("fine-tune", frozen, at_random),
    "fine-tune from prototypes": train("fine-tune from prototypes", frozen, nearest),
    "probe, then fine-tune": train("probe, then fine-tune", frozen, probe[1], lr=(0.003, 0.03)),
    "random init, as briefly": train("random init, as briefly", random, at_random, lr=(0.02, 0.1)),
}

# %% measure [markdown]
# ## Measure
#
# Beside these stand **raw input**, **HOG** and a **random encoder**, each with prototypes, and the network that was
# **trained for the test** from random weights, under the same distortions, for as long as validation symbols say that
# it pays. Each is asked five times about each symbol, in either drawing: which of all 309 is it? And of 20 drawn at
# random?

# %% measure-ways
begin = time.perf_counter()
adaptation.supervised_on_one(symbols.test, log.seed, lambda: encoders.FineConvNet(1))  # kept on disk for `4.2`, too
log.record("cost/trained for the test/seconds", time.perf_counter() - begin, unit="s", digits=1)
accuracies = adaptation.one_shot_references(symbols, lambda: encoders.FineConvNet(1), log.seed, log)
methods = {
    way: lambda model=model: adaptation.recognition(model, symbols.test, log.seed) for way, model in models.items()
}
accuracies |= adaptation.one_shots(methods, symbols, log.seed, log)
of_all = {"same drawing": f"same drawing, of {N}", "other drawing": f"other drawing, of {N}"}
LONG = training.budget(cpu=800, gpu=1600, smoke=4)  # steps of the network that is trained for the test
starts = {
    "θ*, everything learns": {0: "prototypes", STEPS: "fine-tune from prototypes"},
    "random weights": {0: "random init", STEPS: "random init, as briefly", LONG: "trained for the test"},
    "θ*, only the head learns": {0: "prototypes", 3 * STEPS: "probe"},
}
adaptation_figures.race(
    {
        question: {
            start: {steps: accuracies[way][task] for steps, way in row.items()} for start, row in starts.items()
        }
        for question, task in of_all.items()
    },
    chance=1 / N,
)

# %% measure-table
log.table("one-shot/")

# %% cost-table
log.table("cost/")

# %% measure-interpret [markdown]
# In brackets: mean and standard deviation over several seeds, each with its own pretraining; before them, your run. A
# **difference** is taken seed by seed and stands with its *standard error*; less than two of them is no finding.
#
# - **Pretraining buys steps.** After as few steps, the network that started at $\theta^*$ and your prototypes knows
#   {{ one-shot/fine-tune from prototypes/same drawing, of 309 }} in the same drawing and
#   {{ one-shot/fine-tune from prototypes/other drawing, of 309 }} in the other; the one from random weights
#   {{ one-shot/random init, as briefly/same drawing, of 309 }} and
#   {{ one-shot/random init, as briefly/other drawing, of 309 }}. Eight times as many steps take random weights to
#   {{ one-shot/trained for the test/same drawing, of 309 }} and {{ one-shot/trained for the test/other drawing, of 309
#   }}. So answer C was close: *probe, then fine-tune* is level with that in the other drawing
#   ({{ one-shot/probe, then fine-tune/other drawing, of 309 }}), and a little behind in the same one
#   ({{ one-shot/probe, then fine-tune/same drawing, of 309 }}). But do not read "eight times" out of it: our table does
#   not show where on the way random weights draw level, and it may be early. That is a run worth making: *Your turn*.
# - **Most of it needs no change of $\theta$.** With the encoder frozen, to train the head gains
#   {{ difference: one-shot/probe/other drawing, of 309 - one-shot/prototypes/other drawing, of 309 }} over the
#   prototypes that it started from, in the *other* drawing, of which it saw no label. Moving $\theta$ afterwards adds
#   {{ difference: one-shot/probe, then fine-tune/same drawing, of 309 - one-shot/probe/same drawing, of 309 }} in the
#   same drawing; and that way was trained longer.
# - **Where $g_\phi$ starts matters.** Fine-tuning from a random $g_\phi$ is behind fine-tuning from prototypes by
#   {{ difference: one-shot/fine-tune from prototypes/same drawing, of 309 - one-shot/fine-tune/same drawing, of 309 }}
#   in the same drawing and {{ difference: one-shot/fine-tune from prototypes/other drawing, of 309 -
#   one-shot/fine-tune/other drawing, of 309 }} in the other. Remember your third gradient: what the encoder hears has
#   passed through $W$, and at first a random $W$ says nothing about classes.
# - **LoRA** learns {{ cost/LoRA/numbers that learn }} numbers, most of them the head's, where fine-tuning moves
#   {{ cost/fine-tune/numbers that learn }}. After as many steps it is behind fine-tuning from prototypes
#   ({{ one-shot/LoRA/same drawing, of 309 }} in the same drawing), and it is not quicker: gradients still pass through
#   all layers. What it saves is memory, and what must be stored for each task; that counts where a network has billions
#   of numbers [@hu2022lora].
# - **How much is pretraining worth?** It depends on whom you ask. Prototypes say
#   {{ difference: one-shot/prototypes/same drawing, of 309 - one-shot/random init/same drawing, of 309 }}, a short
#   fine-tuning says {{ difference: one-shot/fine-tune from prototypes/same drawing, of 309 - one-shot/random init, as
#   briefly/same drawing, of 309 }}, and after eight times as many steps random weights have caught up. He et al. found
#   the same with ImageNet [@he2019rethinking]. State the protocol beside the number.
#
# And the bill, in seconds: pretraining took {{ cost/pretraining/seconds }}, training for the test
# {{ cost/trained for the test/seconds }}, a short fine-tuning {{ cost/fine-tune from prototypes/seconds }}. Add it up
# for one task; then for ten.
#
# {{ claim: one-shot/fine-tune from prototypes/same drawing, of 309 > one-shot/random init, as briefly/same drawing, of
# 309 by 0.4; one-shot/fine-tune from prototypes/other drawing, of 309 > one-shot/random init, as briefly/other drawing,
# of 309 by 0.4 }}
# {{ claim: one-shot/probe, then fine-tune/other drawing, of 309 ~ one-shot/trained for the test/other drawing, of 309
# within 0.03;
# one-shot/probe, then fine-tune/same drawing, of 309 < one-shot/trained for the test/same drawing, of 309;
# one-shot/probe, then fine-tune/same drawing, of 309 ~ one-shot/trained for the test/same drawing, of 309
# within 0.06 }}
# {{ claim: one-shot/probe/other drawing, of 309 > one-shot/prototypes/other drawing, of 309 by 0.1;
# one-shot/probe/same drawing, of 309 > one-shot/prototypes/same drawing, of 309 by 0.1;
# one-shot/probe, then fine-tune/same drawing, of 309 > one-shot/probe/same drawing, of 309 }}
# {{ claim: one-shot/fine-tune from prototypes/same drawing, of 309 > one-shot/fine-tune/same drawing, of 309;
# one-shot/fine-tune from prototypes/other drawing, of 309 > one-shot/fine-tune/other drawing, of 309 }}
# {{ claim: one-shot/LoRA/same drawing, of 309 < one-shot/fine-tune from prototypes/same drawing, of 309 }}
# {{ claim: one-shot/prototypes/same drawing, of 309 > one-shot/random init/same drawing, of 309 by 0.4 }}
# {{ claim cpu: cost/LoRA/seconds > cost/fine-tune from prototypes/seconds }}

# %% break [markdown]
# ## Break it
#
# ### What a careless rate destroys
#
# Is there a warning that needs no label? Take the *unlabeled* symbols, undistorted, and ask of each picture's
# features: is the nearest of all 1,200 line drawings that of the same symbol? SimCLR's views taught just that, and no
# label of ours asks for it. Watch this **meter** while one argument changes: the encoder's learning rate.


# %% break-run
def twins(body):
    """The share of unlabeled pictures whose features are most similar to those of the same symbol's line drawing."""
    x = measures.to_float(symbols.train.x)
    h, h_lines = (measures.embed(body, augment.drawing(x, which)) for which in (0, 1))
    h, h_lines = (F.normalize(drawn - drawn.mean(dim=0), dim=1) for drawn in (h, h_lines))
    return ((h @ h_lines.T).argmax(dim=1).cpu() == torch.arange(len(x))).float().mean().item()


careless = train("fine-tune, rate 0.1", frozen, nearest, lr=(0.1, 0.1))
compared = {
    "rate 0 (probe)": probe,
    "rate 0.003, head first": models["probe, then fine-tune"],
    "rate 0.003": models["fine-tune from prototypes"],
    "rate 0.003, head at random": models["fine-tune"],
    "rate 0.1": careless,
}
kept = {}
for name, model in compared.items():
    found = adaptation.recognition(model, symbols.test, log.seed)
    kept[name] = {question: found[task] for question, task in of_all.items()} | {"meter": twins(model[0])}
    for column, value in kept[name].items():
        log.record(f"kept/{name}/{column}", value, unit="accuracy")
title = f"which of {N}? And the meter: {len(symbols.train):,} unlabeled symbols"
figures.accuracies(kept, chance=1 / N, title=title, spread=log.spread("kept/"))

# %% break-interpret [markdown]
# At the careless rate the meter falls from {{ kept/rate 0 (probe)/meter }} to {{ kept/rate 0.1/meter }}, and with it
# all that the network was to learn: {{ kept/rate 0.1/same drawing }} in the same drawing, where the rate that we chose
# gives {{ kept/rate 0.003/same drawing }}, and {{ kept/rate 0.1/other drawing }} in the other. The meter saw it on
# pictures that have no label, so that you can watch it in any run, as you watch for collapse. Even at the rate that we
# chose it falls a little ({{ kept/rate 0.003/meter }}): what no label asks for may be spent. Kumar et al. proved it for
# two-layer linear networks, and showed on ten data sets that fine-tuned networks can be worse than a probe where the
# test differs from the training [@kumar2022finetuning].
#
# **Mend it.** Three ways, from the table: a smaller rate; the **head first**, which keeps more of the meter than the
# same rate without ({{ kept/rate 0.003, head first/meter }}) and is ahead in both drawings, though its head was
# trained longer, too; or no rate at all.
#
# **Your turn:** our views lighten greys, until some pictures are nearly lines. Suppose they did not. Which of the ways
# would fall most in the other drawing, and which least? Predict, then change `VIEWS` (`augment.Drawing(0)`,
# `augment.Affine()` and the others, in an `augment.Compose`), and run *train* and *measure* again.
#
# {{ claim: kept/rate 0.1/meter < kept/rate 0 (probe)/meter by 0.08; kept/rate 0.1/same drawing < kept/rate 0.003/same
# drawing by 0.05; kept/rate 0.1/other drawing < kept/rate 0.003/other drawing by 0.1 }}
# {{ claim: kept/rate 0.003/meter < kept/rate 0 (probe)/meter;
# kept/rate 0.003, head first/meter > kept/rate 0.003/meter;
# kept/rate 0.003, head first/same drawing > kept/rate 0.003/same drawing;
# kept/rate 0.003, head first/other drawing > kept/rate 0.003/other drawing }}

# %% reflect [markdown]
# ## Reflect
#
# - Adaptation is a decision about what labels may change: nothing, $g_\phi$, a little of $\theta$, all of it.
# - An encoder hears of the labels through $W$ alone. So fit the head first.
# - Pretraining is paid once, and buys steps in each new task. With steps and augmentations enough, the start is
#   forgotten: compare at equal steps *and* at the end.
# - A probe measures features. A fine-tuned accuracy measures features, optimiser and augmentations together.
# - What no label asks for may be spent. A meter on unlabeled data can see it.
#
# **Where it came from.** Prototypes come from learning to learn from few samples [@snell2017prototypical]; that plain
# means of centred features nearly suffice was shown later [@wang2019simpleshot], and that they make a good start for
# $W$, under the name of imprinting [@qi2018lowshot]. That fine-tuning distorts good features, with fitting $g_\phi$
# first as the cure, is from [@kumar2022finetuning]. LoRA made adaptations of language models small enough to be stored
# by the hundred [@hu2022lora]. That random weights catch up was a surprise in 2019 [@he2019rethinking].
#
# **In the workflow.** This lesson was its last step [@ericsson2021self].
#
# **Try next**, one change at a time, and predict before you run: LoRA of rank one, and of rank 48; batch normalisation
# kept as it was (`averages=False`) while all weights learn; a pretraining of ten epochs; prototypes of a single view.
