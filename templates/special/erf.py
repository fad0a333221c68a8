"""erf and erfc for arrays: NumPy has neither."""

import numpy as np

# (P, Q) coefficients of each power, highest first: exp(x²) erfc(x) on [0, 28], and
# erf(x) / x in powers of x² for |x| < 1/2. All are positive, so nothing cancels.
_SCALED_COMPLEMENT = (
    (0.0, 2.6161318795424984e-05),
    (1.4759943556253303e-05, 0.0005733880549098815),
    (0.00032349956791045807, 0.006185972139577478),
    (0.0034826810735195364, 0.042739008730540325),
    (0.023951153751494203, 0.20813987897971525),
    (0.11569639112382131, 0.7451266983077873),
    (0.40857889339893894, 1.990505746978287),
    (1.0668973235107613, 3.9515121553972516),
    (2.036683471236088, 5.693697870976201),
    (2.7324426609880548, 5.655220366391789),
    (2.3480920579990747, 3.4764712250945875),
    (1.0, 1.0),
)
_ODD_PART = (
    (6.53146755682646e-05, 0.00035166476084434685),
    (0.001111947160008201, 0.008299086420556764),
    (0.04003497179909916, 0.08580312323455648),
    (0.13273781588831823, 0.4509691597993518),
    (1.1283791670955126, 1.0),
)


_BLOCK = 3 << 13  # bytes at a time: what is in between stays in the cache


def _ratio(coefficients, x):
    """P(x) / Q(x) by Horner's rule, both at once."""
    first, *others = np.array(coefficients, x.dtype)[:, :, None]
    both = np.full((2, x.size), first)
    for pair in others:
        both *= x
        both += pair
    return both[0] / both[1]


def _complement(x):
    """erfc(x) for x >= 0, changing x. Split at h, a short number, exp(-x²) keeps its digits."""
    np.minimum(x, 28.0, out=x)
    h = np.floor(16.0 * x) / 16.0
    return np.exp(-h * h) * np.exp((h - x) * (h + x)) * _ratio(_SCALED_COMPLEMENT, x)


def _erf(x):
    size = np.abs(x)
    near = np.clip(x, -0.5, 0.5)
    near = near * _ratio(_ODD_PART, near * near)
    return np.where(size > 0.5, np.copysign(1.0 - _complement(size), x), near)


def _erfc(x):
    tail = _complement(np.abs(x))
    return np.where(x < 0.0, 2.0 - tail, tail)


def _by_blocks(function, x, out):
    x = np.asarray(x)
    if out is None:
        out = np.empty(x.shape, np.result_type(x, np.float16))
    source, target = x.astype(out.dtype, copy=False).reshape(-1), out.reshape(-1)
    step = _BLOCK // out.itemsize
    for start in range(0, x.size, step):
        stop = start + step
        target[start:stop] = function(source[start:stop])
    return out[()]


def erf(x, out=None):
    """Error function, element by element; of the dtype of x, NaN for NaN.

    Written to out, where one is given: an array that lies in one piece.
    """
    return _by_blocks(_erf, x, out)


def erfc(x, out=None):
    """1 - erf(x), also where that is close to 0: down to the smallest number. out as for erf."""
    return _by_blocks(_erfc, x, out)
