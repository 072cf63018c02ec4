"""The temperature of a loss: a number that stays, or a parameter that is learned with the network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cellgraph_clr._core.checks import expected
from cellgraph_clr._core.errors import OptionError
from cellgraph_clr._core.precision import widened
from cellgraph_clr.losses._checks import check_temperature

__all__ = ["Tempered"]


def _number(temperature: float) -> float:
    if isinstance(temperature, Tensor):
        remedy = "To learn it, pass the value to start from and `learn_temperature=True`."
        raise OptionError(expected("`temperature` as a number", f"a {type(temperature).__name__}", remedy))
    check_temperature(temperature)
    return float(temperature)


class Tempered(nn.Module):
    """A module with a `temperature`; a learned one is the exponential of the parameter `log_temperature`."""

    log_temperature: nn.Parameter | None

    def __init__(self, temperature: float, *, learn_temperature: bool) -> None:
        super().__init__()
        self.register_parameter("log_temperature", None)
        self._fixed = _number(temperature)
        if learn_temperature:
            self.log_temperature = nn.Parameter(torch.tensor(math.log(self._fixed)))

    @property
    def temperature(self) -> float | Tensor:
        """The temperature: a number, or, where it is learned, a 0-d tensor that gradients pass through.

        Examples
        --------
        >>> from cellgraph_clr import losses
        >>> loss = losses.InfoNCEp(0.1)
        >>> loss.temperature = 0.5  # from here on
        >>> loss.temperature
        0.5
        """
        return self._fixed if self.log_temperature is None else widened(self.log_temperature).exp()

    @temperature.setter
    def temperature(self, value: float) -> None:
        self._fixed = _number(value)
        if self.log_temperature is not None:
            with torch.no_grad():
                self.log_temperature.fill_(math.log(self._fixed))

    def extra_repr(self) -> str:
        """Return the options for `repr`.

        Returns
        -------
        str
            The options for `repr`.

        Examples
        --------
        >>> from cellgraph_clr import losses
        >>> losses.InfoNCE(0.2, learn_temperature=True)
        InfoNCE(temperature=0.2, learn_temperature=True)
        """
        if self.log_temperature is None:
            return f"temperature={self._fixed}"
        return f"temperature={self.log_temperature.detach().exp().item():.4g}, learn_temperature=True"
