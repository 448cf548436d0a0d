"""Names that results carry: a class goes by its package and its own name, never by the file it stands in."""

import re
from collections.abc import Callable, Mapping
from typing import Any

PACKAGES = ("paradigms", "tasks")
SCHEMA_1 = {
    f"{path.split('.')[0]}.{path.rpartition('.')[2]}": path
    for path in (
        "paradigms.autoregressive.Autoregressive",
        "paradigms.backbone.Backbone",
        "paradigms.block_diffusion.BlockDiffusion",
        "paradigms.commit_once.CommitOnce",
        "paradigms.ctc.CTC",
        "paradigms.diffusion.Diffusion",
        "paradigms.draft_and_edit.DraftAndEdit",
        "paradigms.drafts.Jacobi",
        "paradigms.drafts.Lookahead",
        "paradigms.drafts.PromptLookup",
        "paradigms.gibbs.Gibbs",
        "paradigms.mask_predict.MaskPredict",
        "paradigms.masked_infill.MaskedInfill",
        "paradigms.parallel.Parallel",
        "paradigms.remask.Remask",
        "paradigms.repredict.RepredictAll",
        "paradigms.revised.Revised",
        "paradigms.shallow_decoder.ShallowDecoder",
        "paradigms.speculative.MaskDraft",
        "paradigms.speculative.NoDraft",
        "paradigms.speculative.Speculative",
        "tasks.addition.Addition",
        "tasks.bigram.Bigram",
        "tasks.constrained.Constrained",
        "tasks.continuation.Continuation",
        "tasks.countdown.Countdown",
        "tasks.data_to_text.DataToText",
        "tasks.error_injection.EditFromPrompt",
        "tasks.error_injection.ErrorInjection",
        "tasks.error_injection.OwnErrors",
        "tasks.grammar.Grammar",
        "tasks.hidden_markov.HiddenMarkov",
        "tasks.infilling.Infilling",
        "tasks.latin_square.LatinSquare",
        "tasks.list_operations.ListOperations",
        "tasks.path_star.PathStar",
        "tasks.planning_distance.PlanningDistance",
        "tasks.retrieval.Retrieval",
        "tasks.stories.Stories",
        "tasks.sudoku.Sudoku",
        "tasks.translation.Translation",
    )
}  # the paths under which records of schema 1, and checkpoints of that time, name these classes; closed for good


def public(target: str) -> str:
    """`tasks.sudoku.Sudoku` and `tasks.Sudoku` are `tasks.Sudoku`; a class of another package keeps its path."""
    head, _, rest = target.partition(".")
    return f"{head}.{rest.rpartition('.')[2]}" if head in PACKAGES else target


def schema_1(target: str) -> str:
    """The path a class had in schema 1; that of a later class never stood in such a record."""
    return SCHEMA_1.get(target, target)


def renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """A value of plain settings in which every class is named by `rename`."""
    if isinstance(value, Mapping):
        return {
            key: rename(inner) if key == "_target_" and isinstance(inner, str) else renamed(inner, rename)
            for key, inner in value.items()
        }
    return [renamed(inner, rename) for inner in value] if isinstance(value, list) else value


def kind(node: Mapping[str, Any]) -> str:
    """The name of a paradigm or a task: its class's in lower case, `list_operations` for `tasks.ListOperations`."""
    return snake_case(node["_target_"].rpartition(".")[2])


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
