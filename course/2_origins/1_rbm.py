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
import torch
from torch.nn import functional as F

from sslcourse import adaptation, checks, data, figures, ledger, origins, training
from sslcourse.figures import rbm as rbm_figures
from sslcourse.origins import p_hidden, p_visible, sklearn_rbm, uniforms

check = checks.of_lesson("2.1")
free_energy, gibbs_step, contrastive_divergence, log_odds = check.blanks()

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
# digit is a vector $v \in \{0, 1\}^D$ with $D = 784$ pixels. No label is used until the features are measured.

# %% data-figure
figures.pictures({"train": v_train[:12].view(-1, 1, 28, 28), "test": v_test[:12].view(-1, 1, 28, 28)})

# %% predict [markdown]
# ## Predict
#
# A machine is trained by *contrastive divergence*, the classic recipe: show it a digit, let it take **one** random
# step away from the digit, and change its weights so that the digit becomes more likely and the place one step away
# less. Its biases start at zero, as they do in scikit-learn. Afterwards it reproduces test digits well.
#
# Now we start it on **noise**, every pixel a coin flip, and let it walk a thousand steps by its own probabilities.
# What will we see? Commit to an answer, then open it.
#
# <details><summary>A. Digits: it has learned that digits are likely, and a random walk ends where it is likely to be.
# </summary>That would be so if training had made digits likely and <i>all else</i> unlikely. But it was only ever told
# that places one step away from digits are unlikely.</details>
#
# <details><summary>B. A blur, the average of all digits.</summary>The units are on or off and one draw is one
# picture: it has no reason to average.</details>
#
# <details><summary>C. Noise, still.</summary>Yes. With biases at zero the machine begins with its probability spread
# over all pictures, and nearly all pictures are noise. Training looks one step away from digits and no further, and
# much of the probability stays in the noise. There are two cures, and you will write both: negatives that walk on, and
# another start of the biases.</details>

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
# So we can draw a whole layer at once, then the other, then the first again. This is **block Gibbs sampling**, a random
# walk that in the long run visits each $v$ as often as $p(v)$ says. Here is a machine trained a moment ago by the
# recipe that you will write below. Start it on coin flips or on a test digit, and step.

# %% gibbs-train
torch.manual_seed(log.seed)
seen = origins.RBM(visible=784, hidden=256).to(device)
seen.fit(v_train, epochs=15, batch_size=50, lr=0.1, last_lr=0, persistent=True, seed=log.seed)
coins = (torch.rand(784, generator=torch.Generator().manual_seed(log.seed)) < 0.5).float().to(device)

# %% gibbs-widget
rbm_figures.gibbs_slider(seen, {"coin flips": coins, "a test digit": v_test[2]}, step=100)

# %% gibbs-interpret [markdown]
# The panels show, from left to right: the state $v$; the probabilities of the hidden units; the probabilities of the
# next picture, given hidden units drawn from these; and the free energy of each state so far, a number that you will
# write below. Low is likely.
#
# From coin flips the walk first stays in noise, and its free energy stays level. Slide on: then it drops within a
# few steps, and the machine draws strokes. Nobody told it what a stroke is. From a digit it wanders slowly from one way
# of writing to another.

# %% build [markdown]
# ## Build
#
# Four functions make an RBM. Each check draws fresh random inputs and tells you what is wrong and how it knows. **If
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
# $$F(v) = -\log \sum_h e^{-E(v, h)} = -b \cdot v - \sum_{j=1}^{H} \log\big(1 + e^{a_j}\big),
# \qquad a = v^\top W + c, \qquad p(v) = \frac{e^{-F(v)}}{Z}.$$
#
# For `v` of shape $(N, D)$, `W` $(D, H)$, `b` $(D)$ and `c` $(H)$, return the $N$ free energies. They must be right
# for large weights, too: $e^{100}$ does not fit into float32.
#
# <details><summary>Hint 1</summary>What hidden unit j receives from row n of <code>v</code> is entry (n, j) of
# <code>v @ W + c</code>. Along which dimension does the sum over j run?</details>
# <details><summary>Hint 2</summary>The function log(1 + exp(a)) has a name, <i>softplus</i>, and torch has a version
# of it that cannot overflow.</details>

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
# <details><summary>Hint 1</summary>A comparison gives True and False. Tensors have a method that turns them into
# numbers of another type, such as that of <code>v</code>.</details>
# <details><summary>Hint 2</summary>You compare twice with uniform numbers, on the way up and on the way down. What
# goes into the second probability: the first probability, or what you drew by it?</details>

# %% gibbs_step exercise="gibbs_step"
def gibbs_step(v, W, b, c, u_h, u_v):
    """Draw h from p(h | v), then a new v from p(v | h), by uniform numbers u_h (N,H), u_v (N,D); returns (h, new v)."""
    ### BEGIN SOLUTION
    h = (u_h < p_hidden(v, W, c)).to(v.dtype)
    return h, (u_v < p_visible(h, W, b)).to(v.dtype)
    ### END SOLUTION


# %% gibbs_step-check check="gibbs_step"
gibbs_step = check(gibbs_step)

