"""From the text of a formula to trees: tokens, macros, a grammar of flat items, resolution."""
