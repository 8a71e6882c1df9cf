"""Data sets: each from files as its authors write them, the same samples on every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL.Image", reason="training needs the extra: pip install -e '.[train]'")

from tests.training import sets

from saccade.camera.errors import SaccadeError
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.training.config import DataConfig, SimulationConfig
from saccade.training.datasets import windows
from saccade.training.datasets.classes import read_classes
from saccade.training.datasets.files import list_samples
from saccade.training.datasets.kinds import KINDS, Frames, capped
from saccade.training.datasets.samples import Samples
from saccade.training.datasets.splits import read_split

SIZE = 32
#: Kind: the folder of a class, its extension, what writes it, the sensor.
WRITTEN = {
    "n-imagenet": ("n01440764", ".npz", sets.write_n_imagenet, (640, 480)),
    "n-caltech101": ("yin_yang", ".bin", sets.write_bin, (240, 180)),
    "n-mnist": ("7", ".bin", sets.write_bin, (34, 34)),
    "cifar10-dvs": ("ship", ".aedat", sets.write_aedat2, (128, 128)),
    "n-cars": ("cars", ".dat", sets.write_dat, (120, 100)),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_recording_of_each_kind_is_read_whole_and_where_it_says(kind, tmp_path):
    name, ending, write, (width, height) = WRITTEN[kind]
    packet = sets.events(3000, width, height)
    (tmp_path / name).mkdir()
    write(tmp_path / name / f"a{ending}", packet)
    (tmp_path / name / "notes.txt").write_text("no recording")
    data = DataConfig(kind=kind, root=str(tmp_path), geometry=KINDS[kind].geometry)
    (sample,) = list_samples(data).samples
    found, *size = windows.read_events(sample.path, data.geometry)
    assert size == [width, height]
    for column in ("t", "x", "y"):
        np.testing.assert_array_equal(getattr(found, column), getattr(packet, column))
    # A DVS128's bit is set where a pixel got darker: so jAER has it, and so do our decoders.
    wanted = ~packet.on if kind == "cifar10-dvs" else packet.on
    np.testing.assert_array_equal(found.on, wanted)
    item = Samples(data, size=SIZE, training=False).item(0)
    assert item.frame.shape == (SIZE, SIZE)
    assert item.frame.dtype == np.float32
    assert item.photo is None
    assert item.label == 0


def test_real_recordings_are_read_as_their_data_sets(shared_data, tmp_path):
    recordings = shared_data / "recordings"
    real = (("n-mnist", "4", recordings / "nmnist/digit4.bin", 0.3),)
    real += (("n-cars", "cars", recordings / "dat/ncars_004397.dat", 0.1),)
    real += (("cifar10-dvs", "cat", recordings / "aedat2/dvs128_walking_1.aedat", 0.05),)
    real += (("recordings", "lab", recordings / "aedat4/davis346_lab_dv_none.aedat4", 0.05),)
    real += (("images", "dog", shared_data / "crossmodal/image_dog.jpg", 0.05),)
    for kind, name, path, filled in real:
        (tmp_path / kind / name).mkdir(parents=True)
        (tmp_path / kind / name / path.name).symlink_to(path)
        samples = Samples(
            DataConfig(kind=kind, root=str(tmp_path / kind)), size=224, training=False
        )
        frame = samples.item(0).frame
        assert 0 <= frame.min() < frame.max() <= 1.00001
        assert np.mean(frame > 0) > filled
        assert samples.listing.classes.ids == (name,)


def test_frames_are_those_that_the_paper_made():
    packet = sets.events(20_000, 240, 180)
    caltech = Frames(KINDS["n-caltech101"].recipe, 180)
    counts = FrameMaker(240, 180, FrameSpec(counting="sensor")).count([packet])
    on, off = (np.minimum(counts[k], 20) for k in (1, 0))
    wanted = on / (on.max() + 1) + off / (off.max() + 1) - 1
    np.testing.assert_allclose(capped(counts, "signed", 20), wanted, atol=1e-6)
    frame = caltech.make(packet, 240, 180)
    assert frame.mean() == pytest.approx(wanted.mean(), abs=1e-3)
    imagenet = Frames(KINDS["n-imagenet"].recipe, 224).make(packet, 240, 180)
    maker = FrameMaker(240, 180, FrameSpec("signed", 224, "encoder"))
    np.testing.assert_array_equal(imagenet, maker.make([packet]))
    assert KINDS["n-mnist"].recipe.clamp == 10
    assert KINDS["n-mnist"].events == 2000
    assert KINDS["n-imagenet"].events == KINDS["n-caltech101"].events == 30_000


def test_a_cap_cuts_each_polarity():
    counts = np.zeros((2, 2, 2), np.uint16)
    counts[1, 0, 0], counts[1, 0, 1], counts[0, 1, 1] = 500, 10, 3
    frame = capped(counts, "signed", 20)
    np.testing.assert_allclose(frame, [[20 / 21 - 1, 10 / 21 - 1], [-1, 3 / 4 - 1]], rtol=1e-6)
    np.testing.assert_allclose(capped(counts, "paper", 20), [[20 / 21, 10 / 21], [0, 3 / 21]])


def test_windows_are_the_centre_in_tests_and_anywhere_in_training():
    packet = sets.events(1000, 64, 48)
    middle = windows.by_count(packet, 100, None)
    np.testing.assert_array_equal(middle.t, packet.t[450:550])
    assert len(windows.by_count(packet, 5000, None)) == 1000
    firsts = {int(windows.by_count(packet, 100, np.random.default_rng(k)).t[0]) for k in range(20)}
    assert len(firsts) > 10
    timed = windows.by_time(packet, 10_000, None)
    centre = (int(packet.t[0]) + int(packet.t[-1])) / 2
    assert 0 < int(timed.t[-1]) - int(timed.t[0]) < 10_000
    assert abs((int(timed.t[0]) + int(timed.t[-1])) / 2 - centre) < 500
    assert len(windows.by_time(packet, 10**9, None)) == 1000
    times = {int(windows.by_time(packet, 10_000, np.random.default_rng(k)).t[0]) for k in range(20)}
    assert len(times) > 10


def test_samples_depend_on_seed_epoch_and_number_alone(tmp_path):
    images = tmp_path / "images"
    sets.write_places(tmp_path / "events", images)
    data = DataConfig(
        kind="recordings", root=str(tmp_path / "events"), images=str(images), events=200
    )

    def make(seed=5, training=True):
        return Samples(data, size=SIZE, photo_size=16, seed=seed, training=training)

    first = make()
    assert len(first) == 12
    assert first.listing.classes.words == ("north east", "north west", "south east", "south west")
    forwards = [first.item(k, 3) for k in range(12)]
    second = make()
    backwards = [second.item(k, 3) for k in reversed(range(12))][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a.frame, b.frame)
        np.testing.assert_array_equal(a.photo, b.photo)
    assert forwards[0].photo.shape == (3, 16, 16)
    assert [item.label for item in forwards] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    for other in (make().item(0, 4), make(seed=6).item(0, 3)):
        assert (other.frame != forwards[0].frame).any()
    tests = [make(training=False).item(2, epoch).frame for epoch in (0, 7)]
    np.testing.assert_array_equal(*tests)


def test_images_are_simulated_on_the_fly(tmp_path):
    (tmp_path / "square").mkdir()
    sets.write_image(tmp_path / "square" / "a.png")
    data = DataConfig(kind="images", root=str(tmp_path), window_us=30_000)
    small = SimulationConfig(width=64, height=48, duration_us=60_000, amplitude=0.1)

    def make(training, seed=0):
        samples = Samples(
            data, size=SIZE, photo_size=SIZE, seed=seed, training=training, simulation=small
        )
        return samples.item(0)

    still = make(False)
    assert 0.8 < still.frame.max() <= 1  # clamped, then resized
    assert still.frame[:16].sum() > 1.2 * still.frame[16:].sum()  # where the square is
    np.testing.assert_array_equal(still.frame, make(False, 9).frame)
    assert (make(True).frame != still.frame).any()
    np.testing.assert_array_equal(make(True).frame, make(True).frame)
    # The photo is gray: CLIP's mean and std alone set its channels apart.
    red, green = still.photo[0] * 0.26862954 + 0.48145466, still.photo[1] * 0.26130258 + 0.4578275
    np.testing.assert_allclose(red, green, atol=1e-6)


def test_few_shots_are_drawn_by_the_seed_and_contain_fewer_ones(tmp_path):
    sets.write_places(tmp_path, each=12)

    def drawn(shots, seed=0, **more):
        data = DataConfig(
            kind="recordings", root=str(tmp_path), shots=shots, shots_seed=seed, **more
        )
        return [sample.path for sample in list_samples(data).samples]

    one, two, five = drawn(1), drawn(2), drawn(5)
    assert [len(paths) for paths in (one, two, five)] == [4, 8, 20]
    assert {*one} < {*two} < {*five}
    assert one == drawn(1)
    assert one != drawn(1, seed=1)
    held, train = drawn(0, fold="held"), drawn(0, fold="train")
    assert [len(held), len(train)] == [4, 44]
    assert not {*held} & {*train}
    assert {path.stem for path in held} == {"004"}
    assert not {*drawn(3, fold="train")} & {*held}
    with pytest.raises(SaccadeError, match=r"12 files, too few for 13 shots"):
        drawn(13)


def test_the_papers_split_is_found_in_the_users_folders(tmp_path):
    seen = [f"n0{k}" for k in range(1440764, 1440764 + 79)] + ["n01795544"]
    unseen = [f"n0{k}" for k in range(1795545, 1795545 + 19)] + ["n01855672"]
    others = ["n01855673", "n15075141"]
    split = read_split("n-imagenet-100", [*others, *unseen, *seen])
    assert split.parts == {"seen": tuple(seen), "unseen": tuple(unseen)}
    assert split.all == (*seen, *unseen)
    with pytest.raises(SaccadeError, match=r"part 'seen': 79 classes where it must have 80"):
        read_split("n-imagenet-100", [*unseen, *seen[1:]])

    # Unseen classes are numbered among all of them, and prompts are of all.
    words = tmp_path / "LOC_synset_mapping.txt"
    names = [*seen, *unseen, *others]
    words.write_text("".join(f"{name} word {name}, another\n" for name in names))
    for name in (seen[0], *unseen):
        (tmp_path / "val" / name).mkdir(parents=True)
        sets.write_n_imagenet(tmp_path / "val" / name / "a.npz", sets.events(50, 640, 480))
    data = DataConfig(
        kind="n-imagenet",
        root=str(tmp_path / "val"),
        classes=str(words),
        split="n-imagenet-100",
        part="unseen",
    )
    listing = list_samples(data)
    assert [sample.label for sample in listing.samples] == [*range(80, 100)]
    assert len(listing.classes.prompts) == 100
    assert listing.classes.prompts[80] == [f"a photo of a word {unseen[0]}, another"]


def test_splits_of_lists_and_what_is_wrong_with_them(tmp_path):
    file = tmp_path / "split.toml"
    file.write_text('[parts.a]\nclasses = ["y", "x"]\n[parts.b]\nfirst = "z"\n')
    assert read_split(str(file), ["x", "y", "z", "zz"]).parts == {"a": ("x", "y"), "b": ("z", "zz")}
    with pytest.raises(SaccadeError, match=r"part 'a': 1 of its classes are not there, such as y"):
        read_split(str(file), ["x", "z"])
    file.write_text('[parts.a]\nclasses = ["x"]\n[parts.b]\nfirst = "x"\n')
    with pytest.raises(SaccadeError, match=r"x is in two parts"):
        read_split(str(file), ["x", "y"])
    file.write_text('[parts.a]\nclass = ["x"]\n')
    with pytest.raises(SaccadeError, match=r"unknown field `class`"):
        read_split(str(file), ["x", "y"])


@pytest.mark.parametrize(
    ("name", "count", "prompt"),
    [
        ("n-mnist", 10, "The digit 0"),
        ("n-caltech101", 101, "a point cloud image of a background"),
        ("cifar10-dvs", 10, "a photo of a airplane"),
        ("n-cars", 2, "a photo of a background"),
    ],
)
def test_class_files_have_words_and_a_sum(name, count, prompt):
    classes = read_classes(name)
    assert len(classes.ids) == len({*classes.words}) == count
    assert classes.prompts[0] == [prompt]
    assert "Faces" not in classes.ids
    # A figure is of these very prompts: whoever changes one changes this, too.
    sums = {
        "n-mnist": "3b276a1b0475",
        "n-caltech101": "dbc25e481b60",
        "cifar10-dvs": "66b6879afccd",
        "n-cars": "4380d98d67e9",
    }
    assert classes.sha256.startswith(sums[name])
    other = read_classes(name, ["another {}"])
    assert other.sha256 != classes.sha256


def test_what_is_not_there_is_named(tmp_path):
    def refused(match, **more):
        with pytest.raises(SaccadeError, match=match):
            list_samples(DataConfig(**{"kind": "recordings", "root": str(tmp_path), **more}))

    refused("no folder; it must have one for each class")
    refused(r"gone: cannot be read", root=str(tmp_path / "gone"))
    sets.write_places(tmp_path / "set", tmp_path / "images")
    here = {"root": str(tmp_path / "set"), "images": str(tmp_path / "images")}
    (tmp_path / "images" / "north_east" / "001.png").unlink()
    refused(r"north_east/001\.\*: no image for .*001\.aedat4", **here)
    refused(
        r"north_east: no class of n-mnist", kind="n-mnist", root=here["root"], classes="n-mnist"
    )
    (tmp_path / "set" / "south_west" / "000.aedat4").rename(tmp_path / "else.aedat4")
    for path in (tmp_path / "set" / "south_west").iterdir():
        path.unlink()
    refused(r"south_west: has no file; complete the data", root=here["root"])


def test_a_damaged_sample_is_an_error_with_its_name(tmp_path):
    (tmp_path / "a").mkdir()
    sets.write_n_imagenet(tmp_path / "a" / "x.npz", sets.events(500, 640, 480))
    data = (tmp_path / "a" / "x.npz").read_bytes()
    (tmp_path / "a" / "x.npz").write_bytes(data[: len(data) // 2])
    samples = Samples(DataConfig(kind="n-imagenet", root=str(tmp_path)), size=SIZE, training=False)
    with pytest.raises(SaccadeError, match=r"x\.npz"):
        samples.item(0)
    (tmp_path / "a" / "x.png").write_bytes(b"no picture")
    samples = Samples(DataConfig(kind="images", root=str(tmp_path)), size=SIZE, training=False)
    with pytest.raises(SaccadeError, match=r"x\.png: no image that can be read"):
        samples.item(0)


def test_data_sets_need_no_torch():
    import subprocess
    import sys

    script = "import sys, saccade.training.datasets.samples, saccade.training.config\n"
    script += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert Path(read_classes.__code__.co_filename).name == "classes.py"
