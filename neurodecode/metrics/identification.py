"""Which image was it? Scores of features of images and of their reconstructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurodecode.data.validate import check_option
from neurodecode.metrics._alike import TIE, Floats, as_pairs, paired_similarity, similarity

_NAMES = ("true_features", "reconstructed_features")


def two_way_identification(
    true_features: ArrayLike,
    reconstructed_features: ArrayLike,
    direction: str = "reconstruction",
    ties: str = "lose",
) -> Floats:
    r"""Share of comparisons with one other image that the right pair wins, per image.

    With the Pearson correlation :math:`R_{ij}` of the features of image i with those of reconstruction j, reconstruction j
    scores :math:`\frac{1}{n - 1} \sum_{i \ne j} [R_{ij} < R_{jj}]`: it is held against all other images, as the code of the
    field does (Ozcelik and VanRullen 2023, Scotti et al. 2024). Their texts describe the transposed comparison, one image held
    against all other reconstructions: ``direction="truth"``. The mean over images is what is published.

    Chance 0.5, best 1. Ties do not count, so that features that are the same for all images score 0.

    Parameters
    ----------
    true_features, reconstructed_features : array_like of shape (n_images, ...)
        Features in one order; further axes are flattened. At least two images.
    direction : str
        ``"reconstruction"``: each reconstruction against all images; ``"truth"``: each image against all reconstructions.
    ties : str
        ``"lose"`` as published, or ``"half"``: a tie counts one half, so that features without any information are at chance.

    Returns
    -------
    array of shape (n_images,)
        One score per image. An image whose features do not vary correlates 0 with everything.

    Raises
    ------
    DataError
        If shapes differ, there are fewer than two images, a feature is NaN, or an option is unknown.

    References
    ----------
    Ozcelik and VanRullen (2023), Natural scene reconstruction from fMRI signals using generative latent diffusion.
    """
    check_option("direction", direction, ("reconstruction", "truth"))
    check_option("ties", ties, ("lose", "half"))
    true, made = as_pairs(true_features, reconstructed_features, _NAMES, least=2)
    return wins(similarity(true, made), np.arange(len(true)), direction, ties)


def wins(alike: Floats, order: NDArray[np.intp], direction: str = "reconstruction", ties: str = "lose") -> Floats:
    """Share of two-way comparisons that each pair wins, for any pairing of images and reconstructions.

    Parameters
    ----------
    alike : NDArray[np.float64]
        Similarity of each image (rows) with each reconstruction (columns), shape (n_images, n_images).
    order : array of shape (n_images,)
        Image that is held to be the right one of each reconstruction.
    direction, ties : str
        As in `two_way_identification`.

    Returns
    -------
    NDArray[np.float64]
        Shape (n_images,), per reconstruction.
    """
    own = alike[order, np.arange(len(order))]
    lead = own[:, None] - (alike.T if direction == "reconstruction" else alike[order])
    drawn = (np.abs(lead) <= TIE).sum(axis=1) - 1  # the pair itself is no rival
    won = (lead > TIE).sum(axis=1) + (drawn / 2 if ties == "half" else 0.0)
    return np.asarray(won / (len(order) - 1), np.float64)


def feature_distance(true_features: ArrayLike, reconstructed_features: ArrayLike) -> Floats:
    """Correlation distance of the features of each image and of its reconstruction: 1 - Pearson.

    Best 0; lower is better. Chance 1 for features that have nothing in common; those of natural images resemble each other, and
    the distance of wrong pairs, which `image_report` measures, is somewhat below 1. The mean over images is what is published.

    Parameters
    ----------
    true_features, reconstructed_features : array_like of shape (n_images, ...)
        Features in one order; further axes are flattened.

    Returns
    -------
    array of shape (n_images,)
        From 0 to 2; 1 where the features of either do not vary.

    Raises
    ------
    DataError
        If shapes differ, there is no image, or a feature is NaN.
    """
    return np.asarray(1 - paired_similarity(*as_pairs(true_features, reconstructed_features, _NAMES)))
