"""The trainer: what it computes, which weights it keeps, what it refuses, and that a run goes on where it was."""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from training_runs import N_STEPS, SETTINGS, contrast, fit, network, world

from neurodecode.errors import ConfigError, DataError, OutputExistsError, SplitLeakError
from neurodecode.train import ArrayDataset, Trainer, clip_loss, load_checkpoint, read_curve
from neurodecode.train.objective import LogitScale
from neurodecode.train.sampler import BatchSampler

Batch = dict[str, torch.Tensor]


def squares(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
    return (model(batch["x"]) - batch["y"]).square().mean()


def train(loss: Any = squares, validation: Any = None, folder: Path | None = None, resume: bool = False, **settings: Any) -> Any:
    model = network(dropout=0.0)
    data = settings.pop("train", None) or world()
    result = Trainer(**{**SETTINGS, **settings}).fit(
        model, loss, data, validation=validation, folder=folder, resume=resume, callbacks=settings.pop("callbacks", ())
    )
    return model, result


def same(a: nn.Module, b: nn.Module, **tolerance: float) -> None:
    for (name, left), right in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(left, right, msg=name, **({"rtol": 0, "atol": 0} | tolerance))


class TestSteps:
    def test_it_is_a_bare_loop(self) -> None:
        model, result = train(optimizer="adam", clip=0.3)
        bare = network(dropout=0.0)
        optimizer = torch.optim.Adam(bare.parameters(), lr=SETTINGS["lr"])
        losses, data = [], world()
        for epoch in range(SETTINGS["epochs"]):
            for rows in BatchSampler(len(data), SETTINGS["batch_size"]).epoch(epoch):
                loss = squares(bare, data.batch(rows), 0.0)
                loss.backward()
                nn.utils.clip_grad_norm_(bare.parameters(), 0.3)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(float(loss.detach()))
        same(model, bare, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(result.curve["loss"], losses, rtol=1e-5)

    def test_accumulated_batches_are_one_large_batch(self) -> None:
        large, _ = train(batch_size=40, optimizer="sgd", lr=0.05)
        small, result = train(batch_size=20, accumulate=2, optimizer="sgd", lr=0.05)
        same(large, small, rtol=1e-5, atol=1e-6)
        assert result.step == SETTINGS["epochs"] * 2

    def test_the_short_last_batch_counts_by_its_samples(self) -> None:
        large, _ = train(batch_size=80, optimizer="sgd", lr=0.05)
        small, _ = train(batch_size=30, accumulate=3, drop_last=False, optimizer="sgd", lr=0.05)
        same(large, small, rtol=1e-5, atol=1e-6)

    def test_decay_is_for_matrices(self) -> None:
        model = nn.Linear(12, 6)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        Trainer(**{**SETTINGS, "epochs": 1, "lr": 0.1, "weight_decay": 0.1}).fit(
            model, lambda m, b, p: 0.0 * m(b["x"]).sum(), world()
        )
        torch.testing.assert_close(model.weight, before["weight"] * 0.99**5)
        torch.testing.assert_close(model.bias, before["bias"])

    def test_rates_and_progress(self) -> None:
        seen: list[float] = []

        def loss(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            seen.append(progress)
            return squares(model, batch, progress)

        _, result = train(loss, schedule="cosine", warmup=0.1)
        np.testing.assert_allclose(seen, np.arange(N_STEPS) / N_STEPS)
        rates = result.curve["lr"].to_numpy()
        assert rates.argmax() == 2
        assert rates[2] == pytest.approx(SETTINGS["lr"])
        assert rates[-1] < 0.02 * SETTINGS["lr"]

    def test_bfloat16_keeps_float32_weights(self) -> None:
        kinds = set()

        def loss(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            out = model(batch["x"])
            kinds.add(out.dtype)
            return clip_loss(out, batch["y"])

        model, half = train(loss, precision="bf16")
        _, single = train(contrast)
        assert kinds == {torch.bfloat16}
        assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
        assert half.curve["loss"].iloc[-1] < half.curve["loss"].iloc[0]
        assert len(half.curve) == len(single.curve)

    def test_what_a_loss_learns_is_trained_and_stored(self, tmp_path: Path) -> None:
        class Scaled(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.scale = LogitScale()

            def forward(self, model: nn.Module, batch: Batch, progress: float) -> dict[str, torch.Tensor]:
                return {"loss": clip_loss(model(batch["x"]), batch["y"], temperature=1 / self.scale()), "scale": self.scale()}

        loss = Scaled()
        assert float(loss.scale().detach()) == pytest.approx(1 / 0.07)
        _, result = train(loss, folder=tmp_path)
        assert abs(result.curve["scale"].iloc[-1] - 1 / 0.07) > 1e-3
        stored = load_checkpoint(tmp_path / "checkpoints").tensors["loss"]["scale.log_scale"]
        assert float(stored.exp()) == pytest.approx(float(loss.scale().detach()))
        again = Scaled()
        train(again, folder=tmp_path, resume=True)
        assert float(again.scale().detach()) == float(loss.scale().detach())


class TestWhichWeights:
    def test_the_best_validation_comes_back(self) -> None:
        """The validated value is prescribed: it is best after the second epoch."""
        values, weights = iter([3.0, 1.0, 2.0, 4.0]), []

        def loss(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            if model.training:
                return squares(model, batch, progress)
            weights.append([p.clone() for p in model.parameters()])
            return torch.tensor(next(values))

        model, result = train(loss, validation=world("validation", 16))
        assert (result.best_step, result.best_value, result.stopped) == (10, 1.0, "finished")
        assert all(torch.equal(p, kept) for p, kept in zip(model.parameters(), weights[1], strict=True))
        assert result.curve["validation_loss"].dropna().tolist() == [3.0, 1.0, 2.0, 4.0]
        assert not model.training

    @pytest.mark.parametrize("stored", [False, True])
    def test_patience_and_the_folder_make_no_difference(self, tmp_path: Path, stored: bool) -> None:
        values = iter([3.0, 1.0, 2.0, 4.0, 5.0, 0.0])

        def loss(model: nn.Module, batch: Batch, progress: float) -> dict[str, torch.Tensor]:
            value = squares(model, batch, progress)
            return {"loss": value, "score": -value if model.training else -torch.tensor(next(values))}

        options = {"validation": world("validation", 16), "patience": 2, "epochs": 6, "monitor": "score", "mode": "max"}
        _, result = train(loss, folder=tmp_path if stored else None, **options)
        assert (result.best_step, result.best_value, result.stopped, result.step) == (10, -1.0, "patience", 20)
        if stored:
            assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
                "latest", "step-000000010", "step-000000015", "step-000000020"
            ]  # fmt: skip
            _, resumed = train(loss, folder=tmp_path, resume=True, **options)
            assert (resumed.stopped, resumed.step) == ("patience", 20)

    def test_averages_are_validated_and_kept(self) -> None:
        trained: list[dict[str, torch.Tensor]] = []

        def loss(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            if model.training:
                trained.append({name: value.detach().clone() for name, value in model.state_dict().items()})
            return squares(model, batch, progress)

        model, _ = train(loss, ema=0.5)
        average = trained[0]
        final, _ = train()
        for k, weights in enumerate([*trained[1:], dict(final.state_dict())]):
            rate = min(0.5, (1 + k) / (10 + k))
            average = {name: rate * value + (1 - rate) * weights[name] for name, value in average.items()}
        for name, value in model.state_dict().items():
            torch.testing.assert_close(value, average[name], rtol=1e-5, atol=1e-6)

    def test_validation_takes_no_random_numbers_from_the_training(self) -> None:
        def noisy(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            return squares(model, {**batch, "x": batch["x"] + torch.randn_like(batch["x"])}, progress)

        _, with_validation = train(noisy, validation=world("validation", 16))
        _, without = train(noisy)
        assert with_validation.curve["loss"].tolist() == without.curve["loss"].tolist()


class TestRuns:
    def test_same_seed_same_result_and_another_seed_another(self) -> None:
        (a, first), (b, second), (_, other) = fit(), fit(), fit(seed=1)
        same(a, b)
        assert first.curve.equals(second.curve)
        assert not first.curve.equals(other.curve)

    def test_streams_of_the_caller_are_left_alone(self) -> None:
        def state() -> Any:
            return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

        before = state()
        fit()
        assert state() == before

    def test_deterministic_algorithms_are_asked_for_during_the_training_only(self) -> None:
        seen = []

        def loss(model: nn.Module, batch: Batch, progress: float) -> torch.Tensor:
            seen.append(torch.are_deterministic_algorithms_enabled())
            return squares(model, batch, progress)

        train(loss, deterministic=True, epochs=1)
        assert set(seen) == {True}
        assert not torch.are_deterministic_algorithms_enabled()

    def test_lines_of_metrics(self, tmp_path: Path) -> None:
        lines: list[dict[str, Any]] = []
        model = network()
        trainer = Trainer(**{**SETTINGS, "log_every": 2})
        result = trainer.fit(model, squares, world(), validation=world("validation"), folder=tmp_path, callbacks=[lines.append])
        written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
        assert written == lines
        assert [line["step"] for line in written] == [2, 4, 5, 6, 8, 10, 12, 14, 15, 16, 18, 20]
        assert [line["epoch"] for line in written if "validation_loss" in line] == [0, 1, 2, 3]
        assert read_curve(tmp_path).equals(result.curve)

    def test_a_run_without_folder_writes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        train(validation=world("validation"))
        assert list(tmp_path.iterdir()) == []

    def test_a_finished_run_resumes_to_the_same(self, tmp_path: Path) -> None:
        model, result = fit(tmp_path)
        again, resumed = fit(tmp_path, resume=True)
        same(model, again)
        assert resumed.curve.equals(result.curve)

    def test_resuming_nothing_begins(self, tmp_path: Path) -> None:
        _, result = fit(tmp_path / "new", resume=True)
        assert result.step == N_STEPS

    def test_a_loader_with_workers_gives_the_same(self) -> None:
        class Augmented(torch.utils.data.Dataset):  # type: ignore[type-arg]
            def __len__(self) -> int:
                return 48

            def __getitem__(self, i: int) -> dict[str, Any]:
                row = world().batch(np.array([i]))
                return {"x": row["x"][0] + 0.1 * torch.randn(12), "y": row["y"][0] * (1 + 0.1 * random.random())}

        _, here = train(train=Augmented(), epochs=2)
        _, elsewhere = train(train=Augmented(), epochs=2, workers=2)
        assert here.curve.equals(elsewhere.curve)
        assert len(here.curve) == 6


class TestRefused:
    @pytest.mark.parametrize("split", ["test", "Test set", "subject1_test", "held-out"])
    @pytest.mark.parametrize("side", ["train", "validation"])
    def test_a_test_split(self, split: str, side: str) -> None:
        with pytest.raises(SplitLeakError, match=split):
            train(**{side: ArrayDataset(split, **world().arrays)})

    def test_names_that_only_hold_the_letters(self) -> None:
        train(train=ArrayDataset("latest", **world().arrays), epochs=1)

    def test_a_folder_that_holds_a_run(self, tmp_path: Path) -> None:
        fit(tmp_path)
        with pytest.raises(OutputExistsError, match="up to step 20"):
            fit(tmp_path)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [({"lr": 0.1}, "lr was 0.003 and is 0.1"), ({"batch_size": 8, "seed": 3}, "batch_size was 16 and is 8, seed was 0")],
    )
    def test_resuming_with_other_settings(self, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
        fit(tmp_path)
        with pytest.raises(DataError, match=message):
            fit(tmp_path, resume=True, **settings)
        fit(tmp_path, resume=True, checkpoint_every=7)

    def test_resuming_another_network_or_other_data(self, tmp_path: Path) -> None:
        train(folder=tmp_path)
        with pytest.raises(DataError, match="of another network"):
            Trainer(**SETTINGS).fit(nn.Linear(12, 6), squares, world(), folder=tmp_path, resume=True)
        with pytest.raises(DataError, match="n_samples was 80 and is 64"):
            train(train=world(n=64), folder=tmp_path, resume=True)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"epoch": 3}, "epochs"),
            ({"lr": -1.0}, "lr: .*-1.0"),
            ({"precision": "fp16"}, "precision"),
            ({"mode": "maximum"}, "mode"),
        ],
    )
    def test_settings(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Trainer(**settings)

    def test_tensorboard_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
        with pytest.raises(ConfigError, match="pip install tensorboard"):
            train(folder=tmp_path, tensorboard=True)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"patience": 3}, "patience=3 needs validation"),
            ({"batch_size": 100}, "80 samples do not fill one batch of 100"),
            ({"train": {"x": np.ones(4), "y": np.ones(5)}}, "one length"),
            ({"train": 3}, "mapping of arrays"),
            ({"validation": {"x": np.zeros((4, 12)), "y": np.ones((4, 6))}, "monitor": "los"}, "did you mean 'loss'"),
            ({"loss": lambda m, b, p: m(b["x"])}, r"'loss': torch.Size"),
            ({"loss": lambda m, b, p: {"mse": squares(m, b, p)}}, "mse"),
            ({"loss": lambda m, b, p: squares(m, b, p) * float("nan")}, "nan at step 1"),
        ],
    )
    def test_arguments(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(DataError, match=message):
            train(**options)

    def test_a_network_without_parameters(self) -> None:
        with pytest.raises(DataError, match="nothing to train"):
            Trainer(**SETTINGS).fit(nn.Identity(), squares, world())


def test_a_run_that_is_copied_goes_on(tmp_path: Path) -> None:
    """Nothing in a folder knows where it is."""
    _, whole = fit(tmp_path / "a", checkpoint_every=6)
    for step in (15, 18, 20):
        shutil.rmtree(tmp_path / "a" / "checkpoints" / f"step-{step:09d}", ignore_errors=True)
    assert whole.step == N_STEPS
    left = sorted(p.name for p in (tmp_path / "a" / "checkpoints").iterdir())
    shutil.move(tmp_path / "a", tmp_path / "b")
    _, again = fit(tmp_path / "b", resume=True, checkpoint_every=6)
    assert again.curve.equals(whole.curve), left
