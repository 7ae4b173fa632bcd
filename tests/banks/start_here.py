"""standardise: how students write it."""

import torch

from tests.banks import Bank

standardise = Bank()
BANKS = {"standardise": standardise}


@standardise.accept
def var_mean(x):
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    return (x - mean) / variance.sqrt().clamp(min=1e-8)


@standardise.accept
def columns_in_a_loop(x):
    columns = []
    for column in x.T:
        centred = column - column.mean()
        spread = centred.square().mean().sqrt()
        columns.append(centred / spread if spread > 0 else centred)
    return torch.stack(columns, dim=1)


@standardise.accept
def with_scikit_learn(x):
    from sklearn.preprocessing import StandardScaler

    return torch.from_numpy(StandardScaler().fit_transform(x.numpy()))


@standardise.accept
def in_double_precision(x):
    x = x.double() - x.double().mean(dim=0)
    return torch.nan_to_num(x / x.square().mean(dim=0).sqrt())


@standardise.refuse("N - 1")
def sample_deviation(x):
    spread = x.std(dim=0)
    return (x - x.mean(dim=0)) / torch.where(spread > 0, spread, 1)


@standardise.refuse("nan")
def constant_column_forgotten(x):
    return (x - x.mean(dim=0)) / x.std(dim=0, correction=0)


@standardise.refuse("whole matrix")
def one_mean_for_all(x):
    return (x - x.mean()) / x.std(correction=0)


@standardise.refuse("rows")
def rows_instead_of_columns(x):
    return (x - x.mean(dim=1, keepdim=True)) / x.std(dim=1, keepdim=True, correction=0)


@standardise.refuse("not divided")
def centred_only(x):
    return x - x.mean(dim=0)


@standardise.refuse("variance")
def divided_by_variance(x):
    variance = x.var(dim=0, correction=0)
    return (x - x.mean(dim=0)) / torch.where(variance > 0, variance, 1)


@standardise.refuse("changed its input x")
def in_place(x):
    x -= x.mean(dim=0)
    x /= x.std(dim=0, correction=0).clamp(min=1e-8)
    return x


@standardise.refuse("returned nothing")
def no_return(x):
    (x - x.mean(dim=0)) / x.std(dim=0, correction=0)


@standardise.refuse("it raised", "wrong name")
def raises(x):
    raise RuntimeError("wrong name")
