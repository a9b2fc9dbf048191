"""`RunConfig`: the one description of a run; frozen, nested and strict."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from lamo_core.data.source_names import check_source
from lamo_core.errors import UsageError
from lamo_core.settings.backbone_name import parse_backbone
from lamo_core.settings.strict import Range, build, check_ranges, hint_of, leaf_names, parse_text, plain
from lamo_core.settings.strict import unknown_key as unknown_key

Adapter = Literal["lora", "frozen", "full"]
LoraTargets = Literal["attention", "attention-output", "mlp", "all"]
MethodName = Literal["lamo", "dt", "dt-wide", "wiki-rl", "bc", "filtered-bc", "cql", "iql", "td3+bc", "bcq", "nfq"]
ReturnInput = Literal["inclusive", "exclusive", "none"]
ReturnTokens = Literal["each", "injected", "latest"]
WindowKind = Literal["full", "every-step", "every-start"]
LoraProjections = Literal["shared", "separate"]
AttentionMixing = Literal["none", "heads"]
ContextMode = Literal["sliding", "chunked"]
RewardUnit = Literal["raw", "clipped"]
MicroBatch = int | Literal["auto"]

_RATIO = Range(0, 1, above=True, says="must be above 0 and at most 1, not {value:g} (1 % is 0.01)")
_FINITE = Range(-1e300, 1e300, says="must be finite numbers")


@dataclass(frozen=True)
class TaskConfig:
    """The environment, as it is trained for and evaluated on."""

    name: str = "atari-breakout"
    """A task of `lamo_core.tasks`: one that data ship for, or `atari-GAME` for any game of ale-py."""
    id: str = ""
    """Gymnasium's id of any other environment, such as `CartPole-v1`; it makes the task `gym:CartPole-v1`."""
    sticky_actions: Annotated[float, Range(0, 1)] = 0.25
    """Probability that the emulator repeats the previous action (Machado et al. 2018)."""
    noop_max: Annotated[int, Range(0, 1000)] = 7
    """Most no-op decisions at an episode's start (7 decisions of 4 frames are about the usual 30 frames)."""
    max_steps: Annotated[int, Range(1, 10**9)] = 27_000
    """Decisions after which an episode is cut (27,000 decisions are 108,000 Atari frames, 30 minutes)."""
    version: Literal["v4", "v5"] = "v4"
    """Gymnasium's version of Hopper, HalfCheetah and Walker2d; D4RL's reference scores hold for v4."""


@dataclass(frozen=True)
class DataConfig:
    """Which episodes are trained on."""

    source: str = "bundled"
    """Where the set is from. `bundled` are those that ship with lamo or were imported; the others are fetched with
    `lamo data get`, or lie in Minari's own folder."""
    set: str = "breakout-medium"
    """The set's name, as `lamo data list` has it."""
    ratio: Annotated[float, _RATIO] = 1.0
    """Share of whole episodes that is used, in (0, 1]; subsets are nested for one seed."""
    ratio_rounding: Literal["nearest", "down"] = "nearest"
    """To how many episodes a share comes: the nearest number, or no more than the share, as LaMo's code takes them
    (`int(E * ratio)`; 5 of 1,191 at 0.5 %, not 6). One at least."""
    cutting: Literal["correct", "published"] = "correct"
    """How fetched data are cut into episodes. `published` keeps what LaMo's code does: steps at which a time limit
    struck vanish with the mark, and DQN-Replay's empty steps and partial episodes stay."""
    subset: Literal["uniform", "length-weighted"] = "uniform"
    """`length-weighted` prefers long episodes, as the official Atari code does."""
    rewards: RewardUnit = "raw"
    """`clipped` is the sign of each reward, which is all that DQN-Replay holds."""
    kitchen_rewards: Literal["once", "every-step"] = "once"
    """Unit of the kitchen's rewards in training: `once` per solved subtask, as its environment pays, or as published
    data count, solved subtasks at `every-step`; either is converted into the other."""
    state_scaling: Literal["floored", "published"] = "floored"
    """Features of vectors are divided by their spread in the data. `floored` takes at least a tenth of the largest, so
    that one that hardly moved in a small share of the data does not explode when it does."""
    windows: WindowKind = "full"
    """`full` windows hold an episode's first step once and a later one K times. With `every-step` each step is as often
    a window's newest: with few updates the start of play is learned as well as the rest. With `every-start` each step
    is as often a window's first, and windows at the end of an episode are short (the paper's MuJoCo code)."""
    frame_shift: Annotated[int, Range(0, 20)] = 0
    """Random shift in pixels of all frames of a window together (DrQ, Kostrikov et al. 2020); 0 is off. Centred
    frames are shifted after centring."""
    memory_gb: Annotated[float, Range(0, 1000000.0)] = 8.0
    """Frames stay unpacked in memory up to this many gigabytes; beyond it, blocks are unpacked on demand."""


