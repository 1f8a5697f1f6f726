"""Modules that need an extra are not collected where it is missing; pages with files have a test of their own."""

from importlib.util import find_spec

collect_ignore_glob = ["docs/gallery/*.md"]  # tests/test_gallery.py runs them, with the files they show
collect_ignore_glob += [] if find_spec("pyarrow") else ["perfcore/tables/parquet_*.py"]
