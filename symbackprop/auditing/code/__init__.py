"""The audit of code: hand-written gradients in Python are read, followed and judged.

``source`` reads a file, ``discovery`` finds pairs of a function and its derivative, ``interpreter``
follows both on arrays of scalar nodes, ``setup`` finds sizes and inputs, ``sweep`` derives,
``field`` and ``precise`` compare, ``verdict`` and ``diagnose`` say what was found. Nothing of an
audited file is ever run or imported.
"""