# %% gradient-text [markdown]
# ### 3. The gradient, and contrastive divergence
#
# Learning should make data likely: it climbs on $\langle \log p(v) \rangle_\text{data}$, the mean over the data of
# $\log p(v) = -F(v) - \log Z$, where $Z = \sum_v e^{-F(v)}$. Let $\theta$ be any parameter. The derivative of $\log Z$
# is a mean, too, over the **model's own** pictures:
#
# $$\frac{\partial \log Z}{\partial \theta}
# = \frac{1}{Z} \sum_v e^{-F(v)} \left(-\frac{\partial F(v)}{\partial \theta}\right)
# = -\sum_v p(v)\, \frac{\partial F(v)}{\partial \theta}
# = -\left\langle \frac{\partial F}{\partial \theta} \right\rangle_{\text{model}}.$$
#
# The derivative of $\log(1 + e^a)$ is the sigmoid $\sigma(a)$, and $\sigma(a_j)$ is $p(h_j = 1 \mid v)$. So
#
# $$\frac{\partial F(v)}{\partial W_{ij}} = -v_i\, p(h_j = 1 \mid v), \qquad
# \frac{\partial F(v)}{\partial b_i} = -v_i, \qquad \frac{\partial F(v)}{\partial c_j} = -p(h_j = 1 \mid v).$$
#
# Together:
#
# $$\frac{\partial}{\partial W} \langle \log p(v) \rangle_\text{data}
# = \big\langle v\, p(h \mid v)^\top \big\rangle_\text{data} -
# \big\langle v\, p(h \mid v)^\top \big\rangle_\text{model}.$$
#
# The first mean, the **positive phase**, lowers the free energy of data. The second, the **negative phase**, raises
# that of what the model itself believes in. Where the two agree, learning stops. Let us ask autograd whether the
# derivative of $F$ is right.

# %% gradient-autograd
W, b, c = 0.1 * torch.randn(784, 20, device=device), torch.zeros(784, device=device), torch.zeros(20, device=device)
v = v_train[:100]
free_energy(v, W.requires_grad_(), b, c).mean().backward()
by_hand = -v.T @ p_hidden(v, W.detach(), c) / len(v)
print(f"Autograd and the formula differ by {(W.grad - by_hand).abs().max():.0e} at most.")

# %% divergence-text [markdown]
# The negative phase needs samples of the model, and those need a long Gibbs chain for every update. Hinton's
# shortcut is CD-$k$: **start the chain at the data and take only** $k$ **steps**, often one [@hinton2002training].
# Tieleman's is persistent CD, or PCD: never start anew; each update goes on with the chain **where the last one
# stopped** [@tieleman2008training]. The two differ in where the chain begins, and in nothing else, so one function does
# both.
#
# `v` $(N, D)$ is a batch, `chain` $(M, D)$ is where the chain begins, and `u` a list of $k$ pairs `(u_h, u_v)`. Walk
# $k$ Gibbs steps from `chain`; then return `dW, db, dc` and the chain where it stopped. Each mean is over its own
# rows: $N$ for the data, $M$ for the chain.
#
# <details><summary>Hint 1</summary>The walk is a loop over <code>u</code> with your <code>gibbs_step</code>: which of
# its two results goes on? The rest has no loop.</details>
# <details><summary>Hint 2</summary>A mean of outer products of rows is one matrix product, divided by the number of
# rows. Write down the shapes: which of the two matrices has to be transposed to give the shape of
# <code>W</code>?</details>

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

# %% biases-text [markdown]
# ### 4. Where the biases start
#
# With all weights near zero and $b = 0$, every pixel is as likely on as off: the machine begins with coin flips, while
# digits are mostly black. Hinton's guide starts it with pictures as dark as digits instead. If $p_i$ is how often
# pixel $i$ is on, its bias starts at the **log odds** [@hinton2012practical]
#
# $$b_i = \log \frac{p_i}{1 - p_i}, \qquad \text{so that} \qquad \sigma(b_i) = p_i.$$
#
# But some pixels are never on, and a pixel could be always on: no training leads back from an infinite bias. So
# count as if there were **two samples more**, one with all pixels on and one with all pixels off. For `v` of shape
# $(N, D)$, zeros and ones, return the $D$ biases.
#
# <details><summary>Hint 1</summary>How often is each pixel on among the N + 2 samples, and how often is it
# off?</details>
# <details><summary>Hint 2</summary>Try one pixel by hand. In three samples it is never on. Among five it is on once
# and off four times, so that its odds are one to four.</details>

# %% log_odds exercise="log_odds"
def log_odds(v):
    """Biases (D,) that give each pixel its frequency in v (N,D) and two made-up samples, all on and all off."""
    ### BEGIN SOLUTION
    on = v.sum(dim=0)
    return ((on + 1) / (len(v) - on + 1)).log()
    ### END SOLUTION


# %% log_odds-check check="log_odds"
log_odds = check(log_odds)

