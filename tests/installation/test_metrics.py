"""The text formats of metrics."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as families

from cuectl.installation.metrics import Metric, exposition


def metric(label: str, value: float) -> Metric:
    return Metric(name="cuectl_x", help="What\nit is.", samples=(({"cue": label}, value),))


@given(
    # Line ends that are none to Prometheus are some to the reader of its Python library.
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]))
    | st.just('a"\\\n'),
    st.floats(-1e15, 1e15) | st.integers(-(10**12), 10**12),
)
def test_a_label_and_a_number_are_read_as_they_were(label: str, value: float) -> None:
    (family,) = families(exposition([metric(label, value)]))
    (sample,) = family.samples

    assert sample.labels == {"cue": label}
    assert sample.value == value


def test_a_metric_without_a_sample_is_not_there() -> None:
    assert exposition([Metric(name="a", help="A.", samples=())]) == ""


def test_bytes_that_are_no_text_are_shown() -> None:
    assert 'cue="\\\\udc80"' in exposition([metric("\udc80", 1)])
