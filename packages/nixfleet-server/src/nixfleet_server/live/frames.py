"""Ready texts to frames."""

from collections.abc import Iterable, Iterator

from nixfleet_protocol import limits


def frames(texts: Iterable[str]) -> Iterator[str]:
    """Join encoded messages into frames of at most BATCH_MESSAGES messages, ended after BATCH_BYTES characters."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) >= limits.BATCH_MESSAGES or size + len(text) > limits.BATCH_BYTES):
            yield f"[{','.join(batch)}]"
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch[0] if len(batch) == 1 else f"[{','.join(batch)}]"