# %% train [markdown]
# ## Train
#
# We train four machines with **your** functions: CD-1 and PCD, with biases from zero and from the log odds. All four
# share the other settings, and nothing is tuned for one of them: thirty epochs, batches of fifty, and scikit-learn's
# rate of a tenth, which falls to zero here, as in Tieleman's paper.
#
# The gradient needs no loss, and nobody can compute $\log p(v)$ at this size. So the first panel shows something
# else, which is not minimised: the **reconstruction**, the cross-entropy of a digit after one way up and down. Beside
# it stand the two **collapse meters** of the features $p(h \mid v)$ that go with every loss of this course. `std`,
# the spread of the features from digit to digit, is zero where all digits look the same to the machine. The
# *effective rank* says how many dimensions the features use.

# %% train-machines
RECIPES = {"CD-1": {"k": 1}, "PCD": {"persistent": True}}
STARTS = {"zero": torch.zeros(784, device=device), "log odds": log_odds(v_train)}
EPOCHS, HIDDEN = training.budget(cpu=(30, 256), gpu=(30, 512), smoke=(1, 32))


def machine(hidden, epochs, b, **recipe):
    """A fresh RBM with visible biases b, trained with the update from above: (rbm, history)."""
    torch.manual_seed(log.seed)
    rbm = origins.RBM(784, hidden).to(device)
    rbm.b.copy_(b)
    settings = {"batch_size": 50, "lr": 0.1, "last_lr": 0.0, "seed": log.seed, "update": contrastive_divergence}
    return rbm, rbm.fit(v_train, epochs, **(settings | recipe))


machines, histories = {}, {}
for start, b in STARTS.items():
    for recipe, options in RECIPES.items():
        name = f"{recipe}, {start}"
        print(name)
        machines[name], histories[name] = machine(HIDDEN, EPOCHS, b, **options)
figures.training(histories)

# %% train-interpret [markdown]
# No meter falls to the bottom, so nothing collapses. By the reconstruction the four are about equally good. Keep that
# in mind.
#
# {{ claim: models/CD-1, zero/reconstruction error ~ models/PCD, zero/reconstruction error within 0.002;
# models/CD-1, zero/reconstruction error ~ models/CD-1, log odds/reconstruction error within 0.002;
# models/CD-1, zero/reconstruction error ~ models/PCD, log odds/reconstruction error within 0.002 }}
#
# ### What the hidden units look for
#
# One column of $W$ is one hidden unit's picture: pixels that turn it on are orange, pixels that turn it off purple.

# %% filters-figure
figures.filters({"": machines["PCD, log odds"].W}, rows=2)

# %% filters-interpret [markdown]
# These are strokes, ends of strokes and holes, parts that many digits share. Perhaps they come from the
# shape of $p(v \mid h)$, in which the hidden units that are on **add** their columns before the sigmoid.
#
# ### Fantasies
#
# Back to your prediction: each machine starts from coin flips and takes a thousand of **your** Gibbs steps. The
# figure shows the reconstruction of where it stands then, which is smoother than zeros and ones. The first two rows
# are test digits and what CD-1, from zero, makes of them after one way up and down.

# %% fantasies-figure
def walk(rbm, v, steps):
    """Where Gibbs chains from v (N,D) stand after some steps."""
    chance = torch.Generator(device).manual_seed(log.seed)
    for _ in range(steps):
        ((u_h, u_v),) = uniforms(v, rbm.dim, 1, chance)
        _, v = gibbs_step(v, rbm.W, rbm.b, rbm.c, u_h, u_v)
    return v


LONG = training.budget(cpu=1000, gpu=1000, smoke=10)  # steps
flips = (torch.rand(50, 784, generator=torch.Generator().manual_seed(log.seed)) < 0.5).float().to(device)
dreams = {name: walk(rbm, flips, LONG) for name, rbm in machines.items()}
rows = {"test digit": v_test[:12], "CD-1, zero,\nreconstruction": machines["CD-1, zero"].reconstruct(v_test[:12])}
rows |= {f"{name},\nfrom noise": machines[name].reconstruct(v[:12]) for name, v in dreams.items()}
figures.pictures({name: v.view(-1, 1, 28, 28) for name, v in rows.items()})

# %% fantasies-interpret [markdown]
# **CD-1 from zero reproduces digits, and from coin flips it never leaves the noise.** Its negative phase saw only
# what is one step away from a digit. Each of the two cures frees it. PCD's chain walks on through the model, and the
# negative phase raises the free energy wherever the chain stays without there being data. And from the log odds a
# machine begins where pictures are as dark as digits. None is perfect: many of the walks end at the same few digits.
#
# {{ claim: silent/CD-1, zero/chains from noise with all hidden units off > 0.9;
# silent/PCD, zero/chains from noise with all hidden units off < 0.2;
# silent/CD-1, log odds/chains from noise with all hidden units off < 0.2 }}

# %% measure [markdown]
# ## Measure
#
# The honest judge is the likelihood of test digits, $\log p(v) = -F(v) - \log Z$, and the difficulty is $Z$: a sum
# over $2^{784}$ pictures.
#
# ### Exactly, on a small machine
#
# With $H = 16$ hidden units we can sum over the $2^{16}$ hidden states instead, each with its visible units summed out.
# That is exact, so we can test on it an estimate that works at any size.
#
# **Annealed importance sampling** (AIS) starts chains at a model whose $Z$ is known, independent pixels, and turns
# this model into the RBM in many small steps. Each step multiplies a chain's weight by how much more probable the
# step makes the chain's state, before normalisation; the mean weight estimates the ratio of the two $Z$
# [@salakhutdinov2008quantitative]. The paper starts from the pixels' frequencies in the data, which is a machine with
# your log odds and no weights. We also start from coin flips. The machines are CD-1 and PCD, with biases from zero.

