"""Every formula, as a plain function of floats; ``perfcore.ufuncs`` holds the same names for arrays."""

from perfcore.formulas.control import (
    analog_bits_x_tops_2022,
    area_at_density_mm2,
    bits_x_tops_2022,
    dram_plus_io_gb_s,
    hbm_bandwidth_density_gb_s_mm2,
    link_bandwidth_gb_s,
    mac_tops,
    margin,
    performance_density,
    total_bits_x_tops_2022,
    tpp,
)

__all__ = [
    "analog_bits_x_tops_2022",
    "area_at_density_mm2",
    "bits_x_tops_2022",
    "dram_plus_io_gb_s",
    "hbm_bandwidth_density_gb_s_mm2",
    "link_bandwidth_gb_s",
    "mac_tops",
    "margin",
    "performance_density",
    "total_bits_x_tops_2022",
    "tpp",
]
