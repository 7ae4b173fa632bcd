# %% title [markdown]
# # 2.1 Restricted Boltzmann machines
#
# **Can a model learn what digits look like from nothing but digits, by comparing them with what it dreams itself?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *Start here* and what a sigmoid and a softmax are.

# %% setup setup=true
from functools import partial

import torch
from torch.nn import functional as F

from sslcourse import adaptation, checks, data, figures, ledger, origins, training
from sslcourse.figures import rbm as rbm_figures
from sslcourse.origins import p_hidden, p_visible, sklearn_rbm, uniforms

check = checks.of_lesson("2.1")
free_energy, gibbs_step, contrastive_divergence = check.blanks()

# %% ledger
log = ledger.of_lesson("2.1")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
digits = origins.binarised(data.load("digits"))
TESTED = training.budget(cpu=1000, gpu=1000, smoke=100)  # test digits that likelihoods are measured on
v_train, v_test = (x.flatten(1).to(device) / 255 for x in (digits.train.x, digits.test.x[:TESTED]))
print(digits, f"Training on {device}.", sep="\n")

# %% data-text [markdown]
# `digits` are five thousand of MNIST, each pixel made black or white: our machine has units that are on or off. A
# digit is a vector $v \in \{0, 1\}^D$ with $D = 784$ pixels. There are ten classes, but no label is used until we
# measure.

# %% data-figure
figures.pictures({"train": v_train[:12].view(-1, 1, 28, 28), "test": v_test[:12].view(-1, 1, 28, 28)})

# %% predict [markdown]
# ## Predict
#
# A machine is trained by *contrastive divergence*, the classic recipe: show it a digit, let it take **one** random
# step away from the digit, and change its weights so that the digit becomes more likely and the place one step away
# less. Its biases start at zero, as they do in scikit-learn. Afterwards it reproduces test digits nearly perfectly.
#
# Now we start it on **noise**, every pixel a coin flip, and let it walk a thousand steps by its own probabilities.
# What will we see? Commit to an answer, then open it.
#
# <details><summary>A. Digits: it has learned that digits are likely, and a random walk ends where it is likely to be.
# </summary>So it should be, had training made *digits* likely and *all else* unlikely. But it was only ever told that
# places one step away from digits are unlikely.</details>
#
# <details><summary>B. A blur, the average of all digits.</summary>The units are on or off and one draw is one
# picture: it has no reason to average. A mixture of digits in one picture can be seen along the way,
# though.</details>
#
# <details><summary>C. Noise, still.</summary>Yes. With biases at zero the machine begins with its probability spread
# over all pictures, and nearly all pictures are noise. Once a step from a digit no longer leads there, training has no
# way to take that probability away. A number will even say that this machine keeps most of it in the noise. There are
# two cures, each a line: you will write one of them, and the other is where the biases start.</details>

# %% see [markdown]
# ## See
#
# A **restricted Boltzmann machine** (RBM) has $D$ visible units $v$, here pixels, and $H$ hidden units $h$, all zero
# or one. A weight $W_{ij}$ joins pixel $i$ with hidden unit $j$; $b$ and $c$ are biases. *Restricted* means: no
# weights within a layer. Each state has an **energy**, and low energy means likely [@smolensky1986information]:
#
# $$E(v, h) = -b \cdot v - c \cdot h - v^\top W h, \qquad p(v, h) = \frac{e^{-E(v, h)}}{Z}, \qquad
# Z = \sum_{v, h} e^{-E(v, h)}.$$
#
# Because of the restriction, all hidden units are independent once $v$ is known, and the other way round:
#
# $$p(h_j = 1 \mid v) = \sigma\big((v^\top W + c)_j\big), \qquad p(v_i = 1 \mid h) = \sigma\big((W h + b)_i\big).$$
#
# So we can draw a whole layer at once, then the other, then the first again: **block Gibbs sampling**, a random walk
# that ends up visiting each $v$ as often as $p(v)$ says. Here is a machine trained a moment ago by the recipe that
# you will write below. Start it on coin flips or on a test digit, and step.

# %% gibbs-train
torch.manual_seed(log.seed)
seen = origins.RBM(visible=784, hidden=256).to(device)
seen.fit(v_train, epochs=15, batch_size=50, lr=0.1, last_lr=0, persistent=True, seed=log.seed)
coins = (torch.rand(784, generator=torch.Generator().manual_seed(log.seed)) < 0.5).float().to(device)

# %% gibbs-widget
rbm_figures.gibbs_slider(seen, {"coin flips": coins, "a test digit": v_test[2]}, step=100)

# %% gibbs-interpret [markdown]
# The panels show, from left to right: the state; the probabilities of the hidden units; the picture that hidden units
# drawn from them would paint, its *reconstruction*; and a number for each state so far, the free energy, of which
# more below. Low is likely.
#
# From noise the walk takes a few dozen steps downhill, and then draws strokes. Nobody told it what a stroke is. From
# a digit it wanders slowly from one way of writing to another.

# %% build [markdown]
# ## Build
#
# Three functions make an RBM. Each check draws fresh random inputs and tells you what is wrong and how it knows. **If
# you leave one open, the lesson goes on with the reference answer.** `p_hidden(v, W, c)` and `p_visible(h, W, b)` are
# the two formulas above, for a matrix of samples, one a row.
#
# {{ course: exercises }}

