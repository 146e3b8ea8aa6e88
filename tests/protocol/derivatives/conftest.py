import pytest

from .functions import START, random


@pytest.fixture(autouse=True)
def _the_same_numbers():
    """Whichever tests ran before."""
    random.bit_generator.state = START