@dataclass(frozen=True)
class ModelConfig:
    """The policy: which language model is its trunk and what is trained."""

    backbone: str = "mini"
    """`[random:|scaled:|permuted:]NAME[:BLOCKS]`: `mini`, `smollm2-135m`, `gpt2`, … or a folder; the same shape with
    random weights, with Gaussian ones of the trained spread, or with the entries of each matrix shuffled; its first
    blocks alone."""
    adapter: Adapter = "lora"
    """What of the trunk learns: low-rank adapters, nothing, or everything."""
    lora_rank: Annotated[int, Range(1, 4096)] = 32
    """Rank of the low-rank matrices (Hu et al. 2021)."""
    lora_alpha: Annotated[int, Range(1, 65_536)] = 32
    """What adapters add is multiplied by this over their rank."""
    lora_dropout: Annotated[float, Range(0, 0.99)] = 0.0
    """Dropout on what adapters are given."""
    lora_targets: LoraTargets = "attention"
    """Which matrices of a block get adapters: query, key and value; with the attention's output; the feed-forward
    layers; or all of them."""
    lora_projections: LoraProjections = "shared"
    """Whether query, key and value of a fused projection share one pair of low-rank matrices (the paper's Atari code)
    or have one each (its MuJoCo code)."""
    lora_bias: bool = False
    """Whether the biases of adapted matrices learn too (the paper's MuJoCo code)."""
    attention_mixing: AttentionMixing = "none"
    """`heads` lets every token weigh what the trunk's attention heads found, so that heads which look at the newest
    token alone can be set aside (after the mixture of attention of Zhao et al. 2025); at first all weigh the same."""
    embedding: Literal["mlp", "linear"] = "mlp"
    """`mlp` is the paper's residual non-linear embedding (§4.2), `linear` that of Decision Transformer."""
    head: Literal["as-embedding", "linear"] = "as-embedding"
    """The action head: two layers beside `mlp` embeddings (the paper's MuJoCo code), or one in any case (its Atari
    code)."""
    frame_layers: Literal["one", "two"] = "one"
    """Linear layers behind the convolutions of frames: one, or beside `mlp` embeddings two in a row with nothing
    between them (3,136 to D to D, the paper's Atari code)."""
    frames: Literal["centred", "scaled"] = "centred"
    """`centred` subtracts the data's mean frame, divides by the spread around it and starts the network
    orthogonally, so that what moves stands out; `scaled` divides by 255 and keeps PyTorch's start (published)."""
    context: Annotated[int, Range(1, 1024)] = 30
    """K, the number of steps that the policy sees."""
    dropout: Annotated[float, Range(0, 0.99)] = 0.1
    """Dropout on embeddings and residual branches of the trunk; attention keeps its fast path."""
    attention_dropout: Annotated[float, Range(0, 0.99)] = 0.0
    """Dropout on attention weights."""
    embedding_dropout: Annotated[float, Range(0, 0.99)] = 0.0
    """Dropout on the embedded trajectory tokens alone (Robust Decision Transformer, Xu et al. 2025)."""
    action_dropout: Annotated[float, Range(0, 0.99)] = 0.0
    """Share of training windows whose earlier actions are hidden, so that decisions are not copied from them (past
    motion dropout, Bansal et al. 2018, "ChauffeurNet")."""
    timestep: Literal["after-norm", "before-norm", "none"] = "after-norm"
    """Where the timestep embedding joins: after the norm (the paper's MuJoCo code), before it (its Atari code)."""
    timestep_std: Annotated[float, Range(0, 10)] = 0.02
    """Standard deviation of timestep embeddings before training; published code has 1, as much as what they join."""
    trunk_positions: bool = True
    """Whether the language model's own position embeddings are added to trajectory tokens (official Atari: yes)."""
    logits: Literal["plain", "tanh"] = "plain"
    """`tanh` squashes action logits into [-1, 1] as the official Atari code does (loss floor 0.341 for 4 actions)."""
    action_tokens: Literal["own", "vocabulary"] = "own"
    """`own` learns embeddings and a head for actions; `vocabulary` speaks them in the language model's rarest words,
    read through its own word head (RT-2, Brohan et al. 2023)."""
    return_to_go: ReturnInput = "inclusive"
    """Whether step t's return-to-go counts step t's own reward (the official Atari data leave it out), or whether the
    policy is told no return at all."""
    return_tokens: ReturnTokens = "each"
    """How returns are told: `each` is a token; `injected` into the states' tokens (SlimDT), which leaves two of three;
    or the `latest` alone scales and shifts what the trunk found in states and actions (Decoupled DT)."""
    return_scale: Annotated[float, Range(0, 1000000000000.0)] = 0.0
    """Returns are divided by this; 0 takes the largest absolute return of the data."""
    q_weight: Annotated[float, Range(0, 1000000.0)] = 0.0
    """Weight of a Q term beside the action loss (Q-learning regularised, Hu et al. 2024); its settings are `value`."""
    maximum_expectile: Annotated[float, Range(0.5, 0.9999)] = 0.99
    """Expectile that the learned maximum return stands for (Reinformer, Zhuang et al. 2024)."""

    @property
    def step_tokens(self) -> int:
        """How many tokens the trunk sees of a step."""
        return 3 if self.return_tokens == "each" else 2


