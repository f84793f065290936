"""Diffusion of positive data by multiplication: geometric Brownian motion and its way back, as a scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from neurodecode.data.validate import check_option, check_positive, require
from neurodecode.errors import DataError

if TYPE_CHECKING:
    from torch import Generator, Tensor

PREDICTIONS = ("epsilon", "sample", "score")


class StepOutput(NamedTuple):
    """What one step back gives; the names are those of diffusers."""

    prev_sample: Tensor
    """Positive data with less noise."""
    pred_original_sample: Tensor
    """Positive data without noise, as the network has it."""


class MultiplicativeScheduler:
    r"""Noise that multiplies, so that positive data stay positive, with the functions of a scheduler of diffusers.

    Geometric Brownian motion on a clock v, the variance that has come in,

    .. math:: dX = \mu X\,dv + X\,dW_v, \qquad
        \log X_v = \log x_0 + (\mu - \tfrac12) v + \sqrt v\,\varepsilon, \quad \varepsilon \sim N(0, 1),

    turns any positive data into a log-normal prior. The way back is a Gaussian bridge of the logarithm,

    .. math:: \log X_s = \log\hat x_0 + (\mu - \tfrac12) s + c\,\sqrt v\,\hat\varepsilon + \eta\sqrt{s (v - s) / v}\;z,
        \qquad c^2 = \bigl(s - \eta^2 s (v - s) / v\bigr) / v,

    so that every step multiplies by a positive number. The paper takes Euler steps of the reverse equation; a bridge has the
    exact marginals for any step where the denoiser is exact, and with many steps both are the same. The clock is geometric in
    its square root, from `sigma_min` to `sigma_max`.

    Parameters
    ----------
    num_train_timesteps : int
        Points of the clock.
    sigma_min, sigma_max : float
        Standard deviation of the logarithm that comes in by the first and by the last point.
    mu : float
        Drift: 0 keeps the mean of the data, 0.5 their median.
    prediction_type : {"epsilon", "sample", "score"}
        What the network gives: the noise, the logarithm of the clean data, or the modulated score
        :math:`x \nabla_x \log p(x) = -1 - \varepsilon / \sqrt v` that multiplicative score matching learns.

    Attributes
    ----------
    variances : Tensor of shape (num_train_timesteps,)
        The clock, float64.
    timesteps : Tensor of shape (num_inference_steps,)
        Descending, after `set_timesteps`.

    Raises
    ------
    DataError
        If a number is out of range.

    References
    ----------
    Shetty, Prasath, Seelamantula: Dale meets Langevin: a multiplicative denoising diffusion model, arXiv:2510.02730 (2025).
    Bridge steps between two times: Song, Meng, Ermon: Denoising diffusion implicit models, ICLR (2021).
    """

    order = 1
    init_noise_sigma = 1.0

    def __init__(
        self,
        num_train_timesteps: int = 1000,
        *,
        sigma_min: float = 0.01,
        sigma_max: float = 4.0,
        mu: float = 0.5,
        prediction_type: str = "epsilon",
    ) -> None:
        torch = require("torch", "diffusion", "decode")
        low, high = check_positive("sigma_min", sigma_min), check_positive("sigma_max", sigma_max)
        if low >= high or num_train_timesteps < 2 or not np.isfinite(mu):
            raise DataError(
                f"expected sigma_min below sigma_max, at least 2 timesteps and a finite mu, got {low}, {high}, "
                f"{num_train_timesteps}, {mu}"
            )
        self.mu, self.prediction_type = float(mu), check_option("prediction_type", prediction_type, PREDICTIONS)
        self.variances = torch.from_numpy(np.geomspace(low, high, num_train_timesteps) ** 2)
        self.set_timesteps(num_train_timesteps)

    def __len__(self) -> int:
        return len(self.variances)

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        """Choose the times at which samples are made.

        Parameters
        ----------
        num_inference_steps : int
            Number of steps, at most as many as there are points.
        device : str or torch.device, optional
            Where `timesteps` lie.

        Raises
        ------
        DataError
            If the number is out of range.
        """
        import torch

        if not 1 <= num_inference_steps <= len(self):
            raise DataError(f"num_inference_steps must be 1 to {len(self)}, got {num_inference_steps}")
        chosen = np.linspace(len(self) - 1, 0, num_inference_steps).round().astype(np.int64)
        self.timesteps = torch.from_numpy(chosen).to(device)

    def scale_model_input(self, sample: Tensor, timestep: Any = None) -> Tensor:
        """What the network sees: the sample as it is.

        Parameters
        ----------
        sample : Tensor
            Noisy data.
        timestep : int or Tensor, optional
            Without effect.

        Returns
        -------
        Tensor
            The sample.
        """
        return sample

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Multiply positive data by log-normal noise: the exact marginal of the process.

        Parameters
        ----------
        original_samples : Tensor of shape (n, ...)
            Positive data.
        noise : Tensor of shape (n, ...)
            Standard normal.
        timesteps : Tensor of shape (n,)
            Points of the clock.

        Returns
        -------
        Tensor of shape (n, ...)
            Positive.

        Raises
        ------
        DataError
            If data are not above 0.
        """
        _check_above_zero(original_samples)
        v = self._variance(timesteps, original_samples)
        return original_samples * ((self.mu - 0.5) * v + v.sqrt() * noise).exp()

    def get_score(self, noise: Tensor, timesteps: Tensor) -> Tensor:
        r"""Target of multiplicative denoising score matching, :math:`x \nabla_x \log p(x_v | x_0) = -1 - \varepsilon / \sqrt v`.

        Parameters
        ----------
        noise : Tensor of shape (n, ...)
            As given to `add_noise`.
        timesteps : Tensor of shape (n,)
            Points of the clock.

        Returns
        -------
        Tensor of shape (n, ...)
            The modulated score.
        """
        return -1 - noise / self._variance(timesteps, noise).sqrt()

    def sample_prior(
        self, shape: tuple[int, ...], *, log_mean: float = 0.0, log_std: float = 0.0, generator: Generator | None = None
    ) -> Tensor:
        """Draw from the log-normal prior at the last point.

        Parameters
        ----------
        shape : tuple of int
            Shape of the draw.
        log_mean, log_std : float
            Mean and standard deviation of the logarithm of the clean data.
        generator : torch.Generator, optional
            Source of random numbers.

        Returns
        -------
        Tensor
            Positive.
        """
        import torch

        v = float(self.variances[-1])
        noise = torch.randn(shape, generator=generator)
        return torch.exp(log_mean + (self.mu - 0.5) * v + float(np.sqrt(log_std**2 + v)) * noise)

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, *, eta: float = 1.0, generator: Generator | None = None
    ) -> StepOutput:
        """Go back to the next of `timesteps`, and to clean data from the last.

        Parameters
        ----------
        model_output : Tensor of shape (n, ...)
            What the network says of `sample`, as `prediction_type` has it.
        timestep : int or Tensor
            One of `timesteps`.
        sample : Tensor of shape (n, ...)
            Positive data at that time.
        eta : float
            1 for the random way back, 0 for the deterministic one.
        generator : torch.Generator, optional
            Source of random numbers.

        Returns
        -------
        StepOutput
            Data at the next time, and the clean data.

        Raises
        ------
        DataError
            If the time is none of `timesteps`, `eta` is not within 0 to 1, or data are not above 0.
        """
        import torch

        _check_above_zero(sample)
        v, s = self._times(timestep, eta)
        log_clean = self._log_clean(model_output, sample, v)
        noise = sample.log() - log_clean - (self.mu - 0.5) * v
        spread = eta**2 * s * (v - s) / v
        log_next = log_clean + (self.mu - 0.5) * s + float(np.sqrt((s - spread) / v)) * noise
        if spread > 0:
            log_next = log_next + float(np.sqrt(spread)) * torch.randn(sample.shape, generator=generator).to(sample)
        return StepOutput(log_next.exp(), log_clean.exp())

    def _times(self, timestep: Any, eta: float) -> tuple[float, float]:
        """Variances at a time and at the one after it."""
        place = (self.timesteps == int(timestep)).nonzero()
        if not len(place) or not 0 <= eta <= 1:
            raise DataError(f"timestep must be one of scheduler.timesteps and eta within 0 to 1, got {int(timestep)} and {eta}")
        following = self.timesteps[int(place[0]) + 1 :]
        return float(self.variances[int(timestep)]), float(self.variances[int(following[0])]) if len(following) else 0.0

    def _log_clean(self, model_output: Tensor, sample: Tensor, v: float) -> Tensor:
        """Logarithm of the clean data, from whatever the network gives."""
        if self.prediction_type == "sample":
            return model_output
        noise = model_output if self.prediction_type == "epsilon" else -float(np.sqrt(v)) * (model_output + 1)
        return sample.log() - (self.mu - 0.5) * v - float(np.sqrt(v)) * noise

    def _variance(self, timesteps: Tensor, like: Tensor) -> Tensor:
        """Variances (n, 1, ...) beside data (n, ...)."""
        v: Tensor = self.variances[timesteps.cpu()].to(like)
        return v.reshape(-1, *[1] * (like.ndim - 1))


def _check_above_zero(data: Tensor) -> None:
    lowest = float(data.min()) if data.numel() else 1.0
    if not lowest > 0:
        raise DataError(f"multiplicative noise is for data above 0, the lowest value is {lowest}: add a small constant")
