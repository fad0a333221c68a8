r"""Documents of the kinds that lectures and posts are made of: samples, vectors, classes.

Every document is written here, in the notation of a kind of text and not in anybody's words. A
mistake is text of the document, what replaces its last occurrence, and the kind that it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """A document by what is its own, and its mistakes: text, replacement, kind of mistake."""

    name: str
    text: str
    mistakes: tuple[tuple[str, str, str], ...] = ()
    most_open: int = 0


STRANGERS = (
    Style(
        "margins with samples that are vectors",
        r"""
Samples $x_i \in \mathbb{R}^d$ bear labels $y_i \in \{-1, 1\}$, and $w \in \mathbb{R}^d$.

$$F = \sum_{i=1}^n \log(1 + \exp(-y_i w^T x_i))$$

$$\nabla_w F = -\sum_{i=1}^n \frac{y_i x_i}{1 + \exp(y_i w^T x_i)}$$

$$\frac{\partial F}{\partial w_j} = -\sum_{i=1}^n \frac{y_i x_{ij}}{1 + \exp(y_i w^T x_i)}$$
""",
        (
            (r"= -\sum_{i=1}^n \frac{y_i x_i}", r"= \sum_{i=1}^n \frac{y_i x_i}", "sign"),
            (r"\frac{y_i x_{ij}}{1 + \exp(y_i", r"\frac{y_i x_{ij}}{1 + \exp(-y_i", "sign"),
        ),
    ),
    Style(
        "two classes with a bias",
        r"""
Let $q_i = \sigma(w^\top x_i + b)$ with $\sigma(z) = \frac{1}{1+e^{-z}}$ and

$$J = -\frac{1}{n} \sum_{i=1}^n \left[ y_i \log q_i + (1-y_i)\log(1-q_i) \right]$$

$$\frac{\partial J}{\partial w} = \frac{1}{n} \sum_{i=1}^n (q_i - y_i) x_i$$

$$\frac{\partial J}{\partial b} = \frac{1}{n} \sum_{i=1}^n (q_i - y_i)$$
""",
        (
            (r"(q_i - y_i) x_i", r"(y_i - q_i) x_i", "sign"),
            (r"= \frac{1}{n} \sum_{i=1}^n (q_i - y_i) x_i", r"= \sum_{i=1}^n (q_i - y_i) x_i", ""),
        ),
    ),
    Style(
        "a cost whose sum no bracket closes",
        r"""
The model is $h_\theta(x) = g(\theta^T x)$ with $g(z) = \frac{1}{1+e^{-z}}$.

$$J(\theta) = -\frac{1}{m} \sum_{i=1}^m y^{(i)} \log h_\theta(x^{(i)})
 + (1 - y^{(i)}) \log(1 - h_\theta(x^{(i)}))$$

$$\frac{\partial}{\partial \theta_j} J(\theta)
= \frac{1}{m} \sum_{i=1}^m (h_\theta(x^{(i)}) - y^{(i)}) x_j^{(i)}$$
""",
        ((r"(h_\theta(x^{(i)}) - y^{(i)})", r"(h_\theta(x^{(i)}) + y^{(i)})", "sign"),),
    ),
    Style(
        "classes by their number",
        r"""
$$\phi_k^{(i)} = \frac{\exp(\theta_k^T x^{(i)})}{\sum_{j=1}^K \exp(\theta_j^T x^{(i)})}$$

$$\ell = \sum_{i=1}^m \sum_{k=1}^K 1\{y^{(i)} = k\} \log \phi_k^{(i)}$$

$$\nabla_{\theta_k} \ell = \sum_{i=1}^m (1\{y^{(i)} = k\} - \phi_k^{(i)}) x^{(i)}$$
""",
        ((r"(1\{y^{(i)} = k\} - \phi_k^{(i)})", r"(\phi_k^{(i)} - 1\{y^{(i)} = k\})", "sign"),),
    ),
    Style(
        "a word and its neighbour",
        r"""
$$\hat{y}_w = \frac{\exp(u_w^T v_c)}{\sum_{x=1}^V \exp(u_x^T v_c)}$$

$$J = -\log \frac{\exp(u_o^T v_c)}{\sum_{w \in V} \exp(u_w^T v_c)}$$

