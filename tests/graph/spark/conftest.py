"""The session of Spark."""

from tests.spark import spark as spark
