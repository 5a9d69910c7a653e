"""Metrics in the text format of Prometheus, and in that of OpenMetrics.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Record = dict[str, Any]

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its samples.

    Attributes:
        name: that of a counter ends in `_total`.
        kind: `gauge` or `counter`.
        samples: labels and value.
    """

    name: str
    kind: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]

    def to_record(self) -> Record:
        """Return the JSON form."""
        samples = [{"labels": dict(labels), "value": value} for labels, value in self.samples]
        return {"name": self.name, "type": self.kind, "help": self.help, "samples": samples}


def exposition(metrics: Iterable[Metric], *, openmetrics: bool = False) -> str:
    """Return the text that a scraper reads; metrics without a sample are left out."""
    lines: list[str] = []
    for metric in metrics:
        if metric.samples:
            lines += _lines(metric, openmetrics=openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _lines(metric: Metric, *, openmetrics: bool) -> Iterator[str]:
    # OpenMetrics names the family of a counter without the suffix of its samples.
    family = metric.name.removesuffix("_total") if openmetrics else metric.name
    yield f"# HELP {family} {_escaped(metric.help, quote=openmetrics)}"
    yield f"# TYPE {family} {metric.kind}"
    for labels, value in metric.samples:
        yield f"{metric.name}{_labels(labels)} {_number(value)}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{{{inside}}}"


def _escaped(text: str, *, quote: bool = True) -> str:
    """Return a label's value with what would end it escaped; lone surrogates are shown."""
    kept = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(_ESCAPES[c] if c in _ESCAPES and (quote or c != '"') else c for c in kept)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
