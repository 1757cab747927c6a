"""The layers of a BERT-like encoder, written out, on which small differences of their own can be laid.

A layer is shared by everybody; what a function's samples taught it is a delta of low rank beside each of its products:
`x W + (x D) U`. So one pass serves the rows of several functions, the large products taken for all of them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch.nn import functional

N_HEADS = 12
NORM_EPSILON = 1e-12
FEW_TOKENS = 32
"""Tokens whose deltas a processor takes in float32: in bfloat16 small products take longer to begin than to compute. Of
one text of 11 tokens, both frozen and adapted: 4.3 instead of 4.7 ms, of 28 tokens 7.0 instead of 7.2."""


class Delta(NamedTuple):
    """What is added to a product `(out, in)`: `up @ down`, `(out, rank)` and `(rank, in)`."""

    down: torch.Tensor
    up: torch.Tensor


class Own(NamedTuple):
    """Rows of a pass that have deltas, and these by the name of the product.

    One delta for all of the rows, or, where nothing is learned, one for each: `(n_rows, out, rank)` and
    `(n_rows, rank, in)`.
    """

    rows: slice
    deltas: Mapping[str, Delta]


PRODUCTS = ("qkv", "mixed", "wide", "narrow")
PACKED, PACKED_FOR = (torch.float32, torch.bfloat16), 64
"""Number formats of packed weights, and the tokens they are packed for; those of any number are computed, 16 to 1,024
packed for make no difference."""


@dataclass(frozen=True)
class Layer:
    """Weights and biases of a layer, by what they make."""

    qkv: tuple[torch.Tensor, torch.Tensor]
    mixed: tuple[torch.Tensor, torch.Tensor]
    mixed_norm: tuple[torch.Tensor, torch.Tensor]
    wide: tuple[torch.Tensor, torch.Tensor]
    narrow: tuple[torch.Tensor, torch.Tensor]
    narrow_norm: tuple[torch.Tensor, torch.Tensor]
    packed: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Weights of the products once more, as a processor reads them; nothing is learned through these."""

    def to(self, dtype: torch.dtype) -> Layer:
        """Return the same in another number format, to learn on."""
        pairs = {name: getattr(self, name) for name in (*PRODUCTS, "mixed_norm", "narrow_norm")}
        return Layer(packed={}, **{name: (weight.to(dtype), bias.to(dtype)) for name, (weight, bias) in pairs.items()})

    def with_packed(self) -> Layer:
        """Return the same, faster where nothing is learned."""
        return replace(self, packed=packed({name: getattr(self, name)[0] for name in PRODUCTS}))

    def through(self, x: torch.Tensor, visible: torch.Tensor | None, own: Sequence[Own] = ()) -> torch.Tensor:
        """Return what the layer makes of token states `(n, length, width)`.

        Parameters
        ----------
        visible
            `(n, 1, 1, length)`: what is a token; None where all are.
        own
            Rows `n` with deltas, apart from each other; all of them, where something is learned.
        """
        n, length, width = x.shape
        qkv = self._product("qkv", x, own).view(n, length, 3, N_HEADS, width // N_HEADS)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = _attention(query, key, value, visible)
        mixed = self._product("mixed", mixed.transpose(1, 2).reshape(n, length, width), own)
        x = functional.layer_norm(x + mixed, (width,), *self.mixed_norm, NORM_EPSILON)
        wide = functional.gelu(self._product("wide", x, own))
        narrow = self._product("narrow", wide, own)
        return functional.layer_norm(x + narrow, (width,), *self.narrow_norm, NORM_EPSILON)

    def _product(self, name: str, x: torch.Tensor, own: Sequence[Own]) -> torch.Tensor:
        made = self._linear(name, x)
        for rows, deltas in own:
            down, up = deltas[name]
            if torch.is_grad_enabled():  # all rows have the same; for gradients nothing changes in place
                made = made + functional.linear(functional.linear(x, down), up)
            elif down.ndim == 3:
                made[rows].baddbmm_(x[rows] @ down.mT, up.mT)
            else:
                _lay_on(made[rows].flatten(0, 1), x[rows].flatten(0, 1), deltas[name])
        return made

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        weight, bias = getattr(self, name)
        if name not in self.packed or torch.is_grad_enabled():
            return functional.linear(x, weight, bias)
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed[name], bias, "none", [], "")
        return made


