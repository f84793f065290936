"""Splits that stimuli carry with them: sentences of speech, images and their concepts; the same for all subjects and repeats."""

from neurodecode.data.hashed_splits import hashed_split, stimulus_draw
from neurodecode.data.image_splits import check_zero_shot, things_eeg2_split, things_meg_split, with_split
from neurodecode.data.speech_splits import check_blocks, check_context, speech_blocks, speech_segments_table, split_blocks
from neurodecode.data.text_similarity import similar_texts

__all__ = [
    "check_blocks",
    "check_context",
    "check_zero_shot",
    "hashed_split",
    "similar_texts",
    "speech_blocks",
    "speech_segments_table",
    "split_blocks",
    "stimulus_draw",
    "things_eeg2_split",
    "things_meg_split",
    "with_split",
]