# %% energy-text [markdown]
# ### 1. The free energy
#
# How likely is a picture $v$, whatever the hidden units do? Sum over all $2^H$ of their states. The sum factorises,
# unit by unit, and its negative logarithm is the **free energy**:
#
# $$F(v) = -\log \sum_h e^{-E(v, h)} = -b \cdot v - \sum_{j=1}^{H} \log\big(1 + e^{(v^\top W + c)_j}\big),
# \qquad p(v) = \frac{e^{-F(v)}}{Z}.$$
#
# For `v` of shape $(N, D)$, `W` $(D, H)$, `b` $(D)$ and `c` $(H)$, return the $N$ free energies. They must be right
# for large weights, too: $e^{100}$ does not fit into float32.
#
# <details><summary>Hint 1</summary>What hidden unit j receives from row n of <code>v</code> is entry (n, j) of
# <code>v @ W + c</code>.</details>
# <details><summary>Hint 2</summary>log(1 + exp(a)) is called softplus: <code>F.softplus(a)</code> computes it without
# overflow. Then sum over <code>dim=1</code>.</details>

# %% free_energy exercise="free_energy"
def free_energy(v, W, b, c):
    """F(v) = -log sum_h exp(-E(v, h)) for each row of v (N,D): (N,), in nats."""
    ### BEGIN SOLUTION
    return -(v @ b) - F.softplus(v @ W + c).sum(dim=1)
    ### END SOLUTION


# %% free_energy-check check="free_energy"
free_energy = check(free_energy)

# %% gibbs-text [markdown]
# ### 2. One step of block Gibbs sampling
#
# Draw all hidden units given $v$, then all visible units given those: $v \to h \to v'$. To be on with probability
# $p$, a unit compares $p$ with a number drawn uniformly from $[0, 1)$ and turns on where **the number is below** $p$.
# The numbers are handed to you, `u_h` $(N, H)$ and `u_v` $(N, D)$, so that chance can be repeated.
#
# Return the pair `h, v` as zeros and ones of type float.
#
# <details><summary>Hint 1</summary>A comparison such as <code>u_h &lt; p</code> gives True and False;
# <code>.to(v.dtype)</code> makes numbers of them.</details>
# <details><summary>Hint 2</summary>The way down takes the <code>h</code> that you have just drawn, not its
# probabilities.</details>

# %% gibbs_step exercise="gibbs_step"
def gibbs_step(v, W, b, c, u_h, u_v):
    """Draw h from p(h | v), then a new v from p(v | h), by uniform numbers u_h (N,H), u_v (N,D); returns (h, new v)."""
    ### BEGIN SOLUTION
    h = (u_h < p_hidden(v, W, c)).to(v.dtype)
    return h, (u_v < p_visible(h, W, b)).to(v.dtype)
    ### END SOLUTION


# %% gibbs_step-check check="gibbs_step"
gibbs_step = check(gibbs_step)

# %% divergence-text [markdown]
# ### 3. Contrastive divergence
#
# Learning should make data likely: raise $\log p(v) = -F(v) - \log Z$ on average. Its gradient is a difference of two
# means,
#
# $$\frac{\partial}{\partial W} \langle \log p(v) \rangle_\text{data}
# = \big\langle v\, p(h \mid v)^\top \big\rangle_\text{data} -
# \big\langle v\, p(h \mid v)^\top \big\rangle_\text{model},$$
#
# and likewise for $b$ with $\langle v \rangle$, and for $c$ with $\langle p(h \mid v) \rangle$. The first mean, the
# **positive phase**, lowers the free energy of data. The second, the **negative phase**, raises that of what the
# model itself believes in. It needs samples of the model, and those need a long Gibbs chain.
#
# Hinton's shortcut: **start the chain at the data and take only** $k$ **steps**, often one [@hinton2002training].
# That is CD-$k$. Tieleman's: never start anew; each update goes on with the chain **where the last one stopped**
# [@tieleman2008training]. That is persistent CD, PCD. The two differ in where the chain begins, and in nothing else,
# so one function does both.
#
# `v` $(N, D)$ is a batch, `chain` $(M, D)$ is where the chain begins, and `u` a list of $k$ pairs `(u_h, u_v)`. Walk
# $k$ Gibbs steps from `chain`; then return `dW, db, dc` and the chain where it stopped. Each mean is over its own
# rows: $N$ for the data, $M$ for the chain.
#
# <details><summary>Hint 1</summary>A loop over <code>u</code> with your <code>gibbs_step</code>, keeping its second
# result, is the walk. The rest has no loop.</details>
# <details><summary>Hint 2</summary>The mean of the outer products of rows of <code>v</code> with rows of
# <code>h</code> is <code>v.T @ h / len(v)</code>.</details>

# %% contrastive_divergence exercise="contrastive_divergence"
def contrastive_divergence(v, chain, W, b, c, u):
    """The CD-k update from data v (N,D) and a chain (M,D), k = len(u): returns (dW, db, dc, chain)."""
    ### BEGIN SOLUTION
    for u_h, u_v in u:
        _, chain = gibbs_step(chain, W, b, c, u_h, u_v)
    h, h_k = p_hidden(v, W, c), p_hidden(chain, W, c)
    dW = v.T @ h / len(v) - chain.T @ h_k / len(chain)
    return dW, v.mean(dim=0) - chain.mean(dim=0), h.mean(dim=0) - h_k.mean(dim=0), chain
    ### END SOLUTION


# %% contrastive_divergence-check check="contrastive_divergence"
contrastive_divergence = check(contrastive_divergence)

# %% train [markdown]
# ## Train
#
# Three machines with **your** update: one step, five steps, and a persistent chain. All biases start at zero. The
# learning rate falls to zero, as in Tieleman's paper. Rate and batch size were chosen by the estimated likelihood of
# validation digits.

