# %% title [markdown]
# # 3.1 The workflow, with rotation prediction
#
# **A program turns a picture and asks: by how much? Nobody labeled anything. What must a network know to answer, and
# what is that knowledge good for?**
#
# When you are done, you can
#
# {{ course: objectives }}
#
# {{ course: minutes }} Needs: *Start here* and PyTorch's basics.

# %% setup setup=true
import copy

import torch
from torch import nn
from torch.nn import functional as F

from sslcourse import adaptation, augment, checks, data, encoders, figures, ledger
from sslcourse import measures, pretext, training
from sslcourse.data.digits import centred
from sslcourse.figures import rotation as rotation_figures

check = checks.of_lesson("3.1")
rotate_batch, turn_by_vote, transfer = check.blanks()

# %% ledger
log = ledger.of_lesson("3.1")  # every number of this run is noted, and stands beside those measured over several seeds
torch.manual_seed(log.seed)
device = training.best_device()
digits, symbols = data.load("digits"), data.load("symbols")
print(digits, symbols, f"Training on {device}.", sep="\n")

# %% workflow-text [markdown]
# ## The workflow
#
# Every method of this module, and of the next one, has the same parts [@ericsson2021self], figure 2. Learn these eight
# symbols once; in code they keep their names.
#
# | symbol | name | in this lesson |
# |---|---|---|
# | $x$ | input | a turned picture |
# | $P$ | **pretext task**: a program that makes pairs $(x, z)$ from raw data | turns pictures |
# | $z$ | **pseudo-label**: the answer, known to $P$, who set the question | number of quarter turns, 0 to 3 |
# | $h_\theta$ | **feature extractor**, or encoder, with parameters $\theta$ | a small convolutional network |
# | $k_\gamma$ | **pretext head**, with parameters $\gamma$ | a linear layer with four outputs |
# | $\mathcal{L}$ | loss: how far $k_\gamma(h_\theta(x))$ is from $z$ | cross-entropy |
# | $\theta^*$ | what pretraining found | is kept, while $k_\gamma$ is thrown away |
# | $g_\phi$ | **output module** of the target task, with parameters $\phi$ | a linear layer with ten outputs |
#
# There are two steps. **Pretrain** on source data that nobody labeled, then **adapt** to a target with few labels $y$:
#
# $$\theta^*, \gamma^* = \arg\min_{\theta, \gamma} \sum_{(x, z) \in P(\text{source})}
# \mathcal{L}\bigl(k_\gamma(h_\theta(x)), z\bigr), \qquad
# \phi^* = \arg\min_{\phi} \sum_{(x, y) \in \text{target}} \mathcal{L}\bigl(g_\phi(h_{\theta^*}(x)), y\bigr).$$
#
# So there *are* labels in a self-supervised loss, but a program made them. The idea is older than deep learning: in
# 1993 Virginia de Sa let classifiers for two senses, such as hearing and sight, teach each other without a label
# [@desa1993learning].
#
# ### Nothing here is about turns
#
# Change $P$, and the same two steps become another method. Four lessons of this course, in these terms:
#
# | lesson | modality | $x$ | $z$ | $k_\gamma$ | $\mathcal{L}$ | adaptation |
# |---|---|---|---|---|---|---|
# | 2.2 denoising | vision | a damaged digit | the whole digit | decoder | cross-entropy, pixels | linear probe |
# | 2.3 word2vec | language | a word | a word beside it | a vector a word | logistic, with negatives | linear probe |
# | 3.1 rotation | vision | a turned picture | its turn | linear | cross-entropy, 4 classes | probe, fine-tuning |
# | 4.2 SimCLR | vision | a view | its partner | two layers | cross-entropy, the batch | one-shot recognition |
#
# In code, $P$, $k_\gamma$ and $\mathcal{L}$ are one small class, and one loop, `training.pretrain`, trains them all.
# This is all of ours, save its options:
#
# ```python
# class Rotation(PretextTask):
#     def __init__(self, dim):
#         super().__init__()
#         self.head = nn.Linear(dim, 4)               # k_gamma
#
#     def make(self, x, generator):                   # P: raw pictures -> x and z
#         return rotate_batch(x)
#
#     def loss(self, prediction, z):                  # prediction = head(encoder(x))
#         return F.cross_entropy(prediction, z)
# ```