# %% measure-small
BASES = {"frequencies": STARTS["log odds"], "coin flips": STARTS["zero"]}
ANNEALED = training.budget(cpu=(10, 100, 1000), gpu=(10, 100, 1000), smoke=(2, 5, 10))  # steps
MOST = ANNEALED[-1]
chance = torch.Generator(device).manual_seed(log.seed)
found = {}
for name, options in RECIPES.items():
    rbm, _ = machine(16, 15, STARTS["zero"], **options, watch=False)
    exact = origins.exact_log_z(rbm)
    found[name] = {
        start: {n: [origins.ais_log_z(rbm, base, n, 100, chance)[0] - exact for _ in range(3)] for n in ANNEALED}
        for start, base in BASES.items()
    }
    for start, errors in found[name].items():
        log.record(f"small/{name}/AIS error, {start}", sum(errors[MOST]) / 3, unit="nats", digits=2)
    larger = [max(pair) for pair in zip(*(errors[MOST] for errors in found[name].values()), strict=True)]
    log.record(f"small/{name}/largest error, larger of both", max(map(abs, larger)), unit="nats", digits=2)
rbm_figures.annealing(found)

# %% measure-small-interpret [markdown]
# From the pixels' frequencies AIS hits the exact value on the PCD machine, within a tenth of a nat. On the CD-1 machine
# the same method is off by {{ small/CD-1/AIS error, frequencies }}. From coin flips it is right there, and off by
# {{ small/PCD/AIS error, coin flips }} on the PCD machine. (The green band in the figure is half a nat.)
#
# What no chain reaches is missing from the estimate, and **an error bar knows only of what the chains have seen**.
# Chains that start from digit-like pictures do not reach the noise, where the CD-1 machine keeps most of its
# probability. The other way round there is little to fear: on average an estimate of $Z$ is right, so it is a factor
# of $e^t$ too high with a probability of at most $e^{-t}$ (Markov's inequality). So **of two estimates of** $Z$
# **believe the larger**: on both machines, even the worst of three repeats is then within a tenth of a nat of the
# truth.
#
# {{ claim: small/PCD/AIS error, frequencies ~ 0 within 0.1; small/PCD/AIS error, coin flips < -10 }}
# {{ claim: small/CD-1/AIS error, frequencies < -10; small/CD-1/AIS error, coin flips ~ 0 within 0.1 }}
# {{ claim: small/CD-1/largest error, larger of both < 0.1; small/PCD/largest error, larger of both < 0.1 }}
#
# ### On the large machines
#
# Nothing can be enumerated on the machines from above, so we take the larger of the two estimates. To them we add CD-1
# from zero trained **twice as long**, and three rivals. *Independent pixels* are each on as often as in the data. The
# *mixture* is made of eighty such models, fitted by expectation maximisation; validation digits chose their number.
# `scikit-learn` is its `BernoulliRBM` at its defaults, which many people would use: PCD with batches and chains of ten,
# ten epochs, a rate that never falls and biases from zero. Our own PCD with these settings stands below.
#
# Two measures in the table are what many people use in place of $\log p(v)$: the squared error of the reconstruction,
# and the **pseudo-likelihood** $\sum_i \log p(v_i \mid v_{-i})$ (here of half of the test digits), which asks how well
# each pixel is predicted from all others [@besag1975statistical].

# %% measure-likelihood
def judge(name, rbm):
    """Record what flatters a machine, its log Z from both starts, and the likelihood by the larger."""
    estimates = {start: origins.ais_log_z(rbm, base, MOST, 100, chance)[0] for start, base in BASES.items()}
    for start, log_z in estimates.items():
        log.record(f"log Z/{name}/{start}", log_z, unit="nats", digits=0)
    log.record(f"models/{name}/reconstruction error", (rbm.reconstruct(v_test) - v_test).square().mean(), digits=3)
    log.record(f"models/{name}/pseudo-likelihood", origins.pseudo_likelihood(rbm, v_test[:500]).mean(), "nats", 0)
    F_test = free_energy(v_test, rbm.W, rbm.b, rbm.c).mean().item()
    log.record(f"models/{name}/log p(v)", -F_test - max(estimates.values()), unit="nats", digits=0)


patient, _ = machine(HIDDEN, 2 * EPOCHS, STARTS["zero"], watch=False)
for name, rbm in (machines | {"CD-1, zero, twice as long": patient}).items():
    judge(name, rbm)
judge("scikit-learn", sklearn_rbm.train(v_train.cpu(), 256, 10, seed=log.seed).to(device))
same, _ = machine(256, 10, STARTS["zero"], batch_size=10, last_lr=None, persistent=True, watch=False)
judge("PCD, scikit-learn's settings", same)
for rival, components in {"mixture of 80": 80, "independent pixels": 1}.items():
    mixture = origins.fit_mixture(v_train, components, seed=log.seed)
    log.record(f"models/{rival}/log p(v)", origins.mixture_log_likelihood(v_test, *mixture).mean(), "nats", 0)