# %% train-machines
RECIPES = {"CD-1": {"k": 1}, "CD-5": {"k": 5}, "PCD": {"persistent": True}}
EPOCHS = training.budget(cpu=30, gpu=200)


def machine(hidden, epochs, b=None, **recipe):
    """A fresh RBM, with visible biases b (zero by default), trained with the update from above: (rbm, history)."""
    torch.manual_seed(log.seed)
    rbm = origins.RBM(784, hidden).to(device)
    if b is not None:
        rbm.b.copy_(b)
    settings = {"batch_size": 50, "lr": 0.1, "last_lr": 0.0, "seed": log.seed, "update": contrastive_divergence}
    return rbm, rbm.fit(v_train, epochs, **(settings | recipe))


machines, histories = {}, {}
for name, recipe in RECIPES.items():
    print(name)
    machines[name], histories[name] = machine(256, EPOCHS, **recipe)
figures.training(histories)

# %% train-interpret [markdown]
# The loss shown is not what is minimised: the gradient above needs no loss, and nobody can compute $\log p(v)$ at
# this size. What can be watched is the **reconstruction**: the cross-entropy of a digit after one way up and down.
# Beside it stand two **collapse meters**, which read the features $p(h \mid v)$ of some digits. `std` is zero where
# all digits have the same features and about one where their directions differ in every dimension; the effective rank
# counts the dimensions in use. Both say that hidden units spread out and stay so.
#
# By the reconstruction the three are equally good. Keep that in mind.
#
# {{ claim: models/CD-1/reconstruction error ~ models/PCD/reconstruction error within 0.001 }}
# {{ claim: models/CD-1/reconstruction error ~ models/CD-5/reconstruction error within 0.001 }}

# %% filters [markdown]
# ### What the hidden units look for
#
# One column of $W$ is one hidden unit's picture: pixels that turn it on are orange, pixels that turn it off purple.

# %% filters-figure
figures.filters({"": machines["PCD"].W}, rows=3)

# %% filters-interpret [markdown]
# Strokes, ends of strokes, holes: parts that many digits share, each unit its own. Nobody asked for parts. Perhaps
# they come from the shape of $p(v \mid h)$, in which the hidden units that are on **add** their columns before the
# sigmoid.

# %% reconstructions-figure
rows = {"test digit": v_test[:12]} | {name: rbm.reconstruct(v_test[:12]) for name, rbm in machines.items()}
figures.pictures({name: v.view(-1, 1, 28, 28) for name, v in rows.items()})

# %% fantasies-text [markdown]
# ### Fantasies
#
# All three reconstruct test digits. Now back to your prediction: each machine starts from coin flips and takes a
# thousand of **your** Gibbs steps. The figure shows the reconstruction of where it stands then, which is smoother
# than zeros and ones, and below it the same after two hundred steps from a test digit.

# %% fantasies-figure
def walk(rbm, v, steps):
    """Where Gibbs chains from v (N,D) stand after some steps."""
    chance = torch.Generator(device).manual_seed(log.seed)
    for _ in range(steps):
        ((u_h, u_v),) = uniforms(v, rbm.dim, 1, chance)
        _, v = gibbs_step(v, rbm.W, rbm.b, rbm.c, u_h, u_v)
    return v


flips = (torch.rand(50, 784, generator=torch.Generator().manual_seed(log.seed)) < 0.5).float().to(device)
LONG, SHORT = training.budget(cpu=(1000, 200), gpu=(1000, 200), smoke=(10, 5))  # steps
rows, dreams = {"test digit": v_test[:12]}, {}
for name, rbm in machines.items():
    dreams[name] = walk(rbm, flips, LONG)
    rows[f"{name}, from noise"] = rbm.reconstruct(dreams[name][:12])
    rows[f"{name}, from the digit"] = rbm.reconstruct(walk(rbm, v_test[:12], SHORT))
figures.pictures({name: v.view(-1, 1, 28, 28) for name, v in rows.items()})

# %% fantasies-interpret [markdown]
# **From coin flips, CD-1 never leaves the noise**, and from a digit it ends among fragments and zeros. Its negative
# phase saw only what is one step away from a digit. Five steps do not free it: CD-5 still hangs in the noise, too.
# PCD dreams digits from pure noise. The chain that trains it walks on through the model, and wherever it settles
# without there being data, the negative phase pushes the energy up until it has to leave. It is not perfect: many of
# its walks end at the same few digits.
#
# {{ claim: energy/CD-1/F, dreams from noise > energy/CD-1/F, test digits by 300 }}
# {{ claim: energy/CD-5/F, dreams from noise > energy/CD-5/F, test digits by 300 }}
# {{ claim: energy/PCD/F, dreams from noise ~ energy/PCD/F, test digits within 30 }}

# %% race [markdown]
# ### Beside scikit-learn
#
# `sklearn.neural_network.BernoulliRBM` is what many people would use. It trains by PCD. The race is run at **its
# defaults**, 256 units, batches of ten, a constant rate of a tenth, on the same binary digits in the same precision,
# on the CPU. We time one pass at a time, in turns and in changing order, and compare the machines after five passes.
# On our side runs the package's version of your functions, which gives the same numbers.

# %% race-run
x, x_test = v_train.cpu(), v_test.cpu()