# %% predict [markdown]
# ## Predict
#
# We will train a network to tell by how many quarter turns a handwritten digit was turned. For which digits will it
# fail most often? Commit to an answer, then open it.
#
# <details><summary>A. 6 and 9: turned upside down, one looks like the other.</summary>
# They do suffer, and both alike; you will see that the network takes one for the other. But three other digits are
# worse, for a reason that is simpler still.</details>
#
# <details><summary>B. 0, 1 and 8: turned upside down, they look like themselves.</summary>
# Yes. If a shape is the same after half a turn, nobody can know, and the best is to guess between two answers. Half
# right is the most one can get for a perfect 1; those that people write are not quite perfect.</details>
#
# <details><summary>C. 2, 4 and 5: their shapes are the most complicated.</summary>
# Complicated is good: each stroke that is not symmetric is a clue. A 5 upside down looks like a badly written 5, or S,
# but a 4 looks like nothing else.</details>
#
# <details><summary>D. None: pictures of 28 by 28 pixels always leave some clue.</summary>
# A good suspicion. MNIST's digits lie one pixel off the middle, and lesson 1.1 catches a network that reads the turn
# from this pixel instead of the shape. Here every digit is put into the middle first.</details>
#
# {{ claim: by digit/6/off by a half turn ~ by digit/9/off by a half turn within 0.03 }}
# {{ claim: by digit/0/right < by digit/6/right; by digit/1/right < by digit/6/right; by digit/8/right < by
# digit/6/right }}
# {{ claim: by digit/0/right < by digit/9/right; by digit/1/right < by digit/9/right; by digit/8/right < by
# digit/9/right }}
# {{ claim: by digit/2/right > by digit/6/right; by digit/4/right > by digit/6/right; by digit/5/right > by
# digit/6/right }}

# %% see [markdown]
# ## See
#
# First you. `symbols` are OpenMoji's symbols, in grey. Ten of them were turned by 0, 1, 2 or 3 quarter turns,
# **counter-clockwise**. Write down ten numbers before you open the answers.

# %% see-game
chosen = (34, 271, 290, 94, 185, 106, 14, 176, 293, 181)  # test symbols, most of which have an up
ten = augment.drawing(symbols.test.x[list(chosen)], 0)
z_game = (2, 1, 3, 1, 3, 1, 2, 1, 0, 2)
turned = torch.stack([picture.rot90(z, dims=(1, 2)) for picture, z in zip(ten, z_game, strict=True)])
figures.pictures({"turned": turned}, captions=range(1, 11), alt="Symbols such as a horse or a ship, turned.")

# %% see-interpret [markdown]
# <details><summary>The answers</summary>2, 1, 3, 1, 3, 1, 2, 1, 0, 2: a horse, an elephant, a tent, a circle, a
# ship, a key, somebody in lotus position, a telephone, a spoon, a minus sign.</details>
#
# How many did you get? Guessing gives a quarter. The horse is easy, and you know why: you know *what it is*, and that
# it stands on its legs. That is the hope behind this pretext task: whoever finds the turn must have found the object
# and its parts. Of the circle and of the minus sign there is little to find. And the spoon? Its ends differ, so that
# all four turns look different, but no law says which end is up.

# %% build [markdown]
# ## Build
#
# Three functions: make $(x, z)$; let four copies of a picture vote; transfer $\theta^*$. Each check draws
# fresh random inputs and tells you what is wrong and how it knows. **If you leave one open, the lesson goes on with
# the reference answer.**
#
# {{ course: exercises }}

# %% rotate_batch-text [markdown]
# ### 1. The pretext task makes $(x, z)$
#
# `x` is a batch of pictures, shape $(B, C, H, H)$. Return two tensors:
#
# - `inputs`, shape $(4B, C, H, H)$: **every** picture in **each** of the four turns [@gidaris2018rotation], section 2;
# - `z`, shape $(4B)$, whole numbers: by how many quarter turns, **counter-clockwise**, each one was turned.
#
# The order is yours, as long as `inputs` and `z` have the same.
#
# <details><summary>Hint 1</summary><code>torch.rot90(x, turns, dims=(2, 3))</code> turns a whole batch; dims 0 and 1
# are the batch and the channels. If you put the four results one after another, what does z look like?</details>
# <details><summary>Hint 2</summary>One batch comes out, so the four results must be joined along dimension 0. Then z is
# the same number for a whole block of B pictures, and the next one for the next block. Which function repeats each
# entry, and which repeats the whole?</details>

# %% rotate_batch exercise="rotate_batch"
def rotate_batch(x):
    """Pictures x (B,C,H,H) -> all in each of four turns (4B,C,H,H), and z (4B,): quarter turns, counter-clockwise."""
    ### BEGIN SOLUTION
    inputs = torch.cat([torch.rot90(x, turns, dims=(2, 3)) for turns in range(4)])
    z = torch.arange(4, device=x.device).repeat_interleave(len(x))
    return inputs, z
    ### END SOLUTION

# %% rotate_batch-check check="rotate_batch"
rotate_batch = check(rotate_batch)

