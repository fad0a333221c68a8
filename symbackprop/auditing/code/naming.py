"""What the names of parameters say: weak hints, always matched as whole words."""

from __future__ import annotations

import re

_GRADIENT_WORDS = frozenset(
    (
        *("d", "dd", "grad", "grads", "gradient", "gradients", "delta", "deltas", "nabla", "der"),
        *("deriv", "derivative", "diff", "dl", "dj", "de", "dloss", "dcost", "bar", "adj"),
    )
)
_UPSTREAM = re.compile(
    r"^(?:d(?:out|y|a|z|l|h|o|v|s|x|e|loss|next|output|outputs|values|value|curr|prev|a_curr|h_next)?"
    r"|g|gy|gz|dvalues|dl_d\w+|d_?out\w*|grad\w*|gradient\w*|delta\w*|err|errors?|upstream\w*|top_diff|next_d\w+"
    r"|\w+_(?:grad|grads|gradient|gradients|delta|error|diff)|sensitivity\w*|accum_grad|eta_next|"
    r"\w*cotangent\w*|residual|d[A-Z]\w*|d_[a-z]\w*|output_error|v_?bar|adj\w*)$"
)
_MARKED = re.compile(
    r"d[A-Z_]|d[a-z]\d*$|d(?:gamma|beta|bias|biases|weights?|inputs?|scores?|logits?|theta|alpha"
    r"|hidden|prev|next|kernels?|mu|mean|var|sigma|out|pred|y_?hat|embed|filters?)"
)
_LABELS = re.compile(
    r"^(?:y|ys|t|Y|T|targets?|labels?|lbs?|y_true|ytrue|y_?batch|ground_truth|gt|truth|actual|expected|desired"
    r"|one_?hot\w*|y_(?:real|target|actual|label|onehot)|true_y|\w+_true|d_true|desired_output|target_\w+)$",
)
_OUTPUTS = re.compile(
    r"^(?:y_?hat|Y_?hat|y_?pred\w*|pred\w*|out|outputs?|probs?|probabilities|A[Ll]|al|a_last|result"
    r"|final_output\w*|activation|y_output)$"
)
_RATES = re.compile(
    r"^(?:lr|eta|learning_?rate|alpha_lr|rate|step_?size|learn_?rate|l_rate)$", re.I
)
_FUNCTIONS = re.compile(
    r"^(?:f|fn|func|function|act|activation\w*|activator|\w+_(?:fn|func|function))$"
)
_STATES = re.compile(
    r"^(?:\w*caches?|\w*states?|memory|carry|hidden|history|model|params|parameters)$"
)
_GENERATORS = re.compile(r"^(?:rng|rs|random_generator|generator|rand_gen|np_rng|random_state)$")
_OPTIMIZERS = re.compile(r"^(?:opt|optim|optimizer|optimiser|updater)$", re.I)
_FLAGS = re.compile(r"^(?:is_?)?(?:train|training|train_flg|train_mode)$", re.I)
_SIZES = re.compile(
    r"^(?:n|m|k|h|w|c|d|t|units|width|height|depth|channels?|features?|hidden|kernel|bs|size|dim|dims?"
    r"|num|(?:n|num|no|number)_?[a-z]\w*|\w+_(?:size|dim|dims|width|height|depth|channels?|features?"
    r"|units?|len|length|num|count|nodes|neurons)|\w+(?:size|Size|dim|Dim)"
    r"|(?:in|out|hid|hidden|input|output)_?(?:n|features|channels|dim|dims|size|units|width|nodes)?"
    r"|[hw]_?(?:filter|kernel|pool|window)|(?:filter|kernel|pool|window)_?[hw]"
    r"|n[A-Z_]\w*|[NMDHKC]|vocab\w*|pool_?[hw]?|kernel_?\w*|filter_?size|\w*(?:In|Out)|ins|outs)$"
)
_SHAPES = re.compile(
    r"^(?:\w*shape|sizes|\w+_sizes|layers?_?\w*|dims|\w+_dims|\w+sizes|topology|structure)$"
)
_SCALARS = re.compile(
    r"^(?:p|q|alpha|eps|epsilon|smooth|lam|lamb|lambda_?|lambd|reg|margin|temperature|scale|momentum|threshold"
    r"|slope|ratio|rate|decay|lmbda|l2|l1|weight_decay|reg_lambda|l2_reg|delta_?|tau|p_drop|keep_prob"
    r"|dropout\w*|negative_slope|lb_smooth|\w+_lambda|sigma|c)$"
)
_STEPS = re.compile(r"^(?:stride\w*|step|strides)$", re.I)
_PADS = re.compile(r"^(?:pad\w*|padding\w*)$", re.I)
_TURNS = re.compile(r"^(?:n_?|num_|nb_|max_)?(?:epochs?|iters?|iterations?)$", re.I)
_AXES = re.compile(r"^(?:axis|dim|seed|random_state|verbose|debug|epochs?|iterations?)$", re.I)
_WEIGHTS = re.compile(r"^(?:[wW][a-z]?[a-z]?\d?|[UV]|theta|weights?\w*|kernels?|filters?)$")
_BIASES = re.compile(r"^(?:b|bias|biases|b\d+|b_\w+|bias_\w+|beta|gamma)$")


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case: ``self.dW_out`` gives self, d, w, out."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)
    return [part.lower() for part in parts]