$$\frac{\partial J}{\partial v_c} = -u_o + \sum_{w=1}^{V} \hat{y}_w u_w$$

$$\frac{\partial J}{\partial u_o} = (\hat{y}_o - 1) v_c$$

$$\frac{\partial J}{\partial u_w} = \hat{y}_w v_c, \quad w \neq o$$
""",
        (
            (r"= -u_o + \sum_{w=1}^{V}", r"= -u_o - \sum_{w=1}^{V}", "sign"),
            (r"(\hat{y}_o - 1) v_c", r"(\hat{y}_o - 1) u_o", "wrong_variable"),
        ),
    ),
    Style(
        "a word among sampled ones",
        r"""
With $\sigma(x) = \frac{1}{1+e^{-x}}$,

$$J = -\log \sigma(u_o^T v_c) - \sum_{k=1}^K \log \sigma(-u_k^T v_c)$$

$$\frac{\partial J}{\partial v_c} = (\sigma(u_o^T v_c) - 1) u_o
- \sum_{k=1}^K (\sigma(-u_k^T v_c) - 1) u_k$$

$$\frac{\partial J}{\partial u_o} = (\sigma(u_o^T v_c) - 1) v_c$$

$$\frac{\partial J}{\partial u_k} = -(\sigma(-u_k^T v_c) - 1) v_c$$
""",
        ((r"- \sum_{k=1}^K (\sigma(-u_k^T", r"+ \sum_{k=1}^K (\sigma(-u_k^T", "sign"),),
    ),
    Style(
        "margins of several classes",
        r"""
$$L_i = \sum_{j \neq y_i} \max(0, w_j^T x_i - w_{y_i}^T x_i + \Delta)$$

$$\nabla_{w_{y_i}} L_i
= - \left( \sum_{j \neq y_i} \mathbb{1}(w_j^T x_i - w_{y_i}^T x_i + \Delta > 0) \right) x_i$$

$$\nabla_{w_j} L_i = \mathbb{1}(w_j^T x_i - w_{y_i}^T x_i + \Delta > 0) x_i,
\quad j \neq y_i$$
""",
        ((r"= \mathbb{1}(w_j^T", r"= -\mathbb{1}(w_j^T", "sign"),),
    ),
    Style(
        "a mean of margins with a penalty",
        r"""
$$L = \frac{1}{n}\sum_{i=1}^n \max(0, 1 - y_i (w^T x_i + b)) + \frac{\lambda}{2} \|w\|^2$$

$$\frac{\partial L}{\partial w}
= \lambda w - \frac{1}{n} \sum_{i=1}^n \mathbb{1}[y_i (w^T x_i + b) < 1] y_i x_i$$
""",
        (
            (r"y_i x_i$$", r"x_i$$", "missing_factor"),
            (r"= \lambda w", r"= 2 \lambda w", "factor"),
        ),
    ),
    Style(
        "steps of a recurrence",
        r"""
$$h_t = \tanh(W_{xh} x_t + W_{hh} h_{t-1} + b_h)$$

$$\frac{\partial h_t}{\partial h_{t-1}} = \text{diag}(1 - h_t^2) W_{hh}$$

$$\frac{\partial L}{\partial W_{hh}}
= \sum_{t=1}^T \text{diag}(1 - h_t^2) \frac{\partial L}{\partial h_t} h_{t-1}^T$$
""",
    ),
    Style(
        "gates and a cell",
        r"""
$$f_t = \sigma(W_f x_t + U_f h_{t-1} + b_f)$$
$$C_t = f_t * C_{t-1} + i_t * \bar{C}_t$$
$$h_t = o_t * \tanh(C_t)$$

$$\frac{\partial L}{\partial o_t} = \frac{\partial L}{\partial h_t} \odot \tanh(C_t)$$
$$\frac{\partial L}{\partial f_t} = \frac{\partial L}{\partial C_t} \odot C_{t-1}$$
$$\frac{\partial C_t}{\partial C_{t-1}} = f_t$$
""",
        most_open=1,
    ),
    Style(
        "preferences and a reward",
        r"""
