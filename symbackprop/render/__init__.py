"""Documents: what was derived, set for people to read.

derivation -> outline (a Document of typeset formulas) -> latex, markdown, html, notebook, pdf
"""
