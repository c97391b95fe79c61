"""`eq` and `ne`: conditions that print as the specification's partial indexes do.

Django prints `Q(flag=True)` as `WHERE flag` and `~Q(x=1)` as `WHERE NOT (x = 1)`; the
catalogue then differs from `flag = true` and `x <> 1`, and so may a planner's match.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Field, Lookup


class _Operator(Lookup[Any]):
    operator: str

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} {self.operator} {right}", (*left_params, *right_params)


@Field.register_lookup
class Equal(_Operator):
    lookup_name = "eq"
    operator = "="


@Field.register_lookup
class NotEqual(_Operator):
    lookup_name = "ne"
    operator = "<>"
