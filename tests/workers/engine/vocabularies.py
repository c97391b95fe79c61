"""Tokenizers trained on the spot: no vocabulary of anybody else is in the tree."""

import json

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import CLIPTokenizer, T5Tokenizer

SENTENCES = [
    "a red star above a blue house",
    "one small green fish under the yellow moon",
    "빨간 별과 파란 집",
    "blurry, low quality, watermark",
]
START, END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer() -> CLIPTokenizer:
    """Byte-level BPE with CLIP's marks at the end of the vocabulary."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Lowercase()
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        end_of_word_suffix="</w>",
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    trained.train_from_iterator(SENTENCES, trainer)
    state = models_of(trained)
    vocabulary = dict(state["vocab"])
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary.setdefault(f"{letter}</w>", len(vocabulary))
    for mark in (START, END):
        vocabulary[mark] = len(vocabulary)
    merges = [tuple(pair) for pair in state["merges"]]
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        model_max_length=77,
        bos_token=START,
        eos_token=END,
        unk_token=END,
        pad_token=END,
    )


def t5_tokenizer() -> T5Tokenizer:
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    trained.train_from_iterator(SENTENCES, trainer)
    vocabulary = [(piece, score) for piece, score in models_of(trained)["vocab"]]
    return T5Tokenizer(vocab=vocabulary, extra_ids=0)


def models_of(trained: Tokenizer) -> dict:
    return json.loads(trained.to_str())["model"]
