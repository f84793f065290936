"""Losses between predicted and target embeddings: pure functions on tensors, in float32 also under autocast.

Rows are samples; what follows (features, tokens, time) is flattened. Row i of the predictions belongs to row i of the targets.
NaN spreads to the loss. Chance for a contrastive loss over n candidates without any information is log n.

To let the negatives of all processes count, pass what `neurodecode.train.gather.gather_batch` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from neurodecode.data.validate import check_option, check_positive
from neurodecode.errors import DataError
from neurodecode.train.mixing import Mixed as Mixed
from neurodecode.train.mixing import mix_samples as mix_samples

if TYPE_CHECKING:
    from torch import Tensor

Normalize = Literal["x", "y", "xy"] | None
_TINY = 1e-12  # a row of zeros has no direction: it stays zero


def clip_loss(
    predicted: Tensor,
    targets: Tensor,
    *,
    temperature: float | Tensor = 0.07,
    normalize: Normalize = "xy",
    symmetric: bool = True,
    positive_mask: Tensor | None = None,
) -> Tensor:
    r"""Contrastive cross-entropy (InfoNCE): each prediction should be nearer to its own target than to the others.

    .. math:: L = -\frac1n \sum_i \log\frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}}, \qquad s_{ij} = \langle x_i, y_j\rangle / \tau

    and, where it is symmetric, the mean of this and of the same over columns.

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Embeddings x and y.
    temperature : float or Tensor
        :math:`\tau`. Learnable where it is a tensor, e.g. ``1 / LogitScale()()``.
    normalize : {"xy", "x", "y", None}
        Which side is brought to unit length: predictions, targets, both, none.
    symmetric : bool
        Also ask each target for its prediction.
    positive_mask : Tensor of shape (n, n), bool, optional
        True where two rows share a stimulus, as `same_stimulus` gives it: such a pair is no negative and is left out of the
        denominator. The diagonal counts whatever it holds.

    Returns
    -------
    Tensor of shape ()
        Mean over rows; 0 is the best.

    Raises
    ------
    DataError
        If shapes differ or an option is unknown.

    References
    ----------
    van den Oord et al., arXiv:1807.03748 (2018); Radford et al., ICML (2021). One direction with ``normalize="y"`` and
    ``temperature=1``: Défossez et al., Nature Machine Intelligence 5:1097 (2023), whose published negatives are those of one
    device, so that the number of devices changes the loss; ours are those that are passed in.
    """
    logits = similarity(predicted, targets, temperature=temperature, normalize=normalize)
    if positive_mask is not None:
        logits = logits.masked_fill(_off_diagonal(positive_mask, logits), float("-inf"))
    loss = -logits.log_softmax(1).diagonal().mean()
    return (loss - logits.log_softmax(0).diagonal().mean()) / 2 if symmetric else loss


def siglip_loss(
    predicted: Tensor,
    targets: Tensor,
    *,
    scale: float | Tensor = 10.0,
    bias: float | Tensor = -10.0,
    positive_mask: Tensor | None = None,
    duplicate_cosine: float | None = 0.999,
) -> Tensor:
    r"""Sigmoid loss over all pairs, in which equal stimuli are positives.

    .. math:: L = -\frac1n \sum_{ij} \log\sigma\big(z_{ij} (a \cos(x_i, y_j) + b)\big), \qquad z_{ij} = \pm 1

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Embeddings x and y.
    scale, bias : float or Tensor
        a and b; learnable where they are tensors.
    positive_mask : Tensor of shape (n, n), bool, optional
        True where two rows share a stimulus: such pairs are positives, as the diagonal is.
    duplicate_cosine : float or None
        Without a mask, targets of at least this cosine are taken for one stimulus; None takes the diagonal alone.

    Returns
    -------
    Tensor of shape ()
        Sum over pairs divided by n; 0 is the best.

    Raises
    ------
    DataError
        If shapes differ.

    References
    ----------
    Zhai et al., ICCV (2023), where duplicates are negatives.
    """
    import torch

    logits = similarity(predicted, targets) * scale + bias
    positive = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    if positive_mask is not None:
        positive = positive | _off_diagonal(positive_mask, logits)
    elif duplicate_cosine is not None:
        positive = positive | (similarity(targets, targets).detach() >= duplicate_cosine)
    signs = positive.to(logits.dtype) * 2 - 1
    zero = logits.new_zeros(())
    return zero.logaddexp(-signs * logits).sum() / len(logits)


def mixco(
    predicted: Tensor,
    targets: Tensor,
    partner: Tensor,
    weight: Tensor,
    *,
    temperature: float | Tensor = 0.006,
    symmetric: bool = False,
) -> Tensor:
    r"""InfoNCE for predictions from mixed inputs: both targets count, each by its part of the mixture.

    .. math:: L = -\frac1n \sum_i \big[b_i \log p_{i i} + (1 - b_i) \log p_{i j_i}\big], \qquad p = \mathrm{softmax}(x y^T / \tau)

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Predictions x from mixed inputs, and targets y of the inputs before they were mixed.
    partner, weight : Tensor of shape (n,)
        As `mix_samples` gives them. A weight of 1 everywhere gives InfoNCE.
    temperature : float or Tensor
        :math:`\tau`.
    symmetric : bool
        Also over columns (BiMixCo): target j should find all predictions that hold a part of it, each by its part.

    Returns
    -------
    Tensor of shape ()
        Mean over rows.

    Raises
    ------
    DataError
        If shapes differ.

    References
    ----------
    Kim et al., arXiv:2010.06300 (2020); Scotti et al., NeurIPS (2023), whose code gives a sample that is its own partner the
    weight 1 - b alone; ours gives it b + (1 - b).
    """
    logits = similarity(predicted, targets, temperature=temperature)
    weight = weight.to(logits.dtype)
    parts = weight.diag_embed().scatter_add(1, partner[:, None], (1 - weight)[:, None])
    loss = -(parts * logits.log_softmax(1)).sum(1).mean()
    return (loss - (parts * logits.log_softmax(0)).sum(0).mean()) / 2 if symmetric else loss


def bimixco(
    predicted: Tensor, targets: Tensor, partner: Tensor, weight: Tensor, *, temperature: float | Tensor = 0.006
) -> Tensor:
    """Give `mixco` in both directions.

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        As in `mixco`.
    partner, weight : Tensor of shape (n,)
        As in `mixco`.
    temperature : float or Tensor
        As in `mixco`.

    Returns
    -------
    Tensor of shape ()
        Mean over rows and columns.
    """
    return mixco(predicted, targets, partner, weight, temperature=temperature, symmetric=True)


def soft_clip(predicted: Tensor, targets: Tensor, *, temperature: float | Tensor = 0.005, symmetric: bool = True) -> Tensor:
    r"""Contrastive loss with soft labels: the similarity of the targets among themselves.

    .. math:: L = -\frac1n \sum_{ij} \mathrm{softmax}_j(y y^T / \tau)_{ij} \log \mathrm{softmax}_j(x y^T / \tau)_{ij}

    For orthogonal targets and :math:`\tau \to 0` this is InfoNCE. Its least value is the entropy of the labels, not 0.

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Embeddings x and y; brought to unit length.
    temperature : float or Tensor
        :math:`\tau`.
    symmetric : bool
        Mean of this and of the same with x and y exchanged in the prediction.

    Returns
    -------
    Tensor of shape ()
        Mean over rows.

    Raises
    ------
    DataError
        If shapes differ.

    References
    ----------
    Scotti et al., NeurIPS (2023).
    """
    logits = similarity(predicted, targets, temperature=temperature)
    labels = similarity(targets, targets, temperature=temperature).softmax(1)  # rows; the other direction takes the same rows
    loss = -(labels * logits.log_softmax(1)).sum(1).mean()
    return (loss - (labels * logits.T.log_softmax(1)).sum(1).mean()) / 2 if symmetric else loss


def mse_clip(
    predicted: Tensor, targets: Tensor, *, weight: float = 0.75, reconstructed: Tensor | None = None, **options: Any
) -> Tensor:
    r"""Weigh the contrastive loss against the squared error.

    .. math:: L = \lambda L_{CLIP} + (1 - \lambda) \frac{1}{nF} \sum \lVert \hat y_i - y_i \rVert^2

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Embeddings.
    weight : float
        :math:`\lambda`, 0 to 1.
    reconstructed : Tensor of shape (n, ...), optional
        Output of a second head for the squared error; by default `predicted`.
    **options
        As in `clip_loss`.

    Returns
    -------
    Tensor of shape ()
        The weighted sum.

    Raises
    ------
    DataError
        If the weight is out of range or shapes differ.

    References
    ----------
    Benchetrit et al., ICLR (2024).
    """
    if not 0 <= weight <= 1:
        raise DataError(f"weight of the contrastive loss must be between 0 and 1, got {weight!r}")
    second = predicted if reconstructed is None else reconstructed
    _check_shapes(second, targets)
    squared = (second.float() - targets.float()).square().mean()
    return weight * clip_loss(predicted, targets, **options) + (1 - weight) * squared


def masked_mse(predicted: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    r"""Squared error where there is something to predict: :math:`\sum m (\hat x - x)^2 / \sum m`.

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Values.
    mask : Tensor of shape (n, ...) or a shape that broadcasts to it
        Weight m of each value, or bool. What is masked may be NaN in the targets.

    Returns
    -------
    Tensor of shape ()
        Weighted mean; 0 if the mask is empty.

    Raises
    ------
    DataError
        If shapes differ.
    """
    _check_shapes(predicted, targets)
    weight = mask.to(predicted.device).float().expand(predicted.shape)
    error = (predicted.float() - targets.float()).masked_fill(weight == 0, 0)
    return (weight * error.square()).sum() / weight.sum().clamp_min(_TINY)


def same_stimulus(ids: Tensor) -> Tensor:
    """Tell which rows of a batch share a stimulus.

    Parameters
    ----------
    ids : Tensor of shape (n,), int
        Number of the stimulus of each row.

    Returns
    -------
    Tensor of shape (n, n), bool
        True where two rows have one number: a `positive_mask`.
    """
    return ids[:, None] == ids[None, :]


def similarity(predicted: Tensor, targets: Tensor, *, temperature: float | Tensor = 1.0, normalize: Normalize = "xy") -> Tensor:
    r"""Inner products of all pairs over a temperature, :math:`s_{ij} = \langle x_i, y_j \rangle / \tau`.

    Parameters
    ----------
    predicted, targets : Tensor of shape (n, ...)
        Embeddings x and y.
    temperature : float or Tensor
        :math:`\tau`.
    normalize : {"xy", "x", "y", None}
        Which side is brought to unit length.

    Returns
    -------
    Tensor of shape (n, n), float32
        In float32 under autocast too: a cosine of bfloat16 over a temperature of 0.006 would be off by 0.6.

    Raises
    ------
    DataError
        If shapes differ, or an option is unknown.
    """
    import torch

    _check_shapes(predicted, targets)
    sides = check_option("normalize", normalize, ("xy", "x", "y", None)) or ""
    if not isinstance(temperature, torch.Tensor):
        check_positive("temperature", temperature)
    with torch.autocast(predicted.device.type, enabled=False):
        x, y = (_single(side.flatten(1)) for side in (predicted, targets))
        x = _unit(x) if "x" in sides else x
        y = _unit(y) if "y" in sides else y
        return x @ y.T / temperature


def _single(values: Tensor) -> Tensor:
    """At least float32."""
    return values if values.dtype.itemsize >= 4 else values.float()


def _unit(rows: Tensor) -> Tensor:
    """Rows of unit length."""
    return rows / rows.square().sum(1, keepdim=True).clamp_min(_TINY**2).sqrt()


def _off_diagonal(mask: Tensor, logits: Tensor) -> Tensor:
    """A checked mask without its diagonal."""
    if mask.shape != logits.shape:
        raise DataError(
            f"positive_mask must have shape {tuple(logits.shape)}, one row and column per sample, got {tuple(mask.shape)}"
        )
    return mask.to(logits.device, copy=True).bool().fill_diagonal_(False)


def _check_shapes(predicted: Tensor, targets: Tensor) -> None:
    """Refuse sides of different shape."""
    left, right = tuple(predicted.shape), tuple(targets.shape)
    if left != right or not left or not left[0]:
        raise DataError(f"predicted and targets must have one shape with at least one row, got {left} and {right}")
