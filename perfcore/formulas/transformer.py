"""Parameters and floating-point operations of a decoder-only transformer, from its shape.

Each function takes the flat record ``Model``, so it stands outside ``formulas.__all__``, whose functions take floats.
Left out, all under 0.1 % of a model: norms of queries and keys, norms after a block, norms of the embedding, biases
that only queries, keys and values carry (Qwen), attention sinks, gates of a shared expert.
"""

from perfcore.formulas.records import Model


def attention_matrix_parameters(model: Model) -> float:
    r"""Weights of the linear maps of one attention layer: queries, keys, values, output.

    Grouped-query attention: :math:`h d (a + k) + h d_v k + a d_v h`. Multi-head latent attention (``kv_lora_rank``
    above 0): down to the latents (keys with the shared rotary part), up from them, and the output.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434, section 2.1.

    Examples
    --------
    >>> llama_7b = Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0)
    >>> attention_matrix_parameters(llama_7b) == 4 * 4096 * 4096
    True
    """
    queries = model.heads * model.head_dim
    output = model.heads * model.v_head_dim * model.hidden
    if model.kv_lora_rank > 0:
        unrotated = model.head_dim - model.rope_head_dim
        query_maps = model.hidden * queries
        if model.q_lora_rank > 0:
            query_maps = (model.hidden + queries) * model.q_lora_rank
        down = model.hidden * (model.kv_lora_rank + model.rope_head_dim)
        up = model.kv_lora_rank * model.heads * (unrotated + model.v_head_dim)
        return query_maps + down + up + output
    return model.hidden * (queries + model.kv_heads * (model.head_dim + model.v_head_dim)) + output


def attention_parameters(model: Model) -> float:
    """Parameters of one attention layer: the linear maps, their biases, the norms of the latents.

    Examples
    --------
    A GPT layer of width 4 with 2 heads: 4 maps of 16, 4 biases of 4.

    >>> attention_parameters(Model(1, 4, 2, 2, 2, 2, 16, 2, 10, 1, 8, 1, *[0] * 7, 1, 0, 0, 0, 0))
    80
    """
    biases = model.heads * model.head_dim + model.kv_heads * (model.head_dim + model.v_head_dim) + model.hidden
    return attention_matrix_parameters(model) + model.biases * biases + model.q_lora_rank + model.kv_lora_rank


def mlp_matrix_parameters(model: Model, width: float) -> float:
    """Weights of one MLP of some width: 3 matrices when gated, 2 when plain.

    Examples
    --------
    >>> mlp_matrix_parameters(Model(1, 4, 2, 2, 2, 2, 16, 2, 10, 1, 8, 1, *[0] * 7, 1, 0, 0, 0, 0), 16)
    128
    """
    return model.ffn_matrices * model.hidden * width


def mlp_parameters(model: Model, width: float) -> float:
    """Parameters of one MLP of some width, with its biases.

    Examples
    --------
    2 matrices of 4 x 16, a bias of 16 and one of 4:

    >>> mlp_parameters(Model(1, 4, 2, 2, 2, 2, 16, 2, 10, 1, 8, 1, *[0] * 7, 1, 0, 0, 0, 0), 16)
    148
    """
    if width == 0:
        return 0.0
    biases = (model.ffn_matrices - 1) * width + model.hidden
    return mlp_matrix_parameters(model, width) + model.biases * biases


def router_parameters(model: Model) -> float:
    """Weights that score the routed experts of one MoE layer, and their biases.

    Examples
    --------
    >>> mixtral = Model(32, 4096, 32, 8, 128, 128, 0, 3, 32000, *[0] * 6, 8, 2, 14336, *[0] * 6)
    >>> router_parameters(mixtral)
    32768
    """
    return model.experts * (model.hidden + model.biases)