With preferences $H_a$,
$$\pi_a = \frac{e^{H_a}}{\sum_{b=1}^k e^{H_b}}$$
$$\frac{\partial \pi_a}{\partial H_b} = \pi_a (1_{a=b} - \pi_b)$$
$$\frac{\partial \log \pi_a}{\partial H_b} = 1_{a = b} - \pi_b$$
$$J = \sum_{a=1}^k \pi_a r_a$$
$$\frac{\partial J}{\partial H_b} = \pi_b (r_b - J)$$
$$\frac{\partial J}{\partial H_b} = \sum_{a=1}^k \pi_a r_a (1_{a=b} - \pi_b)$$
""",
        (
            (r"= \pi_a (1_{a=b} - \pi_b)", r"= \pi_a (\pi_b - 1_{a=b})", "sign"),
            (r"= \pi_b (r_b - J)", r"= \pi_b r_b", ""),
        ),
    ),
    Style(
        "layers by a letter and by words",
        r"""
For every layer $z^l = W^l a^{l-1} + b^l$ and $a^l = \sigma(z^l)$. The error of the output layer is
$\delta^o = \frac{\partial C}{\partial z^o}$.

$$\frac{\partial C}{\partial W^o} = \delta^o (a^h)^T$$
$$\delta^l = (W^{l+1})^T \delta^{l+1} \odot \sigma'(z^l)$$
$$\delta^h = (W^o)^T \delta^o \odot \sigma'(z^h)$$
""",
        (
            (r"(W^{l+1})^T \delta^{l+1}", r"W^{l+1} \delta^{l+1}", "transpose"),
            (r"\delta^o (a^h)^T", r"\delta^o a^h", "transpose"),
            (r"(W^o)^T \delta^o", r"(W^h)^T \delta^o", "layer_index"),
        ),
    ),
    Style(
        "layers by a capital",
        r"""
$$Z^L = W^L A^{L-1} + B^L$$
$$A^L = \sigma(Z^L)$$
$$C = \|Y - \hat{Y}\|^2$$
$$\frac{\partial C}{\partial A^o} = \frac{\partial C(Y, \hat{Y})}{\partial \hat{Y}} = \nabla C$$
$$\frac{\partial C}{\partial B^o} = \nabla C \circ \sigma'(Z^o)$$
$$\frac{\partial C}{\partial W^o} = (\nabla C \circ \sigma'(Z^o)) (A^h)^T$$
""",
        (
            (r"(A^h)^T", r"A^h", "transpose"),
            (r"= \nabla C \circ \sigma'(Z^o)$", r"= \nabla C \circ \sigma'(A^o)$", ""),
        ),
        most_open=1,
    ),
    Style(
        "windows that are counted from 0",
        r"""
$$y_i = \sum_{k=0}^{K-1} w_k x_{i+k} + b$$

$$\frac{\partial y_i}{\partial w_k} = x_{i+k}$$

$$\frac{\partial L}{\partial b} = \sum_{i=0}^{N-1} \frac{\partial L}{\partial y_i}$$

$$\frac{\partial L}{\partial w_k} = \sum_{i=0}^{N-1} \frac{\partial L}{\partial y_i} x_{i+k}$$
""",
        ((r"x_{i+k}", r"x_{i-k}", "subscript"),),
    ),
    Style(
        "the place of a maximum",
        r"""
$$m = \max_i z_i, \qquad b = \operatorname*{arg\,max}_i z_i$$

$$o = \sum_{i \neq b} \exp(z_i - m), \qquad L = m + \log(1 + o)$$

$$\frac{\partial m}{\partial z_i} = \delta_{ib}$$

$$\frac{\partial o}{\partial z_i}
= \begin{cases} -o & \text{if } i = b \\ \exp(z_i - m) & \text{otherwise} \end{cases}$$

$$\frac{\partial L}{\partial z_i} = \frac{\exp(z_i - m)}{1 + o}$$
""",
        (
            (r"= \delta_{ib}", r"= 1 - \delta_{ib}", ""),
            (r"{cases} -o", r"{cases} o", "sign"),
            (r"= \frac{\exp(z_i - m)}{1 + o}", r"= \frac{\exp(z_i - m)}{o}", ""),
        ),
    ),
)
