"""Work in pieces that run elsewhere, such as the array jobs of a cluster, and come together to what one process gives."""

from insml.jobs.cutting import cut_in_jobs
from insml.jobs.executor import Executor, LocalExecutor, SubmititExecutor, executor_of
from insml.jobs.generation import generate_in_jobs

__all__ = ["Executor", "LocalExecutor", "SubmititExecutor", "cut_in_jobs", "executor_of", "generate_in_jobs"]