def ours(passes, persistent=False):
    """An RBM of ours, trained as scikit-learn's is."""
    torch.manual_seed(log.seed)
    rbm = origins.RBM(784, 256)
    rbm.fit(x, passes, batch_size=10, lr=0.1, persistent=persistent, seed=log.seed, watch=False)
    return rbm


RUNNERS = {
    "scikit-learn": lambda passes: sklearn_rbm.train(x, 256, passes, seed=log.seed),
    "CD-1": ours,
    "PCD": lambda passes: ours(passes, persistent=True),
}
ROUNDS, PASSES = training.budget(cpu=6, gpu=6), training.budget(cpu=5, gpu=5)
quickest = sklearn_rbm.quickest_times({name: partial(train, 1) for name, train in RUNNERS.items()}, ROUNDS)
for name, train in RUNNERS.items():
    rbm = train(PASSES)
    log.record(f"race/{name}/reconstruction error", (rbm.reconstruct(x_test) - x_test).square().mean(), digits=3)
    log.record(f"race/{name}/pseudo-likelihood", origins.pseudo_likelihood(rbm, x_test).mean(), unit="nats", digits=1)
    log.record(f"race/{name}/seconds a pass", quickest[name], unit="s", digits=3)
    log.record(f"race/{name}/times as fast", quickest["scikit-learn"] / quickest[name], unit="x", digits=1)
log.table("race/")

# %% race-interpret [markdown]
# Both measures are of test digits, and both are exact: the mean squared error a pixel of one way up and down without
# chance, and the **pseudo-likelihood**, how well each pixel is predicted from all others,
# $\sum_i \log p(v_i \mid v_{-i})$ [@besag1975statistical]. A higher one is better.
#
# CD-1 reconstructs with an error of {{ race/CD-1/reconstruction error }}, scikit-learn with
# {{ race/scikit-learn/reconstruction error }}; its pseudo-likelihood is {{ race/CD-1/pseudo-likelihood }},
# scikit-learn's {{ race/scikit-learn/pseudo-likelihood }}. That is the algorithm, not the code: **our own PCD at
# these settings is about as poor as theirs** ({{ race/PCD/reconstruction error }} and
# {{ race/PCD/pseudo-likelihood }}). Perhaps ten persistent chains are too few and a rate that never falls is too
# hasty: above, with fifty chains, a falling rate and more passes, PCD was another machine.
#
# The speed is the code: CD-1 is {{ race/CD-1/times as fast }} as fast, and PCD, the same algorithm as theirs,
# {{ race/PCD/times as fast }}. Both sides do the same few matrix products on whole batches, so the difference lies
# around them. When we profiled theirs, the largest part was one subtraction, of two matrices of the size of $W$ that
# lie in memory in opposite orders. Ours stacks the two batches, the chain's with a minus sign, and gets the
# difference from **one** product. Timings are this machine's; yours will differ.
#
# {{ claim: race/CD-1/reconstruction error < race/scikit-learn/reconstruction error by 0.005 }}
# {{ claim: race/CD-1/pseudo-likelihood > race/scikit-learn/pseudo-likelihood by 15 }}
# {{ claim: race/PCD/pseudo-likelihood ~ race/scikit-learn/pseudo-likelihood within 10 }}
# {{ claim: race/PCD/pseudo-likelihood < race/CD-1/pseudo-likelihood by 15 }}
# {{ claim cpu: race/CD-1/times as fast > 2; race/PCD/times as fast > 2 }}

# %% measure [markdown]
# ## Measure
#
# By reconstruction the three are equally good, by their dreams they are not. The honest judge is the likelihood of
# test digits, $\log p(v) = -F(v) - \log Z$, and the difficulty is $Z$: a sum over $2^{784}$ pictures.
#
# ### Exactly, on a small machine
#
# With $H = 16$ hidden units we can sum over the hidden states instead, all $2^{16}$ of them, each with its visible
# units summed out. That is exact, so we can test on it an estimate that works at any size.
#
# **Annealed importance sampling** (AIS) starts at a model whose $Z$ is known, independent pixels, and goes to the RBM
# in small steps of a temperature; the product of all little changes in probability along a chain is a weight, and the
# mean weight an estimate of $Z$ [@salakhutdinov2008quantitative]. The paper starts from the pixels' frequencies in
# the data. We also start from coin flips.

# %% measure-small
STARTS = {"frequencies": origins.base_rates(v_train), "coin flips": torch.zeros(784, device=device)}
ANNEALED = training.budget(cpu=(10, 100, 1000), gpu=(10, 100, 1000), smoke=(2, 5, 10))  # steps
MOST = ANNEALED[-1]
chance = torch.Generator(device).manual_seed(log.seed)
found = {}
for name in ("CD-1", "PCD"):
    rbm, _ = machine(16, 15, **RECIPES[name], watch=False)
    exact = origins.exact_log_z(rbm)
    log.record(f"small/{name}/exact log Z", exact, unit="nats", digits=1)
    log.record(f"small/{name}/exact log p(v)", -rbm.free_energy(v_test).mean() - exact, unit="nats", digits=1)
    found[name] = {
        start: {n: [origins.ais_log_z(rbm, base, n, 100, chance)[0] - exact for _ in range(3)] for n in ANNEALED}
        for start, base in STARTS.items()
    }
    for start, errors in found[name].items():
        log.record(f"small/{name}/AIS error, {start}", sum(errors[MOST]) / 3, unit="nats", digits=2)
    larger = [max(pair) for pair in zip(*(errors[MOST] for errors in found[name].values()), strict=True)]
    log.record(f"small/{name}/largest error, larger of both", max(map(abs, larger)), unit="nats", digits=2)
