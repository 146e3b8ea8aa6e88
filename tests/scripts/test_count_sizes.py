"""``backwave count --sizes``: counts against closed forms, slopes against SciPy, and the figure."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from scipy import stats

from backwave.actors.local import run_locally
from backwave.scripts.count import sizes as count_sizes
from backwave.scripts.count.growth import Growing, duration
from backwave.scripts.count.plot import COLOURS
from backwave.scripts.count.slopes import Growth
from backwave.scripts.main import main


@pytest.fixture(autouse=True)
def _quickly_in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("backwave.scripts.count.growth.MOST_PASSES", 3)


class InThisProcess:
    """What stands for a cluster: the same plans and frames, with all workers in this process."""

    def __init__(self, workers):
        self.workers = workers

    def __enter__(self):
        return self

    def close(self):
        pass

    def run(self, planned, given):
        assert planned.partitions == self.workers
        return run_locally(planned, given)


def said_json(capsys, *arguments):
    assert main(["count", *arguments, "--json"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return json.loads(output.out)


def naive_work(width, degree, depth):
    """The columns of each layer visit all edges above it."""
    return width * sum(width * degree * (depth - t) + width for t in range(depth + 1))


def test_layered_networks_count_what_the_closed_forms_say(capsys):
    said = said_json(capsys, "--sizes", "1e3,4e3,16e3", "--naive")
    width = degree = 10
    assert said["growing"] == {"generator": "layered", "width": width, "degree": degree}
    for size, asked in zip(said["sizes"], (1000, 4000, 16000), strict=True):
        depth = asked // 100
        edges = width * degree * depth + width
        assert abs(edges - asked) <= width * degree
        assert (size["nodes"], size["edges"]) == (width * (depth + 1) + 1, edges)
        assert size["messages"] == edges
        assert size["work"] == 2 * edges
        assert size["ns_per_edge"] == pytest.approx(1e9 * size["seconds"] / edges)
        assert size["naive"]["work"] == naive_work(width, degree, depth)
        assert size["naive"]["ran"]
        assert size["naive"]["difference"] < 1e-12
        assert min(size["seconds"], size["naive"]["seconds"]) > 0
    slopes = {(each["what"], each["against"]): each for each in said["slopes"]}
    assert slopes["messages", "E"]["slope"] == pytest.approx(1, abs=1e-9)
    assert slopes["work", "V + E"]["slope"] == pytest.approx(1, abs=0.01)
    assert slopes["naive work", "V · E"]["slope"] == pytest.approx(1, abs=0.01)
    assert slopes["naive work", "V · E"]["sizes"] == 3
    assert said["bytes_needed"] == 40 * edges + 100 * (width * (depth + 1) + 1)


def test_random_networks(capsys):
    said = said_json(capsys, "--sizes", "500,2e3,1e4", "--generator", "random")
    assert [size["edges"] for size in said["sizes"]] == [500, 2000, 10000]
    assert [size["nodes"] for size in said["sizes"]] == [60, 210, 1010]
    assert all(size["messages"] == size["edges"] for size in said["sizes"])
    assert all(size["naive"] is None for size in said["sizes"])
    assert {each["what"] for each in said["slopes"]} == {"messages", "work", "time"}
    assert [Path(file).name for file in said["files"]] == ["random.png", "random.html"]


def test_over_workers(capsys, monkeypatch):
    monkeypatch.setattr(count_sizes, "Cluster", InThisProcess)
    alone = said_json(capsys, "--sizes", "1e3,3e3")
    said = said_json(capsys, "--sizes", "1e3,3e3", "--workers", "2")
    assert said["bytes_needed"] == 3 * alone["bytes_needed"]
    for size in said["sizes"]:
        over = size["workers"]
        assert over["difference"] == 0
        assert 0 < over["cross_messages"] == over["cut_edges"] < size["edges"]
        assert over["payload_bytes"] == 8 * over["cross_messages"]
        assert over["frames"] > 0
    assert "time over workers" in {each["what"] for each in said["slopes"]}
    assert main(["count", "--sizes", "1e3,3e3", "--workers", "2"]) == 0
    text = capsys.readouterr().out
    assert "over 2 workers" in text
    assert "Each level is cut across" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "2 workers" in Path("out/count/layered.html").read_text()


def test_tables_have_80_columns_and_say_where_the_figure_is(capsys):
    assert main(["count", "--sizes", "200,1e3", "--naive", "--out-dir", "my figures"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "Layered networks, 2 wide" in text
    assert "of memory" in text.split("messages")[0]  # before the work
    for kind in ("png", "html"):
        assert f"my figures/layered.{kind}" in text
        assert Path(f"my figures/layered.{kind}").is_file()


def test_a_size_that_takes_the_naive_algorithm_too_long_is_foreseen(capsys, monkeypatch):
    monkeypatch.setattr(count_sizes, "MOST_NAIVE_SECONDS", 0.0)
    said = said_json(capsys, "--sizes", "1e3,4e3", "--naive")
    few, many = (size["naive"] for size in said["sizes"])
    assert (few["work"], many["work"]) == (naive_work(10, 10, 10), naive_work(10, 10, 40))
    assert many["seconds"] / few["seconds"] == pytest.approx(many["work"] / few["work"])
    assert not any(each["ran"] or each["difference"] for each in (few, many))
    naive = [each for each in said["slopes"] if each["what"].startswith("naive")]
    assert [(each["slope"], each["sizes"]) for each in naive] == [(None, 0)] * 3
    assert main(["count", "--sizes", "1e3,4e3", "--naive"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"\(\d[\d.]* .?s\)", text)
    assert "In brackets: not run" in text
    assert "not run" in Path("out/count/layered.html").read_text()


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data.strip())


def test_the_page_needs_nothing_but_itself(capsys):
    said = said_json(capsys, "--sizes", "1e3,4e3", "--naive")
    text = Path(said["files"][1]).read_text()
    page = Page(text)
    assert page.tags.count("svg") == 1
    assert page.tags.count("table") == 3
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "url(http" not in text
    assert "backwave count --generator layered --sizes 1000,4000 --naive" in page.words
    for size in said["sizes"]:
        assert f"{size['edges']:,}" in page.words
        assert f"{size['naive']['work']:,}" in page.words
    # The drawing has the colours of the scheme, light or dark, and none of its own.
    drawing = text[text.index("<svg") : text.index("</svg>")]
    assert {f"var(--{name})" for name in ("ink", "wave", "naive", "messages")} <= set(
        re.findall(r"var\(--\w+\)", drawing)
    )
    assert not [colour for colour in COLOURS.values() if colour in drawing]
    assert "prefers-color-scheme: dark" in text


def test_the_picture_has_a_panel_more_with_the_naive_algorithm(capsys):
    widths = []
    for options in ([], ["--naive"]):
        said = said_json(capsys, "--sizes", "1e3,2e3", *options)
        picture = matplotlib.image.imread(said["files"][0])
        assert np.ptp(picture[..., :3], axis=(0, 1)).min() > 0.5  # something is drawn
        widths.append(picture.shape[1])
    assert widths[1] == widths[0] * 3 // 2


def test_one_size_has_no_slope(capsys):
    said = said_json(capsys, "--sizes", "1e3")
    assert [each["slope"] for each in said["slopes"]] == [None] * 3


def test_a_slope_is_that_of_linear_regression_over_what_is_long_enough():
    random = np.random.default_rng(1)
    x = [10, 100, 3000, 20_000]
    y = [float(each**1.3 * random.uniform(0.5, 2)) for each in x]
    points = list(zip(x, y, strict=True))
    fit = stats.linregress(np.log10(x), np.log10(y))
    assert Growth("time", "V + E", points).slope == pytest.approx(fit.slope, rel=1e-12)
    long = Growth("time", "V + E", points, least=y[2])
    fit = stats.linregress(np.log10(x[2:]), np.log10(y[2:]))
    assert long.slope == pytest.approx(fit.slope, rel=1e-12)
    assert Growth("time", "V + E", points, least=y[3]).slope is None


@pytest.mark.parametrize(
    ("sizes", "width", "degree"),
    [([100], 1, 1), ([5_000, 200], 2, 2), ([1e4, 1e5], 100, 10), ([1e5, 1e9], 1000, 10)],
)
def test_layers_are_as_wide_as_the_smallest_size_allows(sizes, width, degree):
    growing = Growing.through("layered", sizes)
    assert (growing.width, growing.degree) == (width, degree)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0015, "1.5 ms"), (59, "59 s"), (90, "1.5 min"), (9000, "2.5 h"), (3456000, "40 days")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


MISTAKES = {
    "nothing": ([], "give FILE.py:function, or --sizes"),
    "both": (["mine.py", "--sizes", "1e3"], "give mine.py or --sizes, not both"),
    "naive": (["mine.py", "--naive"], "--naive goes with --sizes"),
    "generator": (["mine.py", "--generator", "random"], "--generator goes with --sizes"),
    "workers": (["mine.py", "--workers", "2"], "--workers goes with --sizes"),
    "folder": (["mine.py", "--out-dir", "here"], "--out-dir goes with --sizes"),
    "second order": (["--sizes", "1e3", "--second-order"], "--second-order goes with FILE.py"),
    "no number": (["--sizes", "1e3,many"], "'many' is no number of edges"),
    "no whole number": (["--sizes", "100.5"], "'100.5' is no number of edges"),
    "too small": (["--sizes", "1e3,99"], "give whole numbers from 100"),
    "not finite": (["--sizes", "nan"], "'nan' is no number of edges"),
    "infinite": (["--sizes", "1e999"], "'1e999' is no number of edges"),
    "no generator": (["--sizes", "1e3", "--generator", "small-world"], "invalid choice"),
    "no workers": (["--sizes", "1e3", "--workers", "0"], "0 is less than 1"),
    "too large": (["--sizes", "1e3,1e14"], "100,000,000,000,000 edges need some"),
    "no folder": (["--sizes", "1e3", "--out-dir", "file/out"], "the figure cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_2(capsys, mistake):
    arguments, expected = MISTAKES[mistake]
    Path("file").write_text("")
    try:
        status = main(["count", *arguments])
    except SystemExit as exit:  # from the parser of arguments
        status = exit.code
    output = capsys.readouterr()
    assert status == 2
    assert expected in output.err
    assert output.err.startswith("backwave: ")
    assert output.err.count("\n") == 1
    assert output.out == ""
