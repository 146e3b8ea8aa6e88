"""The programs of examples/second_order do what they say."""

import re
import runpy

import pytest

from .conftest import ROOT


@pytest.fixture
def said_by(monkeypatch, capsys):
    def run(program, *options):
        path = ROOT / "examples" / "second_order" / program
        monkeypatch.setattr("sys.argv", [str(path), *options])
        monkeypatch.syspath_prepend(str(path.parents[1]))
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_newtons_method_takes_fewer_passes_to_a_better_minimum(said_by):
    rows = {
        row.split()[0]: [float(cell) for cell in row.split()[1:]]
        for row in said_by("newton_cg.py").splitlines()[1:]
    }
    newton, quasi = rows["trust-ncg"], rows["L-BFGS-B"]
    assert newton[0] == pytest.approx(quasi[0], abs=1e-8)
    assert newton[1] < 1e-7
    assert newton[2] < quasi[2] / 5


def test_the_eigenvalues_are_eigenvalues(said_by):
    found = re.findall(r"^ +([\d.]+) .* = ([\d.e-]+)$", said_by("spectrum.py", "--top", "3"), re.M)
    values = [float(value) for value, _ in found]
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    assert all(float(residual) < 1e-6 for _, residual in found)


def test_lissa_converges_where_descent_does_not(said_by):
    last = said_by("lissa.py").splitlines()[-1].split()
    assert float(last[2]) < 1e-9 < 1e-5 < float(last[4])


@pytest.mark.parametrize(
    ("program", "option"),
    [("newton_cg.py", "--workers"), ("spectrum.py", "--top"), ("lissa.py", "--seed")],
)
def test_a_wrong_option_is_one_clear_line(program, option, said_by, capsys):
    with pytest.raises(SystemExit) as stopped:
        said_by(program, option, "-1")
    assert stopped.value.code == 2
    assert f"{option} -1: give" in capsys.readouterr().err.splitlines()[-1]
