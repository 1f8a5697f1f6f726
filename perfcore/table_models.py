"""The model of a measured run: its architecture columns, or the catalogue by name."""

import re

from perfcore import models
from perfcore.cells import Row, SkippedError
from perfcore.errors import PerfcoreError
from perfcore.formulas.records import Model

__all__ = ["model_of_row"]

MLA = re.compile(r"MLA\(q_lora(\d+),kv_lora(\d+),nope(\d+),rope(\d+),v(\d+)\)")
WINDOW = re.compile(r"sliding-window (\d+)")
CHUNK = re.compile(r"chunked attention (\d+)")
PATTERN = re.compile(r"(\d+):1")


def model_of_row(row: Row, said: list[str]) -> Model:
    """Return the model: of the columns where they give its shape, else of the catalogue.

    Raises
    ------
    SkippedError
        If neither gives it.
    """
    known = _of_catalogue(row.text("model"))
    if row.number("layers") is None or row.number("hidden") is None or row.number("heads") is None:
        if known is None:
            raise SkippedError(f"model {row.text('model')!r}: neither in the catalogue nor described by columns")
        return known
    return _of_columns(row, known, said)


def _of_catalogue(name: str) -> Model | None:
    try:
        return models.load(name).record if name else None
    except PerfcoreError:
        return None


def _of_columns(row: Row, known: Model | None, said: list[str]) -> Model:
    layers, hidden, heads = row.needed("layers"), row.needed("hidden"), row.needed("heads")
    head_dim = row.or_else("head_dim", hidden / heads)
    kind = row.text("attn_kind")
    matrices = row.or_else("ffn_mats", known.ffn_matrices if known else 2.0)
    latent = MLA.search(kind)
    ranks = tuple(float(n) for n in latent.groups()) if latent else (0.0, 0.0, 0.0, 0.0, head_dim)
    window, window_layers = _window(kind, layers)
    return Model(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=row.or_else("kv_heads", heads),
        head_dim=ranks[2] + ranks[3] if latent else head_dim,
        v_head_dim=ranks[4],
        ffn=_ffn(row, hidden, matrices, known, said),
        ffn_matrices=matrices,
        vocab=_vocab(row, known, said),
        tied_embeddings=row.or_else("tied_emb", 0.0),
        learned_positions=known.learned_positions if known else 0.0,
        biases=known.biases if known else float(matrices == 2.0),
        q_lora_rank=ranks[0],
        kv_lora_rank=ranks[1],
        rope_head_dim=ranks[3],
        window=window,
        window_layers=window_layers,
        mtp_layers=_prediction_layers(row, layers, known),
        **_experts(row, layers, known),
    )


def _ffn(row: Row, hidden: float, matrices: float, known: Model | None, said: list[str]) -> float:
    given = row.number("ffn")
    if given:
        return given
    if known and known.hidden == hidden:
        return known.ffn
    said.append("ffn not given: 4 x hidden" if matrices == 2.0 else "ffn not given: 8/3 x hidden")
    return 4.0 * hidden if matrices == 2.0 else 8.0 / 3.0 * hidden


def _vocab(row: Row, known: Model | None, said: list[str]) -> float:
    given = row.number("vocab")
    if given:
        return given
    if known:
        return known.vocab
    said.append("vocab not given: 50304, of the GPT family")
    return 50304.0


def _window(kind: str, layers: float) -> tuple[float, float]:
    """Return window and windowed layers of an attention pattern in words."""
    window, chunk = WINDOW.search(kind), CHUNK.search(kind)
    ratio = PATTERN.search(kind)
    share = float(ratio[1]) / (float(ratio[1]) + 1.0) if ratio else 0.5
    if window:
        return float(window[1]), layers * share
    if chunk:  # a query sees half its chunk on average
        return float(chunk[1]) / 2.0, layers * share
    return 0.0, 0.0


def _experts(row: Row, layers: float, known: Model | None) -> dict[str, float]:
    count = row.or_else("moe_experts", 0.0)
    if not count:
        zero = dict.fromkeys(("experts", "top_k", "top_groups", "expert_ffn", "shared_ffn"), 0.0)
        return {**zero, "dense_layers": layers, "leading_dense_layers": 0.0}
    width = row.needed("moe_ffn")
    leading = row.or_else("moe_first_dense", 0.0)
    every_second = "every 2nd" in row.text("attn_kind") or (known and known.dense_layers * 2 == known.layers)
    return {
        "experts": count,
        "top_k": row.needed("moe_topk"),
        "top_groups": known.top_groups if known else 0.0,
        "expert_ffn": width,
        "shared_ffn": row.or_else("moe_shared", 0.0) * width,
        "dense_layers": layers / 2 if every_second else leading,
        "leading_dense_layers": leading,
    }


def _prediction_layers(row: Row, layers: float, known: Model | None) -> float:
    """Return the multi-token-prediction layers: those of the model, unless cut short or said to be left out."""
    if known is None or known.layers != layers or "w/o MTP" in row.text("table_ref") + row.text("notes"):
        return 0.0
    return known.mtp_layers
