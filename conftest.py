"""Modules that need an extra are not collected where it is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pyarrow") else ["perfcore/tables/parquet_*.py"]