# %% turn_by_vote-text [markdown]
# ### 2. Four copies, one answer
#
# Which turn $z$ has a picture $x$? A network gives four probabilities. But $P$ can turn the picture further, and then
# we know how the answer must change: if $x$ has turn $z$, then $x$ turned by $k$ more has turn $z + k$, modulo 4. The
# four quarter turns are a **group**, and a network that respects it is called *equivariant*. Nothing makes ours so. Ask
# it about all four copies, and it gives four opinions, which need not agree. Let them vote:
#
# $$\log q(z \mid x) = \frac{1}{4} \sum_{k=0}^{3} \log p\bigl(z + k \bmod 4 \mid x \text{ turned by } k\bigr) +
# \text{a constant, so that } \sum_z q(z \mid x) = 1.$$
#
# `network` maps pictures (N,C,H,H) to **logits** (N,4). Return $q$, the probabilities (B,4) for pictures `x`
# (B,C,H,H), all four turns for each.
#
# <details><summary>Hint 1</summary>Write down, for k = 1, which entry of the network's answer speaks about z = 0, which
# about z = 1, and which about z = 3. What has to happen to the four numbers of a row, so that entry z speaks about
# z?</details>
# <details><summary>Hint 2</summary><code>torch.roll</code> shifts entries and lets those that fall out come in again at
# the other end. Look up which sign shifts to the left, and what it does when no dimension is named. How do you get
# from a mean of logarithms to probabilities that sum to one?</details>

# %% turn_by_vote exercise="turn_by_vote"
def turn_by_vote(network, x):
    """Probabilities (B,4) of the turns of pictures x (B,C,H,H): the vote of what `network` says of all four copies."""
    ### BEGIN SOLUTION
    answers = []
    for k in range(4):
        said = network(torch.rot90(x, k, dims=(2, 3))).log_softmax(dim=1)
        answers.append(said.roll(-k, dims=1))
    return torch.stack(answers).mean(dim=0).softmax(dim=1)
    ### END SOLUTION

# %% turn_by_vote-check check="turn_by_vote"
turn_by_vote = check(turn_by_vote)

# %% transfer-text [markdown]
# ### 3. The transfer of $\theta^*$
#
# Pretraining is over. `h` is the encoder with $\theta^*$, `k` its pretext head, `g` a new, untrained output module for
# the target's classes. Return the predictions for a batch `x`, such that
#
# - the head `k` takes no part;
# - `h` is **frozen**: no gradient reaches it, its batch normalisation uses the averages that it kept from pretraining,
#   not those of this batch, and these averages do not move;
# - `g` **learns**: gradients do reach its parameters.
#
# <details><summary>Hint 1</summary>Two switches are independent of each other: whether autograd takes notes, and
# whether a module is in training or in evaluation mode. You need one for the gradient and one for the batch
# normalisation.</details>
# <details><summary>Hint 2</summary>There are two calls, of <code>h</code> and of <code>g</code>. For each, ask: may
# autograd take notes here? And which mode must <code>h</code> be in before it sees its first picture?</details>

# %% transfer exercise="transfer"
def transfer(h, k, g, x):
    """What g says of the features that the frozen h makes of x; k was thrown away."""
    ### BEGIN SOLUTION
    h.eval()
    with torch.no_grad():
        features = h(x)
    return g(features)
    ### END SOLUTION

# %% transfer-check check="transfer"
transfer = check(transfer)

# %% train [markdown]
# ## Train
#
# An encoder $h_\theta$; a task with **your** $P$; data without labels. `FineConvNet` has four convolutions, and gives
# the mean of its last one over all positions. `centred` adds one row and one column of background to a digit, so that
# its centre of mass lies in the middle. After the turn, pictures are cropped at random, so that little can be learned
# by heart.

# %% train-digits
DIGIT_EPOCHS, SYMBOL_EPOCHS = training.budget(cpu=12, gpu=60), training.budget(cpu=12, gpu=60)
crops = augment.Crop(min_area=0.5)


def pretrain(name, unlabeled, epochs, **options):
    """Pretrain a fresh encoder to predict turns; returns it, its network (pictures -> logits of turns), the history."""
    torch.manual_seed(log.seed)
    h = encoders.FineConvNet(in_channels=1)
    task = pretext.Rotation(h.dim, turn=rotate_batch, **options)
    print(name)
    history = training.pretrain(h, task, unlabeled, epochs=epochs, batch_size=64, lr=2e-3, seed=log.seed)
    return h, task.head, history


h, k, history = pretrain("digits", digits.unlabeled(), DIGIT_EPOCHS, before=centred, views=crops)
figures.training({"digits": history})

# %% train-interpret [markdown]
# Guessing costs $\log 4$. The loss falls far below that, and does not reach zero: some questions may have no answer.
# Two **collapse meters** watch the features. `std` says how widely their directions spread: one when they fill the
# sphere, zero when all are equal. The **effective rank** counts the dimensions in use, of 192. Features that are all
# alike would tell nothing, and neither meter comes near that.
#
# ### What does it say at 45 degrees?
#
# It was taught four answers. **Turn a digit** by any angle, and choose another one with the second slider. Where does
# it change its mind, is it ever unsure, and which digits never make it sure? Below that, three digits side by side.

# %% turned-widget
firsts = [int((digits.test.y == digit).nonzero()[0]) for digit in range(10)]
examples = centred(measures.to_float(digits.test.x[firsts]))


def network(x):
    """What the trained network says of pictures (N,1,H,H): logits of the four turns (N,4)."""
    return pretext.turn_logits(h, k, x)


