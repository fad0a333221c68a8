"""Right formulas in notation that misleads: none is refuted, and their wrong twins still are."""

from __future__ import annotations

from collections import Counter

import pytest

from symbackprop.auditing.formulas.entry import audit_text

# Documents whose every claim is right, and must be proved.
PROVED = {
    "statements parted by distances": r"""
$$g(u, v) = u v \hspace{0.4in} \rightarrow \hspace{0.4in} \frac{\partial g}{\partial u} = v
\hspace{0.4in} \frac{\partial g}{\partial v} = u$$
""",
    "statements parted by small spaces": r"""
$$q = t^3 \;\;\;\; \frac{dq}{dt} = 3t^2 ~~~~ r = 5t ~~~~ \frac{dr}{dt} = 5$$
""",
    "air around the equals sign": r"$$q = t^3$$ $$\frac{dq}{dt} \quad = \quad 3t^2$$",
    "a subscript that the derivative drops": r"""
$$f(x) = \sin(x) \quad\rightarrow\quad \frac{df}{dx} = \cos(x)$$
$$f_b(x) = b + x \quad\rightarrow\quad \frac{df}{dx} = 1$$
$$f_a(x) = ax \quad\rightarrow\quad \frac{df}{dx} = a$$
""",
    "a square beside labels in brackets": r"""
The iterates are $w^{(k+1)} = w^{(k)} - \eta g^{(k)}$. Take $E(w) = 4w^2 - w$.
Then $E'(w) = 8w - 1$.
""",
    "a square beside powers with a shift": r"""
The rule: $\frac{d}{dw} w^n = n w^{n-1}$. Take $E(w) = 4w^2 - w$. Then $\frac{dE}{dw} = 8w - 1$.
""",
    "an operator before a parenthesis": r"""
$$\frac{d}{ds}(s\ln s) = \frac{d}{ds}(s)\cdot \ln s + s\cdot\frac{d}{ds}(\ln s) = \ln s + 1$$
""",
    "a name that is given to a formula": r"""
Let $\sum_k e^{u_k} = S$ and $q_i = \frac{e^{u_i}}{S}$. Then
$$\frac{\partial q_i}{\partial u_i} = \frac{e^{u_i}}{S} \frac{S - e^{u_i}}{S} = q_i (1 - q_i)$$
""",
    "several exercises with one letter": r"""
**a)** $f(t) = 3t^2 + t$ **b)** $f(t) = (1 - t)^2$ **c)** $f(t) = e^{2t}$

Solutions: **a)** $\frac{df}{dt} = 6t + 1$ **b)** $\frac{df}{dt} = -2(1 - t)$
**c)** $\frac{df}{dt} = 2e^{2t}$
""",
    "an example elsewhere": r"""
Say $x_2 = 3 x_1 - 1$, so these columns depend on each other.

Now let $g = \sum_{i=1}^n c_i x_i$. Then $$\frac{\partial g}{\partial x_k} = c_k$$
""",
    "the number of an equation": r"""
$$E = \frac12 (y - t)^2 \quad (3)$$ $$\frac{\partial E}{\partial y} = y - t \ \ \ \ \ (4)$$
""",
    "a star in a list of arguments": r"""
$L(y, y*) = \frac12 (y - y^*)^2$

$$\frac{\partial L}{\partial y} = y - y^*$$ Elsewhere one takes $L(y, y^*) = -y^* \log(y)$.
""",
    "matrices in small letters": r"""
Let $a^l = \sigma(z^l)$, $z^l = w^l a^{l-1} + b^l$,
$\delta^l_j = \frac{\partial C}{\partial z^l_j}$.
\begin{eqnarray}
\delta^l & = & ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l) \\
\frac{\partial C}{\partial w^l_{jk}} & = & a^{l-1}_k \delta^l_j
\end{eqnarray}
""",
    "an error that is called e": r"""
$$H = \begin{cases} \frac12 e^2 & |e| \le c \\ c |e| - \frac12 c^2 & \text{otherwise} \end{cases}
\quad \frac{dH}{de} = \begin{cases} e & |e| \le c \\ c\,\mathrm{sign}(e) & \text{otherwise}
\end{cases}$$
""",
    "a mean without limits": r"""
$u = \frac1n \sum_i x_i$, $v = \frac{\sum_i (x_i - u)^2}{n}$ and
$\frac{\partial v}{\partial x_i} = \frac2n (x_i - u)$
""",
    "numbers beside vectors": r"""
$z = w^T x + b$, $q = \frac{1}{1 + e^{-z}}$, $C = -y \log q - (1 - y) \log(1 - q)$:
$$\nabla_w C = (q - y) x$$
""",
    "gradients named by d": r"""
With $Z = X W$, samples as rows: $dW = X^T dZ$ and $dX = dZ\, W^T$.
""",
    "a layer that is not numbered": r"""
$s_j = \sum_i w_{ij} o_i$, $o_j = \tanh(s_j)$: $\frac{\partial s_j}{\partial w_{ij}} = o_i$
""",
    "gradients shaped like their variables": r"""
$h = \tanh(V x)$, $o = W h + b$, $L = \frac12\|o - t\|^2$.
$$\frac{\partial L}{\partial o} = o - t \\ \frac{\partial L}{\partial W} = (o - t) h^\top \\
\frac{\partial L}{\partial h} = W^\top (o - t)$$
""",
    "gradients in numerator layout": r"""
$h = \tanh(V x)$, $o = W h + b$, $L = \frac12\|o - t\|^2$.
$$\frac{\partial L}{\partial o} = (o - t)^\top \\ \frac{\partial L}{\partial W} = h (o - t)^\top \\
\frac{\partial L}{\partial h} = (o - t)^\top W$$
""",
    "a matrix by its elements": r"""
With $X = \begin{bmatrix} x_{11} & x_{12} \\ x_{21} & x_{22} \end{bmatrix}$ and $Z = X Y$:
$\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Z} Y^\top$
""",
}
# Documents none of whose findings may be a refutation.
LEFT_OPEN = {
    "a condition of symmetry": r"""
$$\delta_i = \frac{\partial L}{\partial z_i}$$ They never part: $\delta_i = \delta_j$, and
$\frac{\partial L}{\partial w_1} = \frac{\partial L}{\partial w_2}$.
""",
    "a stationary point": r"Let $f''(x) \neq 0$, and $f'(x_0) = 0$ where $f(x) = (x - c)^2$.",
    "the value that is looked for": r"""
$$J = \frac12 (Xw - y)^T D (Xw - y)$$ $$\nabla_w J = X^T D (Xw - Y)$$ Set to zero this gives
$$w = (X^T D X)^{-1} X^T D Y$$
""",
    "a prime for another value": r"A size $n = 5$ is cut to $n' = 2$, and $n'(x)$ is free.",
    "a definition that is not read": r"""
$L(y) = \oint y \star t$

$$\frac{\partial L}{\partial y} = y - t$$ Elsewhere $L(y) = -t \log(y)$.
""",
    "an operator set as a name": r"""
With the operator $\mathbf{D}$ of differentiation, $\frac{\partial q}{\partial u} =
\frac{S \mathbf{D} e^{u} - e^{u} \mathbf{D} S}{S^2} = \frac{e^{u}(S - e^{u})}{S^2}$.
""",
    "a definition in another section": r"""
# Warming up

$L = u^2$ with $u = 4 - 2w$

# The task on the sheet

$\frac{dL}{dw} = 2w - 6$, so $w$ goes to 3.
""",
}
WRONG = {
    "statements parted by distances": (r"\partial u} = v", r"\partial u} = -v"),
    "statements parted by small spaces": ("= 3t^2", "= 2t^2"),
    "air around the equals sign": ("3t^2", "2t^2"),
    "a subscript that the derivative drops": (r"\cos(x)", r"-\cos(x)"),
    "a square beside labels in brackets": ("8w - 1", "4w - 1"),
    "a square beside powers with a shift": ("8w - 1", "8w + 1"),
    "a name that is given to a formula": ("= q_i (1 - q_i)", "= q_i (1 + q_i)"),
    "an example elsewhere": ("= c_k", "= 2 c_k"),
    "matrices in small letters": ("(w^{l+1})^T", "w^{l+1}"),
    "an error that is called e": ("{cases} e &", "{cases} -e &"),
    "a mean without limits": (r"\frac2n (x_i", r"\frac2{n-1} (x_i"),
    "gradients named by d": (r"dZ\, W^T", r"dZ\, W"),
    "gradients shaped like their variables": (r"(o - t) h^\top", r"h (o - t)^\top"),
    "gradients in numerator layout": (r"h (o - t)^\top", r"(o - t) h^\top"),
    "the number of an equation": (r"= y - t \ ", r"= t - y \ "),
    "a star in a list of arguments": ("= y - y^*", "= y^* - y"),
}


def verdicts(document: str) -> Counter[str]:
    return Counter(finding.verdict for finding in audit_text(document, "notes.md"))


@pytest.mark.parametrize("name", PROVED)
def test_right_formulas_are_proved(name: str) -> None:
    found = verdicts(PROVED[name])
    assert set(found) == {"proved"}, found


@pytest.mark.parametrize("name", WRONG)
def test_their_wrong_twins_are_refuted(name: str) -> None:
    old, new = WRONG[name]
    assert old in PROVED[name]
    assert verdicts(PROVED[name].replace(old, new))["refuted"] == 1


@pytest.mark.parametrize("name", LEFT_OPEN)
def test_what_is_no_claim_is_not_refuted(name: str) -> None:
    assert not verdicts(LEFT_OPEN[name])["refuted"]
