"""What a seeded fault is; mutants.py says what its parts mean."""
from collections import namedtuple

Mutant = namedtuple("Mutant", "name breaks edits killers")
