from tests.tasks.conftest import task  # noqa: F401