def last(name: str) -> str:
    """Return the last part of a spelled variable: W1 of ``params['W1']`` or ``self.W1``."""
    quoted = re.search(r"\[['\"](\w+)['\"]\]$", name)
    return quoted[1] if quoted else re.sub(r"\[\d+\]$", "", name).split(".")[-1]


def stem(name: str) -> str:
    """Return the name of what a gradient is the gradient of, in lower case without marks."""
    bare = last(name)
    kept = [w for w in words(bare) if w not in _GRADIENT_WORDS]
    joined = "".join(kept)
    if kept and len(kept) == len(words(bare)) and re.match(r"d[a-z]", bare):
        joined = joined[1:]
    return joined


def stands_for(gradient: str, output: str) -> bool:
    """Return whether a parameter is the gradient by an output: dnext_c of next_c, dc_next of c."""
    own, of = stem(gradient), "".join(words(output))
    marked = names_gradient(gradient) or last(gradient)[:1] == "d"
    return marked and own.replace("next", "") == of.replace("next", "")


def names_gradient(name: str) -> bool:
    """Return whether a name is a gradient's by custom: dW, grad_b, delta."""
    bare = last(name)
    return bool(set(words(bare)) & _GRADIENT_WORDS) or bool(_MARKED.match(bare))


def holder(name: str) -> tuple[str, ...]:
    """Return the names of what holds a value: of ``self.layers[0].w``, self, layers and 0."""
    return tuple(re.findall(r"\w+", name)[:-1])


def names_upstream(name: str) -> bool:
    """Return whether a parameter is the gradient by the output, by custom."""
    return bool(_UPSTREAM.match(name)) or bool(re.match(r"d[A-Z]", name))


def names_label(name: str) -> bool:
    """Return whether a parameter is a target."""
    return bool(_LABELS.match(name))


def names_output(name: str) -> bool:
    """Return whether a parameter of a derivative is what its function gave."""
    return bool(_OUTPUTS.match(name))


def names_rate(name: str) -> bool:
    """Return whether a parameter is a learning rate."""
    return bool(_RATES.match(last(name)))


def names_function(name: str) -> bool:
    """Return whether a parameter is a function."""
    return bool(_FUNCTIONS.match(name))


def names_state(name: str) -> bool:
    """Return whether a parameter holds several values, as one step leaves them to the next."""
    return bool(_STATES.match(name))


def names_generator(name: str) -> bool:
    """Return whether a parameter draws random numbers."""
    return bool(_GENERATORS.match(name))


def names_optimizer(name: str) -> bool:
    """Return whether a parameter is an object that updates what it is given with its gradient."""
    return bool(_OPTIMIZERS.match(name))


def names_flag(name: str) -> bool:
    """Return whether a parameter says that the network is being trained."""
    return bool(_FLAGS.match(name))


def names_size(name: str) -> bool:
    """Return whether a parameter of a constructor is a size."""
    return bool(_SIZES.match(name))


def names_shape(name: str) -> bool:
    """Return whether a parameter of a constructor is several sizes."""
    return bool(_SHAPES.match(name))


def names_scalar(name: str) -> bool:
    """Return whether a parameter is one real number."""
    return bool(_SCALARS.match(name))


def names_step(name: str) -> bool:
    """Return whether a parameter is a stride."""
    return bool(_STEPS.match(name))


def names_pad(name: str) -> bool:
    """Return whether a parameter is a padding."""
    return bool(_PADS.match(name))


def names_axis(name: str) -> bool:
    """Return whether a parameter is no size, though it is an integer."""
    return bool(_AXES.match(name))


def names_turns(name: str) -> bool:
    """Return whether a parameter says how often a network is trained with the same samples."""
    return bool(_TURNS.match(name))


def names_bias(name: str) -> bool:
    """Return whether a parameter is a bias."""
    return bool(_BIASES.match(last(name)))


def names_weight(name: str) -> bool:
    """Return whether a parameter is a matrix of weights or a bias, which has no axis of samples."""
    return names_bias(name) or bool(_WEIGHTS.match(last(name)))