@dataclass(frozen=True)
class LanguageConfig:
    """The auxiliary next-token loss (paper eq. 5)."""

    weight: Annotated[float, Range(0, 1000000.0)] = 0.0
    """lambda; nothing of the language pass is computed at 0."""
    source: str = "self"
    """`self` (samples drawn from the backbone before training), `wikitext-103`, or the path of a text file."""
    batch_size: Annotated[int, Range(1, 4096)] = 2
    """Blocks of words in each step."""
    block_size: Annotated[int, Range(8, 8192)] = 256
    """Tokens of a block."""
    blocks: Annotated[int, Range(1, 1_000_000)] = 64
    """How many blocks `self` draws."""


@dataclass(frozen=True)
class AlignmentConfig:
    """Pull of trajectory embeddings towards the word embeddings (Wiki-RL, Reid et al. 2022)."""

    weight: Annotated[float, Range(0, 1000000.0)] = 0.0
    """Of the term: minus the largest cosine between an embedded token and a cluster of words."""
    clusters: Annotated[int, Range(1, 100_000)] = 1_000
    """k of the k-means over the word table; at most a quarter of the vocabulary is taken."""
    steps: Annotated[int, Range(1, 10**9)] = 5_000
    """Steps in which the weight falls to a hundredth, along a sigmoid; half of it is left halfway."""


@dataclass(frozen=True)
class MarkovConfig:
    """Methods that decide from the newest observation alone: `bc`, `filtered-bc` and the value-based ones."""

    width: Annotated[int, Range(1, 8192)] = 256
    """Of the hidden layers on vectors, and of the features that a network for frames gives."""
    layers: Annotated[int, Range(1, 16)] = 2
    """Hidden layers on vectors; frames have none behind their features."""
    filter: Literal["none", "top", "split"] = "none"
    """Episodes that are imitated: all, the best `share`, or the upper of the two groups into which the data's returns
    fall (Otsu's threshold)."""
    share: Annotated[float, Range(1e-06, 1)] = 0.1
    """Share of the episodes that the filter `top` keeps."""
    least_episodes: Annotated[int, Range(1, 100_000)] = 1
    """Of these it keeps at least so many, or the better half of a set that has not twice as many."""


