"""From equations to adjoints."""
