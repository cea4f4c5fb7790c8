"""Units of measure and their spellings, as titles of products write them behind a number."""

from __future__ import annotations

import re

__all__ = ["UNIT_PATTERN", "unit_name", "unit_of_word"]

_SPELLINGS = {
    "inch": ("in", "inch", "inches", "zoll", '"', "''", "pulgadas", "pouces"),
    "foot": ("ft", "foot", "feet", "'"),
    "squarefoot": ("sq ft", "sq. ft", "sqft", "square feet", "square foot"),
    "cubicfoot": ("cu ft", "cu. ft", "cuft", "cubic feet", "cubic foot"),
    "yard": ("yd", "yds", "yard", "yards"),
    "millimetre": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "centimetre": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "metre": ("m", "meter", "meters", "metre", "metres", "metros"),
    "kilometre": ("km", "kilometer", "kilometers", "kilometre", "kilometres"),
    "gram": ("g", "gr", "gram", "grams", "gramm", "grammes"),
    "kilogram": ("kg", "kilo", "kilos", "kilogram", "kilograms", "kilogramm"),
    "milligram": ("mg", "milligram", "milligrams"),
    "pound": ("lb", "lbs", "pound", "pounds"),
    "ounce": ("oz", "ounce", "ounces"),
    "fluidounce": ("fl oz", "fl. oz", "fluid ounce", "fluid ounces"),
    "litre": ("l", "ltr", "liter", "liters", "litre", "litres", "litros"),
    "millilitre": ("ml", "milliliter", "milliliters", "millilitre", "millilitres"),
    "gallon": ("gal", "gals", "gallon", "gallons"),
    "quart": ("qt", "quart", "quarts"),
    "pint": ("pt", "pint", "pints"),
    "watt": ("w", "watt", "watts"),
    "kilowatt": ("kw", "kilowatt", "kilowatts"),
    "volt": ("v", "volt", "volts"),
    "ampere": ("amp", "amps", "ampere", "amperes"),
    "milliampere": ("mah", "milliamp hours"),
    "hertz": ("hz", "hertz"),
    "megahertz": ("mhz", "megahertz"),
    "gigahertz": ("ghz", "gigahertz"),
    "kilobyte": ("kb", "kilobyte", "kilobytes"),
    "megabyte": ("mb", "megabyte", "megabytes"),
    "gigabyte": ("gb", "go", "gigabyte", "gigabytes"),
    "terabyte": ("tb", "terabyte", "terabytes"),
    "megapixel": ("mp", "megapixel", "megapixels"),
    "lumen": ("lm", "lumen", "lumens"),
    "piece": ("pc", "pcs", "piece", "pieces", "stk", "stück", "stuck"),
    "pack": ("pk", "pack", "packs", "packung"),
    "degree": ("deg", "degree", "degrees", "°"),
    "horsepower": ("hp", "horsepower", "ps"),
    "gauge": ("ga", "gauge"),
    "hour": ("hr", "hrs", "hour", "hours"),
    "minute": ("min", "mins", "minute", "minutes"),
    "btu": ("btu", "btus"),
}

_MIN_WORD = 4

_NAMES = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


def unit_name(spelling: str) -> str:
    """Return the name of a unit.

    Args:
        spelling: A folded spelling that `UNIT_PATTERN` matched.

    Returns:
        The name that all spellings of the unit share.
    """
    return _NAMES[" ".join(spelling.split())]


def unit_of_word(word: str) -> str:
    """Return the name of a unit that is written without a number.

    Args:
        word: A folded word.

    Returns:
        The name; "" for a word that is no unit, or an abbreviation that may be another word.
    """
    return _NAMES.get(word, "") if len(word) >= _MIN_WORD and word.isalpha() else ""


def _pattern() -> str:
    """Any spelling; "2 in 1" has no inches, and letters or digits must not go on."""
    spellings = sorted(_NAMES, key=len, reverse=True)
    words = "|".join(re.escape(spelling) for spelling in spellings if spelling[0].isalpha())
    signs = "|".join(re.escape(spelling) for spelling in spellings if not spelling[0].isalpha())
    return rf"(?:{words})(?!\w)(?![\s-]\d)|(?:{signs})"


UNIT_PATTERN = _pattern()
"""A regular expression of the folded spellings of all units."""
