"""The engine with its images, made once."""

from collections.abc import Iterator

import pytest

from tests.docker.engine import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = Engine(tmp_path_factory.mktemp("podman"))
    try:
        made.build_images()
        yield made
    finally:
        made.close()
