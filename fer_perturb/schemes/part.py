"""What all parts of a scheme have in common."""

from dataclasses import fields
from typing import Any, ClassVar, cast


class Part:
    """A frozen dataclass, made from conf/scheme by `_target_`."""

    VERSION: ClassVar[int] = 1
    """Raise it when what the part does changes: stored results of older versions are not used again."""

    def identity(self) -> dict[str, Any]:
        """What of the part decides a result, as JSON can hold it: its class, its VERSION and its settings."""
        kind = type(self)
        names = [field.name for field in fields(cast(Any, self))]
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        own = {name: value.identity() if isinstance(value, Part) else value for name, value in values.items()}
        return {"class": f"{kind.__module__}.{kind.__qualname__}", "version": kind.VERSION, **own}
