"""Frames and their file form: what goes in comes out, and bad bytes raise one error."""

import random
import re
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
from backwave.protocol.arrays import DTYPES, layout, settle
from backwave.protocol.errors import WireError
from backwave.protocol.message import BACKWARD, Address, Frame, Header

BATCH = 5000
"""How many are made at a time: making them while memory is watched takes longer than reading."""

arrays = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda code: st_numpy.arrays(
        np.dtype(code), st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
    )
)


def a_frame(*values, **fields):
    address = Address(run="r", number=3, sender=1, receiver=2, **fields)
    return Frame.of(BACKWARD, enumerate(values), address)


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


@given(arrays, st.data())
def test_a_value_at_rest_has_the_same_strides_after_the_wire(value, data):
    """Also those of axes of length 1, which mean nothing, but by which BLAS picks its kernel."""
    view = value.transpose(data.draw(st.permutations(range(value.ndim))))
    if view.ndim:
        view = view[data.draw(st.integers(0, 1)) :, ...][..., : data.draw(st.integers(1, 3))]
    settled = np.asarray(settle(view))
    (again,) = Frame.from_bytes(a_frame(settled).to_bytes()).arrays
    assert again.strides == settled.strides or settled.size == 0
    assert again.tobytes() == settled.tobytes()


def test_a_frame_written_by_another_process_loads_here(tmp_path):
    path = tmp_path / "frame.bin"
    program = (
        "import sys, numpy as np\n"
        "from backwave.protocol.message import BACKWARD, Address, Frame\n"
        "values = [np.arange(12.0).reshape(3, 4).T / 7, np.float32(0.1), np.zeros((0, 2), 'i2')]\n"
        "frame = Frame.of(BACKWARD, enumerate(values), Address('there', 5))\n"
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
        ((), "has 0 arrays and its header says 1"),
        ((np.zeros((3, 2)),) * 2, "has 2 arrays and its header says 1"),
        ((np.zeros((4, 2)),), "the header says"),
        ((np.zeros(6),), "the header says"),
        ((np.zeros((3, 2), "f4"),), "the header says"),
        ((np.zeros((3, 2), ">f8"),), "the header says"),
        ((np.zeros((2, 3)).T,), "message 0 is .*'F'.*the header says .*'C'"),
        ((np.float64(0),), "the header says"),
        (([0.0] * 6,), "message 0 is list, and no array"),
        ((None,), "message 0 is NoneType, and no array"),
    ],
)
def test_arrays_are_held_to_the_header(arrays, complaint):
    frame = a_frame(np.zeros((3, 2)))
    assert len(frame.open()[1]) == 1
    with pytest.raises(WireError, match=complaint):
        Frame(frame.header, arrays).open()


HEADER = {
    "version": 1, "kind": "backward", "run": "r", "pass": 3, "stage": 0, "sender": 1,
    "receiver": 2, "incarnation": 0, "keys": [0], "arrays": [["<f8", [3], "C"]],
}  # fmt: skip


def test_a_header_is_what_the_frame_was_made_with():
    header = Header.decode(msgpack.packb(HEADER))
    assert header == a_frame(np.zeros(3)).open()[0]
    assert Header.decode(header.encode()) == header


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("version", 2, "of version 2, not 1"),
        ("version", None, "of version None"),
        ("kind", "sideways", "of kind 'sideways'"),
        ("run", 7, "run is not a string"),
        ("pass", -2, "pass is -2"),
        ("stage", "1", "stage is '1'"),
        ("sender", 1.0, "sender is 1.0"),
        ("receiver", True, "receiver is True"),
        ("incarnation", 2**48, "incarnation is 281474976710656"),
        ("keys", [], "does not describe each"),
        ("keys", [-1], "keys are damaged"),
        ("keys", {"0": 0}, "keys are damaged"),
        ("arrays", [], "does not describe each"),
        ("arrays", [["<f8", [3]]], "not described by dtype, shape and order"),
        ("arrays", [[">f8", [3], "C"]], "dtype '>f8', which the wire does not carry"),
        ("arrays", [["|O", [3], "C"]], "dtype '|O'"),
        ("arrays", [["<f8", 3, "C"]], "shape is damaged"),
        ("arrays", [["<f8", [0] * 65, "C"]], "shape is damaged"),
        ("arrays", [["<f8", [-3], "C"]], "impossible shape"),
        ("arrays", [["<f8", [2**48], "C"]], "impossible shape"),
        ("arrays", [["<f8", [True], "C"]], "impossible shape"),
        ("arrays", [["<f8", [3], "A"]], "order 'A', neither C nor F"),
    ],
)
def test_every_field_of_a_header_is_checked(field, value, complaint):
    with pytest.raises(WireError, match=re.escape(complaint)):
        Header.decode(msgpack.packb({**HEADER, field: value}))
    rest = {name: value for name, value in HEADER.items() if name != field}
    with pytest.raises(WireError):
        Header.decode(msgpack.packb(rest))


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x93\x01\x02\x03", b"\xc0", b"\x81\x01\x02", msgpack.packb(HEADER) + b"\0"],
    ids=bytes.hex,
)
def test_a_header_that_is_no_map_is_refused(data):
    with pytest.raises(WireError, match=r"^the header is"):
        Header.decode(data)


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.zeros(3, ">f8"), np.array(["text"]), np.zeros(2, "g")]
)
def test_an_array_that_no_reader_would_take_is_not_written(array):
    with pytest.raises(WireError, match="which the wire does not carry"):
        wire.pack({}, [array])


def test_a_header_that_is_not_plain_data_is_not_written():
    with pytest.raises(WireError, match=r"plain data only.*numpy\.int64"):
        wire.pack({"count": np.int64(3)}, [])