log.table("models/")

# %% measure-likelihood-interpret [markdown]
# **What the method is for.** PCD from zero gives a test digit {{ models/PCD, zero/log p(v) }}, the mixture
# {{ models/mixture of 80/log p(v) }} and independent pixels {{ models/independent pixels/log p(v) }}. The lead over the
# mixture is {{ difference: models/PCD, zero/log p(v) - models/mixture of 80/log p(v) }}. That fits the idea that hidden
# units can be **combined**, while a mixture has to choose one component. (Behind a difference stands its **standard
# error**, the seeds compared one by one; behind a single number the standard deviation.)
#
# Can we trust it? The rivals' likelihoods are exact. Ours would be too high if both starts of AIS missed a region.
# The best evidence is PCD from the log odds, where the two starts agree on $\log Z$:
# {{ log Z/PCD, log odds/frequencies }} and {{ log Z/PCD, log odds/coin flips }}. This machine leads the mixture by
# {{ difference: models/PCD, log odds/log p(v) - models/mixture of 80/log p(v) }}.
#
# **The recipe.** After thirty epochs from zero, CD-1 is worse than the mixture: {{ models/CD-1, zero/log p(v) }}. The
# log odds repair most of it, {{ models/CD-1, log odds/log p(v) }}, and PCD's lead over CD-1 shrinks from
# {{ difference: models/PCD, zero/log p(v) - models/CD-1, zero/log p(v) }} to
# {{ difference: models/PCD, log odds/log p(v) - models/CD-1, log odds/log p(v) }}. Neither the update nor the start
# alone does the damage: it takes both. (PCD gains nothing from the log odds.) Patience repairs the likelihood, too:
# trained twice as long, CD-1 from zero gets to {{ models/CD-1, zero, twice as long/log p(v) }}, level with PCD after
# thirty epochs. (We did not train PCD for longer.) The end of the lesson shows what patience does not cure.
#
# **The quick measures do not see it.** CD-1 from zero has a *better* reconstruction and a *better* pseudo-likelihood
# than CD-1 from the log odds. Reconstruction asks about one step, pseudo-likelihood about one pixel: both look only
# next door to digits, where CD-1 looked, too. And the paper's start for AIS would have praised it: from the
# frequencies $\log Z$ is {{ log Z/CD-1, zero/frequencies }}, from coin flips {{ log Z/CD-1, zero/coin flips }}.
#
# PCD alone is no guarantee: scikit-learn's defaults, {{ models/scikit-learn/log p(v) }}, lose to independent pixels.
# That lies in the settings, not in its code, for ours loses with them, too. Perhaps ten chains are too few, and a rate
# that never falls is too hasty for them.
#
# Salakhutdinov and Murray, too, saw likelihoods rise with the steps of CD, and RBMs ahead of mixtures. Their nats
# cannot be compared with ours: they had some seventeen times our digits and 500 hidden units, and drew each pixel at
# random by its grey value [@salakhutdinov2008quantitative].
#
# {{ claim: models/PCD, zero/log p(v) > models/mixture of 80/log p(v) by 25;
# models/PCD, log odds/log p(v) > models/mixture of 80/log p(v) by 25;
# models/mixture of 80/log p(v) > models/independent pixels/log p(v) by 40 }}
# {{ claim: log Z/PCD, log odds/frequencies ~ log Z/PCD, log odds/coin flips within 3 }}
# {{ claim: models/CD-1, zero/log p(v) < models/mixture of 80/log p(v) by 5;
# models/CD-1, log odds/log p(v) > models/CD-1, zero/log p(v) by 30 }}
# {{ claim: models/PCD, zero/log p(v) > models/CD-1, zero/log p(v) by 40;
# models/PCD, log odds/log p(v) > models/CD-1, log odds/log p(v) by 4;
# models/PCD, log odds/log p(v) ~ models/CD-1, log odds/log p(v) within 12;
# models/PCD, log odds/log p(v) < models/PCD, zero/log p(v) }}
# {{ claim: models/CD-1, zero, twice as long/log p(v) > models/CD-1, zero/log p(v) by 20;
# models/CD-1, zero, twice as long/log p(v) ~ models/PCD, zero/log p(v) within 3 }}
# {{ claim: models/CD-1, zero/reconstruction error < models/CD-1, log odds/reconstruction error;
# models/CD-1, zero/pseudo-likelihood > models/CD-1, log odds/pseudo-likelihood }}
# {{ claim: log Z/CD-1, zero/coin flips > log Z/CD-1, zero/frequencies by 40;
# models/scikit-learn/log p(v) < models/independent pixels/log p(v);
# models/PCD, scikit-learn's settings/log p(v) < models/independent pixels/log p(v) }}

# %% exact-text [markdown]
# ### CD's gradient beside the exact one
#
# How wrong is CD's gradient? On a small machine the negative phase is a sum over $2^{10}$ hidden states, and so we can
# compute the exact gradient. We train four machines from **your log odds**, alike but for their updates: CD-1, CD-10,
# PCD and the exact gradient. While CD-1 trains, we stop after every epoch and hold three mean updates over two thousand
# digits against the exact gradient on the same digits: that of CD-1, that of CD-10 and, as a control, one whose chains
# start at independent samples **of the model itself**. The cosine is one where two updates point the same way.

