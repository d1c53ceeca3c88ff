"""Operators of images and of data with pixels, and numpy's functions of them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Operators:
    """w1 - w2, 2 * w, w**2, np.sqrt(w), ...: see :mod:`insml.operations.arithmetic`."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            return NotImplemented
        from insml.operations.arithmetic import applied

        return applied(ufunc, inputs)

    def __add__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.add, "__call__", self, other)

    def __radd__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.add, "__call__", other, self)

    def __sub__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.subtract, "__call__", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.subtract, "__call__", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.multiply, "__call__", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.multiply, "__call__", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.divide, "__call__", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.divide, "__call__", other, self)

    def __pow__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.power, "__call__", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.__array_ufunc__(np.power, "__call__", other, self)

    def __neg__(self) -> Any:
        return self.__array_ufunc__(np.negative, "__call__", self)

    def __abs__(self) -> Any:
        return self.__array_ufunc__(np.absolute, "__call__", self)
