"""The few operations in which numpy and torch differ; everything else the solvers write once for both."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neurodecode.data.validate import check_option, require
from neurodecode.errors import DataError


class Backend(Protocol):
    """Where arrays live and who factorises them."""

    tile: int
    """Targets whose predictions are held at once: few enough to stay in a cache, many enough for a fast product."""

    def asarray(self, data: Any, dtype: Any) -> Any:
        """Bring numbers to the device.

        Parameters
        ----------
        data : array
            Of numpy or of this backend.
        dtype : numpy dtype
            float32 or float64.

        Returns
        -------
        array
            Of this backend, contiguous.
        """

    def numpy(self, data: Any) -> NDArray[Any]:
        """Bring an array back.

        Parameters
        ----------
        data : array
            Of this backend.

        Returns
        -------
        array
            Of numpy.
        """

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Take room for an array.

        Parameters
        ----------
        shape : tuple of int
            Its shape.
        dtype : numpy dtype
            float32 or float64.

        Returns
        -------
        array
            Of this backend, not filled.
        """

    def matmul(self, a: Any, b: Any, out: Any = None) -> Any:
        """Product of matrices, or of stacks of matrices.

        Parameters
        ----------
        a, b : array
            Factors.
        out : array, optional
            Where to write it.

        Returns
        -------
        array
            The product.
        """

    def factor(self, gram: Any, alpha: float) -> Any:
        """Cholesky factor of ``gram + alpha I``.

        Parameters
        ----------
        gram : array of shape (d, d)
            Symmetric; left as it is.
        alpha : float
            Penalty.

        Returns
        -------
        array or None
            For `solve`; None where the matrix is not positive definite at this precision.
        """

    def solve(self, factor: Any, rows: Any) -> Any:
        """``rows (gram + alpha I)^-1``.

        Parameters
        ----------
        factor : array of shape (d, d)
            From `factor`.
        rows : array of shape (n, d)
            Right-hand sides, one per row; may be overwritten.

        Returns
        -------
        array of shape (n, d)
            Solutions, one per row.
        """


class _NumpyBackend:
    """numpy arrays and LAPACK."""

    tile = 512

    def asarray(self, data: Any, dtype: Any) -> NDArray[Any]:
        return np.ascontiguousarray(data, dtype=dtype)

    def numpy(self, data: Any) -> NDArray[Any]:
        return np.asarray(data)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return np.empty(shape, dtype)

    def matmul(self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        return np.asarray(np.matmul(a, b, out=out))

    def factor(self, gram: NDArray[Any], alpha: float) -> NDArray[Any] | None:
        from scipy.linalg import get_lapack_funcs

        shifted = np.array(gram, order="C")
        shifted.flat[:: len(gram) + 1] += alpha
        (potrf,) = get_lapack_funcs(("potrf",), (shifted,))
        found, info = potrf(shifted.T, lower=True, clean=False, overwrite_a=True)
        return found if info == 0 else None

    def solve(self, factor: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        from scipy.linalg import get_lapack_funcs

        (potrs,) = get_lapack_funcs(("potrs",), (factor,))
        found, _ = potrs(factor, rows.T, lower=True, overwrite_b=True)  # rows of C order are columns of Fortran: no copy
        return np.asarray(found.T)


class _TorchBackend:
    """torch tensors on a device."""

    def __init__(self, device: str | None = None) -> None:
        self.torch: Any = require("torch", "the torch backend of the ridge", "compare")
        try:
            self.device = self.torch.device(device or "cpu")
            self.torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise DataError(f"device={device!r} cannot be used by torch here ({error}): give 'cpu', or another device") from error
        self.tile = 512 if self.device.type == "cpu" else 8192

    def asarray(self, data: Any, dtype: Any) -> Any:
        kind = getattr(self.torch, np.dtype(dtype).name)
        if isinstance(data, self.torch.Tensor):
            return data.to(self.device, kind).contiguous()
        return self.torch.from_numpy(np.ascontiguousarray(data, dtype=dtype)).to(self.device)

    def numpy(self, data: Any) -> NDArray[Any]:
        return np.asarray(data.cpu().numpy())

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        return self.torch.empty(shape, dtype=getattr(self.torch, np.dtype(dtype).name), device=self.device)

    def matmul(self, a: Any, b: Any, out: Any = None) -> Any:
        return self.torch.matmul(a, b) if out is None else out.copy_(self.torch.matmul(a, b))

    def factor(self, gram: Any, alpha: float) -> Any:
        shifted = gram.clone()
        shifted.diagonal().add_(alpha)
        found, info = self.torch.linalg.cholesky_ex(shifted)
        return found if int(info) == 0 else None

    def solve(self, factor: Any, rows: Any) -> Any:
        return self.torch.cholesky_solve(rows.T, factor).T


def get_backend(name: str = "numpy", device: str | None = None) -> Backend:
    """Choose who does the algebra.

    Parameters
    ----------
    name : str
        ``"numpy"`` or ``"torch"``.
    device : str, optional
        Device of torch, e.g. ``"cuda"``.

    Returns
    -------
    Backend
        Its operations.

    Raises
    ------
    DataError
        If the name is another one, numpy is given a device, or the device is not there.
    MissingDependencyError
        If torch is not installed.
    """
    check_option("backend", name, ["numpy", "torch"])
    if name == "torch":
        return _TorchBackend(device)
    if device not in (None, "cpu"):
        raise DataError(f"device={device!r} needs backend='torch': numpy computes on the CPU")
    return _NumpyBackend()


def few_threads(size: int, most: int) -> AbstractContextManager[Any]:
    """Small matrices on one thread: threads would wait for each other longer than they compute.

    Parameters
    ----------
    size : int
        Rows of the matrices that are factorised.
    most : int
        Up to this size one thread is faster.

    Returns
    -------
    context manager
        Limits the libraries of linear algebra inside, or does nothing.
    """
    import scipy.linalg  # noqa: F401  # a library must be loaded to be limited
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1) if size <= most else nullcontext()
