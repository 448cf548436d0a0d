"""A language model of lm-evaluation-harness whose texts a paradigm generates, and whose likelihoods it computes."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import Collator, handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from wordways.lm_eval.source import source_of

TOKENS = 256  # of a generated text where a task does not say
Scored = tuple[tuple[str, str], list[int], list[int]]


class WordwaysLM(TemplateLM):
    """model_args: settings of `wordways`, such as paradigm=..., backbone=pretrained, backbone.name=...

    A trained paradigm is named by the settings of its run. Raises SettingError, one line, where one is invalid.
    """

    def __init__(
        self, batch_size: int | str = 1, device: str | None = None, max_batch_size: int | None = None, **settings: Any
    ):
        super().__init__()
        if device is not None:
            settings["device"] = device.split(":")[0]
        self.source, self.batch = source_of(settings), 1 if batch_size == "auto" else int(batch_size)
        self.tokenizer = None if self.source.checkpoint is None else self.source.checkpoint.tokenizer
        self.kinds: set[str] = set()

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> "WordwaysLM":
        """Settings among model_args take precedence over the harness's own options."""
        return cls(**{**(additional_config or {}), **arg_dict})

    def get_model_info(self) -> dict[str, Any]:
        """What a reader of the results must know: the likelihoods' kinds, which are not comparable with each other."""
        paradigm = self.source.paradigm()
        return {
            "wordways_paradigm": type(paradigm).__name__,
            "wordways_likelihood": sorted(self.kinds),
            "wordways_key": self.source.key,
            "model_num_parameters": sum(weight.numel() for weight in paradigm.parameters()),
        }

    @property
    def eot_token_id(self) -> int:
        return self.source.vocabulary.eos

    @property
    def prefix_token_id(self) -> int:
        """Stands before a text without a context: the tokenizer's beginning of a sequence, if it has one, else EOS."""
        begin = None if self.tokenizer is None else self.tokenizer.bos_token_id
        return self.source.vocabulary.eos if begin is None else begin

    @property
    def tokenizer_name(self) -> str:
        checkpoint = self.source.checkpoint
        return f"wordways-{self.source.key}" if checkpoint is None else checkpoint.title.replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        return self.source.ids(string, add_special_tokens is not False)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        if self.tokenizer is None:
            raise ValueError("apply_chat_template: a model trained by wordways has no chat template")
        return self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )

    @torch.inference_mode()
    def _loglikelihood_tokens(
        self, requests: list[Scored], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:  # type: ignore[override]
        """log p of each continuation, and whether greedy decoding of as many tokens generates it.

        The masks of a bound are the same for all answers to a question.
        """
        found = [(0.0, True)] * len(requests)
        scorer, greedy = self.source.paradigm(), self.source.paradigm(temperature=0.0, length="oracle")
        for places in tqdm(list(self.chunks([len(one[2]) for one in requests])), disable=disable_tqdm):
            asked = [requests[place] for place in places]
            contexts = [self.cut(context, len(continuation)) for _, context, continuation in asked]
            canvas = self.source.canvas(contexts, [continuation for *_, continuation in asked])
            law = scorer.log_likelihood(canvas, self.source.noise(contexts))
            self.kinds.add(law.kind)
            greedy_BH = self.source.decoded(greedy, contexts, len(asked[0][2]))
            for place, nats, ids in zip(places, law.nats_B.tolist(), greedy_BH.tolist(), strict=True):
                found[place] = nats, ids == requests[place][2]
                self.cache_hook.add_partial("loglikelihood", requests[place][0], found[place])
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """log p of whole texts, in windows as long as the network reads."""
        found = []
        for (text,) in tqdm([request.args for request in requests], disable=disable_tqdm):
            longest = min(self.source.longest, 1024) - 1 - len(self.source.after)
            windows = get_rolling_token_windows(self.tok_encode(text, False), self.prefix_token_id, longest, 1)
            pairs: list[Scored] = [(("", ""), *make_disjoint_window(window)) for window in windows]
            found.append(sum(nats for nats, _ in self._loglikelihood_tokens(pairs, disable_tqdm=True)))
        return found

    @torch.inference_mode()
    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The texts up to a stop string or the end of the sequence, at the temperature that the task asks for."""
        groups = Collator([request.args for request in requests], group_by="gen_kwargs", group_fn=lambda args: args[1])
        done = []
        for chunk in tqdm(groups.get_batched(n=self.batch), disable=disable_tqdm):
            how = normalize_gen_kwargs(chunk[0][1], TOKENS)
            until = handle_stop_sequences(how.get("until"), self.source.text([self.eot_token_id]))
            tokens = int(how.get("max_gen_toks", TOKENS))
            model = self.source.paradigm(temperature=float(how.get("temperature", 0.0)))
            contexts = [self.cut(self.tok_encode(context), tokens) for context, _ in chunk]
            for (context, asked), ids in zip(chunk, self.source.decoded(model, contexts, tokens).tolist(), strict=True):
                kept = ids[: ids.index(self.eot_token_id)] if self.eot_token_id in ids else ids
                done.append(postprocess_generated_text(self.source.text(kept), until, None))
                self.cache_hook.add_partial("generate_until", (context, asked), done[-1])
        return groups.get_original(done)

    def chunks(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Requests with continuations of one length in batches, longest first."""
        order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        batch: list[int] = []
        for place in order:
            if batch and (len(batch) == self.batch or lengths[place] != lengths[batch[0]]):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def cut(self, context: list[int], tokens: int) -> list[int]:
        """The last ids of a context that fit before a continuation of so many tokens, at least one."""
        room = self.source.longest - tokens - len(self.source.after)
        if room < 1:
            raise ValueError(f"{tokens} tokens leave no room for a context: the network reads {self.source.longest}")
        return context[-room:] or [self.prefix_token_id]
