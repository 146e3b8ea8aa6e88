"""How much is tried: little in `make test`, much in `make test-long`."""

import os

MUCH = os.environ.get("BACKWAVE_EXAMPLES", "few") == "many"


def amount(few, many):
    """Return how many cases are drawn: ``few``, or ``many`` where BACKWAVE_EXAMPLES says so."""
    return many if MUCH else few
