"""Activations, with PyTorch's meaning, names and defaults.

At a kink the first argument of ``maximum`` and ``minimum`` is the one that counts, so a
constant comes first where the derivative there is to be 0. Conditions are written so that
a NaN takes the branch that keeps it.
"""

from __future__ import annotations

from symbackprop.definition import Activation, Parameter

ENTRIES = (
    Activation(
        name="identity",
        equations=("a = z",),
        doc="No change; a linear output.",
        source="PyTorch: torch.nn.Identity",
        also_known_as=("linear", "none"),
    ),
    Activation(
        name="relu",
        equations=("a = maximum(0, z)",),
        doc="Rectified linear unit.",
        source="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
        relu_like=True,
    ),
    Activation(
        name="leaky_relu",
        equations=("a = where(z > 0, z, negative_slope * z)",),
        doc="Rectifier that keeps a small slope for negative numbers.",
        source="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network "
        "acoustic models",
        constants={"negative_slope": 0.01},
        relu_like=True,
        also_known_as=("lrelu",),
        fields_known_as={"alpha": "negative_slope"},
    ),
    Activation(
        name="prelu",
        equations=("a[c] = where(z[c] > 0, z[c], alpha[c % num_parameters] * z[c])",),
        doc="Rectifier whose negative slope is learned, one for all channels or one for each.",
        source="He, Zhang, Ren & Sun 2015, arXiv:1502.01852, equation (1)",
        constants={"num_parameters": 1},
        positive=("num_parameters",),
        parameters={"alpha": Parameter(("num_parameters",), initial=0.25)},
        channels=True,
        relu_like=True,
    ),
    Activation(
        name="elu",
        equations=("a = where(z > 0, z, alpha * (exp(z) - 1))",),
        doc="Exponential linear unit: the exponential below 0, the identity above.",
        source="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
        constants={"alpha": 1.0},
        relu_like=True,
    ),
    Activation(
        name="selu",
        equations=(
            "a = 1.0507009873554804934193349852946"
            " * where(z > 0, z, 1.6732632423543772848170429916717 * (exp(z) - 1))",
        ),
        doc="Scaled ELU, whose constants keep mean 0 and variance 1 from layer to layer.",
        source="Klambauer, Unterthiner, Mayr & Hochreiter 2017, arXiv:1706.02515, equation (2)",
    ),
    Activation(
        name="celu",
        equations=("a = where(z > 0, z, alpha * (exp(z / alpha) - 1))",),
        doc="ELU that is continuously differentiable for every alpha.",
        source="Barron 2017, arXiv:1704.07483",
        constants={"alpha": 1.0},
        positive=("alpha",),
        relu_like=True,
    ),
    Activation(
        name="sigmoid",
        equations=("a = 1 / (1 + exp(-z))",),
        doc="Logistic function: a probability from its logit.",
        source="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating "
        "errors, equation (2)",
        also_known_as=("logistic",),
    ),
    Activation(
        name="log_sigmoid",
        equations=("a = -log(1 + exp(-z))",),
        doc="Logarithm of the logistic function.",
        source="PyTorch: torch.nn.LogSigmoid",
    ),
    Activation(
        name="tanh",
        equations=("a = tanh(z)",),
        doc="Hyperbolic tangent.",
        source="LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
    ),
    Activation(
        name="softplus",
        equations=("a = where(beta * z > threshold, z, log(1 + exp(beta * z)) / beta)",),
        doc="Smooth rectifier; the identity where beta * z passes the threshold.",
        source="Dugas, Bengio, Bélisle, Nadeau & Garcia 2001, Incorporating second-order "
        "functional knowledge for better option pricing",
        constants={"beta": 1.0, "threshold": 20.0},
        positive=("beta",),
    ),
    Activation(
        name="softsign",
        equations=("a = z / (1 + abs(z))",),
        doc="Sigmoidal curve with polynomial tails.",
        source="Glorot & Bengio 2010, Understanding the difficulty of training deep "
        "feedforward neural networks",
    ),
    Activation(
        name="silu",
        equations=("a = z / (1 + exp(-z))",),
        doc="A number times its own sigmoid.",
        source="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
        relu_like=True,
        also_known_as=("swish",),
    ),
    Activation(
        name="mish",
        equations=("a = z * tanh(log(1 + exp(z)))",),
        doc="A number times the hyperbolic tangent of its softplus.",
        source="Misra 2019, arXiv:1908.08681",
        relu_like=True,
    ),
    Activation(
        name="gelu",
        equations=("a = z * (1 + erf(z / sqrt(2))) / 2",),
        doc="Gaussian error linear unit: a number times the normal distribution function at it.",
        source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
        relu_like=True,
    ),
    Activation(
        name="gelu_tanh",
        equations=("a = z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))) / 2",),
        doc="Approximation of gelu by a hyperbolic tangent.",
        source="Hendrycks & Gimpel 2016, arXiv:1606.08415",
        relu_like=True,
        also_known_as=("gelu_new", "gelu_approximate"),
    ),
    Activation(
        name="hard_sigmoid",
        equations=("a = minimum(6, maximum(0, z + 3)) / 6",),
        doc="Piecewise linear sigmoid.",
        source="Howard et al. 2019, arXiv:1905.02244; PyTorch: torch.nn.Hardsigmoid",
    ),
    Activation(
        name="hard_tanh",
        equations=("a = minimum(max_val, maximum(min_val, z))",),
        doc="Identity cut off at two bounds.",
        source="Collobert et al. 2011, arXiv:1103.0398, section 3.3; PyTorch: torch.nn.Hardtanh",
        constants={"min_val": -1.0, "max_val": 1.0},
        also_known_as=("clip", "clamp"),
    ),
    Activation(
        name="hard_swish",
        equations=("a = z * minimum(6, maximum(0, z + 3)) / 6",),
        doc="A number times its hard_sigmoid.",
        source="Howard et al. 2019, arXiv:1905.02244",
        relu_like=True,
        also_known_as=("hard_silu",),
    ),
    Activation(
        name="relu6",
        equations=("a = minimum(6, maximum(0, z))",),
        doc="Rectifier cut off at 6.",
        source="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
        relu_like=True,
    ),
    Activation(
        name="exponential",
        equations=("a = exp(z)",),
        doc="Exponential function: a positive number from its logarithm.",
        source="Keras: keras.activations.exponential",
        also_known_as=("exp",),
    ),
    Activation(
        name="square",
        equations=("a = z**2",),
        doc="Square.",
        source="Livni, Shalev-Shwartz & Shamir 2014, arXiv:1410.1141",
        also_known_as=("quadratic",),
    ),
    Activation(
        name="sine",
        equations=("a = sin(z)",),
        doc="Sine.",
        source="Sitzmann, Martel, Bergman, Lindell & Wetzstein 2020, arXiv:2006.09661",
        also_known_as=("sin",),
    ),
    Activation(
        name="tanh_shrink",
        equations=("a = z - tanh(z)",),
        doc="A number less its hyperbolic tangent.",
        source="PyTorch: torch.nn.Tanhshrink",
    ),
    Activation(
        name="soft_shrink",
        equations=("a = maximum(0, z - lambd) + minimum(0, z + lambd)",),
        doc="Soft threshold: moves every number towards 0 by lambd, and no further.",
        source="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
        constants={"lambd": 0.5},
        nonnegative=("lambd",),
        fields_known_as={"lambda": "lambd", "threshold": "lambd"},
    ),
    Activation(
        name="hard_shrink",
        equations=("a = where(abs(z) <= lambd, 0, z)",),
        doc="Hard threshold: 0 within lambd of 0, the identity beyond.",
        source="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
        constants={"lambd": 0.5},
        fields_known_as={"lambda": "lambd", "threshold": "lambd"},
    ),
    Activation(
        name="softmax",
        equations=(
            "m = held(largest(i, z[i]))",
            "e[i] = exp(z[i] - m)",
            "s = total(i, e[i])",
            "a[i] = e[i] / s",
        ),
        doc="Probabilities of classes from their logits.",
        source="Bridle 1990, Probabilistic interpretation of feedforward classification "
        "network outputs",
        fields_known_as={"dim": "axis"},
    ),
    Activation(
        name="log_softmax",
        equations=(
            "m = held(largest(i, z[i]))",
            "e[i] = exp(z[i] - m)",
            "s = total(i, e[i])",
            "a[i] = (z[i] - m) - log(s)",
        ),
        doc="Logarithms of the probabilities of classes from their logits.",
        source="PyTorch: torch.nn.LogSoftmax",
        fields_known_as={"dim": "axis"},
    ),
)
