"""Losses, with PyTorch's meaning, names and defaults.

Each is what one sample costs; the batch's mean or sum is the network's ``reduction``. On
probabilities a logarithm is clamped at -100, as in PyTorch: ``log(maximum(exp(-100), a))``
is ``maximum(-100, log(a))`` without the logarithm of 0.
"""

from __future__ import annotations

from symbackprop.definition import Loss

ENTRIES = (
    Loss(
        name="squared_error",
        equations=("L = (a - y)**2",),
        doc="Sum of the squared errors of all units.",
        source="Bishop 2006, Pattern Recognition and Machine Learning, equation (5.11), "
        "without its factor 1/2",
        within="sum",
        also_known_as=("sum_of_squares", "sse"),
    ),
    Loss(
        name="mean_squared_error",
        equations=("L = (a - y)**2",),
        doc="Mean of the squared errors of all units.",
        source="PyTorch: torch.nn.MSELoss",
        also_known_as=("mse", "l2"),
    ),
    Loss(
        name="mean_absolute_error",
        equations=("L = abs(a - y)",),
        doc="Mean of the absolute errors of all units.",
        source="PyTorch: torch.nn.L1Loss",
        also_known_as=("mae", "l1"),
    ),
    Loss(
        name="huber",
        equations=(
            "e = a - y",
            "L = where(abs(e) <= delta, e**2 / 2, delta * (abs(e) - delta / 2))",
        ),
        doc="Square of small errors, absolute value of large ones.",
        source="Huber 1964, Robust estimation of a location parameter",
        constants={"delta": 1.0},
        positive=("delta",),
        also_known_as=("smooth_l1",),
        fields_known_as={"beta": "delta"},
    ),
    Loss(
        name="log_cosh",
        equations=("e = a - y", "L = log((exp(e) + exp(-e)) / 2)"),
        doc="Logarithm of the hyperbolic cosine of the error.",
        source="Keras: keras.losses.LogCosh",
    ),
    Loss(
        name="binary_cross_entropy",
        equations=(
            "L = -(pos_weight * y * log(maximum(exp(-100), a))"
            " + (1 - y) * log(maximum(exp(-100), 1 - a)))",
        ),
        doc="Negative log-likelihood of a yes or no, from its probability.",
        source="Bishop 2006, Pattern Recognition and Machine Learning, equation (4.90)",
        constants={"pos_weight": 1.0},
        nonnegative=("pos_weight",),
        also_known_as=("bce", "log_loss"),
        expects="probabilities",
        on_logits="binary_cross_entropy_with_logits",
    ),
    Loss(
        name="binary_cross_entropy_with_logits",
        equations=("L = pos_weight * y * log(1 + exp(-a)) + (1 - y) * log(1 + exp(a))",),
        doc="Negative log-likelihood of a yes or no, from its logit.",
        source="PyTorch: torch.nn.BCEWithLogitsLoss",
        constants={"pos_weight": 1.0},
        nonnegative=("pos_weight",),
        also_known_as=(
            "bce_with_logits",
            "sigmoid_cross_entropy",
            "sigmoid_cross_entropy_with_logits",
        ),
    ),
    Loss(
        name="cross_entropy",
        equations=(
            "t[i] = (1 - label_smoothing) * y[i] + label_smoothing / classes",
            "L = -total(i, weight[i] * t[i] * log(maximum(exp(-100), a[i])))",
        ),
        indices=(
            "u = total(i, weight[i] * log(maximum(exp(-100), a[i])))",
            "L = where(y == ignore_index, 0,"
            " -((1 - label_smoothing) * weight[y] * log(maximum(exp(-100), a[y]))"
            " + label_smoothing / classes * u))",
        ),
        doc="Negative log-likelihood of a class, from the probabilities of all classes.",
        source="Bishop 2006, Pattern Recognition and Machine Learning, equation (4.108)",
        constants={"label_smoothing": 0.0, "ignore_index": None},
        unit_interval=("label_smoothing",),
        indices_weight="where(y == ignore_index, 0, weight[y])",
        vectors=("weight",),
        also_known_as=("categorical_crossentropy", "sparse_categorical_crossentropy"),
        expects="distribution",
        on_logits="cross_entropy_with_logits",
    ),
    Loss(
        name="cross_entropy_with_logits",
        equations=(
            "m = held(largest(i, a[i]))",
            "s = total(i, exp(a[i] - m))",
            "p[i] = (a[i] - m) - log(s)",
            "t[i] = (1 - label_smoothing) * y[i] + label_smoothing / classes",
            "L = -total(i, weight[i] * t[i] * p[i])",
        ),
        indices=(
            "m = held(largest(i, a[i]))",
            "s = total(i, exp(a[i] - m))",
            "p[i] = (a[i] - m) - log(s)",
            "u = total(i, weight[i] * p[i])",
            "L = where(y == ignore_index, 0,"
            " -((1 - label_smoothing) * weight[y] * p[y] + label_smoothing / classes * u))",
        ),
        doc="Negative log-likelihood of a class, from the logits of all classes.",
        source="PyTorch: torch.nn.CrossEntropyLoss",
        constants={"label_smoothing": 0.0, "ignore_index": None},
        unit_interval=("label_smoothing",),
        indices_weight="where(y == ignore_index, 0, weight[y])",
        vectors=("weight",),
        also_known_as=(
            "CrossEntropyLoss",
            "softmax_cross_entropy",
            "softmax_cross_entropy_with_logits",
        ),
    ),
    Loss(
        name="nll",
        equations=("L = -total(i, weight[i] * y[i] * a[i])",),
        indices=("L = where(y == ignore_index, 0, -(weight[y] * a[y]))",),
        doc="Negative log-likelihood of a class, from the log-probabilities of all classes.",
        source="PyTorch: torch.nn.NLLLoss",
        constants={"ignore_index": None},
        indices_weight="where(y == ignore_index, 0, weight[y])",
        vectors=("weight",),
        also_known_as=("negative_log_likelihood",),
        expects="log_probabilities",
        on_logits="cross_entropy_with_logits",
    ),
    Loss(
        name="kl_divergence",
        equations=("L = total(i, y[i] * (log(where(y[i] == 0, 1, y[i])) - a[i]))",),
        doc="Divergence of the target distribution from log-probabilities; 0 log 0 is 0.",
        source="Kullback & Leibler 1951, On information and sufficiency",
        also_known_as=("kl_div", "kld"),
        expects="log_probabilities",
    ),
    Loss(
        name="poisson_nll",
        equations=("L = exp(a) - y * a",),
        doc="Negative log-likelihood of a count, from the logarithm of its rate, "
        "less the term that only the target decides.",
        source="PyTorch: torch.nn.PoissonNLLLoss",
        also_known_as=("poisson",),
    ),
    Loss(
        name="gaussian_nll",
        equations=(
            "L = total(i, a[units + i] + (a[0 * units + i] - y[i])**2 * exp(-a[units + i]))"
            " / (2 * units)",
        ),
        doc="Negative log-likelihood of normal targets, from means and then log-variances, "
        "less a constant.",
        source="Nix & Weigend 1994, Estimating the mean and variance of the target probability "
        "distribution",
        output=("2 * units",),
        target=("units",),
    ),
    Loss(
        name="hinge",
        equations=("L = maximum(0, 1 - y * a)",),
        doc="Hinge loss of a score; the target is -1 or 1.",
        source="Cortes & Vapnik 1995, Support-vector networks",
    ),
    Loss(
        name="squared_hinge",
        equations=("L = maximum(0, 1 - y * a)**2",),
        doc="Squared hinge loss of a score; the target is -1 or 1.",
        source="Tang 2013, arXiv:1306.0239",
    ),
    Loss(
        name="cosine_similarity",
        equations=(
            "u = sqrt(maximum(eps**2, total(i, a[i]**2)))",
            "v = sqrt(maximum(eps**2, total(i, y[i]**2)))",
            "L = 1 - total(i, a[i] * y[i]) / (u * v)",
        ),
        doc="One less the cosine of the angle between output and target; "
        "no norm counts as less than eps.",
        source="PyTorch: torch.nn.CosineSimilarity",
        constants={"eps": 1e-8},
        positive=("eps",),
        also_known_as=("cosine", "cosine_embedding"),
    ),
    Loss(
        name="focal",
        equations=(
            "q = (1 - y) / (1 + exp(-a)) + y / (1 + exp(a))",
            "b = y * log(1 + exp(-a)) + (1 - y) * log(1 + exp(a))",
            "L = (alpha * y + (1 - alpha) * (1 - y)) * q**gamma * b",
        ),
        doc="Binary cross-entropy of a logit, times a power of the probability q of being wrong.",
        source="Lin, Goyal, Girshick, He & Dollár 2017, arXiv:1708.02002, equation (5)",
        constants={"alpha": 0.25, "gamma": 2.0},
        nonnegative=("gamma",),
        unit_interval=("alpha",),
        also_known_as=("sigmoid_focal",),
    ),
)
