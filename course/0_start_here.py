# %% title [markdown]
# # Start here
#
# Welcome. In this course you learn *self-supervised learning*: how a network learns from data that nobody labeled, by
# solving tasks that the data set themselves. You will train for real in every lesson, on this machine, offline.
#
# When you are done with this page, you
#
# {{ course: objectives }}
#
# {{ course: minutes }}

# %% run [markdown]
# ## Run your first cell
#
# Click the cell below and press **Shift+Enter**: it runs, and the next one is selected. The menu *Run > Run All Cells*
# runs a whole lesson. Nothing that you do here can break anything: *Kernel > Restart* starts over.

# %% setup setup=true
import torch

from sslcourse import checks, data, figures, training

check = checks.of_lesson("0")
(standardise,) = check.blanks()

# %% device
print(f"Torch {torch.__version__}, training on {training.best_device()} with {torch.get_num_threads()} CPU threads.")

# %% device-text [markdown]
# A GPU is used where there is one (`cuda`, or `mps` on a Mac) and lessons then train longer. Without one, every lesson
# is made for two CPU cores. The times that you see in a lesson were measured; yours will differ.

# %% data [markdown]
# ## The data on board
#
# Everything came with the installation. Four data sets to begin with:

# %% data-load
names = ("symbols", "photos", "digits", "sprites")
loaded = {name: data.load(name) for name in names}
for dataset in loaded.values():
    print(dataset)

# %% data-figure
shown = {}
for name, dataset in loaded.items():
    some = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(0))[:10]
    shown[name] = dataset.test.x[some]
figures.pictures(shown, alt="A symbol is drawn twice, in grey and in lines; photos are small patches, without objects.")

# %% unlabeled [markdown]
# Each has a training, a validation and a test split that share nothing. Pretraining gets a view of the training split
# **that holds no labels**, and accepts nothing else. So when a lesson says "without labels", you need not trust it:

# %% unlabeled-show
vars(loaded["photos"].unlabeled()).keys()

# %% exercise [markdown]
# ## How an exercise works
#
# You write a function. The cell below it checks the function on fresh random inputs, says what is wrong and how it
# knows, and hands back a version to go on with: **yours if it is right, the reference answer if not.** So you can
# always continue, and come back later.
#
# {{ course: exercises }}
#
# Try it. `x` is a matrix of shape $(N, D)$: $N$ samples with $D$ features. Return a new matrix in which each column has
# mean 0 and standard deviation 1 (the root of the *mean* squared deviation, so divide by $N$, not by $N - 1$). A column
# that is constant should become zeros.
#
# First run both cells as they are and read the message. Then write something wrong on purpose: leave out the mean, or
# take rows instead of columns. Then make it right.
#
# <details><summary>Hint 1</summary>Which dimension has to go, so that one number is left for every column? Both
# <code>mean</code> and <code>std</code> can be told.</details>
# <details><summary>Hint 2</summary>Watch two things: what PyTorch divides by in <code>std</code>, unless its argument
# <code>correction</code> says otherwise; and what a division by zero gives. Look up <code>torch.where</code>.</details>

# %% standardise exercise="standardise"
def standardise(x):
    """Columns of x (N,D) with mean 0 and standard deviation 1; a constant column becomes zeros."""
    ### BEGIN SOLUTION
    spread = x.std(dim=0, correction=0)
    return (x - x.mean(dim=0)) / torch.where(spread > 0, spread, 1)
    ### END SOLUTION


# %% standardise-check check="standardise"
standardise = check(standardise)

# %% use-it
x = torch.randn(500, 3) * torch.tensor([1.0, 5.0, 0.2]) + torch.tensor([0.0, 10.0, -3.0])
after = standardise(x)
print("before: means", x.mean(dim=0), " deviations", x.std(dim=0, correction=0))
print("after:  means", after.mean(dim=0), " deviations", after.std(dim=0, correction=0))

# %% whole [markdown]
# ### Checking a whole notebook
#
# Save, open a terminal in the course's folder and type
#
# ```
# .venv/bin/sslcourse check notebooks/4_contrastive/2_simclr.ipynb
# ```
#
# If you installed the course with conda, activate its environment and leave out `.venv/bin/`: type
# `sslcourse check notebooks/4_contrastive/2_simclr.ipynb`.
#
# The command takes your answers, sets them into a fresh copy of the lesson and prints points and hints. That is also
# how your notebook is graded: it does not matter which cells you added, deleted or ran.

# %% lessons [markdown]
# ## The lessons
#
# {{ course: map }}
#
# A lesson goes: *predict* (commit to an answer before you run anything), *see* it, *build* it, *train*, *measure* it
# beside honest references, *break* it, *reflect*. Exercises carry one to four stars. These are all of them:
#
# {{ course: everything }}

# %% numbers [markdown]
# ### About numbers
#
# Where a lesson's text or table shows a measured number, it was written there by a program, from several runs with
# different seeds: `mean ± standard deviation`. They were measured on CPU cores. Your own run stands beside them, and
# will differ: another seed, another processor and other versions of the libraries change every number a little, and
# on a GPU a lesson trains longer. So compare the *order* of the methods, and how far apart they are beside the spread.
