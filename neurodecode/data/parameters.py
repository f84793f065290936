"""Constructor arguments by name, the way scikit-learn's tools ask for them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

from neurodecode.data.validate import check_option


class Parameters:
    """Base of estimators that are dataclasses of their parameters: they can be cloned and searched over."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments by name.

        Parameters
        ----------
        deep : bool
            Without effect: no argument is an estimator itself.

        Returns
        -------
        dict
            Values by name.
        """
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> Self:
        """Change constructor arguments.

        Parameters
        ----------
        **parameters
            New values by name.

        Returns
        -------
        Self
            This object.

        Raises
        ------
        DataError
            If a name is unknown or a value out of range; nothing is changed then.
        """
        for name in parameters:
            check_option("parameter", name, self._names())
        type(self)(**{**self.get_params(), **parameters})  # checks the values together
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def _names(self) -> list[str]:
        return [f.name for f in fields(self)]  # type: ignore[arg-type]