rotation_figures.turned_sliders(examples, lambda x: network(x).softmax(dim=1), picture=3)

# %% turned-three
three = {f"a {digit}": examples[digit] for digit in (3, 1, 0)}
rotation_figures.turned_beside(three, lambda x: network(x).softmax(dim=1))

# %% turned-interpret [markdown]
# Take the 3. Near each of the four angles one answer wins; in between, the network hands over to the next. There is no
# answer "45 degrees": a softmax must share 1 among the classes that it has. Then the 1 and the 0: what is left of this
# pattern, and what would you expect of a perfect stroke, and of a perfect ring?
#
# ### Does it find the turns of digits that it never saw?
#
# A falling loss is measured on the pictures that the network was trained on. A pseudo-label is a label like any other,
# so a pretext task can be **overfitted** like any other: hold data out for it, too. And does your vote help?

# %% accuracy
def turns_off(answer, pictures):
    """By how many quarter turns answers (4N,4) are off: (4,N), a row for each true turn, for raw pictures (N)."""
    inputs, z = rotate_batch(measures.to_float(pictures))
    off = (answer(inputs).argmax(dim=1) - z.cpu()) % 4
    return off[z.cpu().argsort(stable=True)].view(4, -1)  # your order of inputs may be another


def turns_found(name, network, seen, unseen):
    """Record the shares of right answers for pictures seen in training and unseen ones; returns turns_off of these."""
    off = turns_off(network, unseen)
    by_vote = turns_off(lambda x: turn_by_vote(network, x), unseen)
    shares = {"training": turns_off(network, seen), "test": off, "test, by vote": by_vote}
    for column, found in shares.items():
        log.record(f"turns found/{name}/{column}", (found == 0).float().mean(), unit="accuracy")
    return off


off_digits = turns_found("digits", network, centred(digits.train.x[:1000]), centred(digits.test.x))
symmetric = (examples[3:4] + examples[3:4].rot90(2, dims=(2, 3))) / 2  # the 3, laid over its own half turn
print("symmetric 3, network:", network(symmetric).softmax(dim=1), "vote:", turn_by_vote(network, symmetric))

# %% accuracy-interpret [markdown]
# On digits that it never saw, the network finds {{ turns found/digits/test }} of the turns, and on training digits
# {{ turns found/digits/training }}. (Before the ± stands the mean over several seeds, behind it their spread; a quarter
# would be guessing.) The vote lifts that to {{ turns found/digits/test, by vote }}, a paired difference of
# {{ difference: turns found/digits/test, by vote - turns found/digits/test }}, without any training. (Behind the ± of a
# *difference*, taken seed by seed, stands its **standard error**. Less than two of these tells nothing.)
#
# The last line shows what no network can change. A picture that equals its own half turn has only two different copies,
# so your vote gives $z$ and $z + 2$ the same probability, **whatever the network says**. Compare your two lists.
#
# {{ claim: turns found/digits/test > 0.25 by 0.5; turns found/digits/test, by vote > turns found/digits/test }}

# %% measure [markdown]
# ## Measure
#
# Pretext accuracy is not what we want; features are. First by hand: throw $k_\gamma$ away and train a new $g_\phi$
# with **your** `transfer`, on ten labeled digits a class. The encoder does not move.
#
# Then all at once. As $h$ is frozen, its features can be computed once, and $g_\phi$ is a logistic regression on them,
# the **linear probe**. Its scaling and its decay are chosen on validation pictures, with no more labels a class than it
# trains on. The same $\theta^*$ serves all label budgets. The rows of the next table:
#
# - **raw input**: the probe reads pixels. **random init**: it reads the network before any training, after one pass
#   over all training inputs, so that its batch normalisation knows their means and variances. **As made**, without
#   that pass, its batch normalisation changes nothing.
# - **rotation**: the probe reads $h_{\theta^*}$. **Fine-tuned**: $h$ starts from $\theta^*$, and moves together with
#   $g$.
# - **supervised**: the same network starts from random weights, sees crops of the same few labeled digits, and trains
#   for several times as many steps as fine-tuning does.
#
# Nothing is chosen on the test split. We, the authors, chose epochs, crops and learning rates with all validation
# labels and other seeds.