@dataclass(frozen=True)
class ValueConfig:
    """What is learned about values: by value-based methods, and by the Q term of a sequence policy."""

    learning_rate: Annotated[float, Range(0, 10)] = 3e-4
    """For critics; policies take `optim.learning_rate`."""
    discount: Annotated[float, Range(0, 1)] = 0.99
    """What a reward one step later counts (gamma)."""
    rewards: Literal["raw", "sign", "range"] = "raw"
    """`sign` as usual on Atari; `range` makes the data's returns span 1000, as IQL does on locomotion, and no return
    larger than 2000."""
    target_rate: Annotated[float, Range(1e-06, 1)] = 0.005
    """Share of the way that target networks move towards the learned ones."""
    target_every: Annotated[int, Range(1, 10**9)] = 1
    """Steps between two moves."""
    quantiles: Annotated[int, Range(1, 10_000)] = 1
    """Of a discrete critic's return distribution (QR-DQN, Dabney et al. 2018); 1 learns the median alone."""
    conservative_weight: Annotated[float, Range(0, 1000000.0)] = 5.0
    """alpha of CQL."""
    log_std_offset: Annotated[float, Range(-10, 10)] = 0.0
    """Added to the log standard deviation of a soft actor-critic's actions: with -1 it begins nearer to its mean, as
    the widely used code of CQL does (young-geng/CQL, CORL)."""
    expectile: Annotated[float, Range(0.01, 0.99)] = 0.7
    """tau of IQL, and of the Q term."""
    temperature: Annotated[float, Range(0, 1000000.0)] = 3.0
    """beta of IQL: how sharply advantages weigh actions."""
    behaviour_weight: Annotated[float, Range(0, 1000000.0)] = 2.5
    """alpha of TD3+BC: larger trusts the critic more."""
    flexibility: Annotated[float, Range(0, 1)] = 0.3
    """Discrete BCQ allows actions that are this likely, relative to the likeliest."""
    perturbation: Annotated[float, Range(0, 1)] = 0.05
    """Continuous BCQ moves generated actions by up to this much."""
    epsilon: Annotated[float, Range(0, 1)] = 0.001
    """Chance of a random action while discrete value-based policies play."""


@dataclass(frozen=True)
class OptimConfig:
    """Optimisation: AdamW, learning rates per group, a schedule that is a pure function of the step."""

    steps: Annotated[int, Range(1, 10**9)] = 2_000
    """Optimiser steps of the whole run."""
    batch_size: Annotated[int, Range(1, 65_536)] = 32
    """Windows of each optimiser step; single steps for methods without a memory."""
    micro_batch_size: Annotated[MicroBatch, Range(1, 65_536)] = "auto"
    """Windows per forward pass; gradients of micro-batches add up to exactly one batch. `auto` chooses by the trunk's
    width and the device when a run begins, which keeps that number. Dropout draws by micro-batches."""
    learning_rate: Annotated[float, Range(0, 10)] = 5e-4
    """For embeddings and heads."""
    adapter_learning_rate: Annotated[float, Range(0, 10)] = 5e-4
    """For what is trained inside the trunk."""
    weight_decay: Annotated[float, Range(0, 10)] = 1e-2
    """AdamW's decay of weight matrices."""
    decay_all: bool = False
    """Whether biases, norms and embedding tables decay too, as in the official code."""
    warmup_steps: Annotated[int, Range(0, 10**9)] = 100
    """Steps in which the learning rates rise to their full size."""
    schedule: Literal["constant", "cosine", "policy-cosine", "official-atari"] = "cosine"
    """`policy-cosine` lets the policy's rate alone fall to nothing, not its critics' (IQL's code); `official-atari`
    counts tokens twice, so the rate oscillates: the published code's behaviour."""
    final_rate: Annotated[float, Range(0, 1)] = 0.1
    """Share of the learning rate that the cosine ends on."""
    clip: Annotated[float, Range(0, 1000000000.0)] = 1.0
    """Largest gradient norm."""
    epsilon: Annotated[float, Range(1e-15, 1)] = 1e-8
    """Added to AdamW's denominator: PyTorch's 1e-8, or 1e-6 (the paper's MuJoCo code). Weights whose gradients are
    smaller than it learn more slowly."""
    ema_decay: Annotated[float, Range(0, 0.99999)] = 0.0
    """What acts and is saved is the exponential moving average of the trained weights with this decay; 0 is none."""
    dropout_stops_at_first_eval: bool = False
    """The official Atari code never switches dropout back on after its first evaluation."""


