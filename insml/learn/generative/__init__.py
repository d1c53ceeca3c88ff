"""Networks that give images: cleaning, drawing, and whether anything simulated looks like a measurement. Needs
torch."""

from insml.learn.generative.denoiser import Denoiser, train_denoiser
from insml.learn.generative.goodness import Goodness
from insml.learn.generative.metrics import Hallucination, chi2_per_pixel, hallucination, psnr
from insml.learn.generative.pairs import UNSPOILT, noiseless
from insml.learn.generative.settings import PUBLISHED_VAE, GenerativeSettings
from insml.learn.generative.vae import Vae, train_vae

__all__ = ["PUBLISHED_VAE", "UNSPOILT", "Denoiser", "GenerativeSettings", "Goodness", "Hallucination", "Vae",
           "chi2_per_pixel", "hallucination", "noiseless", "psnr", "train_denoiser", "train_vae"]
