"""Printers: values as NumPy expressions, scheduled steps as statements, equations as Unicode."""
