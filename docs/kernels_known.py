"""What was typed in for ``docs/kernels.md``: how kernels are predicted, the columns, what falls short."""

HOW = (
    (
        "`gemm`",
        (
            "smooth maximum of tiles (64, 128 or 256 rows, any width in steps of 16, in waves) and memory, and a"
            " start:"
            " `formulas/tiles.py`"
        ),
    ),
    (
        "`grouped_gemm`",
        (
            "the same with loads that differ (half of the last tile of each expert is empty on average), experts"
            " that no"
            " token chose left out, 0.93 of the rate"
        ),
    ),
    (
        "`attention`",
        (
            "prefill: FLOP of a causal mask over the fused kernel's rate, slower where short (`formulas/layer.py`);"
            " decode: cache over bandwidth, or FLOP, and a start of 20 us (`formulas/decode_attention.py`)"
        ),
    ),
    ("`elementwise`", "each element read and written once at 0.70 of the bandwidth, and a start"),
    ("`hbm_bw`", "0.9 of the datasheet bandwidth; of a given size, read and written, and a start"),
    (
        "`collective`",
        (
            "rings over the chip's usual system (`formulas/collectives.py`), short all-reduces flagged word by word,"
            " reduction in the switch where the notes say NVLS (`formulas/messages.py`)"
        ),
    ),
    ("`p2p`", "0.77 of the link, both directions where `op` says so"),
    (
        "`moe_all2all`",
        "`normal`: a token once to each rank and domain; `low-latency`: once to each of its experts",
    ),
    (
        "`layer_op`",
        "an operation of one layer of a model of the catalogue: product, row kernel or all-reduce",
    ),
)
COLUMNS = (
    ("`row_id`, `source_id`", "names; the baseline leaves a row's own source out", "the number of the row; one source"),
    ("`chip`", "a name of the catalogue; names as tables print them do", "skipped"),
    ("`chip_note`", "`half chip`: one of two devices, as for TPU v7", "a whole chip"),
    ("`n_chips`, `n_nodes`", "chips that take part, and servers they are in", "1; the chip's usual system"),
    ("`category`", "one of those above", "skipped"),
    ("`op`", "words: `decode`, `prefill`, `mla`, `all_reduce`, `dispatch`, `copy`, `bidirectional` ...", "skipped"),
    (
        "`dtype`",
        "begins with `bf16`, `fp16`, `fp8`, `fp4`, `int8`, `tf32`, `fp32`, `fp64`; `kv fp8` of a cache",
        "skipped",
    ),
    ("`M`, `N`, `K`", "rows, columns and depth of a product; of `elementwise` rows and width", "skipped"),
    ("`groups_or_batch`", "experts, sequences, or products at once; `M` of experts is a mean", "1; of experts skipped"),
    ("`seq_or_kv`, `heads`, `kv_heads`, `head_dim`", "tokens and shape of attention; of MLA `512-64`", "skipped"),
    ("`message_bytes`", "the whole tensor of a collective; of a copy what is read", "skipped; a stream of any size"),
    ("`time_us`", "measured time [us]", "`value`"),
    (
        "`value`, `unit`",
        "a rate: `TFLOP/s`, `GB/s` (of collectives bus bandwidth), `G elements/s`",
        "skipped",
    ),
    ("`notes`", "`N tokens, hidden N, top-N (top-N groups)` of `moe_all2all`; `NVLS`", "skipped; rings"),
    ("`key_row`", "`--key-rows` takes 1", ""),
)
CAUSES = (
    (
        "Row kernels of LLMCompass up to some MB take the time of the host that starts them, 13 to 50 us"
        " through an eager"
        " framework; perfcore counts what the chip needs to start one."
    ),
    (
        "All-reduces between servers of Vidur's A100 went over a network of about 6 GB/s; the usual system"
        " of the chip has"
        " 25 GB/s a chip. A table cannot say so yet."
    ),
    (
        "Vidur's all-reduces of 2 KiB and 66 KiB take between 7 and 105 us without an order in size or"
        " chips; LLMCompass"
        " and nccl-tests show a smooth rise."
    ),
    (
        "All-reduces of 1 to 64 MiB on A100 take 20 to 40 % longer than a start and a ring. A term for"
        " filling the ring"
        " mends those of S. Bekman, LLMCompass and vTrain, and makes those of Vidur's H100 worse: left out."
    ),
    (
        "Decode attention of short contexts takes 10 us with 8 KV heads and 27 us with fewer, in the same"
        " source: another"
        " kernel, which the table does not name. An 8-bit cache is read at half the byte rate on this chip; elsewhere"
        " nothing shows it."
    ),
    (
        "Experts with more than 64 tokens each run 10 to 30 % slower in the decode kernels of DeepGEMM than"
        " in those for"
        " prefill."
    ),
    "The best shape of a search (stas-mamf) is by choice faster than a usual one: about 13 %.",
    "Small copies of TPU v7 start within less than 2 us.",
    (
        "Bandwidths of caches and latencies are not predicted; rates of TPU collectives are not, because the"
        " table does not"
        " say what they count."
    ),
)
