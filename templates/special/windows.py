"""Windows of an array: NumPy's own have neither step nor dilation, and add nothing up."""

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


def add_to_windows(view, values, count):
    """Add values to the array that a view of windows shows, place by place: windows overlap.

    Args:
        view: with the places in a window as its last axes.
        values: as the view lies.
        count: how many these axes are.
    """
    for place in np.ndindex(view.shape[view.ndim - count :]):
        part = view[(..., *place)]
        np.add(part, values[(..., *place)], out=part)


def first_place(values, extreme, count, found=None, equal=None):
    """Return the flat position, along the last ``count`` axes, of the first value that is extreme.

    Args:
        values: any array.
        extreme: the largest, or the smallest, along these axes.
        count: of the axes.
        found: where the positions are written.
        equal: room for one comparison.
    """
    found = np.empty(extreme.shape, np.intp) if found is None else found
    found.fill(0)
    places = list(np.ndindex(values.shape[values.ndim - count :]))
    for number in range(len(places) - 1, -1, -1):
        same = np.equal(values[(..., *places[number])], extreme, out=equal)
        np.copyto(found, number, where=same)
    return found
