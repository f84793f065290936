"""The products that read whole tensors or all traces, by numpy or by torch; all else is small and stays with numpy.

Those of a tensor are products of a large matrix with a few columns. The orientation counts: factors lie as (rank, dim) with the
long side contiguous, so that no transposed copy is made, and the tensor passes in blocks of rows that were fastest for each
library.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from neurodecode.analysis.connectome.factors import Array
from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError


class Kernels(Protocol):
    """Where a tensor lies and who multiplies it."""

    block_bytes: int
    """Size of a block of rows."""
    width: int
    """Ranks are filled up with zeros to a multiple of this."""

    def place(self, data: Array) -> Any:
        """Bring an array to where it is multiplied.

        Parameters
        ----------
        data : array
            Of numpy.

        Returns
        -------
        array
            Of the library; not copied where that can be avoided.
        """

    def fetch(self, data: Any) -> Array:
        """Bring an array back.

        Parameters
        ----------
        data : array
            Of the library.

        Returns
        -------
        array
            Of numpy.
        """

    def project(self, rows: Any, factors: Any) -> Array:
        """Rows of the tensor against components.

        Parameters
        ----------
        rows : array of shape (n_rows, n_columns)
            Of the library.
        factors : array of shape (rank, n_columns)
            Of the library.

        Returns
        -------
        array of shape (n_rows, rank)
            Of numpy.
        """

    def accumulate(self, total: Any, factors: Any, rows: Any, scratch: Any) -> None:
        """Add components against rows of the tensor.

        Parameters
        ----------
        total : array of shape (rank, n_columns)
            Of the library, changed in place.
        factors : array of shape (rank, n_rows)
            Of the library.
        rows : array of shape (n_rows, n_columns)
            Of the library.
        scratch : array of shape (rank, n_columns)
            Of the library, overwritten.
        """

    def quadratic(self, rows: Any, upper: Any) -> Array:
        """Sum of all pairs of a row's entries, weighted.

        Parameters
        ----------
        rows : array of shape (n_rows, n_names)
            Of the library.
        upper : array of shape (n_names, n_names)
            Of the library: weight of each pair, 0 on the diagonal and below.

        Returns
        -------
        array of shape (n_rows,)
            Of numpy.
        """

    def add_products(self, total: Any, rows: Any, scale: Any) -> None:
        """Add the products of all pairs of columns.

        Parameters
        ----------
        total : array of shape (n_names, n_names)
            Of the library, changed in place.
        rows : array of shape (n_rows, n_names)
            Of the library.
        scale : array of shape (n_rows, 1)
            Of the library: what rows are multiplied by beforehand.
        """


class _NumpyKernels:
    """numpy and its BLAS."""

    block_bytes = 2**24
    width = 4

    def place(self, data: Array) -> Array:
        return data

    def fetch(self, data: Array) -> Array:
        return data

    def project(self, rows: Array, factors: Array) -> Array:
        return np.asarray(rows @ factors.T)

    def accumulate(self, total: Array, factors: Array, rows: Array, scratch: Array) -> None:
        np.matmul(factors, rows, out=scratch)
        total += scratch

    def quadratic(self, rows: Array, upper: Array) -> Array:
        return np.asarray(np.einsum("ij,ij->i", rows @ upper, rows))

    def add_products(self, total: Array, rows: Array, scale: Array) -> None:
        scaled = rows * scale
        total += scaled.T @ scaled  # numpy sees that both sides are the same, and computes half of it


class _TorchKernels:
    """torch on a device."""

    width = 1

    def __init__(self, device: str | None) -> None:
        self.torch: Any = require("torch", "the torch backend of the factorisation", "decode")
        try:
            self.device = self.torch.device(device or "cpu")
            self.torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise DataError(f"device={device!r} cannot be used by torch here ({error}): give 'cpu', or another device") from error
        self.block_bytes = 2**20 if self.device.type == "cpu" else 2**34

    def place(self, data: Array) -> Any:
        writable = data if data.flags.writeable else data.copy()  # torch has no arrays that only can be read
        return self.torch.from_numpy(writable).to(self.device)

    def fetch(self, data: Any) -> Array:
        return np.asarray(data.cpu().numpy())

    def project(self, rows: Any, factors: Any) -> Array:
        return self.fetch(self.torch.matmul(rows, factors.T))

    def accumulate(self, total: Any, factors: Any, rows: Any, scratch: Any) -> None:
        total.addmm_(factors, rows)

    def quadratic(self, rows: Any, upper: Any) -> Array:
        return self.fetch((self.torch.matmul(rows, upper) * rows).sum(dim=1))

    def add_products(self, total: Any, rows: Any, scale: Any) -> None:
        scaled = rows * scale
        total.addmm_(scaled.T, scaled)


def get_kernels(backend: str = "numpy", device: str | None = None) -> Kernels:
    """Choose who multiplies.

    Parameters
    ----------
    backend : str
        ``"numpy"`` or ``"torch"``.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.

    Returns
    -------
    Kernels
        Its products.

    Raises
    ------
    DataError
        If the backend is another one, numpy is given a device, or the device is not there.
    MissingDependencyError
        If torch is not installed.
    """
    check_option("backend", backend, ["numpy", "torch"])
    if backend == "torch":
        return _TorchKernels(device)
    if device not in (None, "cpu"):
        raise DataError(f"device={device!r} needs backend='torch': numpy computes on the CPU")
    return _NumpyKernels()