rbm_figures.annealing(found)

# %% measure-small-table
log.table("small/")

# %% measure-small-interpret [markdown]
# On the PCD machine, AIS from the pixels' frequencies hits the exact value, to a hundredth of a nat. On the CD-1
# machine the same method is off by {{ small/CD-1/AIS error, frequencies }}, and the figure shows its three repeats
# close together, all in the wrong place: **an error bar would not warn you**. Started from coin flips it is right
# there, to a tenth of a nat, and off by {{ small/PCD/AIS error, coin flips }} on the PCD machine.
#
# The reason is what you saw in the dreams. The CD-1 machine keeps most of its probability in the noise, a place that
# chains from digit-like pictures never reach. What no chain reaches is missing from the estimate, while one far too
# high is rare. So **of two estimates of** $Z$ **believe the larger**: on both machines, even the worst of three
# repeats is within a tenth of a nat of the truth. (The green band in the figure is half a nat.)
#
# ### On the large machines
#
# Now with 256 hidden units, where nothing can be enumerated, and both starts.
#
# {{ claim: small/PCD/AIS error, frequencies ~ 0 within 0.01 }}
# {{ claim: small/CD-1/AIS error, frequencies < -20 }}
# {{ claim: small/CD-1/AIS error, coin flips ~ 0 within 0.1; small/PCD/AIS error, coin flips < -20 }}
# {{ claim: small/CD-1/largest error, larger of both < 0.1; small/PCD/largest error, larger of both < 0.1 }}

# %% measure-likelihood
def judge(name, rbm, group="models"):
    """Record a machine's likelihood on test digits, by the larger of two estimates, and what flatters it."""
    F_test = free_energy(v_test, rbm.W, rbm.b, rbm.c).mean().item()
    estimates = {start: origins.ais_log_z(rbm, base, MOST, 100, chance)[0] for start, base in STARTS.items()}
    for start, log_z in estimates.items():
        log.record(f"{group}/{name}/log Z, {start}", log_z, unit="nats", digits=0)
    log.record(f"{group}/{name}/log p(v)", -F_test - max(estimates.values()), unit="nats", digits=0)
    log.record(f"{group}/{name}/pseudo-likelihood", origins.pseudo_likelihood(rbm, v_test).mean(), "nats", 0)
    log.record(f"{group}/{name}/reconstruction error", (rbm.reconstruct(v_test) - v_test).square().mean(), digits=3)


for name, rbm in machines.items():
    judge(name, rbm)
log.table("models/")

# %% measure-likelihood-interpret [markdown]
# Read the columns against each other. By reconstruction, CD-1 ({{ models/CD-1/reconstruction error }}) and PCD
# ({{ models/PCD/reconstruction error }}) are level, and by pseudo-likelihood nearly so
# ({{ models/CD-1/pseudo-likelihood }} and {{ models/PCD/pseudo-likelihood }}). By likelihood CD-1 is far behind:
# {{ models/CD-1/log p(v) }} a digit against {{ models/PCD/log p(v) }} for PCD and {{ models/CD-5/log p(v) }} for
# CD-5. PCD's lead is {{ difference: models/PCD/log p(v) - models/CD-1/log p(v) }}. (Behind a difference stands its
# **standard error**: the two machines are compared seed by seed, and their mean difference is known about that well.
# Behind a single number stands the standard deviation over seeds.)
#
# For CD-1, coin flips give the larger $\log Z$: {{ models/CD-1/log Z, coin flips }} against
# {{ models/CD-1/log Z, frequencies }}. With the paper's start alone we would have praised it.
#
# CD-5 is a puzzle of its own: a likelihood like PCD's, and dreams that hang in the noise like those of CD-1. Its
# estimates say why. From coin flips $\log Z$ is only {{ models/CD-5/log Z, coin flips }}, from frequencies
# {{ models/CD-5/log Z, frequencies }}: the noise holds next to nothing of the probability. A chain that starts there
# is not where it belongs; it just takes very long to find the way out. A good model can be slow to walk in.
#
# **A good reconstruction is not a good model.** Reconstruction asks about one step, pseudo-likelihood about one
# pixel; both look only next door to digits, where CD-1 looked, too. All of these likelihoods err on the high side, if
# at all: AIS may have missed another region.
#
# {{ claim: models/CD-1/reconstruction error ~ models/PCD/reconstruction error within 0.001 }}
# {{ claim: models/CD-1/pseudo-likelihood ~ models/PCD/pseudo-likelihood within 2 }}
# {{ claim: models/PCD/log p(v) > models/CD-1/log p(v) by 40; models/CD-5/log p(v) > models/CD-1/log p(v) by 40 }}
# {{ claim: models/CD-5/log p(v) ~ models/PCD/log p(v) within 4 }}
# {{ claim: models/CD-1/log Z, coin flips > models/CD-1/log Z, frequencies by 40 }}
# {{ claim: models/CD-5/log Z, frequencies > models/CD-5/log Z, coin flips by 20 }}

# %% biases-text [markdown]
# ### Where the biases start
#
# All machines above began with $b = 0$: each pixel as likely on as off, which is coin flips. Hinton's guide starts
# $b_i$ at the log odds of its pixel, $\log p_i / (1 - p_i)$, where $p_i$ is how often it is on
# [@hinton2012practical]. Does CD-1's trouble come from its update, or from its start? We change the start and keep
# all other settings.

