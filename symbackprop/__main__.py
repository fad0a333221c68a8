"""``python -m symbackprop``."""

from symbackprop.cli import main

if __name__ == "__main__":
    main()
