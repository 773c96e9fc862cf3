"""Which pictures are copies of each other, and what was done to them in between.

Every picture leaves a fingerprint when it is first decoded (`fingerprints`). Fingerprints that
resemble each other, as they are, turned, mirrored or in part, make candidates (`candidates`);
a candidate is a copy only if both pictures, laid over each other, agree in their details
(`alignment`). So garments on a white background, which share a layout, are told apart.
"""

from garim.copies.fingerprints import Fingerprint, fingerprint, fingerprint_of
from garim.copies.pairs import KINDS, Copy, Kind, copy_groups, find_copies, groups_of
from garim.copies.prints import Prints

__all__ = [
    "KINDS",
    "Copy",
    "Fingerprint",
    "Kind",
    "Prints",
    "copy_groups",
    "find_copies",
    "fingerprint",
    "fingerprint_of",
    "groups_of",
]