# %% biases-run
for name in ("CD-1", "PCD"):
    rbm, _ = machine(256, EPOCHS, b=origins.base_rates(v_train).to(device), **RECIPES[name])
    judge(f"{name}, b at log odds", rbm, "biases")
    dreams[f"{name}, b at log odds"] = walk(rbm, flips, LONG)
    rows[f"{name}, b at log odds"] = rbm.reconstruct(dreams[f"{name}, b at log odds"][:12])
dreamt = {name: row.view(-1, 1, 28, 28) for name, row in rows.items() if "log odds" in name}
figures.pictures(dreamt)

# %% biases-table
log.table("biases/")

# %% biases-interpret [markdown]
# **From the two together; a cure for either is enough.** From the same coin flips CD-1 now gets to strokes, many of
# them zeros. Its likelihood rises from {{ models/CD-1/log p(v) }} to {{ biases/CD-1, b at log odds/log p(v) }}, and
# PCD's lead, which was {{ difference: models/PCD/log p(v) - models/CD-1/log p(v) }}, falls to
# {{ difference: biases/PCD, b at log odds/log p(v) - biases/CD-1, b at log odds/log p(v) }}. An earlier edition of
# this lesson blamed the update alone: it had tried no other start.
#
# Why so much? With small weights and $b = 0$, all $2^{784}$ pictures are about equally likely: the machine begins
# with its probability on noise, and training has to take it away from there. At first even one step from a digit
# leads into the noise. As the weights grow, it no longer does, and then CD-1 stops looking there, while PCD's chain
# walks on. With the log odds nothing is there to be taken away, since the machine begins with pictures as dark as
# digits.
#
# Two warnings. The quick measures would have chosen the wrong start: with zero biases, CD-1's reconstruction
# ({{ models/CD-1/reconstruction error }} against {{ biases/CD-1, b at log odds/reconstruction error }}) and its
# pseudo-likelihood ({{ models/CD-1/pseudo-likelihood }} against {{ biases/CD-1, b at log odds/pseudo-likelihood }})
# are *better*. And the log odds are not the better start for everybody: PCD ends at
# {{ biases/PCD, b at log odds/log p(v) }} with them and at {{ models/PCD/log p(v) }} with zeros. (For neither was the
# learning rate chosen anew.)
#
# {{ claim: biases/CD-1, b at log odds/log p(v) > models/CD-1/log p(v) by 30 }}
# {{ claim: biases/PCD, b at log odds/log p(v) > biases/CD-1, b at log odds/log p(v) by 4 }}
# {{ claim: biases/PCD, b at log odds/log p(v) ~ biases/CD-1, b at log odds/log p(v) within 10 }}
# {{ claim: models/PCD/log p(v) > models/CD-1/log p(v) by 40 }}
# {{ claim: models/CD-1/reconstruction error < biases/CD-1, b at log odds/reconstruction error }}
# {{ claim: models/CD-1/pseudo-likelihood > biases/CD-1, b at log odds/pseudo-likelihood }}
# {{ claim: biases/PCD, b at log odds/log p(v) < models/PCD/log p(v) }}

# %% energy-measure [markdown]
# ### Free energy: digits against noise
#
# Back to the machines that began with zero biases. $Z$ is the same for all pictures of one machine. So free energies
# can be compared without it: is a digit that the machine has never seen likelier than noise? We take two kinds: coin
# flips, and pixels that are each on as often as in the digits, but independently.

# %% energy-measure-figure
noise = {"frequencies": (torch.rand(1000, 784, device=device) < STARTS["frequencies"].sigmoid()).float()}
noise["coin flips"] = (torch.rand(1000, 784, device=device) < 0.5).float()
for name, rbm in machines.items():
    groups = {kind: free_energy(v, rbm.W, rbm.b, rbm.c) for kind, v in ({"test digits": v_test} | noise).items()}
    for kind, energies in groups.items():
        log.record(f"energy/{name}/F, {kind}", energies.mean(), unit="nats", digits=0)
    for kind in noise:
        below = (groups["test digits"][:, None] < groups[kind][None]).float().mean()
        log.record(f"energy/{name}/digit below {kind}", below, digits=3)
    log.record(f"energy/{name}/F, dreams from noise", free_energy(dreams[name], rbm.W, rbm.b, rbm.c).mean(), "nats", 0)
rbm_figures.free_energies(groups)

# %% energy-measure-table
log.table("energy/")

# %% energy-measure-interpret [markdown]
# The picture shows PCD. The share under *digit below* counts the pairs of a test digit and a noise picture in which
# the digit has the lower free energy: practically all of them, on every machine and for both kinds of noise.
#
# A riddle, then. On CD-1, too, a digit ({{ energy/CD-1/F, test digits }}) lies hundreds of nats below a coin-flip
# picture ({{ energy/CD-1/F, coin flips }}), and after a thousand steps from noise its chain is still at
# {{ energy/CD-1/F, dreams from noise }}. If one digit is so much likelier than one noise picture, why does the chain
# stay?
#
# - **Because there are so many noise pictures**: up to $2^{784} \approx e^{543}$. Add this exponent to minus their
#   free energy, and on CD-1 the *region* outweighs all digits, as its two estimates of $\log Z$ have said. Physicists
#   call it entropy. **A free energy compares pictures, not regions.**
# - That cannot be all, for CD-5's chains stay as well, and its noise weighs little. The other half of the answer is
#   how the chain moves, and CD-1 will show it to you at the end of the lesson.
#
# {{ claim: energy/CD-1/digit below coin flips > 0.99; energy/CD-1/digit below frequencies > 0.99 }}
# {{ claim: energy/CD-5/digit below coin flips > 0.99; energy/CD-5/digit below frequencies > 0.99 }}
# {{ claim: energy/PCD/digit below coin flips > 0.99; energy/PCD/digit below frequencies > 0.99 }}
# {{ claim: energy/CD-1/F, test digits < energy/CD-1/F, coin flips by 300 }}
# {{ claim: energy/CD-1/F, dreams from noise > energy/CD-1/F, test digits by 300 }}
# {{ claim: models/CD-1/log Z, coin flips > models/CD-1/log Z, frequencies by 40 }}
# {{ claim: energy/CD-5/F, dreams from noise > energy/CD-5/F, test digits by 300 }}
# {{ claim: models/CD-5/log Z, coin flips < models/CD-5/log Z, frequencies by 20 }}

