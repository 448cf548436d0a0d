"""The transformer that all paradigms share; they differ only in the attention rule that they pass to it.

It has pre-norm RMSNorm (Zhang and Sennrich, 2019), rotary position embeddings (Su et al., 2021), SwiGLU (Shazeer,
2020) and tied embeddings. Residual branches start at zero, so that every layer is initially the identity (Zhang et al.,
2019).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint as recomputed

from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.cache import Cache
from paradigms.trunk.products import Kernel, Packed, Product, pack
from paradigms.trunk.rotary import Rotary, turned
from paradigms.trunk.sight import Sight

MOST, LARGEST = 1_000_000, 1_000_000_000  # units of a layer; a number that float32 computes with


class Late(NamedTuple):
    """Which layers a query passes: the first `read` queries of a pass take all, the others only those from `layer` on.

    The `read` queries are the text's first positions, all of them in this pass; below `layer` they see only each other.
    """

    read: int
    layer: int


SHORT = 256  # keys up to which the gradient of plain products is faster on the CPU than that of the fused kernel

Columns = Tensor | range
"""Columns of a pass's queries: (B, Q), or a range where they are the same in all rows."""


class Layer(nn.Module):
    """Self-attention and SwiGLU, each after a norm and added to the residual stream.

    kv_heads: heads of keys and values, each of which several heads of queries share (Ainslie et al., 2023).
    """

    def __init__(self, width: int, heads: int, hidden: int, kv_heads: int, eps: float, bias: bool):
        super().__init__()
        self.heads, self.kv_heads, self.plain = heads, kv_heads, kv_heads == heads and not bias
        self.attend_norm = nn.RMSNorm(width, eps=eps)
        self.qkv = nn.Linear(width, width * (heads + 2 * kv_heads) // heads, bias=bias)
        self.attend_out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, eps=eps)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.mlp_out = nn.Linear(hidden, width, bias=False)

    def products(self) -> list[Product]:
        """The layer's products, in the order in which `forward` takes their kernels."""
        before, between = Product(self.qkv, self.attend_norm), Product(self.gate_up, self.mlp_norm)
        return [before, Product(self.attend_out), between, Product(self.mlp_out)]

    def forward(self, x_MD: Tensor, kernels: Sequence[Kernel], attend: Callable[[Tensor], Tensor]) -> Tensor:
        """The layer at M positions of any rows; `attend` maps queries, keys and values (M, 3 D) to a mix (M, D)."""
        to_qkv, from_mixed, to_gate_up, from_hidden = kernels
        qkv_MP = to_qkv(x_MD)
        x_MD = from_mixed(attend(qkv_MP if self.plain else self.whole(qkv_MP)), x_MD)
        gate_MH, up_MH = to_gate_up(x_MD).chunk(2, dim=-1)
        return from_hidden(F.silu(gate_MH) * up_MH, x_MD)

    def whole(self, qkv_MP: Tensor) -> Tensor:
        """Queries, keys and values with their bias, if any, and with as many heads of keys and values as of queries."""
        if self.qkv.bias is not None:
            qkv_MP = qkv_MP + self.qkv.bias
        if self.kv_heads == self.heads:
            return qkv_MP
        N, G = self.heads, self.kv_heads
        query_MNE, key_MGE, value_MGE = qkv_MP.view(len(qkv_MP), N + 2 * G, -1).split((N, G, G), dim=1)
        both = (each_MGE.repeat_interleave(N // G, dim=1) for each_MGE in (key_MGE, value_MGE))
        return torch.cat((query_MNE, *both), dim=1).flatten(1)


class Backbone(nn.Module):
    """The transformer from token ids to logits.

    embedding: initial standard deviation of the embeddings. As they are tied, initial logits have the deviation
    embedding x sqrt(width); with a vocabulary of thousands, much of a short training is spent on reducing large ones.
    kv_heads: heads of keys and values, by default as many as of queries.  base: of the rotary embedding's wavelengths.
    tied: whether the embeddings are also the head over the vocabulary.  bias: of queries, keys and values.
    """

    checkpoint: None = None  # of a public model, whose tokenizer comes with it
    checkpoints_activations = False  # whether a gradient keeps only the layers' inputs (Chen et al., 2016)

    def __init__(
        self,
        vocabulary_size: int,
        layers: int,
        width: int,
        heads: int,
        hidden: int,
        embedding: float = 0.5,
        kv_heads: int | None = None,
        base: float = 10_000.0,
        eps: float = 1e-5,
        tied: bool = True,
        bias: bool = False,
    ):
        super().__init__()
        if min(layers, width, heads, hidden) < 1 or width % (2 * heads):
            raise ValueError(f"width={width}, heads={heads}: must be positive, width a multiple of 2 x heads")
        for name, value, most in (("layers", layers, 1000), ("width", width, MOST), ("hidden", hidden, MOST)):
            if value > most:
                raise ValueError(f"{name}={value}: must be at most {most:,}")
        for name, value in (("embedding", embedding), ("base", base), ("eps", eps)):
            if not 0 < value <= LARGEST:
                raise ValueError(f"{name}={value}: must be above 0 and at most {LARGEST:,}")
        if kv_heads is not None and (kv_heads < 1 or heads % kv_heads):
            raise ValueError(f"kv_heads={kv_heads}: must be a divisor of heads={heads}")
        self.kv_heads = kv_heads or heads
        self.width, self.heads, self.hidden, self.embedding = width, heads, hidden, embedding
        unset = torch.empty(vocabulary_size, width)  # see initialise; sampling on the meta device imports all of dynamo
        self.embed = nn.Embedding.from_pretrained(unset, freeze=False)
        self.layers = nn.ModuleList(Layer(width, heads, hidden, self.kv_heads, eps, bias) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=eps)
        self.head = None if tied else nn.Linear(width, vocabulary_size, bias=False)
        above = Product(self.head or self.embed, self.norm)
        self.products = [layer.products() for layer in self.layers] + [[above]]  # type: ignore[operator]
        self.rotary = Rotary(width // heads, base)
        self.sight: Sight | None = None
        self.version: list[int] | None = None
        self.packed: list[list[Packed]] = []

    def initialise(self, generator: torch.Generator) -> None:
        """Samples matrices with deviation 1/sqrt(inputs), embeddings with their own; norms are 1, branch outputs 0."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() == 1:
                    weight.fill_(float(not name.endswith("bias")))
                elif name.endswith("_out.weight"):
                    weight.zero_()
                else:
                    deviation = self.embedding if name == "embed.weight" else weight.shape[1] ** -0.5
                    weight.normal_(0, deviation, generator=generator)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Backbone":
        self.version = None  # new values may come under old version numbers
        return super()._apply(fn, recurse)

    def cache(self, rows: int, positions: int, layers: int | None = None) -> Cache:
        """An empty key-value cache for the last `layers` layers, by default for all."""
        layers = len(self.layers) if layers is None else layers
        return Cache(self.embed.weight, layers, rows, self.heads, positions, self.width // self.heads)

    def kernels(self) -> Sequence[Sequence[Kernel]]:
        """The kernels of every layer and, last, of the head: in evaluation on the CPU of packed weights.

        Packing takes milliseconds, and is repeated when a weight has changed. Fused optimisers do not count a weight's
        version up, therefore a pass that can be part of a training ends the validity of packed weights.
        """
        if self.training or torch.is_grad_enabled() or self.embed.weight.device.type != "cpu":
            self.version = None
            return self.products
        if self.version is None:
            self.weights = [weight for weight in self.parameters() if not weight.is_inference()]
        version = [weight._version for weight in self.weights]
        if version != self.version:
            packed = iter(pack([product for of_layer in self.products for product in of_layer]))
            self.packed = [[next(packed) for _ in of_layer] for of_layer in self.products]
            self.version = version
        return self.packed

    def names_of_kernels(self) -> dict[str, tuple[str, str]]:
        """The kernels that serve one row and more rows, by the shape of a weight; empty before any evaluation."""
        pairs = zip(self.products, self.packed, strict=False)
        both = [pair for pair in pairs for pair in zip(*pair, strict=True)]
        return {"x".join(map(str, product.module.weight.shape)): packed.names for product, packed in both}

    def packed_bytes(self) -> int:
        """Bytes of the packed copies of weights."""
        return sum(packed.nbytes for of_layer in self.packed for packed in of_layer)

    def forward(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Columns | None = None,
        keys: int | None = None,
        place_BQ: Tensor | None = None,
        want_BW: Tensor | None = None,
        need_BW: Tensor | None = None,
        cache: Cache | None = None,
        late: Late | None = None,
        states: list[Tensor] | None = None,
        added_BQD: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, Q, V), or (B, W, V) where only some queries' are wanted; those of padding mean nothing.

        ids_BQ: the tokens read in this pass.  pad_BL: True at padding.  at_BQ: the columns of ids_BQ, by default
        0..Q-1.  keys: how many columns, from the first on, are attended to, by default all.
        place_BQ: positions for the rotary embedding, by default at_BQ; two tokens may share a position.
        want_BW: indices into the Q queries, by default all.  need_BW: True where one of these is needed after all; only
        the N needed are then computed, row by row, and returned as (N, V).
        cache: keys and values of earlier passes; those of this pass are written into it.
        late: which queries pass only the last layers, by default none; a cache then needs no other layers.
        states: a list to which the hidden states below the head are appended, (B, Q, D); 0 at padding not computed.
        added_BQD: what is added to the embedded tokens, such as an embedded noise level; by default nothing.
        Masks are kept for the next pass, which uses them if it gets the same objects `rule` and `pad_BL`.
        """
        B, Q = ids_BQ.shape
        at_BQ = range(Q) if at_BQ is None else at_BQ
        keys = pad_BL.shape[1] if keys is None else keys
        if self.sight is None or not self.sight.serves(rule, pad_BL):
            self.sight = Sight(rule, pad_BL)
        kernels, layers, weight_VD = self.kernels(), list(self.layers), self.embed.weight
        turn = self.rotary.turns(at_BQ if place_BQ is None else place_BQ, pad_BL.shape[1], weight_VD)
        mask = self.sight.mask(at_BQ, keys, weight_VD.dtype)
        real_M = None if late else self.sight.real(at_BQ)
        shape = B, Q, 3, self.heads, self.width // self.heads
        x_MD = F.embedding(ids_BQ.reshape(-1) if real_M is None else ids_BQ.reshape(-1)[real_M], weight_VD)
        if added_BQD is not None:
            added_MD = added_BQD.reshape(-1, added_BQD.shape[-1])
            x_MD = x_MD + (added_MD if real_M is None else added_MD[real_M])
        read, entry = late or (0, 0)
        if read:
            x_MD = self.below(entry, read, x_MD.view(B, Q, -1), kernels)
        for number in range(entry, len(layers)):
            kept = None if cache is None else partial(cache.exchange, number - len(layers), at_BQ, keys)
            attend = partial(attention, shape=shape, turn=turn, mask=mask, real_M=real_M, kept=kept)
            x_MD = self.through(layers[number], x_MD, kernels[number], attend)
        if states is not None:
            state_MD, all_MD = self.norm(x_MD), x_MD.new_zeros(B * Q, x_MD.shape[1])
            states.append((state_MD if real_M is None else all_MD.index_copy(0, real_M, state_MD)).view(B, Q, -1))
        if want_BW is not None or real_M is not None:
            place_BW = places(want_BW, real_M, B, Q)
            x_MD = x_MD[place_BW.flatten() if need_BW is None else place_BW[need_BW]]
        logits_NV = kernels[-1][0](x_MD)
        return logits_NV.view(B, -1, len(weight_VD)) if need_BW is None else logits_NV

    def below(self, entry: int, read: int, x_BQD: Tensor, kernels: Sequence[Sequence[Kernel]]) -> Tensor:
        """Passes the text's first positions, which see only each other, through the layers before number `entry`."""
        assert self.sight is not None
        B, _, D = x_BQD.shape
        turn = self.rotary.turns(range(read), read, x_BQD)
        mask = self.sight.mask(range(read), read, x_BQD.dtype)
        attend = partial(attention, shape=(B, read, 3, self.heads, D // self.heads), turn=turn, mask=mask)
        x_MD = x_BQD[:, :read].reshape(-1, D)
        for number, layer in list(enumerate(self.layers))[:entry]:
            x_MD = self.through(layer, x_MD, kernels[number], attend)
        return torch.cat((x_MD.view(B, read, D), x_BQD[:, read:]), dim=1).view(-1, D)

    def through(self, layer: nn.Module, *given: Any) -> Tensor:
        """A layer's output. With checkpointing, what the layer holds is computed again when the gradient needs it."""
        if not (self.checkpoints_activations and torch.is_grad_enabled()):
            return layer(*given)
        return recomputed(layer, *given, use_reentrant=False, preserve_rng_state=False)  # nothing in it is random

    def flops(
        self, batch: int, queries: int, keys: int, wanted: float, late: Late | None = None, skipped: int = 0
    ) -> int:
        """Floating-point operations of the matrix products of one forward pass, where a multiply-add counts as two.

        wanted: logits per row.  skipped: positions of padding, which pass through attention only.
        """
        D, (read, entry) = self.width, late or (0, 0)
        entered = len(self.layers) - entry
        passed = (batch * queries - skipped) * entered + batch * read * entry
        shared = self.kv_heads / self.heads  # queries and outputs have a matrix each, keys and values a part of one
        matrices = 2 * passed * round((2 + 2 * shared) * D * D + 3 * D * self.hidden)
        attention = 2 * batch * (queries * keys * entered + read * read * entry) * 2 * D
        return matrices + attention + 2 * round(batch * wanted) * D * self.embed.num_embeddings

    def bytes_moved(self, batch: int, queries: int, keys: int, cached: bool, late: Late | None = None) -> int:
        """The minimum of bytes that one forward pass moves: its weights and the cache entries it reads and writes."""
        read, entry = late or (0, 0)
        unused = [] if read else list(self.layers)[:entry]
        weights = sum(weight.nbytes for weight in self.parameters())
        weights -= sum(weight.nbytes for layer in unused for weight in layer.parameters())
        size = self.embed.weight.element_size()
        return weights + cached * 2 * (len(self.layers) - entry) * batch * (keys + queries) * self.width * size


def attention(
    qkv_MP: Tensor,
    *,
    shape: tuple[int, ...],
    turn: Tensor,
    mask: Tensor | None,
    real_M: Tensor | None = None,
    kept: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The mix of values (M, D) that each position attends to; P = 3 D, the width of queries, keys and values.

    shape: (B, Q, 3, N, E).  real_M: which of the B Q positions are given, by default all.
    kept: stores the keys and values of this pass in a cache, and returns those of all columns.
    """
    if real_M is not None:
        qkv_MP = qkv_MP.new_zeros(shape[0] * shape[1], qkv_MP.shape[1]).index_copy(0, real_M, qkv_MP)
    qkv_BQ3NE = turned(qkv_MP.view(shape), turn)
    qkv_3BNQE = qkv_BQ3NE.permute(2, 0, 3, 1, 4)
    query_BNQE, key_BNKE, value_BNKE = qkv_3BNQE.unbind()
    if kept is not None:
        key_BNKE, value_BNKE = kept(qkv_3BNQE[1:]).unbind()
    if torch.is_grad_enabled() and key_BNKE.shape[2] <= SHORT and key_BNKE.device.type == "cpu":
        score_BNQK = torch.matmul(query_BNQE * shape[-1] ** -0.5, key_BNKE.transpose(2, 3))
        mixed_BNQE = torch.matmul((score_BNQK if mask is None else score_BNQK + mask).softmax(-1), value_BNKE)
    else:
        mixed_BNQE = F.scaled_dot_product_attention(query_BNQE, key_BNKE, value_BNKE, attn_mask=mask)
    mixed_MD = mixed_BNQE.transpose(1, 2).reshape(shape[0] * shape[1], -1)
    return mixed_MD if real_M is None else mixed_MD[real_M]


def places(want_BW: Tensor | None, real_M: Tensor | None, rows: int, queries: int) -> Tensor:
    """Where the wanted queries lie among the M positions that were computed, (B, W); padding lies anywhere."""
    row_B1 = torch.arange(0, rows * queries, queries, device=(want_BW if real_M is None else real_M).device)[:, None]  # type: ignore[union-attr]
    want_BW = torch.arange(queries, device=row_B1.device) if want_BW is None else want_BW
    place_BW = row_B1 + want_BW
    return place_BW if real_M is None else torch.searchsorted(real_M, place_BW).clamp(max=len(real_M) - 1)
