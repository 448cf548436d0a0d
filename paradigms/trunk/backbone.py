"""The transformer that all paradigms share; they differ only in the attention rule that they pass to it.

It has pre-norm RMSNorm (Zhang and Sennrich, 2019), rotary position embeddings (Su et al., 2021), SwiGLU (Shazeer,
2020) and tied embeddings. Residual branches start at zero, so that every layer is initially the identity (Zhang et al.,
2019).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paradigms.trunk.attention import AttentionRule
from paradigms.trunk.cache import Cache


class Late(NamedTuple):
    """Which layers a query passes: the first `read` queries of a pass take all, the others only those from `layer` on.

    The `read` queries are the text's first positions, all of them in this pass; below `layer` they see only each other.
    """

    read: int
    layer: int


def rotate(x_BNQD: Tensor, cos_BQD: Tensor, sin_BQD: Tensor) -> Tensor:
    """Rotary embedding: rotates the two halves of every head's vector by an angle that grows with the position."""
    left, right = x_BNQD.chunk(2, dim=-1)
    return x_BNQD * cos_BQD[:, None] + torch.cat((-right, left), dim=-1) * sin_BQD[:, None]


class Layer(nn.Module):
    """Self-attention and SwiGLU, each after a norm and added to the residual stream."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.attend_norm = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.attend_out = nn.Linear(width, width, bias=False)
        self.mlp_norm = nn.RMSNorm(width, eps=1e-5)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.mlp_out = nn.Linear(hidden, width, bias=False)

    def forward(
        self,
        x_BQD: Tensor,
        turn: tuple[Tensor, Tensor],
        sees_B1QL: Tensor,
        at_BQ: Tensor,
        kept_2BNLD: Tensor | None,
    ) -> Tensor:
        B, Q, D = x_BQD.shape
        N = self.heads
        qkv = self.qkv(self.attend_norm(x_BQD)).view(B, Q, 3 * N, D // N).transpose(1, 2)
        query, key = rotate(qkv[:, : 2 * N], *turn).chunk(2, dim=1)
        value = qkv[:, 2 * N :]
        if kept_2BNLD is not None:
            rows_B1 = torch.arange(B, device=x_BQD.device)[:, None]
            kept_2BNLD[0][rows_B1, :, at_BQ] = key.transpose(1, 2)
            kept_2BNLD[1][rows_B1, :, at_BQ] = value.transpose(1, 2)
            key, value = kept_2BNLD[..., : sees_B1QL.shape[-1], :].unbind()
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=sees_B1QL)
        x_BQD = x_BQD + self.attend_out(mixed.transpose(1, 2).reshape(B, Q, D))
        gate, up = self.gate_up(self.mlp_norm(x_BQD)).chunk(2, dim=-1)
        return x_BQD + self.mlp_out(F.silu(gate) * up)


class Backbone(nn.Module):
    """The transformer from token ids to logits.

    embedding: initial standard deviation of the embeddings. As they are tied, initial logits have the deviation
    embedding x sqrt(width); with a vocabulary of thousands, much of a short training is spent on reducing large ones.
    """

    def __init__(self, vocabulary_size: int, layers: int, width: int, heads: int, hidden: int, embedding: float = 0.5):
        super().__init__()
        if min(layers, width, heads, hidden) < 1 or width % (2 * heads):
            raise ValueError(f"width={width}, heads={heads}: must be positive, width a multiple of 2 x heads")
        if embedding <= 0:
            raise ValueError(f"embedding={embedding}: must be above 0")
        self.width, self.heads, self.hidden, self.embedding = width, heads, hidden, embedding
        unset = torch.empty(vocabulary_size, width)  # see initialise; sampling on the meta device imports all of dynamo
        self.embed = nn.Embedding.from_pretrained(unset, freeze=False)
        self.layers = nn.ModuleList(Layer(width, heads, hidden) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)

    def initialise(self, generator: torch.Generator) -> None:
        """Samples matrices with deviation 1/sqrt(inputs), embeddings with their own; norms are 1, branch outputs 0."""
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() == 1:
                    weight.fill_(1.0)
                elif name.endswith("_out.weight"):
                    weight.zero_()
                else:
                    deviation = self.embedding if name == "embed.weight" else weight.shape[1] ** -0.5
                    weight.normal_(0, deviation, generator=generator)

    def cache(self, rows: int, positions: int, layers: int | None = None) -> Cache:
        """An empty key-value cache for the last `layers` layers, by default for all."""
        layers = len(self.layers) if layers is None else layers
        return Cache(self.embed.weight, layers, rows, self.heads, positions, self.width // self.heads)

    def forward(
        self,
        ids_BQ: Tensor,
        rule: AttentionRule,
        *,
        pad_BL: Tensor,
        at_BQ: Tensor | None = None,
        place_BQ: Tensor | None = None,
        want_BW: Tensor | None = None,
        cache: Cache | None = None,
        late: Late | None = None,
    ) -> Tensor:
        """Logits (B, Q, V), or (B, W, V) where only some queries' are wanted.

        ids_BQ: the tokens read in this pass.  pad_BL: True at padding; its width is the number of key columns.
        at_BQ: the columns of ids_BQ, by default 0..Q-1.  want_BW: indices into the Q queries, by default all.
        place_BQ: their positions for the rotary embedding, by default at_BQ; two tokens may share a position.
        cache: keys and values of earlier passes; those of this pass are written into it.
        late: which queries pass only the last layers, by default none; a cache then needs no other layers.
        """
        if at_BQ is None:
            at_BQ = torch.arange(ids_BQ.shape[1], device=ids_BQ.device).expand_as(ids_BQ)
        query_BQ1, key_11L = at_BQ[:, :, None], torch.arange(pad_BL.shape[1], device=ids_BQ.device)[None, None]
        # every position sees itself, because padding would otherwise have no key to attend to
        sees_B1QL = (rule(query_BQ1, key_11L) & ~pad_BL[:, None] | (key_11L == query_BQ1))[:, None]
        x_BQD = self.embed(ids_BQ)
        half = self.width // self.heads // 2
        frequency = 10_000.0 ** (-torch.arange(half, device=x_BQD.device, dtype=torch.float64) / half)
        place_BQ = at_BQ if place_BQ is None else place_BQ
        angle_BQD = (place_BQ[:, :, None] * frequency).repeat(1, 1, 2)
        turn = angle_BQD.cos().to(x_BQD.dtype), angle_BQD.sin().to(x_BQD.dtype)
        read, entry = late or (0, 0)
        if read:
            x_BQD = torch.cat((self.below(entry, x_BQD[:, :read], turn, sees_B1QL, at_BQ), x_BQD[:, read:]), dim=1)
        for number, layer in list(enumerate(self.layers))[entry:]:
            kept = None if cache is None else cache.layers[number - len(self.layers)]
            x_BQD = layer(x_BQD, turn, sees_B1QL, at_BQ, kept)
        if want_BW is not None:
            x_BQD = x_BQD.gather(1, want_BW[:, :, None].expand(-1, -1, self.width))
        return F.linear(self.norm(x_BQD), self.embed.weight)

    def below(self, entry: int, x_BQD: Tensor, turn: tuple[Tensor, Tensor], sees_B1QL: Tensor, at_BQ: Tensor) -> Tensor:
        """Passes the text's first Q positions, which see only each other, through the layers before number `entry`."""
        Q = x_BQD.shape[1]
        cos_BQD, sin_BQD = turn
        for layer in list(self.layers)[:entry]:
            x_BQD = layer(x_BQD, (cos_BQD[:, :Q], sin_BQD[:, :Q]), sees_B1QL[:, :, :Q, :Q], at_BQ[:, :Q], None)
        return x_BQD

    def flops(self, batch: int, queries: int, keys: int, wanted: int, late: Late | None = None) -> int:
        """Floating-point operations of the matrix products of one forward pass, where a multiply-add counts as two."""
        D, (read, entry) = self.width, late or (0, 0)
        entered = len(self.layers) - entry
        matrices = 2 * batch * (queries * entered + read * entry) * (4 * D * D + 3 * D * self.hidden)
        attention = 2 * batch * (queries * keys * entered + read * read * entry) * 2 * D
        return matrices + attention + 2 * batch * wanted * D * self.embed.num_embeddings

    def bytes_moved(self, batch: int, queries: int, keys: int, cached: bool, late: Late | None = None) -> int:
        """The minimum of bytes that one forward pass moves: its weights and the cache entries it reads and writes."""
        read, entry = late or (0, 0)
        unused = [] if read else list(self.layers)[:entry]
        weights = sum(weight.nbytes for weight in self.parameters())
        weights -= sum(weight.nbytes for layer in unused for weight in layer.parameters())
        size = self.embed.weight.element_size()
        return weights + cached * 2 * (len(self.layers) - entry) * batch * (keys + queries) * self.width * size