# %% exact-run
SMALL = 10  # hidden units
UPDATES = {"exact gradient": {"update": origins.exact_update}, "PCD": {"persistent": True}, "CD-10": {"k": 10}}
UPDATES["CD-1"] = {"k": 1}
some, cosines, likelihoods = v_train[:2000], {"the model's own samples": [], "CD-10": [], "CD-1": []}, {}


def compare(rbm):
    """Note the cosines of three updates with the exact gradient, and record CD-1's length beside that of the exact."""
    own = origins.own_samples(rbm, len(some), chance)
    exact = torch.cat([part.flatten() for part in origins.exact_update(some, own, rbm.W, rbm.b, rbm.c)[:3]])
    for name, (chain, k) in zip(cosines, ((own, 1), (some, 10), (some, 1)), strict=True):
        parts = contrastive_divergence(some, chain, rbm.W, rbm.b, rbm.c, uniforms(chain, rbm.dim, k, chance))
        update = torch.cat([part.flatten() for part in parts[:3]])
        cosines[name].append(F.cosine_similarity(update, exact, dim=0).item())
    log.record("exact/CD-1/length beside the exact gradient", update.norm() / exact.norm(), digits=2)


for name, options in UPDATES.items():
    likelihoods[name] = []

    def note(rbm, name=name):
        likelihoods[name].append(-rbm.free_energy(v_test).mean().item() - origins.exact_log_z(rbm))
        if name == "CD-1" and len(likelihoods[name]) > 1:  # at epoch 0 the gradient is nearly zero
            compare(rbm)

    machine(SMALL, training.budget(cpu=15, gpu=15), STARTS["log odds"], **options, watch=False, after=note)
    log.record(f"exact/{name}/log p(v)", likelihoods[name][-1], unit="nats", digits=0)
for name, values in cosines.items():
    log.record(f"exact/{name}/cosine with the exact gradient", values[-1], digits=2)
rbm_figures.gradients(likelihoods, cosines, "CD-1")

# %% exact-interpret [markdown]
# The control ends at {{ exact/the model's own samples/cosine with the exact gradient }}: two thousand chains are
# enough to see the gradient. What is left of CD-1's update has {{ exact/CD-1/length beside the exact gradient }}
# times the length of the exact gradient, and its direction has nothing in common with it: the cosine is
# {{ exact/CD-1/cosine with the exact gradient }}. **CD-1 has come to rest where the exact gradient still points
# uphill**: one step from the data says too little about where the model's probability is. Ten steps do better,
# {{ exact/CD-10/cosine with the exact gradient }}.
#
# The error is CD-1's own, for the biases started at the log odds. It costs likelihood: CD-1 ends at
# {{ exact/CD-1/log p(v) }}, the exact gradient at {{ exact/exact gradient/log p(v) }}. PCD, whose single step continues
# an old chain, ends close to it, at {{ exact/PCD/log p(v) }}.
#
# {{ claim: exact/the model's own samples/cosine with the exact gradient > 0.95;
# exact/CD-1/cosine with the exact gradient ~ 0 within 0.1; exact/CD-1/length beside the exact gradient < 0.2 }}
# {{ claim: exact/CD-10/cosine with the exact gradient > exact/CD-1/cosine with the exact gradient by 0.4 }}
# {{ claim: exact/exact gradient/log p(v) > exact/CD-1/log p(v) by 3;
# exact/PCD/log p(v) ~ exact/exact gradient/log p(v) within 2 }}
#
# ### Are the features any good?
#
# RBMs were famous as the first layer of something larger, and there likelihood is not the aim. A linear probe on
# $p(h \mid v)$ stands beside the same probe on **raw input**, on a **random** ConvNet and on an RBM left as it was
# born, and beside a ConvNet trained **supervised**.

# %% features-probe
LABELS = (10, None)  # labels a class; None: all
torch.manual_seed(log.seed)
unborn = origins.RBM(784, HIDDEN).to(device)
noted = {"seed": log.seed, "log": log, "group": "features"}
table = adaptation.references(digits, LABELS, seen=EPOCHS * len(digits.train), **noted)
chosen = {"RBM, untrained": unborn} | {name: machines[name] for name in ("CD-1, zero", "PCD, zero")}
table |= adaptation.budgets(digits, chosen, LABELS, **noted)
figures.accuracies(table, chance=1 / len(digits.classes), title=adaptation.in_all(digits, LABELS))

