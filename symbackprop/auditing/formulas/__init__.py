"""The audit of formulas: what a document defines is bound, and its claims are tried and judged.

``documents`` finds the formulas of a text, ``reading`` reads them, ``binding`` says what is defined
and claimed, ``cases`` and ``trial`` try a claim in each reading and layout, ``decide`` and
``verdicts`` judge it, ``conventions``, ``customs`` and ``edits`` say why it differs.
"""
