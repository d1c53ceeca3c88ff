"""Networks that give images: what they are made of, what they learn, and what they must not see."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from scipy.ndimage import gaussian_filter
from torch.distributions import Independent, Normal, kl_divergence

from insml.datasets import Corruption, TrainingSet
from insml.errors import FormatError, GeometryError, InsmlError
from insml.learn.generative import (
    UNSPOILT,
    Denoiser,
    GenerativeSettings,
    Vae,
    chi2_per_pixel,
    hallucination,
    noiseless,
    psnr,
    train_denoiser,
    train_vae,
)
from insml.learn.generative.goodness import fit_slices
from insml.learn.generative.unet import SliceUNet
from insml.learn.generative.units import SliceUnits
from insml.learn.generative.vae_network import VaeNetwork, divergence
from insml.learn.tensorfile import state_arrays
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

N_SLICES, SIZE = 8, 12
LAYOUT = toy.layout(N_SLICES, SIZE)
NOISE = Corruption(relative_noise=(0.3, 0.8), background=(0.0, 0.2), hot_pixels=1.0)
SHORT = GenerativeSettings(epochs=2, batch=8)


def rings(n: int, seed: int) -> TrainingSet:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    theta = np.stack([rng.uniform(0.7, 1.1, n), rng.uniform(0.1, 0.14, n)], axis=1)
    clean = np.stack([toy.rings(label, *t, N_SLICES, SIZE) for label, t in zip(labels, theta, strict=True)])
    names = ("growth", "width")
    return TrainingSet(clean, labels, theta, (names, names), ("round", "oval"), LAYOUT, "toy", seed)


@pytest.fixture(scope="module")
def small() -> TrainingSet:
    return rings(30, 1)


@pytest.fixture(scope="module")
def unseen() -> TrainingSet:
    return rings(40, 2)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    settings = GenerativeSettings(epochs=5, batch=8, empty=0.1, learning_rate=3e-3)
    return train_denoiser(rings(240, 3), NOISE, settings, threads=1)


@pytest.fixture(scope="module")
def vae() -> Vae:
    settings = GenerativeSettings(epochs=9, batch=8, learning_rate=2e-3, empty=0.0)
    return train_vae(rings(200, 3), settings=settings, threads=1)


def same(a: Denoiser | Vae, b: Denoiser | Vae) -> bool:
    first, second = (state_arrays(network=x.network) for x in (a, b))
    return all(np.array_equal(first[name], second[name]) for name in first) and a.history == b.history


def stop_after(steps: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, message: str) -> None:
        if done >= steps:
            raise KeyboardInterrupt
    return progress


def grid(rows: int, columns: int, tile: int) -> MosaicLayout:
    edges = np.linspace(-1, 1, tile + 1)
    axes = Axis("h", (1, 0, 0), edges), Axis("k", (0, 1, 0), edges)
    slices = tuple(SliceSpec((float(s), s + 1.0)) for s in range(rows * columns))
    return MosaicLayout(axes, (0, 0, 1), slices, (rows, columns))


# what the networks are


def test_published_autoencoder_has_its_number_of_parameters() -> None:
    layers = [16 * 32 + 32, 16 * 32 * 64 + 64, 58 * 98 * 64 * 40 + 40,
              20 * 60 * 100 * 32 + 60 * 100 * 32, 16 * 32 * 64 + 64, 16 * 64 * 32 + 32, 9 * 32 + 1]
    with torch.device("meta"):  # shapes only
        network = torch.nn.ModuleList(VaeNetwork(grid(6, 10, 40)).children())
    assert sum(p.numel() for p in network.parameters()) == sum(layers) == 18_682_377


@pytest.mark.parametrize("shape", [(3, 1, 12), (1, 3, 11), (1, 1, 10)])
def test_autoencoder_of_any_layout_gives_stacks_in_its_order(shape: tuple[int, int, int]) -> None:
    layout = grid(*shape).oriented(("-k", "+h"))
    network = VaeNetwork(layout).eval()
    image = network.decoder(torch.zeros(1, 20))[0, 0, :layout.shape[0], :layout.shape[1]].detach().numpy()
    stack = network.decode(torch.zeros(1, 20))[0].detach().numpy()
    assert stack.shape == layout.stack_shape
    np.testing.assert_array_equal(layout.assemble(stack), image)


def test_autoencoder_refuses_too_small_an_image() -> None:
    with pytest.raises(GeometryError, match="10 x 10"):
        VaeNetwork(grid(1, 2, 8))


def test_divergence_is_that_of_normal_distributions() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(5, 20, generator=rng), torch.randn(5, 20, generator=rng)
    q = Independent(Normal(mean, torch.exp(0.5 * log_variance)), 1)
    prior = Independent(Normal(torch.zeros(20), torch.ones(20)), 1)
    torch.testing.assert_close(divergence(mean, log_variance), kl_divergence(q, prior))


def test_elbo_is_the_expectation_of_the_published_estimate() -> None:
    torch.manual_seed(3)
    network = VaeNetwork(grid(1, 1, 10))
    x = torch.rand(1, 1, 10, 10)
    many = x.expand(2000, -1, -1, -1)
    with torch.no_grad():
        mean, log_variance = network.encode(x)
        q = Normal(mean[0], torch.exp(0.5 * log_variance[0]))
        z = q.sample((2000,))
        p = torch.sigmoid(network.decode(z)).double()
        likelihood = (many * p.log() + (1 - many) * (1 - p).log()).sum((1, 2, 3))
        published = (likelihood + Normal(0, 1).log_prob(z).sum(1) - q.log_prob(z).sum(1)).numpy()
        closed = network.elbo(many, many).numpy()
    assert abs(closed.mean() - published.mean()) < 4 * published.std() / np.sqrt(2000)
    assert closed.std() < published.std()


def test_untrained_denoiser_is_a_binomial_filter() -> None:
    network = SliceUNet(LAYOUT)
    x = torch.zeros(1, N_SLICES, SIZE, SIZE)
    x[0, 3, 6, 5] = 1
    mean, log_deviation = network(x, torch.ones_like(x))
    row = np.array([1, 4, 6, 4, 1]) / 16
    expected = np.zeros((N_SLICES, SIZE, SIZE), np.float32)
    expected[3, 4:9, 3:8] = np.outer(row, row)
    np.testing.assert_allclose(mean[0].detach().numpy(), expected, atol=1e-7)
    assert not log_deviation.any()


@pytest.mark.parametrize("tile", [3, 10, 13, 21])
def test_denoiser_keeps_the_shape_of_any_tile(tile: int) -> None:
    x = torch.zeros(2, 3, tile, tile)
    mean, log_deviation = SliceUNet(grid(1, 3, tile))(x, torch.ones_like(x))
    assert mean.shape == log_deviation.shape == x.shape


# units and pairs


def test_units_give_the_standardised_stack_and_the_way_back() -> None:
    rng = np.random.default_rng(0)
    signal, mask = 100 + 7 * rng.gamma(2.0, size=(4, 10, 10)), rng.random((4, 10, 10)) < 0.2
    signal[1] = 5.0         # no spread
    mask[2] = True
    signal[2, 0, 0] = np.nan  # under the mask
    units, y = SliceUnits.of(signal, mask)
    np.testing.assert_array_equal(units.usable, [True, False, False, True])
    kept = ~mask & units.usable[:, None, None]
    np.testing.assert_allclose(units.centre[[0, 3]], [np.median(signal[s][~mask[s]]) for s in (0, 3)], rtol=1e-6)
    np.testing.assert_allclose(units.intensity(y)[kept], signal[kept], rtol=1e-5)
    np.testing.assert_allclose(units.standardised(np.where(mask, 0, signal))[kept], y[kept], atol=1e-5)
    step, y = 1e-4, y.astype(float)
    slope = (units.intensity(y + step) - units.intensity(y - step)) / (2 * step)
    away = kept & (np.abs(y) > step)  # from the kink at the median
    np.testing.assert_allclose(units.deviation(y, np.ones(y.shape))[away], slope[away], rtol=1e-6)


def test_pairs_differ_by_what_is_spoilt_only() -> None:
    clean = rings(2, 0).clean[1]
    spoilt = Corruption(relative_noise=(0.1, 0.1), background=(0.0, 0.3), mirror=(True, True), transpose=True,
                        pixel_shift=0.7, clip_probability=0.0, hot_pixels=0.0)
    gentle = replace(spoilt, relative_noise=(1e-6, 1e-6), background=(0.0, 0.0))
    for index in range(6):
        quiet, mask = noiseless(spoilt).apply(clean, 5, index)
        assert not mask.any()
        almost, mask = gentle.apply(clean, 5, index)
        np.testing.assert_allclose(almost[~mask], quiet[~mask], atol=1e-5)
        assert not np.allclose(spoilt.apply(clean, 5, index)[0][~mask], quiet[~mask], atol=1e-2)
    np.testing.assert_array_equal(UNSPOILT.apply(clean, 5, 0)[0], clean)


# what they learn


def test_denoiser_beats_the_noise_and_every_gaussian_filter(denoiser: Denoiser, unseen: TrainingSet) -> None:
    widths = (0.5, 0.7, 1.0, 1.4, 2.0)
    errors: list[list[float]] = []
    for i, clean in enumerate(unseen.clean):
        signal, mask = NOISE.apply(clean, 77, i)
        truth, _ = noiseless(NOISE).apply(clean, 77, i)
        cleaned, _, mask_after = denoiser.clean_stack(signal, mask)
        kept = ~mask_after
        weight = (~mask).astype(float)
        smoothed = [gaussian_filter(signal, (0, w, w)) / np.maximum(gaussian_filter(weight, (0, w, w)), 0.01)
                    for w in widths]
        errors.append([float(np.mean((a - truth)[kept] ** 2)) for a in (signal, cleaned, *smoothed)])
    for over_images in (np.mean, np.median):  # the median hardly knows of hot pixels
        noisy, cleaned_error, *baseline = over_images(errors, axis=0)
        assert cleaned_error < 0.35 * noisy
        assert cleaned_error < 0.85 * min(baseline)
    assert denoiser.history[-1]["validation_loss"] < denoiser.history[0]["validation_loss"]


def test_deviations_of_the_denoiser_hold(denoiser: Denoiser, unseen: TrainingSet) -> None:
    pulls = []
    for i, clean in enumerate(unseen.clean):
        signal, mask = NOISE.apply(clean, 78, i)
        truth, _ = noiseless(NOISE).apply(clean, 78, i)
        value, deviation, mask = denoiser.clean_stack(signal, mask)
        pulls.append(((value - truth) / np.where(mask, 1, deviation))[~mask])
    assert 0.6 < np.mean(np.abs(np.concatenate(pulls)) < 1) < 0.85  # 0.68 of normal errors, more of a long tail


def test_denoiser_sees_nothing_in_noise(denoiser: Denoiser) -> None:
    found = hallucination(denoiser, NOISE, images=16, seed=4)
    assert found.contrast < 1.5  # the noise itself reaches 3.3
    assert found.significant < 0.005
    with pytest.raises(InsmlError, match="noise"):
        hallucination(denoiser, replace(NOISE, mask_fraction=(0, 0), relative_noise=(0.0, 0.0)), images=1)


def test_hallucination_test_sees_what_a_denoiser_makes_up(denoiser: Denoiser) -> None:
    liar = SliceUNet(denoiser.form.layout)
    liar.load_state_dict(denoiser.network.state_dict())
    with torch.no_grad():
        liar.smooth.weight.mul_(5)
    assert hallucination(replace(denoiser, network=liar), NOISE, images=4).contrast > 3


def test_values_under_the_mask_do_not_matter_but_the_mask_does(denoiser: Denoiser, unseen: TrainingSet) -> None:
    signal, _ = NOISE.apply(unseen.clean[0], 79, 0)
    mask = np.zeros(signal.shape, bool)
    mask[:, 3:6, 2:5] = True
    value, deviation, kept = denoiser.clean_stack(signal, mask)
    other = np.where(mask, 1e6, signal)
    for a, b in zip(denoiser.clean_stack(other, mask), (value, deviation, kept), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not value[mask].any()
    open_value, *_ = denoiser.clean_stack(signal, np.zeros_like(mask))
    assert not np.array_equal(open_value[~mask], value[~mask])


def test_cleaned_mosaic_keeps_units_orientation_and_mask(denoiser: Denoiser, unseen: TrainingSet) -> None:
    signal, mask = NOISE.apply(unseen.clean[1], 80, 0)
    mosaic = replace(Mosaic.from_stack(signal, mask, LAYOUT), title="a title")
    cleaned = denoiser.clean(mosaic)
    assert cleaned.title == "a title"
    assert cleaned.metadata["cleaned"] == denoiser.description
    assert (cleaned.mask >= mosaic.mask).all()
    assert cleaned.variance is not None
    assert (cleaned.variance[~cleaned.mask] > 0).all()
    turned = denoiser.clean(mosaic.oriented(("-k", "+h")))
    np.testing.assert_array_equal(turned.stack, cleaned.stack)
    scaled = denoiser.clean(Mosaic.from_stack(3 * signal.astype(float) + 2, mask, LAYOUT))
    np.testing.assert_allclose(np.where(cleaned.stack_mask, 0, scaled.stack),
                               np.where(cleaned.stack_mask, 0, 3 * cleaned.stack + 2), atol=1e-3)
    with pytest.raises(GeometryError, match="slices and bins"):
        denoiser.clean(toy.mosaic(np.zeros((4, 6, 6)), n_slices=4, size=6))


def test_folding_denoiser_gives_even_images(small: TrainingSet) -> None:
    even = train_denoiser(small, replace(NOISE, mirror=(True, True)), replace(SHORT, epochs=1), threads=1)
    signal, _ = NOISE.apply(small.clean[0], 81, 0)
    value, deviation, _ = even.clean_stack(signal, np.zeros(signal.shape, bool))
    assert value.shape == signal.shape
    for a in (value, deviation):
        np.testing.assert_array_equal(a, a[:, ::-1, ::-1])


def test_autoencoder_learns_its_images(vae: Vae, unseen: TrainingSet) -> None:
    assert vae.history[-1]["loss"] < 0.8 * vae.history[0]["loss"]
    clean = unseen.clean[0]
    mosaic = Mosaic.from_stack(clean, np.zeros(clean.shape, bool), LAYOUT)
    mean_image = np.broadcast_to(unseen.clean.mean(0), clean.shape)
    drawn = vae.reconstruct(mosaic)
    assert np.mean((drawn.stack - clean) ** 2) < 0.5 * np.mean((mean_image - clean) ** 2)
    np.testing.assert_array_equal(vae.reconstruct(mosaic).values, drawn.values)
    assert drawn.variance is not None
    assert (drawn.variance > 0).all()
    samples = vae.sample(5, seed=1)
    assert samples.shape == (5, *LAYOUT.stack_shape)
    assert 0 <= samples.min() < samples.max() <= 1
    np.testing.assert_array_equal(samples, vae.sample(5, seed=1))
    assert not np.array_equal(samples, vae.sample(5, seed=2))


def test_goodness_of_fit_tells_own_images_from_strange_ones(vae: Vae, unseen: TrainingSet) -> None:
    sigma = 0.3
    rng = np.random.default_rng(0)
    gap = np.zeros(LAYOUT.stack_shape, bool)
    gap[:, :3] = True

    def score(image: np.ndarray, steps: int) -> float:
        signal = image + sigma * rng.standard_normal(image.shape)
        mosaic = Mosaic.from_stack(signal, gap, LAYOUT, variance=np.full(signal.shape, sigma**2))
        return vae.goodness_of_fit(mosaic, steps).chi2_per_pixel

    own = [score(3 + 2 * clean, 60) for clean in unseen.clean[:3]]  # its units are anybody's
    strange = [score(3 + 2 * clean[::-1].swapaxes(1, 2), 60) for clean in unseen.clean[:3]]
    assert max(own) < 1.5
    assert min(strange) > max(own) + 0.5


def test_search_improves_on_the_encoder_and_adds_up(vae: Vae, unseen: TrainingSet) -> None:
    clean = unseen.clean[3].astype(float)
    signal = clean + 0.2 * np.random.default_rng(1).standard_normal(clean.shape)
    mosaic = Mosaic.from_stack(signal, np.zeros(clean.shape, bool), LAYOUT, variance=np.full(clean.shape, 0.04))
    first, last = (vae.goodness_of_fit(mosaic, steps) for steps in (0, 40))
    assert last.chi2_per_pixel < first.chi2_per_pixel
    np.testing.assert_allclose(first.latents, vae.encode(mosaic)[0], rtol=1e-6)
    np.testing.assert_allclose(last.chi2, ((signal - last.model) ** 2 / 0.04).sum((1, 2)), rtol=1e-6)
    assert last.chi2_per_pixel == pytest.approx(last.chi2.sum() / (clean.size - 2 * N_SLICES))
    with pytest.raises(InsmlError, match="variance"):
        vae.goodness_of_fit(replace(mosaic, variance=None))


def test_slices_are_fitted_as_by_least_squares() -> None:
    rng = np.random.default_rng(2)
    shape, weight = rng.random((3, 6, 5)), rng.uniform(0, 2, (3, 6, 5))
    measured = np.array([2.0, -1.0, 0.5])[:, None, None] * shape + 4 + 0.1 * rng.standard_normal(shape.shape)
    scale, offset = (a.numpy().ravel() for a in fit_slices(*map(torch.from_numpy, (shape, measured, weight))))
    for s in (0, 2):
        root = np.sqrt(weight[s].ravel())
        design = np.stack([shape[s].ravel(), np.ones(30)], 1) * root[:, None]
        expected = np.linalg.lstsq(design, measured[s].ravel() * root, rcond=None)[0]
        np.testing.assert_allclose([scale[s], offset[s]], expected, rtol=1e-9)
    # a negative intensity is no fit
    assert scale[1] == 0
    assert offset[1] == pytest.approx(np.average(measured[1], weights=weight[1]))


# numbers of quality


def test_quality_by_hand() -> None:
    clean, mask = np.array([0.0, 4.0, 1.0]), np.array([False, False, True])
    estimate = np.array([1.0, 4.0, 100.0])
    assert psnr(estimate, clean, mask) == pytest.approx(10 * np.log10(16 / 0.5))
    assert psnr(clean, clean, mask) == np.inf
    assert chi2_per_pixel(estimate, clean, np.array([0.25, 1.0, 0.0]), mask) == pytest.approx(2.0)
    with pytest.raises(InsmlError, match="variance"):
        chi2_per_pixel(estimate, clean, np.zeros(3), mask)
    with pytest.raises(InsmlError, match="one shape"):
        psnr(estimate, clean[:2], mask)
    with pytest.raises(InsmlError, match="0 pixels"):
        psnr(estimate, clean, np.ones(3, bool))


# fits and files

FITS = [pytest.param(train_denoiser, Denoiser, id="denoiser"), pytest.param(train_vae, Vae, id="vae")]


@pytest.mark.parametrize(("fit", "kind"), FITS)
def test_same_seed_same_bits_interrupted_or_not(fit: Callable[..., Denoiser | Vae], kind: type, small: TrainingSet,
                                                tmp_path: Path) -> None:
    whole = fit(small, NOISE, SHORT, threads=1)
    assert isinstance(whole, kind)
    checkpoint = tmp_path / "state.safetensors"
    steps = 22 // 8
    with pytest.raises(KeyboardInterrupt):
        fit(small, NOISE, SHORT, threads=1, checkpoint=checkpoint, progress=stop_after(steps + 1))
    torch.manual_seed(99)  # the caller's generator has no part in it
    seen: list[tuple[int, int, str]] = []
    resumed = fit(small, NOISE, SHORT, threads=1, checkpoint=checkpoint,
                  progress=lambda done, total, message: seen.append((done, total, message)))
    assert seen[0] == (steps, 2 * steps, "going on after epoch 1")
    assert same(resumed, whole)
    seen.clear()
    one = replace(SHORT, epochs=1, seed=2)
    other = fit(small, NOISE, one, threads=1, checkpoint=checkpoint,
                progress=lambda done, total, message: seen.append((done, total, message)))
    assert "starting afresh" in seen[0][2]
    assert not same(other, whole)


@pytest.mark.parametrize("kind", [Denoiser, Vae])
def test_file_gives_the_same_network_and_damage_is_refused(kind: type[Denoiser] | type[Vae], denoiser: Denoiser,
                                                           vae: Vae, tmp_path: Path) -> None:
    made: Denoiser | Vae = denoiser if kind is Denoiser else vae
    path = tmp_path / "network.safetensors"
    made.save(path)
    read = kind.load(path)
    assert same(read, made)
    assert (read.description, read.study_digest) == (made.description, made.study_digest)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        kind.load(path)
    (vae if kind is Denoiser else denoiser).save(path)
    with pytest.raises(FormatError, match=kind.__name__.lower() if kind is Denoiser else "autoencoder"):
        kind.load(path)


def test_spread_comes_back(denoiser: Denoiser, tmp_path: Path) -> None:
    denoiser.save(tmp_path / "d")
    assert Denoiser.load(tmp_path / "d").spread == denoiser.spread > 0


def test_impossible_fits_are_refused(small: TrainingSet, tmp_path: Path) -> None:
    for wrong in ({"epochs": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"empty": 1.0}, {"validation": 1.0}):
        with pytest.raises(InsmlError, match=next(iter(wrong))):
            GenerativeSettings(**wrong)
    with pytest.raises(InsmlError, match="masks"):
        train_denoiser(small, replace(NOISE, masks=np.zeros((1, 2, 2, 2), bool)), SHORT)
    with pytest.raises(InsmlError, match="saturation"):
        train_vae(small, saturation=0.0)
    mine = tmp_path / "thesis.txt"
    mine.write_text("all my data")
    with pytest.raises(FormatError, match=r"thesis\.txt"):
        train_vae(small, NOISE, SHORT, checkpoint=mine)
    assert mine.read_text() == "all my data"