# %% features-interpret [markdown]
# With ten labels a class, features of CD-1 from zero reach {{ features/CD-1, zero/10 labels a class }}: more than raw
# pixels ({{ features/raw input/10 labels a class }}) and an untrained RBM
# ({{ features/RBM, untrained/10 labels a class }}), and less than a ConvNet trained supervised
# ({{ features/supervised/10 labels a class }}). The gain over raw pixels is
# {{ difference: features/CD-1, zero/10 labels a class - features/raw input/10 labels a class }}, with all labels
# {{ difference: features/CD-1, zero/all labels - features/raw input/all labels }}.
#
# Of our two machines from zero, CD-1 has the much worse likelihood, and its features are as good as PCD's. Perhaps
# the two agree where there are data.
#
# {{ claim: features/CD-1, zero/10 labels a class > features/raw input/10 labels a class by 0.04;
# features/CD-1, zero/10 labels a class > features/RBM, untrained/10 labels a class by 0.04;
# features/CD-1, zero/10 labels a class < features/supervised/10 labels a class by 0.01 }}
# {{ claim: features/CD-1, zero/all labels > features/raw input/all labels by 0.02 }}
# {{ claim: features/CD-1, zero/10 labels a class ~ features/PCD, zero/10 labels a class within 0.02;
# features/CD-1, zero/all labels ~ features/PCD, zero/all labels within 0.02;
# models/PCD, zero/log p(v) > models/CD-1, zero/log p(v) by 40 }}

# %% break [markdown]
# ## Break it
#
# ### No negative phase
#
# "Make digits likely" sounds as if the positive phase were enough. So we take the negative one away, on a small
# machine, where we can watch all three parts of $\log p(v) = -F(v) - \log Z$ exactly. Its biases start at zero.

# %% break-negative
def positive_only(v, chain, W, b, c, u):
    """Contrastive divergence without anything contrastive."""
    *_, chain = contrastive_divergence(v, chain, W, b, c, u)
    h = p_hidden(v, W, c)
    return v.T @ h / len(v), v.mean(dim=0), h.mean(dim=0), chain


parts = {"F(test digits)": {}, "-log Z": {}, "log p(test digits)": {}}
for name, update in {"both phases": contrastive_divergence, "positive phase only": positive_only}.items():
    values = []

    def note(rbm, values=values):
        F_test, log_z = rbm.free_energy(v_test).mean().item(), origins.exact_log_z(rbm)
        values.append((F_test, -log_z, -F_test - log_z))

    machine(SMALL, 10, STARTS["zero"], update=update, persistent=True, watch=False, after=note)
    for part, series in zip(parts, zip(*values, strict=True), strict=True):
        parts[part][name] = series
        log.record(f"phases/{name}/{part}", series[-1], unit="nats", digits=0)
rbm_figures.phases(parts)

# %% break-negative-interpret [markdown]
# (The axis is linear between -100 and 100 and logarithmic beyond, so that both runs can be seen.) Without the negative
# phase the free energy of digits falls and falls, to {{ phases/positive phase only/F(test digits) }}: a triumph, if
# that were the aim. But $\log Z$ grows faster, and the log-likelihood of digits goes **down** from
# $-784 \log 2 \approx -543$ to {{ phases/positive phase only/log p(test digits) }}. With both phases the free energy of
# digits ends near where it began, at $-10 \log 2$; $Z$ gets smaller, and the log-likelihood rises to
# {{ phases/both phases/log p(test digits) }}. (That is no more than independent pixels have: in ten epochs this small
# machine has come no further than its biases could take it.)
#
# Probability is a budget. Whoever only rewards the data teaches the machine to like everything. You will meet this
# again: without negatives, or something in their place, a contrastive encoder can map all pictures to one point.
#
# {{ claim: phases/positive phase only/F(test digits) < phases/both phases/F(test digits) by 1000;
# phases/positive phase only/-log Z < phases/positive phase only/F(test digits) by 1000;
# phases/positive phase only/log p(test digits) < -543 }}
# {{ claim: phases/both phases/F(test digits) ~ -7 within 30; phases/both phases/-log Z > -550 by 200;
# phases/both phases/log p(test digits) > -543 by 300;
# phases/both phases/log p(test digits) ~ models/independent pixels/log p(v) within 1 }}
#
# ### CD-1's blind spot
#
# Back to CD-1 from zero, whose chains never leave the noise. $Z$ is the same for all pictures of one machine, so free
# energies can be compared without it. Which pictures does this machine find likely?

# %% energy-measure-figure
blind = machines["CD-1, zero"]
coin_flips = (torch.rand(1000, 784, device=device) < 0.5).float()
groups = {"test digits": v_test, "its dreams from noise": dreams["CD-1, zero"], "coin flips": coin_flips}
groups = {kind: free_energy(v, blind.W, blind.b, blind.c) for kind, v in groups.items()}
for kind, energies in groups.items():
    log.record(f"energy/CD-1, zero/F, {kind}", energies.mean(), unit="nats", digits=0)
energies = patient.free_energy(walk(patient, flips, LONG))
log.record("energy/CD-1, zero, twice as long/F, its dreams from noise", energies.mean(), unit="nats", digits=0)
below = (groups["test digits"][:, None] < groups["coin flips"][None]).float().mean()
log.record("energy/CD-1, zero/digit below coin flips", below, digits=3)
rbm_figures.free_energies(groups, "CD-1, zero")