def _lay_on(made: torch.Tensor, x: torch.Tensor, delta: Delta) -> None:
    """Add a delta to what was made of tokens, both `(n, width)`, in place."""
    down, up = delta
    if len(x) <= FEW_TOKENS and x.device.type == "cpu":
        made += functional.linear(functional.linear(x.float(), down.float()), up.float())
    else:
        made.addmm_(functional.linear(x, down), up.T)


def packed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights in the order in which a processor's products read them; none where torch has no such products.

    `functional.linear` brings them into that order every time. A layer's four products of 11, 20, 60 and 120 tokens in
    bfloat16 then take 0.65, 0.72, 0.83 and 0.88 times as long, to the same last digit; in float32 about half.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch's own
        return {}
    ready = {name: weight for name, weight in weights.items() if weight.device.type == "cpu" and weight.dtype in PACKED}
    return {name: torch.ops.mkldnn._reorder_linear_weight(weight, PACKED_FOR) for name, weight in ready.items()}


def _attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, visible: torch.Tensor | None
) -> torch.Tensor:
    """Return the attended values. Its gradient in bfloat16 takes a processor seventeen times as long as in float32."""
    if query.requires_grad and query.device.type == "cpu" and query.dtype != torch.float32:
        whole = functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=visible)
        return whole.to(query.dtype)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=visible)


class Encoder:
    """The transformer, on token ids."""

    def __init__(self, weights: Mapping[str, torch.Tensor], device: str, dtype: torch.dtype) -> None:
        def pair(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            return weights[f"{name}.weight"].to(device, dtype), weights[f"{name}.bias"].to(device, dtype)

        def joined(names: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
            parts = [pair(name) for name in names]
            return torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])

        token_type = weights["embeddings.token_type_embeddings.weight"][0]
        self.words = weights["embeddings.word_embeddings.weight"].to(device, dtype)
        self.positions = (weights["embeddings.position_embeddings.weight"] + token_type).to(device, dtype)
        self.input_norm = pair("embeddings.LayerNorm")
        n_layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))
        self.layers: list[Layer] = []
        for at in (f"encoder.layer.{i}" for i in range(n_layers)):
            self.layers.append(
                Layer(
                    qkv=joined([f"{at}.attention.self.{name}" for name in ("query", "key", "value")]),
                    mixed=pair(f"{at}.attention.output.dense"),
                    mixed_norm=pair(f"{at}.attention.output.LayerNorm"),
                    wide=pair(f"{at}.intermediate.dense"),
                    narrow=pair(f"{at}.output.dense"),
                    narrow_norm=pair(f"{at}.output.LayerNorm"),
                ).with_packed()
            )

    def states(
        self, ids: torch.Tensor, is_token: torch.Tensor, *, n_layers: int | None = None
    ) -> Iterator[torch.Tensor]:
        """Yield the token states `(n, length, width)`: the input of the first layer, then the output of each."""
        width = self.words.shape[1]
        x = self.words[ids] + self.positions[: ids.shape[1]]
        x = functional.layer_norm(x, (width,), *self.input_norm, NORM_EPSILON)
        yield x
        visible = visible_to_all(is_token)
        for layer in self.layers[:n_layers]:
            x = layer.through(x, visible)
            yield x


def visible_to_all(is_token: torch.Tensor) -> torch.Tensor | None:
    """Return what attention may look at, for `Layer.through`, of what is a token, `(n, length)`."""
    return None if bool(is_token.all()) else is_token[:, None, None, :]


def mean_of(states: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    """Return the mean state of each text's tokens, `(n, width)`, float32."""
    mask = is_token[:, :, None]
    return states.float().masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1)


def maxima_of(states: torch.Tensor, is_token: torch.Tensor) -> torch.Tensor:
    """Return the maxima of each text's tokens, `(n, width)`, float32."""
    return states.float().masked_fill(~is_token[:, :, None], float("-inf")).amax(dim=1)
