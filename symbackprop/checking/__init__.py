"""What checks an emitted module or a derivation, and shares no code with how they are made."""
