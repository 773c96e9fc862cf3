"""Options that many commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from garim.cli.show import Output
from garim.dataset import Selection
from garim.execution import ExecutionSettings

Flat = Parameter(name="*")
"""The fields of a settings dataclass, as options of the command."""
Out = Annotated[Output, Flat]
Part = Annotated[Selection, Flat]
Execution = Annotated[ExecutionSettings, Flat]
