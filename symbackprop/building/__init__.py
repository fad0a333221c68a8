"""The parts of a network: layers, heads and what a use of a definition sets."""
