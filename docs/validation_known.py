"""What was typed in for ``docs/validation.md``: targets, figures of peers, causes of misses."""

TARGETS_LEFT_OUT = {"known": 7.0, "new_software": 12.0, "new_chip": 15.0}  # percent, mean
# Step-time error of others on table 1 of the SC'21 paper, in percent: run by the project in November 2026, not tuned.
# Per row: Calculon with its A100 file as it comes, SimuMax with its default efficiency, llm-analysis 0.2.2 at 0.5.
PEERS = ("Calculon", "SimuMax", "llm-analysis")
PEER_ROWS = {
    "megatron-sc21-001": (-17.8, -15.1, -10.8),
    "megatron-sc21-002": (-13.5, -8.3, -10.6),
    "megatron-sc21-003": (-7.6, 2.7, -8.4),
    "megatron-sc21-004": (-5.1, 4.6, -13.1),
    "megatron-sc21-005": (-5.7, 6.8, -11.3),
    "megatron-sc21-006": (-10.9, 2.3, -10.1),
    "megatron-sc21-007": (-10.4, 4.2, -5.0),
    "megatron-sc21-008": (-12.4, 2.3, -0.6),
    "megatron-sc21-009": (-7.4, 6.2, 4.5),
    "megatron-sc21-010": (-12.1, 7.5, 4.5),
}
BEST_CONSTANT = 5.9  # one efficiency, the best for these ten rows
LIMITS = {
    "known": """Users of one framework differ in how much of their communication is hidden and how they reduce
    gradients,
    and one fitted share of overlap stands for all of them.""",
    "new_software": """What is unknown beforehand is the overlap, the attention kernel and the site: on Jean Zay the
    network gave about half of its rated speed, which no datasheet says, and releases differ.""",
    "new_chip": """Kernels tell how fast a chip multiplies, not how much of that a whole step keeps: on Ascend, Gaudi
    and Trainium less than on their relatives, on TPU v5e more.""",
}
UNKNOWN = "cause not found"
# By row: what is known of a row that is off by more than 20 %.
CAUSES = {
    "ascend-modellink-018": UNKNOWN,
    "ascend-modellink-025": "likely a newer stack that overlaps more than those of the source's other rows",
    "aws-trn1-034": "recomputation is not stated; another run of the same release takes 0.78 of the time"
    " (aws-trn1-035); cause not found",
    "bloom-prequel-104": "the same with micro-batches of two took 0.70 of its time (bloom-prequel-105), and 128 heads,"
    " which run without tensor cores, as long as this (-107): likely a slip of the log",
    "megatron-bridge-021": "the release itself: a regression that its makers acknowledge and that the next repairs",
    "megatron-bridge-046": "another chip of the same generation takes 0.56 of the time in the same release;"
    " cause not found",
    "megatron-bridge-221": "experts spread over 64 chips, so across the network: the exchange costs more than its"
    " bandwidth says",
    "megatron-bridge-253": "first release with this model; 26.02.01 takes 0.60 of the time at the same degrees",
    "megatron-bridge-227": "micro-batches of one sequence: likely bound by the host, which starts a kernel for each"
    " expert; at four sequences 26.02.01 takes 0.36 of the time (megatron-bridge-190)",
    "megatron-bridge-228": "releases 25.11 and 26.02 are slow here: 25.09 and 26.02.01 take about half of the time"
    " (megatron-bridge-277, -191); likely bound by the host",
    "megatron-bridge-270": "16 pipeline stages without interleaving; cause not found",
    "megatron-bridge-271": "micro-batches of one sequence: likely bound by the host",
    "simumax-b200-004": "tensor parallelism of 8 on a model of 12 layers: small kernels, likely bound by the host",
}
SAME_CAUSE = {
    "ascend-modellink-037": "ascend-modellink-025",
    "ascend-modellink-038": "ascend-modellink-025",
    "megatron-bridge-022": "megatron-bridge-021",
    "megatron-bridge-254": "megatron-bridge-227",
    "megatron-bridge-260": "megatron-bridge-228",
    "simumax-b200-012": "simumax-b200-004",
    "simumax-b200-020": "simumax-b200-004",
}


def cause(row_id: str) -> str:
    """Return what is known of a miss.

    >>> cause("no-such-row")
    'cause not found'
    """
    return CAUSES.get(SAME_CAUSE.get(row_id, row_id), UNKNOWN)
