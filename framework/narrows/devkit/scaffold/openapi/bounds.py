"""How much the scaffold reads, and the bounds that it gives where a document has none."""

from typing import Final

DEEPEST: Final = 48
MOST_MODELS: Final = 400
# For each operation.
MOST_PLACES: Final = 20_000
MOST_PARTS: Final = 64
MOST_OPERATIONS: Final = 100
# The start looks at every place of a type, also where the same class stands at many: circles multiply them.
MOST_LEAVES: Final = 4000

TEXT_BOUND: Final = 2000
LIST_BOUND: Final = 100
# What stands in code as one literal.
NAME_BOUND: Final = 80
SEGMENT_BOUND: Final = 255
KEY_BOUND: Final = 256
