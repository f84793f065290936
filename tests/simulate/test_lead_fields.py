"""Lead fields: what physics and the layout demand of them."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.simulate.lead_fields import CENTRE, Dipoles, draw_dipoles, lead_field_of, of_subject, sensor_table


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def turned(dipoles: Dipoles, angle: float) -> Dipoles:
    """The dipoles turned about the vertical axis of the head."""
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return Dipoles((dipoles.positions - CENTRE) @ turn.T + CENTRE, dipoles.moments @ turn.T)


@pytest.mark.parametrize(("lead_field", "kind"), [("disc", "eeg"), ("sphere", "eeg"), ("sphere", "mag")])
def test_columns_have_length_one(lead_field: str, kind: str) -> None:
    sensors = sensor_table(lead_field, 20, "biosemi64", kind, generator())
    seen = lead_field_of(sensors, lead_field, draw_dipoles(lead_field, 30, generator()))
    assert seen.shape == (20, 30)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=0), 1)


@pytest.mark.parametrize("lead_field", ["disc", "sphere"])
def test_sensors_have_places_on_the_layout(lead_field: str) -> None:
    sensors = sensor_table(lead_field, 24, "biosemi64", "eeg", generator())
    layout = sensors[["layout_x", "layout_y"]].to_numpy()
    assert ((layout >= 0) & (layout <= 1)).all()
    assert sensors["name"].is_unique
    assert sensors[["x", "y", "z"]].isna().to_numpy().all() == (lead_field == "disc")


def test_sensors_of_a_montage_are_spread() -> None:
    few = sensor_table("sphere", 8, "biosemi64", "eeg", generator())
    outward = (few[["x", "y", "z"]].to_numpy() - CENTRE) / 0.09
    apart = np.linalg.norm(outward[:, None] - outward, axis=-1) + 9 * np.eye(8)
    assert apart.min() > 0.8
    np.testing.assert_allclose(np.linalg.norm(outward, axis=1), 1)
    assert len(sensor_table("sphere", 64, "biosemi64", "eeg", generator())) == 64


def test_magnetometers_lie_over_the_electrodes_and_see_no_radial_current() -> None:
    sensors = sensor_table("sphere", 30, "biosemi64", "mag", generator())
    assert np.allclose(np.linalg.norm(sensors[["x", "y", "z"]].to_numpy() - CENTRE, axis=1), 0.11)
    oblique = draw_dipoles("sphere", 12, generator())
    outward = oblique.positions - CENTRE
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    tangential = oblique.moments - (oblique.moments * outward).sum(axis=1, keepdims=True) * outward
    seen = [lead_field_of(sensors, "sphere", Dipoles(oblique.positions, m)) for m in (oblique.moments, tangential)]
    np.testing.assert_allclose(*seen, atol=1e-6)
    electrodes = sensor_table("sphere", 30, "biosemi64", "eeg", generator())
    both = [lead_field_of(electrodes, "sphere", Dipoles(oblique.positions, m)) for m in (oblique.moments, tangential)]
    assert np.abs(both[0] - both[1]).max() > 0.1


@pytest.mark.parametrize("kind", ["eeg", "mag"])
def test_the_sphere_looks_the_same_from_all_sides(kind: str) -> None:
    sensors = sensor_table("sphere", 40, "biosemi64", kind, generator())
    dipoles = draw_dipoles("sphere", 6, generator())
    moved = turned(Dipoles(sensors[["x", "y", "z"]].to_numpy(), dipoles.moments[:1].repeat(40, 0)), 0.7).positions
    around = sensors.assign(**dict(zip("xyz", moved.T, strict=True)))
    np.testing.assert_allclose(
        lead_field_of(around, "sphere", turned(dipoles, 0.7)), lead_field_of(sensors, "sphere", dipoles), atol=1e-5
    )


def test_electrodes_over_the_head_of_an_outward_dipole_are_positive() -> None:
    sensors = sensor_table("sphere", 64, "biosemi64", "eeg", generator())
    up = Dipoles(np.array([[0, 0, 0.065]]) + CENTRE, np.array([[0.0, 0.0, 1.0]]))
    seen = lead_field_of(sensors, "sphere", up)[:, 0]
    assert sensors["name"][int(np.argmax(seen))] == "Cz"
    assert seen[list(sensors["name"]).index("Iz")] < 0


def test_dipoles_of_a_disc_have_two_lobes_across_their_direction() -> None:
    sensors = sensor_table("disc", 500, "biosemi64", "eeg", generator())
    seen = lead_field_of(sensors, "disc", Dipoles(np.zeros((1, 2)), np.array([[1.0, 0.0]])))[:, 0]
    side = 2 * sensors["layout_x"].to_numpy() - 1
    assert (np.sign(seen) == np.sign(side)).all()
    assert abs(side[np.argmax(seen)]) == pytest.approx(0.35, abs=0.08)


@pytest.mark.parametrize(("lead_field", "radius"), [("disc", 1.0), ("sphere", 0.09)])
def test_subjects_differ_as_much_as_they_should(lead_field: str, radius: float) -> None:
    group = draw_dipoles(lead_field, 4000, generator())
    own = of_subject(group, lead_field, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(own.moments, axis=1), 1)
    cosine = (own.moments * group.moments).sum(axis=1).mean()
    assert 0.7 < cosine < 0.9
    if lead_field == "disc":
        assert (own.positions - group.positions).std() == pytest.approx(0.15 * radius, rel=0.05)
    else:
        depth = np.linalg.norm(own.positions - CENTRE, axis=1)
        assert 0.05 - 1e-9 <= depth.min() < depth.max() <= 0.075 + 1e-9
