"""From equations and adjoints to scheduled array statements."""