def layer_norm_parameters(model: Model) -> float:
    """Scales (and biases) of the two norms of one layer.

    Examples
    --------
    >>> layer_norm_parameters(Model(32, 4096, 32, 8, 128, 128, 0, 3, 32000, *[0] * 6, 8, 2, 14336, *[0] * 6))
    8192
    """
    return 2 * model.hidden * (1 + model.biases)


def dense_layer_parameters(model: Model) -> float:
    """Parameters of one layer with the dense MLP.

    Examples
    --------
    Llama 7B: 4 x 4096^2 + 3 x 4096 x 11008 + 2 x 4096.

    >>> dense_layer_parameters(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    202383360
    """
    return attention_parameters(model) + mlp_parameters(model, model.ffn) + layer_norm_parameters(model)


def moe_layer_parameters(model: Model, experts: float) -> float:
    """Parameters of one MoE layer with so many of its routed experts: all of them, or ``top_k`` for the active ones.

    Examples
    --------
    Mixtral 8x7B: 41,943,040 of attention, 32,768 of router, 8 x 3 x 4096 x 14336, 2 x 4096 of norms.

    >>> moe_layer_parameters(Model(32, 4096, 32, 8, 128, 128, 0, 3, 32000, *[0] * 6, 8, 2, 14336, *[0] * 6), 8)
    1451270144.0
    """
    routed = router_parameters(model) + experts * mlp_parameters(model, model.expert_ffn)
    shared = mlp_parameters(model, model.shared_ffn)
    return attention_parameters(model) + routed + shared + layer_norm_parameters(model)


def embedding_parameters(model: Model) -> float:
    """Parameters of the token embedding, of the output layer where it is another matrix, and of learned positions.

    Examples
    --------
    >>> embedding_parameters(Model(1, 4, 2, 2, 2, 2, 16, 2, 10, 1, 8, 1, *[0] * 7, 1, 0, 0, 0, 0))
    72
    """
    return model.hidden * (model.vocab * (2 - model.tied_embeddings) + model.learned_positions)


def _all_parameters(model: Model, experts: float) -> float:
    dense = model.dense_layers * dense_layer_parameters(model)
    moe = (model.layers - model.dense_layers) * moe_layer_parameters(model, experts)
    return dense + moe + model.hidden * (1 + model.biases) + embedding_parameters(model)


def parameters(model: Model) -> float:
    """Parameters of the whole model, embeddings and the final norm included, layers that predict further tokens not.

    Examples
    --------
    Llama 7B is published as 6.7 billion:

    >>> parameters(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    6738415616.0
    """
    return _all_parameters(model, model.experts)


def active_parameters(model: Model) -> float:
    """Parameters one token makes use of: of the routed experts ``top_k``, and all else, embeddings included.

    Examples
    --------
    Mixtral 8x7B is published as 12.9 billion active:

    >>> active_parameters(Model(32, 4096, 32, 8, 128, 128, 0, 3, 32000, *[0] * 6, 8, 2, 14336, *[0] * 6))
    12879925248.0
    """
    return _all_parameters(model, model.top_k)


def _last_layer_parameters(model: Model) -> float:
    """Return the parameters of a layer such as the last: MoE where there are experts."""
    if model.experts > 0:
        return moe_layer_parameters(model, model.experts)
    return dense_layer_parameters(model)


def mtp_parameters(model: Model) -> float:
    r"""Parameters of the layers that predict further tokens; they share embedding and output with the model.

    Each is a layer like the last, a map :math:`2h \to h` of state and next embedding, and three norms.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V3, arXiv:2412.19437, section 2.2.

    Examples
    --------
    >>> mtp_parameters(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 1))
    235950080
    """
    joined = 2 * model.hidden * model.hidden + 3 * model.hidden * (1 + model.biases)
    return model.mtp_layers * (_last_layer_parameters(model) + joined)