# %% features [markdown]
# ### Are the features any good?
#
# For an RBM as a first layer of something, which is what they were famous for, likelihood is not the aim. A linear
# probe on $p(h \mid v)$ stands beside the same probe on **raw input**, on a **random** ConvNet and on an RBM left as
# it was born, and beside a ConvNet trained **supervised**.

# %% features-probe
LABELS = (10, None)  # labels a class; None: all
torch.manual_seed(log.seed)
unborn = origins.RBM(784, 256).to(device)
noted = {"seed": log.seed, "log": log, "group": "features"}
table = adaptation.references(digits, LABELS, seen=EPOCHS * len(digits.train), **noted)
table |= adaptation.budgets(digits, {"RBM, untrained": unborn} | machines, LABELS, **noted)
figures.accuracies(table, chance=1 / len(digits.classes), title=adaptation.in_all(digits, LABELS))

# %% features-table
log.table("features/")

# %% features-interpret [markdown]
# With ten labels a class, features of CD-1 reach {{ features/CD-1/10 labels a class }} and those of PCD
# {{ features/PCD/10 labels a class }}. That is more than raw pixels ({{ features/raw input/10 labels a class }}) and
# an untrained RBM ({{ features/RBM, untrained/10 labels a class }}), and less than a ConvNet trained supervised
# ({{ features/supervised/10 labels a class }}). CD-1's gain over raw pixels is
# {{ difference: features/CD-1/10 labels a class - features/raw input/10 labels a class }}. With all labels the order
# is the same and the gain smaller, {{ difference: features/CD-1/all labels - features/raw input/all labels }}. You
# will meet the pattern again: what is learned without labels pays most where labels are few. (An earlier edition saw
# hardly any gain with all labels: its probe had not converged.)
#
# And the machine that keeps most of its probability in the noise has features as good as the one that does not.
# Perhaps the two agree where there are data.
#
# {{ claim: features/CD-1/10 labels a class > features/raw input/10 labels a class by 0.04 }}
# {{ claim: features/PCD/10 labels a class > features/raw input/10 labels a class by 0.04 }}
# {{ claim: features/CD-1/10 labels a class > features/RBM, untrained/10 labels a class by 0.04 }}
# {{ claim: features/CD-1/10 labels a class < features/supervised/10 labels a class by 0.01 }}
# {{ claim: features/PCD/10 labels a class < features/supervised/10 labels a class by 0.01 }}
# {{ claim: features/CD-1/all labels > features/raw input/all labels by 0.02 }}
# {{ claim: features/CD-1/all labels > features/RBM, untrained/all labels by 0.02 }}
# {{ claim: features/CD-1/all labels < features/supervised/all labels by 0.02 }}
# {{ claim: features/CD-1/10 labels a class ~ features/PCD/10 labels a class within 0.02 }}
# {{ claim: features/CD-1/all labels ~ features/PCD/all labels within 0.02 }}

# %% break [markdown]
# ## Break it
#
# ### No negative phase
#
# "Make digits likely" sounds as if the positive phase were enough. So we take the negative one away, on a small
# machine, where we can watch all three parts of $\log p(v) = -F(v) - \log Z$ exactly.

# %% break-negative
def positive_only(v, chain, W, b, c, u):
    """Contrastive divergence without anything contrastive."""
    *_, chain = contrastive_divergence(v, chain, W, b, c, u)
    h = p_hidden(v, W, c)
    return v.T @ h / len(v), v.mean(dim=0), h.mean(dim=0), chain


curves = {"F(test digits)": {}, "-log Z": {}, "log p(test digits)": {}}
for name, update in {"both phases": contrastive_divergence, "positive phase only": positive_only}.items():
    torch.manual_seed(log.seed)
    rbm = origins.RBM(784, 12).to(device)
    values = []
    for epoch in range(10):
        if epoch > 0:  # the first values are those of a machine that has learned nothing
            rbm.fit(v_train, 1, batch_size=50, lr=0.1, persistent=True, seed=epoch, update=update, watch=False)
        F_test, F_noise = (rbm.free_energy(v).mean().item() for v in (v_test, noise["frequencies"]))
        log_z = origins.exact_log_z(rbm)
        values.append((F_test, -log_z, -F_test - log_z))
    for quantity, series in zip(curves, zip(*values, strict=True), strict=True):
        curves[quantity][name] = series
        log.record(f"phases/{name}/{quantity}", series[-1], unit="nats", digits=0)
    log.record(f"phases/{name}/F(noise)", F_noise, unit="nats", digits=0)
rbm_figures.phases(curves)

# %% break-negative-table
log.table("phases/")

