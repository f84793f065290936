"""Geometric Brownian motion as a scheduler: log-normal marginals, positive data, the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest

from neurodecode.errors import DataError
from neurodecode.generate import MultiplicativeScheduler

M, S = 0.3, 0.5  # mean and standard deviation of the logarithm of the toy data


def toy(n: int, seed: int = 0) -> torch.Tensor:
    """Log-normal data."""
    return torch.from_numpy(np.random.default_rng(seed).lognormal(M, S, n))


def exact_denoiser(scheduler: MultiplicativeScheduler, x: torch.Tensor, timestep: int) -> torch.Tensor:
    """Posterior mean of the logarithm of the clean toy data, in closed form."""
    v = float(scheduler.variances[timestep])
    return M + S**2 / (S**2 + v) * (x.log() - (scheduler.mu - 0.5) * v - M)


def as_prediction(scheduler: MultiplicativeScheduler, x: torch.Tensor, timestep: int) -> torch.Tensor:
    """The same, as the network of this prediction type gives it."""
    v, clean = float(scheduler.variances[timestep]), exact_denoiser(scheduler, x, timestep)
    noise = (x.log() - clean - (scheduler.mu - 0.5) * v) / v**0.5
    return {"sample": clean, "epsilon": noise, "score": -1 - noise / v**0.5}[scheduler.prediction_type]


def walk(scheduler: MultiplicativeScheduler, n: int, steps: int, eta: float, seed: int = 0) -> list[torch.Tensor]:
    """Samples at the prior and after each step."""
    source = torch.Generator().manual_seed(seed)
    scheduler.set_timesteps(steps)
    x = scheduler.sample_prior((n,), log_mean=M, log_std=S, generator=source).double()
    path = [x]
    for timestep in scheduler.timesteps:
        output = as_prediction(scheduler, x, int(timestep))
        x = scheduler.step(output, timestep, x, eta=eta, generator=source).prev_sample
        path.append(x)
    return path


def normal_p(values: torch.Tensor, mean: float, deviation: float) -> float:
    """Kolmogorov-Smirnov p of a normal logarithm."""
    return float(kstest(values.log().numpy(), "norm", args=(mean, deviation)).pvalue)


class TestForward:
    @pytest.mark.parametrize("mu", [0.0, 0.5, 1.0])
    @pytest.mark.parametrize("timestep", [0, 400, 999])
    def test_the_marginal_is_log_normal(self, mu: float, timestep: int) -> None:
        scheduler = MultiplicativeScheduler(mu=mu)
        noise = torch.randn(4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        noisy = scheduler.add_noise(toy(4000), noise, torch.full((4000,), timestep))
        v = float(scheduler.variances[timestep])
        assert (noisy > 0).all()
        assert normal_p(noisy, M + (mu - 0.5) * v, np.sqrt(S**2 + v)) > 0.01
        assert normal_p(noisy, M + (mu - 0.5) * v + 0.2 * np.sqrt(S**2 + v), np.sqrt(S**2 + v)) < 1e-6  # the test can fail

    def test_it_is_the_law_of_the_stochastic_equation(self) -> None:
        """Euler steps of dX = mu X dv + X dW against one multiplication."""
        scheduler, rng = MultiplicativeScheduler(sigma_max=1.0, mu=0.8), np.random.default_rng(2)
        x0 = toy(3000).numpy()
        x, n = x0.copy(), 1000
        for _ in range(n):
            x = x + 0.8 * x / n + x * rng.standard_normal(len(x)) / np.sqrt(n)
        noise = torch.from_numpy(rng.standard_normal(len(x0)))
        jump = scheduler.add_noise(torch.from_numpy(x0), noise, torch.full((len(x0),), 999))
        assert ks_2samp(x, jump.numpy()).pvalue > 0.01

    @pytest.mark.parametrize(("mu", "kept"), [(0.0, torch.mean), (0.5, torch.median)])
    def test_drift_keeps_mean_or_median(self, mu: float, kept: object) -> None:
        scheduler = MultiplicativeScheduler(sigma_max=0.5, mu=mu)
        noise = torch.randn(200000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        noisy = scheduler.add_noise(torch.full((200000,), 7.0, dtype=torch.float64), noise, torch.full((200000,), 999))
        assert float(kept(noisy)) == pytest.approx(7.0, rel=0.01)  # type: ignore[operator]

    def test_each_row_has_its_own_time(self) -> None:
        scheduler = MultiplicativeScheduler()
        noisy = scheduler.add_noise(torch.ones(2, 3, 4), torch.ones(2, 3, 4), torch.tensor([0, 999]))
        expected = scheduler.variances[[0, 999]].sqrt().exp()
        torch.testing.assert_close(noisy[:, 0, 0].double(), expected, rtol=1e-5, atol=0)

    def test_the_score_is_the_derivative_of_the_log_density(self) -> None:
        """Target of multiplicative score matching by autograd through the log-normal density."""
        scheduler = MultiplicativeScheduler(mu=0.2)
        x0, noise, t = toy(6), torch.linspace(-2, 2, 6, dtype=torch.float64), torch.full((6,), 500)
        x = scheduler.add_noise(x0, noise, t).requires_grad_()
        v = scheduler.variances[500]
        law = torch.distributions.LogNormal(x0.log() + (0.2 - 0.5) * v, v.sqrt())
        (slope,) = torch.autograd.grad(law.log_prob(x).sum(), x)
        torch.testing.assert_close(scheduler.get_score(noise, t), x.detach() * slope, rtol=1e-8, atol=1e-8)


class TestBackward:
    @pytest.mark.parametrize("eta", [0.0, 1.0])
    @pytest.mark.parametrize("prediction", ["epsilon", "sample", "score"])
    def test_samples_are_positive_and_distributed_as_the_data(self, eta: float, prediction: str) -> None:
        path = walk(MultiplicativeScheduler(prediction_type=prediction), 4000, 300, eta)
        assert all((x > 0).all() for x in path)
        assert normal_p(path[-1], M, S) > 0.01

    def test_every_marginal_on_the_way_matches(self) -> None:
        scheduler = MultiplicativeScheduler(mu=0.0)
        path = walk(scheduler, 4000, 300, 1.0, seed=4)
        for i in (0, 100, 200, 299):
            v = float(scheduler.variances[scheduler.timesteps[i]])
            assert normal_p(path[i], M - 0.5 * v, np.sqrt(S**2 + v)) > 0.01

    def test_a_learned_denoiser_does_too(self) -> None:
        """Least squares on noisy data in place of the closed form."""
        scheduler, rng = MultiplicativeScheduler(), np.random.default_rng(5)
        scheduler.set_timesteps(200)
        x0, source = toy(4000), torch.Generator().manual_seed(6)
        x = scheduler.sample_prior((4000,), log_mean=M, log_std=S, generator=source).double()
        for timestep in scheduler.timesteps:
            noise = torch.from_numpy(rng.standard_normal(len(x0)))
            noisy = scheduler.add_noise(x0, noise, timestep.expand(len(x0)))
            slope, offset = np.polyfit(noisy.log().numpy(), noise.numpy(), 1)
            x = scheduler.step(slope * x.log() + offset, timestep, x, generator=source).prev_sample
        assert (x > 0).all()
        assert ks_2samp(x.numpy(), toy(4000, 9).numpy()).pvalue > 0.01

    def test_the_true_answer_is_reached_in_one_step(self) -> None:
        scheduler = MultiplicativeScheduler(prediction_type="sample")
        scheduler.set_timesteps(1)
        x0 = toy(5)
        out = scheduler.step(x0.log(), 999, torch.full((5,), 3.0, dtype=torch.float64))
        torch.testing.assert_close(out.prev_sample, x0)
        torch.testing.assert_close(out.pred_original_sample, x0)

    def test_same_seed_same_samples(self) -> None:
        paths = [walk(MultiplicativeScheduler(), 50, 10, 1.0, seed)[-1] for seed in (1, 1, 2)]
        assert torch.equal(paths[0], paths[1])
        assert not torch.equal(paths[0], paths[2])

    def test_without_noise_the_way_back_is_one_to_one(self) -> None:
        first, second = (walk(MultiplicativeScheduler(), 30, 20, 0.0)[-1] for _ in range(2))
        assert torch.equal(first, second)

    def test_times_descend_from_the_last_to_the_first(self) -> None:
        scheduler = MultiplicativeScheduler(100)
        scheduler.set_timesteps(7)
        times = scheduler.timesteps.tolist()
        assert times == sorted(times, reverse=True)
        assert (times[0], times[-1], len(times), len(scheduler)) == (99, 0, 7, 100)
        assert scheduler.scale_model_input(torch.ones(2), 5).tolist() == [1, 1]


class TestRefusals:
    @pytest.mark.parametrize(
        "wrong",
        [{"sigma_min": 0.0}, {"sigma_min": 5.0}, {"num_train_timesteps": 1}, {"mu": np.nan}, {"prediction_type": "noise"}],
    )
    def test_parameters(self, wrong: dict) -> None:
        with pytest.raises(DataError):
            MultiplicativeScheduler(**wrong)

    @pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
    def test_data_that_are_not_positive(self, value: float) -> None:
        data = torch.tensor([1.0, value])
        with pytest.raises(DataError, match="above 0"):
            MultiplicativeScheduler().add_noise(data, torch.zeros(2), torch.tensor([0, 0]))

    @pytest.mark.parametrize("steps", [0, 1001])
    def test_numbers_of_steps(self, steps: int) -> None:
        with pytest.raises(DataError, match=str(steps)):
            MultiplicativeScheduler().set_timesteps(steps)

    @pytest.mark.parametrize(("time", "eta"), [(998, 1.0), (999, 1.5), (999, -0.1)])
    def test_a_time_that_is_not_visited(self, time: int, eta: float) -> None:
        scheduler = MultiplicativeScheduler()
        scheduler.set_timesteps(2)
        with pytest.raises(DataError, match=f"{time} and {eta}"):
            scheduler.step(torch.zeros(2), time, torch.ones(2), eta=eta)
