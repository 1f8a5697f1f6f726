"""The words of a chip's architecture; ``perfcore.terms`` joins them to the vocabulary."""

from perfcore.speed_terms import Term

DESIGN_KEYS = {
    "array": Term("whole", "", "side of a square systolic array of 16-bit multiply-accumulate cells, in a grid file"),
    "array_rows": Term("whole", "", "rows of a systolic array"),
    "array_columns": Term("whole", "", "columns of a systolic array"),
    "lanes": Term("whole", "", "lanes of a core: an array, a vector unit and a register file each"),
    "vector_width": Term("whole", "", "elements of a lane's vector unit"),
    "cores": Term("whole", "", 'cores at work; in a grid file also "fill": as many as there is room for'),
    "spare_cores": Term("whole", "", "cores on the die that are switched off"),
    "clock_ghz": Term("number", "GHz", "clock of the cores"),
    "l1_kb": Term("number", "1,024 B", "first-level cache of a core"),
    "l2_mb": Term("number", "1,048,576 B", "second-level cache of a package"),
    "hbm_stacks": Term("whole", "", "memory stacks that are used"),
    "spare_stacks": Term("whole", "", "memory stacks whose interfaces are on the die and unused"),
    "links": Term("whole", "", "links to other chips"),
    "pcie_lanes": Term("whole", "", "lanes of PCIe"),
}
