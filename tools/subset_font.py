"""Makes the font of HTML documents: the signs that formulas are set with, and no others.

    pip install -e .[font]
    python tools/subset_font.py STIXTwoMath-Regular.ttf [-o symbackprop/render/fonts/math.woff2]

The source is STIX Two Math 2.11 (https://www.stixfonts.org), under the SIL Open Font License 1.1;
the package ziamath 0.13 carries it as ziamath/fonts/STIXTwoMath-Regular.ttf. A subset is a
modified version, so it goes by a name of its own and stands beside the licence.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FAMILY = "Derivation Math"
TARGET = Path(__file__).resolve().parent.parent / "symbackprop/render/fonts/math.woff2"
PRIME = 0x2032
CLEARANCE = 70  # thousandths of an em
WIDEST = 1.15  # times the plain shape

_RANGES = (
    (0x20, 0x7E),  # ASCII: names of functions, words, digits
    (0x391, 0x3C9),  # upright Greek
    (0x1D434, 0x1D467),  # italic letters
    (0x1D468, 0x1D49B),  # bold italic letters
    (0x1D6E2, 0x1D71B),  # italic Greek, ∂ and the variants of letters included
    (0x1D71C, 0x1D755),  # bold italic Greek
    (0x1D7CE, 0x1D7D7),  # bold digits
)
_SIGNS = (
    "−±×·⋅∗⊙⊗⊕∘∧∨∩∪¬"
    "≠≈≡≔≤≥∼∝∈∉⊂⊆∣→←"
    "∑∏∂∇√∞…⋯⊤⊥′∀∃∅°ℎℓℕℝℤ"
    "‖⌊⌋⌈⌉¯ϵϑϕϱϖ–—"
    "\N{NO-BREAK SPACE}\N{FUNCTION APPLICATION}\N{INVISIBLE TIMES}\N{INVISIBLE SEPARATOR}"
)


def characters() -> frozenset[str]:
    """Return every character that the subset holds."""
    ranged = (chr(code) for first, last in _RANGES for code in range(first, last + 1))
    # 0x3A2 and the place of italic h (ℎ is older) are unassigned.
    return (frozenset(ranged) | frozenset(_SIGNS)) - {"\u03a2", "\U0001d455"}


def subset(source: Path, target: Path) -> None:
    """Write the subset: outlines and the tables by which formulas are laid out, no hints."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(
        layout_features=[],
        hinting=False,
        notdef_outline=True,
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 11, 13, 14],
    )
    options.drop_tables += ["DSIG", "GDEF", "GPOS", "GSUB", "gasp"]
    font = TTFont(source, recalcTimestamp=False)
    raise_prime(font)
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(characters())))
    subsetter.subset(font)
    narrow_variants(font)
    names = {1: FAMILY, 3: FAMILY, 4: FAMILY, 6: FAMILY.replace(" ", "")}
    for record in font["name"].names:
        if record.nameID in names:
            record.string = names[record.nameID]
    font.flavor = "woff2"
    font.save(target)


def raise_prime(font: TTFont) -> None:
    """Make ′ the shape that is meant to be a superscript, clear of the f before it.

    Browsers do not choose it.
    """
    raised = f"{font.getBestCmap()[PRIME]}.ssty"
    glyph = font["glyf"][raised]
    glyph.coordinates.translate((CLEARANCE, 0))
    glyph.recalcBounds(font["glyf"])
    font["hmtx"][raised] = font["hmtx"][raised][0] + CLEARANCE, glyph.xMin
    for table in font["cmap"].tables:
        if PRIME in table.cmap:
            table.cmap[PRIME] = raised


def narrow_variants(font: TTFont) -> None:
    """Bring the taller shapes of brackets and roots near the width of the plain ones.

    Chromium reserves the width of the widest shape, whichever it then draws.
    """
    variants = font["MATH"].table.MathVariants
    glyphs = variants.VertGlyphCoverage.glyphs
    for base, construction in zip(glyphs, variants.VertGlyphConstruction, strict=True):
        tall = {record.VariantGlyph for record in construction.MathGlyphVariantRecord}
        if construction.GlyphAssembly is not None:
            tall |= {part.glyph for part in construction.GlyphAssembly.PartRecords}
        widest = round(font["hmtx"][base][0] * WIDEST)
        for name in sorted(tall - {base}):
            narrow(font, name, widest)


def narrow(font: TTFont, name: str, widest: int) -> None:
    """Squeeze one glyph to at most the given advance."""
    advance, _ = font["hmtx"][name]
    if advance > widest:
        glyph = font["glyf"][name]
        glyph.expand(font["glyf"])
        glyph.coordinates.scale((widest / advance, 1))
        glyph.coordinates.toInt()
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = widest, glyph.xMin


def main() -> None:
    """Read the two paths and write the subset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    subset(arguments.source, arguments.output)


if __name__ == "__main__":
    main()
