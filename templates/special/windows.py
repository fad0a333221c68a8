"""Windows of an array: NumPy's own have neither step nor dilation."""

import numpy as np


def windows(array, axes, sizes, step=1, dilation=1):
    """Return a view of an array's windows along some axes, the places in a window last.

    Args:
        array: any array.
        axes: that the windows move along.
        sizes: of a window, one for each of the axes.
        step: from one window to the next, one number or one for each of the axes.
        dilation: from one place in a window to the next, likewise.
    """
    steps, dilations = ([*np.broadcast_to(s, len(axes))] for s in (step, dilation))
    reach = np.multiply(dilations, np.subtract(sizes, 1)) + 1
    view = np.lib.stride_tricks.sliding_window_view(array, reach, axes, writeable=True)
    places = [slice(None)] * array.ndim + [slice(None, None, d) for d in dilations]
    for k, axis in enumerate(axes):
        places[axis] = slice(None, None, steps[k])
    return view[tuple(places)]
