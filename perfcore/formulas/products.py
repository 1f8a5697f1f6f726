"""The matrix products of a transformer layer on one rank, by their shape; what they compute and move.

``tokens`` are those of one pass on one rank, before sequence parallelism cuts them. In decode that is one token of
each sequence.
"""

from typing import NamedTuple

from perfcore.formulas.activations import kv_heads_per_rank
from perfcore.formulas.gemm import gemm_bytes
from perfcore.formulas.records import Model, Plan

IMBALANCE = 1.10  # load of the busiest expert rank over the mean


class Product(NamedTuple):
    """``batch`` products of an activation (rows, inputs) by a matrix (inputs, outputs)."""

    rows: float
    outputs: float
    inputs: float
    batch: float


class Count(NamedTuple):
    """What an operation computes and moves: FLOP, a multiply-accumulate counted as 2, and bytes."""

    flop: float
    moved_bytes: float


def product_count(product: Product, element_bytes: float) -> Count:
    """Return what a product computes and moves, its operands once, its result in 16 bit.

    Examples
    --------
    >>> product_count(Product(2.0, 3.0, 5.0, 1.0), 2.0) == Count(2 * 2 * 3 * 5, 2 * (10 + 15) + 2 * 6)
    True
    """
    rows, outputs, inputs, batch = product
    return Count(2.0 * rows * outputs * inputs * batch, gemm_bytes(rows, outputs, inputs, batch, element_bytes))


def query_key_value(model: Model, plan: Plan, tokens: float) -> Product:
    """Return the fused projection to queries, keys and values; key-value heads are repeated when ranks outnumber them.

    Examples
    --------
    Llama 3 70B on 8 ranks: 8 query heads, a key and a value head, of 128.

    >>> llama = Model(80, 8192, 64, 8, 128, 128, 28672, 3, 128256, *[0] * 10, 80, 0, 0, 0, 0)
    >>> query_key_value(llama, Plan(8, *[1] * 16), 1.0)
    Product(rows=1.0, outputs=1280.0, inputs=8192, batch=1.0)
    """
    width = (model.heads / plan.tp + 2.0 * kv_heads_per_rank(model, plan)) * model.head_dim
    return Product(tokens, width, model.hidden, 1.0)


def latent_down(model: Model, plan: Plan, tokens: float) -> Product:
    """Return MLA's projection down to the latents of queries and of keys and values, repeated on every rank [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, arXiv:2412.19437 (2024), section 2.1.1.
    """
    return Product(tokens, model.q_lora_rank + model.kv_lora_rank + model.rope_head_dim, model.hidden, 1.0)


def latent_queries(model: Model, plan: Plan, tokens: float) -> Product:
    """Return MLA's projection up to the queries; from the residual stream where queries have no latent."""
    inner = model.q_lora_rank if model.q_lora_rank > 0.0 else model.hidden
    return Product(tokens, model.heads / plan.tp * model.head_dim, inner, 1.0)


def latent_keys_values(model: Model, plan: Plan, tokens: float) -> Product:
    """Return MLA's projection up to keys and values, which prefill and training make of every token."""
    each = model.head_dim - model.rope_head_dim + model.v_head_dim
    return Product(tokens, model.heads / plan.tp * each, model.kv_lora_rank, 1.0)


def absorbed_queries(model: Model, plan: Plan, tokens: float) -> Product:
    """Return the map of queries into the latent space in decode, one product a head: keys are never made [1]_.

    References
    ----------
    .. [1] DeepSeek-AI, DeepSeek-V2, arXiv:2405.04434 (2024), section 2.1.2 (absorption into the query projection).
    """
    return Product(tokens, model.kv_lora_rank, model.head_dim - model.rope_head_dim, model.heads / plan.tp)


def absorbed_values(model: Model, plan: Plan, tokens: float) -> Product:
    """Return the map of attended latents to values in decode, one product a head."""
    return Product(tokens, model.v_head_dim, model.kv_lora_rank, model.heads / plan.tp)


def output_projection(model: Model, plan: Plan, tokens: float) -> Product:
    """Return the projection of attention back to the residual stream."""
    return Product(tokens, model.hidden, model.heads / plan.tp * model.v_head_dim, 1.0)


def mlp_up(model: Model, plan: Plan, tokens: float, ffn: float) -> Product:
    """Return the first product of an MLP of width ``ffn``: gate and up as one."""
    return Product(tokens, (model.ffn_matrices - 1.0) * ffn / plan.tp, model.hidden, 1.0)


def mlp_down(model: Model, plan: Plan, tokens: float, ffn: float) -> Product:
    """Return the second product of an MLP of width ``ffn``."""
    return Product(tokens, model.hidden, ffn / plan.tp, 1.0)


def routed_tokens(model: Model, plan: Plan, tokens: float) -> float:
    """Return the tokens a rank routes: its own share where tensor-parallel ranks hold different ones."""
    return tokens / plan.tp if plan.sequence_parallel == 1.0 or plan.ep > 1.0 else tokens


def router(model: Model, rows: float) -> Product:
    """Return the product that scores the experts, in 16 bit, of the tokens that a rank scores."""
    return Product(rows, model.experts, model.hidden, 1.0)


def logits(model: Model, plan: Plan, rows: float) -> Product:
    """Return the output layer: ``rows`` are all tokens in training, one a sequence in prefill and decode."""
    return Product(rows, model.vocab / plan.tp, model.hidden, 1.0)


def expert_up(model: Model, rows: float, chosen: float, width: float) -> Product:
    """Return the first grouped product of ``chosen`` routed experts with ``rows`` tokens each."""
    return Product(rows, (model.ffn_matrices - 1.0) * width, model.hidden, chosen)


def expert_down(model: Model, rows: float, chosen: float, width: float) -> Product:
    """Return the second grouped product of the routed experts."""
    return Product(rows, model.hidden, width, chosen)
