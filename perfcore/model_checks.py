"""Whether the numbers of a model file fit together; all problems at once."""

from collections.abc import Mapping
from typing import Any

from perfcore.schema import Problem, shown

NEEDED = ("layers", "hidden", "heads", "ffn_matrices", "vocab")
_OF_EXPERTS = ("top_k", "top_groups", "expert_ffn", "shared_ffn")
_OF_LATENTS = ("q_lora_rank", "rope_head_dim")
_PUBLISHED = ("parameters_billion", "active_parameters_billion", "tokens_trillion")
LARGEST_BILLION = 10**6


def model_problems(document: Mapping[str, Any]) -> list[Problem]:
    """Check what single values cannot show, in a document whose values are each allowed.

    >>> model_problems({"layers": 2, "hidden": 8, "heads": 3, "ffn_matrices": 2, "vocab": 9, "ffn": 32})
    [('head_dim', 'is missing, and hidden 8 is not a multiple of heads 3; give it')]
    """
    missing = [(key, "is missing; give it") for key in NEEDED if key not in document]
    if missing:
        return missing
    checks = (_heads, _mlp, _experts, _dense_layers, _latents, _windows, _lengths, _published)
    return [problem for check in checks for problem in check(document)]


def _heads(given: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    heads, kv_heads = given["heads"], given.get("kv_heads", given["heads"])
    if heads % kv_heads:
        found.append(("kv_heads", f"found {kv_heads}; allowed: a number that divides heads ({heads})"))
    if "head_dim" not in given and given["hidden"] % heads:
        found.append(
            ("head_dim", f"is missing, and hidden {given['hidden']} is not a multiple of heads {heads}; give it")
        )
    return found


def _mlp(given: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    if given["ffn_matrices"] not in (2, 3):
        found.append(("ffn_matrices", f"found {given['ffn_matrices']}; allowed: 3 (gated) or 2 (plain)"))
    dense = given.get("dense_layers", given.get("leading_dense_layers", 0)) if given.get("experts") else 1
    if dense and "ffn" not in given:
        found.append(("ffn", "is missing; give the width of the MLP of the dense layers"))
    return found


def _experts(given: Mapping[str, Any]) -> list[Problem]:
    experts = given.get("experts", 0)
    if not experts:
        extra = [key for key in _OF_EXPERTS if given.get(key)]
        return [(key, f"found {shown(given[key])} without experts; give experts, or leave it out") for key in extra]
    found: list[Problem] = [
        (key, "is missing; a model with experts needs it") for key in ("top_k", "expert_ffn") if not given.get(key)
    ]
    if given.get("top_k", 0) > experts:
        found.append(("top_k", f"found {given['top_k']}; allowed: at most experts ({experts})"))
    return found


def _dense_layers(given: Mapping[str, Any]) -> list[Problem]:
    layers, leading = given["layers"], given.get("leading_dense_layers", 0)
    if not given.get("experts"):
        wrong = given.get("dense_layers", layers) != layers
        said = f"found {given.get('dense_layers')}; allowed: all {layers} layers of a model without experts"
        return [("dense_layers", said)] if wrong else []
    dense = given.get("dense_layers", leading)
    if dense >= layers:
        key = "dense_layers" if "dense_layers" in given else "leading_dense_layers"
        return [(key, f"found {dense}; allowed: below layers ({layers}), or there is no layer with experts")]
    if leading > dense:
        return [("leading_dense_layers", f"found {leading}; allowed: at most dense_layers ({dense})")]
    return []


def _latents(given: Mapping[str, Any]) -> list[Problem]:
    if not given.get("kv_lora_rank"):
        extra = [key for key in _OF_LATENTS if given.get(key)]
        return [(key, f"found {given[key]} without kv_lora_rank; give it, or leave this out") for key in extra]
    missing = [key for key in ("head_dim", "rope_head_dim") if not given.get(key)]
    if missing:
        return [(key, "is missing; multi-head latent attention (kv_lora_rank) needs it") for key in missing]
    if given["rope_head_dim"] >= given["head_dim"]:
        said = f"found {given['rope_head_dim']}; allowed: below head_dim ({given['head_dim']}), of which it is a part"
        return [("rope_head_dim", said)]
    return []


def _windows(given: Mapping[str, Any]) -> list[Problem]:
    window, windowed = given.get("window", 0), given.get("window_layers", 0)
    if bool(window) != bool(windowed):
        missing, there = ("window_layers", "window") if window else ("window", "window_layers")
        return [(missing, f"is missing, but {there} is given; give both, or neither")]
    if windowed > given["layers"]:
        return [("window_layers", f"found {windowed}; allowed: at most layers ({given['layers']})")]
    return []


def _lengths(given: Mapping[str, Any]) -> list[Problem]:
    seq = given.get("seq", 0)
    limits = {key: given[key] for key in ("max_seq", "learned_positions") if given.get(key)}
    return [("seq", f"found {seq}; allowed: at most {key} ({most})") for key, most in limits.items() if seq > most]


def _published(given: Mapping[str, Any]) -> list[Problem]:
    found: list[Problem] = []
    for key in _PUBLISHED:
        value = given.get(key, 1)
        if isinstance(value, dict) or value > LARGEST_BILLION:
            found.append((key, f"found {shown(value)}; allowed: one number to {LARGEST_BILLION}"))
    return found
