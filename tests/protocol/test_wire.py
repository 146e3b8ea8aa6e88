"""Frames and their file form: what goes in comes out, and bad bytes raise one error."""

import random
import subprocess
import sys
import tracemalloc
import zlib

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from backwave.protocol import wire
from backwave.protocol.arrays import DTYPES, layout
from backwave.protocol.errors import WireError
from backwave.protocol.message import BACKWARD, Frame

MUTATIONS = 100_000

arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda code: st_numpy.arrays(
        np.dtype(code), st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
    )
)


def a_frame(*values, **fields):
    return Frame.of(BACKWARD, enumerate(values), run="r", number=3, sender=1, receiver=2, **fields)


@given(st.lists(arrays, max_size=4), st.booleans())
def test_the_file_form_gives_back_every_bit_and_the_layout(values, fortran):
    values = [np.asfortranarray(value) if fortran else value for value in values]
    frame = a_frame(*values)
    again = Frame.from_bytes(frame.to_bytes())
    assert again.header == frame.header
    assert len(again.arrays) == len(values)
    for before, after in zip(values, again.arrays, strict=True):
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()
        assert layout(after) == layout(before)


def test_a_frame_written_by_another_process_loads_here(tmp_path):
    path = tmp_path / "frame.bin"
    program = (
        "import sys, numpy as np\n"
        "from backwave.protocol.message import BACKWARD, Frame\n"
        "values = [np.arange(12.0).reshape(3, 4).T / 7, np.float32(0.1), np.zeros((0, 2), 'i2')]\n"
        "frame = Frame.of(BACKWARD, enumerate(values), run='there', number=5)\n"
        "open(sys.argv[1], 'wb').write(frame.to_bytes())\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60)
    header, messages = Frame.from_bytes(path.read_bytes()).open()
    assert (header.run, header.number, header.keys) == ("there", 5, (0, 1, 2))
    np.testing.assert_array_equal(messages[0].value, np.arange(12.0).reshape(3, 4).T / 7)
    assert messages[0].value.flags.f_contiguous
    assert messages[1].value == np.float32(0.1)
    assert messages[2].value.shape == (0, 2)


def test_the_file_form_is_what_its_docstring_says():
    data = a_frame(np.arange(3.0)).to_bytes()
    assert data[:8] == b"backwave"
    assert int.from_bytes(data[8:10], "little") == wire.VERSION
    header_length = int.from_bytes(data[10:14], "little")
    assert int.from_bytes(data[14:22], "little") == len(data) - 26
    assert int.from_bytes(data[22:26], "little") == zlib.crc32(data[26:], zlib.crc32(data[:22]))
    header = msgpack.unpackb(data[26 : 26 + header_length])
    assert (header["run"], header["pass"], header["keys"]) == ("r", 3, [0])
    assert data[-24:] == np.arange(3.0).tobytes()
    assert (len(data) - 24) % 64 == 0


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ((), "has 0 arrays"),
        ((np.zeros(4),), "the header says"),
        ((np.zeros(3, "f4"),), "the header says"),
    ],
)
def test_arrays_are_held_to_the_header(arrays, complaint):
    frame = a_frame(np.zeros(3))
    with pytest.raises(WireError, match=complaint):
        Frame(frame.header, arrays).open()


@pytest.mark.parametrize(
    "data", [b"", b"backwave", b"\x89PNG\r\n\x1a\n" + bytes(99), b"\x80\x04\x95" + bytes(99)]
)
def test_foreign_bytes_are_refused(data):
    with pytest.raises(WireError):
        Frame.from_bytes(data)


def sealed(data):
    """Give bytes a fitting length and checksum, so that what is behind those is reached."""
    if len(data) < 26:
        return data
    data = bytearray(data)
    data[14:22] = (len(data) - 26).to_bytes(8, "little")
    data[22:26] = zlib.crc32(data[26:], zlib.crc32(data[:22])).to_bytes(4, "little")
    return bytes(data)


def with_header(data, header):
    """Put another header in front of the arrays."""
    length = int.from_bytes(data[10:14], "little")
    packed = msgpack.packb(header)
    gap = bytes(-(26 + len(packed)) % 64)
    body = data[26 + length + (-(26 + length) % 64) :]
    return data[:10] + len(packed).to_bytes(4, "little") + data[14:26] + packed + gap + body


STRANGE = [
    None, True, -1, 2**40, 2**63, 1.5, "", "x" * 99, b"\x00", [], {}, [[]], {"a": 1},
    [["<f8", [2**31, 2**31], "C"]], [["<f8", [2**47], "C"]], [["O", [1], "C"]],
    [["<f8", [3], "K"]], [["<f8", [-3], "C"]], [["<f8", [0] * 65, "C"]], [["<f8"]],
]  # fmt: skip


def mutated(random, original, header):
    """Return one mutation of a frame's bytes."""
    data = bytearray(original)
    kind = random.randrange(8)
    if kind == 0:
        del data[random.randrange(len(data)) :]
    elif kind == 1:
        for _ in range(random.randint(1, 8)):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif kind == 2:
        at = random.randrange(len(data))
        data[at:at] = random.randbytes(random.randint(1, 40))
    elif kind == 3:
        at = random.randrange(len(data))
        del data[at : at + random.randint(1, 40)]
    elif kind == 4:
        at, other = sorted(random.sample(range(len(data)), 2))
        data[at:other] = data[other : other + other - at]
    elif kind == 5:
        at = random.randrange(26, 160)
        data[at] = random.choice([0xC1, 0xDC, 0xDD, 0xDE, 0xDF, 0xC6, 0xDB, 0xC9, 0x9F, 0x8F])
        data[at + 1 : at + 5] = random.randbytes(4)
    elif kind == 6:
        fields = dict(header)
        field = random.choice([*fields, "more"])
        fields[field] = random.choice(STRANGE)
        if random.random() < 0.2:
            fields.pop(random.choice(list(fields)))
        data = bytearray(with_header(original, fields))
    else:
        data = bytearray(random.randbytes(random.randrange(400)))
        data[:22] = original[:22]
    return bytes(data)


def test_100_000_mutated_frames_raise_the_one_error_and_take_no_memory():
    seed = 20161220
    source = random.Random(seed)
    values = [np.arange(12.0).reshape(3, 4), np.ones(5, "f4"), np.float64(2), np.zeros((0, 3))]
    original = a_frame(*values).to_bytes()
    header, _ = wire.unpack(original)
    described = [wire.describe(value) for value in values]
    header = {**header, "arrays": described}
    largest = refused = 0
    tracemalloc.start()
    for index in range(MUTATIONS):
        data = mutated(source, original, header)
        if index % 2:
            data = sealed(data)
        largest = max(largest, len(data))
        try:
            Frame.from_bytes(data).open()
        except WireError:
            refused += 1
        except BaseException as error:
            pytest.fail(f"seed {seed}, mutation {index}: {type(error).__name__} {error}\n{data!r}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > MUTATIONS * 0.9, f"seed {seed}: only {refused} were refused"
    assert peak < 2_000_000 + 20 * largest, f"seed {seed}: {peak} bytes at the peak"


@pytest.mark.parametrize("depth", [10, 400, 100_000])
def test_a_deeply_nested_header_is_refused(depth):
    packed = b"\x91" * depth + b"\xc0"
    data = b"backwave" + (1).to_bytes(2, "little") + len(packed).to_bytes(4, "little")
    with pytest.raises(WireError):
        Frame.from_bytes(sealed(data + bytes(12) + packed))