# %% adapt
def adapt(h, k, dataset, labels_per_class, steps=200):
    """Train a linear g_phi on frozen features, with few labels; returns g and its accuracy on the test split."""
    labeled = adaptation.few_labels(dataset.train, labels_per_class, log.seed)
    x, y = measures.to_float(labeled.x).to(device), labeled.y.to(device)
    torch.manual_seed(log.seed)
    g = nn.Linear(h.dim, len(dataset.classes)).to(device)
    optimizer = torch.optim.AdamW(g.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(transfer(h, k, g, x), y).backward()
        optimizer.step()
    guess = transfer(h, k, g, measures.to_float(dataset.test.x).to(device)).argmax(dim=1)
    return g, (guess.cpu() == dataset.test.y).float().mean().item()


before = [p.detach().clone() for p in h.parameters()]
g, accuracy = adapt(h, k, digits, 10)
log.record("adapted by hand/digits/10 labels a class", accuracy, unit="accuracy")
print(f"accuracy on test digits: {accuracy:.2f}")
print("theta* has not moved:", all(torch.equal(a, b) for a, b in zip(before, h.parameters(), strict=True)))

# %% budgets
LABELS = (1, 10)  # labels a class


def make_encoder():
    """The untrained network of all rows."""
    return encoders.FineConvNet(in_channels=1).to(device)


def fine_tuned(labels_per_class):
    """Accuracy on test after h and a new g have moved together, on few labels."""
    torch.manual_seed(log.seed)
    few = adaptation.few_labels(digits.train, labels_per_class, log.seed)
    views = augment.simclr(color=0, flip=False, min_area=0.5)
    model = nn.Sequential(copy.deepcopy(h), nn.Linear(h.dim, 10)).to(device)
    chance, steps = torch.Generator().manual_seed(log.seed), training.budget(cpu=200, gpu=400)
    adaptation.fit(model, few, views, samples=256 * steps, generator=chance, lr=1e-3)
    return adaptation.accuracy(model, digits.test.x, digits.test.y)


noted = {"seed": log.seed, "log": log, "group": "digits"}
table = adaptation.references(digits, LABELS, encoder=make_encoder, **noted)
torch.manual_seed(log.seed)
ours = {"random init, as made": make_encoder(), "rotation": h, "rotation, fine-tuned": fine_tuned}
table |= adaptation.budgets(digits, ours, LABELS, **noted)
figures.accuracies(table, chance=0.1, title=adaptation.in_all(digits, LABELS))

# %% budgets-table
log.table("digits/")

# %% measure-interpret [markdown]
# With ten labels a class, a hundred labeled digits in all:
#
# - **Turns teach digits.** On rotation's features the probe reaches {{ digits/rotation/10 labels a class }}, on those
#   of the same network before any training {{ digits/random init/10 labels a class }}: a difference of {{ difference:
#   digits/rotation/10 labels a class - digits/random init/10 labels a class }}. It is ahead of raw pixels ({{
#   digits/raw input/10 labels a class }}), too. Nobody told the network that there are ten digits. Your $g_\phi$,
#   trained by hand, gets nearly as much from the same features: {{ adapted by hand/digits/10 labels a class }}.
# - **They are the better start.** Fine-tuned from $\theta^*$, the network reaches
#   {{ digits/rotation, fine-tuned/10 labels a class }}; from random weights, with the same labels,
#   {{ digits/supervised/10 labels a class }}: a difference of
#   {{ difference: digits/rotation, fine-tuned/10 labels a class - digits/supervised/10 labels a class }}. This is what
#   pretraining is for: labels cost work, and digits without labels are free. (Neither
#   half nor twice as many steps help the supervised network; we tried both on validation digits.)
# - **Frozen, they are not enough.** The probe is behind supervised training. And whoever measures by distance, instead
#   of training a probe, sees less still: by its nearest neighbours, rotation
#   ({{ digits by distance/rotation/10 labels a class, kNN }}) is behind raw pixels
#   ({{ digits by distance/raw input/10 labels a class, kNN }}). The features hold what tells digits apart; perhaps
#   other things, such as the turn, move them further.
#
# **With one label a class**, fine-tuning pays, too: {{ digits/rotation, fine-tuned/1 label a class }} instead of
# {{ digits/supervised/1 label a class }}, a difference of
# {{ difference: digits/rotation, fine-tuned/1 label a class - digits/supervised/1 label a class }}. The frozen features
# are ahead of the random ones, and our runs cannot tell them from pixels
# ({{ difference: digits/rotation/1 label a class - digits/raw input/1 label a class }}).
#
# **A baseline must be as good as it can be.** The untrained network reaches
# {{ digits/random init, as made/10 labels a class }} as made, {{ digits/random init/10 labels a class }} after its pass
# over the digits. On average these are level; behind the ± you see how much the first one is a matter of luck. An
# earlier edition of this lesson drew a wrong conclusion from one that was as made. Show the stronger, over several
# seeds.
#
# {{ claim: digits/rotation/10 labels a class > digits/random init/10 labels a class by 0.05 }}
# {{ claim: digits/rotation/10 labels a class > digits/raw input/10 labels a class }}
# {{ claim: adapted by hand/digits/10 labels a class ~ digits/rotation/10 labels a class within 0.02 }}
# {{ claim: digits/rotation, fine-tuned/10 labels a class > digits/supervised/10 labels a class }}
# {{ claim: digits/rotation/10 labels a class < digits/supervised/10 labels a class by 0.05 }}
# {{ claim: digits by distance/rotation/10 labels a class, kNN < digits by distance/raw input/10 labels a class, kNN by
# 0.05 }}
# {{ claim: digits/rotation, fine-tuned/1 label a class > digits/supervised/1 label a class }}
# {{ claim: digits/rotation/1 label a class > digits/random init/1 label a class }}
# {{ claim: digits/rotation/1 label a class ~ digits/raw input/1 label a class within 0.08 }}
# {{ claim: digits/random init, as made/10 labels a class ~ digits/random init/10 labels a class within 0.05 }}

# %% six [markdown]
# ## Why a 1 suffers most, and 6 and 9 alike
#
# Back to your prediction. Left: for each digit, by how much the answers on test digits are off. Right: take each test
# digit **upright**, and look for its nearest neighbour, by features of $h_{\theta^*}$, among training digits that were
# turned **by half**. Which digit is that neighbour?

# %% six-figure
digit_names = [str(digit) for digit in range(10)]
off_by = torch.stack([F.one_hot(off_digits[:, digits.test.y == d], 4).float().mean(dim=(0, 1)) for d in range(10)])
half_turned = measures.to_float(centred(digits.train.x)).rot90(2, dims=(2, 3))
upright = measures.embed(h, centred(digits.test.x)).cpu()
distance, neighbour = torch.cdist(upright, measures.embed(h, half_turned).cpu()).min(dim=1)
pairs = torch.zeros(10, 10).index_put_(
    (digits.test.y, digits.train.y[neighbour]), torch.ones(len(upright)), accumulate=True
)
pairs = pairs / pairs.sum(dim=1, keepdim=True)
for d in range(10):
    for column, share in zip(("right", "off by a half turn"), off_by[d, [0, 2]], strict=True):
        log.record(f"by digit/{d}/{column}", share, unit="accuracy")
for a, b in ((6, 9), (9, 6), (1, 1), (4, 4)):
    log.record(f"neighbours/{a} upright/share that is a half-turned {b}", pairs[a, b], unit="accuracy")
figures.confusion(
    {
        "the answer is off by": (off_by, ["0°", "90°", "180°", "270°"], "answer minus true turn"),
        "nearest half-turned digit": (pairs, digit_names, "class of the half-turned neighbour"),
    },
    digit_names,
    "test digit",
)

# %% six-interpret [markdown]
# In the rows of 1, 8, 6 and 9, nearly all errors are half turns. They come where shapes demand them:
#
# - **1**: {{ by digit/1/right }} right, {{ by digit/1/off by a half turn }} off by half. Together that is nearly all:
#   it knows whether a 1 stands or lies. For the rest, it does better than the coin that a plain stroke would leave
#   it: perhaps the strokes that people write differ at their two ends. **8** ({{ by digit/8/off by a half turn }} off
#   by half) is nearly as symmetric, a **3** ({{ by digit/3/off by a half turn }}) is not. And the **0** ({{ by
#   digit/0/right }} right) is nearly the same after each of the four turns, so that its errors are of all kinds.
# - **6 and 9** suffer alike, with {{ by digit/6/off by a half turn }} and {{ by digit/9/off by a half turn }} off by
#   half. On the right you see where they meet: the half-turned neighbour of an upright 6 is a **9** in {{
#   neighbours/6 upright/share that is a half-turned 9 }} of the cases, that of a 9 is a **6** in {{ neighbours/9
#   upright/share that is a half-turned 6 }}. Same shape, but $z = 0$ for one and $z = 2$ for the other: a network
#   that cannot tell them apart must bet. (The network of lesson 1.1, smaller and trained for less
#   time, mostly bets on the 9, so that the 6 pays.)
# - A symmetric digit finds itself: the neighbour of a 1 is a 1
#   ({{ neighbours/1 upright/share that is a half-turned 1 }}), that of a 4 is seldom a 4
#   ({{ neighbours/4 upright/share that is a half-turned 4 }}).
#
# Now the other side of it: a network that mixes up an upright 6 and a half-turned 9 has **not** mixed up 6 and 9. Both
# stand upright in the target task. What the pretext task cannot decide need not hurt what it can transfer.
#
# {{ claim: by digit/1/off by a half turn > 0.3; by digit/1/right > 0.5 by 0.08; by digit/3/off by a half turn < 0.03 }}
# {{ claim: by digit/8/off by a half turn > 0.12; by digit/8/off by a half turn > by digit/6/off by a half turn }}
# {{ claim: by digit/6/off by a half turn ~ by digit/9/off by a half turn within 0.03 }}
# {{ claim: by digit/6/off by a half turn > by digit/4/off by a half turn by 0.05 }}
# {{ claim: neighbours/4 upright/share that is a half-turned 4 < neighbours/1 upright/share that is a half-turned 1 }}
# {{ claim: by digit/0/right < 0.9 }}

# %% break [markdown]
# ## Break it
#
# ### Learned by heart
#
# Now `symbols`: the network sees 1,200 of them, each at random as a picture or as a line drawing, and is then asked
# about more than 300 others. We train twice, and change one argument: with the crops of above, and **without**.

# %% break-symbols
gallery = augment.drawing(measures.to_float(symbols.test.x), 0)
seen = augment.drawing(measures.to_float(symbols.train.x), 0)
of_symbols = {}
for name, views in {"cropped": crops, "never cropped": None}.items():
    of_symbols[name] = pretrain(
        f"symbols, {name}", symbols.unlabeled(), SYMBOL_EPOCHS, before=augment.Drawing(), views=views
    )
    h_symbols, k_symbols, _ = of_symbols[name]
    turns_found(f"symbols, {name}", lambda x, h=h_symbols, k=k_symbols: pretext.turn_logits(h, k, x), seen, gallery)
transferred = {name: trained[0] for name, trained in of_symbols.items()}
adaptation.budgets(digits, transferred, LABELS[1:], log.seed, log, "from symbols")
log.table("turns found/")

# %% break-symbols-interpret [markdown]
# - **Never cropped**, the network finds {{ turns found/symbols, never cropped/training }} of the turns of symbols
#   that it was trained on, and {{ turns found/symbols, never cropped/test }} of others. It learned what an up is, and
#   learned the rest by heart. Its training loss does not tell.
# - **Cropped**, it finds {{ turns found/symbols, cropped/training }} and {{ turns found/symbols, cropped/test }}. On
#   unseen symbols the two are level.
# - **Their features are not.** Read them by the probe on *digits*, of which neither network saw one, with ten labels a
#   class: {{ from symbols/cropped/10 labels a class }} with crops, {{ from symbols/never cropped/10 labels a class }}
#   without. The first is ahead of the untrained network ({{ digits/random init/10 labels a class }}): what it learned
#   about symbols carries over to digits. The second is behind it.
#
# So two networks that do the pretext task equally well on unseen pictures can be worlds apart in what else they know.
# **Pretext accuracy is no measure of features.** The repair was one argument; what showed that it was needed was the
# gap between seen and unseen pictures.
#
# The vote helps here as well: {{ turns found/symbols, cropped/test, by vote }}, a difference of {{
# difference: turns found/symbols, cropped/test, by vote - turns found/symbols, cropped/test }}. Three kinds of unseen
# symbols follow, all upright, by the certainty of the cropped network after the vote. Which of the least sure have an
# up that you see and the network does not, and which have none? And are the mistakes of the last row without excuse,
# or would you, not knowing the thing, have said the same?
#
# {{ claim: turns found/symbols, never cropped/training > 0.95; turns found/symbols, never cropped/test > 0.25 by 0.3 }}
# {{ claim: turns found/symbols, never cropped/training > turns found/symbols, never cropped/test by 0.3 }}
# {{ claim: turns found/symbols, cropped/test ~ turns found/symbols, never cropped/test within 0.03 }}
# {{ claim: from symbols/cropped/10 labels a class > from symbols/never cropped/10 labels a class by 0.1 }}
# {{ claim: from symbols/cropped/10 labels a class > digits/random init/10 labels a class }}
# {{ claim: from symbols/never cropped/10 labels a class < digits/random init/10 labels a class by 0.08 }}
# {{ claim: turns found/symbols, cropped/test, by vote > turns found/symbols, cropped/test by 0.015 }}

# %% gallery
h_symbols, k_symbols, _ = of_symbols["cropped"]
vote = turn_by_vote(lambda x: pretext.turn_logits(h_symbols, k_symbols, x), gallery)
sure, answer = vote.max(dim=1)
by_certainty = sure.argsort(descending=True)
rows = {
    "sure, and right": by_certainty[answer[by_certainty] == 0][:10],
    "least sure": by_certainty.flip(0)[:10],
    "sure, and wrong": by_certainty[answer[by_certainty] != 0][:10],
}
named = {name: [symbols.classes[y] for y in symbols.test.y[shown].tolist()] for name, shown in rows.items()}
alt = " ".join(f"{name}: {', '.join(names)}." for name, names in named.items())
figures.pictures({name: gallery[shown] for name, shown in rows.items()}, columns=10, alt=alt)

# %% break-noise [markdown]
# ### A task that noise can solve
#
# Why quarter turns, and not 15 degrees? Turned by such an angle, pixels must be interpolated, and corners turn black.
# Here is a control experiment for any pretext task: **train and test it on pure noise**. Noise has no up, so whoever
# beats guessing has read the tracks of the program $P$, not the picture.

# %% break-noise-turns
row, column = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
disc = (row**2 + column**2 <= 0.94).float()


def small_turns(x, mask=1.0):
    """Pictures x (B,C,32,32) turned by 0, 15, 30 and 45 degrees, and which of these: (4B,C,32,32), (4B,)."""
    z = torch.arange(4 * len(x), device=x.device) // len(x)
    return augment.functional.rotate(x.repeat(4, 1, 1, 1), 15.0 * z) * mask, z


turns = {
    "15 degrees": small_turns,
    "15 degrees, corners cut off": lambda x: small_turns(x, disc.to(x.device)),
    "quarter turns": rotate_batch,
}
noise = torch.randint(256, (training.budget(cpu=1500, gpu=1500, smoke=700), 1, 32, 32), dtype=torch.uint8)
shown = torch.stack([gallery[chosen[0]], measures.to_float(noise[0])])
alt = "A symbol and noise, each turned by 0, 15, 30 and 45 degrees; below, the same with black corners."
figures.pictures({name: turn(shown)[0] for name, turn in list(turns.items())[:2]}, columns=8, alt=alt)

# %% break-noise-run
def found_after(turn, source, unseen, epochs):
    """Train a fresh network on another task P, and return the share of the turns that it finds in unseen pictures."""
    torch.manual_seed(log.seed)
    h_tried = encoders.FineConvNet(in_channels=1)
    tried = pretext.Rotation(h_tried.dim, turn=turn)
    training.pretrain(h_tried, tried, source, epochs, batch_size=64, lr=1e-3, seed=log.seed, progress=False)
    inputs, z = turn(measures.to_float(unseen))
    return (pretext.turn_logits(h_tried, tried.head, inputs).argmax(dim=1) == z.cpu()).float().mean()


SHORT = training.budget(cpu=4, gpu=10)
for name, turn in turns.items():
    found = found_after(turn, data.Unlabeled("noise", noise[:-500]), noise[-500:], SHORT)
    print(f"{name}: {log.record(f'noise/{name}/turns found, noise', found, unit='accuracy'):.2f} of the turns of noise")
pictures = data.Unlabeled("symbols", augment.drawing(symbols.train.x, 0))
found = found_after(small_turns, pictures, augment.drawing(symbols.test.x, 0), SHORT)
log.record("noise/15 degrees/turns found, symbols", found, unit="accuracy")
print(f"15 degrees: {found:.2f} of the turns of symbols")

# %% break-noise-interpret [markdown]
# - **15 degrees**: on symbols that it never saw, the network finds
#   {{ noise/15 degrees/turns found, symbols }} of the turns. A triumph? On **noise** it finds
#   {{ noise/15 degrees/turns found, noise }}. It looks at the black corners.
# - **Corners cut off**: noise still gives {{ noise/15 degrees, corners cut off/turns found, noise }}. Interpolated
#   pixels are smoother than the others; on noise your eye can see it above, on a symbol hardly.
# - **Quarter turns**: {{ noise/quarter turns/turns found, noise }}, guessing. They only move pixels, so that $P$ leaves
#   no tracks. The authors chose them for that reason [@gidaris2018rotation], section 2.1.
#
# The control costs a few seconds, and needs no label. Run it on every pretext task that you invent.
#
# {{ claim: noise/15 degrees/turns found, symbols > 0.95; noise/15 degrees/turns found, noise > 0.25 by 0.5 }}
# {{ claim: noise/15 degrees, corners cut off/turns found, noise > 0.25 by 0.15 }}
# {{ claim: noise/quarter turns/turns found, noise ~ 0.25 within 0.02 }}

# %% reflect [markdown]
# ## Reflect
#
# - A self-supervised method is a choice of $P$. $h_\theta$, the loop and the probe are the same for all.
# - Pretext accuracy is no measure of features. It can be high by a shortcut, and low for a good reason: no up.
# - $P$ says what you believe about the data. "Things have an up" holds for a 4 and for a horse, not for a 0, a ring or
#   noise.
# - Keep $\theta^*$, throw $k_\gamma$ away, and measure $g_\phi$ beside raw input, random init and supervised; make each
#   of these as good as it can be.
#
# **Where it came from.** Predicting the turn [@gidaris2018rotation] came after three years of pretext tasks on
# patches [@doersch2015context], whose authors had to fight shortcuts from the start: their network read the lens's
# chromatic aberration. The inventors of the turns came, on object detection in PASCAL VOC, within 2.4 points of
# features pretrained with ImageNet's labels [@gidaris2018rotation]. On CIFAR-10 they compared what you did, a
# pretrained and a supervised network with few labels. The pretrained one is ahead below a thousand labels a class,
# and the more so the fewer there are, with its first two blocks frozen and a third trained on top. We freeze
# everything down to the last layer, and then we are behind; unfrozen, we are ahead. Perhaps the last layers know most
# about turns. A year later a large comparison found that better pretext accuracy does not mean better features across
# architectures [@kolesnikov2019revisiting], and pictures without an up got a weight of their own
# [@feng2019decoupling].
#
# **In the workflow.** Source data: `digits`, `symbols`. $P$: your `rotate_batch`. $k_\gamma$: a linear layer, kept
# for once, because you asked it about turns: your `turn_by_vote`. $\theta^*$, $g_\phi$: your `transfer`. From here
# on, lessons change $P$ and keep the rest.
#
# **Try next**, one change at a time, and predict before you run: a head with a hidden layer; two turns, 0 and 180
# degrees; symbols mirrored before the turn; a pretext task of your own on noise.