def dense_layer_matmul_parameters(model: Model) -> float:
    """Weights one token is multiplied with in a layer with the dense MLP.

    Examples
    --------
    >>> dense_layer_matmul_parameters(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    202375168
    """
    return attention_matrix_parameters(model) + mlp_matrix_parameters(model, model.ffn)


def moe_layer_matmul_parameters(model: Model) -> float:
    """Weights one token is multiplied with in a MoE layer: attention, router, its experts and the shared ones.

    Examples
    --------
    >>> moe_layer_matmul_parameters(Model(32, 4096, 32, 8, 128, 128, 0, 3, 32000, *[0] * 6, 8, 2, 14336, *[0] * 6))
    394297344
    """
    width = model.top_k * model.expert_ffn + model.shared_ffn
    return attention_matrix_parameters(model) + model.experts * model.hidden + mlp_matrix_parameters(model, width)


def matmul_parameters(model: Model) -> float:
    """Weights one token is multiplied with: layers and output layer, not the embedding that is looked up.

    Examples
    --------
    Llama 7B: 32 x 202,375,168 and 4096 x 32000.

    >>> matmul_parameters(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    6607077376
    """
    dense = model.dense_layers * dense_layer_matmul_parameters(model)
    moe = (model.layers - model.dense_layers) * moe_layer_matmul_parameters(model)
    return dense + moe + model.hidden * model.vocab


def matmul_flop_per_token(model: Model) -> float:
    r"""Operations of the matrix multiplications with weights, forward and backward: 6 per weight. [FLOP/token]

    References
    ----------
    .. [1] Narayanan et al., arXiv:2104.04473, appendix.

    Examples
    --------
    >>> matmul_flop_per_token(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    39642464256
    """
    return 6 * matmul_parameters(model)


def mtp_matmul_flop_per_token(model: Model) -> float:
    """What the layers that predict further tokens add to ``matmul_flop_per_token``, an output layer each. [FLOP/token]

    Examples
    --------
    >>> mtp_matmul_flop_per_token(Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0))
    0
    """
    layer = dense_layer_matmul_parameters(model)
    if model.experts > 0:
        layer = moe_layer_matmul_parameters(model)
    return 6 * model.mtp_layers * (layer + 2 * model.hidden * model.hidden + model.hidden * model.vocab)


def attended_tokens(seq: float, window: float, causal: float) -> float:
    r"""Mean number of keys a query is multiplied with; ``window`` 0 for none. [token]

    Full: the sequence, or the window. Causal: half the sequence; with a window :math:`w - w^2 / 2s`, since the first
    queries see less than a window.

    Examples
    --------
    >>> attended_tokens(8192.0, 0.0, 1.0), attended_tokens(8192.0, 1024.0, 1.0), attended_tokens(512.0, 1024.0, 0.0)
    (4096.0, 960.0, 512.0)
    """
    width = seq
    if window > 0 and window < seq:
        width = window
    return width - causal * width * width / (2 * seq)


def attention_flop_per_token(model: Model, seq: float, causal: float) -> float:
    r"""Operations of queries on keys and of scores on values, forward and backward (3 x forward). [FLOP/token]

    .. math:: 3 \times 2 a (d + d_v) \sum_{layers} \bar s

    with the mean number of keys :math:`\bar s` of each layer, halved when ``causal`` is 1.

    Examples
    --------
    Llama 7B at 4096 tokens, not halved: 12 x layers x hidden x sequence.

    >>> llama_7b = Model(32, 4096, 32, 32, 128, 128, 11008, 3, 32000, *[0] * 10, 32, 0, 0, 0, 0)
    >>> attention_flop_per_token(llama_7b, 4096.0, 0.0) == 12 * 32 * 4096 * 4096
    True
    """
    per_key = 6 * model.heads * (model.head_dim + model.v_head_dim)
    windowed = model.window_layers * attended_tokens(seq, model.window, causal)
    full = (model.layers - model.window_layers) * attended_tokens(seq, 0.0, causal)
    return per_key * (windowed + full)
