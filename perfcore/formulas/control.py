"""The quantities of ECCN 3A090 and 4A090, as the technical notes define them.

Plain functions that work on floats and, unchanged, on ``Fraction``; ``perfcore.ufuncs`` compiles the same ones for
arrays. They check nothing: inputs are checked where they enter.
"""


def mac_tops(peak_dense_tops: float) -> float:
    """Multiply-accumulate operations per second. [10^12/s]

    Parameters
    ----------
    peak_dense_tops
        Dense rate of a datasheet, which counts a multiply-accumulate as two operations. [10^12/s]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note 1.b.

    Examples
    --------
    >>> mac_tops(600.0)
    300.0
    """
    return peak_dense_tops / 2


def tpp(mac_tops: float, bit_length: float) -> float:
    r"""Total processing performance of one kind of processing unit at one number format. [bit x TOPS]

    .. math:: TPP = 2 \times MacTOPS \times b

    The TPP of an integrated circuit is the highest over its formats, summed over the dies of the package.

    Parameters
    ----------
    mac_tops
        Theoretical peak of dense multiply-accumulate operations. [10^12/s]
    bit_length
        Largest bit length of the inputs to the multiply. [bit]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical notes 1 to 3.

    Examples
    --------
    The law's own example, 300 tera multiply-accumulates at 8 bits:

    >>> tpp(300.0, 8.0)
    4800.0
    """
    return 2 * mac_tops * bit_length


def performance_density(tpp: float, applicable_die_area_mm2: float) -> float:
    r"""Total processing performance over the applicable die area. [TPP/mm2]

    Parameters
    ----------
    tpp
        Total processing performance. [bit x TOPS]
    applicable_die_area_mm2
        Area of all logic dies made on a non-planar process; above 0. [mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note 4.

    Examples
    --------
    >>> performance_density(2368.0, 400.0)
    5.92
    """
    return tpp / applicable_die_area_mm2


def bits_x_tops_2022(peak_dense_tops: float, bit_length: float, output_bit_length: float) -> float:
    r"""Bit length per operation times TOPS, the measure of October 2022. [bit x TOPS]

    Parameters
    ----------
    peak_dense_tops
        Operations per second. [10^12/s]
    bit_length, output_bit_length
        Largest bit length of the inputs and of the outputs; the larger counts. [bit]

    References
    ----------
    .. [1] 87 FR 62186 (13 October 2022), technical notes to 3A090. That the outputs count is recalled, not read.

    Examples
    --------
    600 tera-operations on 8-bit inputs and outputs:

    >>> bits_x_tops_2022(600.0, 8.0, 8.0)
    4800.0
    """
    return peak_dense_tops * max(bit_length, output_bit_length)


def analog_bits_x_tops_2022(analog_tops: float) -> float:
    """The October 2022 measure of analog, multi-value and multi-level units. [bit x TOPS]

    Parameters
    ----------
    analog_tops
        Operations per second of those units. [10^12/s]

    References
    ----------
    .. [1] 87 FR 62186 (13 October 2022), 3A090.a.3: TOPS times 8.

    Examples
    --------
    >>> analog_bits_x_tops_2022(600.0)
    4800.0
    """
    return analog_tops * 8


def total_bits_x_tops_2022(bits_x_tops_2022: float, analog_bits_x_tops_2022: float) -> float:
    """The October 2022 measure of digital and analog units together. [bit x TOPS]

    Parameters
    ----------
    bits_x_tops_2022
        Measure of the digital units. [bit x TOPS]
    analog_bits_x_tops_2022
        Measure of the analog units. [bit x TOPS]

    References
    ----------
    .. [1] 87 FR 62186 (13 October 2022), 3A090.a.4.

    Examples
    --------
    >>> total_bits_x_tops_2022(2000.0, 2800.0)
    4800.0
    """
    return bits_x_tops_2022 + analog_bits_x_tops_2022


def link_bandwidth_gb_s(count: float, bandwidth_gb_s: float) -> float:
    """Aggregate bidirectional rate of some equal links. [GB/s]

    Parameters
    ----------
    count
        How many links.
    bandwidth_gb_s
        Rate of one link, both directions, as it can be programmed. [GB/s]

    References
    ----------
    .. [1] 87 FR 62186 (13 October 2022), 3A090.a: "aggregate bidirectional transfer rate over all inputs and
       outputs ... other than volatile memories".

    Examples
    --------
    >>> link_bandwidth_gb_s(18.0, 50.0)
    900.0
    """
    return count * bandwidth_gb_s


def hbm_bandwidth_density_gb_s_mm2(bandwidth_gb_s: float, area_mm2: float) -> float:
    """Memory bandwidth density of one HBM package or stack. [GB/s/mm2]

    Parameters
    ----------
    bandwidth_gb_s
        Bandwidth of the package, or of the stack where it is not packaged. [GB/s]
    area_mm2
        Area of that package or stack. [mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note to 3A090.c.

    Examples
    --------
    >>> hbm_bandwidth_density_gb_s_mm2(220.0, 110.0)
    2.0
    """
    return bandwidth_gb_s / area_mm2


def area_at_density_mm2(tpp: float, performance_density: float) -> float:
    """Applicable die area at which a TPP has a given performance density. [mm2]

    Parameters
    ----------
    tpp
        Total processing performance. [bit x TOPS]
    performance_density
        The density sought, above 0. [TPP/mm2]

    References
    ----------
    .. [1] 15 CFR part 774, supplement no. 1, ECCN 3A090, technical note 4, solved for the area.

    Examples
    --------
    >>> area_at_density_mm2(2400.0, 3.2)
    750.0
    """
    return tpp / performance_density


def dram_plus_io_gb_s(dram_bandwidth_gb_s: float, io_bandwidth_gb_s: float) -> float:
    """DRAM bandwidth and I/O bandwidth together. [GB/s]

    Parameters
    ----------
    dram_bandwidth_gb_s
        Peak of all DRAM of the package. [GB/s]
    io_bandwidth_gb_s
        Aggregate bidirectional rate of the links. [GB/s]

    References
    ----------
    .. [1] AI OVERWATCH Act, H.R. 6875; the "is informed" letters of April 2025, as reported.

    Examples
    --------
    >>> dram_plus_io_gb_s(4000.0, 1028.0)
    5028.0
    """
    return dram_bandwidth_gb_s + io_bandwidth_gb_s


def margin(value: float, threshold: float) -> float:
    """Relative distance of a value above a threshold, negative below it.

    Parameters
    ----------
    value
        The value, in the unit of the threshold.
    threshold
        The threshold, above 0.

    References
    ----------
    .. [1] Definition of this project (``docs/json.md``).

    Examples
    --------
    >>> margin(2400.0, 1600.0)
    0.5
    """
    return value / threshold - 1