@pytest.mark.parametrize("start", [0, 1, 4, 7])
def test_arrays_are_aligned_wherever_the_bytes_stand(start):
    """NumPy sums an unaligned array piece by piece, and to other bits than an aligned one."""
    values = [np.random.default_rng(1).normal(size=100_001), np.ones((3, 4)).T, np.ones(3, "c16")]
    data = bytes(start) + a_frame(*values).to_bytes()
    frame = Frame.from_bytes(memoryview(data)[start:])
    for before, after in zip(values, frame.arrays, strict=True):
        assert after.flags.aligned
        assert not after.flags.writeable
        assert layout(after) == layout(before)
        assert np.sum(after).tobytes() == np.sum(before).tobytes()


def test_arrays_are_views_of_the_bytes():
    data = a_frame(np.arange(1000.0)).to_bytes()
    (array,) = Frame.from_bytes(data).arrays
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))


def with_arrays(arrays, body=b""):
    """Bytes with a fitting checksum whose header describes these arrays."""
    packed = msgpack.packb({**HEADER, "format": "frame", "keys": [0], "arrays": arrays})
    gap = bytes(-(26 + len(packed)) % 64)
    prefix = b"backwave" + (1).to_bytes(2, "little") + len(packed).to_bytes(4, "little")
    return sealed(prefix + bytes(12) + packed + gap + body)


@pytest.mark.parametrize(
    ("described", "body", "complaint"),
    [
        (["<f8", [3], "C"], bytes(23), "larger than the bytes that are there"),
        (["<f8", [2**47] * 40, "C"], bytes(24), "larger than the bytes that are there"),
        (["<f8", [3], "C"], bytes(25), "1 bytes follow the last array"),
        (["<f8", [2**47, 2**47, 0], "C"], b"", "impossible shape"),
        (["|b1", [3], "C"], b"\0\1\2", "truth values"),
    ],
)
def test_arrays_are_held_to_the_bytes(described, body, complaint):
    with pytest.raises(WireError, match=complaint):
        Frame.from_bytes(with_arrays([described], body))
    good = with_arrays([["|b1", [3], "C"]], b"\0\1\1")
    assert Frame.from_bytes(good).arrays[0].tolist() == [False, True, True]


@pytest.mark.parametrize("at", [0, 8, 10, 14, 22, 26, -1])
def test_every_part_of_the_bytes_is_under_the_checksum(at):
    data = bytearray(a_frame(np.arange(3.0)).to_bytes())
    Frame.from_bytes(data)
    data[at] ^= 1
    with pytest.raises(WireError):
        Frame.from_bytes(data)


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
    kind = random.randrange(9)
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
    elif kind == 7:
        at = random.choice([8, 10, 14, 22])
        data[at : at + 4] = random.choice([random.randbytes(4), b"\xff" * 4, bytes(4)])
    else:
        data = bytearray(random.randbytes(random.randrange(400)))
        data[:22] = original[:22]
    return bytes(data)


@pytest.mark.parametrize("mutations", [5_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_mutated_frames_raise_the_one_error_and_take_no_memory(mutations):
    seed = 20161220
    source = random.Random(seed)
    values = [
        np.arange(12.0).reshape(3, 4).T,
        np.ones(5, "f4"),
        np.float64(2),
        np.zeros((0, 3)),
        np.array([True, False]),
    ]
    original = a_frame(*values).to_bytes()
    header, _ = wire.unpack(original)
    described = [wire.describe(value) for value in values]
    header = {**header, "arrays": described}
    refused = 0
    for first in range(0, mutations, BATCH):
        batch = [mutated(source, original, header) for _ in range(BATCH)]
        batch[1::2] = map(sealed, batch[1::2])
        tracemalloc.start()
        for index, data in enumerate(batch, first):
            try:
                Frame.from_bytes(data).open()
            except WireError:
                refused += 1
            except BaseException as error:
                place = f"seed {seed}, mutation {index}"
                pytest.fail(f"{place}: {type(error).__name__} {error}\n{data!r}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        most = 1_000_000 + 20 * max(map(len, batch))
        assert peak < most, f"seed {seed}, from mutation {first}: {peak} bytes at the peak"
    assert refused > mutations * 0.9, f"seed {seed}: only {refused} were refused"


ARRAY, MAP, BYTES, TEXT, EXTENSION = b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"


@pytest.mark.parametrize(
    "packed",
    [
        *(b"\x91" * depth + b"\xc0" for depth in (10, 400, 100_000)),
        *(b"\x81\xa0" * depth + b"\xc0" for depth in (10, 400, 100_000)),
        # As many entries as there are bytes, at every level: a reader that believes it reserves
        # room for each of them at each.
        *((kind + (5_000).to_bytes(4, "big")) * 900 + bytes(5_000) for kind in (ARRAY, MAP)),
        *((kind + (b"\xff" * 4)) * 900 for kind in (ARRAY, MAP, BYTES, TEXT, EXTENSION)),
        b"\x81\xa0" + ARRAY + (50_000).to_bytes(4, "big") + b"\x80" * 50_000,
    ],
    ids=lambda packed: f"{packed[:6].hex()}...{len(packed)}",
)
def test_a_header_that_is_a_bomb_takes_little_memory(packed):
    data = b"backwave" + (1).to_bytes(2, "little") + len(packed).to_bytes(4, "little")
    data = sealed(data + bytes(12) + packed)
    tracemalloc.start()
    with pytest.raises(WireError, match=r"^the header "):
        Frame.from_bytes(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * len(data) + 200_000
