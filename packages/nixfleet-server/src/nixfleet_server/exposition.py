"""Prometheus' text format, version 0.0.4."""

from collections.abc import Iterable, Mapping

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[Mapping[str, str], float]


def family(name: str, kind: str, help: str, samples: Iterable[Sample]) -> str:
    """One metric with all its samples: `kind` is `gauge` or `counter`."""
    lines = [f"# HELP {name} {_escape(help)}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {value:.17g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def histogram(
    name: str,
    help: str,
    bounds: Iterable[float],
    samples: Iterable[tuple[Mapping[str, str], Iterable[int], int, float]],
) -> str:
    """A histogram: for each set of labels the counts up to each bound, the count of all, and their sum."""
    lines = [f"# HELP {name} {_escape(help)}", f"# TYPE {name} histogram"]
    bounds = list(bounds)
    for labels, counts, count, total in samples:
        for bound, below in zip(bounds, counts, strict=True):
            lines.append(f"{name}_bucket{_labels({**labels, 'le': f'{bound:g}'})} {below}")
        lines.append(f"{name}_bucket{_labels({**labels, 'le': '+Inf'})} {count}")
        lines.append(f"{name}_sum{_labels(labels)} {total:.17g}")
        lines.append(f"{name}_count{_labels(labels)} {count}")
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{_escape(value, quote=True)}"' for key, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escape(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quote else text