@dataclass(frozen=True)
class EvalConfig:
    """Roll-outs in the environment."""

    every: Annotated[int, Range(0, 10**9)] = 500
    """Steps between evaluations; 0 evaluates only at the end."""
    episodes: Annotated[int, Range(1, 10_000)] = 10
    """Episodes per target during training."""
    final_episodes: Annotated[int, Range(0, 10_000)] = 20
    """Episodes per target after the last step."""
    targets: Annotated[tuple[float, ...], _FINITE] = ()
    """Return targets; empty takes them from the data."""
    target_quantiles: Annotated[tuple[float, ...], Range(0, 1)] = (0.95,)
    """Quantiles of the data's episode returns that serve as targets when `targets` is empty."""
    target_rule: Literal["quantile", "learned-maximum"] = "quantile"
    """`learned-maximum` asks at every step for the largest return-to-go that the data support there."""
    subtract: Literal["as-trained", "raw"] = "as-trained"
    """What a reward takes off the return asked for: as much as it counts in the data, or as the game pays, though the
    data hold clipped rewards (the official Atari code)."""
    context: ContextMode = "chunked"
    """`sliding` re-encodes exactly K steps at each decision; `chunked` keeps a key-value cache."""
    action: Literal["sample", "greedy"] = "sample"
    """Whether discrete actions are drawn from the policy's distribution or are its likeliest."""
    unseen_episodes: Annotated[int, Range(0, 100_000)] = 0
    """At most so many episodes that the ratio leaves out: every evaluation also measures the loss on their actions. It
    decides nothing."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 100_000
    """First environment seed of evaluations, apart from every training stream."""


@dataclass(frozen=True)
class CheckpointConfig:
    """What is kept on disk."""

    every: Annotated[int, Range(1, 10**9)] = 500
    """Steps between checkpoints."""
    keep: Annotated[int, Range(1, 10_000)] = 2
    """Numbered checkpoints that are kept, the newest ones; all of them act, the newest of all can be resumed."""
    best: Literal["last", "held-out"] = "last"
    """Which weights act, are evaluated and saved: those of the last step, or of the step with the lowest loss on a
    `held-out` episode of the training data. Of fewer than five episodes the last fifth of each is held out, and all are
    then trained on anew for as many steps."""


@dataclass(frozen=True)
class RunConfig:
    """One run, complete: everything that decides its numbers."""

    name: str = "run"
    """What the run is called in lists; it decides nothing."""
    method: MethodName = "lamo"
    """What is trained; `--method` also takes over its settings. `lamo`, `dt` and `wiki-rl` differ only in theirs."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    """Drives the subset of the data, first weights and the order of windows."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 where the device computes in it, else fp32."""
    task: TaskConfig = field(default_factory=TaskConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    markov: MarkovConfig = field(default_factory=MarkovConfig)
    value: ValueConfig = field(default_factory=ValueConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)

    @property
    def paid(self) -> RewardUnit:
        """The unit in which rewards are subtracted from the return asked for while a policy plays."""
        return "raw" if self.eval.subtract == "raw" else self.data.rewards

    def to_dict(self) -> dict[str, Any]:
        """Return the config as nested plain dictionaries and lists."""
        return plain(dataclasses.asdict(self))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """Build a config from nested dictionaries; raises `UsageError` at unknown keys and wrong types."""
        config: RunConfig = build(cls, _task_by_id(values))
        _check_values(config)
        _check_names(config)
        return config


def field_names(prefix: str = "") -> list[str]:
    """Return the dotted names of all leaf settings, such as `optim.batch_size`."""
    return leaf_names(RunConfig, prefix)


def parse_setting(name: str, text: str) -> Any:
    """Turn the text of `--set name=text` into a value of the setting's type; raises `UsageError`."""
    return parse_text(hint_of(RunConfig, name), text, name)


def _task_by_id(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values with `task.id`, where it is set, as the task's name too: one name says all elsewhere."""
    task = values.get("task")
    if not isinstance(task, Mapping) or not task.get("id"):
        return values
    return {**values, "task": {**task, "name": f"gym:{task['id']}"}}


def _check_values(config: RunConfig) -> None:
    check_ranges(config)
    if config.model.q_weight and config.model.context < 2:
        raise UsageError("a Q term learns from a step and its next one; set model.context to 2 or more")
    if config.eval.target_rule == "learned-maximum" and config.model.return_to_go == "none":
        raise UsageError("a policy that is told no return cannot ask for the largest one; drop one of the two")


def _check_names(config: RunConfig) -> None:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", config.device):
        raise UsageError(f"there is no device {config.device!r}; use auto, cpu, cuda, cuda:N or mps")
    check_source(config.data.source)
    if not parse_backbone(config.model.backbone).model.strip():
        raise UsageError("model.backbone names no language model; `lamo lm list` shows what is here")
