"""Constraints on message fields, written once and enforced twice.

A marker stands in a field's `Annotated`. The agent's resident process, which can't afford pydantic (DESIGN section 2),
calls `check`; the server, the client and the tests let pydantic compile the same marker through
`__get_pydantic_core_schema__`. A property-based test holds the two together. pydantic is imported only inside that
method: importing this module never imports it.

A bare string inside `Annotated` is the field's documentation.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class Marker:
    """A constraint. `check` returns the value to use, or raises ValueError with what was expected."""

    __slots__ = ()

    def check(self, value: Any) -> Any:
        raise NotImplementedError

    def describe(self) -> str:
        """The constraint in words, for the generated documentation."""
        raise NotImplementedError


class Text(Marker):
    """A string of `min` to `max` characters that `pattern` (common to Python's and Rust's syntax) matches wholly."""

    __slots__ = ("_regex", "max", "min", "pattern")

    def __init__(self, max: int, *, min: int = 0, pattern: str | None = None) -> None:
        self.max, self.min, self.pattern = max, min, pattern
        self._regex = re.compile(pattern) if pattern else None

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not self.min <= len(value) <= self.max:
            raise ValueError(f"expected {self.describe()}")
        if self._regex and not self._regex.fullmatch(value):
            raise ValueError(f"expected {self.describe()}")
        return value

    def describe(self) -> str:
        shape = f" matching `{self.pattern}`" if self.pattern else ""
        least = f"{self.min} to " if self.min else "at most "
        return f"text of {least}{self.max} characters{shape}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        pattern = f"^(?:{self.pattern})$" if self.pattern else None
        return core_schema.str_schema(strict=True, min_length=self.min, max_length=self.max, pattern=pattern)


class OneOf(Marker):
    """One of the words. With `other`, a word of a later version of the same major is taken as `other`."""

    __slots__ = ("other", "words")

    def __init__(self, *words: str, other: str | None = None) -> None:
        self.words, self.other = words, other

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            if value in self.words:
                return value
            if self.other is not None and len(value) <= 64:
                return self.other
        raise ValueError(f"expected {self.describe()}")

    def describe(self) -> str:
        words = ", ".join(f"`{word}`" for word in self.words)
        return f"one of {words}" + (f"; any other word reads as `{self.other}`" if self.other else "")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        if self.other is None:
            return core_schema.literal_schema(list(self.words))
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(strict=True, max_length=64)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if self.other is None:
            return handler(schema)
        return {"anyOf": [{"enum": list(self.words)}, {"type": "string", "maxLength": 64}]}


class Whole(Marker):
    """An integer from `min` to `max`, never a bool, never `1.0`."""

    __slots__ = ("max", "min")

    def __init__(self, min: int, max: int) -> None:
        self.min, self.max = min, max

    def check(self, value: Any) -> int:
        if type(value) is not int or not self.min <= value <= self.max:
            raise ValueError(f"expected {self.describe()}")
        return value

    def describe(self) -> str:
        return f"whole number from {self.min} to {'2⁵³−1' if self.max == 2**53 - 1 else self.max}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.int_schema(strict=True, ge=self.min, le=self.max)


class Number(Marker):
    """A finite number from `min` to `max`; an integer is taken too."""

    __slots__ = ("max", "min")

    def __init__(self, min: float, max: float) -> None:
        self.min, self.max = min, max

    def check(self, value: Any) -> float:
        if type(value) not in (int, float) or not self.min <= value <= self.max or not math.isfinite(value):
            raise ValueError(f"expected {self.describe()}")
        return float(value)

    def describe(self) -> str:
        return f"number from {self.min:g} to {self.max:g}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.float_schema(strict=True, allow_inf_nan=False, ge=self.min, le=self.max)


class Flag(Marker):
    """`true` or `false`."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("expected true or false")
        return value

    def describe(self) -> str:
        return "`true` or `false`"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.bool_schema(strict=True)


class Items(Marker):
    """At most `max` items, on a `tuple[X, ...]`."""

    __slots__ = ("max",)

    def __init__(self, max: int) -> None:
        self.max = max

    def check(self, value: Any) -> Any:
        if len(value) > self.max:
            raise ValueError(f"expected {self.describe()}")
        return value

    def describe(self) -> str:
        return f"list of at most {self.max}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # The handler's schema is that of the tuple; a length bound is one more key of it.
        return cast("CoreSchema", {**handler(source), "max_length": self.max})