# %% break-negative-interpret [markdown]
# Without the negative phase the free energy of digits falls and falls, to
# {{ phases/positive phase only/F(test digits) }}: a triumph, if that were the aim. But the free energy of noise falls
# with it ({{ phases/positive phase only/F(noise) }}; pixels on as often as in the digits), $\log Z$ grows faster than
# both, and the log-likelihood of digits goes **down** from $-784 \log 2 \approx -543$, to
# {{ phases/positive phase only/log p(test digits) }}.
#
# With both phases the free energy of digits ends near where it began, at $-12 \log 2$
# ({{ phases/both phases/F(test digits) }}), that of noise is pushed up ({{ phases/both phases/F(noise) }}), $Z$ stays
# small, and the log-likelihood rises to {{ phases/both phases/log p(test digits) }}.
#
# Probability is a budget. Whoever only rewards the data teaches the machine to like everything. You will meet this
# again: without negatives, or something in their place, a contrastive encoder can map all pictures to one point.
#
# {{ claim: phases/positive phase only/F(test digits) < phases/both phases/F(test digits) by 1000 }}
# {{ claim: phases/positive phase only/F(noise) < phases/both phases/F(noise) by 1000 }}
# {{ claim: phases/positive phase only/-log Z < phases/positive phase only/F(test digits) by 1000 }}
# {{ claim: phases/positive phase only/log p(test digits) < -543 }}
# {{ claim: phases/both phases/F(test digits) ~ -8 within 25; phases/both phases/F(noise) > -8 by 30 }}
# {{ claim: phases/both phases/log p(test digits) > -543 by 300 }}

# %% break-cd [markdown]
# ### CD-1's blind spot, live
#
# The slider from the beginning, on the machine trained by CD-1 from zero biases. Start from coin flips, and watch the
# free energy: it falls at once, then stays where it is. And look at the second panel.

# %% break-cd-widget
rbm_figures.gibbs_slider(machines["CD-1"], {"coin flips": coins, "a test digit": v_test[2]}, step=100)

# %% break-cd-interpret [markdown]
# That panel is black: after noise, **every hidden unit is off**. With $h = 0$ nothing is left of the model but $b$:
# the next picture is drawn from $\sigma(b)$, pixel by pixel, whatever the last one was. Such a picture turns no unit
# on either, and so it goes on. Start from the digit and you see what training saw: some units are always on. It never
# visited the state in which all are off, and never had a reason to make it unlikely.
#
# How much does this one state weigh? With $h = 0$ the energy is $-b \cdot v$, so its part of $Z$ is
# $\sum_v e^{b \cdot v} = \prod_i (1 + e^{b_i})$.

# %% break-silent
for name, rbm in machines.items():
    off = p_hidden(dreams[name], rbm.W, rbm.c).round().sum(dim=1) == 0
    log.record(f"silent/{name}/chains from noise with all hidden units off", off.float().mean(), digits=2)
    log.record(f"silent/{name}/log of that state's part of Z", F.softplus(rbm.b).sum(), unit="nats", digits=0)
log.table("silent/")

# %% break-silent-interpret [markdown]
# Of CD-1's fifty chains from noise, a share of {{ silent/CD-1/chains from noise with all hidden units off }} have ended
# in that state, of PCD's {{ silent/PCD/chains from noise with all hidden units off }}. And the logarithm of its part of
# CD-1's $Z$ is {{ silent/CD-1/log of that state's part of Z }}, while that of the whole $Z$, from coin flips, was
# {{ models/CD-1/log Z, coin flips }}: **one state of the hidden units is nearly all of** $Z$.
#
# {{ claim: silent/CD-1/chains from noise with all hidden units off > 0.9 }}
# {{ claim: silent/PCD/chains from noise with all hidden units off < 0.2 }}
# {{ claim: silent/CD-1/log of that state's part of Z ~ models/CD-1/log Z, coin flips within 1 }}
#
# **Your turn:** how little does it take to open the machine's eyes? Start the biases somewhere between zero and the
# log odds, `machine(256, EPOCHS, b=0.1 * origins.base_rates(v_train).to(device))`, and again with a quarter or a
# half, and let each walk from noise.

# %% reflect [markdown]
# ## Reflect
#
# - An RBM gives each picture an energy. Hidden units can be summed out exactly, one by one; $Z$ cannot.
# - Learning pulls the energy of data down and pushes that of the model's own samples up. **Contrast is what keeps a
#   model from liking everything**, and it works only where negatives are looked for. What nobody looks at keeps the
#   probability that it began with: so CD-1 hangs on where its biases start.
# - Reconstruction, pseudo-likelihood and AIS can all praise a bad model. They fail where they do not look. A chain from
#   noise, and a second estimate that starts elsewhere, cost seconds.
# - In the workflow of self-supervised learning [@ericsson2021self], there is no separate pretext task yet: the data
#   themselves are the target, $p(h \mid v)$ is $h_\theta$, and what is thrown away is $p(v \mid h)$.
#
# **Where it came from.** Smolensky's *harmonium* [@smolensky1986information] and Freund and Haussler's *influence
# combination machine* [@freund1991unsupervised] had the model; nobody could train it fast before contrastive
# divergence [@hinton2002training]. Persistent chains are Tieleman's [@tieleman2008training], AIS for RBMs
# Salakhutdinov's and Murray's [@salakhutdinov2008quantitative]. That CD follows the gradient of no function was
# proved later [@sutskever2010convergence]. How to train one in practice: Hinton's guide [@hinton2012practical].
#
# **What came of it.** Stacked, one RBM on the features of the other, they started the deep networks of their time:
# that is the next lesson [@hinton2006reducing].
