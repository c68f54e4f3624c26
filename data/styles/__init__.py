"""The styles of the built-in paintings, by name: functions `style(rng, n, facts)` that paint canvases.

A canvas is float32 sRGB `[3, n, n]`, in [0, 1] but for texture that overshoots a little.
"""

from data.styles.color_field import color_field
from data.styles.cubism import cubism
from data.styles.cut_outs import cut_outs
from data.styles.ink_painting import ink_painting
from data.styles.neo_plasticism import neo_plasticism
from data.styles.op_art import op_art
from data.styles.orphism import orphism
from data.styles.pointillism import pointillism
from data.styles.post_impressionism import post_impressionism
from data.styles.suprematism import suprematism

# The order gives the labels.
PAINTERS = {
    "color_field": color_field,
    "neo_plasticism": neo_plasticism,
    "suprematism": suprematism,
    "pointillism": pointillism,
    "op_art": op_art,
    "post_impressionism": post_impressionism,
    "cubism": cubism,
    "ink_painting": ink_painting,
    "orphism": orphism,
    "cut_outs": cut_outs,
}

__all__ = ["PAINTERS"]
