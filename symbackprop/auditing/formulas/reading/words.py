"""What commands and characters mean: tables, no code."""

from __future__ import annotations

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
]
LETTERS = {
    **{name: name for name in GREEK},
    **{"var" + name: name for name in ("epsilon", "theta", "phi", "rho", "sigma", "kappa", "pi")},
    **{"ell": "ell", "hbar": "hbar", "imath": "i", "jmath": "j", "varnothing": "emptyset"},
    **{"emptyset": "emptyset", "Re": "Re", "Im": "Im", "aleph": "aleph", "infty": "infinity"},
}
ACCENTS = {
    **{name: name for name in ("hat", "bar", "tilde", "dot", "ddot", "check", "breve", "mathring")},
    **{"widehat": "hat", "widetilde": "tilde", "overline": "bar", "underline": "underline"},
}
STYLES = {
    **dict.fromkeys(("mathbf", "bm", "boldsymbol", "vec", "pmb", "vb", "bold", "bf"), "bold"),
    **dict.fromkeys(("mathbb", "mathds", "Bbb"), "double"),
    **dict.fromkeys(("mathcal", "mathscr", "mathfrak", "cal"), "script"),
    **dict.fromkeys(("mathrm", "mathit", "mathsf", "mathtt", "mathnormal", "rm", "it"), "plain"),
}
# Commands whose argument is text; the words become one name or prose beside the formula.
TEXTS = ("text", "textrm", "textbf", "textit", "texttt", "textsf", "mbox", "hbox", "textnormal")
# Commands that only wrap their last argument; the number says how many others come before it.
WRAPS = {
    **dict.fromkeys(("boxed", "fbox", "cancel", "bcancel", "xcancel"), 0),
    **dict.fromkeys(("mathrel", "mathord", "mathopen", "mathclose", "ensuremath", "smash"), 0),
    **dict.fromkeys(("textcolor", "colorbox", "href", "style", "class", "cssId"), 1),
    **dict.fromkeys(("displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle"), -1),
    **dict.fromkeys(("limits", "nolimits", "nonumber", "notag", "left", "right", "middle"), -1),
    **dict.fromkeys(("big", "Big", "bigg", "Bigg", "bigl", "Bigl", "biggl", "Biggl"), -1),
    **dict.fromkeys(("bigr", "Bigr", "biggr", "Biggr", "bigm", "Bigm", "biggm", "hfill"), -1),
    **dict.fromkeys(("hline", "noindent", "centering", "allowbreak", "mathstrut", "strut"), -1),
    **dict.fromkeys(("large", "Large", "small", "normalsize", "tiny", "huge", "Huge"), -1),
}
# Commands that vanish with as many arguments.
DROPS = {
    **dict.fromkeys(("label", "tag", "color", "vspace", "phantom", "vphantom"), 1),
    **dict.fromkeys(("hphantom", "ref", "eqref", "cite", "footnote", "mspace", "kern"), 1),
    **dict.fromkeys(("intertext", "shortintertext"), 1),
}
# Wrapped things with a note below or above, which vanishes.
BRACES = ("underbrace", "overbrace", "underbracket", "overbracket")
# Spaces by their widths in em; as wide as WIDE_GAP, alone or in a row, they part statements.
GAPS = {
    **{",": 0.17, ":": 0.22, ">": 0.22, ";": 0.28, " ": 0.33, "~": 0.33, "!": -0.17, "/": 0.0},
    **{"thinspace": 0.17, "medspace": 0.22, "thickspace": 0.28, "enspace": 0.5, "hfill": 2.0},
}
WIDE_GAP = 0.8
WIDE = ("quad", "qquad")
EM_OF_UNITS = {"em": 1.0, "ex": 0.43, "pt": 0.1, "mm": 0.28, "cm": 2.8, "in": 7.2, "px": 0.075}
JOINS = {
    **{"cdot": "·", "times": "×", "ast": "*", "odot": "⊙", "circ": "⊙", "otimes": "⊗"},
    **{"bullet": "·", "bigodot": "⊙", "star": "*", "cdotp": "·", "centerdot": "·"},
}
BIGS = {
    **{"sum": "sum", "prod": "product", "max": "max", "min": "min", "argmax": "argmax"},
    **{"argmin": "argmin", "sup": "max", "inf": "min", "int": "integral", "sumlimits": "sum"},
    **{"lim": "limit", "coprod": "other", "bigcup": "other", "bigcap": "other"},
}
RELATIONS = {
    **{"equiv": ":=", "triangleq": ":=", "coloneqq": ":=", "doteq": ":=", "approx": "≈"},
    **{"simeq": "≈", "sim": "~", "propto": "∝", "leftarrow": "←", "gets": "←", "neq": "!="},
    **{"ne": "!=", "leq": "<=", "le": "<=", "geq": ">=", "ge": ">=", "lt": "<", "gt": ">"},
    **{"in": "in", "notin": "notin", "cong": "≈", "ll": "<", "gg": ">", "leqslant": "<="},
    **{"geqslant": ">=", "subset": "subset", "subseteq": "subset", "mid": "mid"},
    **{"defeq": ":=", "eqdef": ":=", "overset{def}": ":="},
}
# What parts statements; ``→`` parts them too where no function type is meant.
PARTINGS = (
    *("implies", "iff", "Rightarrow", "Leftrightarrow", "Longrightarrow", "therefore", "because"),
    *("Longleftrightarrow", "rightarrow", "to", "longrightarrow", "mapsto", "land", "wedge"),
    *("leadsto", "rightsquigarrow", "Leftarrow", "Longleftarrow", "longmapsto", "because"),
)
DOTS = ("dots", "ldots", "cdots", "vdots", "ddots", "dotsc", "dotsb", "dotsm", "dotso", "hdots")
OPENERS = {"(": "(", "[": "[", "lbrace": "{", "{": "{", "lbrack": "[", "lparen": "("}
CLOSERS = {")": "(", "]": "[", "rbrace": "{", "}": "{", "rbrack": "[", "rparen": "("}
BARS = {"|": "|", "vert": "|", "lvert": "|", "rvert": "|"}
NORMS = ("Vert", "lVert", "rVert", "|", "lvvert", "Vvert")
FUNCTIONS = frozenset(
    [
        "exp",
        "log",
        "ln",
        "lg",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "sech",
        "coth",
        "arctan",
        "arcsin",
        "arccos",
        "artanh",
        "erf",
        "sign",
        "sgn",
        "tr",
        "Tr",
        "trace",
        "diag",
        "det",
        "vec",
        "softmax",
        "sigmoid",
        "relu",
        "softplus",
        "logistic",
        "mean",
        "var",
        "std",
        "dim",
        "rank",
        "onehot",
        "sqrt",
        "abs",
        "softmin",
        "gelu",
        "swish",
        "silu",
        "elu",
        "logsumexp",
        "LSE",
        "logit",
    ]
)
# Names of functions as people write them, by the name used here.
SAME = {
    **{"ln": "log", "Tr": "tr", "trace": "tr", "sgn": "sign", "ReLU": "relu", "Relu": "relu"},
    **{"RELU": "relu", "Softmax": "softmax", "SoftMax": "softmax", "Sigmoid": "sigmoid"},
    **{"Diag": "diag", "Vec": "vec", "one-hot": "onehot", "Tanh": "tanh", "Exp": "exp"},
    **{"Log": "log", "arg max": "argmax", "arg min": "argmin", "Max": "max", "Min": "min"},
    **{"logistic": "sigmoid", "expit": "sigmoid", "sig": "sigmoid", "Var": "var", "GELU": "gelu"},
    **{"LSE": "logsumexp", "Softplus": "softplus", "SiLU": "silu", "softMax": "softmax"},
}
# Environments whose rows are rows of the display, and those whose rows are a matrix's.
ROWED = (
    *("aligned", "align", "alignat", "alignedat", "equation", "gather", "gathered", "split"),
    *(
        "eqnarray",
        "multline",
        "multlined",
        "flalign",
        "displaymath",
        "math",
        "empheq",
        "subequations",
    ),
    *("rcases_", "dmath", "IEEEeqnarray"),
)
MATRICES = (
    *("matrix", "pmatrix", "bmatrix", "vmatrix", "Vmatrix", "Bmatrix", "smallmatrix", "array"),
    *("psmallmatrix", "bsmallmatrix"),
)
CASES = ("cases", "dcases", "rcases", "numcases")
UNICODE = {
    **{"∂": r"\partial ", "∇": r"\nabla ", "Σ": r"\sum ", "∑": r"\sum ", "∏": r"\prod "},
    **{"⊙": r"\odot ", "∘": r"\circ ", "·": r"\cdot ", "⋅": r"\cdot ", "×": r"\times "},
    **{"−": "-", "–": "-", "’": "'", "′": "'", "″": "''", "ᵀ": r"^\top ", "⊤": r"\top "},
    **{"≈": r"\approx ", "≠": r"\neq ", "≤": r"\leq ", "≥": r"\geq ", "∈": r"\in ", "→": r"\to "},
    **{"⇒": r"\implies ", "⟹": r"\implies ", "⇔": r"\iff ", "←": r"\gets ", "…": r"\dots "},
    **{"⋯": r"\dots ", "∞": r"\infty ", "√": r"\sqrt ", "‖": r"\Vert ", "ℝ": r"\mathbb{R}"},
    **{"𝟙": r"\mathbb{1}", "ℓ": r"\ell ", "²": "^2", "³": "^3", "½": r"\frac12 ", "⊗": r"\otimes "},
    **{"₀": "_0", "₁": "_1", "₂": "_2", "₃": "_3", "₄": "_4", "ᵢ": "_i", "ⱼ": "_j", "ₖ": "_k"},
    **{"ₙ": "_n", "ₗ": "_l", "ₜ": "_t", "⁻": "^-", "¹": "^1", "ϵ": r"\epsilon ", "ϕ": r"\phi "},
    **{"∗": "*", "≡": r"\equiv ", "≜": r"\triangleq ", "∝": r"\propto ", "，": ",", "：": ":"},
    **{"（": "(", "）": ")", "；": ";", "＝": "=", "。": " ", "、": ","},
    **{
        chr(0x3B1 + k): "\\" + name + " "
        for k, name in enumerate([*GREEK[:18], *GREEK[17:24]])  # σ has a form for ends of words
    },
    **{"Γ": r"\Gamma ", "Δ": r"\Delta ", "Θ": r"\Theta ", "Λ": r"\Lambda ", "Φ": r"\Phi "},
    **{"Ψ": r"\Psi ", "Ω": r"\Omega ", "Π": r"\prod "},
}
COMBINING = {"̂": "hat", "̃": "tilde", "̄": "bar", "̅": "bar", "̇": "dot"}
