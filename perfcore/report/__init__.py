"""The page: one self-contained file (``perfcore report``), or live on this machine (``perfcore serve``)."""