# %% energy-measure-interpret [markdown]
# A riddle: a digit ({{ energy/CD-1, zero/F, test digits }}) lies hundreds of nats below coin flips
# ({{ energy/CD-1, zero/F, coin flips }}), and in practically every pair the digit is likelier than the noise. And yet
# after a thousand steps the chain is still at {{ energy/CD-1, zero/F, its dreams from noise }}. Why does it not go
# where pictures are so much likelier?
#
# One half of the answer: there are **so many** noise pictures, up to $2^{784} \approx e^{543}$. Add this exponent to
# minus their free energy, and the *region* outweighs all digits. Physicists call the logarithm of such a number
# entropy. **A free energy compares pictures, not regions.** For the other half, start from coin flips below, and look
# at the second panel.
#
# {{ claim: energy/CD-1, zero/digit below coin flips > 0.99;
# energy/CD-1, zero/F, test digits < energy/CD-1, zero/F, coin flips by 300;
# energy/CD-1, zero/F, its dreams from noise > energy/CD-1, zero/F, test digits by 300;
# log Z/CD-1, zero/coin flips > log Z/CD-1, zero/frequencies by 40 }}

# %% break-cd-widget
rbm_figures.gibbs_slider(blind, {"coin flips": coins, "a test digit": v_test[2]}, step=100)

# %% break-cd-interpret [markdown]
# That panel is black: after noise, **every hidden unit is off**. With $h = 0$ nothing is left of the model but $b$:
# the next picture is drawn from $\sigma(b)$, pixel by pixel, whatever the last one was. Such a picture turns no unit
# on either, and so it goes on. Now start from the digit: some units are always on. CD-1 starts there and looks one step
# further, and so nothing tells it that the state with all units off should be unlikely.
#
# How much does this one state weigh? With $h = 0$ the energy is $-b \cdot v$, so its part of $Z$ is
# $\sum_v e^{b \cdot v} = \prod_i (1 + e^{b_i})$. (Below, a chain counts as off where each $p(h_j = 1 \mid v)$ is under
# one half.)

# %% break-silent
for name in ("CD-1, zero", "PCD, zero", "CD-1, log odds"):
    off = machines[name](dreams[name]).round().sum(dim=1) == 0
    log.record(f"silent/{name}/chains from noise with all hidden units off", off.float().mean(), digits=2)
log.record("silent/CD-1, zero/log of that state's part of Z", F.softplus(blind.b).sum(), unit="nats", digits=0)
log.table("silent/")

# %% break-silent-interpret [markdown]
# Practically all of CD-1's fifty chains from noise have ended in that state, and practically none of PCD's. The
# logarithm of its part of CD-1's $Z$ is {{ silent/CD-1, zero/log of that state's part of Z }}, while that of the whole
# $Z$, from coin flips, was {{ log Z/CD-1, zero/coin flips }}: **one state of the hidden units is nearly all of** $Z$.
#
# Patience does not clear the noise. After twice the training AIS from coin flips finds as much there as before, and
# from noise the chains still end at {{ energy/CD-1, zero, twice as long/F, its dreams from noise }}. The weight of
# digits grows until it is the larger. So the likelihood recovers, but a walk from noise still does not find the way.
#
# {{ claim: silent/CD-1, zero/chains from noise with all hidden units off > 0.98;
# silent/PCD, zero/chains from noise with all hidden units off < 0.02;
# silent/CD-1, zero/log of that state's part of Z ~ log Z/CD-1, zero/coin flips within 1 }}
# {{ claim: energy/CD-1, zero, twice as long/F, its dreams from noise
# ~ energy/CD-1, zero/F, its dreams from noise within 20;
# log Z/CD-1, zero, twice as long/coin flips ~ log Z/CD-1, zero/coin flips within 3;
# log Z/CD-1, zero, twice as long/frequencies > log Z/CD-1, zero/frequencies by 40;
# log Z/CD-1, zero, twice as long/frequencies > log Z/CD-1, zero, twice as long/coin flips by 3 }}
#
# **Your turn:** how little does it take to open the machine's eyes? Start the biases a tenth, a quarter and half of the
# way to the log odds. `rbm, _ = machine(HIDDEN, EPOCHS, 0.1 * STARTS["log odds"])` trains one; `walk` it from `flips`,
# and count the chains that end with all hidden units off, as above.

# %% reflect [markdown]
# ## Reflect
#
# - An RBM gives each picture an energy. Hidden units can be summed out exactly, one by one; $Z$ cannot.
# - The gradient of the likelihood pulls the free energy of data down and pushes that of the model's own samples up.
#   **Contrast is what keeps a model from liking everything**, and it works only where negatives are looked for. CD-1
#   looks next to the data, and so it matters where its biases start.
# - Reconstruction, pseudo-likelihood and AIS can all praise a bad model. They fail where they do not look. A chain from
#   noise, and a second estimate that starts elsewhere, cost seconds.
# - In the workflow of self-supervised learning [@ericsson2021self], there is no separate pretext task yet: the data
#   themselves are the target, $p(h \mid v)$ is $h_\theta$, and what is thrown away is $p(v \mid h)$.
#
# **Where it came from.** Smolensky's *harmonium* [@smolensky1986information] and Freund and Haussler's *influence
# combination machine* [@freund1991unsupervised] had the model; contrastive divergence made it fast to train
# [@hinton2002training]. That CD follows the gradient of no function was proved later [@sutskever2010convergence].
# Statisticians knew persistent chains as stochastic maximum likelihood before Tieleman brought them to RBMs
# [@tieleman2008training].
#
# **What came of it.** Stacked, one RBM on the features of the other, they started the deep networks of their time:
# that is the next lesson [@hinton2006reducing].
