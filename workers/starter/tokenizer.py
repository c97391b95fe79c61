"""The starter model's own tokenizer, learnt from its own captions.

Byte-level pairs: no text is outside it, whatever the script; words it has not seen
fall into smaller pieces.
"""

from __future__ import annotations

import json

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from workers.starter.captions import draw_captions
from workers.starter.scenes import draw_scenes

START, END = "<|startoftext|>", "<|endoftext|>"
VOCABULARY = 1400
WINDOW = 40
SAMPLES = 40_000


def train_tokenizer(samples: int = SAMPLES) -> CLIPTokenizer:
    core = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[START, END],
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    scenes = draw_scenes(count=samples, seed=2)
    core.train_from_iterator(draw_captions(scenes, seed=3), trainer)
    return as_clip(core)


def as_clip(core: Tokenizer) -> CLIPTokenizer:
    """The same pairs in the class that a Stable Diffusion pipeline expects."""
    state = json.loads(core.to_str())["model"]
    return CLIPTokenizer(
        vocab=state["vocab"],
        merges=[tuple(pair) for pair in state["merges"]],
        model_max_length=WINDOW,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
    )
