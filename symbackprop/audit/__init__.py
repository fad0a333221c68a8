"""The audit: formulas that somebody else derived are read, bound to what they say, and judged."""

from symbackprop.audit.auditing import audit_formula, audit_text
from symbackprop.audit.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "audit_formula", "audit_text"]
