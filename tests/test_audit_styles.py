r"""Documents as various authors write them: right ones, and each with one mistake in it.

Every document is written here. ``RIGHT`` holds no wrong claim; the wrong twin of a document is it
with one piece of text replaced, which must be refuted and explained.
"""

from __future__ import annotations

import pytest
from strangers import STRANGERS, Style

from symbackprop.auditing.finding import PASSES, Finding
from symbackprop.auditing.formulas.entry import audit_text

STYLES = (
    Style(
        "a function of vectors, read at another vector and without one",
        r"""
$$S(\mathbf{u})_i = \frac{e^{u_i}}{\sum_{k=1}^n e^{u_k}}$$

$$\frac{\partial [S(\mathbf{v})]_i}{\partial v_j}
= \frac{\partial}{\partial v_j} \frac{e^{v_i}}{\sum_{k=1}^n e^{v_k}} = S_i(1_{i=j} - S_j)$$

With the quotient rule, where $p_i = e^{v_i}, q_i = \sum_{k=1}^n e^{v_k} = Q$:

$$\begin{align}
\frac{\partial}{\partial v_j} \frac{e^{v_i}}{\sum_{k=1}^n e^{v_k}} &= \frac{p' q - q' p}{q^2} \\
&= \frac{1_{i=j} e^{v_i} Q - e^{v_i} e^{v_j}}{Q^2} \\
&= S_i(1_{i=j} - S_j)
\end{align}$$
""",
        (
            (
                r"\frac{\partial}{\partial v_j} \frac{e^{v_i}}",
                r"\frac{\partial}{\partial v_j} \frac{e^{v_j}}",
                "subscript",
            ),
            (r"Q - e^{v_i} e^{v_j}", r"Q + e^{v_i} e^{v_j}", "sign"),
        ),
        most_open=1,
    ),
    Style(
        "a factorisation by elements",
        r"""
We predict $\hat{s}_{ab} = \sum_{c=1}^C u_{ac} v_{cb}$ with the error
$$\epsilon_{ab}^2 = (s_{ab} - \hat{s}_{ab})^2$$

$$\frac{\partial}{\partial u_{ac}} \epsilon_{ab}^2 = -2 (s_{ab} - \hat{s}_{ab}) v_{cb}$$
$$\frac{\partial}{\partial v_{cb}} \epsilon_{ab}^2 = -2 (s_{ab} - \hat{s}_{ab}) u_{ac}$$
""",
        (
            (r"\partial v_{cb}", r"\partial v_{ac}", "subscript"),
            (r"\hat{s}_{ab}) u_{ac}", r"\hat{s}_{ab}) u_{bc}", "subscript"),
        ),
    ),
    Style(
        "one letter for the output of each layer",
        r"""
## Sigmoid
Forward: $ o_i = \sigma(x_i) = \frac{1}{1+\exp(-x_i)} \iff \mathbf{o} = \sigma(\mathbf{x}) $

$$\frac{\partial \mathcal{L}}{\partial x_i}
= \frac{\partial \mathcal{L}}{\partial o_i} o_i (1 - o_i)$$
$$\nabla_{\mathbf{x}} \mathcal{L}
= \nabla_{\mathbf{o}} \mathcal{L} \odot \mathbf{o} \odot (\mathbf{1} - \mathbf{o})$$

## Addition
Forward: $\mathbf{o} = \mathbf{x}_1 + \mathbf{x}_2$

Backward: $\nabla_{\mathbf{x}_1} \mathcal{L} = \nabla_{\mathbf{o}} \mathcal{L}$
and $\nabla_{\mathbf{x}_2} \mathcal{L} = \nabla_{\mathbf{o}} \mathcal{L}$
""",
        (
            (r"\odot (\mathbf{1} - \mathbf{o})", r"\odot (\mathbf{1} + \mathbf{o})", "sign"),
            (r"o_i (1 - o_i)", r"x_i (1 - o_i)", "wrong_variable"),
        ),
    ),
    Style(
        "a quadratic form of a symmetric matrix, by elements and whole",
        r"""
Let $B \in \mathbb{R}^{n \times n}$ be symmetric and
$$ q(x) = \sum_{i=1}^n \sum_{j=1}^n x_i B_{ij} x_j = x^T B x $$

$$ \frac{\partial q}{\partial x_k} = 2 \sum_{j=1}^n B_{kj} x_j = 2 [Bx]_k $$

In short $\nabla_x q(x) = 2 B x$.

# Decompositions
Every matrix is $B = U S V^T$.
""",
        (
            (r"2 \sum_{j=1}^n B_{kj}", r"2 \sum_{j=1}^n B_{ij}", "subscript"),
            (r"\nabla_x q(x) = 2 B x", r"\nabla_x q(x) = B x", "factor"),
        ),
    ),
    Style(
        "a regression on basis functions",
        r"""
$$ y(\vec{x}, \vec{w}) = \sum_{j=0}^{M-1} w_j \psi_j(\vec{x}) = \vec{w}^T \psi(\vec{x}) $$
The bias is $\psi_0(\vec{x}) = 1$.
$$ E(\vec{w}) = \frac12 \sum_{n=1}^N (y(x_n, \vec{w}) - t_n)^2
= \frac12 \sum_{n=1}^N \left( \sum_{j=0}^{M-1} w_j \psi_j(\vec{x}^{(n)}) - t^{(n)} \right)^2 $$

## Gradient
$$ \frac{\partial E(\vec{w})}{\partial w_k} = \frac12 \frac{\partial}{\partial w_k} \left[
\sum_{n=1}^N \left( \sum_{j=0}^{M-1} w_j \psi_j(\vec{x}^{(n)}) - t^{(n)} \right)^2 \right] $$
$$ \nabla_w E(\vec{w}) = \sum_{n=1}^N \left( \sum_{j=0}^{M-1} w_j \psi_j(\vec{x}^{(n)})
- t^{(n)} \right) \psi(\vec{x}^{(n)}) $$

## Closed form
$$ \vec{w} = (\Psi^T \Psi)^{-1} \Psi^T t $$
""",
        (
            (
                r"\frac12 \frac{\partial}{\partial w_k} \left[",
                r"\frac{\partial}{\partial w_k} \left[",
                "factor",
            ),
            (r"- t^{(n)} \right) \psi(", r"+ t^{(n)} \right) \psi(", "sign"),
        ),
    ),
    Style(
        "sums up to an index",
        r"""
$$ S_t = \sum_{k=1}^t x_k^2 $$
$$ \frac{\partial S_t}{\partial x_j} = 2 x_j \quad (j \le t) $$
""",
        ((r"2 x_j \quad", r"x_j \quad", "factor"),),
    ),
    Style(
        "a matrix whole and by its small letter",
        r"""
$$ z = Wx + b $$
$$ \frac{\partial z_i}{\partial w_{ij}} = x_j $$
$$ \frac{\partial L}{\partial w_{ij}} = \frac{\partial L}{\partial z_i} x_j $$
$$ \frac{\partial L}{\partial W} = \frac{\partial L}{\partial z} x^T $$
""",
        (
            (
                r"\frac{\partial L}{\partial z_i} x_j",
                r"-\frac{\partial L}{\partial z_i} x_j",
                "sign",
            ),
            (r"\frac{\partial L}{\partial z} x^T", r"\frac{\partial L}{\partial z} x", "transpose"),
        ),
    ),
    Style(
        "cases that words state before a display",
        r"""
$p_i = \frac{e^{z_i}}{\sum_k e^{z_k}}$. Case $i = j$:
$$ \frac{\partial p_i}{\partial z_i} = p_i (1 - p_i) $$
Case $i \neq j$:
$$ \frac{\partial p_i}{\partial z_j} = -p_i p_j $$
""",
        ((r"= -p_i p_j", r"= p_i p_j", "sign"),),
    ),
    Style(
        "a factorisation whose indices spell a word",
        r"""
Let $e_{ui} = r_{ui} - \sum_f q_{if} p_{uf}$ and $E_{ui} = e_{ui}^2 + \lambda \sum_f q_{if}^2$.
$$ \frac{\partial E_{ui}}{\partial p_{uf}} = -2 e_{ui} q_{if} $$
$$ \frac{\partial E_{ui}}{\partial q_{if}} = -2 e_{ui} p_{uf} + 2 \lambda q_{if} $$
""",
        ((r"+ 2 \lambda q_{if}", r"+ \lambda q_{if}", "factor"),),
    ),
    Style(
        "a chain of derivatives",
        r"""
$$ \frac{dL}{db} = \frac{dL}{da} \cdot \frac{da}{dz} \cdot \frac{dz}{db} $$
""",
        ((r"\frac{dL}{db}", r"\frac{da}{db}", "wrong_variable"),),
    ),
    Style(
        "gates with a letter each",
        r"""
$$ i_t = \sigma(W_i x_t + U_i h_{t-1} + b_i) $$
$$ f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f) $$
$$ g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g) $$
$$ c_t = f_t \odot c_{t-1} + i_t \odot g_t $$

$$ \frac{\partial L}{\partial i_t} = \frac{\partial L}{\partial c_t} \odot g_t $$
$$ \frac{\partial L}{\partial f_t} = \frac{\partial L}{\partial c_t} \odot c_{t-1} $$
""",
        ((r"\odot c_{t-1}", r"\odot c_t", "layer_index"),),
    ),
    *STRANGERS,
)


def _audited(text: str) -> list[Finding]:
    return audit_text(text, "notes.md")


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_right_documents_pass(style: Style) -> None:
    found = _audited(style.text)
    refuted = [f.read_as for f in found if f.verdict == "refuted"]
    assert not refuted
    undecided = [(f.read_as, f.reason) for f in found if f.verdict not in PASSES]
    assert len(undecided) <= style.most_open, undecided


CASES = [
    pytest.param(style, mistake, id=f"{style.name}: {mistake[1]}")
    for style in STYLES
    for mistake in style.mistakes
]


@pytest.mark.parametrize(("style", "mistake"), CASES)
def test_one_mistake_is_refuted_and_explained(style: Style, mistake: tuple[str, str, str]) -> None:
    old, new, kind = mistake
    # The last occurrence: what stands before it is right.
    before, found, after = style.text.rpartition(old)
    assert found
    refuted = [f for f in _audited(before + new + after) if f.verdict == "refuted"]
    assert refuted
    assert refuted[0].diagnosis is not None
    assert kind in ("", refuted[0].diagnosis.kind)
